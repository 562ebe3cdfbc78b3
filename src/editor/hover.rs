//! What a word of a lab means.

use super::line::{self, Wanted};
use super::names::{self, Sort};
use super::open::Open;
use super::place::{Part, is_name, part, word_before};
use crate::expr::{Asked, Subject, ask, functions, types::Type};
use crate::lab::keywords::FenceKind;
use crate::lab::meanings::{self, meaning};
use crate::lab::{Item, VarDefault};
use crate::parse::{definitions_of, explain};
use crate::text::{Span, redact};

/// What is shown, in Markdown, and the part of the file that it is about.
pub(super) fn hover(open: &Open<'_>, at: usize) -> Option<(String, Span)> {
    let said = about(open, at);
    let mut finding = open.findings.iter().filter(|finding| finding.span.start <= at && at <= finding.span.end);
    let explained = finding.next().and_then(|finding| {
        let section = explain(finding.code.0)?;
        // The message itself is shown by the editor; the two examples are in the documentation.
        let why = section.split("\nBefore:").next().unwrap_or(section).trim();
        Some((format!("**{}** {why}", finding.code.0), finding.span))
    });
    match (said, explained) {
        (Some((said, span)), Some((why, _))) => Some((format!("{said}\n\n---\n\n{why}"), span)),
        (said, explained) => said.or(explained),
    }
}

fn about(open: &Open<'_>, at: usize) -> Option<(String, Span)> {
    let text = open.source.text();
    let mentions = names::mentions(open.source, &open.outline, open.lab);
    if let Some(mention) = names::at(&mentions, at) {
        let said = match mention.sort {
            Sort::Block => block(open, &mention.name),
            Sort::Variable => variable(open, &mention.name),
        };
        if let Some(said) = said {
            return Some((said, mention.span));
        }
    }
    let word = names::word(text, at);
    let name = open.source.slice(word);
    let entry = |table| meaning(table, name).map(|entry| (format!("{}\n\n{}", entry.form, entry.means), word));
    let before = &text[..word.start];
    if before.ends_with('$') || before.ends_with("${") {
        return entry(meanings::GIVEN);
    }
    match part(&open.outline, open.source, at) {
        Part::FrontMatter => {
            let line = before.rfind('\n').map_or(0, |end| end + 1);
            let is_key = text[word.end..].starts_with(':');
            match &before[line..] {
                "" if is_key => entry(meanings::FRONT_MATTER),
                lead if is_key && lead.trim_start().starts_with("cluster") => entry(meanings::CLUSTER),
                _ if is_key => entry(meanings::VARIABLE).or_else(|| entry(meanings::CLUSTER)),
                _ => None,
            }
        }
        Part::Attributes(_) => entry(meanings::FENCE),
        Part::Comment => entry(meanings::STEP),
        Part::Inside(fence, FenceKind::Check | FenceKind::Wait, index) => {
            let content = fence.content.text();
            let start = content[..index].rfind([' ', '\t', '\n']).map_or(0, |end| end + 1);
            let end = content[index..].find([' ', '\t', '\n']).map_or(content.len(), |length| index + length);
            let run = &content[start..end];
            let span = fence.content.span(start..end);
            match line::wanted(content, start) {
                Wanted::Verb => meaning(meanings::CHECKS, run).map(|e| {
                    let last = last_verdict(open, span.start).unwrap_or_default();
                    (format!("{}\n\n{}{last}", e.form, e.means), span)
                }),
                Wanted::Key => key(open, run).map(|said| (said, span)),
                Wanted::Words(_) | Wanted::Block(_) | Wanted::Member => {
                    meaning(meanings::WITHIN_CHECKS, run).map(|e| (format!("{}\n\n{}", e.form, e.means), span))
                }
                Wanted::Resource => resource(run).map(|said| (said, span)),
                Wanted::Expression(found) => {
                    let word = names::word(content, index);
                    if word.start < found.start || word.start == word.end {
                        return None;
                    }
                    let said = expression(open, content, &found, word)?;
                    Some((said, fence.content.span(word.start..word.end)))
                }
                Wanted::Nothing => None,
            }
        }
        _ => None,
    }
}

/// How the check that begins here came out in the last run.
fn last_verdict(open: &Open<'_>, at: usize) -> Option<String> {
    let blocks = open.lab?.steps.iter().flat_map(|step| &step.items).filter_map(|item| match item {
        Item::Check(block) | Item::Wait(block) => Some(block),
        _ => None,
    });
    let check = blocks.flat_map(|block| &block.checks).find(|check| check.span.start == at)?;
    let line = open.source.position(at).line;
    let all = (open.judged)();
    let last = all.iter().filter(|judged| judged.text == check.text).min_by_key(|judged| judged.line.abs_diff(line))?;
    let reason = last.reason.as_ref().map(|reason| format!(": {}", redact(reason))).unwrap_or_default();
    Some(format!("\n\n**Last run** ({}): {}{reason}", last.at, last.verdict))
}

fn block(open: &Open<'_>, name: &str) -> Option<String> {
    let named = |fence: &&crate::parse::FenceOutline| {
        fence.attribute("name").and_then(|name| name.value.as_ref()).is_some_and(|value| value.value == name)
    };
    let fence = open.outline.fences.iter().find(named)?;
    let line = open.source.position(fence.span.start).line;
    Some(format!("block `{name}`, line {line}\n\n```bash\n{}\n```", redact(fence.content.text().trim_end())))
}

fn variable(open: &Open<'_>, name: &str) -> Option<String> {
    let var = open.lab?.vars.iter().find(|var| var.name.value == name)?;
    let value = match &var.default {
        _ if var.secret => "a secret".to_owned(),
        VarDefault::Text(text) => format!("default `{text}`"),
        VarDefault::Random(pattern) => format!("random: `{pattern}`"),
        VarDefault::Port => "a free TCP port".to_owned(),
    };
    let asks = var.ask.as_ref().map(|ask| format!("\n\nasks: {ask}")).unwrap_or_default();
    let pattern = var.pattern.as_ref().map(|pattern| format!("\n\nmust match `{pattern}`")).unwrap_or_default();
    Some(format!("variable `{name}`: {value}{asks}{pattern}"))
}

/// So many kinds are named.
const SHOWN: usize = 6;

/// What a key, or a pattern, holds.
fn key(open: &Open<'_>, written: &str) -> Option<String> {
    if open.is_bare() {
        return None;
    }
    let path = written.trim_matches(['"', '\'']);
    if let Some(object) = kube_etcd_codec::by_key("/registry", path)
        && !path.contains('*')
    {
        let place = object.namespace.as_ref().map(|name| format!(" -n {name}")).unwrap_or_default();
        let kind = match object.kind {
            Some(kind) => format!("**{}** ({}, stored as {})", kind.kind, api_version(kind), storage(kind)),
            None => format!("**{}.{}**, a custom resource, stored as JSON", object.plural, object.group),
        };
        let group =
            if object.group.is_empty() || object.kind.is_some() { String::new() } else { format!(".{}", object.group) };
        return Some(format!("{kind}\n\n`kubectl get {}{group} {}{place}`", object.plural, object.name));
    }
    let found = line::Expression {
        start: 0,
        scope: crate::expr::Scope::Key,
        subject: written.to_owned(),
        writes: crate::expr::Writes::Any,
    };
    let subject = line::subject(&found, &definitions_of(open.source));
    let names: Vec<&str> = subject.names().collect();
    match names.len() {
        0 => None,
        1..=SHOWN => Some(format!("keys of {}", names.join(", "))),
        more => Some(format!("keys of {} and {} more kinds", names[..SHOWN].join(", "), more - SHOWN)),
    }
}

fn api_version(kind: &kube_etcd_codec::Kind) -> String {
    kube_etcd_codec::join_group(kind.group, kind.stored)
}

fn storage(kind: &kube_etcd_codec::Kind) -> &'static str {
    if kube_etcd_codec::has_protobuf(&api_version(kind), kind.kind) { "protobuf" } else { "JSON" }
}

fn resource(written: &str) -> Option<String> {
    let name = written.split(['/', '.']).next()?;
    let kind = kube_etcd_codec::KINDS
        .iter()
        .find(|kind| kind.plural == name || kind.singular() == name || kind.short_names.contains(&name))?;
    let place = if kind.namespaced { "NAMESPACE/NAME" } else { "NAME" };
    let stored =
        if kind.is_stored() { format!("\n\nin etcd: `/registry/{}/{place}`", kind.folder) } else { String::new() };
    Some(format!("**{}** ({}){stored}", kind.kind, api_version(kind)))
}

/// The value, field or function whose name this is.
fn expression(open: &Open<'_>, content: &str, found: &line::Expression, word: Span) -> Option<String> {
    let name = &content[word.start..word.end];
    let lead = content[found.start..word.start].trim_start();
    let subject = if open.is_bare() { Subject::any() } else { line::subject(found, &definitions_of(open.source)) };
    let is_call = content[word.end..].starts_with('(');
    let is_member = lead.trim_end().ends_with('.');
    if is_call {
        // A library's name may stand in front.
        let before = word_before(content, word.start.saturating_sub(1), is_name);
        let whole = if is_member { content[before..word.end].to_owned() } else { name.to_owned() };
        let mut forms = functions::forms(name, is_member);
        forms.extend(functions::forms(&whole, false));
        forms.dedup();
        return (!forms.is_empty()).then(|| format!("```\n{}\n```", forms.join("\n")));
    }
    let asked = ask(lead, found.scope, &subject)?;
    match asked {
        Asked::Member(base) => {
            let (_, kind) = base.fields().into_iter().find(|(field, _)| field == name)?;
            let holder = base.objects().first().map(|object| object.title().to_owned()).unwrap_or_default();
            let path = base.objects().iter().find_map(|object| object.field_path(name));
            let means = path.and_then(|path| (open.describe)(&path)).map(|means| format!("\n\n{means}"));
            Some(format!("`{name}` of {holder}: {}{}", of_kind(&kind), means.unwrap_or_default()))
        }
        Asked::Name(locals) => {
            if let Some((_, kind)) = locals.iter().rev().find(|(local, _)| local == name) {
                return Some(format!("`{name}`: {}", of_kind(kind)));
            }
            let entry = meaning(meanings::NAMES, name).filter(|_| found.scope.names().any(|known| known == name))?;
            let kinds: Vec<&str> = subject.names().take(6).collect();
            let kinds = if name.ends_with("bject") && !kinds.is_empty() {
                format!(" ({})", kinds.join(", "))
            } else {
                String::new()
            };
            Some(format!("`{name}`{kinds}: {}", entry.means))
        }
        Asked::Text(_) => None,
    }
}

fn of_kind(kind: &Type) -> String {
    let words = kind.words();
    if words.is_empty() { kind.noun() } else { format!("{}: {}", kind.noun(), words.join(", ")) }
}
