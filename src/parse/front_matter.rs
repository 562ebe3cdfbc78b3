//! The lab's head: its YAML read as text where text is expected.

mod vars;

#[cfg(test)]
pub(super) use vars::VAR_KEYS;

use super::context::Context;
use super::findings::{BAD_VALUE, BYTE_ORDER_MARK, FRONT_MATTER, UNKNOWN_KEY, UNQUOTED, VARIABLE_NAME};
use super::head_slips;
use super::words;
use super::yaml::{self, Node, Yaml};
use crate::lab::keywords::{CLUSTERS, GIVEN_PREFIX, LEVELS, REQUIREMENTS, RESERVED_PREFIXES, word, words as words_of};
use crate::lab::language::LANGUAGES;
use crate::lab::{ClusterKind, ClusterSpec, Language, Level, Requirement, Template, VarDefault};
use crate::text::{Joined, Span, Spanned, did_you_mean, name_length, nearest, one_of};

/// What the head of a lab says.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) title: Option<String>,
    /// A finding says already why there is none.
    pub(super) title_refused: bool,
    pub(super) summary: Option<String>,
    pub(super) language: Language,
    pub(super) level: Option<Level>,
    pub(super) minutes: Option<u32>,
    pub(super) needs: Vec<Spanned<String>>,
    pub(super) clusters: Vec<Spanned<ClusterKind>>,
    pub(super) requires: Vec<Spanned<Requirement>>,
    pub(super) cluster: ClusterSpec,
    pub(super) etcd: Vec<(Spanned<String>, Template)>,
    pub(super) vars: Vec<HeadVar>,
}

/// A variable as the head has it: its default may still come from the `vars` fence.
#[derive(Debug)]
pub(super) struct HeadVar {
    pub(super) name: Spanned<String>,
    pub(super) default: Option<Spanned<VarDefault>>,
    pub(super) ask: Option<String>,
    pub(super) pattern: Option<Spanned<String>>,
    pub(super) secret: bool,
}

pub(super) const KEYS: &[&str] =
    &["title", "summary", "lang", "level", "minutes", "needs", "clusters", "requires", "cluster", "etcd", "vars"];
pub(super) const CLUSTER_KEYS: &[&str] = &["nodes", "kubernetes"];

/// Reads the front matter, if the file begins with one, and says where the Markdown begins.
pub(super) fn head(cx: &mut Context<'_>) -> (Head, usize) {
    let text = cx.source.text();
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    if bom > 0 {
        cx.findings
            .add(BYTE_ORDER_MARK, Span::new(0, bom), "the file begins with a byte order mark (U+FEFF)")
            .fix(Span::new(0, bom), "")
            .hint("save it as UTF-8 without one: other tools take it for text before the front matter");
    }
    let body = &text[bom..];
    let first = body.split_inclusive('\n').next().unwrap_or("");
    if first.trim_end() != "---" {
        let Some((place, slip)) = head_slips::near_miss(text, bom) else {
            return (Head::default(), bom);
        };
        let span = Span::new(slip.range.start, slip.range.end);
        cx.findings.add(FRONT_MATTER, span, slip.message).hint(slip.hint);
        return (read(place.inner.start, place.inner.end, cx), place.body);
    }
    let start = bom + first.len();
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return (read(start, at, cx), at + line.len());
        }
        at += line.len();
    }
    if let Some((end, line)) = head_slips::near_end(text, start) {
        let span = Span::new(end, end + line.trim_end().len());
        let message = format!("`{}` does not close the front matter", line.trim());
        cx.findings.add(FRONT_MATTER, span, message).hint("write `---`, in column 1");
        return (read(start, end, cx), end + line.len());
    }
    let span = Span::new(bom, bom + 3);
    cx.findings.add(FRONT_MATTER, span, "the front matter has no end").hint("close it with a line of its own: ---");
    cx.head_lost = true;
    cx.vars_lost = true;
    (Head { title_refused: true, ..Head::default() }, text.len())
}

fn read(start: usize, end: usize, cx: &mut Context<'_>) -> Head {
    let text = &cx.source.text()[start..end];
    let mut head = Head::default();
    let yaml = match yaml::read(text, start) {
        Ok(yaml) => yaml,
        Err(broken) => {
            broken_yaml(text, start, &broken, cx);
            return lost(head, cx);
        }
    };
    if let Node::Text(_) = yaml.node
        && let Some(cause) = head_slips::cause(text)
    {
        let span = Span::new(start + cause.range.start, start + cause.range.end);
        cx.findings.add(FRONT_MATTER, span, cause.message).hint(cause.hint);
        return lost(head, cx);
    }
    if matches!(yaml.node, Node::Null) {
        return head;
    }
    let Some(entries) = map(&yaml, "the front matter", cx) else {
        return lost(head, cx);
    };
    for (key, value) in entries {
        match key.value.as_str() {
            "title" => {
                head.title = text_of(value, cx);
                head.title_refused = head.title.is_none();
            }
            "summary" => head.summary = text_of(value, cx),
            "lang" => head.language = one(value, LANGUAGES, "language", cx).unwrap_or_default(),
            "level" => head.level = one(value, LEVELS, "level", cx),
            "minutes" => head.minutes = number(value, cx),
            "needs" => {
                head.needs = items(value, cx)
                    .iter()
                    .filter_map(|item| Some(Spanned::new(text_of(item, cx)?, item.span)))
                    .collect();
            }
            "clusters" => {
                head.clusters = items(value, cx)
                    .iter()
                    .filter_map(|item| Some(Spanned::new(one(item, CLUSTERS, "kind of cluster", cx)?, item.span)))
                    .collect();
                if matches!(&value.node, Node::List(items) if items.is_empty()) {
                    cx.findings
                        .add(BAD_VALUE, value.span, "a lab needs one kind of cluster at least")
                        .hint("leave `clusters` out for all that run Kubernetes");
                }
            }
            "requires" => {
                head.requires = items(value, cx)
                    .iter()
                    .filter_map(|item| Some(Spanned::new(one(item, REQUIREMENTS, "requirement", cx)?, item.span)))
                    .collect();
            }
            "cluster" => head.cluster = cluster(value, cx),
            "etcd" => head.etcd = members(value, cx),
            "vars" => head.vars = vars::vars(value, cx),
            _ => unknown_key(key, KEYS, "the front matter", cx),
        }
    }
    head
}

/// What the front matter would have said is not known: what seems to be missing may stand there.
fn lost(head: Head, cx: &mut Context<'_>) -> Head {
    cx.head_lost = true;
    cx.vars_lost = true;
    Head { title_refused: true, ..head }
}

fn broken_yaml(text: &str, start: usize, broken: &yaml::Broken, cx: &mut Context<'_>) {
    if broken.doubled {
        let at = broken.at.min(cx.source.text().len());
        let line = &cx.source.text()[at..];
        let length = line.find([':', '\n']).unwrap_or(line.len());
        cx.findings.add(FRONT_MATTER, Span::new(at, at + length), broken.message.clone()).hint("keep one of them");
        return;
    }
    if let Some(cause) = head_slips::cause(text) {
        let span = Span::new(start + cause.range.start, start + cause.range.end);
        cx.findings.add(FRONT_MATTER, span, cause.message).hint(cause.hint);
        return;
    }
    let at = broken.at.min(cx.source.text().len());
    let length = cx.source.text()[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    cx.findings
        .add(FRONT_MATTER, Span::new(at, at + length), format!("invalid YAML: {}", broken.message))
        .hint("write `key: value` lines; put a text with `:`, `#` or quotes in quotes");
}

fn unknown_key(key: &Spanned<String>, known: &'static [&'static str], holder: &str, cx: &mut Context<'_>) {
    let hint = did_you_mean(&key.value, known.iter().copied())
        .unwrap_or_else(|| format!("{holder} knows {}", one_of(known.iter().copied()).replace(" or ", " and ")));
    cx.findings.add(UNKNOWN_KEY, key.span, format!("unknown key `{}`", key.value)).hint(hint);
}

fn wrong(value: &Yaml, wanted: &str, cx: &mut Context<'_>) {
    let message = format!("this is {}, but {wanted} is required", value.node.noun());
    let span = first_line(value.span, cx);
    cx.findings.add(BAD_VALUE, span, message);
}

fn first_line(span: Span, cx: &Context<'_>) -> Span {
    let text = cx.source.slice(span);
    Span::new(span.start, span.start + text.find('\n').unwrap_or(text.len()))
}

fn map<'y>(value: &'y Yaml, what: &str, cx: &mut Context<'_>) -> Option<&'y [(Spanned<String>, Yaml)]> {
    if let Node::Map(entries) = &value.node {
        return Some(entries);
    }
    wrong(value, &format!("for {what} a map of names and values"), cx);
    None
}

fn items<'y>(value: &'y Yaml, cx: &mut Context<'_>) -> &'y [Yaml] {
    match &value.node {
        Node::List(items) => items,
        Node::Text(_) => {
            let written = cx.source.slice(value.span).to_owned();
            cx.findings.add(BAD_VALUE, value.span, "a list is required").hint(format!("write [{written}]"));
            &[]
        }
        _ => {
            wrong(value, "a list", cx);
            &[]
        }
    }
}

fn text_of(value: &Yaml, cx: &mut Context<'_>) -> Option<String> {
    match &value.node {
        Node::Text(text) if text.starts_with(['“', '”', '„', '«']) => {
            let plain = text.trim_matches(['“', '”', '„', '«', '»']);
            cx.findings
                .add(BAD_VALUE, value.span, "a typographic quote is not a quote here")
                .hint(format!("write \"{plain}\""));
            Some(plain.to_owned())
        }
        Node::Text(text) => Some(text.clone()),
        Node::Number | Node::Bool => {
            let written = cx.source.slice(value.span).to_owned();
            cx.findings
                .add(
                    UNQUOTED,
                    value.span,
                    format!("YAML reads {written} as {}, but a text is required", value.node.noun()),
                )
                .fix(value.span, format!("\"{written}\""))
                .hint(format!("write \"{written}\""));
            None
        }
        Node::Null => {
            cx.findings.add(UNQUOTED, value.span, "a text is required here").hint("write \"\" for an empty text");
            None
        }
        _ => {
            wrong(value, "a text", cx);
            None
        }
    }
}

fn one<T: Copy>(value: &Yaml, table: &'static [(&'static str, T)], what: &str, cx: &mut Context<'_>) -> Option<T> {
    let text = text_of(value, cx)?;
    if let Some(found) = word(table, &text) {
        return Some(found);
    }
    let near = nearest(&text, words_of(table));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write {}", one_of(words_of(table))),
    };
    cx.findings.add(BAD_VALUE, value.span, format!("`{text}` is not a valid {what}")).hint(hint);
    // Read as what it is nearly, so that nothing else seems to be missing.
    near.and_then(|near| word(table, near))
}

fn number(value: &Yaml, cx: &mut Context<'_>) -> Option<u32> {
    let written = cx.source.slice(value.span);
    let found = if matches!(value.node, Node::Number) { written.parse().ok().filter(|n| *n > 0) } else { None };
    if found.is_none() {
        let message = format!("`{}` is not a whole number above 0", written.lines().next().unwrap_or(""));
        let span = first_line(value.span, cx);
        let digits: String = written.trim_matches(['"', '\'']).chars().take_while(char::is_ascii_digit).collect();
        let hint = digits.parse::<u32>().ok().filter(|n| *n > 0).map(|n| format!("write {n}"));
        cx.findings.add(BAD_VALUE, span, message).maybe_hint(hint);
    }
    found
}

fn flag(value: &Yaml, cx: &mut Context<'_>) -> bool {
    let written = cx.source.slice(value.span);
    if !matches!(value.node, Node::Bool) {
        let message = format!("`{}` is neither true nor false", written.lines().next().unwrap_or(""));
        let span = first_line(value.span, cx);
        cx.findings.add(BAD_VALUE, span, message).hint("write `true`");
    }
    matches!(value.node, Node::Bool) && written == "true"
}

fn cluster(value: &Yaml, cx: &mut Context<'_>) -> ClusterSpec {
    let mut spec = ClusterSpec::default();
    for (key, value) in map(value, "`cluster`", cx).unwrap_or_default() {
        match key.value.as_str() {
            "nodes" => spec.nodes = number(value, cx),
            "kubernetes" => {
                spec.kubernetes = text_of(value, cx);
                if let Some(version) = &spec.kubernetes
                    && !is_version(version)
                {
                    let message = format!("`{version}` is not a Kubernetes version");
                    cx.findings.add(BAD_VALUE, value.span, message).hint("write it like \"1.33\" or \"1.33.4\"");
                }
            }
            _ => unknown_key(key, CLUSTER_KEYS, "`cluster`", cx),
        }
    }
    spec
}

/// `1.33` or `1.33.4`, with or without a `v`.
fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.strip_prefix('v').unwrap_or(text).split('.').collect();
    matches!(parts.len(), 2 | 3)
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn members(value: &Yaml, cx: &mut Context<'_>) -> Vec<(Spanned<String>, Template)> {
    let mut members = Vec::new();
    for (key, value) in map(value, "`etcd`", cx).unwrap_or_default() {
        if let Err(wrong) = words::id(&key.value) {
            cx.findings.add(BAD_VALUE, key.span, wrong.message).maybe_hint(wrong.hint);
            continue;
        }
        if let Some(text) = text_of(value, cx) {
            let raw = Joined::whole(cx.source.slice(value.span), value.span.start);
            let length = raw.text().len();
            let endpoint = cx.unescaped_template(&text, &raw, 0..length);
            if !text.starts_with("http://") && !text.starts_with("https://") {
                let message = format!("`{text}` is not an endpoint");
                cx.findings.add(BAD_VALUE, value.span, message).hint("write it like \"http://127.0.0.1:${PORT}\"");
            }
            members.push((key.clone(), endpoint));
        }
    }
    members
}

/// Whether an author may call a variable so; says why not.
pub(super) fn var_name(name: &str, span: Span, cx: &mut Context<'_>) -> bool {
    if name.is_empty() || name_length(name) != name.len() {
        cx.findings
            .add(VARIABLE_NAME, span, format!("`{name}` is not a valid variable name"))
            .hint("a name has letters, digits and `_`, and begins with no digit");
        return false;
    }
    if let Some(prefix) = RESERVED_PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        let hint = if *prefix == GIVEN_PREFIX {
            "the runner sets the names that begin with LAB_; use another name"
        } else {
            "etcd and etcdctl read every variable with this prefix; use another name"
        };
        cx.findings.add(VARIABLE_NAME, span, format!("`{name}` is reserved")).hint(hint);
        return false;
    }
    if matches!(name, "KUBECONFIG" | "PATH" | "HOME" | "PS1" | "PROMPT_COMMAND" | "BASH_ENV" | "ENV" | "TERM") {
        let hint = "the runner sets this one; use another name";
        cx.findings.add(VARIABLE_NAME, span, format!("`{name}` is reserved")).hint(hint);
        return false;
    }
    true
}
