//! The defaults of secret variables, found from the text alone: they must be known before a finding shows a line of
//! the file, and the front matter that a finding is about may be no YAML at all.

use std::sync::LazyLock;

use regex::Regex;

use crate::text::SourceFile;

static ENTRY: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"(?m)(?:^|[{,\s])([A-Za-z_][A-Za-z0-9_]*)[ \t]*:[ \t]*(?:\{|\r?$)"));
static MARKED: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?i)\bsecrets?\b"));
static DEFAULT: LazyLock<Regex> =
    LazyLock::new(|| fixed(r#"(?m)\bdefault[ \t]*:[ \t]*("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|[^,}\n]*)"#));
static BLOCK: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?s)\bdefault[ \t]*:[ \t]*[|>][-+0-9]*\s*\n(.*)"));

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression of ours")
}

/// More texts than there are rather than fewer.
pub fn secret_defaults(source: &SourceFile) -> Vec<String> {
    let text = source.text();
    let head = head(text);
    let entries: Vec<_> = ENTRY.captures_iter(head).filter_map(|found| found.get(1)).collect();
    let mut secrets = Vec::new();
    for (at, name) in entries.iter().enumerate() {
        let end = entries.get(at + 1).map_or(head.len(), regex::Match::start);
        let body = &head[name.end()..end];
        if !MARKED.is_match(body) {
            continue;
        }
        secrets.extend(DEFAULT.captures_iter(body).map(|found| unquoted(&found[1])));
        secrets.extend(BLOCK.captures(body).map(|found| found[1].to_owned()));
        let export = format!("export {}=", name.as_str());
        let given = text.lines().filter_map(|line| line.trim().strip_prefix(export.as_str()));
        secrets.extend(given.map(|value| shell_words::split(value).map_or(value.to_owned(), |words| words.join(" "))));
    }
    secrets.retain(|secret| !secret.trim().is_empty());
    secrets
}

fn head(text: &str) -> &str {
    let body = text.trim_start_matches('\u{feff}');
    if !body.starts_with("---") {
        return "";
    }
    let end = body.match_indices("\n---").map(|(at, _)| at).next();
    // An open one ends where the lab begins.
    let end = end.or_else(|| body.find("\n# ")).or_else(|| body.find("\n## "));
    &body[..end.unwrap_or(body.len())]
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    match value.chars().next() {
        Some('"') => serde_json::from_str(value).unwrap_or_else(|_| value.trim_matches('"').to_owned()),
        Some('\'') => value.trim_matches('\'').replace("''", "'"),
        _ => value.split(" #").next().unwrap_or(value).trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        secret_defaults(&SourceFile::new("lab.md", "lab.md", text))
    }

    #[test]
    fn each_way_to_write_a_default() {
        let flow = "---\ntitle: T\nvars:\n  NS: { default: demo }\n  TOKEN: { default: \"a \\\"b\\\" c\", secret: true }\n---\n## A\n";
        assert_eq!(of(flow), ["a \"b\" c"]);
        let block = "---\nvars:\n  A:\n    secret: true\n    default: 'it''s'\n  B:\n    default: open\n---\n";
        assert_eq!(of(block), ["it's"]);
        let one_line = "---\nvars: {NS: {default: demo}, TOKEN: {secret: true, default: plain}}\n---\n";
        assert_eq!(of(one_line), ["plain"]);
        let fence = "---\nvars:\n  TOKEN: { secret: true }\n---\n```bash {vars}\nexport TOKEN='a b'\n```\n";
        assert_eq!(of(fence), ["a b"]);
    }

    #[test]
    fn a_broken_head_hides_it_as_well() {
        assert_eq!(of("---\nvars:\n\tTOKEN: { default: \"abc def, secret: true }\n## A\n").len(), 1);
        assert_eq!(of("---\nvars:\n  TOKEN: { default: hunter2, secret: yes\n---\n"), ["hunter2"]);
        assert_eq!(of("---\nvars:\n  TOKEN: { default: hunter2, secrets: true }\n---\n"), ["hunter2"]);
        assert!(of("# no lab\n").is_empty());
    }
}
