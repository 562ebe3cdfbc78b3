//! Walks the tree that CEL parsed: refuses unknown names and functions, and rewrites what the
//! format means differently.

use std::collections::BTreeSet;

use kube_cel::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr as Node, ListExpr, LiteralValue, SelectExpr, operators,
};
use kube_cel::{IdedExpr, PRESENT};

use super::functions::{callable, is_callable};
use super::path::Path;
use super::scope::{Scope, is_type};
use super::{Fault, FaultKind};
use crate::text::{Span, VarPiece, did_you_mean, one_of, var_pieces};

/// What people ask of an object as if it were all that there is.
const OF_OBJECTS: &[&str] = &["apiVersion", "data", "kind", "metadata", "spec", "status", "type"];

/// Far deeper than what a person reads.
const DEEPEST: usize = 80;

pub(super) struct Rewriter<'a> {
    pub(super) scope: Scope,
    /// The span of a node in the outer file.
    pub(super) place: &'a dyn Fn(u64) -> Span,
    /// The same for a name that stands beside the node's own token: a call's is its bracket.
    pub(super) place_of: &'a dyn Fn(u64, &str) -> Span,
    pub(super) names: BTreeSet<String>,
    pub(super) paths: Vec<Path>,
    pub(super) faults: Vec<Fault>,
    /// The variables of the comprehensions around.
    pub(super) locals: Vec<String>,
}

impl Rewriter<'_> {
    pub(super) fn expr(&mut self, node: IdedExpr, depth: usize) -> IdedExpr {
        let id = node.id;
        if depth > DEEPEST {
            if depth == DEEPEST + 1 {
                let message = format!("this expression nests deeper than {DEEPEST} levels");
                let hint = Some("split it into several checks".to_owned());
                self.faults.push(Fault { kind: FaultKind::Syntax, span: (self.place)(id), message, hint });
            }
            return IdedExpr { id, expr: Node::Literal(LiteralValue::Null) };
        }
        let path = Path::of(&node.expr);
        let noted = path.is_some();
        if let Some(path) = path
            && !self.locals.contains(&path.root)
            && self.scope.knows(&path.root)
            && !self.paths.contains(&path)
        {
            self.paths.push(path);
        }
        let expr = match node.expr {
            Node::Ident(name) => {
                self.name(&name, id);
                Node::Ident(name)
            }
            Node::Select(select) if select.test => self.presence(select, id, depth, noted),
            Node::Select(select) => {
                let time_of_mark =
                    select.field == "time" && matches!(&select.operand.expr, Node::Ident(name) if name == "mark");
                let operand = Box::new(self.chain(*select.operand, depth, noted));
                let select = Node::Select(SelectExpr { operand, ..select });
                if time_of_mark { call("timestamp", vec![IdedExpr { id, expr: select }]) } else { select }
            }
            Node::Call(call) => self.call(call, id, depth, noted),
            Node::List(list) => {
                let elements = list.elements.into_iter().map(|e| self.expr(e, depth + 1)).collect();
                Node::List(ListExpr::new(elements))
            }
            Node::Map(mut map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        entry.key = self.expr(std::mem::take(&mut entry.key), depth + 1);
                        entry.value = self.expr(std::mem::take(&mut entry.value), depth + 1);
                    }
                }
                Node::Map(map)
            }
            Node::Literal(LiteralValue::String(text)) => literal(text.inner(), false),
            Node::Comprehension(inner) => Node::Comprehension(Box::new(self.comprehension(*inner, depth))),
            Node::Struct(literal) => {
                self.unknown(FaultKind::UnknownName, id, &format!("there is no type `{}`", literal.type_name), None);
                Node::Struct(literal)
            }
            Node::Unspecified | Node::Literal(_) => node.expr,
        };
        IdedExpr { id, expr }
    }

    /// The operand of a selection: where that is a path, the operand's was noted as part of it.
    fn chain(&mut self, node: IdedExpr, depth: usize, noted: bool) -> IdedExpr {
        let known = self.paths.len();
        let node = self.expr(node, depth + 1);
        if noted {
            self.paths.truncate(known);
        }
        node
    }

    fn name(&mut self, name: &str, id: u64) {
        if name.starts_with('@') || self.locals.iter().any(|local| local == name) || is_type(name) {
            return;
        }
        let plain = name.strip_prefix('.').unwrap_or(name);
        if self.scope.knows(plain) {
            self.names.insert(plain.to_owned());
            return;
        }
        let names = self.scope.names();
        let knows = || format!("{} knows {}", self.scope.check(), one_of(names.clone()).replace(" or ", " and "));
        let hint = if OF_OBJECTS.contains(&plain) && self.scope.knows("object") {
            format!("write `object.{plain}`")
        } else if plain.starts_with(|c: char| c.is_ascii_uppercase()) {
            format!("write a text in quotes: \"{plain}\"")
        } else {
            did_you_mean(plain, names.clone()).unwrap_or_else(knows)
        };
        self.unknown(
            FaultKind::UnknownName,
            id,
            &format!("unknown name `{name}` in {}", self.scope.check()),
            Some(hint),
        );
    }

    fn unknown(&mut self, kind: FaultKind, id: u64, message: &str, hint: Option<String>) {
        self.fault(kind, (self.place)(id), message.to_owned(), hint);
    }

    fn fault(&mut self, kind: FaultKind, span: Span, message: String, hint: Option<String>) {
        let fault = Fault { kind, span, message, hint };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// `has(root.a["b"].c)` becomes a walk along the steps, in which a missing or null part is false.
    fn presence(&mut self, select: SelectExpr, id: u64, depth: usize, noted: bool) -> Node {
        let text = |text: String| IdedExpr { id, expr: Node::Literal(LiteralValue::String(text.into())) };
        let mut steps = vec![text(select.field)];
        let mut root = *select.operand;
        loop {
            match root.expr {
                Node::Select(inner) if !inner.test => {
                    steps.push(text(inner.field));
                    root = *inner.operand;
                }
                Node::Call(mut inner) if inner.func_name == operators::INDEX && inner.args.len() == 2 => {
                    let index = inner.args.remove(1);
                    steps.push(self.expr(index, depth + 1));
                    root = inner.args.remove(0);
                }
                _ => break,
            }
        }
        steps.reverse();
        let root = self.chain(root, depth, noted);
        let steps = IdedExpr { id, expr: Node::List(ListExpr::new(steps)) };
        call(PRESENT, vec![root, steps])
    }

    fn call(&mut self, mut inner: CallExpr, id: u64, depth: usize, noted: bool) -> Node {
        let name = inner.func_name.clone();
        // A dot may part a library from its function: `optional.of(x)`.
        if let Some(library) = inner.target.as_deref().and_then(Path::spelled)
            && is_callable(&format!("{library}.{name}"), false)
        {
            inner.args = inner.args.into_iter().map(|arg| self.expr(arg, depth + 1)).collect();
            return Node::Call(inner);
        }
        let method = inner.target.is_some();
        let is_written = name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('@');
        if is_written && !is_callable(&name, method) {
            self.unknown_function(&name, method, id);
        }
        if name == "matches"
            && let Some(last) = inner.args.last_mut()
            && let Node::Literal(LiteralValue::String(pattern)) = &last.expr
        {
            self.regex(pattern.inner(), last.id);
            last.expr = literal(pattern.inner(), true);
        }
        let index = name == operators::INDEX;
        inner.target = inner.target.map(|target| Box::new(self.expr(*target, depth + 1)));
        inner.args = inner
            .args
            .into_iter()
            .enumerate()
            .map(|(nth, arg)| if index && nth == 0 { self.chain(arg, depth, noted) } else { self.expr(arg, depth + 1) })
            .collect();
        Node::Call(inner)
    }

    fn unknown_function(&mut self, name: &str, method: bool, id: u64) {
        let form = if method { format!("{name}(x)") } else { format!("x.{name}()") };
        let hint = if is_callable(name, !method) {
            format!("write `{form}`")
        } else {
            did_you_mean(name, callable(method))
                .unwrap_or_else(|| "the functions of expressions are listed in docs/labs.md".to_owned())
        };
        let span = (self.place_of)(id, name);
        self.fault(FaultKind::UnknownFunction, span, format!("unknown function `{name}`"), Some(hint));
    }

    fn regex(&mut self, pattern: &str, id: u64) {
        // A variable's value goes in as data, so any letter stands for it here.
        let sample: String = var_pieces(pattern)
            .iter()
            .map(|piece| match piece {
                VarPiece::Text(range) => &pattern[range.clone()],
                VarPiece::Escaped(_) => "${",
                VarPiece::Var { .. } | VarPiece::Broken { .. } => "x",
            })
            .collect();
        if let Err(error) = kube_cel::compile_regex(&sample) {
            let why = kube_cel::regex_complaint(&error);
            self.unknown(FaultKind::BadRegex, id, &format!("this regular expression does not compile: {why}"), None);
        }
    }

    fn comprehension(&mut self, inner: ComprehensionExpr, depth: usize) -> ComprehensionExpr {
        let iter_range = self.expr(inner.iter_range, depth + 1);
        let accu_init = self.expr(inner.accu_init, depth + 1);
        let before = self.locals.len();
        self.locals.push(inner.accu_var.clone());
        self.locals.push(inner.iter_var.clone());
        self.locals.extend(inner.iter_var2.clone());
        let loop_cond = self.expr(inner.loop_cond, depth + 1);
        let loop_step = self.expr(inner.loop_step, depth + 1);
        let result = self.expr(inner.result, depth + 1);
        self.locals.truncate(before);
        ComprehensionExpr { iter_range, accu_init, loop_cond, loop_step, result, ..inner }
    }
}

fn call(name: &str, args: Vec<IdedExpr>) -> Node {
    Node::Call(CallExpr { func_name: name.to_owned(), target: None, args })
}

/// The name under which a variable's value is bound; in a regular expression it goes in escaped.
pub(super) fn var_name(name: &str, in_regex: bool) -> String {
    if in_regex { format!("@regex {name}") } else { format!("@var {name}") }
}

/// A text with its variables as a sum of texts, so that a value is never read as syntax.
fn literal(text: &str, in_regex: bool) -> Node {
    let leaf = |expr| IdedExpr { id: 0, expr };
    let plain = |text: &str| Node::Literal(LiteralValue::String(text.to_owned().into()));
    let mut sum: Option<Node> = None;
    for piece in var_pieces(text) {
        let part = match piece {
            VarPiece::Text(range) | VarPiece::Broken { range, .. } => plain(&text[range]),
            VarPiece::Escaped(_) => plain("${"),
            VarPiece::Var { name, .. } => Node::Ident(var_name(&name, in_regex)),
        };
        sum = Some(match sum {
            None => part,
            Some(sum) => call(operators::ADD, vec![leaf(sum), leaf(part)]),
        });
    }
    sum.unwrap_or_else(|| plain(text))
}
