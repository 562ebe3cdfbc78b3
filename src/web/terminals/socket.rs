//! A page's socket to one terminal: bytes both ways, and how far the page has shown them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::terminal::{Key, Now, Terminal, UNSHOWN, Viewer};
use super::{MAIN, title};
use crate::web::answer::{Answered, Failure};
use crate::web::gate::Access;
use crate::web::server;
use crate::web::sessions::Shared;

/// By when the first frame is there, which shows the secret.
const FIRST: Duration = Duration::from_secs(5);
/// Of the first frame: a secret and four numbers.
const LARGEST_FIRST: usize = 4 << 10;
/// Of a frame, a pasted text among them.
const LARGEST: usize = 64 << 10;
/// Output that is sent at once.
const PIECE: usize = 32 << 10;
/// A page that says nothing for so long, not even to our question, has gone.
const SILENT: Duration = Duration::from_secs(75);
const ASK_EVERY: Duration = Duration::from_secs(30);
/// No screen is larger.
const LARGEST_SCREEN: u16 = 1000;

#[derive(Deserialize)]
struct First {
    secret: String,
    rows: u16,
    cols: u16,
    /// Bytes that the page has been sent already.
    #[serde(default)]
    from: u64,
    #[serde(default)]
    read_only: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Ack(u64),
    Resize { rows: u16, cols: u16 },
}

pub(crate) async fn socket(
    State(state): Shared,
    Path((id, name)): Path<(String, String)>,
    upgrade: WebSocketUpgrade,
) -> Answered {
    let place = Arc::clone(&state.unknown).try_acquire_owned().map_err(|_| {
        Failure::new(http::StatusCode::SERVICE_UNAVAILABLE, "too many sockets wait for their first frame")
    })?;
    let upgrade = upgrade.max_message_size(LARGEST).max_frame_size(LARGEST).write_buffer_size(0);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        // Nothing is looked up, let alone started, before the secret was shown.
        let first = match timeout(FIRST, first(&mut socket, &state)).await {
            Ok(Ok(first)) => first,
            Ok(Err(why)) => return refuse(socket, &why).await,
            Err(_) => return refuse(socket, "the first frame did not come within 5 s").await,
        };
        drop(place);
        let (first, access) = first;
        match terminal(&state, &id, &name, &first, access).await {
            Ok(terminal) => {
                // A page that is hidden hears no events, and is there all the same.
                let _looking = state.hosted.get(&id).map(|hosted| hosted.look());
                let cancel = state.hosted.cancel.clone();
                let writes = access == Access::Full && !first.read_only;
                let page = Page { viewer: terminal.join(first.from), sent: first.from, writes };
                tokio::select! {
                    () = page.serve(socket, &first) => {}
                    () = cancel.cancelled() => {}
                }
            }
            Err(failure) => refuse(socket, failure.reason()).await,
        }
    }))
}

async fn first(socket: &mut WebSocket, state: &server::State) -> Result<(First, Access), String> {
    let text = match socket.recv().await {
        Some(Ok(Message::Text(text))) if text.len() <= LARGEST_FIRST => text,
        Some(Ok(Message::Text(_))) => return Err("the first frame is too large".to_owned()),
        Some(Ok(_)) => return Err("the first frame is not text".to_owned()),
        Some(Err(_)) | None => return Err("the first frame cannot be read".to_owned()),
    };
    let first: First = serde_json::from_str(&text).map_err(|_| "the first frame is not what it must be".to_owned())?;
    let access = state.gate.access(&first.secret).map_err(|denied| denied.reason().to_owned())?;
    Ok((first, access))
}

async fn terminal(
    state: &server::State,
    id: &str,
    name: &str,
    first: &First,
    access: Access,
) -> Answered<Arc<Terminal>> {
    let hosted = state.hosted.get(id)?;
    let live = hosted.live()?;
    match hosted.terminals.find(name) {
        Some(terminal) => Ok(terminal),
        // Who only looks on starts nothing.
        None if name == MAIN && access == Access::Full => {
            hosted.terminals.there(&hosted, &live, MAIN, size(first.rows, first.cols), title(MAIN)).await
        }
        None => Err(Failure::missing("terminal")),
    }
}

fn size(rows: u16, columns: u16) -> Option<(u16, u16)> {
    let fits = |count: u16| (1..=LARGEST_SCREEN).contains(&count);
    (fits(rows) && fits(columns)).then_some((rows, columns))
}

async fn refuse(mut socket: WebSocket, why: &str) {
    drop(socket.send(text(&json!({"error": why}))).await);
    let frame = CloseFrame { code: close_code::POLICY, reason: Utf8Bytes::from_static("refused") };
    drop(socket.send(Message::Close(Some(frame))).await);
}

fn text(value: &Value) -> Message {
    Message::Text(value.to_string().into())
}

struct Page {
    viewer: Viewer,
    /// Everything before this place was sent.
    sent: u64,
    writes: bool,
}

impl Page {
    async fn serve(mut self, mut socket: WebSocket, first: &First) {
        let terminal = Arc::clone(&self.viewer.terminal);
        let mut changes = terminal.now.subscribe();
        if self.writes
            && let Some((rows, columns)) = size(first.rows, first.cols)
            && (rows, columns) != {
                let now = *changes.borrow();
                (now.rows, now.columns)
            }
        {
            terminal.press(Key::Size(rows, columns)).await;
        }
        (self.sent, _) = terminal.since(self.sent, 0);
        let mut told: Now = *changes.borrow_and_update();
        let hello =
            json!({"at": self.sent, "end": told.end, "rows": told.rows, "cols": told.columns, "title": terminal.title});
        if socket.send(text(&hello)).await.is_err() {
            return;
        }
        let mut shown = self.sent;
        let mut heard = Instant::now();
        let mut ask = tokio::time::interval_at(Instant::now() + ASK_EVERY, ASK_EVERY);
        loop {
            let now = *changes.borrow_and_update();
            let Some(goes_on) = self.tell(&mut socket, &mut told, now, shown).await else { return };
            tokio::select! {
                biased;
                said = socket.recv() => {
                    heard = Instant::now();
                    match said {
                        Some(Ok(Message::Binary(bytes))) if self.writes => {
                            if !terminal.press(Key::Typed(bytes.to_vec())).await {
                                return;
                            }
                        }
                        Some(Ok(Message::Text(said))) => match serde_json::from_str(&said) {
                            Ok(Said::Ack(upto)) => {
                                shown = shown.max(upto.min(self.sent));
                                self.viewer.shows(shown);
                            }
                            Ok(Said::Resize { rows, cols }) if self.writes => {
                                if let Some((rows, columns)) = size(rows, cols) {
                                    terminal.press(Key::Size(rows, columns)).await;
                                }
                            }
                            Ok(Said::Resize { .. }) => {}
                            Err(_) => return refuse(socket, "this frame is not what it must be").await,
                        },
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                        Some(Ok(_)) => {}
                    }
                }
                () = std::future::ready(()), if goes_on => {}
                _ = changes.changed() => {}
                _ = ask.tick() => {
                    if heard.elapsed() > SILENT || socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Sends the next piece of what there is, as far as the page keeps up: whether there is more. `None` where it is
    /// over.
    async fn tell(&mut self, socket: &mut WebSocket, told: &mut Now, now: Now, shown: u64) -> Option<bool> {
        if (now.rows, now.columns) != (told.rows, told.columns) {
            *told = now;
            socket.send(text(&json!({"resized": {"rows": now.rows, "cols": now.columns}}))).await.ok()?;
        }
        if self.sent < now.end && self.sent - shown < UNSHOWN {
            let (at, bytes) = self.viewer.terminal.since(self.sent, PIECE);
            if at > self.sent {
                socket.send(text(&json!({"at": at}))).await.ok()?;
            }
            self.sent = at + bytes.len() as u64;
            socket.send(Message::Binary(bytes.into())).await.ok()?;
        }
        if now.is_closed && self.sent >= now.end {
            socket.send(text(&json!({"closed": 0}))).await.ok()?;
            drop(socket.send(Message::Close(None)).await);
            return None;
        }
        Some(self.sent < now.end && self.sent - shown < UNSHOWN)
    }
}
