//! A face's connection to its session: requests and events, beside whatever else the face does.

use std::io;
use std::path::Path;

use tokio::sync::{mpsc, oneshot};

use crate::session::door::{Caller, Said};
use crate::session::{Answer, Request, SessionEvent};

pub(super) struct Link {
    asks: mpsc::UnboundedSender<(Request, oneshot::Sender<Answer>)>,
    pub(super) events: mpsc::UnboundedReceiver<SessionEvent>,
}

/// An answer on its way.
pub(super) type Reply = oneshot::Receiver<Answer>;

impl Link {
    /// The door's callers block: each has a thread of its own, which ends with the session or with this.
    pub(super) fn connect(door: &Path) -> io::Result<Self> {
        let mut asking = Caller::connect(door)?;
        let mut hearing = Caller::connect(door)?;
        hearing.subscribe()?;
        let (asks, mut asked) = mpsc::unbounded_channel::<(Request, oneshot::Sender<Answer>)>();
        std::thread::spawn(move || {
            while let Some((request, reply)) = asked.blocking_recv() {
                // Without a session the reply is dropped, which says so.
                let Ok(answer) = asking.ask(request) else { return };
                drop(reply.send(answer));
            }
        });
        let (tell, events) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            while let Ok(said) = hearing.hear() {
                if let Said::Event { event } = said
                    && tell.send(event).is_err()
                {
                    return;
                }
            }
        });
        Ok(Self { asks, events })
    }

    pub(super) fn ask(&self, request: Request) -> Reply {
        let (reply, answer) = oneshot::channel();
        drop(self.asks.send((request, reply)));
        answer
    }
}
