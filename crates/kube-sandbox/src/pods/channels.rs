//! Kubernetes' channels over a WebSocket: the first byte of each message says which stream it is of.

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// The two directions are apart, so that neither waits for the other: a client that only reads and one that only
/// writes are both served.
pub(super) struct Channels {
    pub(super) to: ToClient,
    pub(super) from: FromClient,
}

pub(super) struct ToClient(SplitSink<WebSocket, Message>);

pub(super) struct FromClient {
    socket: SplitStream<WebSocket>,
    /// Version 5 tells the end of a stream; before it only the end of all.
    close_signals: bool,
}

/// What the client sent.
pub(super) enum Sent {
    Stdin(Bytes),
    StdinClosed,
    Resize { rows: u16, columns: u16 },
    Gone,
}

impl Channels {
    pub(super) fn new(socket: WebSocket, close_signals: bool) -> Self {
        let (to, from) = socket.split();
        Self { to: ToClient(to), from: FromClient { socket: from, close_signals } }
    }
}

impl FromClient {
    pub(super) async fn receive(&mut self) -> Sent {
        loop {
            let Some(Ok(message)) = self.socket.next().await else { return Sent::Gone };
            let data = match message {
                Message::Binary(data) => data,
                Message::Text(text) => Bytes::from(text.as_bytes().to_vec()),
                Message::Close(_) => return Sent::Gone,
                Message::Ping(_) | Message::Pong(_) => continue,
            };
            match data.first().copied() {
                Some(STDIN) if data.len() > 1 => return Sent::Stdin(data.slice(1..)),
                Some(CLOSE) if self.close_signals && data.get(1) == Some(&STDIN) => return Sent::StdinClosed,
                Some(RESIZE) => {
                    let size = serde_json::from_slice::<Value>(&data[1..]).unwrap_or_default();
                    let number = |field: &str| size[field].as_u64().and_then(|number| u16::try_from(number).ok());
                    if let (Some(rows), Some(columns)) = (number("Height"), number("Width")) {
                        return Sent::Resize { rows, columns };
                    }
                }
                _ => {}
            }
        }
    }
}

impl ToClient {
    /// False once the client is gone.
    pub(super) async fn stdout(&mut self, data: &[u8]) -> bool {
        self.send(STDOUT, data).await
    }

    pub(super) async fn stderr(&mut self, data: &[u8]) -> bool {
        self.send(STDERR, data).await
    }

    pub(super) async fn success(&mut self) {
        self.status(&json!({"metadata": {}, "status": "Success"})).await;
    }

    pub(super) async fn exited(&mut self, code: i32) {
        if code == 0 {
            return self.success().await;
        }
        self.status(&json!({
            "metadata": {},
            "status": "Failure",
            "message": format!("command terminated with exit code {code}"),
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }))
        .await;
    }

    pub(super) async fn fail(&mut self, reason: &str, code: u16, message: &str) {
        self.status(&json!({
            "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code,
        }))
        .await;
    }

    async fn status(&mut self, status: &Value) {
        self.send(ERROR, status.to_string().as_bytes()).await;
    }

    pub(super) async fn close(&mut self) {
        let frame = CloseFrame { code: close_code::NORMAL, reason: "".into() };
        let _ = self.0.send(Message::Close(Some(frame))).await;
    }

    async fn send(&mut self, channel: u8, data: &[u8]) -> bool {
        let mut message = Vec::with_capacity(data.len() + 1);
        message.push(channel);
        message.extend_from_slice(data);
        self.0.send(Message::Binary(message.into())).await.is_ok()
    }
}
