//! What can be asked of a kind, as v2 tells it: what v3 has below `schema`, `content` and `requestBody` stands elsewhere.

use serde_json::{Value, json};

/// What Kubernetes' own kinds are read and written in.
const FORMS: [&str; 3] = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const CUSTOM_FORMS: [&str; 2] = ["application/json", "application/yaml"];

/// Makes a path's item of v3 one of v2.
pub(super) fn second(mut item: Value, custom: bool) -> Value {
    for (part, of) in item.as_object_mut().into_iter().flatten() {
        if part == "parameters" {
            parameters(of);
        } else {
            operation(of, custom);
        }
    }
    item
}

fn operation(of: &mut Value, custom: bool) {
    parameters(&mut of["parameters"]);
    let schema = |media: &mut Value| {
        let mut schema = media["schema"].take();
        super::second(&mut schema, false);
        schema
    };
    for (_, answer) in of["responses"].as_object_mut().into_iter().flatten() {
        let of = schema(&mut answer["content"]["application/json"]);
        *answer = json!({"description": answer["description"], "schema": of});
    }
    let body = of.as_object_mut().and_then(|map| map.remove("requestBody"));
    let media = body.and_then(|mut body| body["content"].as_object_mut().map(std::mem::take)).unwrap_or_default();
    let kinds: Vec<&String> = media.keys().collect();
    of["consumes"] = match (kinds.as_slice(), custom) {
        ([] | [_], false) => json!(["*/*"]),
        ([] | [_], true) => json!(CUSTOM_FORMS),
        // A patch comes in one of several.
        _ => json!(kinds),
    };
    if let (Some((_, mut body)), Some(all)) = (media.into_iter().next(), of["parameters"].as_array_mut()) {
        all.insert(0, json!({"name": "body", "in": "body", "required": true, "schema": schema(&mut body)}));
    }
    of["produces"] = if custom { json!(CUSTOM_FORMS) } else { json!(FORMS) };
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
        let patches = json!({"application/json-patch+json": {"schema": {"type": "object"}},
            "application/merge-patch+json": {"schema": {"type": "object"}}});
        let three = json!({
            "parameters": [path],
            "put": {"parameters": [query], "requestBody": {"content": media}, "responses": answers},
            "patch": {"parameters": [query], "requestBody": {"content": patches}, "responses": answers},
        });
        let item = second(three.clone(), false);
        assert_eq!(item["parameters"], json!([{"name": "name", "in": "path", "required": true, "type": "string"}]));
        let schema = json!({"$ref": "#/definitions/X"});
        let query = json!({"name": "dryRun", "in": "query", "type": "string", "uniqueItems": true});
        let body = json!({"name": "body", "in": "body", "required": true, "schema": schema});
        assert_eq!(item["put"]["parameters"], json!([body, query]));
        assert_eq!(item["put"]["responses"], json!({"200": {"description": "OK", "schema": schema}}));
        assert!(item["put"].get("requestBody").is_none());
        assert_eq!(item["patch"]["parameters"][0]["in"], "body");
        assert_eq!(item["put"]["consumes"], json!(["*/*"]));
        assert_eq!(item["patch"]["consumes"], json!(["application/json-patch+json", "application/merge-patch+json"]));
        let item = second(three, true);
        assert_eq!(item["put"]["consumes"], json!(CUSTOM_FORMS));
        assert_eq!(item["put"]["produces"], json!(CUSTOM_FORMS));
    }
}
