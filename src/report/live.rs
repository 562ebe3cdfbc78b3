use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::outcome::RunEvent;

/// One moving line a running lab, under the lines that stay. Only where somebody watches.
#[derive(Debug)]
pub struct Live {
    bars: MultiProgress,
    labs: BTreeMap<usize, (String, ProgressBar)>,
}

impl Default for Live {
    fn default() -> Self {
        Self { bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()), labs: BTreeMap::new() }
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
            RunEvent::StagePassed { lab, stage, .. } => self.say(*lab, stage),
            RunEvent::Progressed { lab, line } => self.say(*lab, line),
            RunEvent::StepStarted { lab, title, .. } => self.say(*lab, title),
            RunEvent::ActionStarted { lab, text, .. } => self.say(*lab, &format!("$ {text}")),
            RunEvent::CheckPending { lab, text, so_far, .. } => self.say(*lab, &format!("{text}: {so_far}")),
            RunEvent::LabFinished { lab, .. } => {
                if let Some((_, bar)) = self.labs.remove(lab) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
            }
            _ => {}
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
