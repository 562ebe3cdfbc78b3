//! Expected output: the lines of an `output` fence, and those under a `console` command.

use std::ops::Range;

use super::context::Context;
use crate::lab::{Expected, ExpectedLine, Piece};
use crate::text::{Joined, Span};

pub(super) fn expected(content: &Joined, unordered: bool, span: Span, cx: &mut Context<'_>) -> Expected {
    let lines = line_ranges(content).map(|range| line(content, range, cx)).collect();
    Expected { span, unordered, lines }
}

/// The lines of a fence, without their ends.
pub(super) fn line_ranges(content: &Joined) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    content.text().split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        start..start + line.trim_end_matches('\n').len()
    })
}

pub(super) fn line(content: &Joined, range: Range<usize>, cx: &mut Context<'_>) -> ExpectedLine {
    let text = &content.text()[range.clone()];
    let number = cx.source.row(content.offset(range.start));
    if text.trim_end() == "..." {
        return ExpectedLine::AnyLines;
    }
    // Blank ends do not count.
    let end = range.start + text.trim_end().len();
    if text.starts_with('\\') {
        let literal = cx.template(content, range.start + 1..end.max(range.start + 1));
        return ExpectedLine::Line { number, pieces: vec![Piece::Text(literal)] };
    }
    let mut pieces = Vec::new();
    let mut from = range.start;
    while let Some(found) = content.text()[from..end].find("[..]") {
        if found > 0 {
            pieces.push(Piece::Text(cx.template(content, from..from + found)));
        }
        pieces.push(Piece::Any);
        from += found + "[..]".len();
    }
    if from < end {
        pieces.push(Piece::Text(cx.template(content, from..end)));
    }
    ExpectedLine::Line { number, pieces }
}
