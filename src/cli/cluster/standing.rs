//! The process that serves a sandbox which stays: this binary under a hidden name, in a session of its own.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cli::stages::StageLines;
use crate::cluster::{ClusterError, KeptSandbox, SandboxWish, StandingSandbox};
use crate::run::etcdctl_route;
use crate::terminal::install_etcdctl;
use owned_processes::{Interrupt, MARKER};

pub(in crate::cli) const STANDING: &str = "__standing-sandbox";

/// How often the process looks whether its record is still there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The one line that it reports to the call that started it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Announced {
    Ready(Box<KeptSandbox>),
    Failed { message: String, detail: Vec<String>, hint: Option<String> },
}

/// Starts it, and waits until the sandbox answers.
pub(super) fn start(wish: &SandboxWish) -> Result<KeptSandbox, ClusterError> {
    let failed = |error: std::io::Error| ClusterError::new(format!("the sandbox's process cannot be started: {error}"));
    let wish = serde_json::to_string(wish).map_err(|error| ClusterError::new(error.to_string()))?;
    let mut child = Command::new(std::env::current_exe().map_err(failed)?)
        .args([STANDING, &wish])
        // It belongs to no run, whatever run this call may be part of.
        .env_remove(MARKER)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
    }
    match serde_json::from_str(&line) {
        Ok(Announced::Ready(kept)) => Ok(*kept),
        Ok(Announced::Failed { message, detail, hint }) => Err(ClusterError { message, detail, hint }),
        Err(_) => {
            let ended = child.wait().map_err(failed)?;
            Err(ClusterError::new(format!("the sandbox's process ended before the sandbox was up ({ended})")))
        }
    }
}

/// The process itself.
pub(in crate::cli) fn main(args: &[OsString]) -> ExitCode {
    // Not ended by the end of the terminal that it was started in.
    let alone = nix::unistd::setsid().map_err(|error| ClusterError::new(format!("no session of its own: {error}")));
    let wish = args.first().map(|wish| serde_json::from_slice(wish.as_encoded_bytes()));
    let (Ok(_), Some(Ok(wish))) = (&alone, wish) else {
        announce(&failed(alone.err().unwrap_or_else(|| ClusterError::new("it was not told what to serve"))));
        return ExitCode::from(3);
    };
    let runtime = match crate::cli::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            announce(&failed(ClusterError::new(error.to_string())));
            return ExitCode::from(3);
        }
    };
    let served = runtime.block_on(serve(wish));
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            announce(&failed(error));
            ExitCode::from(3)
        }
    }
}

fn failed(error: ClusterError) -> Announced {
    Announced::Failed { message: error.message, detail: error.detail, hint: error.hint }
}

fn announce(announced: &Announced) {
    // Whoever started it may be gone: then `cluster list` shows it.
    drop(serde_json::to_string(announced).map(|line| writeln!(std::io::stdout(), "{line}")));
}

async fn serve(wish: SandboxWish) -> Result<(), ClusterError> {
    let interrupt = Interrupt::listen().map_err(|error| ClusterError::new(error.to_string()))?.token();
    let standing = StandingSandbox::start(wish, &StageLines::new()).await?;
    if let Err(error) = ready(&standing) {
        drop(standing.end().await);
        return Err(error);
    }
    let recorded = async {
        while standing.is_recorded() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        () = interrupt.cancelled() => {}
        () = recorded => {}
    }
    standing.end().await
}

fn ready(standing: &StandingSandbox) -> Result<(), ClusterError> {
    let running = standing.running()?;
    install_etcdctl(&running.bin, &etcdctl_route(&KeptSandbox::access(running)))
        .map_err(|error| ClusterError::new(format!("cannot write {}/etcdctl: {error}", running.bin.display())))?;
    announce(&Announced::Ready(Box::new(standing.announce()?.clone())));
    Ok(())
}
