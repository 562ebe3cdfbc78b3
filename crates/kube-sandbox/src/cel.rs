//! The expressions of custom resources' rules and of admission policies.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::Value;

/// The parser takes 100 KB of stack a bracket in a debug build.
const STACK: usize = 64 << 20;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It is not written right.
    Syntax(String),
    /// It uses what this evaluator does not have, though Kubernetes may.
    Unsupported(String),
    /// What it asks for is not there, or of another type.
    Run(String),
}

/// Whether the text can be read at all.
pub(super) fn check(expression: &str) -> Result<(), Failure> {
    aside(|| compile(expression).map(drop))
}

/// The value of `expression`, where `names` stand for JSON.
pub(super) fn evaluate(expression: &str, names: &[(&str, &Value)]) -> Result<Value, Failure> {
    aside(|| {
        let program = compile(expression)?;
        let mut context = Context::default();
        for (name, value) in names {
            context.add_variable_from_value(*name, to_cel(value));
        }
        let value = program.execute(&context).map_err(|error| failure(&error))?;
        value.json().map_err(|error| Failure::Run(error.to_string()))
    })
}

fn aside<T: Send>(work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let spawned = thread.spawn_scoped(scope, work).map_err(|error| Failure::Unsupported(error.to_string()))?;
        spawned.join().unwrap_or_else(|_| Err(Failure::Unsupported("it cannot be read".to_owned())))
    })
}

fn compile(expression: &str) -> Result<Program, Failure> {
    Program::compile(expression).map_err(|errors| Failure::Syntax(errors.to_string()))
}

fn failure(error: &ExecutionError) -> Failure {
    match error {
        ExecutionError::UndeclaredReference(_) | ExecutionError::NotSupportedAsMethod { .. } => {
            Failure::Unsupported(error.to_string())
        }
        ExecutionError::NoSuchKey(key) => Failure::Run(format!("no such key: {key}")),
        other => Failure::Run(other.to_string()),
    }
}

fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(map) => {
            let entries: HashMap<Key, Cel> =
                map.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), to_cel(value))).collect();
            Cel::Map(Map { map: Arc::new(entries) })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_see_json() {
        let object = json!({"spec": {"replicas": 3, "names": ["a", "b"]}});
        let value = |text: &str| evaluate(text, &[("self", &object)]);
        assert_eq!(value("self.spec.replicas <= 5"), Ok(json!(true)));
        assert_eq!(value("has(self.spec.other)"), Ok(json!(false)));
        assert_eq!(value("self.spec.names.all(n, n.size() == 1)"), Ok(json!(true)));
        assert_eq!(value("'too many: ' + string(self.spec.replicas)"), Ok(json!("too many: 3")));
        assert!(matches!(value("self.nosuch == 1"), Err(Failure::Run(_))));
        assert!(matches!(check("self.x =="), Err(Failure::Syntax(_))));
    }
}
