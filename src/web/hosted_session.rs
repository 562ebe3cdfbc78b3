//! One session with its pages: what stage it is at, what has happened in it, and its terminals.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::answer::{Answered, Failure};
use super::course::{Library, Refusal, Stages, Started, Wanted};
use super::feed::Feed;
use super::terminals::Terminals;
use crate::lab::Lab;
use crate::session::{Answer, Handle, Request, SessionEvent, View, Watched};
use crate::shell::label;
use owned_processes::Guard;

/// Commands and turns that the time line shows.
const NOTED: usize = 2000;
/// A session's end clears much away.
const END: Duration = Duration::from_secs(60);

pub(super) struct HostedSession {
    pub(super) id: String,
    pub(super) feed: Arc<Feed>,
    pub(super) terminals: Terminals,
    stage: watch::Sender<Stage>,
    noted: Mutex<Noted>,
    lookers: AtomicUsize,
    left_at: Mutex<Instant>,
    ending: AtomicBool,
    interrupt: CancellationToken,
}

#[derive(Clone)]
pub(super) enum Stage {
    Starting { stage: String, since: Instant },
    Failed(Refusal),
    Live(Arc<Live>),
    Ended { kept: bool, left: Vec<String> },
}

/// A session that goes on.
pub(super) struct Live {
    pub(super) lab: Arc<Lab>,
    pub(super) handle: Handle,
    pub(super) watched: Watched,
    pub(super) guard: Guard,
    pub(super) began: Timestamp,
    /// What the learner should know of its beginning.
    pub(super) notes: Vec<String>,
    pub(super) resumed: bool,
}

/// For the time line.
#[derive(Default)]
pub(super) struct Noted {
    pub(super) commands: VecDeque<Value>,
    pub(super) marks: VecDeque<Value>,
}

/// A page that looks on; dropped, it has gone.
pub(super) struct Looking(Arc<HostedSession>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.lookers.fetch_sub(1, Ordering::Relaxed);
        *self.0.left_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Live {
    /// What a session answers; a refusal where it has ended meanwhile.
    pub(super) async fn ask(&self, request: Request) -> Answered<Answer> {
        self.handle.request(request).await.map_err(|_| Failure::gone())
    }

    pub(super) async fn view(&self) -> Answered<View> {
        match self.ask(Request::Show).await? {
            Answer::View { view } => Ok(*view),
            other => Err(Failure::wrong(format!("the session answers otherwise than expected: {other:?}"))),
        }
    }
}

impl HostedSession {
    pub(super) fn new(id: String, program: std::path::PathBuf, interrupt: CancellationToken) -> Arc<Self> {
        let starting = Stage::Starting { stage: "reading the lab".to_owned(), since: Instant::now() };
        Arc::new(Self {
            id,
            feed: Arc::new(Feed::new()),
            terminals: Terminals::new(program),
            stage: watch::channel(starting).0,
            noted: Mutex::default(),
            lookers: AtomicUsize::new(0),
            left_at: Mutex::new(Instant::now()),
            ending: AtomicBool::new(false),
            interrupt,
        })
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    pub(super) fn live(&self) -> Answered<Arc<Live>> {
        match self.stage() {
            Stage::Live(live) => Ok(live),
            Stage::Starting { .. } => {
                Err(Failure::new(http::StatusCode::SERVICE_UNAVAILABLE, "the session is still being started"))
            }
            Stage::Failed(refusal) => Err(refusal.into()),
            Stage::Ended { .. } => Err(Failure::gone()),
        }
    }

    /// It is of no use any more: a new one may take its place.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage(), Stage::Failed(_) | Stage::Ended { .. })
    }

    /// Whoever opens the lab from now on waits for a session of their own.
    pub(super) fn is_to_end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// On its way to its end.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed) && !self.is_over()
    }

    pub(super) fn look(self: &Arc<Self>) -> Looking {
        self.lookers.fetch_add(1, Ordering::Relaxed);
        Looking(Arc::clone(self))
    }

    /// How long nobody has looked on. While it is being started, nobody can.
    pub(super) fn idle(&self) -> Duration {
        if self.lookers.load(Ordering::Relaxed) > 0 || matches!(self.stage(), Stage::Starting { .. }) {
            return Duration::ZERO;
        }
        self.left_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    pub(super) fn noted<T>(&self, read: impl FnOnce(&Noted) -> T) -> T {
        read(&self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins the session, and follows it to its end.
    pub(super) async fn run(self: Arc<Self>, library: Arc<dyn Library>, wanted: Wanted) {
        let hosted = Arc::downgrade(&self);
        let since = Instant::now();
        let stages: Stages = Arc::new(move |stage: &str| {
            let Some(hosted) = hosted.upgrade() else { return };
            let seconds = since.elapsed().as_secs();
            hosted.feed.publish(&json!({"event": "starting", "stage": stage, "seconds": seconds}));
            hosted.stage.send_modify(|now| {
                if let Stage::Starting { stage: now, .. } = now {
                    stage.clone_into(now);
                }
            });
        });
        let Started { lab, session, guard } = match library.start(wanted, stages).await {
            Ok(started) => started,
            Err(refusal) => {
                let failed = json!({"event": "failed", "reason": refusal.reason, "hint": refusal.hint});
                self.stage.send_replace(Stage::Failed(refusal));
                return self.feed.publish(&failed);
            }
        };
        let mut events = session.handle.subscribe();
        let live = Live {
            lab,
            handle: session.handle.clone(),
            watched: session.watched.clone(),
            guard,
            began: Timestamp::now(),
            notes: session.notes.clone(),
            resumed: session.resumed,
        };
        let live = Arc::new(live);
        *self.left_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.stage.send_replace(Stage::Live(Arc::clone(&live)));
        self.feed.publish(&json!({"event": "ready"}));
        let mut kept = true;
        let left = {
            let mut ended = std::pin::pin!(session.ended());
            loop {
                tokio::select! {
                    event = events.next() => match event {
                        Some(SessionEvent::Ended { kept: so }) => {
                            kept = so;
                            break ended.await;
                        }
                        Some(event) => {
                            self.hear(&event);
                            let is_another_step =
                                matches!(event, SessionEvent::StepOpened { .. } | SessionEvent::StepShown { .. });
                            if is_another_step && let Ok(view) = live.view().await {
                                self.terminals.label(&label(&view));
                            }
                        }
                        None => break ended.await,
                    },
                    left = &mut ended => break left,
                }
            }
        };
        for line in &left {
            tracing::warn!(session = self.id, "could not be cleaned up: {line}");
        }
        self.terminals.forget();
        self.stage.send_replace(Stage::Ended { kept, left });
        // Last of all: who hears it finds a session that has ended.
        self.feed.publish(&json!({"event": "ended", "kept": kept}));
    }

    fn hear(&self, event: &SessionEvent) {
        let now = Timestamp::now();
        let note = |list: &mut VecDeque<Value>, value: Value| {
            list.push_back(value);
            if list.len() > NOTED {
                list.pop_front();
            }
        };
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            SessionEvent::CommandBegan { terminal, text, began } => {
                note(&mut noted.commands, json!({"terminal": terminal, "text": text, "began": began}));
            }
            SessionEvent::CommandFinished { terminal, text, status, began, ended } => {
                let command =
                    json!({"terminal": terminal, "text": text, "status": status, "began": began, "ended": ended});
                let is_it = |known: &&mut Value| known["terminal"] == **terminal && known["began"] == command["began"];
                match noted.commands.iter_mut().rev().find(is_it) {
                    Some(known) => *known = command,
                    None => note(&mut noted.commands, command),
                }
            }
            SessionEvent::TerminalLeft { terminal, at } => {
                let still_runs = |known: &&mut Value| known["terminal"] == **terminal && known["ended"].is_null();
                for known in noted.commands.iter_mut().filter(still_runs) {
                    // With which status, nobody knows.
                    known["ended"] = json!(at);
                }
            }
            SessionEvent::CheckTurned { step, check, now: standing, .. } => {
                let mark = json!({
                    "step": step, "check": check.number, "standing": standing, "at": now, "revision": check.revision,
                });
                note(&mut noted.marks, mark);
            }
            _ => {}
        }
        drop(noted);
        let mut heard = json!(event);
        heard["at"] = json!(now);
        self.feed.publish(&heard);
    }

    /// Leaves the session, to be resumed; what could not be cleaned up.
    pub(super) async fn leave(&self) -> Vec<String> {
        self.is_to_end();
        self.interrupt.cancel();
        self.ended().await
    }

    /// Waits for its end; what could not be cleaned up.
    pub(super) async fn ended(&self) -> Vec<String> {
        let mut stage = self.stage.subscribe();
        let over = stage.wait_for(|stage| matches!(stage, Stage::Failed(_) | Stage::Ended { .. }));
        match tokio::time::timeout(END, over).await {
            Ok(Ok(stage)) => match &*stage {
                Stage::Ended { left, .. } => left.clone(),
                _ => Vec::new(),
            },
            _ => vec![format!("the session of {} has not ended within {} s", self.id, END.as_secs())],
        }
    }
}
