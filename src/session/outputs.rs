//! What commands print, handed to the checks that wait for it.

use jiff::Timestamp;

use super::api::Command;
use super::engine::Engine;
use super::event::SessionEvent;
use super::live::Live;
use super::printed::{Candidate, Open, is_of_the_session};
use crate::journal::JournalView;
use crate::lab::PartId;
use crate::text::redact;

impl Engine<'_> {
    /// A shell of the learner's has begun a command.
    pub(super) fn began(&self, terminal: String, text: &str, began: Timestamp) {
        if !is_of_the_session(text) {
            self.handle.emit(SessionEvent::CommandBegan { terminal, text: redact(text).into_owned(), began });
        }
    }

    /// A shell of the learner's has run a command.
    pub(super) fn finished(&mut self, command: Command) {
        if is_of_the_session(&command.text) {
            return;
        }
        self.moved();
        self.handle.emit(SessionEvent::CommandFinished {
            terminal: command.terminal.clone(),
            text: redact(&command.text).into_owned(),
            status: command.status,
            began: command.began,
            ended: command.ended,
        });
        let vars = &self.ground.vars.values;
        let open = Open { step: self.state.open(), stretch: self.state.stretch(), is_live: self.state.is_live() };
        let whole = self.heard.finished(command, self.course, vars, open);
        self.done.extend(whole);
        let view = self.ground.witness.journal();
        let waiting: Vec<_> = self.live.iter().flat_map(Live::outputs).collect();
        for (place, placed) in waiting {
            let block = self.block_of(placed).and_then(|id| self.course.block(id));
            for candidate in self.heard.candidates(block, vars) {
                let turn = self.live.as_mut().and_then(|live| live.printed(place, &candidate, &view));
                self.turned(turn, &view);
            }
        }
    }

    pub(super) fn running_output(&mut self) {
        let view = self.ground.witness.journal();
        let waiting: Vec<_> = self.live.iter().flat_map(Live::outputs).collect();
        for (place, placed) in waiting {
            let block = self.block_of(placed).and_then(|id| self.course.block(id));
            for candidate in self.heard.running(block, &self.ground.vars.values) {
                let turn = self.live.as_mut().and_then(|live| live.printed(place, &candidate, &view));
                self.turned(turn, &view);
            }
        }
    }

    /// What runs in the background has printed more.
    pub(super) fn background_output(&mut self, view: &JournalView) {
        if !self.awaits_output() {
            return;
        }
        let running = self.hands.try_lock().map(|hands| hands.running()).unwrap_or_default();
        for (id, name, printed) in running {
            let candidate = Candidate { printed, exit: None, own: true, by: name };
            self.printed(&[candidate], Some(id), view);
        }
    }

    pub(super) fn awaits_output(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.outputs().next().is_some())
    }

    pub(super) fn awaits_background(&self) -> bool {
        self.awaits_output() && self.hands.try_lock().is_ok_and(|hands| !hands.running().is_empty())
    }

    /// Hands what was printed to the checks that wait for it: to those of its block as its own.
    pub(super) fn printed(&mut self, candidates: &[Candidate], block: Option<PartId>, view: &JournalView) {
        let waiting: Vec<_> = self.live.iter().flat_map(Live::outputs).collect();
        for (place, placed) in waiting {
            let about = self.block_of(placed);
            for candidate in candidates {
                let own = candidate.own && (block.is_none() || block == about);
                let candidate = Candidate { own, ..candidate.clone() };
                let turn = self.live.as_mut().and_then(|live| live.printed(place, &candidate, view));
                self.turn(turn.into_iter().collect(), view);
            }
        }
    }
}
