//! Whether a shell is at its prompt: asking it, and bringing it back there.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Happened, LOOK, Level, Shell, Stop, Ways};
use crate::terminal::recorder::Signpost;
use crate::terminal::typed;

/// How long a shell may take to be back once what ran in it was killed.
const KILL_WAIT: Duration = Duration::from_secs(2);
/// A shell at its prompt answers at once.
pub(super) const SYNC_WAIT: Duration = Duration::from_secs(3);

pub(super) enum Answer {
    Answered,
    Happened(Happened),
}

impl Shell {
    /// Ctrl-C until the shell is back, then SIGKILL. Whether it is back, and whether that took a kill.
    pub(super) async fn recover(&mut self, stop: Stop) -> (bool, bool) {
        if !stop.kill && self.press_until_back(stop.patience, false).await {
            return (self.sync().await, false);
        }
        let back = self.press_until_back(KILL_WAIT, true).await && self.sync().await;
        (back, true)
    }

    async fn press_until_back(&mut self, patience: Duration, kill: bool) -> bool {
        let ways = Ways { cancel: CancellationToken::new(), stop: watch::channel(None).1 };
        let end = Instant::now() + patience;
        // Many programs end at once, and half-way through their work, at the second Ctrl-C.
        let pause = (patience / 2).max(Duration::from_secs(1));
        let mut probes = Vec::new();
        while Instant::now() < end {
            if kill {
                // A loop goes on after the command in it was killed; Ctrl-C then ends the loop.
                drop(self.control.kill_foreground().await);
            }
            if self.type_text("\u{3}").await.is_none() {
                return false;
            }
            let pressed_again = end.min(Instant::now() + pause);
            loop {
                let look = pressed_again.min(Instant::now() + LOOK);
                match self.next(Some(look), &ways).await {
                    Happened::Signpost(Signpost::Probe(answered)) if probes.contains(&answered) => return true,
                    Happened::Signpost(Signpost::Prompt) if self.is_in_front().await => {
                        self.levels.truncate(1);
                        // As after any Ctrl-C; the block's own status is not judged.
                        self.last_exit = 130;
                        return true;
                    }
                    Happened::Signpost(post @ Signpost::End(..)) if self.finishes(post, self.line).await => {
                        self.settle(post).await;
                        return true;
                    }
                    Happened::Deadline if Instant::now() >= pressed_again => break,
                    // Ctrl-C takes the whole typed line with it, the mark at its end included; and our own
                    // shell's prompt may go elsewhere.
                    Happened::Deadline if self.top() != Level::Sourced || self.is_in_front().await => {
                        self.number += 1;
                        probes.push(self.number);
                        let probe = typed::probe(&self.nonce, self.number);
                        if self.type_text(&probe).await.is_none() {
                            return false;
                        }
                    }
                    Happened::Signpost(_) | Happened::Deadline => {}
                    _ => return false,
                }
            }
        }
        false
    }

    /// Has the shell at its prompt answer, so that nothing typed before is still to come.
    pub(super) async fn sync(&mut self) -> bool {
        let ways = Ways { cancel: CancellationToken::new(), stop: watch::channel(None).1 };
        let end = Instant::now() + SYNC_WAIT;
        let is_ours = self.top() == Level::Sourced;
        // A Ctrl-C still on its way may take a probe with it: only the answer to the last one counts.
        while Instant::now() < end {
            self.number += 1;
            let number = self.number;
            let probe = typed::probe(&self.nonce, number);
            if self.type_text(&probe).await.is_none() {
                return false;
            }
            let mut asked_again = Instant::now() + SYNC_WAIT / 3;
            let mut is_answered = false;
            loop {
                match self.next(Some(asked_again), &ways).await {
                    Happened::Signpost(Signpost::Probe(answered)) if answered == number => {
                        if !is_ours {
                            return true;
                        }
                        is_answered = true;
                        // Its prompt comes next, unless it goes elsewhere.
                        asked_again = Instant::now() + LOOK;
                    }
                    Happened::Signpost(Signpost::Prompt) if is_ours && is_answered => return true,
                    Happened::Signpost(_) => {}
                    Happened::Deadline if is_answered => {
                        self.tape.recorder().record();
                        return true;
                    }
                    Happened::Deadline => break,
                    _ => return false,
                }
            }
        }
        false
    }

    /// Types probes until one is answered, or something else happens: the command of that number may end.
    pub(super) async fn until_answered(
        &mut self,
        deadline: Option<Instant>,
        ways: &Ways,
        number: Option<u64>,
    ) -> Answer {
        let mut pause = Duration::from_millis(30);
        let first = self.number + 1;
        let mut next_probe = Instant::now() + pause;
        loop {
            let until = deadline.map_or(next_probe, |deadline| deadline.min(next_probe));
            match self.next(Some(until), ways).await {
                Happened::Signpost(Signpost::Probe(answered)) if answered >= first => return Answer::Answered,
                Happened::Signpost(Signpost::InnerPrompt) => {}
                Happened::Signpost(post) => {
                    if let Some(number) = number
                        && self.finishes(post, number).await
                    {
                        return Answer::Happened(Happened::Signpost(post));
                    }
                }
                Happened::Deadline if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    return Answer::Happened(Happened::Deadline);
                }
                Happened::Deadline => {
                    self.number += 1;
                    let probe = typed::probe(&self.nonce, self.number);
                    if self.type_text(&probe).await.is_none() {
                        return Answer::Happened(Happened::Closed);
                    }
                    pause = (pause * 2).min(Duration::from_secs(2));
                    next_probe = Instant::now() + pause;
                }
                other => return Answer::Happened(other),
            }
        }
    }
}
