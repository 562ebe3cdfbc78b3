//! The lines of `check` and `wait` fences.

mod cursor;
mod folder;
mod key;
mod line;
mod mend;
mod parts;
mod slips;

use super::context::Context;
use super::findings::EMPTY_CHECK;
use crate::lab::Check;
use crate::text::{Joined, Span};

use cursor::Cursor;

/// Reads every check; a broken one is passed over to the next line that begins in column 1.
pub(super) fn checks(content: &Joined, span: Span, cx: &mut Context<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let content = &mend::mend(content, cx);
    let mut cursor = Cursor::new(content);
    let mut seen = false;
    while cursor.at() < content.text().len() {
        let rest = &content.text()[cursor.at()..];
        let line = rest.split('\n').next().unwrap_or("");
        if line.trim().is_empty() || line.starts_with('#') {
            // Lines indented under a comment belong to it no more than to anything else.
            cursor.set(cursor.at() + line.len() + 1);
            continue;
        }
        seen = true;
        if let Some(check) = line::check(&mut cursor, cx) {
            checks.push(check);
        }
        cursor.skip_check();
    }
    if !seen {
        cx.findings
            .add(EMPTY_CHECK, span, "this fence has no checks")
            .hint("write one check a line, such as `key /registry/namespaces/demo exists`");
    }
    checks
}
