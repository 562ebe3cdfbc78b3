//! What an expression may speak of, and what it is compiled to.

use std::collections::HashMap;
use std::fmt;

use cel::IdedExpr;
use cel::common::ast::{Expr, SourceInfo};

use crate::check::{Checker, Known};
use crate::estimate::{Estimator, Range};
use crate::parse::{on_big_stack, parse};
use crate::program::Program;
use crate::signatures::{Library, overloads};
use crate::types::Type;

/// Far deeper than what a person reads; cel-go allows about as much.
const DEEPEST: usize = 250;

/// The names that an expression may use, with their types, and its functions.
#[derive(Debug, Clone)]
pub struct Env {
    variables: HashMap<String, Type>,
    libraries: Vec<Library>,
}

/// An expression that means something.
#[derive(Debug)]
pub struct Checked {
    /// What is evaluated.
    pub program: Program,
    /// What it comes to.
    pub result: Type,
    tree: IdedExpr,
    known: Known,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Counted from 1.
    pub line: usize,
    /// In characters, from zero.
    pub column: usize,
    /// In cel-go's words.
    pub message: String,
}

/// All that is wrong, in the order of its places; written as cel-go writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issues {
    /// Each problem, in the order of the text.
    pub all: Vec<Issue>,
    source: String,
}

impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Issue { line, column, message }) in self.all.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}ERROR: <input>:{line}:{}: {message}", column + 1)?;
            if let Some(text) = self.source.lines().nth(line - 1) {
                write!(f, "\n | {text}\n | {:.>width$}", "^", width = column + 1)?;
            }
        }
        Ok(())
    }
}

impl Env {
    /// Kubernetes' functions, and these names.
    pub fn new<'n>(variables: impl IntoIterator<Item = (&'n str, Type)>) -> Self {
        let variables = variables.into_iter().map(|(name, of)| (name.to_owned(), of)).collect();
        Self { variables, libraries: vec![Library::Standard, Library::Authorizer] }
    }

    /// One more name. A name with dots is one variable, such as `variables.total`.
    pub fn declare(&mut self, name: &str, of: Type) {
        self.variables.insert(name.to_owned(), of);
    }

    /// What the expressions of mutating policies have besides: the types that they build patches of, too.
    #[must_use]
    pub fn with(mut self, library: Library) -> Self {
        self.libraries.push(library);
        self
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&Type> {
        self.variables.get(name)
    }

    pub(crate) fn has_library(&self, library: Library) -> bool {
        self.libraries.contains(&library)
    }

    pub(crate) fn has_function(&self, name: &str) -> bool {
        overloads(name).iter().any(|one| self.has_library(one.library))
    }

    /// The type of a literal such as `Object.spec{…}`.
    pub(crate) fn structure(&self, name: &str) -> Option<Type> {
        let known = name == "Object" || name.starts_with("Object.") || name == "JSONPatch";
        (known && self.has_library(Library::Patches)).then(|| Type::object(name, []))
    }

    pub(crate) fn structure_field(structure: &str, field: &str) -> Option<Type> {
        match (structure, field) {
            ("JSONPatch", "op" | "path" | "from") => Some(Type::String),
            ("JSONPatch", other) if other != "value" => None,
            _ => Some(Type::Dyn),
        }
    }

    /// Compiles and checks.
    pub fn compile(&self, text: &str) -> Result<Checked, Issues> {
        on_big_stack(|| self.compile_here(text))
    }

    fn compile_here(&self, text: &str) -> Result<Checked, Issues> {
        let issues = |all| Issues { all, source: text.to_owned() };
        let (tree, info) = parse(text).map_err(|errors| {
            let place = |at: isize| usize::try_from(at).unwrap_or(0);
            let issue = |error: cel::parser::ParseError| Issue {
                line: place(error.pos.0).max(1),
                column: place(error.pos.1).saturating_sub(1),
                message: error.msg,
            };
            issues(errors.errors.into_iter().map(issue).collect())
        })?;
        if is_deeper(&tree, DEEPEST) {
            let message = format!("expression recursion limit exceeded: {DEEPEST}");
            return Err(issues(vec![Issue { line: 1, column: 0, message }]));
        }
        let (result, known, wrong) = Checker::new(self).run(&tree);
        if !wrong.is_empty() {
            let mut all: Vec<Issue> = wrong.into_iter().map(|(id, message)| placed(text, &info, id, message)).collect();
            all.sort_by_key(|issue| (issue.line, issue.column));
            all.dedup();
            return Err(issues(all));
        }
        let program = Program::new(&tree, &|name| self.variables.contains_key(name)).map_err(|message| {
            issues(vec![Issue {
                line: 1,
                column: 0,
                message: format!("undeclared reference to '{message}' (in container '')"),
            }])
        })?;
        Ok(Checked { program, result, tree, known })
    }
}

impl Checked {
    /// Whether it uses the variable of this name.
    pub fn uses(&self, name: &str) -> bool {
        self.program.names().any(|one| one == name)
    }

    /// What it may cost, where `sizes` gives the greatest size of the value at a path such as `self`, `spec`, `@items`.
    pub fn cost(&self, sizes: &(dyn Fn(&[String]) -> Option<u64> + Sync)) -> Range {
        on_big_stack(|| Estimator::new(&self.known, sizes).run(&self.tree))
    }
}

/// The place of a node, counted in characters.
fn placed(text: &str, info: &SourceInfo, id: u64, message: String) -> Issue {
    let at = info.offset_for(id).map_or(0, |(start, _)| start as usize).min(text.len());
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    Issue { line: before.matches('\n').count() + 1, column: before[start..].chars().count(), message }
}

fn is_deeper(node: &IdedExpr, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    let deeper = |node: &IdedExpr| is_deeper(node, left);
    match &node.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).any(deeper),
        Expr::Select(select) => deeper(&select.operand),
        Expr::List(list) => list.elements.iter().any(deeper),
        Expr::Map(map) => map.entries.iter().any(|entry| entry_is_deeper(entry, left)),
        Expr::Struct(literal) => literal.entries.iter().any(|entry| entry_is_deeper(entry, left)),
        Expr::Comprehension(inner) => {
            [&inner.iter_range, &inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result]
                .into_iter()
                .any(deeper)
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => false,
    }
}

fn entry_is_deeper(entry: &cel::common::ast::IdedEntryExpr, left: usize) -> bool {
    match crate::parse::part(entry) {
        crate::parse::Part::Entry(entry) => is_deeper(&entry.key, left) || is_deeper(&entry.value, left),
        crate::parse::Part::Field(field) => is_deeper(&field.value, left),
    }
}
