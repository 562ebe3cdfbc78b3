//! Words that people write for those of a check, and what to write instead.

use crate::expr::Scope;
use crate::text::EventKind;

/// What other tools begin an assertion with.
pub(super) const LEADS: &[&str] = &[
    "check", "assert", "expect", "verify", "ensure", "test", "require", "that", "should", "given", "then", "and", "not",
];

/// The event that a word of other tools stands for.
pub(super) fn event_of(word: &str) -> Option<EventKind> {
    match word.to_ascii_uppercase().trim_end_matches([':', ',']) {
        "PUT" | "PUTS" | "ADD" | "ADDED" | "CREATE" | "CREATED" | "MODIFIED" | "UPDATE" | "UPDATED" | "SET" => {
            Some(EventKind::Put)
        }
        "DELETE" | "DELETED" | "DEL" | "REMOVE" | "REMOVED" | "DELETES" => Some(EventKind::Delete),
        _ => None,
    }
}

const WORDS: &[(&str, &[&str])] = &[
    ("exists", &["exist", "present", "found", "there", "created", "exists?", "existing", "available"]),
    (
        "absent",
        &[
            "absence",
            "missing",
            "gone",
            "deleted",
            "removed",
            "not",
            "doesn't",
            "does",
            "isn't",
            "nonexistent",
            "none",
            "null",
        ],
    ),
    ("where", &["if", "when", "with", "that", "which", "whose", "having", "and", "such", "has", "matching"]),
    ("contains", &["contain", "includes", "include", "has", "shows", "says", "prints", "like", "~"]),
    ("matches", &["match", "regex", "=~", "matching"]),
    ("count", &["counts", "number", "size", "length", "total", "amount"]),
    ("==", &["=", "is", "equals", "eq", "===", ":", "exactly"]),
    ("!=", &["<>", "isn't", "ne", "!==", "≠"]),
    (">=", &["=>", "≥", "atleast", "ge"]),
    ("<=", &["=<", "≤", "atmost", "le"]),
    (">", &["gt", "over", "above"]),
    ("<", &["lt", "under", "below"]),
];

/// The one of `choices` that a word stands for elsewhere.
pub(super) fn meant<'a>(word: &str, choices: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let mut choices = choices;
    choices.find(|choice| WORDS.iter().any(|(name, others)| name == choice && others.contains(&lower.as_str())))
}

/// Whether a word begins an expression, so that `where` is missing before it.
pub(super) fn begins_expression(word: &str) -> bool {
    let name = word.trim_start_matches(['!', '(']);
    let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    let (name, after) = name.split_at(length);
    let scopes = [Scope::Key, Scope::Event, Scope::Output, Scope::Run, Scope::Etcd, Scope::Snapshot];
    let known = scopes.iter().any(|scope| scope.names().any(|known| known == name));
    let called = matches!(name, "has" | "size") && after.starts_with('(');
    let field = matches!(name, "metadata" | "spec" | "status" | "data") && after.starts_with('.');
    called || field || (known && (after.is_empty() || after.starts_with(['.', '[', '=', '!', '<', '>'])))
}

/// The word that holds a duration, for words of other tools.
pub(super) fn time_word(word: &str) -> Option<&'static str> {
    match word.to_lowercase().trim_end_matches([':', '=']) {
        "within" | "timeout" | "after" | "until" | "in" | "by" | "before" | "wait" | "eventually" => Some("within"),
        "for" | "during" | "throughout" | "stays" | "always" => Some("for"),
        _ => None,
    }
}

/// Maps whose keys have dots and slashes.
const OPEN_MAPS: &[&str] = &["labels", "annotations", "matchLabels", "nodeSelector"];
/// Endings of the file names that stand as keys in `data`.
const ENDINGS: &[&str] = &[
    "cfg",
    "cnf",
    "conf",
    "crt",
    "css",
    "dockercfg",
    "dockerconfigjson",
    "env",
    "html",
    "ini",
    "js",
    "json",
    "key",
    "pem",
    "properties",
    "py",
    "sh",
    "sql",
    "toml",
    "txt",
    "xml",
    "yaml",
    "yml",
];

/// A key with dots, dashes or slashes that is written as if it were a path.
pub(super) struct Dotted {
    /// Its place in the expression.
    pub(super) at: std::ops::Range<usize>,
    pub(super) in_has: bool,
    /// What to write.
    pub(super) hint: String,
}

/// As far as it can be seen without types.
pub(super) fn dotted(text: &str) -> Option<Dotted> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let Some(c) = rest.chars().next() else { break };
        if let Some(crate::expr::Literal::Closed(length)) = crate::expr::literal(rest) {
            at += length;
            continue;
        }
        if !is_name(c) {
            at += c.len_utf8();
            continue;
        }
        // A path, as far as it is glued together.
        let length = rest.find(|c: char| !is_name(c) && !matches!(c, '.' | '-' | '/')).unwrap_or(rest.len());
        let path = rest[..length].trim_end_matches(['.', '-', '/']);
        let path =
            if rest[path.len()..].starts_with('(') { path.rfind('.').map_or("", |dot| &path[..dot]) } else { path };
        if let Some(found) = key_within(path) {
            let (holder, key) = path.split_at(found);
            let holder = holder.trim_end_matches('.');
            let in_has = text[..at].trim_end().ends_with("has(");
            let hint = if in_has {
                format!("write `\"{key}\" in {holder}` in place of `has(…)`")
            } else {
                format!("write `{holder}[\"{key}\"]`")
            };
            return Some(Dotted { at: at + found..at + path.len(), in_has, hint });
        }
        at += length;
    }
    None
}

/// Where the key begins in `object.metadata.labels.app.kubernetes.io/name`.
fn key_within(path: &str) -> Option<usize> {
    for map in OPEN_MAPS {
        if let Some(found) = path.find(&format!(".{map}.")) {
            let start = found + map.len() + 2;
            let key = &path[start..];
            return (key.contains(['.', '-', '/'])).then_some(start);
        }
    }
    let start =
        ["object.data.", "oldObject.data."].iter().find_map(|lead| path.starts_with(lead).then_some(lead.len()))?;
    let key = &path[start..];
    let file = key.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending));
    (file || key.contains('-')).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(text: &str) -> String {
        dotted(text).map(|slip| format!("{}: {}", &text[slip.at], slip.hint)).unwrap_or_default()
    }

    #[test]
    fn a_key_with_dots_needs_brackets() {
        assert_eq!(
            hint("object.metadata.labels.app.kubernetes.io/name == 'x'"),
            "app.kubernetes.io/name: write `object.metadata.labels[\"app.kubernetes.io/name\"]`"
        );
        assert_eq!(
            hint("1 == 1 && has(object.metadata.labels.my-app)"),
            "my-app: write `\"my-app\" in object.metadata.labels` in place of `has(…)`"
        );
        assert_eq!(
            hint("oldObject.metadata.annotations.a.b/c.startsWith('x')"),
            "a.b/c: write `oldObject.metadata.annotations[\"a.b/c\"]`"
        );
        assert_eq!(hint("object.data.tls.crt != ''"), "tls.crt: write `object.data[\"tls.crt\"]`");
        for fine in [
            "object.metadata.labels.app == 'x'",
            "object.metadata.labels.app.startsWith('x')",
            "object.metadata.labels['a.b/c'] == 'object.metadata.labels.a.b'",
            "object.metadata.labels.all(k, k != 'a')",
            "object.spec.replicas-object.status.replicas == 0",
            "object.data.spec.size == 1",
            "object.data.key == 'a'",
        ] {
            assert_eq!(hint(fine), "", "{fine}");
        }
    }

    #[test]
    fn an_expression_is_told_from_a_word() {
        for yes in ["object.status.phase", "!has(object.a)", "leader", "size(object.a)", "exit==0", "status.phase"] {
            assert!(begins_expression(yes), "{yes}");
        }
        for no in ["exists", "contains", "objects", "version2", "has"] {
            assert!(!begins_expression(no), "{no}");
        }
    }
}
