//! Whether colours are used, and the one form that an error of the call takes.

use std::io::Write;

use super::args::Color;
use super::error::CliError;
use crate::text::{Redacted, redact, wrapped};

/// `console` already honours `NO_COLOR`, `CLICOLOR` and a missing TTY; `CI` logs keep no colours either.
pub(super) fn colors(choice: Color) {
    let forced = match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) || in_ci();
            if plain { false } else { return }
        }
    };
    console::set_colors_enabled(forced);
    console::set_colors_enabled_stderr(forced);
}

pub(super) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Live progress only where somebody watches.
pub(super) fn is_live() -> bool {
    console::user_attended() && console::user_attended_stderr() && !in_ci()
}

/// Asks on the terminal; nothing where its input has ended.
pub(super) fn ask(question: &str, default: &str, problem: Option<&str>) -> Option<String> {
    let term = console::Term::stderr();
    // A line as wide as the screen makes some terminals begin the next one.
    let columns = usize::from(term.size().1).saturating_sub(1);
    let folded = |text: &str| wrapped(text, columns).join("\n");
    if let Some(problem) = problem {
        term.write_line(&folded(&redact(&format!("  {problem}")))).ok()?;
    }
    term.write_str(&format!("{} ", folded(&format!("{question} [{default}]:")))).ok()?;
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer).ok()?;
    (read > 0).then(|| answer.trim().to_owned())
}

/// Something to know beside the answer.
pub(super) fn note(text: &str) {
    let mut stderr = Redacted::new(std::io::stderr().lock());
    // With stderr gone the answer is still on standard output.
    drop(writeln!(stderr, "{}: {text}", console::style("note").for_stderr().cyan()));
}

pub(super) fn error(error: &CliError) {
    let label = console::style("error").for_stderr().red().bold();
    let mut stderr = Redacted::new(std::io::stderr().lock());
    // With stderr gone the exit status is all that is left to say it.
    drop(writeln!(stderr, "{label}: {error}"));
    for line in error.detail() {
        drop(writeln!(stderr, "  | {line}"));
    }
    if let Some(hint) = error.hint() {
        drop(writeln!(stderr, "  hint: {hint}"));
    }
}

/// Shows what an attached lab would do, and takes nothing but a plain yes for one.
pub(super) fn agrees(question: &crate::cluster::ConsentQuestion) -> bool {
    let mut stderr = Redacted::new(std::io::stderr().lock());
    drop(writeln!(stderr, "The lab would change the {}, which keywitness did not make.", question.cluster));
    if !question.commands.is_empty() {
        drop(writeln!(stderr, "It runs commands such as:"));
    }
    for command in &question.commands {
        drop(writeln!(stderr, "  {command}"));
    }
    drop(write!(stderr, "Continue? [y/N] "));
    drop(stderr.finish());
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
