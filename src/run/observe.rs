//! What checks look at besides the journal.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::runner::{Output, Runner};
use crate::grade::{Need, Observation, Seen};
use crate::journal::Clock;
use crate::text::Printed;

/// A checker that takes longer does not tell anything about the lab any more.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// What is kept of what a `run` check's command prints to each of its outputs.
const COMMAND_OUTPUT: usize = 16 << 20;
/// What a command has left may print for so long after its end, where it holds the command's outputs open.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// The outputs of what was killed end at once; what has left the command's group is not waited for.
const PIPES_CLOSE: Duration = Duration::from_secs(1);

/// What came of a command outside of the terminals.
#[derive(Debug)]
pub(super) struct CommandSeen {
    pub(super) exit: i32,
    pub(super) stdout: Printed,
    pub(super) stderr: Printed,
}

impl Runner<'_> {
    /// One look. `nearest` is the block that an `output` check without a name speaks of.
    pub(super) async fn observe(&self, need: &Need, nearest: Option<usize>) -> Observation {
        let at = Clock::now();
        let seen = match need {
            Need::Output { action } => self.printed(action.as_deref(), nearest),
            Need::Run { command } => match self.command(command).await {
                Ok(CommandSeen { exit, stdout, stderr }) => Seen::Run { exit, stdout, stderr },
                Err(why) => Seen::Unavailable(why),
            },
            Need::Etcd { member } => match self.witness.etcd(member.as_deref()).await {
                Ok(seen) => Seen::Etcd(seen),
                Err(why) => Seen::Unavailable(why),
            },
            Need::Resource { kind, name, namespace } => self.observer.resource(kind, name, namespace.as_deref()).await,
            Need::Snapshot { file } => self.observer.snapshot(file).await,
        };
        Observation { need: need.clone(), at, seen }
    }

    fn printed(&self, action: Option<&str>, nearest: Option<usize>) -> Seen {
        let (offset, who) = match action {
            Some(name) => (self.action_named(name).map(|action| action.span.start), format!("the block `{name}`")),
            None => (nearest, "the block above".to_owned()),
        };
        let Some(offset) = offset else {
            return Seen::Nothing(format!("{who} does not run here"));
        };
        let running = self.backgrounds.iter().find(|running| running.action.span.start == offset && !running.stopped);
        if let Some(running) = running {
            let printed = running.handle.since(running.mark);
            return Seen::Output { printed, exit: running.handle.ended().and_then(|result| result.exit) };
        }
        match self.outputs.get(&offset) {
            Some(Output { printed, exit }) => {
                Seen::Output { printed: printed.clone(), exit: Some(exit.unwrap_or_default()) }
            }
            None => Seen::Nothing(format!("{who} has not run")),
        }
    }

    /// `bash -c` in `LAB_WORK`, with the lab's environment.
    pub(super) async fn command(&self, text: &str) -> Result<CommandSeen, String> {
        let mut command = self.environment.command(text);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = self.guard.spawn(&mut command).map_err(|error| error.to_string())?;
        let (mut stdout, mut stderr) = (Pipe::drain(process.take_stdout()), Pipe::drain(process.take_stderr()));
        let ended = tokio::select! {
            ended = tokio::time::timeout(COMMAND_LIMIT, process.wait()) => ended,
            () = self.interrupt.cancelled() => return Err("interrupted".to_owned()),
        };
        match ended {
            Ok(Ok(status)) => {
                use std::os::unix::process::ExitStatusExt;
                let closed = async { tokio::join!(stdout.closed(), stderr.closed()) };
                if tokio::time::timeout(LAST_WORDS, closed).await.is_err() {
                    // Nobody may be left to take it.
                    let _ = process.signal(Signal::SIGKILL);
                    let closed = async { tokio::join!(stdout.closed(), stderr.closed()) };
                    let _ = tokio::time::timeout(PIPES_CLOSE, closed).await;
                } else {
                    let _ = process.signal(Signal::SIGKILL);
                }
                // As bash itself shows a command that a signal ended.
                let exit = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
                Ok(CommandSeen { exit, stdout: stdout.printed(), stderr: stderr.printed() })
            }
            Ok(Err(error)) => Err(format!("`{text}` cannot be waited for: {error}")),
            Err(_) => {
                drop(process.kill().await);
                Err(format!("`{text}` had not ended after {} s", COMMAND_LIMIT.as_secs()))
            }
        }
    }
}

/// One output of a command, read to its end whatever is kept of it: a pipe that is full or closed would change
/// what the command does.
struct Pipe {
    kept: Arc<Mutex<Kept>>,
    reading: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    cut: bool,
}

impl Kept {
    fn take(&mut self, bytes: &[u8]) {
        let room = COMMAND_OUTPUT.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
        self.cut |= room < bytes.len();
    }
}

impl Pipe {
    fn drain(from: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let into = Arc::clone(&kept);
        let reading = tokio::spawn(async move {
            let Some(mut from) = from else { return };
            let mut buffer = vec![0; 64 << 10];
            // What was read until a pipe broke is what the command printed.
            while let Ok(count @ 1..) = from.read(&mut buffer).await {
                into.lock().unwrap_or_else(PoisonError::into_inner).take(&buffer[..count]);
            }
        });
        Self { kept, reading }
    }

    /// Everybody who could write to it is gone.
    async fn closed(&mut self) {
        if !self.reading.is_finished() {
            // It only fails if the task panicked or was aborted: closed either way.
            let _ = (&mut self.reading).await;
        }
    }

    fn printed(&self) -> Printed {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept.bytes).into();
        Printed { text, cut: kept.cut, ..Printed::default() }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
