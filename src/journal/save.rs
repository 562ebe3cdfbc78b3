//! The journal as JSON lines: for `keywitness events`, for a failed run's record, and to be judged
//! again. Secrets leave it as `<12 bytes, hidden>`.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use kube_etcd_codec as codec;

use super::evidence::stamp;
use super::{Change, Entry, Journal, JournalView, KeyGlob, Revision, Seq, Stored};

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the journal cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("line {line} of the journal is not in this version's format: {reason}")]
    Malformed { line: usize, reason: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
enum SavedLine {
    Journal { version: u32, scope: String },
    Listed { revision: Revision, at: jiff::Timestamp, keys: usize },
    Key(Saved),
    Put(Saved),
    Delete(Saved),
    Gap { from: Revision, to: Revision, reason: String, at: jiff::Timestamp },
    Epoch { reason: String, at: jiff::Timestamp },
    Delivered { revision: Revision, at: jiff::Timestamp },
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    revision: Revision,
    key: String,
    create_revision: Revision,
    version: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    lease: i64,
    at: jiff::Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<SavedValue>,
    /// Only where it does not follow from the lines before: after a hole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<SavedValue>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SavedValue {
    Object(Value),
    Text(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(lease: &i64) -> bool {
    *lease == 0
}

impl JournalView {
    /// `redact` removes the texts of secret variables; Secrets are hidden here.
    pub fn save(&self, out: &mut impl Write, redact: &dyn Fn(&str) -> String) -> io::Result<()> {
        self.save_of(out, redact, &|_| true)
    }

    /// The same of some keys only.
    pub fn save_of(
        &self,
        out: &mut impl Write,
        redact: &dyn Fn(&str) -> String,
        wanted: &dyn Fn(&str) -> bool,
    ) -> io::Result<()> {
        let mut write = |line: &SavedLine| -> io::Result<()> {
            serde_json::to_writer(&mut *out, line)?;
            out.write_all(b"\n")
        };
        write(&SavedLine::Journal { version: 1, scope: self.scope() })?;
        let everything = KeyGlob::new("**");
        let mut lists = self.lists().into_iter().peekable();
        let is_wanted = |entry: &Entry| entry.change().is_none_or(|change| wanted(&change.key));
        let mut entries = self.entries(0, is_wanted).into_iter().peekable();
        loop {
            let next_list: Option<Seq> = lists.peek().map(|list| list.0);
            match (next_list, entries.peek()) {
                (Some(seq), entry) if entry.is_none_or(|entry| seq < entry.seq) => {
                    let (_, revision, at) = lists.next().expect("it was peeked");
                    let mut state = self.states(&everything, seq);
                    state.retain(|change| wanted(&change.key));
                    write(&SavedLine::Listed { revision, at: stamp(at), keys: state.len() })?;
                    for change in state {
                        write(&SavedLine::Key(saved(&change, redact)))?;
                    }
                }
                (_, Some(_)) => {
                    let entry = entries.next().expect("it was peeked").entry;
                    write(&match entry.as_ref() {
                        Entry::Put(change) => SavedLine::Put(saved(change, redact)),
                        Entry::Delete(change) => SavedLine::Delete(saved(change, redact)),
                        Entry::Gap { from, to, reason, at } => {
                            SavedLine::Gap { from: *from, to: *to, reason: reason.clone(), at: stamp(*at) }
                        }
                        Entry::Epoch { reason, at } => SavedLine::Epoch { reason: reason.clone(), at: stamp(*at) },
                    })?;
                }
                (_, None) => break,
            }
        }
        if let Some(delivered) = self.delivered() {
            write(&SavedLine::Delivered { revision: delivered.revision, at: stamp(delivered.at) })?;
        }
        Ok(())
    }
}

impl Journal {
    pub fn load(input: impl BufRead) -> Result<Self, LoadError> {
        let mut journal = None;
        let mut list: Option<(Revision, SystemTime, usize, Vec<Change>)> = None;
        for (index, text) in input.lines().enumerate() {
            let malformed = |reason: String| LoadError::Malformed { line: index + 1, reason };
            let line: SavedLine = serde_json::from_str(&text?).map_err(|error| malformed(error.to_string()))?;
            if let SavedLine::Journal { version, scope } = line {
                if version != 1 {
                    return Err(malformed(format!("it is of version {version}; this keywitness reads version 1")));
                }
                journal = Some(Journal::new(scope));
                continue;
            }
            let journal = journal.as_ref().ok_or_else(|| malformed("the first line must be of type JOURNAL".into()))?;
            match line {
                SavedLine::Journal { .. } => unreachable!("taken above"),
                SavedLine::Listed { revision, at, keys } => list = Some((revision, at.into(), keys, Vec::new())),
                SavedLine::Key(saved) => list
                    .as_mut()
                    .ok_or_else(|| malformed("a KEY belongs under a LISTED".into()))?
                    .3
                    .push(restored(saved)),
                SavedLine::Put(saved) => journal.push(Entry::Put(restored(saved))),
                SavedLine::Delete(saved) => journal.push(Entry::Delete(restored(saved))),
                SavedLine::Gap { from, to, reason, at } => journal.push(Entry::Gap { from, to, reason, at: at.into() }),
                SavedLine::Epoch { reason, at } => journal.push(Entry::Epoch { reason, at: at.into() }),
                SavedLine::Delivered { revision, at } => journal.delivered(revision, at.into()),
            }
            if let Some((revision, at, _, state)) = list.take_if(|(_, _, keys, state)| state.len() == *keys) {
                journal.listed(revision, at, state);
            }
        }
        let malformed = |reason: &str| LoadError::Malformed { line: 1, reason: reason.to_owned() };
        if list.is_some() {
            return Err(malformed("it ends within a list of keys"));
        }
        journal.ok_or_else(|| malformed("it is empty"))
    }
}

fn saved(change: &Change, redact: &dyn Fn(&str) -> String) -> Saved {
    let keep = |stored: &Arc<Stored>| SavedValue::of(stored, redact);
    Saved {
        revision: change.revision,
        key: redact(&change.key),
        create_revision: change.create_revision,
        version: change.version,
        lease: change.lease,
        at: stamp(change.at),
        value: change.value.as_ref().map(keep),
        previous: change.previous.as_ref().filter(|_| !change.previous_is_known()).map(keep),
    }
}

fn restored(saved: Saved) -> Change {
    let mut change = Change::new(saved.key, saved.revision, saved.at.into());
    change = change.created(saved.create_revision, saved.version);
    change.lease = saved.lease;
    change.value = saved.value.map(SavedValue::restore);
    change.previous = saved.previous.map(SavedValue::restore);
    change
}

impl SavedValue {
    fn of(stored: &Stored, redact: &dyn Fn(&str) -> String) -> Self {
        match stored.visible() {
            Ok(object) if !object.is_null() => SavedValue::Object(redacted(object, redact)),
            Ok(_) if stored.is_opaque() => SavedValue::Text(format!("<{} bytes, hidden>", stored.bytes().len())),
            Ok(_) => SavedValue::Text(redact(&stored.text())),
            // What cannot be decoded cannot be shown to hold no secret.
            Err(reason) => SavedValue::Text(format!("<{reason}>")),
        }
    }

    fn restore(self) -> Arc<Stored> {
        match self {
            SavedValue::Object(object) => Stored::new(object.to_string()),
            SavedValue::Text(text) => Stored::new(text),
        }
    }
}

/// An object as it may be kept: without Secrets, and without what `redact` takes out.
pub fn showable(mut object: Value, redact: &dyn Fn(&str) -> String) -> Value {
    codec::conceal(&mut object);
    redacted(object, redact)
}

pub(super) fn redacted(value: Value, redact: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(redact(&text)),
        Value::Array(items) => items.into_iter().map(|item| redacted(item, redact)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (redact(&name), redacted(value, redact))).collect()
        }
        other => other,
    }
}
