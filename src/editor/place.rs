//! Which part of a file a place belongs to.

use crate::lab::keywords::FenceKind;
use crate::parse::{FenceOutline, Outline};
use crate::text::SourceFile;

/// The part of a file that a place belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    FrontMatter,
    /// The language of a fence.
    Language(&'a FenceOutline),
    /// Within a fence's braces.
    Attributes(&'a FenceOutline),
    /// The inside of a fence that the runner reads, and the place in its text.
    Inside(&'a FenceOutline, FenceKind, usize),
    /// A `lab:` comment.
    Comment,
    /// The inside of another fence.
    Shown,
    Prose,
}

pub(super) fn part<'a>(outline: &'a Outline, source: &SourceFile, at: usize) -> Part<'a> {
    if at < outline.body {
        return Part::FrontMatter;
    }
    if outline.comments.iter().any(|span| span.start <= at && at <= span.end) {
        return Part::Comment;
    }
    // A fence that was never closed goes on to the end.
    let Some(fence) = outline.fences.iter().find(|fence| fence.span.start <= at && at <= fence.span.end) else {
        return Part::Prose;
    };
    if fence.info.start <= at && at <= fence.info.end {
        let in_braces =
            fence.braces.is_some_and(|braces| braces.start < at && (at < braces.end || !closed(source, at)));
        return if in_braces { Part::Attributes(fence) } else { Part::Language(fence) };
    }
    match (fence.kind, fence.content.index(at)) {
        (Some(kind), Some(index)) => Part::Inside(fence, kind, index),
        _ => Part::Shown,
    }
}

/// Whether the braces end before this place.
fn closed(source: &SourceFile, at: usize) -> bool {
    source.text()[..at].ends_with('}')
}

/// The word that ends at `at`, as far as `is` holds of its characters: where it begins.
pub(super) fn word_before(text: &str, at: usize, is: impl Fn(char) -> bool) -> usize {
    text[..at].char_indices().rev().take_while(|(_, c)| is(*c)).last().map_or(at, |(start, _)| start)
}

pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
