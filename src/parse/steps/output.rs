//! An expected output joins the action that prints it.

use crate::lab::{Action, Code, Expected};
use crate::parse::context::Context;
use crate::parse::findings::NO_OUTPUT_OWNER;
use crate::text::Span;

pub(super) fn attach(action: &mut Action, expected: Expected, span: Span, cx: &mut Context<'_>) {
    let refused = match (&action.expected, &action.code, &action.background) {
        (Some(_), _, _) => Some(("this action has its expected output already", "keep one of the two fences")),
        (_, Code::Console(_), _) => {
            Some(("a `console` fence holds its own expected output", "write it under the command"))
        }
        (_, _, Some(_)) => Some((
            "the output of a background block is not complete when the next block starts",
            "ask with a check: `output NAME contains \"…\"`",
        )),
        _ if action.norun => {
            Some(("the action before this output does not run", "remove `norun`, or show the output as ```text"))
        }
        _ if !action.prints() => Some((
            "the block before this output only stops or starts another, and prints nothing itself",
            "put the fence after the block that prints, or name that block: `of=NAME`",
        )),
        _ => None,
    };
    if let Some((message, hint)) = refused {
        cx.findings.add(NO_OUTPUT_OWNER, span, message).hint(hint);
        return;
    }
    action.expected = Some(expected);
}
