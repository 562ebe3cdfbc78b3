//! The entries of `metadata.managedFields`.

use serde_json::{Value, json};

use super::set::Set;
use crate::object::meta;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) manager: String,
    pub(super) operation: Operation,
    pub(super) subresource: String,
    pub(super) time: Option<String>,
    pub(super) set: Set,
    api_version: String,
}

impl Entry {
    pub(super) fn new(manager: &str, operation: Operation, api_version: &str, subresource: &str) -> Self {
        Self {
            manager: manager.to_owned(),
            operation,
            subresource: subresource.to_owned(),
            time: None,
            set: Set::default(),
            api_version: api_version.to_owned(),
        }
    }

    pub(super) fn read(object: &Value) -> Vec<Self> {
        let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        list.into_iter()
            .flatten()
            .map(|entry| Self {
                manager: text(entry, "manager"),
                operation: if entry["operation"] == "Apply" { Operation::Apply } else { Operation::Update },
                subresource: text(entry, "subresource"),
                time: entry["time"].as_str().map(str::to_owned),
                set: Set::parse(&entry["fieldsV1"]),
                api_version: text(entry, "apiVersion"),
            })
            .collect()
    }

    pub(super) fn write(mut entries: Vec<Self>, object: &mut Value) {
        // A manager that applied nothing is a manager still.
        entries.retain(|entry| !entry.set.is_empty() || entry.operation == Operation::Apply);
        entries.sort_by(|a, b| {
            (a.operation, &a.time, &a.manager, &a.subresource).cmp(&(b.operation, &b.time, &b.manager, &b.subresource))
        });
        let list: Vec<Value> = entries.iter().map(Self::to_value).collect();
        if list.is_empty() {
            meta::remove(object, "managedFields");
        } else {
            meta::set(object, "managedFields", list);
        }
    }

    fn to_value(&self) -> Value {
        let mut value = json!({
            "manager": self.manager,
            "operation": if self.operation == Operation::Apply { "Apply" } else { "Update" },
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.set.to_fields(),
        });
        if let Some(time) = &self.time {
            value["time"] = json!(time);
        }
        if !self.subresource.is_empty() {
            value["subresource"] = json!(self.subresource);
        }
        value
    }

    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && self.api_version == other.api_version
    }

    pub(super) fn find_or_add(entries: &mut Vec<Self>, key: Self) -> &mut Self {
        let at = entries.iter().position(|entry| entry.is_of(&key)).unwrap_or_else(|| {
            entries.push(key);
            entries.len() - 1
        });
        &mut entries[at]
    }

    /// The manager as conflicts name it.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text = format!("{text} with subresource {:?}", self.subresource);
        }
        match self.operation {
            Operation::Apply => text,
            Operation::Update => format!("{text} using {}", self.api_version),
        }
    }
}
