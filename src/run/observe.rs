//! What checks look at besides the journal.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt};

use super::runner::Runner;
use crate::grade::{Need, Observation, Seen};

/// A checker that takes longer does not tell anything about the lab any more.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// What is kept of what a `run` check's command prints.
const COMMAND_OUTPUT: u64 = 4 * 1024 * 1024;

/// What came of a command outside of the terminals.
#[derive(Debug)]
pub(super) struct CommandSeen {
    pub(super) exit: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Runner<'_> {
    /// One look. `nearest` is the block that an `output` check without a name speaks of.
    pub(super) async fn observe(&self, need: &Need, nearest: Option<usize>) -> Observation {
        let at = SystemTime::now();
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
            let text = Arc::from(running.handle.output_since(running.mark));
            return Seen::Output { text, exit: running.handle.ended().and_then(|result| result.exit) };
        }
        match self.outputs.get(&offset) {
            Some(printed) => {
                Seen::Output { text: Arc::clone(&printed.text), exit: Some(printed.exit.unwrap_or_default()) }
            }
            None => Seen::Nothing(format!("{who} has not run")),
        }
    }

    /// `bash -c` in `LAB_WORK`, with the lab's environment.
    pub(super) async fn command(&self, text: &str) -> Result<CommandSeen, String> {
        let mut command = self.environment.command(text);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = self.guard.spawn(&mut command).map_err(|error| error.to_string())?;
        let (stdout, stderr) = (process.take_stdout(), process.take_stderr());
        let whole = async { tokio::join!(read(stdout), read(stderr), process.wait()) };
        let ended = tokio::select! {
            ended = tokio::time::timeout(COMMAND_LIMIT, whole) => ended,
            () = self.interrupt.cancelled() => return Err("interrupted".to_owned()),
        };
        match ended {
            Ok((stdout, stderr, Ok(status))) => {
                use std::os::unix::process::ExitStatusExt;
                // As bash itself shows a command that a signal ended.
                let exit = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
                Ok(CommandSeen { exit, stdout, stderr })
            }
            Ok((.., Err(error))) => Err(format!("`{text}` cannot be waited for: {error}")),
            Err(_) => {
                drop(process.kill().await);
                Err(format!("`{text}` had not ended after {} s", COMMAND_LIMIT.as_secs()))
            }
        }
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // What was read until a pipe broke is what the command printed.
        let _ = from.take(COMMAND_OUTPUT).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
