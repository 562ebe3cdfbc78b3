//! A session from nothing to its first question to the learner.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::door;
use super::engine::{Engine, Wiring};
use super::event::SessionEvent;
use super::folder::{Found, Home, Left, digest};
use super::handle::{Asked, Handle};
use super::outline::Course;
use super::watched::Watched;
use crate::cluster::{Provider, StageSink};
use crate::lab::{ClusterKind, Lab, Role};
use crate::learn::{Progress, SCHEMA, State};
use crate::outcome::{RunEvent, Verdict};
use crate::run::{Emitter, EventSink, Ground, GroundRequest, Hands, Mode, Plan, Stopped, Vars};
use crate::text::keep_secret;
use owned_processes::Guard;

/// A lab that somebody wants to learn by.
pub struct SessionRequest {
    pub lab: Arc<Lab>,
    pub kind: ClusterKind,
    pub seed: u64,
    pub vars: Vars,
    pub provider: Box<dyn Provider>,
    /// The session's own: it ends with it.
    pub guard: Guard,
    /// Where progress is kept: [`state_folder`](owned_processes::state_folder), but for tests.
    pub state: PathBuf,
    /// The learner's name, for what is handed in.
    pub learner: Option<String>,
    /// Begins again although it could be resumed.
    pub fresh: bool,
    pub interrupt: CancellationToken,
}

/// A session under way.
pub struct Session {
    pub handle: Handle,
    /// What etcd's watch delivers.
    pub watched: Watched,
    /// It was resumed where it had been left.
    pub resumed: bool,
    /// What a learner should know of its beginning.
    pub notes: Vec<String>,
    ended: tokio::task::JoinHandle<Vec<String>>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum StartError {
    #[error("a session of this lab goes on already{}", found.as_ref().map(|found| format!(" (process {})", found.process)).unwrap_or_default())]
    Running { found: Option<Found> },
    #[error("{}", stopped.reason)]
    Stopped { stopped: Stopped },
    #[error("it does not take place here: {0}")]
    NotHere(String),
    #[error("its progress cannot be kept: {0}")]
    Folder(String),
}

impl Session {
    /// Waits for its end; what could not be cleaned up, for a person.
    pub async fn ended(self) -> Vec<String> {
        self.ended.await.unwrap_or_else(|error| vec![format!("the session broke off: {error}")])
    }
}

/// Brings up the cluster, or resumes what was left of it, and begins.
pub async fn start(request: SessionRequest, stages: &dyn StageSink) -> Result<Session, StartError> {
    let folder = |error: std::io::Error| StartError::Folder(error.to_string());
    let lab = Arc::clone(&request.lab);
    let plan = Plan::new(&lab, request.kind, Mode::Learn).map_err(|skip| StartError::NotHere(skip.0))?;
    let Some(home) = Home::take(&request.state, &lab).map_err(folder)? else {
        return Err(StartError::Running { found: Home::holder(&request.state, &lab) });
    };
    keep_secret(&request.vars.secrets);
    let mut notes = Vec::new();
    let kept = kept(&request, &mut notes);
    let is_lasting = request.kind == ClusterKind::Sandbox;
    if kept.is_none() {
        home.clear().map_err(folder)?;
    }
    let lasting = home.lasting().map_err(folder)?;
    let lasting = crate::run::Lasting {
        // Only the sandbox's own files may meet those of another time.
        cluster: if is_lasting { lasting.cluster } else { request.guard.folder("cluster").map_err(folder)? },
        work: lasting.work,
    };
    let wanted = GroundRequest {
        lab: &lab,
        kind: request.kind,
        vars: &request.vars,
        provider: request.provider.as_ref(),
        guard: request.guard.clone(),
        keep: false,
        lasting: Some(lasting),
        since: kept.as_ref().and_then(|kept| kept.mark),
        interrupt: request.interrupt.clone(),
    };
    let ground = Box::pin(Ground::raise(&wanted, stages)).await.map_err(|stopped| StartError::Stopped { stopped })?;
    let socket = request.guard.dir().join("door");
    let listener = door::open(&socket).map_err(folder)?;
    let (handle, asked) = Handle::new(socket.clone());
    let found = Found {
        lab: lab.id.clone(),
        title: lab.title.clone(),
        file: std::path::absolute(lab.source.path()).unwrap_or_default().display().to_string(),
        process: std::process::id(),
        door: socket,
    };
    home.announce(&found).map_err(folder)?;
    let resumed = kept.is_some();
    let watched = Watched::of(&ground);
    let begun = Begun { request, plan, home, ground, handle: handle.clone(), kept };
    let serving = tokio::spawn(door::serve(listener, handle.clone()));
    let ended = tokio::spawn(async move {
        let left = Box::pin(begun.run(asked)).await;
        // Those who wait for an answer get one before the door is shut.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        serving.abort();
        left
    });
    Ok(Session { handle, watched, resumed, notes, ended })
}

/// The progress to go on from, if any.
fn kept(request: &SessionRequest, notes: &mut Vec<String>) -> Option<Progress> {
    let SessionRequest { lab, kind, fresh, state, .. } = request;
    let (kind, fresh) = (*kind, *fresh);
    let mut begins_again = |why: &str| notes.push(format!("{why}: the lab begins again"));
    match Left::of(state, lab) {
        Left::Nothing | Left::Ended(_) => None,
        Left::Unreadable(why) => {
            begins_again(&format!("the progress cannot be read ({why})"));
            None
        }
        Left::Progress(_) | Left::OtherText(_) if fresh => None,
        Left::OtherText(_) => {
            begins_again("the lab's text has changed since");
            None
        }
        Left::Progress(progress) if progress.cluster != kind.name() => {
            begins_again(&format!("it was begun on another cluster (--on {})", progress.cluster));
            None
        }
        Left::Progress(progress) if matches!(kind, ClusterKind::Sandbox | ClusterKind::Attach) => Some(*progress),
        Left::Progress(_) => {
            begins_again("its cluster is gone");
            None
        }
    }
}

struct Begun {
    request: SessionRequest,
    plan: Plan,
    home: Home,
    ground: Ground,
    handle: Handle,
    kept: Option<Progress>,
}

impl Begun {
    async fn run(self, asked: mpsc::UnboundedReceiver<Asked>) -> Vec<String> {
        let Self { request, plan, home, ground, handle, kept } = self;
        let lab = request.lab.as_ref();
        let course = Course::new(lab, &plan);
        let outline = course.outline();
        let now = Timestamp::now();
        let anew = || Progress {
            schema: SCHEMA,
            lab: lab.id.clone(),
            title: lab.title.clone(),
            file: outline.file.clone(),
            digest: digest(lab),
            seed: request.seed.to_string(),
            cluster: request.kind.name().to_owned(),
            vars: shown_vars(&request.vars),
            started: now,
            updated: now,
            open: 0,
            stretch: 0,
            mark: None,
            going_back: None,
            finished: None,
            learner: None,
            worked_ms: 0,
            points: 0,
            max_points: 0,
            steps: Vec::new(),
        };
        let state = kept.and_then(|kept| State::resumed(outline.clone(), kept));
        let mut state = state.unwrap_or_else(|| State::new(outline.clone(), anew()));
        if let Some(learner) = &request.learner {
            state.set_learner(learner.clone());
        }
        let kept = {
            let sink = Sink { handle: handle.clone() };
            let emitter = Emitter::new(&sink, 0, Mode::Learn);
            let hands = tokio::sync::Mutex::new(Hands::new(&ground, lab, &plan, &emitter));
            let wiring = Wiring { course: &course, ground: &ground, hands: &hands, home: &home, handle: &handle };
            let engine = Engine::new(wiring, state, &request);
            Box::pin(engine.run(asked)).await
        };
        home.leave();
        let mut left = Vec::new();
        if let Err(error) = ground.close(false).await {
            left.push(error.to_string());
        }
        if !kept && let Err(error) = home.clear() {
            left.push(error.to_string());
        }
        left.extend(request.guard.end().await);
        handle.emit(SessionEvent::Ended { kept });
        left
    }
}

/// Without those that must not be written.
fn shown_vars(vars: &Vars) -> BTreeMap<String, String> {
    let values = vars.values.iter().filter(|(_, value)| !vars.secrets.contains(value));
    values.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What the session's own terminals do, as faces hear of it.
struct Sink {
    handle: Handle,
}

impl EventSink for Sink {
    fn emit(&self, event: RunEvent) {
        match event {
            RunEvent::ActionStarted { line, role, text, .. } if role != Role::Setup => {
                self.handle.emit(SessionEvent::BlockStarted { line, role: role.name().to_owned(), text });
            }
            RunEvent::ActionFinished { action, .. }
                if action.role != Role::Setup || action.verdict != Verdict::Pass =>
            {
                self.handle.emit(SessionEvent::BlockFinished {
                    line: action.line,
                    name: action.name,
                    role: action.role.name().to_owned(),
                    verdict: action.verdict,
                    reason: action.reason,
                });
            }
            RunEvent::Noticed { message, .. } => self.handle.emit(SessionEvent::Noticed { message }),
            _ => {}
        }
    }
}
