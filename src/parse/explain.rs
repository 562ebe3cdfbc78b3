//! What each finding is about: the sections of `docs/lint.md`.

use super::findings::{RULES, Rule};
use crate::text::did_you_mean;

const PAGE: &str = include_str!("../../docs/lint.md");

/// A code's section: why it is a finding, what leads to it and what it should be.
pub fn explain(code: &str) -> Option<&'static str> {
    let start = PAGE.find(&format!("\n## {code}: "))? + 1;
    let body = PAGE[start..].find('\n').map(|line| start + line + 1)?;
    let end = PAGE[body..].find("\n## KW").map_or(PAGE.len(), |end| body + end);
    Some(PAGE[body..end].trim())
}

/// The rule with this code, in any case, or what to write instead.
pub fn rule(code: &str) -> Result<Rule, String> {
    let upper = code.to_uppercase();
    RULES.iter().find(|rule| rule.code.0 == upper).copied().ok_or_else(|| {
        did_you_mean(&upper, RULES.iter().map(|rule| rule.code.0))
            .unwrap_or_else(|| "a code is KW and three digits, as in `error[KW012]`".to_owned())
    })
}
