//! The type checker: finds what an expression cannot mean before it is ever evaluated, in the words of cel-go.

mod unify;

use std::collections::HashMap;
use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, operators};

use crate::env::Env;
use crate::parse::{Part, part, qualified};
use crate::program::is_bind;
use crate::signatures::{Overload, overloads};
use crate::types::Type;
use unify::Bound;

/// What is known of each node, by its number.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) types: HashMap<u64, Type>,
    pub(crate) overloads: HashMap<u64, Vec<Arc<Overload>>>,
}

pub(crate) struct Checker<'e> {
    env: &'e Env,
    known: Known,
    /// The node's number and what is wrong with it.
    wrong: Vec<(u64, String)>,
    locals: Vec<(String, Type)>,
    bound: Bound,
    /// How many calls of `format` stand around: its values may be of any types.
    in_format: usize,
}

impl<'e> Checker<'e> {
    pub(crate) fn new(env: &'e Env) -> Self {
        Self {
            env,
            known: Known::default(),
            wrong: Vec::new(),
            locals: Vec::new(),
            bound: Bound::default(),
            in_format: 0,
        }
    }

    /// The type of the whole, what is known of its parts, and what is wrong.
    pub(crate) fn run(mut self, root: &IdedExpr) -> (Type, Known, Vec<(u64, String)>) {
        let result = self.node(root);
        let result = self.bound.last(&result);
        for of in self.known.types.values_mut() {
            *of = self.bound.last(of);
        }
        (result, self.known, self.wrong)
    }

    fn report(&mut self, id: u64, message: String) {
        self.wrong.push((id, message));
    }

    fn node(&mut self, node: &IdedExpr) -> Type {
        let of = match &node.expr {
            Expr::Literal(value) => match value {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => Type::String,
                LiteralValue::UInt(_) => Type::UInt,
            },
            Expr::Ident(name) => self.ident(name, node.id),
            Expr::Select(select) => self.select(select, node),
            Expr::Call(call) => self.call(call, node.id),
            Expr::List(list) => {
                let mut of: Option<Type> = None;
                for (at, element) in list.elements.iter().enumerate() {
                    let mut next = self.node(element);
                    if list.optional_indices.contains(&at) {
                        next = self.unwrapped(element.id, next);
                    }
                    of = Some(self.joined(element.id, of, next));
                }
                Type::list(of.unwrap_or_else(|| self.bound.fresh()))
            }
            Expr::Map(map) => {
                let (mut keys, mut values): (Option<Type>, Option<Type>) = (None, None);
                for entry in &map.entries {
                    let Part::Entry(entry) = part(entry) else { continue };
                    let key = self.node(&entry.key);
                    keys = Some(self.joined(entry.key.id, keys, key));
                    let mut value = self.node(&entry.value);
                    if entry.optional {
                        value = self.unwrapped(entry.value.id, value);
                    }
                    values = Some(self.joined(entry.value.id, values, value));
                }
                let key = keys.unwrap_or_else(|| self.bound.fresh());
                Type::map(key, values.unwrap_or_else(|| self.bound.fresh()))
            }
            Expr::Struct(literal) => self.structure(literal, node.id),
            Expr::Comprehension(inner) => self.comprehension(inner),
            Expr::Unspecified => Type::Dyn,
        };
        self.known.types.insert(node.id, of.clone());
        of
    }

    fn unwrapped(&mut self, id: u64, of: Type) -> Type {
        match self.bound.resolve(&of) {
            Type::Optional(inner) => (*inner).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                let expected = Type::optional(other.clone());
                self.report(id, format!("expected type '{expected}' but found '{other}'"));
                Type::Dyn
            }
        }
    }

    fn joined(&mut self, id: u64, before: Option<Type>, next: Type) -> Type {
        let Some(before) = before else { return next };
        if self.bound.assignable(&before, &next) {
            return unify::more_general(&before, &next);
        }
        if self.in_format == 0 {
            let (before, next) = (self.bound.resolve(&before), self.bound.resolve(&next));
            self.report(id, format!("expected type '{before}' but found '{next}'"));
        }
        Type::Dyn
    }

    fn ident(&mut self, name: &str, id: u64) -> Type {
        if let Some((_, of)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return of.clone();
        }
        let plain = name.strip_prefix('.').unwrap_or(name);
        if let Some(of) = self.env.variable(plain) {
            return of.clone();
        }
        if let Some(of) = Type::of_name(plain) {
            return Type::Type(Arc::new(of));
        }
        self.undeclared(id, name);
        Type::Dyn
    }

    fn undeclared(&mut self, id: u64, name: &str) {
        self.report(id, format!("undeclared reference to '{name}' (in container '')"));
    }

    fn is_local(&self, name: &str) -> bool {
        let root = name.split('.').next().unwrap_or_default();
        self.locals.iter().any(|(local, _)| local == root)
    }

    fn select(&mut self, select: &SelectExpr, node: &IdedExpr) -> Type {
        if let Some(name) = qualified(node)
            && !self.is_local(&name)
        {
            if let Some(of) = self.env.variable(&name) {
                return of.clone();
            }
            if let Some(of) = Type::of_name(&name) {
                return Type::Type(Arc::new(of));
            }
        }
        let operand = self.node(&select.operand);
        let of = self.field(&operand, &select.field, node.id);
        if select.test { Type::Bool } else { of }
    }

    fn field(&mut self, operand: &Type, field: &str, id: u64) -> Type {
        match self.bound.resolve(operand) {
            Type::Map(of) => of.1.clone(),
            Type::Dyn => Type::Dyn,
            Type::Object(object) => {
                if let Some(field) = object.fields.get(field) {
                    return field.of.clone();
                }
                self.report(id, format!("undefined field '{field}'"));
                Type::Dyn
            }
            Type::Optional(inner) => match self.field(&inner, field, id) {
                of @ Type::Optional(_) => of,
                of => Type::optional(of),
            },
            Type::Param(_) => {
                // Nothing is known of it yet, so that it may be anything.
                self.bound.assignable(&Type::Dyn, operand);
                Type::Dyn
            }
            other => {
                self.report(id, format!("type '{other}' does not support field selection"));
                Type::Dyn
            }
        }
    }

    fn structure(&mut self, literal: &cel::common::ast::StructExpr, id: u64) -> Type {
        let name = literal.type_name.as_str();
        let Some(of) = self.env.structure(name) else {
            self.undeclared(id, name);
            return Type::Dyn;
        };
        for entry in &literal.entries {
            let Part::Field(field) = part(entry) else { continue };
            let mut value = self.node(&field.value);
            if field.optional {
                value = self.unwrapped(field.value.id, value);
            }
            match Env::structure_field(name, &field.field) {
                None => self.report(entry.id, format!("undefined field '{}'", field.field)),
                Some(wanted) if !self.bound.assignable(&wanted, &value) => {
                    let (name, value) = (&field.field, self.bound.resolve(&value));
                    let message =
                        format!("expected type of field '{name}' is '{wanted}' but provided type is '{value}'");
                    self.report(entry.id, message);
                }
                Some(_) => {}
            }
        }
        of
    }

    fn comprehension(&mut self, inner: &ComprehensionExpr) -> Type {
        let before = self.locals.len();
        let range = self.node(&inner.iter_range);
        let init = self.node(&inner.accu_init);
        self.locals.push((inner.accu_var.clone(), init.clone()));
        if !is_bind(inner) {
            let (one, two) = match self.bound.resolve(&range) {
                Type::List(of) if inner.iter_var2.is_some() => (Type::Int, of.of.clone()),
                Type::List(of) => (of.of.clone(), Type::Dyn),
                Type::Map(of) => (of.0.clone(), of.1.clone()),
                Type::Dyn => (Type::Dyn, Type::Dyn),
                Type::Param(_) => {
                    self.bound.assignable(&Type::Dyn, &range);
                    (Type::Dyn, Type::Dyn)
                }
                other => {
                    let message = format!(
                        "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                    );
                    self.report(inner.iter_range.id, message);
                    (Type::Dyn, Type::Dyn)
                }
            };
            self.locals.push((inner.iter_var.clone(), one));
            self.locals.extend(inner.iter_var2.clone().map(|name| (name, two)));
            let condition = self.node(&inner.loop_cond);
            self.assign(inner.loop_cond.id, &Type::Bool, &condition);
            let step = self.node(&inner.loop_step);
            self.assign(inner.loop_step.id, &init, &step);
            self.locals.truncate(before + 1);
        }
        let result = self.node(&inner.result);
        self.locals.truncate(before);
        self.bound.resolve(&result)
    }

    fn assign(&mut self, id: u64, wanted: &Type, given: &Type) {
        if !self.bound.assignable(wanted, given) {
            let (wanted, given) = (self.bound.resolve(wanted), self.bound.resolve(given));
            self.report(id, format!("expected type '{wanted}' but found '{given}'"));
        }
    }

    fn call(&mut self, call: &CallExpr, id: u64) -> Type {
        if call.func_name == operators::OPT_SELECT
            && let [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(field)), .. }] = call.args.as_slice()
        {
            let operand = self.node(operand);
            let of = self.field(&operand, field.inner(), id);
            self.known.overloads.insert(id, overloads(operators::OPT_SELECT).to_vec());
            return if matches!(of, Type::Optional(_)) { of } else { Type::optional(of) };
        }
        let is_format = usize::from(call.func_name == "format");
        self.in_format += is_format;
        let mut args: Vec<Type> = call.args.iter().map(|arg| self.node(arg)).collect();
        self.in_format -= is_format;
        self.literals(call);
        let name = call.func_name.as_str();
        let joined = call.target.as_deref().and_then(qualified).map(|target| format!("{target}.{name}"));
        if let Some(joined) = joined
            && !self.is_local(&joined)
            && self.env.has_function(&joined)
        {
            return self.resolve(&joined, false, &args, id);
        }
        if let Some(target) = call.target.as_deref() {
            args.insert(0, self.node(target));
        }
        if !self.env.has_function(name) {
            self.undeclared(id, name);
            return Type::Dyn;
        }
        self.resolve(name, call.target.is_some(), &args, id)
    }

    fn resolve(&mut self, name: &str, member: bool, args: &[Type], id: u64) -> Type {
        let mut result: Option<Type> = None;
        let mut fitting = Vec::new();
        for overload in overloads(name) {
            let is_one = overload.member == member && overload.parameters.len() == args.len();
            if !is_one || !self.env.has_library(overload.library) {
                continue;
            }
            let (parameters, of) = self.bound.instance(overload);
            if !self.bound.all_assignable(&parameters, args) {
                continue;
            }
            fitting.push(Arc::clone(overload));
            let of = self.bound.resolve(&of);
            result = Some(match result {
                None => of,
                Some(before) if before == of => before,
                Some(_) => Type::Dyn,
            });
        }
        if let Some(result) = result {
            self.known.overloads.insert(id, fitting);
            return result;
        }
        let arguments = args.iter().map(|arg| self.bound.resolve(arg).to_string()).collect();
        let mismatch = crate::Mismatch { function: name.to_owned(), member, arguments };
        self.report(id, mismatch.to_string());
        Type::Dyn
    }

    /// Literals that some functions can be seen to refuse.
    fn literals(&mut self, call: &CallExpr) {
        let literal = |arg: Option<&IdedExpr>| match arg {
            Some(IdedExpr { id, expr: Expr::Literal(LiteralValue::String(text)) }) => {
                Some((*id, text.inner().to_owned()))
            }
            _ => None,
        };
        let name = call.func_name.as_str();
        let good = match (name, literal(call.args.last())) {
            ("duration" | "timestamp", Some((id, text))) if crate::library::refuses(name, &text) => Err(id),
            ("matches", Some((id, text))) => crate::library::compiled(&text).map(drop).map_err(|_| id),
            _ => Ok(()),
        };
        if let Err(id) = good {
            self.report(id, format!("invalid {name} argument"));
        }
    }
}
