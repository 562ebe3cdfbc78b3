use std::collections::BTreeMap;

use kube_cel::{Budget, Error, Type, Value as Cel};
use serde_json::Value;

use super::Expr;
use super::compile::on_big_stack;
use super::path::{Path, Walk};
use super::rewrite::var_name;

/// What an expression came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Holds,
    DoesNotHold,
    /// A field that it needs is not there, such as `metadata.labels`: it does not hold.
    Missing(String),
    /// It cannot be judged, and why.
    Error(String),
}

/// A path of the expression with the value it had; `None` where it is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct PathValue {
    pub path: String,
    pub value: Option<Value>,
}

impl Expr {
    /// Evaluates with the scope's names bound to JSON and the lab's variables to their values.
    pub fn evaluate(&self, names: &[(&str, &Value)], vars: &BTreeMap<String, String>) -> Outcome {
        if self.compiled.program.is_shallow() {
            return self.evaluate_here(names, vars);
        }
        on_big_stack(|| self.evaluate_here(names, vars))
    }

    fn evaluate_here(&self, names: &[(&str, &Value)], vars: &BTreeMap<String, String>) -> Outcome {
        let mut given = Vec::new();
        for var in self.vars() {
            let Some(value) = vars.get(&var.value) else {
                return Outcome::Error(format!("the variable {} has no value", var.value));
            };
            given.push((var_name(&var.value, false), Cel::from(value.as_str())));
            given.push((var_name(&var.value, true), Cel::from(regex::escape(value))));
        }
        let bound = |wanted: &str| {
            let json = names.iter().find(|(name, _)| *name == wanted).map(|(_, value)| Cel::of(value));
            json.or_else(|| given.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())).map(Ok)
        };
        match self.compiled.program.evaluate(&bound, &mut Budget::default()) {
            Ok(Cel::Bool(true)) => Outcome::Holds,
            Ok(Cel::Bool(false)) => Outcome::DoesNotHold,
            Ok(other) => Outcome::Error(format!("the expression is a {}, neither true nor false", type_name(&other))),
            Err(error) => self.failed(&error, names),
        }
    }

    /// The paths of the expression with the values that they have, for a failure's message.
    pub fn explain(&self, names: &[(&str, &Value)]) -> Vec<PathValue> {
        self.paths()
            .iter()
            .map(|path| PathValue {
                path: path.to_string(),
                value: match path.walk(root(path, names)) {
                    Walk::Found(value) => Some(value.clone()),
                    Walk::Missing { .. } | Walk::NoRoot => None,
                },
            })
            .collect()
    }

    fn failed(&self, error: &Error, names: &[(&str, &Value)]) -> Outcome {
        match error {
            Error::NoSuchKey(key) => Outcome::Missing(self.missing(names, Some(key)).unwrap_or_else(|| key.clone())),
            Error::IndexOutOfBounds(index) => {
                Outcome::Missing(self.missing(names, None).unwrap_or_else(|| format!("[{index}]")))
            }
            Error::NoSuchOverload(mismatch) => Outcome::Error(mismatch.to_string()),
            Error::BadRegex(why) => Outcome::Error(format!("matches(): {why}")),
            Error::CostExceeded => Outcome::Error(TOO_DEAR.to_owned()),
            other => Outcome::Error(other.to_string()),
        }
    }

    /// The first path that leads nowhere, by way of this key if one is given.
    fn missing(&self, names: &[(&str, &Value)], key: Option<&str>) -> Option<String> {
        self.paths().iter().find_map(|path| match path.walk(root(path, names)) {
            Walk::Missing { step } => {
                let is_it = key.is_none_or(|key| match &path.steps[step] {
                    super::path::Step::Field(name) => name == key,
                    super::path::Step::Index(index) => index.to_string() == key,
                });
                is_it.then(|| path.up_to(step))
            }
            Walk::Found(_) | Walk::NoRoot => None,
        })
    }
}

fn root<'a>(path: &Path, names: &[(&str, &'a Value)]) -> Option<&'a Value> {
    names.iter().find(|(name, _)| *name == path.root).map(|(_, value)| *value)
}

/// Beyond this a check says nothing: who wrote it can say it in fewer steps.
const TOO_DEAR: &str =
    "evaluating it costs more than a million steps, Kubernetes' limit for an expression; look at fewer elements";

fn type_name(value: &Cel<'_>) -> &'static str {
    match value.type_of() {
        Type::List(_) => "list",
        Type::Map(_) | Type::Object(_) => "map",
        Type::Int | Type::UInt | Type::Double => "number",
        Type::String => "text",
        Type::Bytes => "byte string",
        Type::Duration => "duration",
        Type::Timestamp => "time",
        Type::Null => "null",
        _ => "value",
    }
}
