//! What terminals showed, and when: for a recording that plays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::settings::TerminalId;

/// Kept of one terminal; what comes after is left out.
const LONGEST: usize = 2 << 20;
/// What comes within so long is one event.
const TOGETHER: Duration = Duration::from_millis(8);

/// The recordings of all terminals of a lab; clones are the same ones.
#[derive(Debug, Clone)]
pub struct Casts(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    at: SystemTime,
    terminals: BTreeMap<TerminalId, Cast>,
    marks: Vec<(Duration, String)>,
}

#[derive(Debug, Clone, Default)]
struct Cast {
    rows: u16,
    columns: u16,
    shown: Vec<(Duration, String)>,
    length: usize,
    is_cut: bool,
}

/// What one terminal showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalCast {
    pub terminal: TerminalId,
    pub rows: u16,
    pub columns: u16,
    /// When the recording of all terminals began.
    pub began: SystemTime,
    /// Since then.
    pub shown: Vec<(Duration, String)>,
    /// What was noted of the lab meanwhile.
    pub marks: Vec<(Duration, String)>,
    /// More was shown than is kept.
    pub is_cut: bool,
}

/// One terminal's end of it.
#[derive(Debug, Clone)]
pub(super) struct CastOf {
    casts: Casts,
    terminal: TerminalId,
    size: (u16, u16),
}

impl Default for Casts {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            began: Instant::now(),
            at: SystemTime::now(),
            terminals: BTreeMap::new(),
            marks: Vec::new(),
        })))
    }
}

impl Casts {
    /// Notes what the lab has come to, in every recording.
    pub fn mark(&self, label: impl Into<String>) {
        let mut inner = self.inner();
        let at = inner.began.elapsed();
        inner.marks.push((at, label.into()));
    }

    /// The recordings so far.
    pub fn all(&self) -> Vec<TerminalCast> {
        let inner = self.inner();
        let cast = |(terminal, cast): (&TerminalId, &Cast)| TerminalCast {
            terminal: terminal.clone(),
            rows: cast.rows,
            columns: cast.columns,
            began: inner.at,
            shown: cast.shown.clone(),
            marks: inner.marks.clone(),
            is_cut: cast.is_cut,
        };
        inner.terminals.iter().map(cast).collect()
    }

    pub(super) fn of(&self, terminal: TerminalId, rows: u16, columns: u16) -> CastOf {
        CastOf { casts: self.clone(), terminal, size: (rows, columns) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CastOf {
    pub(super) fn show(&self, text: String) {
        if text.is_empty() {
            return;
        }
        let mut inner = self.casts.inner();
        let at = inner.began.elapsed();
        let cast = inner.terminals.entry(self.terminal.clone()).or_default();
        (cast.rows, cast.columns) = self.size;
        if cast.length + text.len() > LONGEST {
            cast.is_cut = true;
            return;
        }
        cast.length += text.len();
        match cast.shown.last_mut() {
            Some((last, shown)) if at.saturating_sub(*last) < TOGETHER => shown.push_str(&text),
            _ => cast.shown.push((at, text)),
        }
    }

    /// A command as a person would have typed it.
    pub(super) fn command(&self, text: &str) {
        let text = text.trim_end_matches('\n').replace('\n', "\r\n> ");
        self.show(format!("$ {text}\r\n"));
    }
}
