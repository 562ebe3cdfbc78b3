//! A child process that leads a group of its own.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tracing::{debug, warn};

use super::Guard;
use super::ledger::Owned;

/// A child of this run. It ends with the run at the latest, and with its group when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    group: i32,
    guard: Guard,
    ended: bool,
}

impl Process {
    pub(super) fn new(child: Child, group: i32, guard: Guard) -> Self {
        Self { child, group, guard, ended: false }
    }

    /// The number of the process and of its group.
    pub fn id(&self) -> i32 {
        self.group
    }

    /// Its standard input, once.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard output, once.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard error, once.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for the process to end. What it left in its group is ended by [`Process::end`] or the run's end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.log_end(&status, "process ended");
        status
    }

    /// How it ended, if it did.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait();
        if let Ok(Some(status)) = &status {
            debug!(group = self.group, %status, "process ended");
        }
        status
    }

    fn log_end(&self, status: &io::Result<ExitStatus>, how: &str) {
        match status {
            Ok(status) => debug!(group = self.group, %status, "{how}"),
            Err(error) => warn!(group = self.group, %error, "process cannot be waited for"),
        }
    }

    /// Waits for what the process left in its group, where that ends by itself and in time.
    pub async fn rest(&self, limit: Duration) {
        let group = Pid::from_raw(self.group);
        let gone = async {
            while killpg(group, None).is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Whoever stays is ended by the run's end.
        let _ = tokio::time::timeout(limit, gone).await;
    }

    /// Signals the whole group.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        killpg(Pid::from_raw(self.group), signal).map_err(io::Error::from)
    }

    /// SIGTERM to the group, SIGKILL after the grace, and the process's status.
    pub async fn end(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        if self.child.id().is_none() {
            // Waited for already: what else is in its group is known to the ledger.
            return self.child.wait().await;
        }
        let _ = self.signal(Signal::SIGTERM);
        let status = if let Ok(status) = tokio::time::timeout(grace, self.child.wait()).await {
            status
        } else {
            let _ = self.signal(Signal::SIGKILL);
            self.child.wait().await
        };
        self.log_end(&status, "process ended when asked");
        self.finish();
        status
    }

    /// SIGKILL at once, for a process whose state nobody needs.
    pub async fn kill(&mut self) -> io::Result<ExitStatus> {
        if self.child.id().is_none() {
            return self.child.wait().await;
        }
        let _ = self.signal(Signal::SIGKILL);
        let status = self.child.wait().await;
        self.log_end(&status, "process killed");
        self.finish();
        status
    }

    /// Whoever is left in the group keeps its number from being given to another; and where nobody is,
    /// the number is free for microseconds only, while the kernel hands out thousands of others first.
    fn finish(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            let _ = self.signal(Signal::SIGKILL);
            // A group that stays in the ledger is distinguished from a later one by its leader's start time.
            drop(self.guard.release(Owned::Group(self.group)));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a wait the number may be another's: only what is certainly ours is killed here.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.finish();
        }
    }
}
