//! The sessions of this server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::answer::{Answered, Failure};
use super::course::{Library, Wanted};
use super::room::Room;

/// Sessions at once: each has an etcd of its own.
const MOST: usize = 64;
/// What is over is forgotten after so long.
const FORGOTTEN: Duration = Duration::from_secs(600);

pub(super) struct Rooms {
    rooms: Mutex<BTreeMap<String, Arc<Room>>>,
    pub(super) library: Arc<dyn Library>,
    program: PathBuf,
    idle: Duration,
    pub(super) cancel: CancellationToken,
}

impl Rooms {
    pub(super) fn new(library: Arc<dyn Library>, program: PathBuf, idle: Duration, cancel: CancellationToken) -> Self {
        Self { rooms: Mutex::default(), library, program, idle, cancel }
    }

    /// The session of a lab: the one that goes on, or a new one, once the last has ended.
    pub(super) async fn open(&self, lab: &str, vars: BTreeMap<String, String>, fresh: bool) -> Answered<Arc<Room>> {
        let ending = self.get(lab).ok().filter(|room| room.is_ending());
        if let Some(room) = ending {
            room.ended().await;
        }
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get(lab).filter(|room| !room.is_over()) {
            return Ok(Arc::clone(room));
        }
        if self.cancel.is_cancelled() || rooms.values().filter(|room| !room.is_over()).count() >= MOST {
            return Err(Failure::new(
                http::StatusCode::SERVICE_UNAVAILABLE,
                format!("{MOST} sessions are open already: leave one first"),
            ));
        }
        let interrupt = self.cancel.child_token();
        let room = Room::new(lab.to_owned(), self.program.clone(), interrupt.clone());
        rooms.insert(lab.to_owned(), Arc::clone(&room));
        let wanted = Wanted { lab: lab.to_owned(), vars, fresh, interrupt };
        tokio::spawn(Arc::clone(&room).run(Arc::clone(&self.library), wanted));
        Ok(room)
    }

    pub(super) fn get(&self, id: &str) -> Answered<Arc<Room>> {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.get(id).cloned().ok_or_else(|| Failure::missing("session"))
    }

    pub(super) fn running(&self) -> Vec<String> {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.values().filter(|room| !room.is_over()).map(|room| room.id.clone()).collect()
    }

    fn all(&self) -> Vec<Arc<Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How often to look for sessions that nobody looks at.
    pub(super) fn look_every(&self) -> Duration {
        (self.idle / 4).clamp(Duration::from_millis(100), Duration::from_secs(10))
    }

    /// Leaves those that nobody has looked at for long, and forgets what is over.
    pub(super) async fn leave_idle(&self) {
        let idle = self.all().into_iter().filter(|room| !room.is_over() && room.idle() > self.idle);
        join_all(idle.map(|room| async move {
            tracing::info!(session = room.id, "closed: no page has used it for a while");
            drop(room.leave().await);
        }))
        .await;
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|_, room| !(room.is_over() && room.idle() > FORGOTTEN));
    }

    /// Leaves all of them; what could not be cleaned up.
    pub(super) async fn leave_all(&self) -> Vec<String> {
        let rooms = self.all();
        let left = join_all(rooms.iter().filter(|room| !room.is_over()).map(|room| room.leave())).await;
        left.into_iter().flatten().collect()
    }
}
