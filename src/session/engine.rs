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

use super::api::{Answer, Request};
use super::folder::Home;
use super::handle::{Asked, Handle};
use super::live::{Live, Sampled, Turn};
use super::outline::Course;
use super::printed::Heard;
use super::start::SessionRequest;
use super::tell::SessionEvent;
use crate::grade::{Need, Seen};
use crate::journal::{Clock, JournalView, Mark, Seq};
use crate::lab::ClusterKind;
use crate::learn::{Effect, Fact, Input, Place, Refusal, Standing, State};
use crate::run::{Ground, Hands, Ran, Right, Undone};

/// Between two questions to an etcd of which nothing is awaited.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// Of what came since the last look, at most about this many states are looked at one by one.
const LOOKS_AT_ONCE: u64 = 16;
/// Between two looks at what runs in the background, where a check waits for it.
const OUTPUT_EVERY: Duration = Duration::from_millis(50);
/// A clock that has run out may need a last answer of etcd's; never spin while it comes.
const LEAST_PAUSE: Duration = Duration::from_millis(10);
/// The same, where it did not answer the last time.
const SILENT_PAUSE: Duration = Duration::from_millis(500);

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
    /// Blocks that were run or typed, by where their fences begin.
    pub(super) done: BTreeSet<usize>,
    /// What a learner should know of their variables.
    pub(super) vars_shown: Vec<(String, String)>,
    /// Where the journal stood when a step was opened by this process.
    pub(super) begun: BTreeMap<usize, Seq>,
    /// A step that is resumed: what was kept at its beginning is not kept again.
    resumed: Option<usize>,
    pub(super) work: FuturesUnordered<BoxFuture<'a, Worked>>,
    /// Who waits for the step to be solved.
    pub(super) solving: Option<oneshot::Sender<Answer>>,
    /// Who waits for the cluster to be back where it was.
    pub(super) going_back: Option<oneshot::Sender<Answer>>,
    /// Something is to be looked at again, although the journal has not grown.
    stale: bool,
    /// etcd was asked and has not answered yet.
    asking: bool,
    /// It did not answer the last time.
    silent: bool,
    again: Option<SystemTime>,
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
        offset: usize,
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
            stale: true,
            asking: false,
            silent: false,
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
        while self.ending.is_none() {
            self.catch_up();
            self.sample();
            let until = self.next_look();
            let seen = self.live.as_ref().map_or_else(|| self.ground.witness.journal().end(), |live| live.seen);
            tokio::select! {
                request = asked.recv() => match request {
                    Some(Asked { request, reply }) => self.ask(request, reply),
                    None => break,
                },
                Some(worked) = self.work.next(), if !self.work.is_empty() => self.worked(worked),
                () = self.ground.witness.grown(seen), if self.live.is_some() => self.moved(),
                _ = alive.tick() => self.ask_etcd(),
                () = tokio::time::sleep_until(until.unwrap_or_else(far)), if until.is_some() => self.time_is_up(),
                () = interrupt.cancelled() => break,
            }
        }
        self.save();
        self.ending.unwrap_or(true)
    }

    /// Takes in the journal entry by entry: two stretches may have been done between two looks. Of thousands of writes at
    /// once every few are taken in together, so that the learner's requests are answered meanwhile; what happened is
    /// still seen, but a state that came and went within so few of them is not.
    fn catch_up(&mut self) {
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
    fn next_look(&self) -> Option<Instant> {
        let least = if self.silent { SILENT_PAUSE } else { LEAST_PAUSE };
        let clock = self
            .again
            .filter(|_| !self.asking)
            .map(|again| Instant::now() + again.duration_since(Clock::now()).unwrap_or_default().max(least));
        let samples = self.live.iter().flat_map(|live| &live.samples).filter(|sampled| !sampled.in_flight);
        let sample = samples.map(Sampled::due).min();
        let output = self.awaits_background().then(|| Instant::now() + OUTPUT_EVERY);
        [clock, sample, output].into_iter().flatten().min()
    }

    fn time_is_up(&mut self) {
        if self.again.is_some_and(|again| again <= Clock::now()) {
            self.ask_etcd();
        }
    }

    /// Asks etcd for the proof that nothing is missing, and whether it lives.
    fn ask_etcd(&mut self) {
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

    fn sample(&mut self) {
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

    fn turn(&mut self, turns: Vec<Turn>, view: &JournalView) {
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

    /// What runs in the background has printed more.
    fn background_output(&mut self, view: &JournalView) {
        if !self.awaits_output() {
            return;
        }
        let running = self.hands.try_lock().map(|hands| hands.running()).unwrap_or_default();
        for (offset, name, printed) in running {
            let candidate = super::printed::Candidate { printed, exit: None, own: true, by: name };
            self.printed(&[candidate], Some(offset), view);
        }
    }

    pub(super) fn awaits_output(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.outputs().next().is_some())
    }

    fn awaits_background(&self) -> bool {
        self.awaits_output() && self.hands.try_lock().is_ok_and(|hands| !hands.running().is_empty())
    }

    /// Hands what was printed to the checks that wait for it: to those of its block as its own.
    pub(super) fn printed(
        &mut self,
        candidates: &[super::printed::Candidate],
        block: Option<usize>,
        view: &JournalView,
    ) {
        let waiting: Vec<_> = self.live.iter().flat_map(Live::outputs).collect();
        for (place, placed) in waiting {
            let about = self.block_of(placed);
            for candidate in candidates {
                let own = candidate.own && (block.is_none() || block == about);
                let candidate = super::printed::Candidate { own, ..candidate.clone() };
                let turn = self.live.as_mut().and_then(|live| live.printed(place, &candidate, view));
                self.turn(turn.into_iter().collect(), view);
            }
        }
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
                Effect::Tell(fact) => {
                    if fact == Fact::Finished {
                        self.hand_in_at_the_end();
                    }
                    self.tell(&fact);
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

    /// How long the lab has been open, by a clock that nobody sets.
    pub(super) fn time_worked(&self) -> Duration {
        self.worked_before + self.since.elapsed()
    }

    pub(super) fn save(&mut self) {
        self.state.set_worked(self.time_worked());
        if let Err(error) = self.home.save(self.state.progress()) {
            let message = format!("the progress could not be written down: {error}");
            self.handle.tell(SessionEvent::Noticed { message });
        }
    }

    /// Opens a stretch: at once where it goes on from what was just witnessed, else after its set-up.
    fn open(&mut self, step: usize, stretch: usize, view: Option<&JournalView>) {
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
            let seq = ground.witness.journal().end();
            if keeps && let Err(error) = ground.save(&home.checkpoint(step)).await {
                notes.push(format!("this step cannot be reset: its beginning could not be kept: {error}"));
            }
            if keeps_work {
                let (work, copy) = (ground.work().to_owned(), home.work_at(step));
                let kept = tokio::task::spawn_blocking(move || super::work::keep(&work, &copy)).await;
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
            let mark = ground.witness.mark().await;
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

    /// Only what is printed after a stretch's mark counts for it: whoever ran its block before is told at once.
    fn name_blocks_run_too_early(&mut self) {
        let about: Vec<_> =
            self.live.iter().flat_map(Live::outputs).filter_map(|(_, placed)| self.block_of(placed)).collect();
        for block in about.into_iter().filter_map(|offset| self.course.block(offset)) {
            if self.heard.was_too_early(block.action.span.start) {
                let message = format!(
                    "You ran the block `{0}` before the checks above it held. What it prints counts from now on: run it \
                     again, or type `lab run {0}`.",
                    block.id
                );
                self.handle.tell(SessionEvent::Noticed { message });
            }
        }
    }

    pub(super) fn lost(&mut self, answered: Result<(), String>) {
        let was_silent = std::mem::replace(&mut self.silent, answered.is_err());
        if !self.ground.store_must_answer() {
            return;
        }
        match (answered, was_silent) {
            (Err(reason), false) => self.handle.tell(SessionEvent::ClusterLost { reason }),
            (Ok(()), true) => self.handle.tell(SessionEvent::ClusterBack),
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

    /// Whatever is sampled may be otherwise now.
    pub(super) fn moved(&mut self) {
        for sampled in self.live.iter_mut().flat_map(|live| &mut live.samples) {
            sampled.moved = true;
        }
    }

    /// What was sampled is to be judged.
    pub(super) fn observed(&mut self) {
        self.stale = true;
    }

    /// For a request that is refused by the state: its answer.
    pub(super) fn requested(&mut self, input: Input) -> Option<Answer> {
        self.input_at(input, None).map(|refusal| super::ask::refused(&refusal, &self.state))
    }

    fn tell(&mut self, fact: &Fact) {
        if let Some(event) = self.event(fact) {
            self.handle.tell(event);
        }
    }

    pub(super) fn ask(&mut self, request: Request, reply: oneshot::Sender<Answer>) {
        self.answer(request, reply);
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
