//! The end of a lab's commands: background blocks stopped, then the clean-up in fresh shells.

use std::time::Instant;

use tracing::{Instrument, error_span};

use super::plan::Plan;
use super::runner::{PATIENCE, Runner};
use crate::lab::Action;
use crate::terminal::{TerminalSettings, Terminals};

impl Runner<'_> {
    /// Runs even when a step failed, and after Ctrl-C; one block that fails does not keep the next from running.
    pub(super) async fn clean_up(&mut self, plan: &Plan, fresh: TerminalSettings) {
        self.stop_backgrounds().await;
        self.interrupt = fresh.cancel.clone();
        self.terminals = Terminals::new(fresh);
        for (index, step) in plan.steps.iter().enumerate() {
            let mut blocks: Vec<&Action> = Vec::new();
            for (of, action) in &plan.cleanup {
                if *of == index {
                    blocks.push(action);
                }
            }
            if blocks.is_empty() {
                continue;
            }
            let (started, since) = (Instant::now(), self.witness.journal().end());
            let span = error_span!("step", id = step.id);
            let cleaning = async {
                self.named().start_step(step);
                for action in blocks {
                    // What failed has been reported.
                    let _ = self.act(step, action).await;
                }
                self.witnessed(step, since);
                self.named().finish_step(step, started);
            };
            cleaning.instrument(span).await;
        }
        self.terminals.close_all().await;
    }

    /// Ends every block that was left running, and the terminals.
    pub(super) async fn stop_backgrounds(&mut self) {
        for running in self.backgrounds.iter_mut().filter(|running| !running.stopped) {
            running.stopped = true;
            // It is over either way: closing the terminals ends what does not stop.
            drop(self.terminals.stop(&running.key, false, PATIENCE).await);
        }
        self.backgrounds.clear();
        self.terminals.close_all().await;
    }
}
