//! Server-side printing: the columns that `kubectl get` shows for each kind, as a kube-apiserver
//! answers them.

mod cluster;
mod core;
mod jsonpath;
mod network;
mod pods;
mod policy;
mod storage;
mod text;
mod workloads;

use jiff::Timestamp;
use serde_json::{Value, json};

use kube_etcd_codec::Kind;

/// One column. What has a priority is shown by `-o wide` only.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    kind: &'static str,
    priority: u8,
}

const fn column(name: &'static str) -> Column {
    Column { name, kind: "string", priority: 0 }
}

const fn number(name: &'static str) -> Column {
    Column { name, kind: "integer", priority: 0 }
}

const fn wide(name: &'static str) -> Column {
    Column { name, kind: "string", priority: 1 }
}

/// How one kind is printed.
struct Printer {
    columns: &'static [Column],
    cells: fn(&Row<'_>) -> Vec<Value>,
}

/// The columns of a kind, and the cells of one object.
type Printing = (&'static [Column], fn(&Row<'_>) -> Vec<Value>);

/// An object, and the time at which it is looked at.
struct Row<'a> {
    object: &'a Value,
    now: Timestamp,
}

/// The `meta.k8s.io/v1` Table of these objects; its rows hold no objects yet.
pub(super) fn table(kind: &Kind, items: &[Value], now: Timestamp) -> Value {
    let printer = printer(kind);
    let columns = printer.columns.iter().map(|column| definition(column.name, column.kind, column.priority, ""));
    let rows = items.iter().map(|object| {
        let mut row = json!({"cells": (printer.cells)(&Row { object, now })});
        if kind.kind == "Pod"
            && let Some(condition) = pods::is_over(object)
        {
            row["conditions"] = json!([condition]);
        }
        row
    });
    answer(&columns.collect::<Vec<_>>(), &rows.collect::<Vec<_>>())
}

/// The Table of custom objects by their definition's `additionalPrinterColumns`.
pub(super) fn custom_table(columns: &[Value], items: &[Value], now: Timestamp) -> Value {
    let age = [json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})];
    let columns = if columns.is_empty() { &age[..] } else { columns };
    let text = |column: &Value, field: &str| column[field].as_str().unwrap_or_default().to_owned();
    let mut definitions = vec![definition("Name", "string", 0, "")];
    for column in columns {
        let priority = column["priority"].as_u64().and_then(|number| u8::try_from(number).ok()).unwrap_or_default();
        let kind = text(column, "type");
        definitions.push(definition(&text(column, "name"), &kind, priority, &text(column, "description")));
    }
    let rows = items.iter().map(|object| {
        let row = Row { object, now };
        let mut cells = vec![row.name()];
        for column in columns {
            let path = column.get("jsonPath").or_else(|| column.get("JSONPath")).and_then(Value::as_str);
            cells.push(custom_cell(&row, &text(column, "type"), path.unwrap_or_default()));
        }
        json!({"cells": cells})
    });
    answer(&definitions, &rows.collect::<Vec<_>>())
}

fn custom_cell(row: &Row<'_>, kind: &str, path: &str) -> Value {
    let found = jsonpath::find(row.object, path);
    let Some(first) = found.first() else { return Value::Null };
    match (kind, first) {
        (_, Value::Null) => Value::Null,
        ("date", Value::String(time)) => json!(text::since(Some(time), row.now)),
        ("integer", Value::Number(number)) => json!(number.as_i64()),
        ("number" | "boolean", value) => (*value).clone(),
        ("string", _) if found.len() > 1 => {
            json!(found.iter().map(|value| text::plain(value)).collect::<Vec<_>>().join(","))
        }
        ("string", value) => json!(text::plain(value)),
        _ => Value::Null,
    }
}

fn definition(name: &str, kind: &str, priority: u8, description: &str) -> Value {
    let format = if name == "Name" { "name" } else { "" };
    json!({"name": name, "type": kind, "format": format, "description": description, "priority": priority})
}

fn answer(columns: &[Value], rows: &[Value]) -> Value {
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": columns, "rows": rows})
}

fn printer(kind: &Kind) -> Printer {
    let Some(printer) = (match kind.group {
        "apps" | "batch" | "autoscaling" => workloads::printer(kind.plural),
        "networking.k8s.io" | "discovery.k8s.io" => network::printer(kind.plural),
        "storage.k8s.io" => storage::printer(kind.plural),
        "" | "events.k8s.io" => core::printer(kind.plural)
            .or_else(|| workloads::printer(kind.plural))
            .or_else(|| network::printer(kind.plural))
            .or_else(|| storage::printer(kind.plural)),
        "rbac.authorization.k8s.io" | "admissionregistration.k8s.io" | "policy" => policy::printer(kind.plural),
        _ => cluster::printer(kind.plural),
    }) else {
        return Printer { columns: const { &[column("Name"), column("Created At")] }, cells: created_at };
    };
    printer
}

/// What a kind without a printer of its own shows.
fn created_at(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text("/metadata/creationTimestamp"))]
}

impl Row<'_> {
    fn at(&self, pointer: &str) -> Option<&Value> {
        self.object.pointer(pointer).filter(|value| !value.is_null())
    }

    fn text(&self, pointer: &str) -> &str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn text_or<'a>(&'a self, pointer: &str, other: &'a str) -> &'a str {
        Some(self.text(pointer)).filter(|text| !text.is_empty()).unwrap_or(other)
    }

    fn number(&self, pointer: &str) -> i64 {
        self.at(pointer).and_then(Value::as_i64).unwrap_or_default()
    }

    fn flag(&self, pointer: &str) -> bool {
        self.at(pointer).and_then(Value::as_bool).unwrap_or_default()
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn size(&self, pointer: &str) -> usize {
        match self.at(pointer) {
            Some(Value::Object(map)) => map.len(),
            Some(Value::Array(list)) => list.len(),
            _ => 0,
        }
    }

    fn name(&self) -> Value {
        json!(self.text("/metadata/name"))
    }

    fn is_going(&self) -> bool {
        self.at("/metadata/deletionTimestamp").is_some()
    }

    fn age(&self) -> Value {
        json!(self.since("/metadata/creationTimestamp"))
    }

    fn since(&self, pointer: &str) -> String {
        text::since(self.at(pointer).and_then(Value::as_str), self.now)
    }

    /// Whether the object has a condition of this type that is true.
    fn holds(&self, condition: &str) -> bool {
        self.list("/status/conditions").iter().any(|one| one["type"] == condition && one["status"] == "True")
    }

    /// The names and the images of a template's containers.
    fn containers(&self, spec: &str) -> [Value; 2] {
        let containers = self.list(&format!("{spec}/containers"));
        ["name", "image"].map(|field| json!(text::join(containers.iter().map(|one| &one[field]), ",")))
    }
}

#[cfg(test)]
mod tests;
