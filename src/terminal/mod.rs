//! Persistent shells on a PTY, nested shells, background commands, output capture.
//!
//! A shell of our own reads each complete command from a file (`. FILE`), with echo off, reports its status by the
//! name of a file that it makes, and has a mark for a prompt; a shell that a lab opened inside it, or one in a
//! container, is typed at in a way that any POSIX shell understands. Marks are terminal control sequences within
//! the output itself, so that what came before a mark is what the command printed.
//!
//! Nothing of this lives where a block can reach it: no function, variable or trap of ours stands in the shell.
//! Where the last report of a status does not come, or contradicts itself, there is no verdict but
//! [`Ended::ShellChanged`].

mod background;
mod block;
mod capture;
mod cast;
mod environment;
mod etcdctl;
mod init;
mod learner;
mod listener;
mod recorder;
mod runner;
mod screen;
mod settings;
mod shell;
mod split;
mod state;
mod tape;
mod terminals;
mod tidy;
mod typed;
mod waiting;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

pub use background::{Background, Mark, Waited};
pub use block::{Block, BlockResult, CommandResult, Ended, Last};
pub use cast::{Casts, TerminalCast};
pub use environment::environment;
pub use etcdctl::{EtcdctlRoute, EtcdctlTls, install_etcdctl};
pub use learner::{
    Began, Finished, Happened, LearnerSettings, LearnerShell, RecordedSettings, RecordedShell, Screen, ShellEvent,
    ShellSettings, restore, restore_after_panic,
};
pub use settings::{NodeSettings, NodeShells, Place, TerminalError, TerminalId, TerminalSettings};
pub use split::commands_of;
pub use state::ShellState;
pub use terminals::Terminals;
