//! The review in the terminal: each proposal is accepted, rejected or edited, and any of that is taken back.

use std::io::{BufRead, Write as _};

use super::{line, print};
use crate::author::record::{Draft, Layout, Proposal, What};
use crate::cli::error::CliError;
use crate::text::redact;

const KEYS: &str = "[a]ccept  [r]eject  [e]dit  [w]hy  [u]ndo  accept a[l]l  [q]uit";

/// Where a review stands: pure, so that it can be tried without a terminal.
struct Review<'p> {
    proposals: &'p mut [Proposal],
    at: usize,
    /// What there was before each answer.
    past: Vec<(usize, Proposal)>,
}

/// What an answer comes to.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Show,
    Say(String),
    Edit,
    Done,
    Quit,
}

impl Review<'_> {
    fn current(&self) -> Option<&Proposal> {
        self.proposals.get(self.at)
    }

    fn decide(&mut self, change: impl FnOnce(&mut Proposal)) -> Next {
        if let Some(proposal) = self.proposals.get_mut(self.at) {
            self.past.push((self.at, proposal.clone()));
            change(proposal);
            self.at += 1;
        }
        if self.at < self.proposals.len() { Next::Show } else { Next::Done }
    }

    fn answer(&mut self, answer: &str) -> Next {
        match answer.trim() {
            "a" | "y" | "accept" => self.decide(|proposal| proposal.accepted = true),
            "r" | "n" | "reject" => self.decide(|proposal| proposal.accepted = false),
            "e" | "edit" => Next::Edit,
            "w" | "why" => Next::Say(self.current().map(why).unwrap_or_default()),
            "u" | "undo" => match self.past.pop() {
                Some((at, before)) => {
                    self.proposals[at] = before;
                    self.at = at;
                    Next::Show
                }
                None => Next::Say("there is nothing to undo".to_owned()),
            },
            "l" | "all" => {
                while self.at < self.proposals.len() {
                    self.decide(|proposal| proposal.accepted = true);
                }
                Next::Done
            }
            "q" | "quit" => Next::Quit,
            "" => Next::Say(KEYS.to_owned()),
            other => Next::Say(format!("`{other}` is none of {KEYS}")),
        }
    }

    fn edit(&mut self, text: &str) -> Next {
        let lines: Vec<String> = text.lines().map(str::trim_end).filter(|l| !l.is_empty()).map(str::to_owned).collect();
        if lines.is_empty() {
            return Next::Say("it stays as it was".to_owned());
        }
        self.decide(|proposal| {
            proposal.text = lines;
            proposal.accepted = true;
        })
    }
}

fn why(proposal: &Proposal) -> String {
    let lines: Vec<String> = proposal.kills.iter().map(ToString::to_string).collect();
    let without = match lines.as_slice() {
        [] => String::new(),
        [one] => format!("; it fails without the command at line {one}"),
        more => format!("; it fails without any of the commands at lines {}", more.join(", ")),
    };
    format!("{}: {}{without}", proposal.cause.words(), proposal.why)
}

/// False: the review was left.
pub(super) fn review(layout: &Layout, drafted: &Draft, proposals: &mut [Proposal]) -> Result<bool, CliError> {
    // A person is told of the lines of the file as it is.
    let kills: Vec<Vec<usize>> = proposals.iter().map(|proposal| proposal.kills.clone()).collect();
    for proposal in proposals.iter_mut() {
        proposal.kills = proposal.kills.iter().map(|line| drafted.added.original(*line)).collect();
    }
    let went = reviewed(layout, drafted, proposals);
    for (proposal, kills) in proposals.iter_mut().zip(kills) {
        proposal.kills = kills;
    }
    went
}

fn reviewed(layout: &Layout, drafted: &Draft, proposals: &mut [Proposal]) -> Result<bool, CliError> {
    let all = proposals.len();
    let mut review = Review { proposals, at: 0, past: Vec::new() };
    let mut next = Next::Show;
    loop {
        match next {
            Next::Show => {
                let Some(proposal) = review.current() else { return Ok(true) };
                print(&shown(layout, drafted, proposal, (review.at + 1, all)))?;
            }
            Next::Say(text) => print(&format!("  {}\n", redact(&text)))?,
            Next::Edit => {
                let text = review.current().map(|proposal| proposal.text.join("\n")).unwrap_or_default();
                next = match edited(&text)? {
                    Some(text) => review.edit(&text),
                    None => Next::Say("there is no editor: set EDITOR".to_owned()),
                };
                continue;
            }
            Next::Done => {
                print("\nall are reviewed: Enter goes on, [u]ndo > ")?;
                match ask()? {
                    Some(answer) if matches!(answer.trim(), "u" | "undo") => next = review.answer("u"),
                    Some(_) => return Ok(true),
                    None => return Ok(false),
                }
                continue;
            }
            Next::Quit => return Ok(false),
        }
        print(&format!("{KEYS} > "))?;
        // With the input at its end nothing more is decided.
        next = match ask()? {
            Some(answer) => review.answer(&answer),
            None => Next::Quit,
        };
    }
}

fn shown(layout: &Layout, drafted: &Draft, proposal: &Proposal, (at, all): (usize, usize)) -> String {
    let title = layout.lab.steps.iter().find(|step| step.id == proposal.step).map_or("", |step| step.title.as_str());
    let place = match proposal.what {
        What::Cleanup => "a step at the end of the file".to_owned(),
        What::Check => format!("a check of the block at line {}", line(drafted, proposal)),
        What::Output => format!("what the block at line {} prints", line(drafted, proposal)),
    };
    let mut text = String::new();
    for line in &proposal.text {
        text.push_str("  + ");
        text.push_str(&redact(line));
        text.push('\n');
    }
    format!("\n{at} of {all} · {title} · {place}\n{text}")
}

fn ask() -> Result<Option<String>, CliError> {
    let failed = |source: std::io::Error| CliError::Output { what: "the terminal".to_owned(), source };
    std::io::stdout().flush().map_err(failed)?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok((read > 0).then_some(answer))
}

/// The text as the user's editor leaves it.
fn edited(text: &str) -> Result<Option<String>, CliError> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty());
    let Some(editor) = editor else { return Ok(None) };
    let failed = |source: std::io::Error| CliError::Output { what: "a file to edit".to_owned(), source };
    let mut file = tempfile::Builder::new().suffix(".txt").tempfile().map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    // An editor may be given with arguments, as git takes it.
    let command = format!("{editor} \"$1\"");
    let status = std::process::Command::new("sh").args(["-c", &command, "sh"]).arg(file.path()).status();
    match status {
        Ok(status) if status.success() => std::fs::read_to_string(file.path()).map(Some).map_err(failed),
        _ => Ok(Some(String::new())),
    }
}

/// Whether what was reviewed is written.
pub(super) fn writes(file: &str) -> Result<bool, CliError> {
    print(&format!("\nwrite this to {file}? [y/N] "))?;
    Ok(ask()?.is_some_and(|answer| matches!(answer.trim(), "y" | "yes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::record::Cause;

    fn proposals() -> Vec<Proposal> {
        let of = |id: &str| Proposal::new(id, What::Check, Cause::Said, &["key /a exists"]);
        vec![of("1"), of("2"), of("3")]
    }

    #[test]
    fn answers_are_taken_back_one_by_one() {
        let mut proposals = proposals();
        let mut review = Review { proposals: &mut proposals, at: 0, past: Vec::new() };
        assert_eq!(review.answer("u"), Next::Say("there is nothing to undo".to_owned()));
        assert_eq!(review.answer("r"), Next::Show);
        assert!(matches!(review.answer("w"), Next::Say(why) if why.starts_with("a command says so")));
        assert_eq!(review.answer("e"), Next::Edit);
        assert_eq!(review.edit("key /b exists\n\n"), Next::Show);
        assert_eq!(
            (review.proposals[0].accepted, review.proposals[1].text.join("|")),
            (false, "key /b exists".to_owned())
        );
        assert_eq!(review.answer("u"), Next::Show);
        assert_eq!((review.at, review.proposals[1].text.join("|")), (1, "key /a exists".to_owned()));
        assert_eq!(review.answer("u"), Next::Show);
        assert!(review.proposals[0].accepted);
        assert_eq!(review.answer("l"), Next::Done);
        assert_eq!(review.answer("q"), Next::Quit);
        assert!(matches!(review.answer("x"), Next::Say(_)));
    }
}
