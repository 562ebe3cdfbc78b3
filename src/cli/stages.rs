//! The stages of a cluster as lines on standard error, and the layers of its image as bars.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::screen;
use crate::cluster::{Layer, LayerState, StageSink};

/// Where nobody watches, a pull says how far it is this often.
const PULL_LINE_EVERY: Duration = Duration::from_secs(10);

pub(super) struct StageLines {
    pull: PullBars,
}

impl StageLines {
    pub(super) fn new() -> Self {
        Self { pull: PullBars::new() }
    }
}

impl StageSink for StageLines {
    fn passed(&self, stage: &str, detail: Option<&str>, took: Duration) {
        self.pull.clear();
        let detail = detail.map(|detail| format!("  {detail}")).unwrap_or_default();
        line(&format!("{} {stage:<14}{:>6.1} s{detail}", console::style("✓").for_stderr().green(), took.as_secs_f64()));
    }

    fn pulling(&self, image: &str, layers: &[Layer]) {
        self.pull.draw(image, layers);
    }

    fn note(&self, text: &str) {
        self.pull.clear();
        line(&format!("{} {text}", console::style("·").for_stderr().dim()));
    }
}

fn line(text: &str) {
    // With stderr gone there is nobody to tell.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// A bar for each layer of the node image on a terminal, and a line now and then elsewhere.
pub(super) struct PullBars {
    state: Mutex<State>,
}

struct State {
    bars: MultiProgress,
    layers: BTreeMap<String, ProgressBar>,
    told: Option<Instant>,
}

impl PullBars {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { bars: MultiProgress::new(), layers: BTreeMap::new(), told: None }) }
    }

    pub(super) fn draw(&self, image: &str, layers: &[Layer]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if screen::is_live() {
            state.draw(layers);
        } else if state.told.is_none_or(|told| told.elapsed() >= PULL_LINE_EVERY) {
            state.told = Some(Instant::now());
            line(&format!("· pulling {image}: {}", summary(layers)));
        }
    }

    pub(super) fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for bar in std::mem::take(&mut state.layers).into_values() {
            bar.finish_and_clear();
        }
    }
}

impl State {
    fn draw(&mut self, layers: &[Layer]) {
        for layer in layers {
            let bar = self.layers.entry(layer.id.clone()).or_insert_with(|| self.bars.add(new_bar(&layer.id)));
            if let Some(total) = layer.total {
                bar.set_length(total);
            }
            bar.set_position(layer.current);
            bar.set_message(match layer.state {
                LayerState::Waiting => "waiting",
                LayerState::Downloading => "",
                LayerState::Unpacking => "unpacking",
                LayerState::Done => "done",
            });
            if layer.state == LayerState::Done {
                bar.finish();
            }
        }
    }
}

fn new_bar(id: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "  {prefix} [{bar:24}] {bytes:>10}/{total_bytes:<10} {bytes_per_sec:>12} {eta:>4} {msg}",
    );
    ProgressBar::new(0)
        .with_style(style.expect("a valid template").progress_chars("=> "))
        .with_prefix(id.chars().take(12).collect::<String>())
}

fn summary(layers: &[Layer]) -> String {
    let done = layers.iter().filter(|layer| layer.state == LayerState::Done).count();
    let here: u64 = layers.iter().map(|layer| layer.current).sum();
    let total: u64 = layers.iter().filter_map(|layer| layer.total).sum();
    format!("{done} of {} layers, {} of {} MB", layers.len(), here / 1_000_000, total / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_the_pull_is_one_line() {
        let layer = |state, current, total| Layer { id: "a".to_owned(), state, current, total };
        let layers = [
            layer(LayerState::Done, 5_000_000, Some(5_000_000)),
            layer(LayerState::Downloading, 1_500_000, Some(20_000_000)),
            layer(LayerState::Waiting, 0, None),
        ];
        assert_eq!(summary(&layers), "1 of 3 layers, 6 of 25 MB");
    }
}
