//! Who a process is, for longer than its number is its own.

use serde::{Deserialize, Serialize};

/// A process by its number and the moment it started, so that a reused number is not taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) pid: i32,
    started: Option<String>,
    /// Numbers mean nothing outside the boot and the PID namespace that gave them.
    boot: Option<String>,
    namespace: Option<String>,
}

/// What is known of a stamped process now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    Gone,
    /// It lives, or lived, where this process cannot look.
    Elsewhere,
}

impl Stamp {
    pub(super) fn of(pid: i32) -> Self {
        Self { pid, started: started(pid), boot: boot(), namespace: namespace() }
    }

    pub(super) fn of_this_process() -> Self {
        Self::of(i32::try_from(std::process::id()).unwrap_or(i32::MAX))
    }

    pub(super) fn life(&self) -> Life {
        if self.boot != boot() {
            Life::Gone
        } else if self.namespace != namespace() {
            Life::Elsewhere
        } else if self.started.is_some() && started(self.pid) == self.started {
            Life::Alive
        } else {
            Life::Gone
        }
    }

    /// Another process has this number now.
    pub(super) fn is_reused(&self) -> bool {
        started(self.pid).is_some_and(|now| self.boot != boot() || Some(now) != self.started)
    }
}

#[cfg(target_os = "linux")]
fn started(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let process = super::table::parse_stat(pid, &stat)?;
    (!process.is_zombie).then_some(process.started)
}

#[cfg(not(target_os = "linux"))]
fn started(pid: i32) -> Option<String> {
    let output =
        std::process::Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let (state, started) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

#[cfg(target_os = "linux")]
fn boot() -> Option<String> {
    Some(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

#[cfg(not(target_os = "linux"))]
fn boot() -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn namespace() -> Option<String> {
    Some(std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

#[cfg(not(target_os = "linux"))]
fn namespace() -> Option<String> {
    None
}
