//! The line that a container starts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::images::Facts;

/// The line that a container starts, as its spec and its image have it.
pub(super) fn line(spec: &Value, facts: Option<&Facts>, env: &BTreeMap<String, String>) -> Vec<String> {
    let words = |field: &str| -> Vec<String> {
        let words = spec[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        words.map(|word| filled(word, env)).collect()
    };
    let (command, args) = (words("command"), words("args"));
    if !command.is_empty() {
        return command.into_iter().chain(args).collect();
    }
    let Some(facts) = facts else { return args };
    if args.is_empty() {
        return facts.entry.iter().chain(&facts.run).cloned().collect();
    }
    if facts.entry.is_empty() && args[0].starts_with('-') {
        return facts.run.iter().take(1).cloned().chain(args).collect();
    }
    facts.entry.iter().cloned().chain(args).collect()
}

/// `$(NAME)` as Kubernetes fills it in; `$$` stands for one dollar.
pub(super) fn filled(text: &str, env: &BTreeMap<String, String>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$$") {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix("$(").and_then(|inner| inner.split_once(')')) {
            match env.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
            rest = &rest[1..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line_of(spec: &Value) -> String {
        let facts = super::super::image::facts(spec["image"].as_str().unwrap_or_default());
        line(spec, facts.as_deref(), &BTreeMap::from([("A".to_owned(), "b".to_owned())])).join(" ")
    }

    #[test]
    fn a_container_starts_what_its_image_and_its_spec_say() {
        assert_eq!(line_of(&json!({"image": "nginx"})), "nginx -g daemon off;");
        assert_eq!(line_of(&json!({"image": "nginx", "args": ["-t"]})), "nginx -t");
        assert_eq!(line_of(&json!({"image": "busybox", "args": ["echo", "$(A) $$(A) $(C)"]})), "echo b $(A) $(C)");
        assert_eq!(
            line_of(&json!({"image": "registry.k8s.io/e2e-test-images/agnhost:2.40", "args": ["liveness"]})),
            "/agnhost liveness"
        );
        assert_eq!(line_of(&json!({"image": "me/app", "command": ["/app"]})), "/app");
    }
}
