//! The status of a command that has ended, and whether what reports it can still be believed.

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::post::{From, Report};
use super::recovery::SYNC_WAIT;
use super::{Happened, LOOK, Level, Outcome, Shell, Ways, nonce};
use crate::terminal::recorder::Signpost;
use crate::terminal::split::Leaving;
use crate::terminal::typed::{self, EndReport, HONEST};

pub(super) const READS_NO_FILE: &str = "`.` is not bash's own any more";
const NOT_READ: &str = "`.` did not read the command to its end";
const GAVE_UP: &str = "the shell gave the command up without a status";
const NO_EVAL: &str = "`eval` or `command` did not run the command to its end";

impl Shell {
    /// The status that goes with a finishing mark, and the level of shells that it leaves us at.
    pub(super) async fn settle(&mut self, post: Signpost) -> Outcome {
        let outcome = match post {
            Signpost::Prompt => {
                self.levels.truncate(1);
                self.settle_own().await
            }
            Signpost::End(ended, status) => self.settle_typed(ended, status).await,
            Signpost::InnerPrompt => match self.ask_inner(&typed::ask_status(&self.nonce, self.number + 1)).await {
                Some(0) | None => Outcome::Changed(GAVE_UP),
                Some(status) => self.if_honest(status).await,
            },
            Signpost::Start(_) | Signpost::Done(..) | Signpost::Probe(_) => Outcome::Exited(self.last_exit),
        };
        if let Outcome::Exited(exit) = outcome {
            self.last_exit = exit;
        }
        outcome
    }

    async fn settle_own(&mut self) -> Outcome {
        if let Some(outcome) = self.reported() {
            return outcome;
        }
        // An error that gives up the whole line (an unset variable under `set -u`, Ctrl-C).
        let answer = self.ask_own("").await;
        // What looked like the prompt may have been another's: then the line has run to its end only now.
        if let Some(outcome) = self.reported() {
            return outcome;
        }
        match answer {
            Some(report) if report.status != 0 && self.reads_files().await => Outcome::Exited(report.status),
            Some(report) if report.status != 0 => Outcome::Changed(READS_NO_FILE),
            _ => Outcome::Changed(GAVE_UP),
        }
    }

    fn reported(&mut self) -> Option<Outcome> {
        if let Some(report) = self.report(From::File) {
            return Some(Outcome::Exited(report.status));
        }
        let report = self.report(From::Line)?;
        Some(match self.own.as_ref()?.leaving {
            // Tried before the command: `.` was bash's own.
            Leaving::May | Leaving::Open => Outcome::Exited(report.status),
            Leaving::Never => Outcome::Changed(NOT_READ),
        })
    }

    async fn settle_typed(&mut self, ended: u64, status: i32) -> Outcome {
        let opened = |level: &Level| *level == Level::Typed { opened_by: Some(ended) };
        let is_outer = ended != self.line;
        if is_outer && let Some(index) = self.levels.iter().position(opened) {
            self.levels.truncate(index);
        }
        match self.done.iter().find(|(number, _)| *number == ended) {
            Some((_, told)) => Outcome::Exited(*told),
            // Left before its end, which only an error does, or a `return`.
            None if !is_outer && (status != 0 || self.end_report == EndReport::LineAlone) => {
                self.if_honest(status).await
            }
            None => Outcome::Changed(NO_EVAL),
        }
    }

    async fn if_honest(&mut self, status: i32) -> Outcome {
        match self.ask_inner(&typed::try_eval(&self.nonce, self.number + 1)).await {
            Some(HONEST) => Outcome::Exited(status),
            _ => Outcome::Changed(NO_EVAL),
        }
    }

    /// Whether `.` is bash's own; asked in a subshell in which the words of the question are no functions.
    pub(super) async fn reads_files(&mut self) -> bool {
        let own_words = "POSIXLY_CORRECT=1; \\unset -f unset type test unalias; \\unalias .; \\unset POSIXLY_CORRECT";
        let is_own = "\\test \"$(\\type -t .)\" = builtin";
        let answer = self.ask_own(&format!("({own_words}; {is_own}) >/dev/null 2>&1; ")).await;
        answer.is_some_and(|report| report.status == 0)
    }

    /// Has our own bash do something of ours at its prompt; whether it did. Nothing of it is recorded or printed.
    pub(in crate::terminal) async fn tell(&mut self, line: &str) -> bool {
        let is_told = self.ask_own(line).await.is_some();
        is_told && self.sync().await
    }

    /// Types a line at the prompt of our own bash, and waits for the report that ends it.
    async fn ask_own(&mut self, line: &str) -> Option<Report> {
        let token = nonce();
        let own = self.own.as_ref()?;
        let pid = own.pid;
        let line = format!(" {line}{}\n", own.post.line(&token, From::Asked));
        self.type_text(&line).await?;
        let end = Instant::now() + SYNC_WAIT;
        let ways = Ways { cancel: CancellationToken::new(), stop: watch::channel(None).1 };
        let mut found = None;
        while found.is_none() && Instant::now() < end {
            match self.next(Some(Instant::now() + LOOK), &ways).await {
                Happened::Signpost(_) | Happened::Deadline => {
                    let post = &self.own.as_ref()?.post;
                    found = post.find(&token, From::Asked).filter(|report| report.pid == pid);
                }
                _ => break,
            }
        }
        self.own.as_ref()?.post.forget(&token);
        found
    }

    /// Types a line whose mark has the next number, and waits for its status.
    async fn ask_inner(&mut self, line: &str) -> Option<i32> {
        self.number += 1;
        let number = self.number;
        self.type_text(line).await?;
        let end = Instant::now() + SYNC_WAIT;
        let ways = Ways { cancel: CancellationToken::new(), stop: watch::channel(None).1 };
        loop {
            match self.next(Some(end), &ways).await {
                Happened::Signpost(Signpost::End(ended, status)) if ended == number => return Some(status),
                Happened::Signpost(_) => {}
                _ => return None,
            }
        }
    }

    /// What our own bash reported of the command.
    fn report(&mut self, from: From) -> Option<Report> {
        let own = self.own.as_mut()?;
        if let Some((found, report)) = &own.found
            && *found == from
        {
            return Some(report.clone());
        }
        let report = own.post.find(&own.token, from).filter(|report| report.pid == own.pid)?;
        own.flags.clone_from(&report.flags);
        own.found = Some((from, report.clone()));
        Some(report)
    }

    pub(super) fn has_reported(&mut self) -> bool {
        self.report(From::File).is_some() || self.report(From::Line).is_some()
    }

    /// Our own bash is in the foreground of its terminal, as far as that is known.
    pub(super) async fn is_in_front(&mut self) -> bool {
        let Some(own) = &self.own else { return false };
        self.control.foreground().await.is_none_or(|group| group == own.pid)
    }

    /// The program in the foreground that waits for somebody to type.
    pub(super) async fn who_waits(&mut self) -> Option<String> {
        let group = self.control.foreground().await?;
        crate::terminal::waiting::reads_terminal(group)
    }
}
