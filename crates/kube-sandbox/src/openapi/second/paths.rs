//! What can be asked of a kind, as v2 tells it: what v3 has below `schema`, `content` and `requestBody` stands elsewhere.

use serde_json::{Value, json};

const FORMS: [&str; 3] = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const PATCHES: [&str; 5] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/apply-patch+cbor",
];

/// Makes a path's item of v3 one of v2.
pub(super) fn second(mut item: Value) -> Value {
    for (part, of) in item.as_object_mut().into_iter().flatten() {
        if part == "parameters" {
            parameters(of);
        } else {
            operation(part, of);
        }
    }
    item
}

fn operation(method: &str, of: &mut Value) {
    parameters(&mut of["parameters"]);
    let schema = |media: &mut Value| {
        let mut schema = media["content"]["application/json"]["schema"].take();
        super::second(&mut schema, false);
        schema
    };
    for (_, answer) in of["responses"].as_object_mut().into_iter().flatten() {
        let of = schema(answer);
        *answer = json!({"description": answer["description"], "schema": of});
    }
    let body = of.as_object_mut().and_then(|map| map.remove("requestBody"));
    let body = match (method, body) {
        (_, Some(mut body)) => Some(schema(&mut body)),
        ("patch", None) => Some(json!({"type": "object"})),
        _ => None,
    };
    if let (Some(body), Some(all)) = (body, of["parameters"].as_array_mut()) {
        all.insert(0, json!({"name": "body", "in": "body", "required": true, "schema": body}));
    }
    of["consumes"] = if method == "patch" { json!(PATCHES) } else { json!(["*/*"]) };
    of["produces"] = json!(FORMS);
    of["schemes"] = json!(["https"]);
}

fn parameters(all: &mut Value) {
    for one in all.as_array_mut().into_iter().flatten() {
        let schema = one.as_object_mut().and_then(|map| map.remove("schema"));
        if let (Some(one), Some(Value::Object(schema))) = (one.as_object_mut(), schema) {
            one.extend(schema);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_of_version_3_becomes_one_of_version_2() {
        let media = json!({"application/json": {"schema": {"$ref": "#/components/schemas/X"}}});
        let query = json!({"name": "dryRun", "in": "query", "schema": {"type": "string", "uniqueItems": true}});
        let path = json!({"name": "name", "in": "path", "required": true, "schema": {"type": "string"}});
        let answers = json!({"200": {"description": "OK", "content": media}});
        let item = second(json!({
            "parameters": [path],
            "put": {"parameters": [query], "requestBody": {"content": media}, "responses": answers},
            "patch": {"parameters": [query], "responses": answers},
        }));
        assert_eq!(item["parameters"], json!([{"name": "name", "in": "path", "required": true, "type": "string"}]));
        let schema = json!({"$ref": "#/definitions/X"});
        let query = json!({"name": "dryRun", "in": "query", "type": "string", "uniqueItems": true});
        let body = json!({"name": "body", "in": "body", "required": true, "schema": schema});
        assert_eq!(item["put"]["parameters"], json!([body, query]));
        assert_eq!(item["put"]["responses"], json!({"200": {"description": "OK", "schema": schema}}));
        assert!(item["put"].get("requestBody").is_none());
        assert_eq!(item["patch"]["parameters"][0]["in"], "body");
        assert_eq!(item["patch"]["consumes"], json!(PATCHES));
    }
}
