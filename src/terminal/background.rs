//! Blocks that are left running.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::block::{Block, BlockResult, Ended};
use super::runner::tidy_live;
use super::shell::Stop;
use super::tape::Tape;
use super::tidy::without_break;
use crate::text::Printed;

/// A background block, running or ended; clones are the same block.
#[derive(Clone)]
pub struct Background {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) block: Block,
    pub(super) tape: Arc<Tape>,
    pub(super) dir: PathBuf,
    /// Where its output begins on the tape.
    pub(super) began: u64,
    pub(super) stop: watch::Sender<Option<Stop>>,
    pub(super) result: watch::Receiver<Option<Final>>,
    pub(super) cancel: CancellationToken,
}

/// What is left of a block that has ended: its terminal may print other things since.
#[derive(Clone)]
pub(super) struct Final {
    pub(super) result: BlockResult,
    pub(super) tape: Arc<super::capture::Capture>,
}

/// A place in what a background block printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// How waiting for a text ended.
#[derive(Debug, Clone)]
pub enum Waited {
    Seen,
    /// It ended first, with this.
    Ended(Box<BlockResult>),
    TimedOut,
    Interrupted,
}

impl Background {
    /// The end of what it has printed by now.
    pub fn mark(&self) -> Mark {
        let ended = self.inner.result.borrow().as_ref().map(|last| last.tape.end());
        Mark(ended.unwrap_or_else(|| self.inner.tape.recorder().screen().mark()))
    }

    /// Where its output begins.
    pub fn beginning(&self) -> Mark {
        Mark(self.inner.began)
    }

    /// What it printed from its beginning.
    pub fn output(&self) -> String {
        self.since(self.beginning()).text.to_string()
    }

    /// What it printed after the mark, which must be its last one, or its beginning where it has none.
    pub fn since(&self, mark: Mark) -> Printed {
        let ended = self.inner.result.borrow().clone();
        let (text, cut, found) = if let Some(last) = ended {
            let (text, cut) = last.tape.slice(mark.0, last.tape.end());
            let is_broken = matches!(last.result.ended, Ended::Stopped { .. } | Ended::TimedOut { .. });
            let text = if is_broken { without_break(&text).to_owned() } else { text };
            (text, cut, last.tape.found(""))
        } else {
            let mut recorder = self.inner.tape.recorder();
            let screen = recorder.screen();
            let (text, cut) = screen.since(mark.0);
            // Only where something is missing is more needed than the text.
            (text, cut, if cut { screen.found() } else { BTreeMap::new() })
        };
        Printed { text: tidy_live(&text, &self.inner.block, &self.inner.dir).into(), cut, found }
    }

    /// Waits until it has printed the text. Where the block's `searched` has the text as a pattern, it is also found in
    /// what is not kept.
    pub async fn wait_text(&self, text: &str, timeout: Duration) -> Waited {
        let deadline = Instant::now() + timeout;
        let mut result = self.inner.result.clone();
        let mut from = self.inner.began;
        let pattern = regex::escape(text);
        let heard = |found: &BTreeMap<String, bool>| found.get(&pattern) == Some(&true);
        loop {
            let news = self.inner.tape.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if let Some(result) = self.ended() {
                let is_seen = result.output.contains(text) || heard(&result.found);
                return if is_seen { Waited::Seen } else { Waited::Ended(Box::new(result)) };
            }
            {
                let mut recorder = self.inner.tape.recorder();
                let screen = recorder.screen();
                let (printed, is_cut) = screen.since(from);
                if printed.contains(text) || is_cut && heard(&screen.found()) {
                    return Waited::Seen;
                }
                // What has been searched cannot change any more, but the text may have begun in it.
                from = from.max(screen.end().saturating_sub(text.len() as u64));
            }
            tokio::select! {
                () = &mut news => {}
                _ = result.changed() => {}
                () = sleep_until(deadline) => return Waited::TimedOut,
                () = self.inner.cancel.cancelled() => return Waited::Interrupted,
            }
        }
    }

    /// What it ended with, if it has ended.
    pub fn ended(&self) -> Option<BlockResult> {
        self.inner.result.borrow().as_ref().map(|last| last.result.clone())
    }

    /// Waits for its end.
    pub async fn wait_ended(&self) -> BlockResult {
        let mut result = self.inner.result.clone();
        match result.wait_for(Option::is_some).await {
            Ok(last) => last.as_ref().map_or_else(super::runner::interrupted, |last| last.result.clone()),
            // Its task was dropped with the runtime.
            Err(_) => super::runner::interrupted(),
        }
    }
}
