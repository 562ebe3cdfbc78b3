//! Names of blocks: each once, and only those that exist.

use super::context::Context;
use super::findings::NO_SUCH_BLOCK;
use crate::text::{Spanned, did_you_mean};

pub(super) fn no_such(name: &Spanned<String>, known: &[&str], cx: &mut Context<'_>) {
    let hint = did_you_mean(&name.value, known.iter().copied())
        .unwrap_or_else(|| format!("give the block that you mean `{{name={}}}`", name.value));
    cx.findings.add(NO_SUCH_BLOCK, name.span, format!("no block is named `{}`", name.value)).hint(hint);
}
