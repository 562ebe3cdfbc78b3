//! Starting a background block, and knowing when it is ready.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::act::{Outcome, ended, key, last_words, new_running, refused};
use super::runner::Runner;
use crate::lab::{Action, Ready};
use crate::outcome::Verdict;
use crate::terminal::{Background, Block, BlockResult, Ended, Waited};
use crate::witness::Watching;

/// Between two looks at what reports no changes: etcd's counters, a port.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl<'a> Runner<'a> {
    pub(super) async fn start(&mut self, action: &'a Action, block: &Block, timeout: Duration) -> Outcome {
        let Some(background) = &action.background else {
            return Outcome::failed(format!("the block `{}` is not a background block", key(action)));
        };
        let deadline = Instant::now() + timeout;
        let watching = match background.ready {
            Ready::Watch => match self.witness.watching().await {
                Ok(watching) => Some(watching),
                Err(error) => return Outcome::cannot_judge(format!("etcd's watchers cannot be counted: {error}")),
            },
            _ => None,
        };
        let terminal = self.terminal(action);
        let handle = match self.terminals.start_background(&terminal, &key(action), block).await {
            Ok(handle) => handle,
            Err(error) => return refused(&error),
        };
        self.backgrounds.retain(|running| running.key != key(action));
        self.backgrounds.push(new_running(action, handle.clone()));
        self.record_output(action.id, None);
        let mut outcome = match &background.ready {
            Ready::None => Outcome::default(),
            Ready::Text(text) => {
                let text = match text.render(&self.vars.values) {
                    Ok(text) => text,
                    Err(error) => return Outcome::failed(error.to_string()),
                };
                match handle.wait_text(&text, timeout).await {
                    Waited::Seen => Outcome::default(),
                    Waited::Ended(result) => early_end(&result),
                    Waited::TimedOut => late(&format!("it has not printed {text:?}"), timeout),
                    Waited::Interrupted => Outcome::cannot_judge("interrupted"),
                }
            }
            Ready::Watch => match watching {
                Some(before) => self.until(&handle, deadline, timeout, Wanted::Watcher(before)).await,
                None => Outcome::cannot_judge("etcd's watchers were not counted"),
            },
            Ready::Port(port) => {
                let port = port.render(&self.vars.values).unwrap_or_default();
                match port.parse() {
                    Ok(port) => self.until(&handle, deadline, timeout, Wanted::Port(port)).await,
                    Err(_) => Outcome::failed(format!("ready=port:{port} is not a port")),
                }
            }
        };
        if outcome.verdict.is_some()
            && let Some(running) = self.backgrounds.iter_mut().find(|running| running.key == key(action))
        {
            // Its failure has been reported: what comes of it later adds nothing.
            running.stopped = true;
        }
        self.record_commands(outcome.verdict.unwrap_or(Verdict::Pass), 0, &[]);
        outcome.output = handle.output();
        outcome
    }

    async fn until(&self, handle: &Background, deadline: Instant, timeout: Duration, wanted: Wanted) -> Outcome {
        loop {
            match self.is_there(&wanted).await {
                Ok(true) => return Outcome::default(),
                Ok(false) => {}
                Err(why) => return Outcome::cannot_judge(why),
            }
            if let Some(result) = handle.ended() {
                return early_end(&result);
            }
            if Instant::now() >= deadline {
                let missing = match wanted {
                    Wanted::Watcher(before) => {
                        format!("etcd still counts no more watchers than the {} before", before.watchers)
                    }
                    Wanted::Port(port) => format!("nothing listens on port {port}"),
                };
                return late(&missing, timeout);
            }
            tokio::select! {
                () = self.interrupt.cancelled() => return Outcome::cannot_judge("interrupted"),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn is_there(&self, wanted: &Wanted) -> Result<bool, String> {
        match wanted {
            Wanted::Watcher(before) => match self.witness.watching().await {
                Ok(now) => Ok(now.has_one_more_than(*before)),
                Err(error) => Err(format!("etcd's watchers cannot be counted: {error}")),
            },
            Wanted::Port(port) => Ok(TcpStream::connect(("127.0.0.1", *port)).await.is_ok()),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// One more than these.
    Watcher(Watching),
    Port(u16),
}

fn late(missing: &str, timeout: Duration) -> Outcome {
    Outcome::failed(format!("not ready after {} s: {missing}", timeout.as_secs()))
}

fn early_end(result: &BlockResult) -> Outcome {
    let outcome = ended(result);
    let words = last_words(&result.output);
    match result.ended {
        Ended::ShellDied { by_errexit: false, .. } | Ended::ShellChanged { .. } | Ended::Interrupted => outcome,
        _ => Outcome {
            verdict: Some(Verdict::Fail),
            reason: Some(format!("it ended before it was ready{words}")),
            ..outcome
        },
    }
}
