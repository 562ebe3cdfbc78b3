//! `test --filter EXPR`: the labs of which an expression is true.

use kube_cel::{Budget, Checked, Env, Issue, Type, Value};
use serde_json::{Value as Json, json};

use super::error::CliError;
use super::list;
use crate::lab::{ClusterKind, Lab, Level, Requirement};

const NAMES: &str = "id, file, title, level, minutes, needs, clusters, requires, steps, checks";

pub(super) struct Filter {
    text: String,
    checked: Checked,
}

impl Filter {
    pub(super) fn new(text: &str) -> Result<Self, CliError> {
        let texts = || Type::list(Type::String);
        let env = Env::new([
            ("id", Type::String),
            ("file", Type::String),
            ("title", Type::String),
            ("level", Type::String),
            ("minutes", Type::Int),
            ("needs", texts()),
            ("clusters", texts()),
            ("requires", texts()),
            ("steps", Type::Int),
            ("checks", Type::Int),
        ]);
        let wrong = |at: Option<usize>, why: &str| {
            let place = at.map_or_else(String::new, |column| format!(" at column {column}"));
            let message = format!("--filter `{text}` cannot be read{place}: {why}");
            CliError::wrong_call(message, format!("a CEL expression of {NAMES}"))
        };
        let checked = env.compile(text).map_err(|issues| match issues.all.first() {
            Some(Issue { column, message, .. }) => wrong(Some(column + 1), message),
            None => wrong(None, "it is no expression"),
        })?;
        if !matches!(checked.result, Type::Bool | Type::Dyn) {
            return Err(wrong(None, &format!("it is a {}, and neither true nor false", checked.result)));
        }
        Ok(Self { text: text.to_owned(), checked })
    }

    pub(super) fn takes(&self, lab: &Lab) -> Result<bool, CliError> {
        let facts = facts(lab);
        let names = |name: &str| facts.get(name).map(|value| Ok(Value::of(value)));
        let value = self.checked.program.evaluate(&names, &mut Budget::default());
        let found = value
            .map_err(|error| error.to_string())
            .and_then(|value| value.as_bool().ok_or_else(|| "it is neither true nor false".to_owned()));
        found.map_err(|why| {
            let message = format!("--filter `{}` cannot be evaluated for {}: {why}", self.text, lab.id);
            CliError::wrong_call(message, "what a lab does not say is \"\", 0 or []")
        })
    }
}

fn facts(lab: &Lab) -> Json {
    let clusters: Vec<&str> = lab.clusters.iter().map(|kind| ClusterKind::name(kind.value)).collect();
    let requires: Vec<&str> = lab
        .requires
        .iter()
        .map(|wanted| match wanted.value {
            Requirement::Pods => "pods",
        })
        .collect();
    json!({
        "id": lab.id,
        "file": lab.source.name(),
        "title": lab.title,
        "level": lab.level.map_or("", Level::name),
        "minutes": lab.minutes.unwrap_or_default(),
        "needs": lab.needs.iter().map(|need| need.value.as_str()).collect::<Vec<_>>(),
        "clusters": clusters,
        "requires": requires,
        "steps": lab.steps.len(),
        "checks": list::checks(lab),
    })
}
