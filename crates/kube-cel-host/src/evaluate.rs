//! The interpreter. It counts what it does by Kubernetes' measure, and can be stopped at any step.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::budget::Budget;
use crate::cost::{LIST, MAP, STRUCT};
use crate::error::{Error, Mismatch};
use crate::library::{self, Given};
use crate::program::{Call, Fold, Node, Program};
use crate::value::{Key, List, Map, Text, Value};

/// Gives the value of a name.
pub type Names<'n, 'a> = &'n dyn Fn(&str) -> Option<Result<Value<'a>, Error>>;

/// A debug build takes some 15 KB of stack a level, and a worker thread has 2 MB: deeper trees are evaluated on a
/// thread of their own.
const SHALLOW: usize = 40;

impl Program {
    /// The value of the expression.
    pub fn evaluate<'a>(&'a self, names: Names<'_, 'a>, budget: &mut Budget) -> Given<'a> {
        let mut frame = Frame { program: self, names, known: vec![None; self.names.len()], locals: Vec::new(), budget };
        frame.node(&self.root)
    }

    /// Whether evaluating fits the stack of any thread; else [`crate::on_big_stack`] is the place for it.
    pub fn is_shallow(&self) -> bool {
        self.depth() <= SHALLOW
    }
}

struct Frame<'f, 'a> {
    program: &'a Program,
    names: Names<'f, 'a>,
    /// By number; a name is asked for once.
    known: Vec<Option<Value<'a>>>,
    /// A result that a comprehension gathers may be an error until a later step makes it a value.
    locals: Vec<Given<'a>>,
    budget: &'f mut Budget,
}

fn overload(function: &str, member: bool, args: &[&Value<'_>]) -> Error {
    let arguments = args.iter().map(|arg| arg.type_of().to_string()).collect();
    Error::NoSuchOverload(Box::new(Mismatch { function: function.to_owned(), member, arguments }))
}

impl<'a> Frame<'_, 'a> {
    fn node(&mut self, node: &'a Node) -> Given<'a> {
        match node {
            Node::Const(Value::String(text)) => Ok(Value::String(Text::Borrowed(text.as_str()))),
            Node::Const(value) => Ok(value.clone()),
            Node::Name(at) => self.name(*at),
            Node::Local(at) => {
                self.budget.charge(1)?;
                self.locals[*at].clone()
            }
            Node::Select { operand, field, cost } => {
                let operand = self.node(operand)?;
                self.budget.charge(*cost)?;
                select(&operand, field)
            }
            Node::Has { operand, field } => {
                let operand = self.node(operand)?;
                Ok(Value::Bool(has(&operand, field)))
            }
            Node::OptSelect { operand, field } => {
                let operand = self.node(operand)?;
                self.budget.charge(1)?;
                optional_select(&operand, field)
            }
            Node::Index { operand, index, cost, optional } => {
                let (operand, index) = (self.node(operand)?, self.node(index)?);
                self.budget.charge(*cost)?;
                if *optional { optional_index(&operand, &index) } else { indexed(&operand, &index) }
            }
            Node::And(both) => self.logical(both, false),
            Node::Or(both) => self.logical(both, true),
            Node::Choice(three) => match self.node(&three[0])? {
                Value::Bool(true) => self.node(&three[1]),
                Value::Bool(false) => self.node(&three[2]),
                other => Err(overload("_?_:_", false, &[&other])),
            },
            Node::NotFalse(inner) => {
                let value = self.node(inner);
                self.budget.charge(1)?;
                match value {
                    Ok(Value::Bool(false)) => Ok(Value::Bool(false)),
                    Err(error) if error.ends_all() => Err(error),
                    _ => Ok(Value::Bool(true)),
                }
            }
            Node::Call(call) => self.call(call),
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.map(entries),
            Node::Struct(fields) => self.structure(fields),
            Node::Fold(fold) => self.fold(fold),
            Node::Bind(both) => {
                let value = self.node(&both[0]);
                self.locals.push(value);
                let result = self.node(&both[1]);
                self.locals.pop();
                result
            }
            Node::Append { list, element } => self.append(*list, element),
            Node::Insert { map, entry } => self.insert(*map, entry),
        }
    }

    fn name(&mut self, at: usize) -> Given<'a> {
        self.budget.charge(1)?;
        if let Some(value) = &self.known[at] {
            return Ok(value.clone());
        }
        let name = &self.program.names[at];
        let found = (self.names)(name);
        let value = found.unwrap_or_else(|| Err(Error::other(format!("no such attribute(s): {name}"))))?;
        self.known[at] = Some(value.clone());
        Ok(value)
    }

    /// `&&` and `||`: one value may decide whatever the other one is, an error too.
    fn logical(&mut self, both: &'a [Node; 2], decides: bool) -> Given<'a> {
        let one = self.node(&both[0]);
        match &one {
            Ok(Value::Bool(value)) if *value == decides => return one,
            Err(error) if error.ends_all() => return one,
            _ => {}
        }
        let other = self.node(&both[1]);
        match (one, other) {
            (_, Ok(Value::Bool(value))) if value == decides => Ok(Value::Bool(decides)),
            (_, Err(error)) if error.ends_all() => Err(error),
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(Value::Bool(_)), Ok(Value::Bool(_))) => Ok(Value::Bool(!decides)),
            (Ok(one), Ok(other)) => Err(overload(if decides { "_||_" } else { "_&&_" }, false, &[&one, &other])),
        }
    }

    fn call(&mut self, call: &'a Call) -> Given<'a> {
        match call.args.as_slice() {
            [one] => {
                let args = [self.node(one)?];
                self.apply(call, &args)
            }
            [one, other] => {
                let args = [self.node(one)?, self.node(other)?];
                self.apply(call, &args)
            }
            all => {
                let args = all.iter().map(|arg| self.node(arg)).collect::<Result<Vec<_>, _>>()?;
                self.apply(call, &args)
            }
        }
    }

    fn apply(&mut self, call: &Call, args: &[Value<'a>]) -> Given<'a> {
        let cost = call.entry.cost;
        if cost.is_known_before() {
            self.budget.charge(cost.of(args, None))?;
        }
        let result = (call.entry.call)(args, self.budget).map_err(|error| match error {
            Error::NoSuchOverload(mismatch) if mismatch.function.is_empty() => {
                overload(&call.name, call.member, &args.iter().collect::<Vec<_>>())
            }
            error => error,
        })?;
        if !cost.is_known_before() {
            self.budget.charge(cost.of(args, Some(&result)))?;
        }
        Ok(result)
    }

    fn list(&mut self, elements: &'a [(Node, bool)]) -> Given<'a> {
        let mut items = Vec::with_capacity(elements.len());
        for (element, optional) in elements {
            match (self.node(element)?, optional) {
                (Value::Optional(inner), true) => items.extend(inner.map(|inner| (*inner).clone())),
                (value, _) => items.push(value),
            }
        }
        self.budget.charge(LIST)?;
        Ok(Value::from(items))
    }

    fn map(&mut self, entries: &'a [(Node, Node, bool)]) -> Given<'a> {
        let mut all = BTreeMap::new();
        for (key, value, optional) in entries {
            let key = self.node(key)?;
            let key = key.key().ok_or_else(|| Error::other(format!("unsupported key type: {}", key.type_of())))?;
            let value = match (self.node(value)?, optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(inner)), true) => (*inner).clone(),
                (value, _) => value,
            };
            if all.contains_key(&key) {
                return Err(Error::other(format!("Failed with repeated key: {key}")));
            }
            all.insert(key, value);
        }
        self.budget.charge(MAP)?;
        Ok(Value::Map(Map::Owned(Arc::new(all))))
    }

    fn structure(&mut self, fields: &'a [(Arc<str>, Node, bool)]) -> Given<'a> {
        let mut all = BTreeMap::new();
        for (field, value, optional) in fields {
            let value = match (self.node(value)?, optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(inner)), true) => (*inner).clone(),
                (value, _) => value,
            };
            all.insert(Key::String(Text::Borrowed(field)), value);
        }
        self.budget.charge(STRUCT)?;
        Ok(Value::Map(Map::Owned(Arc::new(all))))
    }

    fn fold(&mut self, fold: &'a Fold) -> Given<'a> {
        let range = self.node(&fold.range)?;
        let init = self.node(&fold.init);
        let base = self.locals.len();
        self.locals.push(init);
        let looped = match &range {
            Value::List(list) => {
                let entry = |at: usize| {
                    let item = list.get(at).unwrap_or(Value::Null);
                    if fold.two {
                        (Value::Int(i64::try_from(at).unwrap_or(i64::MAX)), Some(item))
                    } else {
                        (item, None)
                    }
                };
                self.loop_over(fold, base, list.len(), entry)
            }
            Value::Map(map) => {
                let entries: Vec<_> = map.entries().collect();
                let entry = |at: usize| (entries[at].0.value(), fold.two.then(|| entries[at].1.clone()));
                self.loop_over(fold, base, entries.len(), entry)
            }
            other => Err(overload("comprehension", false, &[other])),
        };
        self.locals.truncate(base + 1);
        let result = looped.and_then(|()| self.node(&fold.result));
        self.locals.truncate(base);
        result
    }

    fn loop_over(
        &mut self,
        fold: &'a Fold,
        base: usize,
        count: usize,
        entry: impl Fn(usize) -> (Value<'a>, Option<Value<'a>>),
    ) -> Result<(), Error> {
        let maps = !matches!(&fold.condition, Node::NotFalse(_));
        for at in 0..count {
            let (first, second) = entry(at);
            self.locals.truncate(base + 1);
            self.locals.push(Ok(first));
            self.locals.extend(second.map(Ok));
            if let Value::Bool(false) = self.node(&fold.condition)? {
                break;
            }
            self.budget.copy(1)?;
            let step = self.node(&fold.step);
            match &step {
                Err(error) if maps || error.ends_all() => return step.map(drop),
                _ => self.locals[base] = step,
            }
        }
        Ok(())
    }

    fn append(&mut self, list: usize, element: &'a Node) -> Given<'a> {
        let element = self.node(element)?;
        self.budget.charge(1 + LIST + 1)?;
        match std::mem::replace(&mut self.locals[list], Ok(Value::Null)) {
            Ok(Value::List(List::Owned(mut items))) => {
                Arc::make_mut(&mut items).push(element);
                Ok(Value::List(List::Owned(items)))
            }
            Ok(other) => Err(overload("_+_", false, &[&other, &Value::from(vec![element])])),
            error => error,
        }
    }

    fn insert(&mut self, map: usize, entry: &'a (Node, Option<Node>)) -> Given<'a> {
        let entries = match (self.node(&entry.0)?, &entry.1) {
            (key, Some(value)) => {
                let key = key.key().ok_or_else(|| Error::other(format!("unsupported key type: {}", key.type_of())))?;
                vec![(key, self.node(value)?)]
            }
            (Value::Map(more), None) => more.entries().collect(),
            (other, None) => return Err(overload("cel.@mapInsert", false, &[&other])),
        };
        self.budget.charge(2)?;
        match std::mem::replace(&mut self.locals[map], Ok(Value::Null)) {
            Ok(Value::Map(Map::Owned(mut all))) => {
                let inner = Arc::make_mut(&mut all);
                for (key, value) in entries {
                    if inner.contains_key(&key) {
                        return Err(Error::other(format!("insert failed: key {key} already exists")));
                    }
                    inner.insert(key, value);
                }
                Ok(Value::Map(Map::Owned(all)))
            }
            Ok(other) => Err(overload("cel.@mapInsert", false, &[&other])),
            error => error,
        }
    }
}

fn select<'a>(operand: &Value<'a>, field: &str) -> Given<'a> {
    match operand {
        Value::Map(map) => map.field(field).ok_or_else(|| Error::NoSuchKey(field.to_owned())),
        Value::Optional(_) => optional_select(operand, field),
        _ => Err(Error::NoSuchKey(field.to_owned())),
    }
}

fn has(operand: &Value<'_>, field: &str) -> bool {
    match operand {
        Value::Map(map @ Map::Json(_, crate::types::Type::Object(_))) => {
            // A declared field that is null is as good as not there.
            map.field(field).is_some_and(|value| !matches!(value, Value::Null))
        }
        Value::Map(map) => map.field(field).is_some(),
        Value::Optional(Some(inner)) => has(inner, field),
        _ => false,
    }
}

fn optional_select<'a>(operand: &Value<'a>, field: &str) -> Given<'a> {
    match operand {
        Value::Map(map) => Ok(map.field(field).map_or(Value::Optional(None), library::some)),
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => optional_select(inner, field),
        _ => Err(Error::NoSuchKey(field.to_owned())),
    }
}

/// What stands at an index or under a key; an error where the value cannot be indexed so.
fn lookup<'a>(operand: &Value<'a>, index: &Value<'a>) -> Result<Option<Value<'a>>, Error> {
    match (operand, index.key()) {
        (Value::List(list), Some(Key::Int(at))) => Ok(usize::try_from(at).ok().and_then(|at| list.get(at))),
        (Value::List(_), Some(Key::UInt(_))) => Ok(None),
        (Value::Map(map), Some(key)) => Ok(map.get(&key)),
        _ => Err(not_indexed(operand, index)),
    }
}

fn not_indexed(operand: &Value<'_>, index: &Value<'_>) -> Error {
    match operand {
        Value::List(_) => Error::other(format!("unsupported index type '{}' in list", index.type_of())),
        _ => Error::NoSuchKey(index.json().as_str().map_or_else(|| index.json().to_string(), str::to_owned)),
    }
}

fn indexed<'a>(operand: &Value<'a>, index: &Value<'a>) -> Given<'a> {
    if let Value::Optional(inner) = operand {
        return match inner {
            None => Ok(Value::Optional(None)),
            Some(inner) => optional_index(inner, index),
        };
    }
    lookup(operand, index)?.ok_or_else(|| match operand {
        Value::List(_) => Error::IndexOutOfBounds(index.json().to_string()),
        _ => Error::NoSuchKey(index.key().map_or_else(String::new, |key| key.to_string())),
    })
}

fn optional_index<'a>(operand: &Value<'a>, index: &Value<'a>) -> Given<'a> {
    match operand {
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => optional_index(inner, index),
        operand => Ok(lookup(operand, index)?.map_or(Value::Optional(None), library::some)),
    }
}
