//! How far the pull of an image is: a bar for each layer where somebody watches, a line now and then elsewhere.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::outcome::{PullState, PulledLayer};

/// Where nobody watches, a pull says how far it is this often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// What a screen of 80 columns and more has room for.
const WIDE: &str = "  {prefix} [{bar:20}] {bytes:>10}/{total_bytes:<10} {bytes_per_sec:>12} {eta:>4} {msg}";
const NARROW: &str = "  {prefix} [{bar:8}] {bytes:>10} {eta:>4} {msg}";

/// The bars of one pull.
#[derive(Debug)]
pub struct PullBars {
    bars: MultiProgress,
    layers: BTreeMap<String, ProgressBar>,
}

impl PullBars {
    pub fn new(bars: MultiProgress) -> Self {
        Self { bars, layers: BTreeMap::new() }
    }

    pub fn draw(&mut self, layers: &[PulledLayer]) {
        for layer in layers {
            let bar = self.layers.entry(layer.id.clone()).or_insert_with(|| self.bars.add(new_bar(&layer.id)));
            if let Some(total) = layer.total {
                bar.set_length(total);
            }
            bar.set_position(layer.current);
            bar.set_message(match layer.state {
                PullState::Waiting => "waiting",
                PullState::Downloading => "",
                PullState::Unpacking => "unpacking",
                PullState::Done => "done",
            });
            if layer.state == PullState::Done {
                bar.finish();
            }
        }
    }

    pub fn clear(&mut self) {
        for bar in std::mem::take(&mut self.layers).into_values() {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }
}

fn new_bar(id: &str) -> ProgressBar {
    let template = if super::layout::screen_width() < 80 { NARROW } else { WIDE };
    let style = ProgressStyle::with_template(template).expect("a valid template");
    ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_prefix(id.chars().take(12).collect::<String>())
}

/// Says now and then in a line how far the pull is.
#[derive(Debug, Default)]
pub struct PullLines {
    shown: Option<Instant>,
}

impl PullLines {
    /// The line, where it is time for one.
    pub fn due(&mut self, image: &str, layers: &[PulledLayer]) -> Option<String> {
        if self.shown.is_some_and(|shown| shown.elapsed() < LINE_EVERY) {
            return None;
        }
        self.shown = Some(Instant::now());
        Some(format!("pulling {image}: {}", summary(layers)))
    }
}

fn summary(layers: &[PulledLayer]) -> String {
    let done = layers.iter().filter(|layer| layer.state == PullState::Done).count();
    let here: u64 = layers.iter().map(|layer| layer.current).sum();
    let total: u64 = layers.iter().filter_map(|layer| layer.total).sum();
    // Sizes become known only as the layers come.
    let of = if total == 0 { String::new() } else { format!(", {} of {} MB", here / 1_000_000, total / 1_000_000) };
    format!("{done} of {} layers{of}", layers.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_the_pull_is_a_line_now_and_then() {
        let layer = |state, current, total| PulledLayer { id: "a".to_owned(), state, current, total };
        let layers = [
            layer(PullState::Done, 5_000_000, Some(5_000_000)),
            layer(PullState::Downloading, 1_500_000, Some(20_000_000)),
            layer(PullState::Waiting, 0, None),
        ];
        let mut lines = PullLines::default();
        assert_eq!(lines.due("node", &layers).as_deref(), Some("pulling node: 1 of 3 layers, 6 of 25 MB"));
        assert_eq!(lines.due("node", &layers), None);
        assert_eq!(summary(&layers[2..]), "0 of 1 layers");
    }
}
