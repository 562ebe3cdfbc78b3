//! Handing a command over to the shell that is to run it.

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::post::{From, quoted};
use super::settle::READS_NO_FILE;
use super::{Happened, Level, Shell, Ways, nonce};
use crate::terminal::init::prompts;
use crate::terminal::recorder::Signpost;
use crate::terminal::split::{Leaving, ShellCommand};
use crate::terminal::typed::{self, EndReport};

impl Shell {
    /// Types the command, or what came before the shell had taken it.
    pub(super) async fn hand_over(
        &mut self,
        command: &ShellCommand,
        deadline: Option<Instant>,
        ways: &Ways,
    ) -> Result<(), Happened> {
        self.number += 1;
        self.line = self.number;
        self.awaited = None;
        // Leaving a shell passes on what the command before ended with, which has been judged.
        let is_left = self.levels.len() > 1 && matches!(command.text.trim(), "exit" | "logout");
        let before = if is_left { 0 } else { self.last_exit };
        if self.top() == Level::Sourced {
            if command.leaving != Leaving::Never && !self.reads_files().await {
                return Err(Happened::Changed(READS_NO_FILE));
            }
            return self.hand_over_file(command, before).await.ok_or(Happened::Closed);
        }
        (self.is_begun, self.end_report) = match command.leaving {
            Leaving::Open => (false, EndReport::LineAlone),
            _ => (false, EndReport::Itself),
        };
        self.done.clear();
        let (lines, last) = typed::command(&self.nonce, self.line, &command.text, before, self.end_report);
        if command.leaving != Leaving::Never {
            self.end_report = EndReport::LineAlone;
        }
        for line in lines {
            self.number += 1;
            let wanted = Signpost::Probe(self.number);
            let probe = typed::probe(&self.nonce, self.number);
            self.type_text(&format!("{line}{probe}")).await.ok_or(Happened::Closed)?;
            loop {
                match self.next(deadline, ways).await {
                    Happened::Signpost(post) if post == wanted => break,
                    Happened::Signpost(_) => {}
                    other => return Err(other),
                }
            }
        }
        self.type_text(&last).await.ok_or(Happened::Closed)
    }

    async fn hand_over_file(&mut self, command: &ShellCommand, last_exit: i32) -> Option<()> {
        let prompts = prompts(&self.nonce);
        let own = self.own.as_mut()?;
        own.post.forget(&own.token);
        (own.token, own.found) = (nonce(), None);
        own.leaving = command.leaving;
        let mut text = format!("{}\n", command.text);
        if command.leaving != Leaving::Open {
            text.extend([own.post.line(&own.token, From::File).as_str(), "\n", &prompts, "\n"]);
        }
        let file = own.post.write(&own.token, &text).ok()?;
        let told = own.post.line(&own.token, From::Line);
        let line = format!(" {}\\. {}; {told}\n", typed::after(last_exit), quoted(&file));
        self.type_text(&line).await
    }

    pub(super) async fn type_text(&mut self, text: &str) -> Option<()> {
        self.input.write_all(text.as_bytes()).await.ok()?;
        self.input.flush().await.ok()
    }
}
