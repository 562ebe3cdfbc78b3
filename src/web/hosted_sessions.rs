//! The sessions of this server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::answer::{Answered, Failure};
use super::course::{Library, Wanted};
use super::hosted_session::HostedSession;

/// Sessions at once: each has an etcd of its own.
const MOST: usize = 64;
/// What is over is forgotten after so long.
const FORGOTTEN: Duration = Duration::from_secs(600);

pub(super) struct HostedSessions {
    open: Mutex<BTreeMap<String, Arc<HostedSession>>>,
    pub(super) library: Arc<dyn Library>,
    program: PathBuf,
    idle: Duration,
    pub(super) cancel: CancellationToken,
}

impl HostedSessions {
    pub(super) fn new(library: Arc<dyn Library>, program: PathBuf, idle: Duration, cancel: CancellationToken) -> Self {
        Self { open: Mutex::default(), library, program, idle, cancel }
    }

    /// The session of a lab: the one that goes on, or a new one, once the last has ended.
    pub(super) async fn open(
        &self,
        lab: &str,
        vars: BTreeMap<String, String>,
        fresh: bool,
    ) -> Answered<Arc<HostedSession>> {
        let ending = self.get(lab).ok().filter(|session| session.is_ending());
        if let Some(session) = ending {
            session.ended().await;
        }
        let mut sessions = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(lab).filter(|session| !session.is_over()) {
            return Ok(Arc::clone(session));
        }
        if self.cancel.is_cancelled() || sessions.values().filter(|session| !session.is_over()).count() >= MOST {
            return Err(Failure::new(
                http::StatusCode::SERVICE_UNAVAILABLE,
                format!("{MOST} sessions are open already: leave one first"),
            ));
        }
        let interrupt = self.cancel.child_token();
        let session = HostedSession::new(lab.to_owned(), self.program.clone(), interrupt.clone());
        sessions.insert(lab.to_owned(), Arc::clone(&session));
        let wanted = Wanted { lab: lab.to_owned(), vars, fresh, interrupt };
        tokio::spawn(Arc::clone(&session).run(Arc::clone(&self.library), wanted));
        Ok(session)
    }

    pub(super) fn get(&self, id: &str) -> Answered<Arc<HostedSession>> {
        let sessions = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(id).cloned().ok_or_else(|| Failure::missing("session"))
    }

    pub(super) fn running(&self) -> Vec<String> {
        let sessions = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.values().filter(|session| !session.is_over()).map(|session| session.id.clone()).collect()
    }

    fn all(&self) -> Vec<Arc<HostedSession>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How often to look for sessions that nobody looks at.
    pub(super) fn look_every(&self) -> Duration {
        (self.idle / 4).clamp(Duration::from_millis(100), Duration::from_secs(10))
    }

    /// Leaves those that nobody has looked at for long, and forgets what is over.
    pub(super) async fn leave_idle(&self) {
        let idle = self.all().into_iter().filter(|session| !session.is_over() && session.idle() > self.idle);
        join_all(idle.map(|session| async move {
            tracing::info!(session = session.id, "closed: no page has used it for a while");
            drop(session.leave().await);
        }))
        .await;
        let mut sessions = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| !(session.is_over() && session.idle() > FORGOTTEN));
    }

    /// Leaves all of them; what could not be cleaned up.
    pub(super) async fn leave_all(&self) -> Vec<String> {
        let sessions = self.all();
        let left = join_all(sessions.iter().filter(|session| !session.is_over()).map(|session| session.leave())).await;
        left.into_iter().flatten().collect()
    }
}
