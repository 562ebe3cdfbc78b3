//! Values as Kubernetes' own types hold them, which is how its refusals show them: every field, whether it is set
//! or not, under its Go name. `internal.txt` lists the types: `*` may be null, `[` is a list, `{` a map, `@` another
//! type, `+` one whose fields stand among the others.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Map, Value};

static TYPES: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let lines = include_str!("internal.txt").lines();
    lines.filter_map(|line| line.split_once(' ')).map(|(name, fields)| (name, fields.split(' ').collect())).collect()
});

/// In one line.
pub(super) fn text(kind: &str, value: &Value) -> String {
    let mut out = String::new();
    struct_of(kind, value).write(&mut out, None);
    out
}

/// What parts two values, as `diff -u` shows it.
pub(super) fn difference(kind: &str, old: &Value, new: &Value) -> String {
    let lines = |value: &Value| {
        let mut out = String::new();
        struct_of(kind, value).write(&mut out, Some(0));
        out.push('\n');
        out
    };
    let (old, new) = (lines(old), lines(new));
    let diff = similar::TextDiff::from_lines(&old, &new);
    diff.unified_diff().context_radius(3).to_string()
}

enum Tree {
    Plain(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn null() -> Self {
        Self::Plain("null".to_owned())
    }

    /// With lines and their indentation, or without.
    fn write(&self, out: &mut String, indent: Option<usize>) {
        let inner = indent.map(|depth| depth + 1);
        let line = |out: &mut String, depth: Option<usize>| {
            if let Some(depth) = depth {
                out.push('\n');
                out.push_str(&" ".repeat(depth));
            }
        };
        let parts = match self {
            Self::Plain(text) => return out.push_str(text),
            Self::List(parts) if parts.is_empty() => return out.push_str("[]"),
            Self::Object(parts) if parts.is_empty() => return out.push_str("{}"),
            Self::List(parts) => parts.iter().map(|part| (None, part)).collect::<Vec<_>>(),
            Self::Object(parts) => parts.iter().map(|(name, part)| (Some(name), part)).collect(),
        };
        let (open, close) = if matches!(self, Self::List(_)) { ('[', ']') } else { ('{', '}') };
        out.push(open);
        for (at, (name, part)) in parts.into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            line(out, inner);
            if let Some(name) = name {
                let _ = write!(out, "{}:{}", quoted(name), if indent.is_some() { " " } else { "" });
            }
            part.write(out, inner);
        }
        line(out, indent);
        out.push(close);
    }
}

/// As Go writes it, which is careful about HTML.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn struct_of(kind: &str, value: &Value) -> Tree {
    let mut fields = Vec::new();
    let merged;
    let value = if kind == "PodSpec" {
        merged = with_host_fields(value);
        &merged
    } else {
        value
    };
    collect(kind, value, &mut fields);
    Tree::Object(fields)
}

/// What a pod shares with its node stands in its security context.
fn with_host_fields(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for field in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"] {
        if let Some(value) = spec.as_object_mut().and_then(|spec| spec.remove(field)) {
            spec["securityContext"][field] = value;
        }
    }
    spec
}

fn collect(kind: &str, value: &Value, fields: &mut Vec<(String, Tree)>) {
    for field in TYPES.get(kind).into_iter().flatten() {
        match field.split_once('=') {
            Some((name, code)) => {
                let given = value.as_object().and_then(|map| find(map, name));
                fields.push((name.to_owned(), tree(code, given)));
            }
            None => collect(field.trim_start_matches('+'), value, fields),
        }
    }
}

/// The field that differs from its Go name in its letters' case only.
fn find<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).filter(|value| !value.is_null())
}

fn tree(code: &str, value: Option<&Value>) -> Tree {
    let (first, rest) = code.split_at(1);
    let plain = |none: &str| Tree::Plain(value.map_or_else(|| none.to_owned(), shown));
    match (first, value) {
        ("*" | "[" | "{" | "n", None) => Tree::null(),
        ("*", value) => tree(rest, value),
        ("[", Some(Value::Array(items))) => Tree::List(items.iter().map(|item| tree(rest, Some(item))).collect()),
        ("{", Some(Value::Object(map))) => {
            Tree::Object(map.iter().map(|(key, value)| (key.clone(), tree(rest, Some(value)))).collect())
        }
        ("@", value) => struct_of(rest, value.unwrap_or(&Value::Null)),
        ("q", Some(Value::Number(number))) => Tree::Plain(format!("\"{number}\"")),
        ("q", _) => plain("\"0\""),
        ("s", _) => plain("\"\""),
        ("i", _) => plain("0"),
        ("b", _) => plain("false"),
        ("o", value) => object(value),
        (_, Some(value)) => Tree::Plain(shown(value)),
        (_, None) => Tree::null(),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), quoted)
}

/// Metadata and selectors have one form only.
fn object(value: Option<&Value>) -> Tree {
    let Some(value) = value else { return Tree::Object(Vec::new()) };
    let message = kube_etcd_codec::message("meta/v1.LabelSelector")
        .filter(|message| value.as_object().is_some_and(|map| map.keys().all(|key| message.field(key).is_some())));
    let text = serde_json::to_string(&kube_etcd_codec::ordered_as(message, value)).unwrap_or_default();
    from_json(&serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn from_json(value: &Value) -> Tree {
    match value {
        Value::Array(items) => Tree::List(items.iter().map(from_json).collect()),
        Value::Object(map) => Tree::Object(map.iter().map(|(key, value)| (key.clone(), from_json(value))).collect()),
        plain => Tree::Plain(shown(plain)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_is_shown_under_its_go_name() {
        let port = json!({"port": 80, "protocol": "TCP"});
        assert_eq!(
            text("ServicePort", &port),
            r#"{"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}"#
        );
        assert_eq!(text("DeploymentStrategy", &json!({"type": "Foo"})), r#"{"Type":"Foo","RollingUpdate":null}"#);
    }

    #[test]
    fn a_difference_has_three_lines_around_it() {
        let claim = |mode: &str| json!({"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}});
        assert_eq!(
            difference("PersistentVolumeClaimSpec", &claim("ReadWriteOnce"), &claim("ReadWriteMany")),
            "@@ -1,6 +1,6 @@\n {\n  \"AccessModes\": [\n-  \"ReadWriteOnce\"\n+  \"ReadWriteMany\"\n  ],\n  \"Selector\": null,\n  \"Resources\": {\n"
        );
    }

    #[test]
    fn what_a_pod_shares_with_its_node_is_in_its_security_context() {
        let pod = text("PodSpec", &json!({"hostNetwork": true, "containers": [{"name": "a", "tty": true}]}));
        assert!(pod.contains(r#""SecurityContext":{"HostNetwork":true,"HostPID":false,"#), "{pod}");
        assert!(pod.contains(r#""StdinOnce":false,"TTY":true}]"#), "{pod}");
    }
}
