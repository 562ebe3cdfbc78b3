//! Commands outside of the terminals: those of `run` checks and of questions.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use crate::text::Printed;
use owned_processes::Guard;

/// A checker that takes longer says nothing about the lab any more.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// What is kept of what a `run` check's command prints to each of its outputs.
const COMMAND_OUTPUT: usize = 16 << 20;
/// What a command has left may print for so long after its end, where it holds the command's outputs open.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// The outputs of what was killed end at once; what has left the command's group is not waited for.
const PIPES_CLOSE: Duration = Duration::from_secs(1);

/// What came of a command outside of the terminals.
#[derive(Debug)]
pub struct CommandSeen {
    pub exit: i32,
    pub stdout: Printed,
    pub stderr: Printed,
}

/// `bash -c` in `LAB_WORK`, with the lab's environment.
pub(super) async fn run(
    environment: &Environment,
    guard: &Guard,
    interrupt: &CancellationToken,
    text: &str,
) -> Result<CommandSeen, String> {
    let mut command = environment.command(text);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = guard.spawn(&mut command).map_err(|error| error.to_string())?;
    let (mut stdout, mut stderr) = (Pipe::drain(process.take_stdout()), Pipe::drain(process.take_stderr()));
    let ended = tokio::select! {
        ended = tokio::time::timeout(COMMAND_LIMIT, process.wait()) => ended,
        () = interrupt.cancelled() => return Err("interrupted".to_owned()),
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
