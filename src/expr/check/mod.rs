//! Checks the types of an expression when a lab is read: each path, index, comparison and call, at its
//! place. What no schema describes is of any type, and passes.

mod call;
mod compare;
mod field;
mod narrow;
mod place;

use kube_cel::IdedExpr;
use kube_cel::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr as Node, LiteralValue, operators};

use super::ask::{Asked, HERE};
use super::path::Path;
use super::scope::{Scope, is_type};
use super::types::{Fact, Known, Object, Subject, Text, Type, Writes};
use super::{Fault, FaultKind};
use crate::text::Span;

pub(super) use call::takes;
pub(super) use place::Places;

pub(super) struct Checker<'a> {
    scope: Scope,
    subject: &'a Subject,
    places: Places<'a>,
    /// The variables of the comprehensions around.
    locals: Vec<(String, Type)>,
    /// What the conditions around say of the object's kind.
    facts: Vec<Fact>,
    faults: Vec<Fault>,
    /// What a finding has explained already: what else is found there follows from it.
    pub(super) explained: Vec<Span>,
    /// Each path, and whether its type is known.
    pub(super) seen: Vec<(String, bool)>,
    /// What stands at the place that an editor asks for.
    pub(super) asked: Option<Asked>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(scope: Scope, subject: &'a Subject, places: Places<'a>) -> Self {
        Self {
            scope,
            subject,
            places,
            locals: Vec::new(),
            facts: Vec::new(),
            faults: Vec::new(),
            explained: Vec::new(),
            seen: Vec::new(),
            asked: None,
        }
    }

    /// Checks a whole condition.
    pub(super) fn condition(&mut self, root: &IdedExpr) -> Vec<Fault> {
        let kind = self.node(root);
        self.demand_bool(root, &kind);
        std::mem::take(&mut self.faults)
    }

    fn fault(&mut self, kind: FaultKind, span: Span, message: String, hint: Option<String>) {
        let fault = Fault { kind, span, message, hint };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// The type of a part, without a word about what is wrong with it.
    fn quietly(&mut self, node: &IdedExpr) -> Type {
        let (faults, seen, explained) = (self.faults.len(), self.seen.len(), self.explained.len());
        let kind = self.part(node);
        self.faults.truncate(faults);
        self.seen.truncate(seen);
        self.explained.truncate(explained);
        kind
    }

    /// The type of an expression; a path is noted.
    fn node(&mut self, node: &IdedExpr) -> Type {
        let kind = self.part(node);
        if let Some(path) = Path::of(&node.expr)
            && !path.root.starts_with('@')
            && !is_type(&path.root)
        {
            self.seen.push((path.to_string(), !kind.is_dyn()));
        }
        kind
    }

    fn part(&mut self, node: &IdedExpr) -> Type {
        match &node.expr {
            Node::Ident(name) => self.name(name, node),
            Node::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::UInt(_) | LiteralValue::Double(_) => Type::Number,
                LiteralValue::String(_) => Type::text(),
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Null => Type::Null,
            },
            Node::Select(select) => {
                let base = self.part(&select.operand);
                let kind = self.field(&base, &select.field, node);
                if select.test { Type::Bool } else { kind }
            }
            Node::List(list) => {
                let held = list.elements.iter().map(|element| self.node(element)).fold(Type::Never, Type::or);
                Type::list(held)
            }
            Node::Map(map) => {
                let mut held = Type::Never;
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.node(&entry.key);
                        held = held.or(self.node(&entry.value));
                    }
                }
                Type::map(held)
            }
            Node::Comprehension(inner) => self.comprehension(inner),
            Node::Call(call) => self.call(call, node),
            Node::Struct(_) | Node::Unspecified => Type::Dyn,
        }
    }

    /// Whether the name is a variable here.
    fn is_value(&self, name: &str) -> bool {
        self.locals.iter().any(|(local, _)| local == name) || self.scope.knows(name)
    }

    fn name(&mut self, name: &str, node: &IdedExpr) -> Type {
        if name == HERE {
            let written = self.locals.iter().filter(|(local, _)| !local.starts_with('@'));
            self.asked = Some(Asked::Name(written.cloned().collect()));
            return Type::Dyn;
        }
        if let Some((_, kind)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return kind.clone();
        }
        let plain = name.strip_prefix('.').unwrap_or(name);
        let Some((_, known)) = self.scope.table().iter().find(|(known, _)| *known == plain) else {
            return if is_type(plain) { Type::TypeName } else { Type::Dyn };
        };
        match known {
            Known::Object if self.subject.writes == Writes::Delete => Type::Null,
            Known::Object | Known::OldObject => self.subject.object(&self.facts),
            known => {
                if plain == "value" && self.subject.writes == Writes::Delete {
                    let message = "a DELETE has no `value`: it is empty".to_owned();
                    let hint = Some("ask `oldObject`, which is the deleted object".to_owned());
                    self.fault(FaultKind::WrongType, self.places.span(node), message, hint);
                }
                known.of()
            }
        }
    }

    fn call(&mut self, call: &CallExpr, node: &IdedExpr) -> Type {
        match (call.func_name.as_str(), &call.args[..]) {
            (operators::LOGICAL_AND, [left, right]) => self.both(left, right, true),
            (operators::LOGICAL_OR, [left, right]) => self.both(left, right, false),
            (operators::LOGICAL_NOT, [inner]) => {
                let kind = self.node(inner);
                self.demand_bool(inner, &kind);
                Type::Bool
            }
            (operators::NOT_STRICTLY_FALSE, [inner]) => {
                self.node(inner);
                Type::Bool
            }
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let kind = self.node(condition);
                self.demand_bool(condition, &kind);
                let yes = self.under(condition, true, yes);
                yes.or(self.under(condition, false, no))
            }
            (operators::INDEX, [base, index]) => {
                let kind = self.part(base);
                self.index(&kind, base, index, node)
            }
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => self.equality(call, left, right),
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [left, right],
            ) => self.ordering(call, left, right),
            (operators::IN, [wanted, holder]) => self.membership(wanted, holder),
            (
                operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO,
                [left, right],
            ) => self.arithmetic(call, left, right),
            (operators::NEGATE, [inner]) => {
                let kind = self.node(inner);
                let fits = kind.alternatives().iter().any(|kind| {
                    matches!(
                        kind,
                        Type::Dyn | Type::Int | Type::Number | Type::IntOrText | Type::Duration | Type::Never
                    )
                });
                if !fits {
                    let message = format!("`{}` is {}, which has no `-`", self.places.text(inner), kind.noun());
                    self.fault(FaultKind::WrongType, self.places.span(inner), message, None);
                    return Type::Dyn;
                }
                kind
            }
            _ => self.function(call, node),
        }
    }

    /// Each side of `&&` is asked where the other holds, each side of `||` where the other does not.
    fn both(&mut self, left: &IdedExpr, right: &IdedExpr, holds: bool) -> Type {
        for (side, other) in [(left, right), (right, left)] {
            let kind = self.under(other, holds, side);
            self.demand_bool(side, &kind);
        }
        Type::Bool
    }

    /// The type of a part where a condition holds, or does not.
    fn under(&mut self, condition: &IdedExpr, holds: bool, part: &IdedExpr) -> Type {
        let known = self.facts.len();
        if self.subject.count() > 1 {
            self.facts.extend(narrow::facts(condition, holds));
        }
        let kind = self.node(part);
        self.facts.truncate(known);
        kind
    }

    fn demand_bool(&mut self, node: &IdedExpr, kind: &Type) {
        if let Node::Call(call) = &node.expr
            && let (operators::CONDITIONAL, [_, yes, no]) = (call.func_name.as_str(), &call.args[..])
        {
            for branch in [yes, no] {
                let kind = self.quietly(branch);
                self.demand_bool(branch, &kind);
            }
            return;
        }
        if kind.alternatives().iter().any(|kind| matches!(kind, Type::Bool | Type::Dyn | Type::Never)) {
            return;
        }
        self.neither(node, kind);
    }

    fn neither(&mut self, node: &IdedExpr, kind: &Type) {
        let text = self.places.text(node);
        let hint = match kind.alternatives() {
            [Type::Text(_)] => format!("compare it: `{text} == \"…\"`"),
            [Type::Int | Type::Number | Type::IntOrText] => format!("compare it: `{text} == 1`"),
            [Type::List(_) | Type::Map(_)] => format!("ask how many it holds: `size({text}) > 0`"),
            _ if matches!(&node.expr, Node::Select(_)) => format!("to ask whether it is there, write `has({text})`"),
            _ => "compare it with something".to_owned(),
        };
        let message = format!("`{text}` is {}, neither true nor false", kind.noun());
        self.fault(FaultKind::WrongType, self.places.span(node), message, Some(hint));
    }

    fn comprehension(&mut self, inner: &ComprehensionExpr) -> Type {
        let range = self.node(&inner.iter_range);
        let (mut key, mut held) = (Type::Never, Type::Never);
        for kind in range.alternatives() {
            let (of_key, of_held) = match kind {
                Type::List(of) => (Type::Int, (**of).clone()),
                // Going through a map is going through its keys.
                Type::Map(of) if inner.iter_var2.is_some() => (Type::text(), (**of).clone()),
                Type::Map(_) | Type::Object(_) if inner.iter_var2.is_none() => (Type::text(), Type::text()),
                Type::Dyn | Type::Object(_) => (Type::Dyn, Type::Dyn),
                _ => continue,
            };
            key = key.or(of_key);
            held = held.or(of_held);
        }
        if held == Type::Never && !matches!(&range, Type::List(_) | Type::Map(_) | Type::Never) {
            let text = self.places.text(&inner.iter_range);
            let message = format!("`{text}` is {}, which has no elements to iterate over", range.noun());
            self.fault(FaultKind::WrongType, self.places.span(&inner.iter_range), message, None);
            held = Type::Dyn;
        }
        let held = if held == Type::Never { Type::Dyn } else { held };
        let before = self.locals.len();
        let begin = self.part(&inner.accu_init);
        self.locals.push((inner.accu_var.clone(), begin.clone()));
        match &inner.iter_var2 {
            Some(second) => {
                self.locals.push((inner.iter_var.clone(), key));
                self.locals.push((second.clone(), held));
            }
            None => self.locals.push((inner.iter_var.clone(), held)),
        }
        self.node(&inner.loop_cond);
        let step = self.part(&inner.loop_step);
        self.locals.truncate(before);
        self.locals.push((inner.accu_var.clone(), begin.or(step)));
        let result = self.part(&inner.result);
        self.locals.truncate(before);
        result
    }
}

/// Whether a text is the stars that a saved lab has in place of a secret.
fn is_hidden(text: &str) -> bool {
    text.contains("****") || (!text.is_empty() && text.bytes().all(|byte| byte == b'*'))
}

/// The text of a literal, if it is known before the lab runs.
fn literal_text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Node::Literal(LiteralValue::String(text)) if !text.inner().contains("${") => Some(text.inner()),
        _ => None,
    }
}

fn is_literal(node: &IdedExpr) -> bool {
    matches!(&node.expr, Node::Literal(_) | Node::List(_) | Node::Map(_))
}

fn is_object(kind: &Type) -> bool {
    kind.alternatives().iter().any(|kind| matches!(kind, Type::Object(Object::Kind { .. } | Object::Declared(_))))
}

fn is_plain(kind: &Type) -> bool {
    matches!(kind, Type::Text(Text::Plain))
}
