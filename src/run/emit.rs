use std::sync::{Mutex, PoisonError};

use super::{EventSink, Mode};
use crate::outcome::{Fold, RunEvent, Verdict};

/// The one way out for everything that a lab's run has to say, which keeps the fold by which the engine knows
/// how its lab stands.
pub struct Emitter<'a> {
    sink: &'a dyn EventSink,
    lab: usize,
    fold: Mutex<Fold>,
}

impl<'a> Emitter<'a> {
    pub fn new(sink: &'a dyn EventSink, lab: usize, mode: Mode) -> Self {
        let mut fold = Fold::default();
        // What the fold must know of the run to decide this lab as the whole run's fold will.
        let (tool, started_at) = (String::new(), String::new());
        fold.apply(&RunEvent::RunStarted { tool, command: mode.command().to_owned(), seed: 0, started_at });
        Self { sink, lab, fold: Mutex::new(fold) }
    }

    pub(super) fn lab(&self) -> usize {
        self.lab
    }

    pub(super) fn emit(&self, event: RunEvent) {
        self.fold.lock().unwrap_or_else(PoisonError::into_inner).apply(&event);
        self.sink.emit(event);
    }

    pub(super) fn notice(&self, message: impl Into<String>) {
        self.emit(RunEvent::Noticed { lab: Some(self.lab), message: message.into() });
    }

    pub(super) fn has_steps(&self) -> bool {
        let fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        fold.lab(self.lab).is_some_and(|report| !report.steps.is_empty())
    }

    pub(super) fn lab_verdict(&self) -> Verdict {
        let fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        fold.lab(self.lab).map_or(Verdict::Skipped, |report| report.verdict)
    }
}
