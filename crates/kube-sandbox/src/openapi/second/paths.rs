//! What can be asked of a kind, as v2 tells it: what v3 has below `schema`, `content` and `requestBody` stands elsewhere.

use serde_json::{Value, json};

/// In which order forms are named; custom kinds have the first two.
const FORMS: [&str; 3] = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

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
    if let Some(own) = of.get_mut("parameters") {
        parameters(own);
    }
    let schema = |media: &mut Value| {
        let mut schema = media["schema"].take();
        super::second(&mut schema, false);
        schema
    };
    let mut produced: Vec<String> = Vec::new();
    for (_, answer) in of["responses"].as_object_mut().into_iter().flatten() {
        let media = answer["content"].as_object_mut().map(std::mem::take).unwrap_or_default();
        let mut forms: Vec<String> = media.keys().cloned().collect();
        *answer = match media.into_iter().next() {
            Some((_, mut first)) => json!({"description": answer["description"], "schema": schema(&mut first)}),
            None => json!({"description": answer["description"]}),
        };
        if produced.is_empty() {
            forms.sort_by_key(|form| FORMS.iter().position(|known| known == form).unwrap_or(FORMS.len()));
            produced = forms;
        }
    }
    let body = of.as_object_mut().and_then(|map| map.remove("requestBody"));
    let required = body.as_ref().is_some_and(|body| body["required"] == true);
    let media = body.and_then(|mut body| body["content"].as_object_mut().map(std::mem::take)).unwrap_or_default();
    let kinds: Vec<&String> = media.keys().collect();
    of["consumes"] = match (kinds.as_slice(), custom) {
        ([] | [_], false) => json!(["*/*"]),
        ([] | [_], true) => json!(&FORMS[..2]),
        // A patch comes in one of several.
        _ => json!(kinds),
    };
    if let Some((_, mut body)) = media.into_iter().next() {
        let mut body = json!({"name": "body", "in": "body", "schema": schema(&mut body)});
        if required {
            body["required"] = true.into();
        }
        let mut all = vec![body];
        all.extend(of["parameters"].as_array_mut().map(std::mem::take).into_iter().flatten());
        of["parameters"] = all.into();
    }
    of["produces"] = json!(produced);
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
            "put": {"parameters": [query], "requestBody": {"content": media, "required": true}, "responses": answers},
            "patch": {"parameters": [query], "requestBody": {"content": patches, "required": true}, "responses": answers},
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
        assert_eq!(item["put"]["consumes"], json!(["application/json", "application/yaml"]));
        assert_eq!(item["put"]["produces"], json!(["application/json"]));
    }
}
