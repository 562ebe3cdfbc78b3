use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{On, PartId, Template};
use crate::text::{Span, Spanned};

/// One fence that runs.
#[derive(Debug, Clone)]
pub struct Action {
    pub id: PartId,
    pub name: Option<Spanned<String>>,
    pub span: Span,
    pub role: Role,
    pub terminal: String,
    pub place: Place,
    pub code: Code,
    pub opens: bool,
    pub background: Option<Background>,
    pub stop: Option<Stop>,
    /// The background block that this block runs again.
    pub start: Option<Spanned<String>>,
    pub ending: Ending,
    pub timeout: Option<Duration>,
    pub on: On,
    pub norun: bool,
    /// The `output` fence right after it, or the one with `of=`.
    pub expected: Option<Expected>,
}

impl Action {
    /// Whether it hands a shell anything: a block that only stops or starts another prints nothing itself.
    pub fn prints(&self) -> bool {
        !self.norun && self.code.lines().any(|line| !line.text.trim().is_empty())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Role {
    Action,
    Setup,
    Solution,
    Cleanup,
}

impl Role {
    /// As reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Action => "action",
            Role::Setup => "setup",
            Role::Solution => "solution",
            Role::Cleanup => "cleanup",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Host,
    Node,
}

#[derive(Debug, Clone)]
pub enum Code {
    Script(Vec<CodeLine>),
    Console(Vec<ConsoleCommand>),
}

impl Code {
    /// The lines that a shell gets.
    pub fn lines(&self) -> impl Iterator<Item = &CodeLine> {
        let (script, console): (&[CodeLine], &[ConsoleCommand]) = match self {
            Self::Script(lines) => (lines, &[]),
            Self::Console(commands) => (&[], commands),
        };
        script.iter().chain(console.iter().flat_map(|command| &command.lines))
    }

    pub fn lines_mut(&mut self) -> impl Iterator<Item = &mut CodeLine> {
        let (script, console): (&mut [CodeLine], &mut [ConsoleCommand]) = match self {
            Self::Script(lines) => (lines, &mut []),
            Self::Console(commands) => (&mut [], commands),
        };
        script.iter_mut().chain(console.iter_mut().flat_map(|command| &mut command.lines))
    }
}

/// A line as the reader sees it (container prefix removed), with its line in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeLine {
    pub number: usize,
    pub text: String,
}

#[derive(Debug, Clone)]
pub struct ConsoleCommand {
    pub lines: Vec<CodeLine>,
    pub expected: Option<Expected>,
}

#[derive(Debug, Clone)]
pub struct Background {
    pub ready: Ready,
}

#[derive(Debug, Clone)]
pub enum Ready {
    Text(Template),
    /// etcd counts one watcher more, of a client that did not watch before.
    Watch,
    /// A TCP port of this machine: a number or a variable.
    Port(Template),
    None,
}

#[derive(Debug, Clone)]
pub struct Stop {
    pub block: Spanned<String>,
    pub kill: bool,
}

/// How the block's last command must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Success,
    Exit(i32),
    Fails,
}

#[derive(Debug, Clone)]
pub struct Expected {
    pub span: Span,
    pub unordered: bool,
    pub lines: Vec<ExpectedLine>,
}

#[derive(Debug, Clone)]
pub enum ExpectedLine {
    /// `...`: any lines.
    AnyLines,
    Line {
        number: usize,
        pieces: Vec<Piece>,
    },
}

#[derive(Debug, Clone)]
pub enum Piece {
    Text(Template),
    /// `[..]`: any text within the line.
    Any,
}
