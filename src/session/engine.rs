//! The session's one loop: requests, what etcd witnessed, what was sampled, and what the session's own work came to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::api::Answer;
use super::clock::Wakefulness;
use super::event::SessionEvent;
use super::folder::Home;
use super::handle::{Asked, Handle};
use super::live::Live;
use super::looks::SIGN_OF_LIFE;
use super::outline::Course;
use super::printed::Heard;
use super::start::SessionRequest;
use crate::grade::{Need, Seen};
use crate::journal::{JournalView, Mark, Seq};
use crate::lab::PartId;
use crate::learn::{Effect, Fact, Input, Refusal, State};
use crate::run::{Ground, Hands, Ran, Right, Undone};

pub(super) struct Wiring<'a> {
    pub(super) course: &'a Course<'a>,
    pub(super) ground: &'a Ground,
    pub(super) hands: &'a Mutex<Hands<'a>>,
    pub(super) home: &'a Home,
    pub(super) handle: &'a Handle,
}

pub(super) struct Engine<'a> {
    pub(super) course: &'a Course<'a>,
    pub(super) ground: &'a Ground,
    pub(super) hands: &'a Mutex<Hands<'a>>,
    pub(super) home: &'a Home,
    pub(super) handle: &'a Handle,
    pub(super) state: State,
    pub(super) live: Option<Live<'a>>,
    pub(super) heard: Heard,
    /// Blocks that were run or typed, by their numbers.
    pub(super) done: BTreeSet<PartId>,
    /// What a learner should know of their variables.
    pub(super) vars_shown: Vec<(String, String)>,
    /// Where the journal stood when a step was opened by this process.
    pub(super) begun: BTreeMap<usize, Seq>,
    /// A step that is resumed: what was kept at its beginning is not kept again.
    pub(super) resumed: Option<usize>,
    pub(super) work: FuturesUnordered<BoxFuture<'a, Worked>>,
    /// Who waits for the step to be solved.
    pub(super) solving: Option<oneshot::Sender<Answer>>,
    /// Who waits for the cluster to be back where it was.
    pub(super) going_back: Option<oneshot::Sender<Answer>>,
    /// Who waits for the step to be open.
    pub(super) until_open: Vec<oneshot::Sender<Answer>>,
    /// Something is to be looked at again, although the journal has not grown.
    pub(super) stale: bool,
    /// etcd was asked and has not answered yet.
    pub(super) asking: bool,
    /// It did not answer the last time, and why.
    pub(super) silent: Option<String>,
    pub(super) again: Option<SystemTime>,
    interrupt: CancellationToken,
    pub(super) ending: Option<bool>,
    /// The file to hand in, once the lab is finished.
    pub(super) handed_in: Option<PathBuf>,
    /// How long the lab was open before this process, and when this process began.
    worked_before: Duration,
    since: Instant,
}

/// What became of something that the session does beside its loop.
pub(super) enum Worked {
    Opened {
        step: usize,
        stretch: usize,
        mark: Mark,
        seq: Seq,
        notes: Vec<String>,
    },
    Ran {
        block: PartId,
        ran: Ran,
        reply: Option<oneshot::Sender<Answer>>,
        solving: bool,
    },
    Judged {
        step: usize,
        question: usize,
        right: Result<Vec<Right>, String>,
        text: String,
        reply: oneshot::Sender<Answer>,
    },
    Restored {
        step: usize,
        outcome: Result<Undone, String>,
    },
    Sampled {
        need: Need,
        at: SystemTime,
        seen: Seen,
    },
    Asked {
        answered: Result<(), String>,
    },
    Stopped {
        names: Vec<String>,
        reply: oneshot::Sender<Answer>,
    },
    CleanedUp {
        keep: bool,
        reply: oneshot::Sender<Answer>,
    },
}

impl<'a> Engine<'a> {
    pub(super) fn new(wiring: Wiring<'a>, state: State, request: &SessionRequest) -> Self {
        let Wiring { course, ground, hands, home, handle } = wiring;
        let worked_before = Duration::from_millis(state.progress().worked_ms);
        let resumed = state.progress().steps.iter().any(|step| step.entered.is_some()).then(|| state.open());
        Self {
            course,
            ground,
            hands,
            home,
            handle,
            state,
            live: None,
            heard: Heard::default(),
            done: BTreeSet::new(),
            vars_shown: request.vars.shown.clone(),
            begun: BTreeMap::new(),
            resumed,
            work: FuturesUnordered::new(),
            solving: None,
            going_back: None,
            until_open: Vec::new(),
            stale: true,
            asking: false,
            silent: None,
            again: None,
            interrupt: request.interrupt.clone(),
            ending: None,
            handed_in: None,
            worked_before,
            since: Instant::now(),
        }
    }

    /// Until somebody quits; whether it is kept to be resumed.
    pub(super) async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Asked>) -> bool {
        self.ground.hide_secrets().await;
        self.input(Input::Started);
        let interrupt = self.interrupt.clone();
        let mut alive = tokio::time::interval(SIGN_OF_LIFE);
        alive.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut wakefulness = Wakefulness::begin();
        while self.ending.is_none() {
            self.catch_up();
            self.tell_open();
            self.sample();
            let until = self.next_look();
            let seen = self.live.as_ref().map_or_else(|| self.ground.witness.journal().end(), |live| live.seen);
            tokio::select! {
                request = asked.recv() => match request {
                    Some(Asked { request, reply }) => self.answer(request, reply),
                    None => break,
                },
                Some(worked) = self.work.next(), if !self.work.is_empty() => self.worked(worked),
                () = self.ground.witness.grown(seen), if self.live.is_some() => self.moved(),
                _ = alive.tick() => {
                    if let Some(missed) = wakefulness.missed() {
                        self.slept(missed);
                    }
                    self.ask_etcd();
                }
                () = tokio::time::sleep_until(until.unwrap_or_else(far)), if until.is_some() => self.time_is_up(),
                () = interrupt.cancelled() => break,
            }
        }
        self.save();
        self.ending.unwrap_or(true)
    }

    pub(super) fn input(&mut self, input: Input) {
        self.input_at(input, None);
    }

    /// Applies an input, and carries out what it leads to; its refusal, if it was refused.
    pub(super) fn input_at(&mut self, input: Input, view: Option<&JournalView>) -> Option<Refusal> {
        let mut refusal = None;
        let (state, effects) = self.state.clone().apply(Timestamp::now(), input);
        self.state = state;
        for effect in effects {
            match effect {
                Effect::Emit(fact) => {
                    if fact == Fact::Finished {
                        self.hand_in_at_the_end();
                    }
                    self.emit(&fact);
                }
                Effect::Refuse(why) => refusal = Some(why),
                Effect::Open { step, stretch } => self.open(step, stretch, view),
                Effect::Solve { .. } => {}
                Effect::Restore { step } => self.go_back(step),
                Effect::Save => self.save(),
                Effect::Finish => self.live = None,
            }
        }
        refusal
    }

    /// What the session's own work came to.
    pub(super) fn worked(&mut self, worked: Worked) {
        match worked {
            Worked::Opened { step, stretch, mark, seq, notes } => {
                for message in notes {
                    self.handle.emit(SessionEvent::Noticed { message });
                }
                self.opened(step, stretch, mark, seq);
            }
            Worked::Ran { block, ran, reply, solving } => self.ran(block, ran, reply, solving),
            Worked::Judged { step, question, right, text, reply } => match right {
                Ok(rights) => {
                    let is_right = rights.iter().any(|right| super::questions::fits(right, &text));
                    self.judged_answer(step, question, is_right, None, reply);
                }
                Err(why) => {
                    let reason = format!("the answer cannot be checked now: {why}");
                    let hint = Some("it was not counted; try again when that is mended".to_owned());
                    drop(reply.send(Answer::Refused { reason, hint }));
                }
            },
            Worked::Restored { step, outcome } => self.restored(step, outcome),
            Worked::Sampled { need, at, seen } => {
                if let Some(live) = &mut self.live {
                    live.observed(&need, at, &seen);
                }
                self.observed();
            }
            Worked::Asked { answered } => {
                self.was_asked();
                self.lost(answered);
            }
            Worked::Stopped { names, reply } => {
                let answer = if names.is_empty() {
                    Answer::Refused { reason: "no such block runs in the background".to_owned(), hint: None }
                } else {
                    Answer::Done
                };
                drop(reply.send(answer));
            }
            Worked::CleanedUp { keep, reply } => {
                self.ending = Some(keep);
                drop(reply.send(Answer::Done));
            }
        }
    }

    /// How long the lab has been open, by a clock that nobody sets.
    pub(super) fn time_worked(&self) -> Duration {
        self.worked_before + self.since.elapsed()
    }

    pub(super) fn save(&mut self) {
        self.state.set_worked(self.time_worked());
        if let Err(error) = self.home.save(self.state.progress()) {
            let message = format!("the progress could not be written down: {error}");
            self.handle.emit(SessionEvent::Noticed { message });
        }
    }

    /// For a request that is refused by the state: its answer.
    pub(super) fn requested(&mut self, input: Input) -> Option<Answer> {
        self.input_at(input, None).map(|refusal| super::ask::refused(&refusal, &self.state, self.cluster_lost()))
    }

    fn emit(&mut self, fact: &Fact) {
        if let Some(event) = self.event(fact) {
            self.handle.emit(event);
        }
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
