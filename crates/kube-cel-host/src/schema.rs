//! The type of a custom resource's part, and how large it may be, from its `OpenAPI` schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::types::{Field, ListKind, Object, Type, escape};

/// The longest request that Kubernetes reckons with.
const REQUEST: u64 = 3 << 20;

/// A part of a schema as expressions see it.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The type that the schema declares.
    pub of: Type,
    /// The greatest size: characters, elements or entries; none for what has one size, which costs nothing to compare.
    pub most: u64,
    /// The least number of bytes that it takes in a request.
    least: u64,
    key: Option<Box<Declared>>,
    element: Option<Box<Declared>>,
    fields: BTreeMap<String, Declared>,
}

impl Declared {
    fn scalar(of: Type, most: u64, least: u64) -> Self {
        Self { of, most, least, key: None, element: None, fields: BTreeMap::new() }
    }

    /// The declaration of a schema; `None` for what expressions do not see. The root of a resource has its type and its
    /// name in any case.
    pub fn new(schema: &Value, root: bool) -> Option<Self> {
        let number =
            |field: &str| schema.get(field).and_then(Value::as_i64).map(|value| u64::try_from(value).unwrap_or(0));
        if schema["x-kubernetes-int-or-string"] == true {
            let most = number("maxLength").map_or(REQUEST - 2, |length| length.saturating_mul(4));
            return Some(Self::scalar(Type::Dyn, most, 1));
        }
        match schema["type"].as_str()? {
            "array" => {
                let items = &schema["items"];
                let element = Self::new(items, items["x-kubernetes-embedded-resource"] == true)?;
                let most = number("maxItems").unwrap_or((REQUEST - 2) / (element.least + 1));
                let kind = match schema["x-kubernetes-list-type"].as_str() {
                    Some("set") => ListKind::Set,
                    Some("map") => {
                        let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
                        ListKind::Keyed(keys.filter_map(Value::as_str).filter_map(escape).collect())
                    }
                    _ => ListKind::Plain,
                };
                let of = Type::items(element.of.clone(), kind);
                Some(Self { element: Some(Box::new(element)), ..Self::scalar(of, most, 2) })
            }
            "object" => Self::object(schema, root, number("maxProperties")),
            "string" => Some(Self::text(schema, number("maxLength"))),
            "boolean" => Some(Self::scalar(Type::Bool, 0, 4)),
            "number" => Some(Self::scalar(Type::Double, 0, 1)),
            "integer" => Some(Self::scalar(Type::Int, 0, 1)),
            _ => None,
        }
    }

    fn text(schema: &Value, length: Option<u64>) -> Self {
        match schema["format"].as_str() {
            Some("byte") => Self::scalar(Type::Bytes, length.unwrap_or(REQUEST - 2), 2),
            Some("duration") => Self::scalar(Type::Duration, 32, 3),
            Some("date") => Self::scalar(Type::Timestamp, 12, 12),
            Some("date-time") => Self::scalar(Type::Timestamp, 32, 21),
            _ => {
                let listed = schema["enum"].as_array().filter(|all| !all.is_empty());
                let longest =
                    |all: &Vec<Value>| all.iter().filter_map(Value::as_str).map(str::len).max().unwrap_or(0) as u64;
                let most =
                    length.map_or_else(|| listed.map_or(REQUEST - 2, longest), |length| length.saturating_mul(4));
                Self::scalar(Type::String, most, 2)
            }
        }
    }

    fn object(schema: &Value, root: bool, most: Option<u64>) -> Option<Self> {
        let additional = &schema["additionalProperties"];
        if additional.is_object() {
            let value = Self::new(additional, additional["x-kubernetes-embedded-resource"] == true)?;
            let most = most.unwrap_or((REQUEST - 2) / (value.least + 6));
            let of = Type::map(Type::String, value.of.clone());
            // A key has no bound of its own: the request bounds it.
            let key = Self::scalar(Type::String, REQUEST - 2, 2);
            return Some(Self {
                key: Some(Box::new(key)),
                element: Some(Box::new(value)),
                ..Self::scalar(of, most, 2)
            });
        }
        let text = json!({"type": "string"});
        let metadata = json!({"type": "object", "properties": {"name": text, "generateName": text}});
        let own = [("kind", &text), ("apiVersion", &text), ("metadata", &metadata)];
        let given = schema["properties"].as_object().into_iter().flatten().map(|(name, one)| (name.as_str(), one));
        let mut properties: BTreeMap<&str, &Value> = given.collect();
        if root || schema["x-kubernetes-embedded-resource"] == true {
            properties.extend(own);
        }
        let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let (mut fields, mut types, mut least) = (BTreeMap::new(), BTreeMap::new(), 2);
        for (name, property) in properties {
            let Some(field) = Self::new(property, property["x-kubernetes-embedded-resource"] == true) else { continue };
            if required(name) && property.get("default").is_none() {
                least += name.len() as u64 + field.least + 4;
            }
            if let Some(escaped) = escape(name) {
                types.insert(escaped.clone(), Field { name: name.to_owned(), of: field.of.clone() });
                fields.insert(escaped, field);
            }
        }
        let of = Type::Object(Arc::new(Object { name: "object".to_owned(), fields: types }));
        Some(Self { least, fields, ..Self::scalar(of, 0, least) })
    }

    /// The greatest size of the value at a path whose first step is the name of this.
    pub fn size(&self, path: &[String]) -> Option<u64> {
        let mut at = self;
        for step in path.get(1..)? {
            at = match step.as_str() {
                "@items" | "@values" => at.element.as_deref()?,
                "@keys" => at.key.as_deref()?,
                name => at.fields.get(name)?,
            };
        }
        Some(at.most)
    }

    /// The declaration of a field, by its own name; `None` for one that expressions do not see.
    pub fn field(&self, name: &str) -> Option<&Declared> {
        self.fields.get(&escape(name)?)
    }

    /// The declaration of each element of a list, or of each value of a map.
    pub fn element(&self) -> Option<&Declared> {
        self.element.as_deref()
    }

    /// How often this can stand in one request at most.
    pub fn cardinality(&self) -> u64 {
        REQUEST / (self.least + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_a_type_with_sizes() {
        let schema = json!({"type": "object", "required": ["a"], "properties": {
            "a": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 5}},
            "my-map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "at": {"type": "string", "format": "date-time"},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }});
        let declared = Declared::new(&schema, true).expect("a declaration");
        let size = |path: &[&str]| declared.size(&path.iter().map(|&step| step.to_owned()).collect::<Vec<_>>());
        assert_eq!(size(&["self", "a"]), Some(3));
        assert_eq!(size(&["self", "a", "@items"]), Some(20));
        assert_eq!(size(&["self", "my__dash__map"]), Some((REQUEST - 2) / 7));
        assert_eq!(size(&["self", "at"]), Some(32));
        assert_eq!(size(&["self", "metadata", "name"]), Some(REQUEST - 2));
        assert_eq!(size(&["self", "nosuch"]), None);
        assert_eq!(declared.cardinality(), REQUEST / (2 + 1 + 2 + 4 + 1));
    }
}
