use std::collections::BTreeMap;
use std::time::Duration;

/// One fence as the shell gets it.
#[derive(Debug, Clone)]
pub struct Block {
    /// Lines with their numbers in the Markdown file.
    pub lines: Vec<(usize, String)>,
    /// The last command opens a shell that stays: later blocks of the terminal go into it.
    pub opens: bool,
    /// The last command must end so; all before it must succeed.
    pub last: Last,
    /// Regular expressions that are looked for in all that it prints, kept or not.
    pub searched: Vec<String>,
    /// For the whole block. A background block's last command has no time limit.
    pub timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    Succeeds,
    Exits(i32),
    Fails,
}

impl Last {
    pub(super) fn is_met_by(self, exit: i32) -> bool {
        match self {
            Last::Succeeds => exit == 0,
            Last::Exits(wanted) => exit == wanted,
            Last::Fails => exit != 0,
        }
    }
}

/// What became of a block.
#[derive(Debug, Clone)]
pub struct BlockResult {
    pub ended: Ended,
    /// The status of the command that ended last.
    pub exit: Option<i32>,
    /// What the commands printed, stdout and stderr as a person sees them.
    pub output: String,
    /// Text from the middle of the output is not kept; a note stands in its place.
    pub truncated: bool,
    /// What is known of the block's `searched`, whatever is kept.
    pub found: BTreeMap<String, bool>,
    pub commands: Vec<CommandResult>,
    pub took: Duration,
}

#[derive(Debug, Clone)]
pub struct CommandResult {
    /// The line of the command's first word in the Markdown file.
    pub line: usize,
    pub exit: Option<i32>,
    pub output: String,
    pub truncated: bool,
}

#[derive(Debug, Clone)]
pub enum Ended {
    AsWanted,
    /// The command at `line` ended otherwise than it should.
    Failed {
        line: usize,
        command: String,
    },
    TimedOut {
        line: usize,
        command: String,
        /// The program that waited for somebody to type.
        awaited: Option<String>,
        /// The shell, or the one that it had opened, did not come back: a fresh one stands in its place,
        /// without the folder, variables and functions of the old one.
        shell_replaced: bool,
    },
    /// The shell itself is gone.
    ShellDied {
        line: usize,
        command: String,
        status: Option<i32>,
        /// `set -e` was on: the command failed.
        by_errexit: bool,
        last_words: String,
    },
    /// The block, or one before it, changed what reports how a command ended: cannot judge. The shell is replaced.
    ShellChanged {
        line: usize,
        command: String,
        why: &'static str,
    },
    /// A background block was stopped by a later block.
    Stopped {
        /// It ignored Ctrl-C, and was killed.
        killed: bool,
    },
    Interrupted,
}
