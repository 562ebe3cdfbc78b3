//! Splits, compiles, evaluates and explains CEL expressions.
//!
//! Three things differ from plain CEL, and the format asks for each of them: `has(a.b.c)` is false
//! when any part is missing or null, `${NAME}` in a quoted string is a variable's value put in as
//! data, and the whole numbers of JSON are ints.

mod compile;
mod evaluate;
mod path;
mod reads;
mod rewrite;
mod scope;
mod split;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::text::{Span, Spanned};

pub use compile::{compile, on_big_stack, string_value};
pub use evaluate::{Outcome, PathValue};
pub use path::Path;
pub use scope::Scope;
pub use split::{Gap, gap, split};
pub use token::{Literal, literal};

/// A compiled expression of a check.
#[derive(Debug, Clone)]
pub struct Expr {
    /// The slice of the check as written, `${VAR}` and all; folded lines are joined by one blank.
    pub text: String,
    pub span: Span,
    compiled: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    root: cel::IdedExpr,
    /// How deep the tree is.
    depth: usize,
    /// The names of the scope that it uses.
    names: BTreeSet<String>,
    /// What it can read of them.
    reads: reads::Names,
    vars: Vec<Spanned<String>>,
    paths: Vec<Path>,
}

impl Expr {
    /// The `${NAME}` in its strings.
    pub fn vars(&self) -> &[Spanned<String>] {
        &self.compiled.vars
    }

    /// Whether it says anything of this name, such as `object`.
    pub fn uses(&self, name: &str) -> bool {
        self.compiled.names.contains(name)
    }

    /// The paths that it reads, in the order of their writing.
    pub fn paths(&self) -> &[Path] {
        &self.compiled.paths
    }
}

/// What is wrong with an expression, where in the outer file, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    pub span: Span,
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    Syntax,
    UnknownName,
    UnknownFunction,
    BadRegex,
    /// A half-written `${`.
    BadVariable,
}
