//! Keys and globs: where not matching is what passes, a typo must not pass.

use super::cursor::{Cursor, Word};
use super::folder;
use crate::expr::string_value;
use crate::lab::{Glob, Template, TemplatePart, WRITTEN_PREFIX};
use crate::parse::context::Context;
use crate::parse::findings::{CHECK_SYNTAX, HALF_WRITTEN, OUTSIDE, PLACEHOLDER, STAR_IN_KEY, UNKNOWN_FOLDER};
use crate::text::{EventKind, did_you_mean, name_length};

/// A word as a text with variables; quotes and escapes are resolved.
pub(super) fn text(word: &Word, cursor: &Cursor<'_>, cx: &mut Context<'_>) -> Option<Template> {
    let raw = &cursor.text()[word.range.clone()];
    if word.quoted {
        let Some(value) = string_value(raw) else {
            let span = cursor.span(word.range.clone());
            cx.findings
                .add(CHECK_SYNTAX, span, "this text has an escape that CEL does not know")
                .hint("write \\\\ for a backslash, or r\"…\"");
            return None;
        };
        return Some(cx.unescaped_template(&value, cursor.joined, word.range.clone()));
    }
    if let Some(quote) = raw.find(['"', '\'']) {
        let at = word.range.start + quote;
        let message =
            if quote == 0 { "this quote is not closed on its line" } else { "a quote inside an unquoted word" };
        cx.findings.add(CHECK_SYNTAX, cursor.span(at..at + 1), message).hint("put the whole word in quotes: \"…\"");
        return None;
    }
    shell_variable(word, cursor, cx);
    placeholder(raw, word, cursor, cx);
    Some(cx.template(cursor.joined, word.range.clone()))
}

/// `$NAME` is what a shell expands; here only `${NAME}` is a variable.
fn shell_variable(word: &Word, cursor: &Cursor<'_>, cx: &mut Context<'_>) {
    let raw = &cursor.text()[word.range.clone()];
    for (at, _) in raw.match_indices('$') {
        let length = name_length(&raw[at + 1..]);
        if length > 0 {
            let start = word.range.start + at;
            let name = &raw[at + 1..=at + length];
            cx.findings
                .add(
                    HALF_WRITTEN,
                    cursor.span(start..start + 1 + length),
                    format!("`${name}` is not replaced in a check"),
                )
                .hint(format!("write ${{{name}}}"));
        }
    }
}

fn placeholder(raw: &str, word: &Word, cursor: &Cursor<'_>, cx: &mut Context<'_>) {
    if let (Some(open), Some(close)) = (raw.find('<'), raw.find('>'))
        && open < close
    {
        let span = cursor.span(word.range.start + open..word.range.start + close + 1);
        cx.findings.add(PLACEHOLDER, span, "a placeholder is left over").hint("declare a variable and write ${NAME}");
    }
}

pub(super) fn key(cursor: &mut Cursor<'_>, cx: &mut Context<'_>) -> Option<Template> {
    let word = required(cursor, cx, "a key, such as /registry/namespaces/demo")?;
    let key = text(&word, cursor, cx)?;
    if !word.quoted
        && let Some(star) = cursor.text()[word.range.clone()].find('*')
    {
        let at = word.range.start + star;
        cx.findings
            .add(STAR_IN_KEY, cursor.span(at..at + 1), "`key` takes one key, not a pattern")
            .hint("write `keys … count > 0`, or quote a key that really has a star");
        return None;
    }
    folder(&key, &word, false, cursor, cx);
    Some(key)
}

pub(super) fn glob(cursor: &mut Cursor<'_>, cx: &mut Context<'_>) -> Option<Glob> {
    let word = required(cursor, cx, "a key or a pattern, such as /registry/pods/demo/*")?;
    let glob = text(&word, cursor, cx)?;
    folder(&glob, &word, true, cursor, cx);
    Some(Glob(glob))
}

pub(super) fn required(cursor: &mut Cursor<'_>, cx: &mut Context<'_>, what: &str) -> Option<Word> {
    let word = cursor.word();
    if word.is_none() {
        let end = cursor.at();
        let span = cursor.span(end.saturating_sub(1)..end);
        cx.findings.add(CHECK_SYNTAX, span, "the check ends before it is complete").hint(format!("next comes {what}"));
    }
    word
}

/// The first segment after `/registry/` must be a folder that Kubernetes uses.
fn folder(key: &Template, word: &Word, is_glob: bool, cursor: &Cursor<'_>, cx: &mut Context<'_>) {
    let lead = key.leading_text();
    let Some(rest) = lead.strip_prefix(WRITTEN_PREFIX).and_then(|rest| rest.strip_prefix('/')) else {
        outside(key, word, is_glob, cursor, cx);
        return;
    };
    let ends = rest.find('/');
    // A variable that completes the segment leaves nothing to judge.
    if ends.is_none() && key.parts.len() > 1 {
        return;
    }
    let segment = &rest[..ends.unwrap_or(rest.len())];
    if is_glob && segment.contains('*') {
        return;
    }
    let Some(hint) = folder::instead(rest, key.parts.len() > 1) else { return };
    let skipped = usize::from(word.quoted) + WRITTEN_PREFIX.len() + 1;
    let start = word.range.start + skipped;
    let span = if word.quoted && cursor.text()[word.range.clone()].contains('\\') {
        cursor.span(word.range.clone())
    } else {
        cursor.span(start..start + hint.under.len())
    };
    let message = format!("nothing is stored under /registry/{}", hint.under);
    cx.findings.add(UNKNOWN_FOLDER, span, message).hint(hint.write);
}

/// No watch delivers such a key but in a `bare` lab: `absent` would hold for ever.
fn outside(key: &Template, word: &Word, is_glob: bool, cursor: &Cursor<'_>, cx: &mut Context<'_>) {
    let lead = key.leading_text();
    let fixed = if is_glob { lead.split('*').next().unwrap_or_default() } else { lead };
    let is_open = fixed.len() < lead.len() || key.vars().next().is_some();
    if cx.bare || (is_open && format!("{WRITTEN_PREFIX}/").starts_with(fixed)) {
        return;
    }
    let message = format!("a cluster keeps its keys under {WRITTEN_PREFIX}/, and the watch sees no others");
    let first = lead.trim_start_matches('/').split('/').next().unwrap_or_default();
    let nearly = if first == "registry" { None } else { did_you_mean(first, ["registry"]) };
    let shown = cursor.text()[word.range.clone()].trim_matches(['"', '\'']);
    let hint = if EventKind::of(shown).is_some() {
        format!("write the key before `{shown}`")
    } else if shown.trim_matches('/') == "registry" {
        format!("name a resource: {WRITTEN_PREFIX}/pods/…")
    } else if first == "registry" || kube_etcd_codec::known_folder(first) || folder::meant(first).is_some() {
        let path = shown.trim_start_matches('/');
        let path = path.strip_prefix("registry/").unwrap_or(path);
        match folder::meant(first).filter(|_| !kube_etcd_codec::known_folder(first)) {
            Some(kind) => format!("write {WRITTEN_PREFIX}/{}{}", kind.folder, &path[first.len()..]),
            None => format!("write {WRITTEN_PREFIX}/{path}"),
        }
    } else {
        nearly.unwrap_or_else(|| {
            format!("write {WRITTEN_PREFIX}/…, or `clusters: [bare]` for a lab with an etcd of its own")
        })
    };
    cx.findings.add(OUTSIDE, cursor.span(word.range.clone()), message).hint(hint);
}

/// A bare word with variables, such as a resource's name.
pub(super) fn part_template(
    range: std::ops::Range<usize>,
    what: &str,
    cursor: &Cursor<'_>,
    cx: &mut Context<'_>,
) -> Option<Template> {
    let word = Word { range: range.clone(), quoted: false };
    let raw = &cursor.text()[range.clone()];
    if raw.is_empty() || raw.contains('/') {
        let message = if raw.is_empty() {
            format!("{what} is missing")
        } else {
            format!("`{raw}` is not a name: it contains `/`")
        };
        cx.findings.add(CHECK_SYNTAX, cursor.span(range), message).hint("write KIND/NAME, and `in NAMESPACE` after it");
        return None;
    }
    let template = text(&word, cursor, cx)?;
    let star = template.parts.iter().any(|part| matches!(part, TemplatePart::Text(text) if text.contains('*')));
    if star {
        cx.findings.add(CHECK_SYNTAX, cursor.span(range), "a name has no star").hint("use `keys` for many objects");
        return None;
    }
    Some(template)
}
