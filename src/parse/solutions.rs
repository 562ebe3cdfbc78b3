//! Hints that leave nothing to find out.

use super::context::Context;
use super::findings::HINT_TELLS;
use crate::lab::{Action, Item, Role, Step};

pub(super) fn look(steps: &[Step], cx: &mut Context<'_>) {
    for step in steps {
        let solutions: Vec<String> = step
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Action(action) if action.role == Role::Solution => Some(plain_code(action)),
                _ => None,
            })
            .filter(|code| code.split(' ').count() > 1)
            .collect();
        for item in &step.items {
            let Item::Hint(hint) = item else { continue };
            let text = plain(cx.source.slice(hint.span));
            if solutions.iter().any(|solution| text.contains(solution.as_str())) {
                let opening = cx.source.slice(hint.span).lines().next().map_or(0, str::len);
                let span = crate::text::Span::new(hint.span.start, hint.span.start + opening);
                cx.findings
                    .add(HINT_TELLS, span, "this hint is the solution, word for word")
                    .hint("say where to look or what form the command has, and leave the rest to the solution");
            }
        }
    }
}

fn plain_code(action: &Action) -> String {
    let lines: Vec<&str> =
        action.code.lines().map(|line| line.text.trim()).filter(|line| !line.starts_with('#')).collect();
    plain(&lines.join(" "))
}

/// In one line, however it was laid out.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '\\'));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
