//! What a check was judged by, in a form that is saved.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Mark, Need, Observation, Seen, showable};
use crate::text::Printed;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedMark {
    pub revision: i64,
    pub at: Timestamp,
    pub wall: Timestamp,
    pub epoch: u32,
    pub read: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedObservation {
    pub at: Timestamp,
    pub seen: SavedSeen,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum SavedSeen {
    Resource { object: Option<Value> },
    Output { text: SavedText, exit: Option<i32> },
    Etcd { state: Value },
    Snapshot { state: Value },
    Run { exit: i32, stdout: SavedText, stderr: SavedText },
    Nothing { reason: String },
    Unavailable { reason: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedText {
    pub text: String,
    pub cut: bool,
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub found: std::collections::BTreeMap<String, bool>,
}

pub fn stamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Default for SavedMark {
    fn default() -> Self {
        let never = Timestamp::UNIX_EPOCH;
        Self { revision: 0, at: never, wall: never, epoch: 0, read: false }
    }
}

impl From<Mark> for SavedMark {
    fn from(mark: Mark) -> Self {
        let Mark { revision, at, wall, epoch, read } = mark;
        Self { revision, at: stamp(at), wall: stamp(wall), epoch, read }
    }
}

impl From<SavedMark> for Mark {
    fn from(mark: SavedMark) -> Self {
        let SavedMark { revision, at, wall, epoch, read } = mark;
        Self { revision, at: at.into(), wall: wall.into(), epoch, read }
    }
}

impl SavedObservation {
    /// Without Secrets and what `redact` takes out. A text longer than `longest` is cut: what rests on the missing part
    /// is not judged again.
    pub fn of(observation: &Observation, longest: usize, redact: &dyn Fn(&str) -> String) -> Self {
        let text = |printed: &Printed| SavedText::of(printed, longest, redact);
        let seen = match &observation.seen {
            Seen::Resource(object) => {
                SavedSeen::Resource { object: object.as_ref().map(|object| showable(Value::clone(object), redact)) }
            }
            Seen::Output { printed, exit } => SavedSeen::Output { text: text(printed), exit: *exit },
            Seen::Etcd(state) => SavedSeen::Etcd { state: state.clone() },
            Seen::Snapshot(state) => SavedSeen::Snapshot { state: state.clone() },
            Seen::Run { exit, stdout, stderr } => {
                SavedSeen::Run { exit: *exit, stdout: text(stdout), stderr: text(stderr) }
            }
            Seen::Nothing(reason) => SavedSeen::Nothing { reason: redact(reason) },
            Seen::Unavailable(reason) => SavedSeen::Unavailable { reason: redact(reason) },
        };
        Self { at: stamp(observation.at), seen }
    }

    pub fn restore(self, need: &Need) -> Observation {
        let seen = match self.seen {
            SavedSeen::Resource { object } => Seen::Resource(object.map(Arc::new)),
            SavedSeen::Output { text, exit } => Seen::Output { printed: text.restore(), exit },
            SavedSeen::Etcd { state } => Seen::Etcd(state),
            SavedSeen::Snapshot { state } => Seen::Snapshot(state),
            SavedSeen::Run { exit, stdout, stderr } => {
                Seen::Run { exit, stdout: stdout.restore(), stderr: stderr.restore() }
            }
            SavedSeen::Nothing { reason } => Seen::Nothing(reason),
            SavedSeen::Unavailable { reason } => Seen::Unavailable(reason),
        };
        Observation { need: need.clone(), at: self.at.into(), seen }
    }
}

impl SavedText {
    pub fn of(printed: &Printed, longest: usize, redact: &dyn Fn(&str) -> String) -> Self {
        let mut text = redact(&printed.text);
        let mut cut = printed.cut;
        if text.len() > longest {
            let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            text.truncate(end);
            cut = true;
        }
        Self { text, cut, found: printed.found.clone() }
    }

    pub fn restore(self) -> Printed {
        Printed { text: self.text.into(), cut: self.cut, found: self.found }
    }
}

impl SavedObservation {
    /// Rewrites what was seen, and leaves what says how it was seen.
    pub fn map_text(&mut self, rewrite: &dyn Fn(&mut String)) {
        match &mut self.seen {
            SavedSeen::Resource { object: Some(state) } | SavedSeen::Etcd { state } | SavedSeen::Snapshot { state } => {
                *state = super::save::redacted(std::mem::take(state), &|text| {
                    let mut text = text.to_owned();
                    rewrite(&mut text);
                    text
                });
            }
            SavedSeen::Resource { object: None } => {}
            SavedSeen::Output { text, .. } => rewrite(&mut text.text),
            SavedSeen::Run { stdout, stderr, .. } => {
                rewrite(&mut stdout.text);
                rewrite(&mut stderr.text);
            }
            SavedSeen::Nothing { reason } | SavedSeen::Unavailable { reason } => rewrite(reason),
        }
    }
}
