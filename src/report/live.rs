use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::PullBars;
use crate::outcome::RunEvent;

/// What moves on the terminal of this process, once something does.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

pub fn bars() -> MultiProgress {
    BARS.get_or_init(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr())).clone()
}

/// Nothing moves while somebody else has the terminal.
pub fn hide_bars() {
    bars().set_draw_target(ProgressDrawTarget::hidden());
}

pub fn show_bars() {
    bars().set_draw_target(ProgressDrawTarget::stderr());
}

/// Writes to the terminal above what moves on it.
pub fn above_bars<T>(write: impl FnOnce() -> T) -> T {
    match BARS.get() {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// One moving line a running lab, under the lines that stay. Only where somebody watches.
#[derive(Debug)]
pub struct Live {
    bars: MultiProgress,
    labs: BTreeMap<usize, (String, ProgressBar)>,
    /// Labs that run side by side may each have an image to wait for.
    pulls: BTreeMap<usize, PullBars>,
}

impl Default for Live {
    fn default() -> Self {
        Self { bars: bars(), labs: BTreeMap::new(), pulls: BTreeMap::new() }
    }
}

impl Live {
    pub(super) fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::LabStarted { lab, id, .. } => {
                let bar = self.bars.add(ProgressBar::new_spinner());
                // The template is ours and constant; a wrong one would only cost the spinner's looks.
                if let Ok(style) = ProgressStyle::with_template("  {spinner:.cyan} {wide_msg}  {elapsed:.dim}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(Duration::from_millis(100));
                bar.set_message(format!("{id}: starting"));
                self.labs.insert(*lab, (id.clone(), bar));
            }
            RunEvent::StagePassed { lab, stage, .. } => {
                self.end_pull(*lab);
                self.say(*lab, stage);
            }
            RunEvent::Noticed { lab: Some(lab), .. } => self.end_pull(*lab),
            RunEvent::Pulling { lab, image, layers } => {
                self.say(*lab, &format!("pulling {image}"));
                self.pulls.entry(*lab).or_insert_with(|| PullBars::new(self.bars.clone())).draw(layers);
            }
            RunEvent::StepStarted { lab, title, .. } => self.say(*lab, title),
            RunEvent::ActionStarted { lab, text, .. } => self.say(*lab, &format!("$ {text}")),
            RunEvent::CheckPending { lab, text, so_far, .. } => self.say(*lab, &format!("{text}: {so_far}")),
            RunEvent::LabFinished { lab, .. } => {
                self.end_pull(*lab);
                if let Some((_, bar)) = self.labs.remove(lab) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
            }
            _ => {}
        }
    }

    fn end_pull(&mut self, lab: usize) {
        if let Some(mut pull) = self.pulls.remove(&lab) {
            pull.clear();
        }
    }

    fn say(&self, lab: usize, text: &str) {
        if let Some((id, bar)) = self.labs.get(&lab) {
            let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let who = if self.labs.len() > 1 { format!("{id}: ") } else { String::new() };
            bar.set_message(format!("{who}{line}"));
        }
    }

    /// Writes lines that stay, without the moving ones in their way.
    pub(super) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }
}
