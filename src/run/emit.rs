use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use super::{EventSink, Mode};
use crate::outcome::{Fold, RunEvent, Terms, Verdict};

/// The one way out for everything that a lab's run has to say, which keeps the fold by which the engine knows
/// how its lab stands.
pub struct Emitter<'a> {
    sink: &'a dyn EventSink,
    lab: usize,
    started: Instant,
    started_at: SystemTime,
    fold: Mutex<Fold>,
}

impl<'a> Emitter<'a> {
    pub fn new(sink: &'a dyn EventSink, lab: usize, mode: Mode) -> Self {
        let mut fold = Fold::default();
        // What the fold must know of the run to decide this lab as the whole run's fold will.
        let (tool, started_at) = (String::new(), String::new());
        let (command, terms) = (mode.command().to_owned(), Terms::default());
        fold.apply(&RunEvent::RunStarted { tool, command, seed: 0, started_at, terms });
        Self { sink, lab, started: Instant::now(), started_at: SystemTime::now(), fold: Mutex::new(fold) }
    }

    /// From the lab's start.
    pub(super) fn elapsed_ms(&self) -> u64 {
        super::lab::millis(self.started.elapsed())
    }

    /// From the lab's start to that moment.
    pub(super) fn ms_at(&self, moment: SystemTime) -> u64 {
        super::lab::millis(moment.duration_since(self.started_at).unwrap_or_default())
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
