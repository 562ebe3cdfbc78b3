//! An expression made ready to be evaluated: names are numbered, functions found, literals made.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};

use crate::budget::Budget;
use crate::cost::Cost;
use crate::library::{self, Entry};
use crate::parse::{Part, part, qualified};
use crate::types::Type;
use crate::value::{Map, Text, Value};

/// An expression that can be evaluated, any number of times and on any thread.
#[derive(Debug)]
pub struct Program {
    pub(crate) root: Node,
    /// The names that it asks for, in the order of their numbers.
    pub(crate) names: Vec<Arc<str>>,
    depth: usize,
}

#[derive(Debug)]
pub(crate) enum Node {
    Const(Value<'static>),
    Name(usize),
    Local(usize),
    Select {
        operand: Box<Node>,
        field: Arc<str>,
        cost: u64,
    },
    Has {
        operand: Box<Node>,
        field: Arc<str>,
    },
    OptSelect {
        operand: Box<Node>,
        field: Arc<str>,
    },
    Index {
        operand: Box<Node>,
        index: Box<Node>,
        cost: u64,
        optional: bool,
    },
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Choice(Box<[Node; 3]>),
    NotFalse(Box<Node>),
    Call(Box<Call>),
    /// Each element, and whether it is left out where it has no value.
    List(Vec<(Node, bool)>),
    Map(Vec<(Node, Node, bool)>),
    Struct(Vec<(Arc<str>, Node, bool)>),
    Fold(Box<Fold>),
    /// A value under a name for one expression.
    Bind(Box<[Node; 2]>),
    /// What a macro adds to the list that it builds, which nobody else sees yet.
    Append {
        list: usize,
        element: Box<Node>,
    },
    Insert {
        map: usize,
        entry: Box<(Node, Option<Node>)>,
    },
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: Arc<str>,
    pub(crate) member: bool,
    pub(crate) entry: Entry,
    pub(crate) args: Vec<Node>,
}

/// A comprehension: its result stands first among its locals, then come one or two variables.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) range: Node,
    pub(crate) two: bool,
    pub(crate) init: Node,
    pub(crate) condition: Node,
    pub(crate) step: Node,
    pub(crate) result: Node,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.cost)
    }
}

impl Program {
    /// Makes a tree ready in which every name that is not a variable of a comprehension, a type or in `declared`
    /// is looked up by its single name. Fails with the first function that nobody has.
    pub fn new(root: &IdedExpr, declared: &dyn Fn(&str) -> bool) -> Result<Self, String> {
        let mut lower = Lower { declared, names: Vec::new(), locals: Vec::new(), depth: 0 };
        let root = lower.node(root, 0)?;
        Ok(Self { root, names: lower.names, depth: lower.depth })
    }

    /// How deep the tree is: each level takes stack.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The names that it asks for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }
}

struct Lower<'d> {
    declared: &'d dyn Fn(&str) -> bool,
    names: Vec<Arc<str>>,
    locals: Vec<String>,
    depth: usize,
}

type Lowered = Result<Node, String>;

/// Whether a selection on it goes on where the selection before stopped, as cel-go counts costs.
fn is_path(node: &Node) -> bool {
    matches!(node, Node::Name(_) | Node::Local(_) | Node::Select { .. } | Node::Index { .. } | Node::OptSelect { .. })
}

impl Lower<'_> {
    fn name(&mut self, name: &str) -> Node {
        let at = self.names.iter().position(|one| **one == *name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        Node::Name(at)
    }

    fn boxed(&mut self, node: &IdedExpr, depth: usize) -> Result<Box<Node>, String> {
        self.node(node, depth + 1).map(Box::new)
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|local| local == name)
    }

    /// The variable that a chain of selections spells, where one is declared under the whole of it.
    fn spelled(&self, node: &IdedExpr) -> Option<String> {
        let name = qualified(node)?;
        let root = name.split('.').next().unwrap_or_default();
        if self.is_local(root) {
            return None;
        }
        ((self.declared)(&name)).then_some(name)
    }

    fn node(&mut self, node: &IdedExpr, depth: usize) -> Lowered {
        self.depth = self.depth.max(depth);
        Ok(match &node.expr {
            Expr::Literal(value) => Node::Const(literal(value)),
            Expr::Ident(name) => {
                if let Some(at) = self.locals.iter().rposition(|local| local == name) {
                    return Ok(Node::Local(at));
                }
                let plain = name.strip_prefix('.').unwrap_or(name);
                match Type::of_name(plain) {
                    Some(of) if !(self.declared)(plain) => Node::Const(Value::Type(of)),
                    _ => self.name(plain),
                }
            }
            Expr::Select(select) if select.test => {
                Node::Has { operand: self.boxed(&select.operand, depth)?, field: select.field.as_str().into() }
            }
            Expr::Select(select) => {
                if let Some(name) = self.spelled(node) {
                    return Ok(self.name(&name));
                }
                if let Some(of) = qualified(node).and_then(|name| Type::of_name(&name)) {
                    return Ok(Node::Const(Value::Type(of)));
                }
                let operand = self.boxed(&select.operand, depth)?;
                let cost = if is_path(&operand) { 1 } else { 2 };
                Node::Select { operand, field: select.field.as_str().into(), cost }
            }
            Expr::Call(call) => return self.call(call, depth),
            Expr::List(list) => {
                let optional = |at: usize| list.optional_indices.contains(&at);
                let each = |(at, one): (usize, &IdedExpr)| Ok((self.node(one, depth + 1)?, optional(at)));
                let elements: Vec<_> = list.elements.iter().enumerate().map(each).collect::<Result<_, String>>()?;
                constant_list(&elements).unwrap_or(Node::List(elements))
            }
            Expr::Map(map) => {
                let mut entries = Vec::new();
                for entry in &map.entries {
                    if let Part::Entry(entry) = part(entry) {
                        let (key, value) = (self.node(&entry.key, depth + 1)?, self.node(&entry.value, depth + 1)?);
                        entries.push((key, value, entry.optional));
                    }
                }
                constant_map(&entries).unwrap_or(Node::Map(entries))
            }
            Expr::Struct(literal) => {
                let mut fields = Vec::new();
                for field in &literal.entries {
                    if let Part::Field(field) = part(field) {
                        let value = self.node(&field.value, depth + 1)?;
                        fields.push((field.field.as_str().into(), value, field.optional));
                    }
                }
                Node::Struct(fields)
            }
            Expr::Comprehension(inner) => return self.fold(inner, depth),
            Expr::Unspecified => return Err("an expression is missing".to_owned()),
        })
    }

    fn pair(&mut self, args: &[IdedExpr], depth: usize) -> Result<Box<[Node; 2]>, String> {
        let [one, two] = args else { return Err("two values are needed".to_owned()) };
        Ok(Box::new([self.node(one, depth + 1)?, self.node(two, depth + 1)?]))
    }

    fn call(&mut self, call: &CallExpr, depth: usize) -> Lowered {
        let name = call.func_name.as_str();
        let args = call.args.as_slice();
        match (name, args) {
            (operators::LOGICAL_AND, _) => return self.pair(args, depth).map(Node::And),
            (operators::LOGICAL_OR, _) => return self.pair(args, depth).map(Node::Or),
            (operators::CONDITIONAL, [test, yes, no]) => {
                let three = [self.node(test, depth + 1)?, self.node(yes, depth + 1)?, self.node(no, depth + 1)?];
                return Ok(Node::Choice(Box::new(three)));
            }
            (operators::NOT_STRICTLY_FALSE, [one]) => return Ok(Node::NotFalse(self.boxed(one, depth)?)),
            (operators::INDEX | operators::OPT_INDEX, [operand, index]) => {
                let (operand, index) = (self.boxed(operand, depth)?, self.boxed(index, depth)?);
                let cost = if is_path(&operand) { 1 } else { 2 };
                return Ok(Node::Index { operand, index, cost, optional: name == operators::OPT_INDEX });
            }
            (operators::OPT_SELECT, [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(field)), .. }]) => {
                return Ok(Node::OptSelect { operand: self.boxed(operand, depth)?, field: field.inner().into() });
            }
            (operators::ADD, [list, IdedExpr { expr: Expr::List(more), .. }])
                if more.elements.len() == 1 && more.optional_indices.is_empty() =>
            {
                if let Some(list) = self.result(list) {
                    return Ok(Node::Append { list, element: self.boxed(&more.elements[0], depth)? });
                }
            }
            ("cel.@mapInsert", [map, key, rest @ ..]) => {
                if let Some(map) = self.result(map) {
                    let key = self.node(key, depth + 1)?;
                    let value = rest.first().map(|value| self.node(value, depth + 1)).transpose()?;
                    return Ok(Node::Insert { map, entry: Box::new((key, value)) });
                }
            }
            _ => {}
        }
        // A dot may part a name from its receiver, or two parts of a function's name.
        let joined = call.target.as_deref().and_then(qualified).map(|target| format!("{target}.{name}"));
        if let Some(joined) = joined
            && !self.is_local(joined.split('.').next().unwrap_or_default())
            && let Some(entry) = library::find(&joined)
        {
            let args = args.iter().map(|arg| self.node(arg, depth + 1)).collect::<Result<_, _>>()?;
            return Ok(Node::Call(Box::new(Call { name: joined.into(), member: false, entry, args })));
        }
        let mut entry = library::find(name).ok_or_else(|| name.to_owned())?;
        let all = call.target.as_deref().into_iter().chain(args);
        let args: Vec<Node> = all.map(|arg| self.node(arg, depth + 1)).collect::<Result<_, _>>()?;
        match args.as_slice() {
            [Node::Const(arg)] if CONVERSIONS.contains(&name) => {
                // What fails is left to fail when it is evaluated.
                if let Ok(value) = (entry.call)(std::slice::from_ref(arg), &mut Budget::default()) {
                    return Ok(Node::Const(value));
                }
            }
            // cel-go looks into a constant list without a cost.
            [_, Node::Const(Value::List(_))] if name == operators::IN => entry.cost = Cost::Nothing,
            _ => {}
        }
        Ok(Node::Call(Box::new(Call { name: name.into(), member: call.target.is_some(), entry, args })))
    }

    /// The local in which a macro gathers its result, if that is what the node is.
    fn result(&self, node: &IdedExpr) -> Option<usize> {
        match &node.expr {
            Expr::Ident(name) if name == "@result" => self.locals.iter().rposition(|local| local == name),
            _ => None,
        }
    }

    fn fold(&mut self, inner: &ComprehensionExpr, depth: usize) -> Lowered {
        let before = self.locals.len();
        let init = self.node(&inner.accu_init, depth + 1)?;
        if is_bind(inner) {
            self.locals.push(inner.accu_var.clone());
            let body = self.node(&inner.result, depth + 1);
            self.locals.truncate(before);
            return Ok(Node::Bind(Box::new([init, body?])));
        }
        let range = self.node(&inner.iter_range, depth + 1)?;
        self.locals.push(inner.accu_var.clone());
        self.locals.push(inner.iter_var.clone());
        self.locals.extend(inner.iter_var2.clone());
        let condition = self.node(&inner.loop_cond, depth + 1);
        let step = self.node(&inner.loop_step, depth + 1);
        self.locals.truncate(before + 1);
        let result = self.node(&inner.result, depth + 1);
        self.locals.truncate(before);
        let two = inner.iter_var2.is_some();
        Ok(Node::Fold(Box::new(Fold { range, two, init, condition: condition?, step: step?, result: result? })))
    }
}

/// Functions that cel-go calls once, while it compiles, where what they convert is a constant.
const CONVERSIONS: &[&str] =
    &["bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"];

fn constant_list(elements: &[(Node, bool)]) -> Option<Node> {
    let each = |(element, optional): &(Node, bool)| match element {
        Node::Const(value) if !optional => Some(value.clone()),
        _ => None,
    };
    let items: Vec<Value<'static>> = elements.iter().map(each).collect::<Option<_>>()?;
    Some(Node::Const(Value::from(items)))
}

fn constant_map(entries: &[(Node, Node, bool)]) -> Option<Node> {
    let mut all = BTreeMap::new();
    for entry in entries {
        let (Node::Const(key), Node::Const(value), false) = entry else { return None };
        // A key that stands twice is an error when it is evaluated.
        if all.insert(key.key()?, value.clone()).is_some() {
            return None;
        }
    }
    Some(Node::Const(Value::Map(Map::Owned(Arc::new(all)))))
}

/// A comprehension over nothing whose loop never runs: that is how a macro binds a name.
pub(crate) fn is_bind(inner: &ComprehensionExpr) -> bool {
    let empty = matches!(&inner.iter_range.expr, Expr::List(list) if list.elements.is_empty());
    let never = matches!(&inner.loop_cond.expr, Expr::Literal(LiteralValue::Boolean(value)) if !*value.inner());
    empty && never && inner.accu_var != "@result"
}

fn literal(value: &LiteralValue) -> Value<'static> {
    match value {
        LiteralValue::Boolean(value) => Value::Bool(*value.inner()),
        LiteralValue::Bytes(bytes) => Value::Bytes(bytes.inner().into()),
        LiteralValue::Double(value) => Value::Double(*value.inner()),
        LiteralValue::Int(value) => Value::Int(*value.inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::String(text) => Value::String(Text::Shared(text.inner().into())),
        LiteralValue::UInt(value) => Value::UInt(*value.inner()),
    }
}
