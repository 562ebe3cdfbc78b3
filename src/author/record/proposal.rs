//! What is proposed, and why.

use serde::{Deserialize, Serialize};

use super::layout::Layout;

/// What gave rise to what is proposed; the stronger first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A command names the key, and says what it holds.
    Said,
    /// A command names the key.
    Named,
    /// A controller made it for an object that a command names.
    Owned,
    /// A controller reports it of an object that a command names.
    Status,
    /// A command printed it.
    Printed,
    /// It came about beside that.
    Beside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Check,
    /// An `output` fence.
    Output,
    /// A step that takes away what the lab leaves.
    Cleanup,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The same for the same proposal: its step, and a number in it.
    pub id: String,
    pub step: String,
    /// Of the block that it follows, in the file with what `--write` adds around it left out of account.
    pub line: usize,
    pub what: What,
    /// As it is written; indented lines belong to the line before.
    pub text: Vec<String>,
    pub cause: Cause,
    pub why: String,
    /// The lines of the commands without which it does not hold.
    pub kills: Vec<usize>,
    /// False: it is not written.
    pub accepted: bool,
    #[serde(skip)]
    pub(super) block: usize,
}

impl Proposal {
    /// Places it at a block of the lab.
    pub fn place(&mut self, block: usize, layout: &Layout) {
        self.block = block;
        self.line = layout.blocks[block].line;
    }
}

impl Cause {
    pub fn words(self) -> &'static str {
        match self {
            Self::Said => "a command says so",
            Self::Named => "a command names it",
            Self::Owned => "made for what a command names",
            Self::Status => "a controller reports it",
            Self::Printed => "a command prints it",
            Self::Beside => "it came about beside",
        }
    }
}

#[cfg(test)]
impl Proposal {
    pub fn new(id: &str, what: What, cause: Cause, text: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            step: String::new(),
            line: 1,
            what,
            text: text.iter().map(|line| (*line).to_owned()).collect(),
            cause,
            why: String::new(),
            kills: Vec::new(),
            accepted: true,
            block: 0,
        }
    }
}
