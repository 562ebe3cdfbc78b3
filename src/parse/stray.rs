//! Lines that look like fences and are none: on GitHub they vanish silently, or swallow what follows.

use super::attrs;
use super::context::Context;
use super::findings::{FENCE_IN_FENCE, IN_HTML, NO_FENCE, UNCLOSED};
use super::html::hides_fences;
use super::language::nearly;
use super::markdown::{Block, Fence, lines};
use crate::lab::keywords::FenceKind;
use crate::text::Span;

pub(super) fn look(blocks: &[Block], from: usize, cx: &mut Context<'_>) {
    let mut covered: Vec<(Span, Cover)> = Vec::new();
    for block in blocks {
        match block {
            Block::Fence(fence) => {
                closing(fence, cx);
                inside(fence, cx);
                covered.push((fence.span, Cover::Fence));
            }
            Block::Html(span) => covered.push((*span, Cover::Html)),
            Block::Indented(span) => {
                let start = cx.source.line_start(cx.source.row(span.start));
                covered.push((Span::new(start, span.end), Cover::Indented));
            }
            Block::Heading(_) | Block::Prose(_) => {}
        }
    }
    let source = cx.source;
    for (at, line) in lines(&source.text()[from..], from) {
        let Some(lead) = fence_lead(line) else {
            short(at, line, &covered, cx);
            continue;
        };
        let start = at + lead;
        let span = Span::new(start, at + line.trim_end().len());
        let cover = covered.iter().find(|(cover, _)| cover.start <= start && start < cover.end);
        stray(span, cover.copied(), cx);
    }
}

/// A fence of one or two backticks, or of other quotes.
fn short(at: usize, line: &str, covered: &[(Span, Cover)], cx: &mut Context<'_>) {
    let text = line.trim();
    let marks = text.len() - text.trim_start_matches(['`', '\'', '´', '~']).len();
    let (mark, info) = text.split_at(marks);
    let language = info.split([' ', '{']).next().unwrap_or("");
    let after = &info[language.len()..];
    // Code within a sentence has its end on the same line.
    let alone = after.trim().is_empty() || (after.trim_start().starts_with('{') && after.trim_end().ends_with('}'));
    if mark.is_empty() || mark.starts_with("```") || FenceKind::of(language).is_none() || !alone {
        return;
    }
    let start = at + (line.len() - line.trim_start().len());
    if covered.iter().any(|(cover, _)| cover.start <= start && start < cover.end) {
        return;
    }
    cx.findings.unread = true;
    cx.findings
        .add(NO_FENCE, Span::new(start, start + text.len()), "a fence opens with three backticks")
        .hint(format!("write ```{info}, and ``` below"));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cover {
    Fence,
    Html,
    Indented,
}

/// How far in the three backticks or tildes stand, past the marks of lists and quotes.
fn fence_lead(line: &str) -> Option<usize> {
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', '>']);
        let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mark = match trimmed.as_bytes().get(digits) {
            Some(b'-' | b'*' | b'+') if digits == 0 => 1,
            Some(b'.' | b')') if digits > 0 => digits + 1,
            _ => 0,
        };
        let next = if mark > 0 && trimmed[mark..].starts_with([' ', '\t']) { &trimmed[mark..] } else { trimmed };
        if next.len() == rest.len() {
            let is_fence = next.starts_with("```") || next.starts_with("~~~");
            return is_fence.then(|| line.len() - next.len());
        }
        rest = next;
    }
}

fn stray(span: Span, cover: Option<(Span, Cover)>, cx: &mut Context<'_>) {
    let text = cx.source.slice(span);
    let sign = text.chars().next().unwrap_or('`');
    let info = text.trim_start_matches(sign);
    match cover {
        Some((_, Cover::Fence)) => {}
        Some((html, Cover::Html)) => {
            if !info.trim().is_empty() && hides_fences(cx.source.slice(html)) {
                cx.findings
                    .add(IN_HTML, span, "this fence is inside raw HTML, so it is plain text")
                    .hint("put a blank line between the HTML tag above and the fence");
            }
        }
        Some((_, Cover::Indented)) => {
            let language = info.trim().split([' ', '{']).next().unwrap_or("");
            if FenceKind::of(language).is_some() || nearly(language).is_some() {
                cx.findings
                    .add(
                        NO_FENCE,
                        span,
                        "this line is indented by four blanks or more, which makes it plain code and no fence",
                    )
                    .hint("indent it as far as the text of its list item, or by three blanks at most");
            }
        }
        None => {
            let (message, hint) = if sign == '`' && info.contains('`') {
                (
                    "this line does not open a fence: there is a backtick after the opening ones",
                    "open the fence with ~~~ where the line needs a backtick".to_owned(),
                )
            } else {
                ("this line opens no fence", "put a blank line before it".to_owned())
            };
            cx.findings.add(NO_FENCE, span, message).hint(hint);
        }
    }
}

fn closing(fence: &Fence, cx: &mut Context<'_>) {
    if fence.closed {
        return;
    }
    let head = Span::new(fence.marker.start, fence.info.end);
    let marker = cx.source.slice(fence.marker).to_owned();
    let hint = if fence.content.is_empty() && fence.span.end < cx.source.text().len() {
        format!("indent its lines, and the closing {marker}, as far as the fence itself")
    } else {
        format!("close it with a line of its own: {marker}")
    };
    cx.findings.add(UNCLOSED, head, "this fence has no closing line of its own").hint(hint);
}

fn inside(fence: &Fence, cx: &mut Context<'_>) {
    let marker = cx.source.slice(fence.marker).to_owned();
    let sign = marker.chars().next().unwrap_or('`');
    let text = fence.content.text();
    for (at, line) in lines(text, 0) {
        let trimmed = line.trim_start();
        let length = trimmed.chars().take_while(|c| *c == sign).count();
        // A longer outer fence shows an inner one on purpose.
        if length < marker.len() || length < 3 {
            continue;
        }
        let start = at + (line.len() - trimmed.len());
        let info_at = start + length;
        let info_text = text[info_at..].split('\n').next().unwrap_or("");
        let info = attrs::info(cx.source, fence.content.span(info_at..info_at + info_text.len()));
        let language = info.language.value.as_str();
        if FenceKind::of(language).is_some() {
            let span = fence.content.span(start..info_at + info_text.trim_end().len());
            let line = cx.line(fence.marker.start);
            cx.findings.add(FENCE_IN_FENCE, span, format!("a lab fence opens inside the fence of line {line}")).hint(
                format!("close that one before, or give it a longer marker ({marker}{sign}) if it shows this one"),
            );
        }
    }
}
