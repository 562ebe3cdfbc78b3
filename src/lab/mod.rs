//! The lab as plain data: every part with its span. Keyword tables live here once.

mod action;
mod check;
mod fold;
pub mod keywords;
pub mod language;
pub mod meanings;
mod part;
mod print;
mod question;
mod stretch;
mod template;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use crate::text::{SourceFile, Span, Spanned};

pub use crate::text::EventKind;
pub use action::{
    Action, Background, Code, CodeLine, ConsoleCommand, Ending, Expected, ExpectedLine, Piece, Place, Ready, Role, Stop,
};
pub use check::{Check, CheckBlock, CheckKind, Compare, EventOrder, Holds, OutputTest, Pattern};
pub use fold::FoldKind;
pub use language::Language;
pub use part::PartId;
pub use question::{Answer, AnswerText, Choice, Question};
pub use stretch::Stretch;
pub use template::{Glob, Template, TemplatePart, Unbound, Vars, WRITTEN_PREFIX};

/// One lab: a Markdown file, or the `README.md` of a folder.
#[derive(Debug, Clone)]
pub struct Lab {
    pub id: String,
    pub language: Language,
    pub source: SourceFile,
    /// The folder the lab lies in: `LAB_DIR`.
    pub dir: PathBuf,
    pub title: String,
    pub summary: Option<String>,
    pub level: Option<Level>,
    pub minutes: Option<u32>,
    pub needs: Vec<Spanned<String>>,
    pub clusters: Vec<Spanned<ClusterKind>>,
    pub requires: Vec<Spanned<Requirement>>,
    pub cluster: ClusterSpec,
    /// The members of a `bare` lab: name and endpoint.
    pub etcd: Vec<(Spanned<String>, Template)>,
    pub vars: Vec<Var>,
    /// The text before the first step.
    pub intro: Span,
    pub steps: Vec<Step>,
}

impl Lab {
    /// Where a step, counted from 0, begins and ends: its heading and all below it.
    pub fn whole_step(&self, number: usize) -> Option<Span> {
        let step = self.steps.get(number)?;
        let end = self.steps.get(number + 1).map_or(self.source.text().len(), |next| next.span.start);
        Some(Span::new(step.span.start, end.max(step.span.end)))
    }

    /// Every line of every block that may run, in document order.
    pub fn command_lines(&self) -> Vec<String> {
        let items = self.steps.iter().flat_map(|step| &step.items);
        let actions = items.filter_map(|item| match item {
            Item::Action(action) if !action.norun => Some(action),
            _ => None,
        });
        actions.flat_map(|action| action.code.lines()).map(|line| line.text.clone()).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Beginner,
    Intermediate,
    Advanced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterKind {
    Sandbox,
    Kind,
    Attach,
    Bare,
}

impl ClusterKind {
    pub const ALL: [ClusterKind; 4] = [ClusterKind::Sandbox, ClusterKind::Kind, ClusterKind::Attach, ClusterKind::Bare];

    /// As labs and the command line write it.
    pub const fn name(self) -> &'static str {
        match self {
            ClusterKind::Sandbox => "sandbox",
            ClusterKind::Kind => "kind",
            ClusterKind::Attach => "attach",
            ClusterKind::Bare => "bare",
        }
    }

    /// Whether containers of pods really run on every cluster of this kind; `None` where it depends.
    pub fn runs_pods(self) -> Option<bool> {
        match self {
            ClusterKind::Sandbox | ClusterKind::Bare => Some(false),
            ClusterKind::Kind => Some(true),
            ClusterKind::Attach => None,
        }
    }
}

/// What a lab demands of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Containers of pods really run.
    Pods,
}

/// The `cluster:` map of the front matter: `nodes` for kind and the sandbox, `kubernetes` for kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterSpec {
    pub nodes: Option<u32>,
    pub kubernetes: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Var {
    pub name: Spanned<String>,
    pub default: VarDefault,
    pub ask: Option<String>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
    pub secret: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VarDefault {
    Text(String),
    /// `?` stands for a random lower-case letter or digit, drawn from the run's seed.
    Random(String),
    /// A free local TCP port.
    Port,
}

/// Where something takes place; empty means everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct On(pub Vec<ClusterKind>);

impl On {
    pub fn allows(&self, kind: ClusterKind) -> bool {
        self.0.is_empty() || self.0.contains(&kind)
    }
}

#[derive(Debug, Clone)]
pub struct Step {
    pub id: String,
    pub title: String,
    /// The heading.
    pub span: Span,
    pub timeout: Option<Duration>,
    pub on: On,
    /// False for `quiet=no`: the keys that its checks name need not rest before its marks.
    pub quiet: bool,
    /// In document order.
    pub items: Vec<Item>,
}

#[derive(Debug, Clone)]
pub enum Item {
    Prose(Span),
    /// A fence that is only shown.
    Shown(Span),
    Action(Action),
    Check(CheckBlock),
    Wait(CheckBlock),
    Hint(Hint),
    Question(Question),
}

#[derive(Debug, Clone)]
pub struct Hint {
    pub summary: String,
    pub span: Span,
}
