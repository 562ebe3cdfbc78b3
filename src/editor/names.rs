//! Names that stand in several places: blocks and variables. Where each is given, and where it is used.

use std::sync::LazyLock;

use regex::Regex;

use super::line;
use super::place::{self, is_name};
use crate::lab::Lab;
use crate::lab::keywords::FenceKind;
use crate::parse::{FenceOutline, Outline};
use crate::text::{SourceFile, Span};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Block,
    Variable,
}

/// A name in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) sort: Sort,
    pub(super) name: String,
    pub(super) span: Span,
    /// It is given here, and not only used.
    pub(super) given: bool,
}

/// `$NAME`, `${NAME`, and the dollar before it, if one is there.
static DOLLAR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(\$?)\$\{?([A-Za-z_][A-Za-z0-9_]*)").expect("a regular expression of ours"));

/// `NAME=` where a command begins, or after `export`.
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)(?:^|[;&|(]|\bexport|\blocal|\breadonly|\bunset)[ \t]*([A-Za-z_][A-Za-z0-9_]*)\+?(?:=|$)")
        .expect("a regular expression of ours")
});

/// All names of a lab, in the order of the file.
pub(super) fn mentions(source: &SourceFile, outline: &Outline, lab: Option<&Lab>) -> Vec<Mention> {
    let mut found = Found { source, all: Vec::new() };
    for fence in &outline.fences {
        found.fence(fence);
    }
    found.variables(outline, lab);
    let mut all = found.all;
    all.sort_by_key(|mention| (mention.span.start, !mention.given));
    all.dedup_by_key(|mention| mention.span);
    all
}

/// The name at a place.
pub(super) fn at(mentions: &[Mention], offset: usize) -> Option<&Mention> {
    mentions.iter().find(|mention| mention.span.start <= offset && offset <= mention.span.end)
}

struct Found<'a> {
    source: &'a SourceFile,
    all: Vec<Mention>,
}

impl Found<'_> {
    fn add(&mut self, sort: Sort, span: Span, given: bool) {
        let name = self.source.slice(span).to_owned();
        if !name.is_empty() {
            self.all.push(Mention { sort, name, span, given });
        }
    }

    fn fence(&mut self, fence: &FenceOutline) {
        let Some(kind) = fence.kind else { return };
        for attribute in &fence.attributes {
            let Some(value) = &attribute.value else { continue };
            let is_block = match attribute.name.value.as_str() {
                "name" => Some(true),
                "stop" | "start" | "of" => Some(false),
                _ => None,
            };
            if let Some(given) = is_block {
                let length = value.value.find(':').unwrap_or(value.value.len());
                self.add(Sort::Block, Span::new(value.span.start, value.span.start + length), given);
            }
        }
        let content = fence.content.text();
        match kind {
            FenceKind::Check | FenceKind::Wait => {
                let mut next = 0;
                for line in content.split_inclusive('\n') {
                    let start = next;
                    next += line.len();
                    let words = if line.starts_with("output") { line::words(content, start) } else { Vec::new() };
                    let tests = ["contains", "matches", "where"];
                    if let [verb, name, ..] = &words[..]
                        && verb.text == "output"
                        && !name.quoted
                        && !tests.contains(&name.text.as_str())
                    {
                        let span = fence.content.span(name.start..name.start + name.text.len());
                        self.add(Sort::Block, span, false);
                    }
                }
            }
            FenceKind::Question | FenceKind::Answer => {
                let mut at = 0;
                for line in content.split_inclusive('\n') {
                    if let Some(rest) = line.trim_start().strip_prefix('=')
                        && let Some(name) = rest.trim_start().strip_prefix("from ")
                    {
                        let name = name.trim();
                        let start = at + line.rfind(name).unwrap_or_default();
                        self.add(Sort::Block, fence.content.span(start..start + name.len()), false);
                    }
                    at += line.len();
                }
            }
            _ => {}
        }
    }

    fn variables(&mut self, outline: &Outline, lab: Option<&Lab>) {
        let declared: Vec<String> =
            lab.map(|lab| lab.vars.iter().map(|var| var.name.value.clone()).collect()).unwrap_or_default();
        for var in lab.map(|lab| lab.vars.as_slice()).unwrap_or_default() {
            self.add(Sort::Variable, var.name.span, true);
        }
        let text = self.source.text();
        for captures in DOLLAR.captures_iter(text) {
            let (Some(escape), Some(name)) = (captures.get(1), captures.get(2)) else { continue };
            if !declared.iter().any(|known| known == name.as_str()) {
                continue;
            }
            let braced = text[..name.start()].ends_with('{');
            let used = match place::part(outline, self.source, name.start()) {
                // A shell's own rules hold: `$$NAME` is none of ours.
                place::Part::Inside(_, FenceKind::Script | FenceKind::Console, _) => escape.is_empty(),
                place::Part::Attributes(fence) => {
                    escape.is_empty() && (braced || fence.kind.is_some_and(FenceKind::is_action))
                }
                place::Part::Shown => false,
                _ => braced && escape.is_empty(),
            };
            if used {
                self.add(Sort::Variable, Span::new(name.start(), name.end()), false);
            }
        }
        for fence in outline.fences.iter().filter(|fence| fence.kind == Some(FenceKind::Script)) {
            let given = fence.attribute("vars").is_some();
            for captures in ASSIGNED.captures_iter(fence.content.text()) {
                let Some(name) = captures.get(1).filter(|name| declared.iter().any(|known| known == name.as_str()))
                else {
                    continue;
                };
                self.add(Sort::Variable, fence.content.span(name.start()..name.end()), given);
            }
        }
    }
}

/// The whole of the word at a place: a name of letters, digits and `_`.
pub(super) fn word(text: &str, at: usize) -> Span {
    let start = place::word_before(text, at, is_name);
    let end = text[at..].find(|c: char| !is_name(c)).map_or(text.len(), |length| at + length);
    Span::new(start, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{outline, parse};

    const LAB: &str = "---\ntitle: A\nvars:\n  NS: { ask: \"Which?\" }\n---\n## A\n\nMake ${NS}, not $${NS}.\n\n```bash {vars}\nexport NS=demo\n```\n\n\
        ```bash {name=w background ready=\"${NS}\" terminal=2}\nwatch $NS ${NS:-x} $NSX\n```\n\n\
        ```bash {stop=w}\nNS=other kubectl get ns \"$NS\"\n```\n\n```check\noutput w contains \"${NS}\"\noutput contains \"w\"\n```\n\n\
        ```question\nWhat?\n= from w\n```\n\n```yaml\n$NS\n```\n";

    #[test]
    fn each_place_of_a_name_is_found() {
        let source = SourceFile::new("lab.md", "lab.md", LAB);
        let parsed = parse(&source);
        let lab = parsed.lab.as_ref().or(parsed.draft.as_ref());
        let all = mentions(&source, &outline(&source), lab);
        let places = |sort: Sort, name: &str| -> Vec<(usize, bool)> {
            let of = |mention: &&Mention| mention.sort == sort && mention.name == name;
            all.iter().filter(of).map(|m| (source.position(m.span.start).line, m.given)).collect()
        };
        assert_eq!(places(Sort::Block, "w"), [(14, true), (18, false), (23, false), (29, false)]);
        let lines =
            [(4, true), (8, false), (11, true), (14, false), (15, false), (15, false), (19, false), (19, false)];
        assert_eq!(places(Sort::Variable, "NS"), [&lines[..], &[(23, false)]].concat());
        assert_eq!(places(Sort::Variable, "NSX"), []);
    }
}
