//! The open stretch's checks, looked at as the journal grows, as samples come in, and when time runs out.

use std::time::Duration;

use tokio::time::Instant;

use super::engine::{Engine, Worked};
use super::event::SessionEvent;
use super::live::{Sampled, Turn};
use crate::journal::{Clock, JournalView};
use crate::learn::{Input, Standing};

/// Between two questions to an etcd of which nothing is awaited.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// Of what came since the last look, at most about this many states are looked at one by one.
const LOOKS_AT_ONCE: u64 = 16;
/// Between two looks at what runs in the background, where a check waits for it.
const OUTPUT_EVERY: Duration = Duration::from_millis(50);
/// A clock that has run out may need a last answer of etcd's; never spin while it comes.
const LEAST_PAUSE: Duration = Duration::from_millis(10);
/// The same, where it did not answer the last time.
pub(super) const SILENT_PAUSE: Duration = Duration::from_millis(500);

impl Engine<'_> {
    /// Takes in the journal entry by entry: two stretches may have been done between two looks. Of thousands of writes at
    /// once every few are taken in together, so that the learner's requests are answered meanwhile; what happened is
    /// still seen, but a state that came and went within so few of them is not.
    pub(super) fn catch_up(&mut self) {
        let view = self.ground.witness.journal();
        self.ground.hide_known_secrets(&view);
        let backlog = self.live.as_ref().map_or(0, |live| view.end().saturating_sub(live.seen));
        loop {
            let Some(live) = &mut self.live else { return };
            if live.seen == view.end() && !std::mem::take(&mut self.stale) {
                break;
            }
            let left = view.end().saturating_sub(live.seen);
            let next = live.seen + left.min(1.max(backlog / LOOKS_AT_ONCE));
            live.seen = next;
            let now = view.upto(next);
            let (turns, again) = live.look(&now);
            self.again = again;
            self.turn(turns, &now);
        }
        self.background_output(&view);
    }

    /// When to look although nothing happens.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let least = if self.silent.is_some() { SILENT_PAUSE } else { LEAST_PAUSE };
        let clock = self
            .again
            .filter(|_| !self.asking)
            .map(|again| Instant::now() + again.duration_since(Clock::now()).unwrap_or_default().max(least));
        let samples = self.live.iter().flat_map(|live| &live.samples).filter(|sampled| !sampled.in_flight);
        let sample = samples.map(Sampled::due).min();
        let output = self.awaits_background().then(|| Instant::now() + OUTPUT_EVERY);
        [clock, sample, output].into_iter().flatten().min()
    }

    pub(super) fn time_is_up(&mut self) {
        if self.again.is_some_and(|again| again <= Clock::now()) {
            self.ask_etcd();
        }
    }

    /// Asks etcd for the proof that nothing is missing, and whether it lives.
    pub(super) fn ask_etcd(&mut self) {
        if self.asking {
            return;
        }
        self.asking = true;
        let ground = self.ground;
        self.work.push(Box::pin(async move {
            let answered = match tokio::time::timeout(SIGN_OF_LIFE, ground.witness.progress()).await {
                Ok(answered) => answered.map(drop).map_err(|error| error.to_string()),
                Err(_) => Err(format!("it has not answered for {} s", SIGN_OF_LIFE.as_secs())),
            };
            Worked::Asked { answered }
        }));
    }

    pub(super) fn sample(&mut self) {
        let ground = self.ground;
        let Some(live) = &mut self.live else { return };
        for sampled in live.samples.iter_mut().filter(|sampled| !sampled.in_flight) {
            if sampled.due() > Instant::now() {
                continue;
            }
            sampled.in_flight = true;
            sampled.moved = false;
            let need = sampled.need.clone();
            self.work.push(Box::pin(async move {
                let at = Clock::now();
                let seen = ground.look(&need).await;
                Worked::Sampled { need, at, seen }
            }));
        }
    }

    pub(super) fn turn(&mut self, turns: Vec<Turn>, view: &JournalView) {
        for Turn { place, standing, look } in turns {
            let judgement = look.judgement;
            let was = self.state.check(place).map(|(_, known)| known.standing);
            if standing == Standing::Holds && was != Some(Standing::Holds) {
                // Before the progress says that it holds, and before the stretch that it closes is left.
                self.keep_evidence(place, judgement.reason.as_deref(), view);
            }
            self.input_at(
                Input::Turned {
                    place,
                    standing,
                    reason: judgement.reason,
                    revision: judgement.revision,
                    evidence: judgement.evidence,
                },
                Some(view),
            );
            if standing != Standing::Holds && was == Some(Standing::Holds) {
                self.forget_evidence(place);
            }
        }
    }

    pub(super) fn turned(&mut self, turn: Option<Turn>, view: &JournalView) {
        self.turn(turn.into_iter().collect(), view);
    }

    pub(super) fn lost(&mut self, answered: Result<(), String>) {
        let was_silent = std::mem::replace(&mut self.silent, answered.err()).is_some();
        match &self.silent {
            _ if !self.ground.store_must_answer() => {}
            Some(reason) if !was_silent => self.handle.emit(SessionEvent::ClusterLost { reason: reason.clone() }),
            None if was_silent => self.handle.emit(SessionEvent::ClusterBack),
            _ => {}
        }
    }

    pub(super) fn was_asked(&mut self) {
        self.asking = false;
        if self.again.is_some_and(|again| again <= Clock::now()) {
            // The answer is in the journal: what waited for it is looked at again.
            self.again = None;
            self.stale = true;
        }
    }

    /// The session did not run for a time: what is about the present is looked at anew.
    pub(super) fn slept(&mut self, missed: Duration) {
        let message = format!(
            "For {} s this session did not run: the machine slept, it was stopped, or the clock was set. Each check is \
             looked at again.",
            missed.as_secs()
        );
        self.handle.emit(SessionEvent::Noticed { message });
        self.moved();
        self.stale = true;
    }

    /// Whatever is sampled may be otherwise now.
    pub(super) fn moved(&mut self) {
        for sampled in self.live.iter_mut().flat_map(|live| &mut live.samples) {
            sampled.moved = true;
        }
    }

    /// Why nothing can be judged: etcd does not answer, although it must.
    pub(super) fn cluster_lost(&self) -> Option<&str> {
        self.silent.as_deref().filter(|_| self.ground.store_must_answer())
    }

    /// What was sampled is to be judged.
    pub(super) fn observed(&mut self) {
        self.stale = true;
    }
}
