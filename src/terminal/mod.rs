//! Persistent shells on a PTY, nested shells, background commands, output capture.

use std::time::Duration;

/// One fence as the shell gets it.
#[derive(Debug, Clone)]
pub struct Block {
    /// Lines with their numbers in the Markdown file.
    pub lines: Vec<(usize, String)>,
    pub opens: bool,
    /// The last command must end so; all before it must succeed.
    pub last: Last,
    pub timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    Succeeds,
    Exits(i32),
    Fails,
}

/// What became of a block.
#[derive(Debug, Clone)]
pub struct BlockResult {
    pub ended: Ended,
    /// The last command's status.
    pub exit: Option<i32>,
    pub output: String,
    pub truncated: bool,
    pub commands: Vec<CommandResult>,
    pub took: Duration,
}

#[derive(Debug, Clone)]
pub struct CommandResult {
    pub line: usize,
    pub exit: Option<i32>,
    pub output: String,
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
        shell_replaced: bool,
    },
    /// The shell itself is gone: cannot judge.
    ShellDied {
        last_words: String,
    },
    Interrupted,
}
