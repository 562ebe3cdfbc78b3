//! What an expression may cost at most, before it is ever evaluated: cel-go's estimator with Kubernetes' own part.

use std::collections::HashMap;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue};

use crate::check::Known;
use crate::cost::{LIST, MAP, STRUCT};
use crate::parse::{Part, part};
use crate::program::is_bind;
use crate::types::Type;

mod calls;

/// From the least to the most; the greatest number stands for all that is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least that it can be.
    pub min: u64,
    /// The most that it can be.
    pub max: u64,
}

impl Range {
    pub(crate) const NONE: Range = Range { min: 0, max: 0 };
    pub(crate) const UNKNOWN: Range = Range { min: 0, max: u64::MAX };

    pub(crate) fn fixed(value: u64) -> Self {
        Range { min: value, max: value }
    }

    fn plus(self, other: Range) -> Self {
        Range { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    fn times(self, other: Range) -> Self {
        Range { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    /// A part of each end, rounded up.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "cel-go counts so, and a cast stops at the greatest number"
    )]
    fn scaled(self, factor: f64) -> Self {
        let scale = |value: u64| (value as f64 * factor).ceil() as u64;
        Range { min: scale(self.min), max: scale(self.max) }
    }

    /// What costs a tenth for each character.
    fn traversed(self) -> Self {
        self.scaled(0.1)
    }

    fn union(self, other: Range) -> Self {
        Range { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

/// The sizes of a list's or map's keys and elements.
#[derive(Debug, Clone, Copy)]
struct Entries {
    is_list: bool,
    key: Range,
    value: Range,
}

#[derive(Debug, Clone, Default)]
struct Local {
    path: Option<Vec<String>>,
    size: Option<Range>,
    entries: Option<Entries>,
}

pub(crate) struct Estimator<'e> {
    known: &'e Known,
    sizes: &'e (dyn Fn(&[String]) -> Option<u64> + Sync),
    paths: HashMap<u64, Vec<String>>,
    computed: HashMap<u64, Range>,
    entries: HashMap<u64, Entries>,
    locals: Vec<(String, Local)>,
}

impl<'e> Estimator<'e> {
    pub(crate) fn new(known: &'e Known, sizes: &'e (dyn Fn(&[String]) -> Option<u64> + Sync)) -> Self {
        Self {
            known,
            sizes,
            paths: HashMap::new(),
            computed: HashMap::new(),
            entries: HashMap::new(),
            locals: Vec::new(),
        }
    }

    pub(crate) fn run(mut self, root: &IdedExpr) -> Range {
        self.cost(root)
    }

    fn of(&self, node: &IdedExpr) -> &Type {
        self.known.types.get(&node.id).unwrap_or(&crate::types::DYN)
    }

    fn local(&self, name: &str) -> Option<&Local> {
        self.locals.iter().rev().find(|(local, _)| local == name).map(|(_, local)| local)
    }

    fn path(&self, node: &IdedExpr) -> Option<Vec<String>> {
        if let Expr::Ident(name) = &node.expr
            && let Some(local) = self.local(name)
        {
            return local.path.clone();
        }
        self.paths.get(&node.id).cloned()
    }

    /// The path of an element or a field, where the whole has one.
    fn below(&self, node: &IdedExpr, step: &str) -> Option<Vec<String>> {
        let mut path = self.path(node)?;
        path.push(step.to_owned());
        Some(path)
    }

    fn note(&mut self, node: &IdedExpr, path: Option<Vec<String>>) {
        if let Some(path) = path {
            self.paths.insert(node.id, path);
        }
    }

    fn size(&self, node: &IdedExpr) -> Option<Range> {
        if let Some(size) = self.computed.get(&node.id) {
            return Some(*size);
        }
        match &node.expr {
            Expr::Literal(value) => {
                return Some(Range::fixed(match value {
                    LiteralValue::String(text) => text.inner().chars().count() as u64,
                    LiteralValue::Bytes(bytes) => bytes.inner().len() as u64,
                    _ => 1,
                }));
            }
            Expr::List(list) => return Some(Range::fixed(list.elements.len() as u64)),
            Expr::Map(map) => return Some(Range::fixed(map.entries.len() as u64)),
            _ => {}
        }
        let declared = self.path(node).and_then(|path| self.declared(&path));
        declared.or_else(|| self.of(node).is_scalar().then_some(Range::fixed(1))).or_else(|| match &node.expr {
            Expr::Ident(name) => self.local(name).and_then(|local| local.size),
            _ => None,
        })
    }

    fn declared(&self, path: &[String]) -> Option<Range> {
        // A macro's own result has no place in the schema.
        if path.first().is_none_or(|first| first.starts_with('@')) {
            return None;
        }
        (self.sizes)(path).map(|max| Range { min: 0, max })
    }

    fn size_or_unknown(&self, node: &IdedExpr) -> Range {
        self.size(node).unwrap_or(Range::UNKNOWN)
    }

    fn entries_of(&self, node: &IdedExpr) -> Option<Entries> {
        if let Some(entries) = self.entries.get(&node.id) {
            return Some(*entries);
        }
        match &node.expr {
            Expr::Ident(name) => self.local(name).and_then(|local| local.entries),
            _ => None,
        }
    }

    fn cost(&mut self, node: &IdedExpr) -> Range {
        match &node.expr {
            Expr::Literal(_) | Expr::Unspecified => Range::NONE,
            Expr::Ident(name) => {
                let path = match self.local(name) {
                    Some(local) => local.path.clone(),
                    None => Some(vec![name.clone()]),
                };
                self.note(node, path);
                Range::fixed(1)
            }
            Expr::Select(select) => {
                let operand = self.cost(&select.operand);
                if select.test {
                    return operand;
                }
                let own = match self.of(&select.operand) {
                    Type::Map(_) | Type::Object(_) | Type::Param(_) => 1,
                    _ => 0,
                };
                let path = self.below(&select.operand, &select.field);
                self.note(node, path);
                operand.plus(Range::fixed(own))
            }
            Expr::Call(call) => self.call(call, node),
            Expr::List(list) => {
                let least = if list.elements.is_empty() { 0 } else { u64::MAX };
                let mut value = Range { min: least, max: 0 };
                let mut sum = Range::fixed(LIST);
                for element in &list.elements {
                    sum = sum.plus(self.cost(element));
                    value = value.union(self.size_or_unknown(element));
                }
                self.entries.insert(node.id, Entries { is_list: true, key: Range::fixed(1), value });
                sum
            }
            Expr::Map(map) => {
                let least = if map.entries.is_empty() { 0 } else { u64::MAX };
                let (mut key, mut value) = (Range { min: least, max: 0 }, Range { min: least, max: 0 });
                let mut sum = Range::fixed(MAP);
                for entry in &map.entries {
                    let Part::Entry(entry) = part(entry) else { continue };
                    sum = sum.plus(self.cost(&entry.key)).plus(self.cost(&entry.value));
                    key = key.union(self.size_or_unknown(&entry.key));
                    value = value.union(self.size_or_unknown(&entry.value));
                }
                self.entries.insert(node.id, Entries { is_list: false, key, value });
                sum
            }
            Expr::Struct(literal) => {
                let mut sum = Range::fixed(STRUCT);
                for entry in &literal.entries {
                    if let Part::Field(field) = part(entry) {
                        sum = sum.plus(self.cost(&field.value));
                    }
                }
                sum
            }
            Expr::Comprehension(inner) if is_bind(inner) => self.bind(inner, node),
            Expr::Comprehension(inner) => self.comprehension(inner, node),
        }
    }

    fn push(&mut self, name: &str, local: Local) {
        self.locals.push((name.to_owned(), local));
    }

    fn bound(&self, node: &IdedExpr) -> Local {
        Local { path: self.path(node), size: self.size(node), entries: self.entries_of(node) }
    }

    fn bind(&mut self, inner: &ComprehensionExpr, node: &IdedExpr) -> Range {
        let mut sum = self.cost(&inner.iter_range).plus(self.cost(&inner.accu_init));
        let local = self.bound(&inner.accu_init);
        self.push(&inner.accu_var, local);
        sum = sum.plus(self.cost(&inner.result));
        self.locals.pop();
        if let Some(size) = self.size(&inner.result) {
            self.computed.insert(node.id, size);
        }
        if let Some(entries) = self.entries_of(&inner.result) {
            self.entries.insert(node.id, entries);
        }
        sum
    }

    fn comprehension(&mut self, inner: &ComprehensionExpr, node: &IdedExpr) -> Range {
        let mut sum = self.cost(&inner.iter_range).plus(self.cost(&inner.accu_init));
        let local = self.bound(&inner.accu_init);
        self.push(&inner.accu_var, local);
        let entries = self.entries_of(&inner.iter_range);
        let is_list = entries.map_or_else(|| matches!(self.of(&inner.iter_range), Type::List(_)), |one| one.is_list);
        let variable = |estimator: &Self, size: Option<Range>, step: &str| Local {
            path: estimator.below(&inner.iter_range, step),
            size,
            entries: None,
        };
        let key = entries.map(|one| one.key);
        let value = entries.map(|one| one.value);
        let before = self.locals.len();
        if let Some(second) = &inner.iter_var2 {
            let first = variable(self, key, if is_list { "@indices" } else { "@keys" });
            let last = variable(self, value, if is_list { "@items" } else { "@values" });
            self.push(&inner.iter_var, first);
            self.push(second, last);
        } else {
            let only = if is_list { variable(self, value, "@items") } else { variable(self, key, "@keys") };
            self.push(&inner.iter_var, only);
        }
        let each = self.cost(&inner.loop_cond).plus(self.cost(&inner.loop_step));
        self.locals.truncate(before);
        sum = sum.plus(self.cost(&inner.result));
        self.locals.truncate(before - 1);
        let count = self.size_or_unknown(&inner.iter_range);
        sum = sum.plus(count.times(each));
        match &inner.accu_init.expr {
            Expr::Literal(_) => {
                if let Some(size) = self.size(&inner.accu_init) {
                    self.computed.insert(node.id, size);
                }
            }
            Expr::List(_) | Expr::Map(_) => {
                self.computed.insert(node.id, count);
                if let Some(entries) = self.entries_of(&inner.loop_step) {
                    self.entries.insert(node.id, entries);
                }
            }
            _ => {}
        }
        sum
    }

    fn call(&mut self, call: &CallExpr, node: &IdedExpr) -> Range {
        if call.func_name == "dyn"
            && let [arg] = call.args.as_slice()
        {
            let cost = self.cost(arg);
            if let Some(size) = self.size(arg) {
                self.computed.insert(node.id, size);
            }
            if let Some(entries) = self.entries_of(arg) {
                self.entries.insert(node.id, entries);
            }
            return cost.plus(Range::fixed(1));
        }
        let costs: Vec<Range> = call.args.iter().map(|arg| self.cost(arg)).collect();
        let Some(overloads) = self.known.overloads.get(&node.id) else { return Range::NONE };
        let member = overloads.first().is_some_and(|one| one.member);
        let mut sum = Range::NONE;
        let target = call.target.as_deref().filter(|_| member);
        if let Some(target) = target {
            sum = self.cost(target);
        }
        let mut all = Range { min: u64::MAX, max: 0 };
        let mut size: Option<Range> = None;
        for overload in overloads {
            let (cost, result) = self.of_call(overload, target, &call.args, &costs, node);
            all = all.union(cost);
            if let Some(result) = result {
                size = Some(size.map_or(result, |before| before.union(result)));
            }
            let step = match overload.id.as_str() {
                "index_list" => Some("@items"),
                "index_map" => Some("@values"),
                _ => None,
            };
            if let (Some(step), Some(first)) = (step, call.args.first()) {
                size = self.entries_of(first).map(|one| one.value);
                let path = self.below(first, step);
                self.note(node, path);
            }
            size = size.or_else(|| self.size(node));
        }
        if let Some(size) = size {
            self.computed.insert(node.id, size);
        }
        sum.plus(all)
    }
}
