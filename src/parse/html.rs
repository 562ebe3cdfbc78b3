//! What the runner reads in raw HTML: `lab:` comments, and the folds of hints and solutions.

use crate::text::{SourceFile, Span};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// A comment that begins with `lab:`; the span is its inside.
    Directive(Span),
    DetailsOpen(Span),
    DetailsClose(Span),
    /// The text of a summary.
    Summary {
        text: String,
        span: Span,
    },
}

/// The tags of a piece of HTML, in order.
pub(super) fn tags(source: &SourceFile, span: Span) -> Vec<Tag> {
    let text = source.slice(span);
    let lower = text.to_ascii_lowercase();
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(found) = lower[at..].find('<') {
        let start = at + found;
        let rest = &lower[start..];
        let place = |end: usize| Span::new(span.start + start, span.start + end);
        if rest.starts_with("<!--") {
            let end = rest.find("-->").map_or(text.len(), |end| start + end);
            let inner = start + 4;
            if text[inner..end.max(inner)].trim_start().starts_with("lab:") {
                tags.push(Tag::Directive(Span::new(span.start + inner, span.start + end.max(inner))));
            }
            at = end.max(inner);
        } else if opens(rest, "<details") {
            at = start + "<details".len();
            tags.push(Tag::DetailsOpen(place(at)));
        } else if opens(rest, "</details") {
            at = start + "</details".len();
            tags.push(Tag::DetailsClose(place(at)));
        } else if opens(rest, "<summary") {
            let inner = rest.find('>').map_or(text.len(), |close| start + close + 1);
            let end = lower[inner..].find("</summary").map_or(text.len(), |close| inner + close);
            tags.push(Tag::Summary {
                text: plain(&text[inner..end]),
                span: Span::new(span.start + inner, span.start + end),
            });
            at = end;
        } else {
            at = start + 1;
        }
    }
    tags
}

fn opens(rest: &str, tag: &str) -> bool {
    rest.strip_prefix(tag).is_some_and(|after| after.is_empty() || after.starts_with(['>', ' ', '\t', '\n', '\r', '/']))
}

/// Without tags inside.
fn plain(html: &str) -> String {
    let mut out = String::new();
    let mut depth = 0usize;
    for c in html.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a fence's line in this HTML was meant as one: not within a comment, or where HTML shows text as it is.
pub(super) fn hides_fences(html: &str) -> bool {
    let start = html.trim_start().to_ascii_lowercase();
    !["<!--", "<pre", "<script", "<style", "<textarea"].iter().any(|raw| start.starts_with(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_in_any_case_and_place() {
        let text = "<!-- lab:step id=x -->\n<!-- no lab: here -->\n<DETAILS open><summary><b>Hint</b> 1</summary>\n</details >";
        let source = SourceFile::new("a", "a", text);
        let found = tags(&source, Span::new(0, text.len()));
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], Tag::Directive(Span::new(4, 19)));
        assert!(matches!(&found[2], Tag::Summary { text, .. } if text == "Hint 1"));
        assert!(tags(&source, Span::new(4, 5)).is_empty());
    }
}
