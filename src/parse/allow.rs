//! `<!-- lab:allow KW073: why -->`: a warning that is meant, for the block after it.

use super::context::Context;
use super::findings::{ALLOWS_NOTHING, RULES, UNKNOWN_COMMENT};
use super::markdown::Block;
use crate::text::{Code, Severity, Span, did_you_mean};

/// A code that is allowed from a comment on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    code: Code,
    /// What is allowed, as it is written.
    span: Span,
}

/// Reads what follows `lab:allow`: a code, and the reason.
pub(super) fn read(place: Span, word: Span, cx: &mut Context<'_>) -> Option<Allowed> {
    const FORM: &str = "write <!-- lab:allow KW073: why this is meant -->";
    let written = cx.source.slice(place);
    let text = written.trim_start();
    let start = place.start + (written.len() - text.len());
    let length = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (code, reason) = (&text[..length], text[length..].trim_start_matches([':', ' ', '\t']).trim());
    let span = Span::new(start, start + length);
    if code.is_empty() {
        cx.findings.add(UNKNOWN_COMMENT, word, "`lab:allow` names no code").hint(FORM);
        return None;
    }
    let Some(rule) = RULES.iter().find(|rule| rule.code.0 == code) else {
        let warnings = RULES.iter().filter(|rule| rule.severity == Severity::Warning).map(|rule| rule.code.0);
        let hint = did_you_mean(code, warnings).unwrap_or_else(|| FORM.to_owned());
        cx.findings.add(UNKNOWN_COMMENT, span, format!("`{code}` is not the code of a finding")).hint(hint);
        return None;
    };
    if rule.severity == Severity::Error {
        let message = format!("{code} is an error, which cannot be allowed: such a lab does not run as it is meant");
        cx.findings.add(UNKNOWN_COMMENT, span, message).hint("fix it; only warnings can be allowed");
        return None;
    }
    if reason.is_empty() {
        cx.findings.add(UNKNOWN_COMMENT, span, format!("there is no reason why {code} is allowed")).hint(FORM);
        return None;
    }
    Some(Allowed { code: rule.code, span })
}

/// Takes back what is allowed, up to the end of the next block.
pub(super) fn apply(blocks: &[Block], cx: &mut Context<'_>) {
    for allowed in std::mem::take(&mut cx.allowed) {
        let end = blocks.iter().find_map(|block| match block {
            Block::Fence(fence) if fence.span.start >= allowed.span.end => Some(fence.span.end),
            Block::Heading(heading) if heading.span.start >= allowed.span.end => Some(heading.span.start),
            _ => None,
        });
        let within = Span::new(allowed.span.end, end.unwrap_or(cx.source.text().len()));
        if !cx.findings.allow(allowed.code, within) {
            let code = allowed.code.0;
            cx.findings
                .add(ALLOWS_NOTHING, allowed.span, format!("there is no {code} up to the end of the next block"))
                .hint("remove the comment, or put it right before the block that it is for");
        }
    }
}
