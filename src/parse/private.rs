//! The private part of a lab: `README.private.md` beside `README.md`. Its sections are more of the lab's steps: set-up
//! that runs first in the step, and checks that judge at its end.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::findings::PRIVATE;
use super::front_matter;
use super::html::{Tag, tags};
use super::markdown::{self, Block, Fence};
use super::names::head;
use super::parse;
use super::steps::slug;
use crate::lab::keywords::FenceKind;
use crate::lab::{Item, Lab, Role, Step};
use crate::parse::attrs;
use crate::parse::findings::Findings;
use crate::text::{SourceFile, Span, did_you_mean, one_of};

const ENDING: &str = ".private.md";
/// What front matter begins with.
const RULER: &str = "---";

/// Where the private part of a lab lies, if it has one.
pub fn private_path(lab: &Path) -> Option<PathBuf> {
    let stem = lab.file_stem()?.to_str()?;
    Some(lab.with_file_name(format!("{stem}{ENDING}")))
}

/// The lab that a private part belongs to.
pub fn lab_of_private(private: &Path) -> Option<PathBuf> {
    let name = private.file_name()?.to_str()?;
    let stem = name.strip_suffix(ENDING)?;
    Some(private.with_file_name(format!("{stem}.md")))
}

/// Whether a file is a lab's private part.
pub fn is_private(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().ends_with(ENDING))
}

/// The lab with its private part in it. Where a section belongs to no step it stands at the end, and is a finding.
pub fn with_private(lab: &SourceFile, private: &SourceFile) -> SourceFile {
    let read = parse(lab);
    let Some(read) = read.lab.or(read.draft) else { return lab.clone() };
    if markdown::too_much(private.text()).is_some() || lab.text().len() + private.text().len() > markdown::LARGEST {
        return lab.clone();
    }
    let blocks = blocks_of(private);
    let heads: Vec<_> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::Heading(heading) if heading.level == 2 && !heading.nested => Some(heading),
            _ => None,
        })
        .collect();
    let whole = private.text().len();
    let end_of_lab = lab.text().len();
    let (mut parts, mut stray): (Vec<(usize, Span)>, Vec<(usize, Span)>) = (Vec::new(), Vec::new());
    let intro = Span::new(body_of(private), heads.first().map_or(whole, |heading| heading.span.start));
    let has_block = |block: &Block| matches!(block, Block::Fence(fence) if intro.end > fence.span.start && kind(private, fence).is_some());
    if let Some(at) = front_matter_at(private) {
        stray.push((end_of_lab, Span::new(at, at + RULER.len())));
    }
    if blocks.iter().any(has_block) {
        stray.push((end_of_lab, intro));
    }
    for (number, heading) in heads.iter().enumerate() {
        let end = heads.get(number + 1).map_or(whole, |next| next.span.start);
        let title = heading.text.trim();
        let of = read.steps.iter().position(|step| step.title == title || step.id == slug(title) || step.id == title);
        let Some(at) = of else {
            stray.push((end_of_lab, Span::new(heading.span.start, end)));
            continue;
        };
        let step_end = read.steps.get(at + 1).map_or(end_of_lab, |next| next.span.start);
        let begin = heading.span.end;
        let mut from = begin;
        for setup in blocks.iter().filter_map(|block| match block {
            Block::Fence(fence) if begin <= fence.span.start && fence.span.start < end => Some(fence),
            _ => None,
        }) {
            if !is_setup(private, setup) {
                continue;
            }
            push(&mut parts, private, step_end, Span::new(from, setup.span.start));
            parts.push((first_place(lab, &read.steps[at], step_end), setup.span));
            from = setup.span.end;
        }
        push(&mut parts, private, step_end, Span::new(from, end));
    }
    parts.sort_by_key(|(before, _)| *before);
    parts.append(&mut stray);
    lab.with_parts(private, &parts)
}

/// Where a private part has front matter, which it must not have.
fn front_matter_at(private: &SourceFile) -> Option<usize> {
    let text = private.text().trim_start();
    text.starts_with(RULER).then(|| private.text().len() - text.len())
}

/// Behind its front matter.
fn body_of(private: &SourceFile) -> usize {
    front_matter_at(private).map_or(0, |_| front_matter::head(&mut Context::new(private)).1)
}

fn blocks_of(private: &SourceFile) -> Vec<Block> {
    markdown::blocks(private.text(), body_of(private))
}

fn push(parts: &mut Vec<(usize, Span)>, private: &SourceFile, before: usize, part: Span) {
    if !private.slice(part).trim().is_empty() {
        parts.push((before, part));
    }
}

fn kind(source: &SourceFile, fence: &Fence) -> Option<FenceKind> {
    FenceKind::of(&attrs::info(source, fence.info).language.value)
}

fn is_setup(source: &SourceFile, fence: &Fence) -> bool {
    let info = attrs::info(source, fence.info);
    let mut ignored = Findings::default();
    let read = info.braces.map(|braces| attrs::in_braces(source, braces, &mut ignored)).unwrap_or_default();
    kind(source, fence).is_some_and(FenceKind::is_action) && read.iter().any(|attr| attr.name.value == "setup")
}

/// After the step's heading, and the comment that belongs to it.
fn first_place(lab: &SourceFile, step: &Step, end: usize) -> usize {
    let mut ignored = Context::new(lab);
    let from = front_matter::head(&mut ignored).1;
    let blocks = markdown::blocks(lab.text(), from);
    let line_end = |at: usize| lab.text()[at..end].find('\n').map_or(end, |found| at + found + 1);
    let after = blocks
        .iter()
        .skip_while(|block| !matches!(block, Block::Heading(heading) if heading.span.start >= step.span.start))
        .nth(1);
    match after {
        Some(Block::Html(span))
            if span.end <= end && tags(lab, *span).iter().any(|tag| matches!(tag, Tag::Directive(_))) =>
        {
            line_end(span.end.saturating_sub(1))
        }
        _ => line_end(step.span.end),
    }
}

/// What a private part may not have.
pub(super) fn look(steps: &[Step], cx: &mut Context<'_>) {
    let source = cx.source;
    let Some(private) = source.other() else { return };
    let is_private = |span: Span| source.is_other(span.start);
    let own: Vec<&str> = steps.iter().filter(|step| !is_private(step.span)).map(|step| step.title.as_str()).collect();
    if let Some(at) = front_matter_at(private).and_then(|at| source.place_of_other(at)) {
        cx.findings
            .add(PRIVATE, Span::new(at, at + RULER.len()), "a private part has no front matter: the lab's is its own")
            .hint("remove it");
    }
    for step in steps {
        if is_private(step.span) {
            let hint = did_you_mean(&step.title, own.iter().copied())
                .unwrap_or_else(|| format!("its steps are {}", one_of(own.iter().copied()).replace(" or ", " and ")));
            let message = format!("the lab has no step `{}`", step.title);
            cx.findings.add(PRIVATE, step.span, message).hint(hint);
            continue;
        }
        for item in &step.items {
            let (span, what) = match item {
                Item::Action(action) if action.norun || matches!(action.role, Role::Setup | Role::Cleanup) => continue,
                Item::Action(action) => (action.span, "a block that runs as a part of the step"),
                Item::Question(question) => (question.span, "a question"),
                Item::Check(_) | Item::Wait(_) | Item::Prose(_) | Item::Shown(_) | Item::Hint(_) => continue,
            };
            if is_private(span) {
                cx.findings
                    .add(PRIVATE, head(span, cx), format!("a private part does not take {what}"))
                    .hint("a private part has checks, waits, and blocks with `setup` or `cleanup`");
            }
        }
    }
    let first = first_section(private);
    let blocks = blocks_of(private);
    let before = blocks.iter().find_map(|block| match block {
        Block::Fence(fence) if fence.span.start < first && kind(private, fence).is_some() => Some(fence),
        _ => None,
    });
    if let Some(fence) = before
        && let Some(at) = source.place_of_other(fence.span.start)
    {
        cx.findings
            .add(PRIVATE, Span::new(at, at + fence.info.end - fence.span.start), "this block belongs to no step")
            .hint("put the heading of a step of the lab above it");
    }
}

/// What comes before it is in no step.
fn first_section(private: &SourceFile) -> usize {
    let blocks = blocks_of(private);
    let first = blocks.iter().find_map(|block| match block {
        Block::Heading(heading) if heading.level == 2 && !heading.nested => Some(heading.span.start),
        _ => None,
    });
    first.unwrap_or(private.text().len())
}

/// Whether a block of the private part belongs to no step of the lab, which is a finding already.
pub(super) fn is_stray(step: &Step, block: Span, source: &SourceFile) -> bool {
    source.other().is_some_and(|private| {
        source.is_other(step.span.start)
            || source.is_other(block.start) && source.place_in_file(block.start) < first_section(private)
    })
}

/// Lines are told as those of their file.
pub(super) fn number_lines(lab: &mut Lab) {
    if lab.source.other().is_none() {
        return;
    }
    let source = lab.source.clone();
    let told = |row: usize| source.position(source.line_start(row)).line;
    for item in lab.steps.iter_mut().flat_map(|step| &mut step.items) {
        if let Item::Action(action) = item {
            action.code.lines_mut().for_each(|line| line.number = told(line.number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::ClusterKind;

    const LAB: &str = "---\ntitle: A lab\n---\n## Make it\n<!-- lab:step id=make -->\n\n```bash\nkubectl create namespace demo\n```\n\n```check\nkey /registry/namespaces/demo exists\n```\n\n## Clean up\n\n```bash {cleanup}\nkubectl delete namespace demo\n```\n";

    fn read(private: &str) -> super::super::Parsed {
        let lab = SourceFile::new("README.md", "a/README.md", LAB);
        let private = SourceFile::new("README.private.md", "a/README.private.md", private);
        parse(&with_private(&lab, &private))
    }

    #[test]
    fn sections_are_more_of_their_steps() {
        let parsed = read(
            "# Not for learners\n\n## Make it\n\nOnly here.\n\n```bash {setup}\nkubectl create namespace other\n```\n\n```check\nkey /registry/namespaces/demo where object.status.phase == \"Active\"\n```\n\n```bash {cleanup}\nkubectl delete namespace other\n```\n",
        );
        let lab = parsed.lab.unwrap_or_else(|| panic!("{:#?}", parsed.findings));
        assert_eq!(parsed.findings, []);
        assert!(lab.clusters.iter().any(|kind| kind.value == ClusterKind::Sandbox));
        let step = &lab.steps[0];
        let kinds: Vec<_> = step
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Action(action) => {
                    let line = action.code.lines().next().map_or(0, |line| line.number);
                    Some(format!("{} {line}", action.role.name()))
                }
                Item::Check(block) => {
                    let at = block.checks[0].span.start;
                    Some(format!("check {}:{}", lab.source.name_at(at), lab.source.position(at).line))
                }
                _ => None,
            })
            .collect();
        assert_eq!(kinds, ["setup 8", "action 8", "check README.md:12", "check README.private.md:12", "cleanup 16"]);
        assert_eq!((step.id.as_str(), lab.source.own().text()), ("make", LAB));
    }

    #[test]
    fn what_has_no_place_in_it_is_found_in_its_own_lines() {
        let found = |private: &str| {
            let parsed = read(private);
            let lab = SourceFile::new("README.md", "a/README.md", LAB);
            let private = SourceFile::new("README.private.md", "a/README.private.md", private);
            let source = with_private(&lab, &private);
            assert!(parsed.lab.is_none());
            let codes: Vec<&str> = parsed.findings.iter().map(|finding| finding.code.0).collect();
            assert_eq!(codes, ["KW086"], "one finding is enough");
            let finding = &parsed.findings[0];
            finding.draw(&source, false).lines().next().unwrap_or_default().to_owned()
        };
        assert_eq!(
            found("## Build it\n\n```check\nkey /registry/namespaces/demo exists\n```\n"),
            "README.private.md:1:1: error[KW086]: the lab has no step `Build it`"
        );
        assert_eq!(
            found("## Make it\n\n```bash\nkubectl create namespace x\n```\n"),
            "README.private.md:3:1: error[KW086]: a private part does not take a block that runs as a part of the step"
        );
        assert_eq!(
            found("# P\n\n```check\nkey /registry/namespaces/demo exists\n```\n"),
            "README.private.md:3:1: error[KW086]: this block belongs to no step"
        );
        assert_eq!(
            found("---\ntitle: B\n---\n"),
            "README.private.md:1:1: error[KW086]: a private part has no front matter: the lab's is its own"
        );
    }
}
