//! A field that the schema of a custom resource does not have: the API server takes it out of whatever is written, so that
//! no check of it ever holds. Of built-in kinds, and of those that the lab's text defines, lint knows it before.

use serde_json::Value;

use super::hopeless::is_plain;
use crate::expr::{Path, PathStep};
use crate::grade::{self, Need};
use crate::journal::{JournalView, KeyGlob, Piece};
use crate::lab::{Check, CheckKind, Holds, Vars};

/// The field that a check waits for and that its kind does not have.
pub(super) fn no_field(check: &Check, vars: &Vars, prefix: &str, view: &JournalView) -> Option<String> {
    let (CheckKind::Key { holds: Holds::Where(condition), .. }
    | CheckKind::Resource { holds: Holds::Where(condition), .. }) = &check.kind
    else {
        return None;
    };
    if !is_plain(&condition.text) {
        return None;
    }
    let prefix = prefix.trim_end_matches('/');
    let folder = "/apiextensions.k8s.io/customresourcedefinitions/**";
    let glob = KeyGlob::from_pieces(&[Piece::Data(prefix), Piece::Pattern(folder)]);
    let definitions = view.states(&glob, view.end());
    let mut definitions =
        definitions.iter().filter_map(|change| change.value.as_ref()?.object().ok().map(|object| (*object).clone()));
    let definition: Value = match grade::needs(check, vars).pop() {
        Some(Need::Resource { kind, .. }) => definitions.find(|definition| is_called(definition, &kind))?,
        Some(_) => return None,
        None => {
            let glob = grade::concerns(check, vars, prefix)?;
            let key = glob.exact()?.strip_prefix(prefix)?.trim_start_matches('/').to_owned();
            let (group, rest) = key.split_once('/')?;
            let (plural, _) = rest.split_once('/')?;
            definitions.find(|one| one["spec"]["group"] == group && one["spec"]["names"]["plural"] == plural)?
        }
    };
    let schemas = schemas(&definition)?;
    let is_out = |path: &&Path| path.root == "object" && schemas.iter().all(|schema| is_missing(schema, path));
    let path = condition.paths().iter().find(is_out)?;
    let kind = definition["spec"]["names"]["kind"].as_str().unwrap_or_default();
    Some(format!("a {kind} has no field {path}"))
}

/// Of all versions: which of them is asked is not known. `None`: something is not ruled out by any.
fn schemas(definition: &Value) -> Option<Vec<&Value>> {
    let spec = &definition["spec"];
    if spec["preserveUnknownFields"] == true {
        return None;
    }
    // Definitions are stored as v1beta1, where a schema that all versions have stands apart.
    let of_all = spec.pointer("/validation/openAPIV3Schema");
    let schema = |version| Value::pointer(version, "/schema/openAPIV3Schema").or(of_all);
    let schemas: Vec<&Value> = spec["versions"].as_array()?.iter().map(schema).collect::<Option<_>>()?;
    (!schemas.is_empty()).then_some(schemas)
}

fn is_called(definition: &Value, name: &str) -> bool {
    let names = &definition["spec"]["names"];
    let (short, group) = name.split_once('.').map_or((name, None), |(short, group)| (short, Some(group)));
    let is = |value: &Value| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(short));
    let in_group = group.is_none_or(|group| definition["spec"]["group"] == group);
    let shorts = names["shortNames"].as_array().into_iter().flatten();
    in_group && (is(&names["plural"]) || is(&names["singular"]) || is(&names["kind"]) || shorts.into_iter().any(is))
}

/// Whether the schema is sure that nothing can ever be there.
fn is_missing(schema: &Value, path: &Path) -> bool {
    let mut schema = schema;
    for (depth, step) in path.steps.iter().enumerate() {
        let PathStep::Field(name) = step else {
            match schema.get("items") {
                Some(items) => schema = items,
                None => return false,
            }
            continue;
        };
        if depth == 0 && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            return false;
        }
        let is_open = schema["x-kubernetes-preserve-unknown-fields"] == true
            || schema.get("additionalProperties").is_some_and(|more| more != false)
            || schema["x-kubernetes-embedded-resource"] == true;
        match schema.get("properties").and_then(|properties| properties.get(name)) {
            Some(next) => schema = next,
            // `status` is there only with its subresource, and a schema may leave it open by saying nothing of it.
            None => return !is_open && schema["type"] == "object",
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_stand_by_their_version_or_apart() {
        let (one, other) = (json!({"type": "object"}), json!({"type": "object", "properties": {}}));
        let by = |schema: &Value| json!({"name": "v1", "schema": {"openAPIV3Schema": schema}});
        let of =
            |spec: Value| schemas(&json!({"spec": spec})).map(|found| found.into_iter().cloned().collect::<Vec<_>>());
        let apart = json!({"openAPIV3Schema": one});
        assert_eq!(of(json!({"versions": [by(&one), by(&other)]})), Some(vec![one.clone(), other]));
        assert_eq!(of(json!({"versions": [{"name": "v1"}], "validation": apart})), Some(vec![one.clone()]));
        for unknown in [
            json!({"versions": [by(&one), {"name": "v2"}]}),
            json!({"versions": [{"name": "v1"}], "validation": apart, "preserveUnknownFields": true}),
            json!({"versions": []}),
            json!({}),
        ] {
            assert_eq!(of(unknown.clone()), None, "{unknown}");
        }
    }

    #[test]
    fn only_what_the_schema_rules_out_is_missing() {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "size": {"type": "integer"},
                "parts": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }},
        }});
        let of = |steps: &[&str]| {
            let step = |step: &&str| step.parse().map_or_else(|_| PathStep::Field((*step).to_owned()), PathStep::Index);
            is_missing(&schema, &Path { root: "object".to_owned(), steps: steps.iter().map(step).collect() })
        };
        for there in [
            &["spec", "size"][..],
            &["spec", "parts", "0", "name"],
            &["spec", "labels", "any"],
            &["spec", "free", "any", "thing"],
            &["metadata", "labels", "x"],
        ] {
            assert!(!of(there), "{there:?}");
        }
        for missing in [&["spec", "siz"][..], &["spec", "parts", "0", "nam"], &["status", "phase"], &["spc"]] {
            assert!(of(missing), "{missing:?}");
        }
    }
}
