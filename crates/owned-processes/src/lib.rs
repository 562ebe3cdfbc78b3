#![doc = include_str!("../README.md")]
//!
//! Every child process, temp folder and container label of a run, and their certain end.
//!
//! A run has one [`Guard`]. It owns a private folder, in which a ledger says what else the run owns:
//! process groups, sessions of shells, labelled containers. The end comes in one of four ways, and each
//! does the same thing, by the same ledger:
//!
//! - [`Guard::end`], at the end of a run, after a failure and after Ctrl-C;
//! - dropping the guard, where a panic or an early return skipped that;
//! - the watchdog, a process in a session of its own that holds a pipe from the runner, when that pipe
//!   closes because the runner was killed;
//! - the next start, when the watchdog was killed as well.
//!
//! Every process of a run carries [`MARKER`] in its environment, so that what left its group and its
//! session (`setsid`, a shell's job) is found as well.

#![warn(missing_docs)]

mod ending;
mod folder;
mod interrupt;
mod ledger;
mod ports;
mod process;
mod pty;
mod run_guard;
mod shell_io;
mod stamp;
mod state;
mod table;
mod tool;
mod watchdog;

#[cfg(test)]
mod tests;

pub use folder::{RunFolder, is_live, room, runs_in};
pub use interrupt::Interrupt;
pub use ledger::Owned;
pub use ports::free_port;
pub use process::Process;
pub use pty::{Echo, shell_on_pty};
pub use run_guard::{Guard, GuardSettings};
pub use shell_io::{ShellControl, ShellIo};
pub use state::state_folder;
pub use tool::{tool, tools_folder};
pub use watchdog::{WATCHDOG, watchdog_main};

/// Names the run in the environment of everything that it starts.
pub const MARKER: &str = "KEYWITNESS_RUN";

/// The key of the label that containers, networks and volumes of a run carry; its value is the run's id.
pub const LABEL: &str = "io.keywitness.run";
