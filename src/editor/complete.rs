//! What can be written at a place.

use lsp_types::{
    CompletionItem, CompletionItemKind as Kind, CompletionTextEdit, Documentation, MarkupContent, MarkupKind, TextEdit,
};

use super::line::{self, Wanted};
use super::open::Open;
use super::place::{Part, is_name, part, word_before};
use crate::expr::types::Type;
use crate::expr::{Asked, ask, functions};
use crate::lab::keywords::{ATTRIBUTES, CLUSTERS, FenceKind, LANGUAGES, LEVELS, REQUIREMENTS, Takes, words};
use crate::lab::language;
use crate::lab::meanings::{self, Meaning, meaning};
use crate::parse::{RULES, definitions_of};
use crate::text::{Severity, Span};

/// What stands in place of what is being written.
struct Offer {
    label: String,
    kind: Kind,
    detail: String,
    means: String,
}

impl Offer {
    fn new(label: impl Into<String>, kind: Kind) -> Self {
        Self { label: label.into(), kind, detail: String::new(), means: String::new() }
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    fn means(mut self, means: impl Into<String>) -> Self {
        self.means = means.into();
        self
    }

    fn of(entry: &Meaning, kind: Kind) -> Self {
        Self::new(entry.word, kind).detail(entry.form.replace('`', "")).means(entry.means)
    }
}

/// Offers for the place, and the part of the file that they stand in place of.
pub(super) fn complete(open: &Open<'_>, at: usize) -> Vec<CompletionItem> {
    let (from, offers) = offers(open, at);
    let number = offers.len();
    let item = |(order, offer): (usize, Offer)| CompletionItem {
        kind: Some(offer.kind),
        detail: Some(offer.detail).filter(|detail| !detail.is_empty()),
        documentation: Some(offer.means)
            .filter(|means| !means.is_empty())
            .map(|value| Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value })),
        sort_text: (number > 1).then(|| format!("{order:05}")),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit {
            range: open.document.place(Span::new(from, at)),
            new_text: offer.label.clone(),
        })),
        label: offer.label,
        ..CompletionItem::default()
    };
    offers.into_iter().enumerate().map(item).collect()
}

fn offers(open: &Open<'_>, at: usize) -> (usize, Vec<Offer>) {
    let text = open.source.text();
    let word = word_before(text, at, |c| is_name(c) || c == '-');
    let part = part(&open.outline, open.source, at);
    // `${NA`, and `$NA` where a shell reads it.
    let name = word_before(text, at, is_name);
    let lead = &text[..name];
    let in_shell = matches!(part, Part::Inside(_, FenceKind::Script | FenceKind::Console, _));
    let takes_variables = !matches!(part, Part::FrontMatter | Part::Shown | Part::Language(_) | Part::Comment);
    if takes_variables && !lead.ends_with("$${") && (lead.ends_with("${") || (in_shell && lead.ends_with('$'))) {
        let close = lead.ends_with('{') && !text[at..].starts_with('}');
        return (name, variables(open, close));
    }
    match part {
        Part::FrontMatter => front_matter(open, at),
        Part::Language(fence) => {
            let before = &text[fence.info.start..at];
            if before.contains(char::is_whitespace) {
                return (word, Vec::new());
            }
            let means = |kind: FenceKind| match kind {
                FenceKind::Script => "runs",
                FenceKind::Console => "`$ ` lines run; the lines under each are what it prints",
                FenceKind::Check => "what must be true of etcd, the API or an output",
                FenceKind::Wait => "holds the lab up until these come true",
                FenceKind::Output => "what the block before prints",
                FenceKind::Question => "asks a learner",
                FenceKind::Answer => "what is right, in a fold below its question",
            };
            let offers =
                LANGUAGES.iter().map(|(name, kind)| Offer::new(*name, Kind::KEYWORD).means(means(*kind))).collect();
            (word, offers)
        }
        Part::Attributes(fence) => attributes(open, fence, at),
        Part::Inside(fence, FenceKind::Check | FenceKind::Wait, index) => {
            let content = fence.content.text();
            check(open, content, index, at)
        }
        Part::Inside(fence, FenceKind::Question | FenceKind::Answer, index) => {
            let line = fence.content.text()[..index].rsplit('\n').next().unwrap_or_default();
            let asks = line.trim_start().strip_prefix('=').is_some_and(|rest| rest.trim_start().starts_with("from "));
            (word, if asks { blocks(open, |_| true) } else { Vec::new() })
        }
        Part::Comment => comment(open, at),
        Part::Inside(..) | Part::Shown | Part::Prose => (word, Vec::new()),
    }
}

fn variables(open: &Open<'_>, close: bool) -> Vec<Offer> {
    let end = if close { "}" } else { "" };
    let declared = open.lab.iter().flat_map(|lab| &lab.vars).map(|var| {
        let what = var.ask.clone().unwrap_or_else(|| "a variable of this lab".to_owned());
        Offer::new(format!("{}{end}", var.name.value), Kind::VARIABLE).means(what)
    });
    let given = meanings::GIVEN
        .iter()
        .map(|entry| Offer::new(format!("{}{end}", entry.word), Kind::CONSTANT).means(entry.means));
    declared.chain(given).collect()
}

/// Names of blocks of which `is` holds by their fence.
fn blocks(open: &Open<'_>, is: impl Fn(&crate::parse::FenceOutline) -> bool) -> Vec<Offer> {
    let fences = open.outline.fences.iter().filter(|fence| fence.kind.is_some_and(FenceKind::is_action) && is(fence));
    fences
        .filter_map(|fence| {
            let name = fence.attribute("name")?.value.as_ref()?;
            let first = fence.content.text().lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            Some(Offer::new(name.value.clone(), Kind::REFERENCE).detail(first.trim()))
        })
        .collect()
}

fn attributes(open: &Open<'_>, fence: &crate::parse::FenceOutline, at: usize) -> (usize, Vec<Offer>) {
    let text = open.source.text();
    let start = fence.braces.map_or(fence.info.start, |braces| braces.start + 1);
    let token = word_before(text, at, |c| !c.is_whitespace() && c != '{').max(start);
    let Some((name, value)) = text[token..at].split_once('=') else {
        let Some(kind) = fence.kind else { return (token, Vec::new()) };
        let unused = ATTRIBUTES
            .iter()
            .filter(|one| one.on.contains(&kind))
            .filter(|one| fence.attribute(one.name).is_none_or(|written| written.name.span.start == token));
        let offers = unused.filter_map(|one| {
            let entry = meaning(meanings::FENCE, one.name)?;
            let sign = if one.takes == Takes::Value { "=" } else { "" };
            Some(Offer { label: format!("{}{sign}", one.name), ..Offer::of(entry, Kind::PROPERTY) })
        });
        return (token, offers.collect());
    };
    // After the last comma of a list.
    let from = at - value.rsplit([',', '"']).next().map_or(0, str::len);
    let words = |words: &[&str]| words.iter().map(|word| Offer::new(*word, Kind::ENUM_MEMBER)).collect();
    let offers = match name {
        "stop" | "start" => blocks(open, |fence| fence.attribute("background").is_some()),
        "of" => blocks(open, |_| true),
        "on" => clusters(),
        "in" => words(&["node"]),
        "pre" => words(&["pass"]),
        "ready" => words(&["watch", "none", "port:"]),
        _ => Vec::new(),
    };
    (from, offers)
}

fn clusters() -> Vec<Offer> {
    words(CLUSTERS).map(|name| Offer::new(name, Kind::ENUM_MEMBER)).collect()
}

fn comment(open: &Open<'_>, at: usize) -> (usize, Vec<Offer>) {
    let text = open.source.text();
    let from = word_before(text, at, |c| !c.is_whitespace() && c != '-' && c != '=');
    let start = open.outline.comments.iter().rfind(|span| span.start <= at).map_or(at, |span| span.start);
    let lead = text[start..from.max(start)].trim();
    let offers = match lead {
        "" => vec![
            Offer::new("lab:step", Kind::KEYWORD).means("about the step whose heading stands above"),
            Offer::new("lab:allow", Kind::KEYWORD).means("a warning that is meant, with its reason"),
        ],
        "lab:allow" => {
            let warnings = RULES.iter().filter(|rule| rule.severity == Severity::Warning);
            warnings.map(|rule| Offer::new(format!("{}: ", rule.code.0), Kind::CONSTANT).means(rule.meaning)).collect()
        }
        lead if lead.ends_with("on=") => clusters(),
        lead if lead.ends_with('=') => Vec::new(),
        lead if lead.starts_with("lab:step") => meanings::STEP
            .iter()
            .map(|entry| Offer { label: format!("{}=", entry.word), ..Offer::of(entry, Kind::PROPERTY) })
            .collect(),
        _ => Vec::new(),
    };
    (from, offers)
}

/// The front matter is read line by line: what is being written is rarely YAML yet.
fn front_matter(open: &Open<'_>, at: usize) -> (usize, Vec<Offer>) {
    let text = open.source.text();
    let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = &text[line_start..at];
    let from = word_before(text, at, |c| is_name(c) || c == '-').max(line_start);
    let indent = line.len() - line.trim_start().len();
    let key_of = |line: &str| line.split(':').next().unwrap_or_default().trim().to_owned();
    // The key whose value this line is in.
    let parent = || {
        let above = text[..line_start].lines().rev();
        above.filter(|line| !line.trim().is_empty()).find(|line| !line.starts_with([' ', '-'])).map(key_of)
    };
    let keys = |table: &'static [Meaning]| -> Vec<Offer> {
        let offer = |entry: &Meaning| Offer { label: format!("{}: ", entry.word), ..Offer::of(entry, Kind::PROPERTY) };
        table.iter().map(offer).collect()
    };
    let value = line.split_once(':').map(|(key, _)| key.trim().trim_start_matches('-').trim().to_owned());
    let in_braces = line.rfind('{').is_some_and(|brace| !line[brace..].contains('}'));
    if in_braces {
        let table = match (indent, value.as_deref()) {
            (0, Some("cluster")) => meanings::CLUSTER,
            (0, _) => return (from, Vec::new()),
            _ => meanings::VARIABLE,
        };
        let piece = line.rsplit(['{', ',']).next().unwrap_or_default();
        return (from, if piece.contains(':') { Vec::new() } else { keys(table) });
    }
    let place = match (indent, value) {
        (0, Some(key)) => key,
        (0, None) if !line.starts_with('-') => {
            let said: Vec<String> =
                text[..open.outline.body].lines().filter(|l| !l.starts_with(' ')).map(key_of).collect();
            let mut offers = keys(meanings::FRONT_MATTER);
            let typed = text[from..].split(':').next().unwrap_or_default().trim().to_owned();
            offers.retain(|offer| {
                let key = offer.label.trim_end_matches(": ");
                key == typed || !said.iter().any(|said| said == key)
            });
            return (from, offers);
        }
        (_, value) => match (parent().as_deref(), value) {
            (Some("cluster"), None) => return (from, keys(meanings::CLUSTER)),
            (Some("vars"), None) if indent > 2 => return (from, keys(meanings::VARIABLE)),
            (Some(list), None) => list.to_owned(),
            _ => return (from, Vec::new()),
        },
    };
    let plain = |names: Vec<&str>| names.into_iter().map(|name| Offer::new(name, Kind::ENUM_MEMBER)).collect();
    let offers = match place.as_str() {
        "lang" => plain(words(language::LANGUAGES).collect()),
        "level" => plain(words(LEVELS).collect()),
        "clusters" => clusters(),
        "requires" => plain(words(REQUIREMENTS).collect()),
        "needs" => open
            .around
            .iter()
            .filter(|lab| open.lab.is_none_or(|own| own.id != lab.id))
            .map(|lab| Offer::new(lab.id.clone(), Kind::REFERENCE).detail(lab.title.clone()))
            .collect(),
        _ => Vec::new(),
    };
    (from, offers)
}

fn check(open: &Open<'_>, content: &str, index: usize, at: usize) -> (usize, Vec<Offer>) {
    let run = content[..index].rfind([' ', '\t', '\n']).map_or(0, |end| end + 1);
    let typed = at - (index - run);
    let keyword = |word: &&'static str| match meaning(meanings::WITHIN_CHECKS, word) {
        Some(entry) => Offer::of(entry, Kind::KEYWORD),
        None => Offer::new(*word, Kind::OPERATOR),
    };
    match line::wanted(content, run) {
        Wanted::Verb => (typed, meanings::CHECKS.iter().map(|entry| Offer::of(entry, Kind::KEYWORD)).collect()),
        Wanted::Words(words) => (typed, words.iter().map(keyword).collect()),
        Wanted::Key => (typed, keys(open, &content[run..index])),
        Wanted::Resource => (typed, resources()),
        Wanted::Block(tests) => {
            let tests = tests.iter().map(keyword);
            (typed, blocks(open, |_| true).into_iter().chain(tests).collect())
        }
        Wanted::Member => {
            let members =
                open.lab.iter().flat_map(|lab| &lab.etcd).map(|(name, _)| {
                    Offer::new(name.value.clone(), Kind::REFERENCE).means("a member of this lab's etcd")
                });
            (typed, members.chain([keyword(&"where")]).collect())
        }
        Wanted::Expression(found) => {
            let word = word_before(content, index, is_name).max(found.start);
            let lead = &content[found.start..word];
            let subject = if open.is_bare() {
                crate::expr::Subject::any()
            } else {
                line::subject(&found, &definitions_of(open.source))
            };
            let mut offers = match ask(lead.trim_start(), found.scope, &subject) {
                Some(Asked::Member(kind)) => members(open, &kind),
                Some(Asked::Name(locals)) => names(&found, locals),
                Some(Asked::Text(kind)) => {
                    kind.words().into_iter().map(|word| Offer::new(word, Kind::ENUM_MEMBER)).collect()
                }
                None if lead.trim().is_empty() => names(&found, Vec::new()),
                None => ["within", "for"].iter().map(keyword).collect(),
            };
            // In an `events` check an event may begin on each line of its own.
            let line = content[..word].rsplit('\n').next().unwrap_or_default();
            if found.scope == crate::expr::Scope::Event && line.trim().is_empty() {
                offers.extend(["PUT", "DELETE"].iter().map(keyword));
            }
            (at - (index - word), offers)
        }
        Wanted::Nothing => (typed, Vec::new()),
    }
}

/// Fields, and what can be called.
fn members(open: &Open<'_>, kind: &Type) -> Vec<Offer> {
    let field = |(name, of): (String, Type)| {
        let means =
            kind.objects().iter().find_map(|object| object.field_path(&name)).and_then(|path| (open.describe)(&path));
        Offer::new(name, Kind::FIELD).detail(of.noun()).means(means.unwrap_or_default())
    };
    let mut offers: Vec<Offer> = kind.fields().into_iter().map(field).collect();
    if offers.is_empty() {
        let takes = |name: &&'static str| functions::has(name, kind);
        let mut callable: Vec<&str> = functions::callable(true).filter(takes).collect();
        callable.sort_unstable();
        callable.dedup();
        offers.extend(callable.into_iter().map(|name| called(name, true)));
    }
    offers
}

fn called(name: &'static str, of_receiver: bool) -> Offer {
    Offer::new(name, Kind::FUNCTION).detail(functions::forms(name, of_receiver).join(" · "))
}

fn names(found: &line::Expression, locals: Vec<(String, Type)>) -> Vec<Offer> {
    let locals = locals.into_iter().rev().map(|(name, kind)| Offer::new(name, Kind::VARIABLE).detail(kind.noun()));
    let known = found.scope.names().map(|name| {
        let means = meaning(meanings::NAMES, name).map_or("", |entry| entry.means);
        Offer::new(name, Kind::VARIABLE).means(means)
    });
    let mut callable: Vec<&str> = functions::callable(false).collect();
    callable.sort_unstable();
    callable.dedup();
    locals.chain(known).chain(callable.into_iter().map(|name| called(name, false))).collect()
}

/// Keys: the folders of etcd, and what the lab's own checks name under the one that is written.
fn keys(open: &Open<'_>, typed: &str) -> Vec<Offer> {
    let mut known: Vec<Offer> = Vec::new();
    let mut add = |label: String, detail: String, kind: Kind| {
        if label.starts_with(typed) && label != typed && !known.iter().any(|offer| offer.label == label) {
            known.push(Offer::new(label, kind).detail(detail));
        }
    };
    for key in open.keys() {
        add(key, "named in this lab".to_owned(), Kind::VALUE);
    }
    if !open.is_bare() {
        let mut kinds: Vec<_> = kube_etcd_codec::KINDS.iter().filter(|kind| kind.is_stored()).collect();
        kinds.sort_by_key(|kind| kind.folder);
        for kind in kinds {
            let form = if kind.namespaced { "NAMESPACE/NAME" } else { "NAME" };
            add(format!("/registry/{}/", kind.folder), format!("{}: {form}", kind.kind), Kind::FOLDER);
            if kind.namespaced {
                for namespace in open.namespaces() {
                    add(format!("/registry/{}/{namespace}/", kind.folder), kind.kind.to_owned(), Kind::FOLDER);
                }
            }
        }
    }
    known
}

fn resources() -> Vec<Offer> {
    let mut kinds: Vec<_> = kube_etcd_codec::KINDS.iter().filter(|kind| !kind.served.is_empty()).collect();
    kinds.sort_by_key(|kind| kind.singular());
    kinds.into_iter().map(|kind| Offer::new(format!("{}/", kind.singular()), Kind::CLASS).detail(kind.kind)).collect()
}
