//! The words that `lab` knows: what each does, and what may follow it.

use std::path::Path;

use super::look::Look;
use crate::session::door::Caller;
use crate::session::{Answer, Request};
use crate::text::wrapped;

/// Columns of a word with what may follow it.
const FORMS: usize = 29;

/// Each word, what may follow it, and what it does.
pub(super) const WORDS: &[(&str, &str, &str)] = &[
    ("next", "", "go on to the next step"),
    ("prev", "", "look at the step before"),
    ("run", "[BLOCK]", "type the next block, or this one, for you"),
    ("hint", "", "show one hint more"),
    ("why", "", "say of each check that is not done what it wants, and what there is"),
    ("answer", "[QUESTION] ANSWER", "answer the question"),
    ("solution", "", "show the solution"),
    ("solve", "", "have the rest of the step done for you; it earns no points"),
    ("skip", "", "leave this step out"),
    ("events", "", "show what etcd has seen since the step began"),
    ("reset", "[STEP]", "go back to the start of this step, or of an earlier one"),
    ("list", "", "show all steps"),
    ("hand-in", "[FILE]", "write a file to hand in: what you have done, with what etcd witnessed of it"),
    ("stop", "[BLOCK]", "end what `lab run` left running"),
    ("terminal", "", "open one more terminal for this lab"),
    ("quit", "", "leave the lab; it can be taken up again"),
    ("help", "", "show this list"),
];

/// The words that may come next after these, the last of which is being typed.
pub fn completions(words: &[String], door: &Path) -> Vec<String> {
    if words.len() <= 1 {
        return WORDS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    }
    let Ok(mut caller) = Caller::connect(door) else { return Vec::new() };
    match (words[0].as_str(), words.len()) {
        ("run" | "stop" | "reset" | "answer", 2) => {}
        _ => return Vec::new(),
    }
    if words[0] == "reset" {
        return match caller.ask(Request::List) {
            Ok(Answer::Steps { steps, .. }) => {
                steps.into_iter().filter(|step| step.can_reset).map(|step| step.id).collect()
            }
            _ => Vec::new(),
        };
    }
    let Ok(Answer::View { view }) = caller.ask(Request::Show) else { return Vec::new() };
    match words[0].as_str() {
        "run" => view.step.blocks.into_iter().filter(|block| block.left.is_none()).map(|block| block.id).collect(),
        "stop" => view.running,
        _ => view.step.questions.into_iter().map(|question| question.id).collect(),
    }
}

pub(super) fn help(look: Look) -> Vec<String> {
    let all = std::iter::once(&("", "", "show the step")).chain(WORDS);
    all.flat_map(|(name, args, what)| {
        let form = format!("lab {name} {args}");
        if look.plain {
            wrapped(&format!("{}: {what}", form.trim_end()), look.width())
        } else {
            entry(look, &form, what)
        }
    })
    .collect()
}

/// A word, and what it does in a column of its own.
fn entry(look: Look, form: &str, what: &str) -> Vec<String> {
    let column = look.width().saturating_sub(FORMS + 2).max(20);
    // What follows a line's end is set in by that for a list, which this is not.
    let lines = wrapped(what, column);
    let forms = std::iter::once(form).chain(std::iter::repeat(""));
    lines.iter().zip(forms).map(|(line, form)| format!("  {form:<FORMS$}{}", line.trim_start())).collect()
}
