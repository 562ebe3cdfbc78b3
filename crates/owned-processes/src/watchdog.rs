//! The process that ends a run whose runner was killed.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use nix::sys::signal::SigSet;

use super::{MARKER, ending, folder, ledger};

/// The hidden subcommand under which this binary is its own watchdog.
pub const WATCHDOG: &str = "__watchdog";

/// Nobody waits for the watchdog, but a next start may be near.
const GRACE: Duration = Duration::from_secs(2);

/// The runner's side.
#[derive(Debug)]
pub(super) struct Watchdog {
    child: Child,
}

impl Watchdog {
    /// Starts it, and waits until signals cannot end it any more.
    pub(super) fn start(binary: &Path, run_id: &str, dir: &Path) -> io::Result<Self> {
        let mut child = Command::new(binary)
            .arg(WATCHDOG)
            .arg(run_id)
            .arg(dir)
            // A run inside a lab of another run would lose its watchdog to the other's end.
            .env_remove(MARKER)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut ready = [0];
        if let Some(Ok(())) = child.stdout.take().map(|mut out| out.read_exact(&mut ready)) {
            return Ok(Self { child });
        }
        drop(child.kill());
        drop(child.wait());
        Err(io::Error::other(format!("the watchdog {} does not start", binary.display())))
    }

    /// All is ended: the watchdog has nothing left to do.
    pub(super) fn dismiss(&mut self) {
        if let Some(mut pipe) = self.child.stdin.take() {
            // If it is gone already, there is nobody to tell.
            drop(pipe.write_all(b"done"));
        }
        drop(self.child.wait());
    }
}

/// The watchdog's side: `keywitness __watchdog RUN_ID FOLDER`, with the runner's pipe as stdin.
pub fn watchdog_main(args: &[OsString]) -> ExitCode {
    let [run_id, dir] = args else {
        return ExitCode::FAILURE;
    };
    let (run_id, dir) = (run_id.to_string_lossy(), PathBuf::from(dir));
    // Not by Ctrl-C, not by the terminal's end: only the pipe decides.
    if SigSet::all().thread_block().is_err() || nix::unistd::setsid().is_err() {
        return ExitCode::FAILURE;
    }
    // Open from the start: a lab may remove the folder, but not this.
    let Ok(ledger) = File::open(dir.join(folder::LEDGER)) else {
        return ExitCode::FAILURE;
    };
    // A runner that is gone by now does not hear it, and has left a folder.
    drop(io::stdout().write_all(b"!").and_then(|()| io::stdout().flush()));
    let mut word = Vec::new();
    // The pipe closes only when no child of the runner is between fork and exec, so that whatever the
    // runner started carries the marker by now.
    let read = io::stdin().read_to_end(&mut word);
    if read.is_ok() && word == b"done" {
        return ExitCode::SUCCESS;
    }
    ending::end(&run_id, &dir, &ledger::read(&ledger), GRACE);
    ExitCode::SUCCESS
}
