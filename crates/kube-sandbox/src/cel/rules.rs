//! A schema's own rules, `x-kubernetes-validations`: compiled once, kept within Kubernetes' costs.

mod check;
mod problems;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use kube_cel::{Budget, Declared, Env, PER_REQUEST, Type};
use serde_json::Value;

use crate::cel::Compiled;
use crate::object::field_error::FieldError;
use crate::object::list;
use check::Run;
pub use problems::problems;

const RULES: &str = "x-kubernetes-validations";

/// Whether there is any rule to keep.
pub fn any(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key(RULES) || map.values().any(any),
        Value::Array(items) => items.iter().any(any),
        _ => false,
    }
}

/// The rules of a part of a schema and of the parts below it.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    of: Type,
    kind: String,
    fields: BTreeMap<String, Rules>,
    element: Option<Box<Rules>>,
    /// The rules of what all have to hold, of the same part.
    all_of: Vec<Rules>,
    /// The fields that tell the items of a list apart.
    keys: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    given: Value,
    checked: Compiled,
    message: Option<Compiled>,
}

impl Rule {
    fn text(&self, field: &str) -> &str {
        self.given.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn uses_old(&self) -> bool {
        self.checked.as_ref().is_ok_and(|checked| checked.uses("oldSelf"))
    }

    fn is_optional(&self) -> bool {
        self.given["optionalOldSelf"] == true
    }

    /// How errors name it.
    fn shown(&self) -> &str {
        let message = self.text("message").trim();
        if message.is_empty() { self.text("rule").trim() } else { message }
    }
}

fn compiled_rules(schema: &Value, declared: &Declared) -> Vec<Rule> {
    let each = |given: &Value| {
        let old =
            if given["optionalOldSelf"] == true { Type::optional(declared.of.clone()) } else { declared.of.clone() };
        let env = Env::new([("self", declared.of.clone()), ("oldSelf", old)]);
        let text = |field: &str| given.get(field).and_then(Value::as_str).unwrap_or_default();
        let compile = |field: &str, of: &Type, wrong: &str, failed: &str| -> Compiled {
            let checked = env.compile(text(field)).map_err(|issues| format!("{failed}compilation failed: {issues}"))?;
            if checked.result == *of { Ok(checked) } else { Err(wrong.to_owned()) }
        };
        let checked = compile("rule", &Type::Bool, "cel expression must evaluate to a bool", "");
        let wrong = "messageExpression must evaluate to a string";
        let message = (!text("messageExpression").is_empty())
            .then(|| compile("messageExpression", &Type::String, wrong, "messageExpression "));
        Rule { given: given.clone(), checked, message }
    };
    list(schema, RULES).iter().map(each).collect()
}

impl Rules {
    /// The rules of a whole schema; `None` where it has none, or none that can be kept.
    pub fn new(schema: &Value) -> Option<Self> {
        if !any(schema) {
            return None;
        }
        Some(Self::part(schema, schema, &Declared::new(schema, true)?))
    }

    /// `schema` gives the rules and `whole` the types: below an `allOf` a schema gives none itself.
    fn part(schema: &Value, whole: &Value, declared: &Declared) -> Self {
        let mut fields = BTreeMap::new();
        for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let fresh;
            let inner_whole = &whole["properties"][name];
            let inner_declared = match declared.field(name) {
                Some(known) => known,
                // A name that CEL cannot spell hides the field from the rules above it, not from its own.
                None if kube_cel::escape(name).is_none() => {
                    let Some(made) = Declared::new(inner_whole, false) else { continue };
                    fresh = made;
                    &fresh
                }
                None => continue,
            };
            if any(inner) {
                fields.insert(name.clone(), Self::part(inner, inner_whole, inner_declared));
            }
        }
        let below = ["items", "additionalProperties"]
            .iter()
            .find_map(|part| schema.get(*part).filter(|one| any(one)).zip(whole.get(*part)));
        let element = below
            .zip(declared.element())
            .map(|((inner, whole), declared)| Box::new(Self::part(inner, whole, declared)));
        let all_of = list(schema, "allOf").iter().filter(|one| any(one)).map(|one| Self::part(one, whole, declared));
        let keys = list(whole, "x-kubernetes-list-map-keys").iter().filter_map(Value::as_str).map(str::to_owned);
        Self {
            rules: compiled_rules(schema, declared),
            of: declared.of.clone(),
            kind: whole["type"].as_str().unwrap_or_default().to_owned(),
            fields,
            element,
            all_of: all_of.collect(),
            keys: keys.collect(),
        }
    }

    /// What is wrong by the rules, those about a change too if there was an object before.
    pub fn check(&self, new: &Value, old: Option<&Value>, budget: Budget) -> Vec<FieldError> {
        let mut run = Run { errors: Vec::new(), budget };
        // Running out of the budget ends all, and stands among the errors.
        let _ = run.part(self, new, old, "");
        run.errors
    }
}

/// A budget for all rules on one request.
pub fn budget() -> Budget {
    Budget::of(PER_REQUEST)
}
