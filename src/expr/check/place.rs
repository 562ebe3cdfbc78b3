use std::ops::Range;

use kube_cel::IdedExpr;
use kube_cel::ast::{Expr as Node, operators};

use crate::expr::token::{Kind, token};
use crate::text::Span;

/// The longest part that a message quotes.
const LONGEST: usize = 70;

/// Where the parts of an expression stand.
pub(in crate::expr) struct Places<'a> {
    /// The expression on one line.
    pub(in crate::expr) text: &'a str,
    /// The byte at which CEL's own token of a node begins.
    pub(in crate::expr) offset: &'a dyn Fn(u64) -> Option<usize>,
    pub(in crate::expr) outer: &'a dyn Fn(Range<usize>) -> Span,
}

impl Places<'_> {
    pub(super) fn span(&self, node: &IdedExpr) -> Span {
        (self.outer)(self.range(node))
    }

    /// The part as it is written, in quotes of its own.
    pub(super) fn text(&self, node: &IdedExpr) -> String {
        let text = self.text.get(self.range(node)).unwrap_or_default();
        let mut text = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        if text.chars().count() > LONGEST {
            text = text.chars().take(LONGEST).chain(['…']).collect();
        }
        text
    }

    pub(super) fn range(&self, node: &IdedExpr) -> Range<usize> {
        let start = self.start(node);
        start..self.end(node).max(start)
    }

    /// The name that stands behind a part, as the field of a selection does.
    pub(super) fn name_behind(&self, part: &IdedExpr, name: &str) -> Range<usize> {
        let from = self.end(part);
        let found = self.text.get(from..).and_then(|rest| rest.find(name)).map_or(from, |at| from + at);
        found..(found + name.len()).min(self.text.len())
    }

    /// The name of a call, whose own token is its bracket.
    pub(super) fn name_of_call(&self, node: &IdedExpr, name: &str) -> Range<usize> {
        let at = self.at(node);
        let found = self.text.get(..at).and_then(|lead| lead.rfind(name)).unwrap_or(at);
        found..(found + name.len()).min(self.text.len())
    }

    fn at(&self, node: &IdedExpr) -> usize {
        (self.offset)(node.id).unwrap_or(0).min(self.text.len())
    }

    fn start(&self, node: &IdedExpr) -> usize {
        match &node.expr {
            Node::Select(select) if select.test => self.name_of_call(node, operators::HAS).start,
            Node::Select(select) => self.start(&select.operand),
            Node::Comprehension(inner) => self.start(&inner.iter_range),
            Node::Call(call) => match (&call.target, &call.args[..]) {
                (Some(target), _) => self.start(target),
                (None, [_]) if call.func_name.starts_with(['!', '-']) => self.at(node),
                (None, [first, ..]) if is_operator(&call.func_name) => self.start(first),
                (None, _) => self.name_of_call(node, &call.func_name).start,
            },
            _ => self.at(node),
        }
    }

    fn end(&self, node: &IdedExpr) -> usize {
        let at = self.at(node);
        match &node.expr {
            Node::Select(select) if !select.test => self.name_behind(&select.operand, &select.field).end,
            Node::Call(call) if call.func_name != operators::INDEX && is_operator(&call.func_name) => {
                call.args.last().map_or(at, |last| self.end(last))
            }
            Node::Select(_) | Node::Call(_) | Node::Comprehension(_) | Node::List(_) | Node::Map(_) => self.closing(at),
            _ => token(self.text, at).map_or(at, |(_, range)| range.end),
        }
    }

    /// The end of the brackets that open at this place.
    fn closing(&self, open: usize) -> usize {
        let (mut at, mut depth) = (open, 0_usize);
        while at < self.text.len() {
            if self.text[at..].starts_with(' ') {
                at += 1;
                continue;
            }
            let Ok((kind, range)) = token(self.text, at) else { break };
            match kind {
                Kind::Open => depth += 1,
                Kind::Close if depth <= 1 => return range.end,
                Kind::Close => depth -= 1,
                _ => {}
            }
            at = range.end;
        }
        open
    }
}

fn is_operator(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_alphabetic())
}
