use std::time::Duration;

use super::block::{Block, BlockResult};
use super::settings::{TerminalError, TerminalId, TerminalSettings};

/// The terminals of one lab. Shells start when they are first used.
pub struct Terminals {
    settings: TerminalSettings,
}

/// A background block, running or ended; clones are the same block.
#[derive(Clone)]
pub struct Background {}

/// A place in what a background block printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// How waiting for a text ended.
#[derive(Debug, Clone)]
pub enum Waited {
    Seen,
    /// It ended first, with this.
    Ended(Box<BlockResult>),
    TimedOut,
    Interrupted,
}

impl Terminals {
    pub fn new(settings: TerminalSettings) -> Self {
        Self { settings }
    }

    /// Runs a block to its end.
    pub async fn run(&self, terminal: &TerminalId, _block: &Block) -> Result<BlockResult, TerminalError> {
        drop(self.settings.node.clone());
        Err(TerminalError::NoShell { terminal: terminal.clone(), reason: "there is no PTY".into() })
    }

    /// Starts a block whose last command keeps running. Returns once its first command was handed over;
    /// whether it is ready is asked of what is returned.
    pub async fn start_background(
        &self,
        terminal: &TerminalId,
        _name: &str,
        _block: &Block,
    ) -> Result<Background, TerminalError> {
        Err(TerminalError::NoShell { terminal: terminal.clone(), reason: "there is no PTY".into() })
    }

    /// The background block of that name, running or ended.
    pub fn background(&self, _name: &str) -> Option<Background> {
        None
    }

    /// Ctrl-C (or SIGKILL) to what runs in the foreground there, and its end. Where Ctrl-C does not end it
    /// within `patience`, it is killed. For a block that ended by itself before, that is what is returned.
    pub async fn stop(&self, name: &str, _kill: bool, _patience: Duration) -> Result<BlockResult, TerminalError> {
        Err(TerminalError::NoBackground(name.to_owned()))
    }

    /// Ends every shell with all that runs in it; terminals used later start fresh.
    pub async fn close_all(&self) {}
}

impl Background {
    /// The end of what it has printed by now.
    pub fn mark(&self) -> Mark {
        Mark(0)
    }

    /// What it printed from its beginning.
    pub fn output(&self) -> String {
        String::new()
    }

    /// What it printed after the mark.
    pub fn output_since(&self, _mark: Mark) -> String {
        String::new()
    }

    /// Waits until it has printed the text.
    pub async fn wait_text(&self, _text: &str, _timeout: Duration) -> Waited {
        Waited::TimedOut
    }

    /// What it ended with, if it has ended.
    pub fn ended(&self) -> Option<BlockResult> {
        None
    }

    /// Waits for its end.
    pub async fn wait_ended(&self) -> BlockResult {
        std::future::pending().await
    }
}
