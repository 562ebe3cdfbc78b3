//! Who may do what: roles, admission, disruption budgets.

use serde_json::{Value, json};

use super::text::{UNSET, join, plain};
use super::{Column, Printer, Printing, Row, column, number, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    let (columns, cells): Printing = match plural {
        "rolebindings" | "clusterrolebindings" => (BINDING, binding),
        "mutatingwebhookconfigurations" | "validatingwebhookconfigurations" => {
            (const { &[column("Name"), number("Webhooks"), column("Age")] }, webhooks)
        }
        "validatingadmissionpolicies" => (VALIDATING, validating),
        "mutatingadmissionpolicies" => (MUTATING, mutating),
        "validatingadmissionpolicybindings" | "mutatingadmissionpolicybindings" => {
            (const { &[column("Name"), column("PolicyName"), column("ParamRef"), column("Age")] }, policy_binding)
        }
        "poddisruptionbudgets" => (BUDGET, budget),
        _ => return None,
    };
    Some(Printer { columns, cells })
}

const BINDING: &[Column] =
    &[column("Name"), column("Role"), column("Age"), wide("Users"), wide("Groups"), wide("ServiceAccounts")];

fn binding(row: &Row<'_>) -> Vec<Value> {
    let subjects = |kind: &str| {
        let found = row.list("/subjects").iter().filter(|one| one["kind"] == kind);
        let names = found.map(|one| match one["namespace"].as_str() {
            Some(namespace) if kind == "ServiceAccount" => format!("{namespace}/{}", plain(&one["name"])),
            _ => plain(&one["name"]),
        });
        json!(names.collect::<Vec<_>>().join(", "))
    };
    let role = format!("{}/{}", row.text("/roleRef/kind"), row.text("/roleRef/name"));
    vec![row.name(), json!(role), row.age(), subjects("User"), subjects("Group"), subjects("ServiceAccount")]
}

fn webhooks(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.size("/webhooks")), row.age()]
}

const VALIDATING: &[Column] = &[column("Name"), number("Validations"), column("ParamKind"), column("Age")];
const MUTATING: &[Column] = &[column("Name"), number("Mutations"), column("ParamKind"), column("Age")];

fn validating(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.size("/spec/validations")), parameters(row), row.age()]
}

fn mutating(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.size("/spec/mutations")), parameters(row), row.age()]
}

fn parameters(row: &Row<'_>) -> Value {
    let kind = row.at("/spec/paramKind");
    json!(kind.map_or_else(
        || UNSET.to_owned(),
        |one| join([&one["apiVersion"], &one["kind"]].into_iter().filter(|part| part.is_string()), "/")
    ))
}

fn policy_binding(row: &Row<'_>) -> Vec<Value> {
    let parameter = row.at("/spec/paramRef").map_or_else(
        || UNSET.to_owned(),
        |one| match (one["namespace"].as_str(), one["name"].as_str()) {
            (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
            (None, Some(name)) => name.to_owned(),
            (Some(namespace), None) => format!("{namespace}/*"),
            (None, None) => "*/*".to_owned(),
        },
    );
    vec![row.name(), json!(row.text("/spec/policyName")), json!(parameter), row.age()]
}

const BUDGET: &[Column] =
    &[column("Name"), column("Min Available"), column("Max Unavailable"), number("Allowed Disruptions"), column("Age")];

fn budget(row: &Row<'_>) -> Vec<Value> {
    let text = |pointer: &str| json!(row.at(pointer).map_or_else(|| "N/A".to_owned(), plain));
    vec![
        row.name(),
        text("/spec/minAvailable"),
        text("/spec/maxUnavailable"),
        json!(row.number("/status/disruptionsAllowed")),
        row.age(),
    ]
}
