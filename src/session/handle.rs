use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot};

use super::api::{Answer, Request};
use super::event::SessionEvent;

/// Events that a slow hearer may be behind.
pub(super) const BEHIND: usize = 1024;

/// The session has ended: nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session has ended")]
pub struct SessionGone;

/// A way to a session in this process; clones are the same session.
#[derive(Clone)]
pub struct Handle {
    asks: mpsc::UnboundedSender<Asked>,
    events: broadcast::Sender<SessionEvent>,
    door: Arc<PathBuf>,
}

/// A request on its way, and where its answer goes.
pub struct Asked {
    pub request: Request,
    pub reply: oneshot::Sender<Answer>,
}

/// What happens, from the subscription on.
pub struct Events {
    from: broadcast::Receiver<SessionEvent>,
}

impl Handle {
    pub fn new(door: PathBuf) -> (Self, mpsc::UnboundedReceiver<Asked>) {
        let (asks, asked) = mpsc::unbounded_channel();
        let (events, _) = broadcast::channel(BEHIND);
        (Self { asks, events, door: Arc::new(door) }, asked)
    }

    pub async fn request(&self, request: Request) -> Result<Answer, SessionGone> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Asked { request, reply }).map_err(|_| SessionGone)?;
        answer.await.map_err(|_| SessionGone)
    }

    /// Asks without waiting for the answer; what is asked so is done in its order.
    pub fn notify(&self, request: Request) {
        // A session that has ended takes nothing more.
        drop(self.asks.send(Asked { request, reply: oneshot::channel().0 }));
    }

    pub fn subscribe(&self) -> Events {
        Events { from: self.events.subscribe() }
    }

    /// The socket by which other processes do the same.
    pub fn door(&self) -> &Path {
        &self.door
    }

    pub fn emit(&self, event: SessionEvent) {
        // Nobody may listen.
        let _ = self.events.send(event);
    }
}

impl Events {
    /// `None` once the session has ended and all has come.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        match self.from.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(SessionEvent::Missed { count }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
