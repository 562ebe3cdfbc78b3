//! A stretch is opened: what its step begins with is kept, its set-up run, its mark set.

use std::path::PathBuf;
use std::time::SystemTime;

use super::engine::{Engine, Worked};
use super::event::SessionEvent;
use super::live::Live;
use super::looks::SILENT_PAUSE;
use crate::journal::{Clock, JournalView, Mark, Seq};
use crate::lab::ClusterKind;
use crate::learn::{Input, Place, Standing};

impl Engine<'_> {
    /// Opens a stretch: at once where it goes on from what was just witnessed, else after its set-up.
    pub(super) fn open(&mut self, step: usize, stretch: usize, view: Option<&JournalView>) {
        let setup = self.course.steps.get(step).map_or(&[][..], |step| step.setup(stretch));
        if let Some(view) = view.filter(|_| stretch > 0 && setup.is_empty()) {
            let last = view.entries(view.end().saturating_sub(1), |_| true).pop();
            let at = last.map_or_else(Clock::now, |recorded| recorded.entry.at());
            let revision = view.revision_at(view.end()).unwrap_or_default();
            let mark = Mark { revision, at, wall: SystemTime::now(), epoch: view.epoch(), read: true };
            return self.opened(step, stretch, mark, view.end());
        }
        self.live = None;
        let before = self.mark_before(step);
        let (ground, hands, home, course) = (self.ground, self.hands, self.home, self.course);
        let is_known = |file: PathBuf| self.resumed == Some(step) && file.exists();
        let keeps = stretch == 0 && !is_known(home.checkpoint(step));
        // A bare lab begins again as a whole, and only then.
        let is_first = ground.kind() != ClusterKind::Bare || self.begun.is_empty();
        let keeps_work = stretch == 0 && is_first && !is_known(home.work_at(step));
        self.resumed = None;
        if let Some((mark, seq)) = before {
            self.work.push(Box::pin(async move {
                // What came before the break is in the journal then.
                drop(ground.witness.progress().await);
                Worked::Opened { step, stretch, mark, seq, notes: Vec::new() }
            }));
            return;
        }
        self.work.push(Box::pin(async move {
            let mut notes = Vec::new();
            // Nothing can begin on a store that is away: neither is it kept, nor is a mark set.
            while ground.store_must_answer() && ground.witness.progress().await.is_err() {
                tokio::time::sleep(SILENT_PAUSE).await;
            }
            let seq = ground.witness.journal().end();
            if keeps && let Err(error) = ground.save(&home.checkpoint(step)).await {
                notes.push(format!("this step cannot be reset: its beginning could not be kept: {error}"));
            }
            if keeps_work {
                let (work, copy) = (ground.work().to_owned(), home.work_at(step));
                let kept = tokio::task::spawn_blocking(move || crate::run::keep_files(&work, &copy)).await;
                if let Ok(Err(error)) = kept {
                    notes.push(format!("a reset of this step leaves LAB_WORK as it is: it could not be kept: {error}"));
                }
            }
            let mut hands = hands.lock().await;
            if let Some(planned) = course.steps.get(step).and_then(|step| step.planned) {
                for action in setup {
                    let ran = hands.block(planned, action).await;
                    if let Some(reason) = ran.reason {
                        notes.push(format!(
                            "the step could not be prepared (line {}): {reason}",
                            course.line(action.span.start)
                        ));
                    }
                }
            }
            hands.mark();
            let mark = loop {
                let mark = ground.witness.mark().await;
                if mark.read || !ground.store_must_answer() {
                    break mark;
                }
                tokio::time::sleep(SILENT_PAUSE).await;
            };
            Worked::Opened { step, stretch, mark, seq, notes }
        }));
    }

    /// The mark that was set before the session was broken off, where the journal reaches back to it.
    fn mark_before(&self, step: usize) -> Option<(Mark, Seq)> {
        let revision = self.state.mark().filter(|_| self.resumed == Some(step))?;
        let view = self.ground.witness.journal();
        let seq = view.at_revision(view.epoch(), revision)?;
        let mark = Mark { revision, at: Clock::now(), wall: SystemTime::now(), epoch: view.epoch(), read: true };
        Some((mark, seq))
    }

    pub(super) fn opened(&mut self, step: usize, stretch: usize, mark: Mark, begun: Seq) {
        if (step, stretch) != (self.state.open(), self.state.stretch()) {
            return;
        }
        if stretch == 0 {
            self.begun.insert(step, begun);
        }
        let places: Vec<(Place, bool)> = self
            .state
            .live_checks()
            .into_iter()
            .map(|place| (place, self.state.check(place).is_some_and(|(_, known)| known.standing == Standing::Holds)))
            .collect();
        let view = self.ground.witness.journal();
        let seen = view.at(&mark).unwrap_or(view.end());
        let ground = self.ground;
        self.live = Some(Live::new(self.course, &places, mark, seen, &ground.vars.values, &ground.info.prefix));
        self.heard.begin(stretch == 0);
        self.stale = true;
        self.input(Input::Opened { mark: mark.revision });
        self.name_blocks_run_too_early();
        self.go_on_solving();
    }

    /// Only what is printed after a stretch's mark counts for it: whoever ran its block before hears of it at once.
    fn name_blocks_run_too_early(&mut self) {
        let about: Vec<_> =
            self.live.iter().flat_map(Live::outputs).filter_map(|(_, placed)| self.block_of(placed)).collect();
        let before = match self.state.stretch() {
            0 => "this step was open",
            _ => "the checks above it held",
        };
        for block in about.into_iter().filter_map(|id| self.course.block(id)) {
            if self.heard.was_too_early(block.action.id) {
                let message = format!(
                    "You ran the block `{0}` before {before}. What it prints counts from now on: run it again, or type \
                     `lab run {0}`.",
                    block.id
                );
                self.handle.emit(SessionEvent::Noticed { message });
            }
        }
    }
}
