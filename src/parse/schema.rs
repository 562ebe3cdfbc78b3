//! The front matter as a JSON Schema, for tools that read it by themselves.

use serde_json::{Map, Value, json};

use crate::lab::ClusterKind;
use crate::lab::keywords::{CLUSTERS, LEVELS, REQUIREMENTS, RESERVED_PREFIXES, words};
use crate::lab::language::LANGUAGES;
use crate::lab::meanings::{self, Meaning};

/// The schema, as `schemas/front-matter.json` has it.
pub fn front_matter_schema() -> Value {
    let mut schema = object(meanings::FRONT_MATTER, |key| match key {
        "lang" => json!({ "enum": words(LANGUAGES).collect::<Vec<_>>() }),
        "level" => json!({ "enum": words(LEVELS).collect::<Vec<_>>() }),
        "minutes" => json!({ "type": "integer", "minimum": 1 }),
        "needs" => json!({ "type": "array", "items": { "type": "string" } }),
        "clusters" => json!({
            "type": "array", "minItems": 1, "items": { "enum": words(CLUSTERS).collect::<Vec<_>>() },
        }),
        "requires" => json!({ "type": "array", "items": { "enum": words(REQUIREMENTS).collect::<Vec<_>>() } }),
        "cluster" => object(meanings::CLUSTER, |key| match key {
            "nodes" => json!({ "type": "integer", "minimum": 1 }),
            _ => json!({ "type": "string", "pattern": "^v?[0-9]+\\.[0-9]+(\\.[0-9]+)?$" }),
        }),
        "etcd" => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[a-z][-a-z0-9]*$" },
            "additionalProperties": { "type": "string", "pattern": "^https?://" },
        }),
        "vars" => json!({
            "type": "object",
            "propertyNames": {
                "pattern": format!("^(?!{})[A-Za-z_][A-Za-z0-9_]*$", RESERVED_PREFIXES.join("|")),
            },
            "additionalProperties": variable(),
        }),
        _ => json!({ "type": "string" }),
    });
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "The front matter of a keywitness lab".into();
    schema["description"] = format!(
        "Between two lines of `---` at the head of a lab. Kinds of clusters: {}.",
        ClusterKind::ALL.map(ClusterKind::name).join(", ")
    )
    .into();
    schema
}

fn variable() -> Value {
    let mut variable = object(meanings::VARIABLE, |key| match key {
        "port" | "secret" => json!({ "type": "boolean" }),
        "random" => json!({ "type": "string", "pattern": "\\?" }),
        "pattern" => json!({ "type": "string", "format": "regex" }),
        _ => json!({ "type": "string" }),
    });
    // One value at the most; what has none takes it from the `vars` fence.
    let both = |one: &str, other: &str| json!({ "required": [one, other] });
    variable["not"] = json!({ "anyOf": [both("default", "random"), both("default", "port"), both("random", "port")] });
    variable["type"] = json!(["object", "null"]);
    variable
}

/// A map of these keys and no others.
fn object(keys: &[Meaning], of: impl Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|entry| {
            let mut schema = of(entry.word);
            schema["description"] = entry.means.into();
            (entry.word.to_owned(), schema)
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::front_matter;

    /// Written anew by `UPDATE_GOLDEN=1`.
    #[test]
    fn the_committed_schema_is_the_codes() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/front-matter.json");
        let made = format!("{:#}\n", front_matter_schema());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &made).expect("the schema is written");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), made, "UPDATE_GOLDEN=1 writes it anew");
    }

    #[test]
    fn it_knows_the_keys_that_the_parser_knows() {
        let words = |table: &[Meaning]| table.iter().map(|entry| entry.word).collect::<Vec<_>>();
        assert_eq!(words(meanings::FRONT_MATTER), front_matter::KEYS);
        assert_eq!(words(meanings::CLUSTER), front_matter::CLUSTER_KEYS);
        assert_eq!(words(meanings::VARIABLE), front_matter::VAR_KEYS);
    }
}
