//! What an editor can do to a lab by itself: `lint --fix`, one finding at a time or all.

use crate::parse::parse;
use crate::text::{Diagnostic, Edit, Severity, SourceFile, Span, mended};

/// A change that a person picks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) title: String,
    pub(super) edits: Vec<Edit>,
}

/// The cure of one finding.
pub(super) fn cure(finding: &Diagnostic) -> Option<Change> {
    if finding.fix.is_empty() {
        return None;
    }
    let title = finding.hint.clone().unwrap_or_else(|| format!("mend {}", finding.code.0));
    Some(Change { title, edits: finding.fix.clone() })
}

/// Allows a warning for the block that it is in.
pub(super) fn allow(
    finding: &Diagnostic,
    fences: &[crate::parse::FenceOutline],
    source: &SourceFile,
) -> Option<Change> {
    if finding.severity == Severity::Error {
        return None;
    }
    let within = |fence: &&crate::parse::FenceOutline| {
        fence.span.start <= finding.span.start && finding.span.start < fence.span.end
    };
    let fence = fences.iter().find(within)?;
    let line = source.line_start(source.row(fence.span.start));
    // In a list the comment is indented as its fence is.
    let lead = source.text()[line..].split(['`', '~']).next().unwrap_or_default().to_owned();
    if !lead.trim().is_empty() {
        return None;
    }
    let text = format!("{lead}<!-- lab:allow {}: why this is meant -->\n\n", finding.code.0);
    Some(Change {
        title: format!("allow {} for this block, with a reason", finding.code.0),
        edits: vec![Edit { span: Span::new(line, line), text }],
    })
}

/// Every cure, as `lint --fix` writes it.
pub(super) fn all(source: &SourceFile, findings: &[Diagnostic]) -> Option<Edit> {
    let (text, count) = mended(source.text(), findings);
    if count == 0 {
        return None;
    }
    let mut now = SourceFile::new(source.name(), source.path(), text);
    for _ in 1..crate::parse::ROUNDS {
        let (text, count) = mended(now.text(), &parse(&now).findings);
        if count == 0 {
            break;
        }
        now = SourceFile::new(source.name(), source.path(), text);
    }
    Some(difference(source.text(), now.text()))
}

/// The part in which two texts differ.
fn difference(before: &str, after: &str) -> Edit {
    let start = before.bytes().zip(after.bytes()).take_while(|(one, other)| one == other).count();
    let start = before.floor_char_boundary(start).min(after.floor_char_boundary(start));
    let (tail, other) = (&before[start..], &after[start..]);
    let same = tail.bytes().rev().zip(other.bytes().rev()).take_while(|(one, other)| one == other).count();
    let end = tail.ceil_char_boundary(tail.len() - same);
    let kept = tail.len() - end;
    Edit { span: Span::new(start, start + end), text: other[..other.len() - kept].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_makes_the_one_of_the_other() {
        let texts = ["", "a", "ab", "aab", "äb", "öb", "aäöb", "aaaa", "aaa", "🦀", "🦁", "x🦀y", "x🦁y"];
        for before in texts {
            for after in texts {
                let edit = difference(before, after);
                let made = format!("{}{}{}", &before[..edit.span.start], edit.text, &before[edit.span.end..]);
                assert_eq!(made, after, "{before} to {after}");
            }
        }
    }
}
