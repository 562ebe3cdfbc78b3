use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::Val;
use cel::{Context, ExecutionError, Value as Cel};
use serde_json::Value;

use super::Expr;
use super::compile::{ENV, on_big_stack};
use super::path::{Path, Walk};
use super::reads::Reads;
use super::rewrite::{regex_complaint, var_name};

/// A debug build takes 30 KB of stack a level, and a worker thread has 2 MB: deeper trees are
/// evaluated on a thread of their own.
const SHALLOW: usize = 16;

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
        if self.compiled.depth > SHALLOW {
            return on_big_stack(|| self.evaluate_here(names, vars));
        }
        self.evaluate_here(names, vars)
    }

    fn evaluate_here(&self, names: &[(&str, &Value)], vars: &BTreeMap<String, String>) -> Outcome {
        let mut context = Context::with_env(Arc::clone(&ENV));
        for (name, value) in names {
            if let Some(reads) = self.compiled.reads.get(*name) {
                context.add_variable_as_val(*name, part(value, reads));
            }
        }
        for var in self.vars() {
            let Some(value) = vars.get(&var.value) else {
                return Outcome::Error(format!("the variable {} has no value", var.value));
            };
            context.add_variable_as_val(var_name(&var.value, false), Box::new(CelString::from(value.as_str())));
            context.add_variable_as_val(var_name(&var.value, true), Box::new(CelString::from(regex::escape(value))));
        }
        match Cel::resolve(&self.compiled.root, &context) {
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

    fn failed(&self, error: &ExecutionError, names: &[(&str, &Value)]) -> Outcome {
        let missing = match error {
            ExecutionError::NoSuchKey(key) => self.missing(names, Some(key)).unwrap_or_else(|| key.to_string()),
            ExecutionError::IndexOutOfBounds(index) => match self.missing(names, None) {
                Some(path) => path,
                None => format!("[{}]", show(index)),
            },
            // A selection on null, or on a text: what is selected is not there.
            ExecutionError::NoSuchOverload(overload) if matches!(overload.function(), "_._" | "_[_]") => {
                match self.missing(names, None) {
                    Some(path) => path,
                    None => return Outcome::Error(error.to_string()),
                }
            }
            ExecutionError::FunctionError { function, message } if function == "matches" => {
                let message = regex::Regex::new(message).err().map_or(message.clone(), |e| regex_complaint(&e));
                return Outcome::Error(format!("matches(): {message}"));
            }
            other => return Outcome::Error(other.to_string()),
        };
        Outcome::Missing(missing)
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

/// As much of a value as an expression can read.
fn part<'v>(value: &'v Value, reads: &Reads) -> Box<dyn Val + 'v> {
    let (Value::Object(fields), Reads::Fields(wanted)) = (value, reads) else {
        return val(value);
    };
    let found = wanted.iter().filter_map(|(name, reads)| {
        let (name, value) = fields.get_key_value(name)?;
        Some((CelMapKey::String(CelString::from(name.as_str())), part(value, reads)))
    });
    Box::new(CelMap::from(found.collect::<HashMap<_, _>>()))
}

/// JSON as CEL sees it; texts are borrowed, whole numbers are ints.
fn val(value: &Value) -> Box<dyn Val + '_> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(bool) => Box::new(CelBool::from(*bool)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Box::new(CelInt::from(int)),
            (None, Some(uint)) => Box::new(CelUInt::from(uint)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(val).collect::<Vec<_>>())),
        Value::Object(fields) => {
            let map: HashMap<CelMapKey<'_>, Box<dyn Val + '_>> = fields
                .iter()
                .map(|(key, value)| (CelMapKey::String(CelString::from(key.as_str())), val(value)))
                .collect();
            Box::new(CelMap::from(map))
        }
    }
}

fn show(value: &Cel) -> String {
    value.json().map_or_else(|_| format!("{value:?}"), |json| json.to_string())
}

fn type_name(value: &Cel) -> &'static str {
    match value {
        Cel::List(_) => "list",
        Cel::Map(_) | Cel::Struct(_) => "map",
        Cel::Int(_) | Cel::UInt(_) | Cel::Float(_) => "number",
        Cel::String(_) => "text",
        Cel::Bytes(_) => "byte string",
        Cel::Duration(_) => "duration",
        Cel::Timestamp(_) => "time",
        Cel::Null => "null",
        Cel::Bool(_) | Cel::Function(..) | Cel::Opaque(_) => "value",
    }
}
