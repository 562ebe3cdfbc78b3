//! Splits, type-checks, compiles, evaluates and explains CEL expressions.
//!
//! Three things differ from plain CEL, and the format asks for each of them: `has(a.b.c)` is false
//! when any part is missing or null, `${NAME}` in a quoted string is a variable's value put in as
//! data, and the whole numbers of JSON are ints.

mod ask;
mod check;
mod compile;
mod evaluate;
pub mod functions;
mod path;
mod rewrite;
mod scope;
mod split;
#[cfg(test)]
mod tests;
mod token;
pub mod types;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::text::{Span, Spanned};

pub use ask::{Asked, ask};
pub use compile::{compile, on_big_stack, string_value};
pub use evaluate::{Outcome, PathValue};
pub use path::{Path, Step as PathStep};
pub use scope::{Name, Scope};
pub use split::{Gap, gap, split};
pub use token::{Literal, literal};
pub use types::{Definition, Piece, Subject, Writes, definition};

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
    program: kube_cel::Program,
    /// The names of the scope that it uses.
    names: BTreeSet<String>,
    vars: Vec<Spanned<String>>,
    paths: Vec<Path>,
    typed: Vec<(String, bool)>,
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

    /// Each path as often as it stands there, and whether its type is known.
    pub fn typed(&self) -> &[(String, bool)] {
        &self.compiled.typed
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
    /// What the type of the value does not have.
    UnknownField,
    /// Values that never go together.
    WrongType,
    /// A text that the field hardly ever has.
    UnlikelyText,
    BadRegex,
    /// A half-written `${`.
    BadVariable,
}
