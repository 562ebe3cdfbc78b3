//! The way into a session from another process: a Unix socket of mode 0600, a JSON object a line. A line that asks is
//! `{"id": 7, "ask": {"request": "next"}}`, and is answered by `{"id": 7, "answer": {…}}`; after `{"id": 8,
//! "subscribe": true}` each event comes as `{"event": {…}}`. What cannot be read is answered by `{"id": …, "error": …}`.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as Blocking;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::api::{Answer, Request};
use super::event::SessionEvent;
use super::handle::Handle;

/// The variable of a learner's shell that holds the socket's path.
pub const VARIABLE: &str = "KEYWITNESS_DOOR";
/// A command's output among it.
const LONGEST_LINE: u64 = 32 << 20;
/// Answers and events that a slow caller may be behind, before it is let go.
const BEHIND: usize = 4096;
/// Processes that may be connected at once.
const CALLERS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Request>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub subscribe: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Said {
    Answer { id: u64, answer: Answer },
    Event { event: SessionEvent },
    Error { id: Option<u64>, error: String },
}

/// Opens the socket. Nobody but its owner can connect at any moment: the folder it lies in is private.
pub fn open(path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves callers until it is dropped.
pub async fn serve(listener: UnixListener, handle: Handle) {
    let mut callers = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            caller = listener.accept() => match caller {
                Ok((stream, _)) if callers.len() < CALLERS => {
                    callers.spawn(caller_served(stream, handle.clone()));
                }
                Ok(_) => {}
                // Out of file descriptors: those who are connected may go.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = callers.join_next(), if !callers.is_empty() => {}
        }
    }
}

async fn caller_served(stream: UnixStream, handle: Handle) {
    let (read, mut write) = stream.into_split();
    let (say, mut said) = mpsc::channel::<Said>(BEHIND);
    let writing = tokio::spawn(async move {
        while let Some(said) = said.recv().await {
            let Ok(mut line) = serde_json::to_vec(&said) else { continue };
            line.push(b'\n');
            if write.write_all(&line).await.is_err() {
                break;
            }
        }
    });
    let mut read = tokio::io::BufReader::new(read);
    // Requests are answered side by side: one that runs a block must not hold up the next.
    let mut asked = tokio::task::JoinSet::new();
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(LONGEST_LINE);
        match bounded.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) if line.last() != Some(&b'\n') && bounded.limit() == 0 => {
                let error = format!("a line is longer than {LONGEST_LINE} bytes");
                let _ = say.send(Said::Error { id: None, error }).await;
                break;
            }
            Ok(_) => {}
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let call = match serde_json::from_slice::<Call>(&line) {
            Ok(call) => call,
            Err(error) => {
                let id = serde_json::from_slice::<serde_json::Value>(&line).ok().and_then(|call| call["id"].as_u64());
                let error = format!("this is no call that this version knows: {error}");
                if say.send(Said::Error { id, error }).await.is_err() {
                    break;
                }
                continue;
            }
        };
        if call.subscribe {
            let (mut events, say) = (handle.subscribe(), say.clone());
            asked.spawn(async move {
                while let Some(event) = events.next().await {
                    if say.send(Said::Event { event }).await.is_err() {
                        break;
                    }
                }
            });
        }
        if let Some(request) = call.ask {
            let (handle, say) = (handle.clone(), say.clone());
            asked.spawn(async move {
                let said = match handle.request(request).await {
                    Ok(answer) => Said::Answer { id: call.id, answer },
                    Err(gone) => Said::Error { id: Some(call.id), error: gone.to_string() },
                };
                let _ = say.send(said).await;
            });
        }
        while asked.try_join_next().is_some() {}
    }
    asked.abort_all();
    drop(say);
    // What was said before the caller went away may still be on its way to it.
    let _ = tokio::time::timeout(Duration::from_secs(1), writing).await;
}

/// Asks one thing and waits for its answer: for a word typed at a prompt.
pub fn ask(path: &Path, request: Request) -> io::Result<Answer> {
    Caller::connect(path)?.ask(request)
}

/// A connection to a session of another process.
pub struct Caller {
    read: BufReader<Blocking>,
    write: Blocking,
    last: u64,
}

impl Caller {
    pub fn connect(path: &Path) -> io::Result<Self> {
        let write = Blocking::connect(path)?;
        Ok(Self { read: BufReader::new(write.try_clone()?), write, last: 0 })
    }

    /// Blocks until the answer is there. Events that come meanwhile are lost to this caller.
    pub fn ask(&mut self, request: Request) -> io::Result<Answer> {
        let id = self.say(Some(request), false)?;
        loop {
            match self.hear()? {
                Said::Answer { id: of, answer } if of == id => return Ok(answer),
                Said::Error { id: of, error } if of.is_none_or(|of| of == id) => return Err(io::Error::other(error)),
                Said::Answer { .. } | Said::Error { .. } | Said::Event { .. } => {}
            }
        }
    }

    /// From now on events come by [`Self::hear`].
    pub fn subscribe(&mut self) -> io::Result<()> {
        self.say(None, true).map(drop)
    }

    /// Sends without waiting for the answer, which comes by [`Self::hear`] with this number.
    pub fn say(&mut self, ask: Option<Request>, subscribe: bool) -> io::Result<u64> {
        self.last += 1;
        let mut line = serde_json::to_vec(&Call { id: self.last, ask, subscribe })?;
        line.push(b'\n');
        self.write.write_all(&line)?;
        Ok(self.last)
    }

    /// The next line; an error of the kind `UnexpectedEof` where the session is gone.
    pub fn hear(&mut self) -> io::Result<Said> {
        let mut line = Vec::new();
        (&mut self.read).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the session has ended"));
        }
        serde_json::from_slice(&line).map_err(io::Error::other)
    }
}
