use std::time::Duration;

use super::{Glob, On, PartId, Template};
use crate::expr::Expr;
use crate::text::{EventKind, Span, Spanned};

/// A `check` or `wait` fence.
#[derive(Debug, Clone)]
pub struct CheckBlock {
    pub span: Span,
    /// For the whole fence; without it each check earns one.
    pub points: Option<u32>,
    /// The author's word for a failure.
    pub fail: Option<Template>,
    /// `pre=pass`: may hold already before the stretch.
    pub pre_pass: bool,
    pub on: On,
    pub checks: Vec<Check>,
}

#[derive(Debug, Clone)]
pub struct Check {
    pub id: PartId,
    /// As written, folded lines joined by one blank; each of several events on a line of its own, indented.
    pub text: String,
    pub span: Span,
    pub kind: CheckKind,
    pub within: Option<Duration>,
    pub hold_for: Option<Duration>,
}

#[derive(Debug, Clone)]
pub enum CheckKind {
    Key { key: Template, holds: Holds },
    Keys { glob: Glob, compare: Compare, count: u64, condition: Option<Expr> },
    Events { glob: Glob, order: EventOrder, patterns: Vec<Pattern> },
    Never { glob: Glob, kind: Option<EventKind>, condition: Option<Expr> },
    Resource { kind: Spanned<String>, name: Template, namespace: Option<Template>, holds: Holds },
    Output { action: Option<Spanned<String>>, test: OutputTest },
    Etcd { member: Option<Spanned<String>>, condition: Expr },
    Snapshot { file: Template, condition: Expr },
    Run { command: Template, condition: Option<Expr> },
}

#[derive(Debug, Clone)]
pub enum Holds {
    Exists,
    Absent,
    Where(Expr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Compare {
    /// As an author writes them; a longer sign stands before one that begins it.
    pub const SIGNS: &[(&str, Compare)] = &[
        ("==", Compare::Equal),
        ("!=", Compare::NotEqual),
        ("<=", Compare::LessOrEqual),
        (">=", Compare::GreaterOrEqual),
        ("<", Compare::Less),
        (">", Compare::Greater),
    ];

    pub fn sign(self) -> &'static str {
        Self::SIGNS.iter().find(|(_, compare)| *compare == self).map_or("", |(sign, _)| sign)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOrder {
    /// Each line by an event later than the line before; others may lie between.
    Ordered,
    Strict,
    Unordered,
}

#[derive(Debug, Clone)]
pub struct Pattern {
    pub kind: EventKind,
    pub condition: Option<Expr>,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum OutputTest {
    Contains(Template),
    Matches(Template),
    Where(Expr),
}
