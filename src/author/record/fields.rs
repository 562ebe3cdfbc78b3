//! The fields of an object as checks name them: paths of CEL, and values as CEL writes them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names::{Names, written};

/// Longer texts are not what a check is to say.
const LONGEST: usize = 120;
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// A value that is none of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leaf {
    Text(String),
    Other(String),
}

impl Leaf {
    fn of(value: &Value, names: &Names) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(names.put(text))),
            Value::Number(number) if number.is_i64() => Some(Self::Other(number.to_string())),
            Value::Bool(yes) => Some(Self::Other(yes.to_string())),
            _ => None,
        }
    }

    /// As it is looked for in a command.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Other(text) => text,
        }
    }

    /// Whether a check can say it.
    pub(super) fn is_sayable(&self) -> bool {
        let text = self.text();
        text.len() <= LONGEST && !text.contains('\r') && !text.contains(" bytes, hidden>")
    }

    pub(super) fn cel(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Other(text) => text.clone(),
        }
    }
}

/// A text as a check's expression writes it.
pub(super) fn quoted(text: &str) -> String {
    // JSON's escapes are among CEL's.
    written(&Value::from(text).to_string())
}

/// Where a field stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(pub(super) Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Name(String),
    Index(usize),
}

impl Path {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| if let Part::Name(name) = part { Some(name.as_str()) } else { None })
    }

    pub(super) fn begins(&self, with: &[&str]) -> bool {
        with.iter().enumerate().all(|(at, name)| matches!(self.0.get(at), Some(Part::Name(own)) if own == name))
    }

    pub(super) fn cel(&self) -> String {
        let mut out = "object".to_owned();
        for part in &self.0 {
            match part {
                Part::Name(name) if is_plain(name) => out.push_str(&format!(".{name}")),
                Part::Name(name) => out.push_str(&format!("[{}]", quoted(name))),
                Part::Index(index) => out.push_str(&format!("[{index}]")),
            }
        }
        out
    }

    /// That there is no such field, where that can be said.
    pub(super) fn cel_absent(&self) -> Option<String> {
        let (last, rest) = self.0.split_last()?;
        let Part::Name(name) = last else { return None };
        let parent = Path(rest.to_vec()).cel();
        Some(if is_plain(name) { format!("!has({parent}.{name})") } else { format!("!({} in {parent})", quoted(name)) })
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !RESERVED.contains(&name)
}

pub(super) type Leaves = BTreeMap<Path, Leaf>;

pub(super) fn leaves(object: &Value, names: &Names) -> Leaves {
    let mut found = Leaves::new();
    walk(object, &mut Vec::new(), names, &mut found);
    found
}

fn walk(value: &Value, path: &mut Vec<Part>, names: &Names, found: &mut Leaves) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(Part::Name(names.put(name)));
                walk(value, path, names, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                path.push(Part::Index(index));
                walk(value, path, names, found);
                path.pop();
            }
        }
        value => {
            if let Some(leaf) = Leaf::of(value, names) {
                found.insert(Path(path.clone()), leaf);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_written_as_cel() {
        let object = json!({"spec": {"replicas": 3, "on": true, "list": [{"image": "a\"b"}]},
            "metadata": {"labels": {"app.io/name": "x"}, "namespace": "d"}, "none": null, "part": 1.5});
        let shown: Vec<String> = leaves(&object, &Names::default())
            .iter()
            .map(|(path, leaf)| format!("{} == {}", path.cel(), leaf.cel()))
            .collect();
        assert_eq!(
            shown,
            [
                r#"object.metadata.labels["app.io/name"] == "x""#,
                r#"object.metadata["namespace"] == "d""#,
                r#"object.spec.list[0].image == "a\"b""#,
                "object.spec.on == true",
                "object.spec.replicas == 3",
            ]
        );
        let path = |names: &[&str]| Path(names.iter().map(|name| Part::Name((*name).to_owned())).collect());
        assert_eq!(path(&["metadata", "labels", "a"]).cel_absent().as_deref(), Some("!has(object.metadata.labels.a)"));
        assert_eq!(
            path(&["metadata", "labels", "a/b"]).cel_absent().as_deref(),
            Some(r#"!("a/b" in object.metadata.labels)"#)
        );
    }
}
