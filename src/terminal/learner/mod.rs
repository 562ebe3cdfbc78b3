//! The learner's own bash on a PTY, passed through byte for byte.
//!
//! The person's start-up files are read first; then hooks of ours put marks (OSC 133) around prompts and commands, by
//! which each command's text, status and output are known. All other bytes pass as they come, in both directions: what
//! a person types, what full-screen programs draw. Only between a command and the next prompt, or above a prompt that
//! stands, lines of ours are written, and only where it is certain what is on the screen.

mod above;
mod commands;
mod environment;
mod marks;
mod raw;
mod rc;
mod recorded;
mod shell;

pub use commands::{Began, Finished};
pub use raw::{restore, restore_after_panic};
pub use recorded::{RecordedSettings, RecordedShell, ShellEvent, ShellSettings};
pub use shell::{Happened, LearnerSettings, LearnerShell, Screen};
