//! What differs from run to run is given a common name: uids, times, addresses, random parts of names.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// The name of the recorded cluster's only node.
pub(crate) const RECORDED_NODE: &str = "rig-control-plane";
pub(crate) const RECORDED_ADDRESS: &str = "172.18.0.2";

/// All of it in one pass. Generated names and hashes are made of letters that cannot make words.
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    let rules = [
        r"(?<certificate>-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n?)",
        r"(?<port><node-ip>:\d+\b)",
        r"(?<uid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)",
        r"(?<time>\b2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\b)",
        r"(?<moment>\.18[0-9a-f]{14}\b)",
        r"(?<pod>\b10\.244\.\d+\.\d+\b)",
        r"(?<service>\b10\.96\.\d+\.\d+\b)",
        r"(?<container>containerd://[0-9a-f]{64})",
        r"(?<image>sha256:[0-9a-f]{64})",
        r"(?<id>\b[0-9a-f]{64}\b)",
        r"(?<apiserver>\bapiserver-[a-z0-9]{26})",
        r"(?<hash>\b[bcdfghjklmnpqrstvwxz2456789]{8,10}\b)",
        r"(?<suffix>-[bcdfghjklmnpqrstvwxz2456789]{5}\b)",
    ];
    Regex::new(&rules.join("|")).expect("the rules are a regular expression")
});

/// One run's names; hashes are numbered as they appear, so that one that comes back is known again.
#[derive(Debug, Default)]
pub(crate) struct Names {
    node: String,
    address: String,
    hashes: HashMap<String, usize>,
}

impl Names {
    pub(crate) fn new(node: &str, address: &str) -> Self {
        Self { node: node.to_owned(), address: address.to_owned(), hashes: HashMap::new() }
    }

    pub(crate) fn text(&mut self, text: &str) -> String {
        let text = text.replace(&self.node, "<node>");
        let text =
            [self.address.as_str(), "127.0.0.1"].iter().fold(text, |text, address| text.replace(address, "<node-ip>"));
        if !text.bytes().any(|byte| byte.is_ascii_digit() || byte == b'-') {
            return text;
        }
        let hashes = &mut self.hashes;
        let names = VARIABLE.capture_names().flatten().collect::<Vec<_>>();
        let common = |found: &regex::Captures<'_>| {
            let name = names.iter().copied().find(|name| found.name(name).is_some()).unwrap_or_default();
            match name {
                "moment" => ".<moment>".to_owned(),
                "suffix" => "-<r>".to_owned(),
                "hash" => {
                    let hash = &found[0];
                    // A word or a number is no hash.
                    let (digit, letter) = (
                        hash.bytes().any(|byte| byte.is_ascii_digit()),
                        hash.bytes().any(|byte| byte.is_ascii_lowercase()),
                    );
                    if !digit || !letter {
                        return hash.to_owned();
                    }
                    let next = hashes.len() + 1;
                    format!("<hash{}>", hashes.entry(hash.to_owned()).or_insert(next))
                }
                "certificate" => "<certificate>\n".to_owned(),
                "port" => "<node-ip>:<port>".to_owned(),
                "pod" | "service" => format!("<{name}-ip>"),
                other => format!("<{other}>"),
            }
        };
        VARIABLE.replace_all(&text, common).into_owned()
    }

    /// Without what the server keeps for itself.
    pub(crate) fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(list) => list.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => map
                .iter()
                .filter(|(field, _)| !matches!(field.as_str(), "managedFields" | "resourceVersion"))
                .map(|(field, value)| (self.text(field), self.value(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
}

/// `path = value` for each leaf.
pub(crate) fn leaves(value: &Value) -> Vec<(String, String)> {
    fn walk(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(field, value)| walk(value, &format!("{path}.{field}"), found));
            }
            Value::Array(list) if !list.is_empty() => {
                list.iter().enumerate().for_each(|(at, value)| walk(value, &format!("{path}[{at}]"), found));
            }
            leaf => found.push((path.to_owned(), leaf.to_string())),
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// Where two values part, the recorded one first.
pub(crate) fn differences(recorded: &Value, ours: &Value) -> Vec<String> {
    let (one, other) = (leaves(recorded), leaves(ours));
    let held = |leaves: &[(String, String)], path: &str| {
        leaves.iter().find(|(held, _)| held == path).map(|(_, value)| value.clone())
    };
    let mut found = Vec::new();
    for (path, value) in &one {
        match held(&other, path) {
            Some(same) if same == *value => {}
            Some(else_) => found.push(format!("{path} is {else_}, recorded {value}")),
            None => found.push(format!("{path} is missing, recorded {value}")),
        }
    }
    for (path, value) in &other {
        if held(&one, path).is_none() {
            found.push(format!("{path} is {value}, not in the recording"));
        }
    }
    found
}
