//! What etcd's watch has delivered since the session began, for faces that show it: each change, and any object as a
//! revision left it. Secrets are hidden in all of it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::{
    Change, Entry, Heartbeat, JournalView, KeyGlob, Look, Reading, Recorded, Revision, Seq, Stored, in_a_word, read,
    yaml_text,
};
use crate::run::{Ground, keep_secrets};
use crate::text::{EventKind, redact};
use crate::witness::Follower;

/// Fields of a change that are named; the others are counted.
const FIELDS: usize = 12;
/// Larger values are shown by their size only.
const LARGEST: usize = 1 << 20;

/// A way to what a session's watch delivers; clones lead to the same journal.
#[derive(Clone)]
pub struct Watched {
    follower: Follower,
    prefix: String,
    /// Up to here the journal's Secrets are known to the redaction.
    hidden: Arc<Mutex<Seq>>,
}

/// A change, or a hole in the watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witnessed {
    /// Its place in the journal: revisions begin anew with another store.
    pub seq: Seq,
    /// `PUT`, `DELETE`, `GAP` or `EPOCH`.
    #[serde(rename = "type")]
    pub kind: String,
    pub revision: Revision,
    pub key: String,
    pub at: Timestamp,
    /// Every cluster writes it all the time: a lease, or an Event.
    pub noise: bool,
    pub created: bool,
    /// The fields that changed, each in a line.
    pub what: Vec<String>,
    /// Who wrote it, as far as the object says.
    pub by: Option<String>,
    /// Of a hole.
    pub reason: Option<String>,
}

/// An object as one revision left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectView {
    pub seq: Seq,
    pub key: String,
    pub revision: Revision,
    #[serde(rename = "type")]
    pub kind: String,
    /// The segments of the key.
    pub path: Vec<String>,
    /// Of a deleted object: what was deleted.
    pub yaml: String,
    /// Against the revision before, line by line.
    pub diff: Vec<DiffLine>,
    pub previous_revision: Option<Revision>,
    pub created: bool,
    /// Something of it is hidden.
    pub secret: bool,
    pub version: i64,
    pub create_revision: Revision,
    /// As etcd prints it.
    pub lease: Option<String>,
    pub bytes: usize,
    pub encoding: String,
    pub by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// A blank, `+` or `-`.
    pub sign: char,
    pub text: String,
}

impl Watched {
    pub(super) fn of(ground: &Ground) -> Self {
        Self {
            follower: ground.witness.follower(),
            prefix: ground.info.prefix.trim_end_matches('/').to_owned(),
            hidden: Arc::default(),
        }
    }

    /// Returns when there is more than what `seq` names; false once the session has ended.
    pub async fn grown(&self, seq: Seq) -> bool {
        self.follower.grown(seq).await
    }

    /// What came after `since`, at most `limit` of it, and the place up to which that is all.
    pub fn changes(&self, since: Seq, glob: Option<&KeyGlob>, limit: usize) -> (Vec<Witnessed>, Seq) {
        let view = self.view();
        let wanted =
            |entry: &Entry| entry.change().is_none_or(|change| glob.is_none_or(|glob| glob.matches(&change.key)));
        let mut found = view.entries(since, wanted);
        let end = match found.get(limit) {
            Some(_) => found[limit - 1].seq,
            None => view.end(),
        };
        found.truncate(limit);
        (found.iter().filter_map(|recorded| self.witnessed(recorded, true)).collect(), end)
    }

    /// Every change without its fields, at most the last `limit`.
    pub fn outline(&self, limit: usize) -> Vec<Witnessed> {
        let found = self.view().entries(0, |_| true);
        let from = found.len().saturating_sub(limit);
        found[from..].iter().filter_map(|recorded| self.witnessed(recorded, false)).collect()
    }

    /// `/registry` in a pattern stands for the cluster's own prefix, and a folder for all that is in it.
    pub fn glob(&self, pattern: &str) -> KeyGlob {
        KeyGlob::in_cluster(pattern, &self.prefix)
    }

    /// A key as a revision left it, where the watch has delivered that; `place` tells revisions of two stores apart.
    pub fn object(&self, key: &str, revision: Revision, place: Option<Seq>) -> Option<ObjectView> {
        let view = self.view();
        let of_it = |entry: &Entry| {
            entry.change().is_some_and(|change| change.key.as_ref() == key && change.revision == revision)
        };
        let recorded = view.entries(0, of_it).into_iter().rfind(|recorded| place.is_none_or(|seq| recorded.seq == seq));
        if let Some(recorded) = recorded {
            let before = view.state(key, recorded.seq.saturating_sub(1)).map(|change| change.revision);
            return recorded.entry.change().map(|change| shown(change, recorded.seq, recorded.entry.name(), before));
        }
        // What was there before the session began was never delivered as a change.
        let there = view.state(key, view.end()).filter(|change| change.revision == revision && place.is_none())?;
        Some(shown(&there, 0, EventKind::Put.name(), None))
    }

    /// The journal, whose Secrets are known to the redaction by then.
    fn view(&self) -> JournalView {
        let view = self.follower.journal();
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        keep_secrets(&view, &mut hidden, &self.prefix);
        view
    }

    fn witnessed(&self, recorded: &Recorded, with_fields: bool) -> Option<Witnessed> {
        let entry = recorded.entry.as_ref();
        let mut line = Witnessed {
            seq: recorded.seq,
            kind: entry.name().to_owned(),
            revision: 0,
            key: String::new(),
            at: Timestamp::try_from(entry.at()).ok()?,
            noise: false,
            created: false,
            what: Vec::new(),
            by: None,
            reason: None,
        };
        match entry {
            Entry::Put(change) | Entry::Delete(change) => {
                line.revision = change.revision;
                line.key = redact(&change.key).into_owned();
                line.noise = Heartbeat::of(&self.prefix, &change.key).is_some();
                line.created = change.creates();
                if with_fields {
                    (line.what, line.by) = fields(change);
                }
            }
            Entry::Gap { from, to, reason, .. } => {
                line.reason = Some(redact(&format!("revisions {from} to {to} were not delivered: {reason}")).into());
            }
            Entry::Epoch { reason, .. } => {
                line.reason = Some(redact(&format!("from here on another etcd store answers: {reason}")).into());
            }
        }
        Some(line)
    }
}

/// The fields that changed, and who wrote them. What a new object holds is shown with the object.
fn fields(change: &Change) -> (Vec<String>, Option<String>) {
    let is_large = |stored: &Option<Arc<Stored>>| stored.as_ref().is_some_and(|stored| stored.bytes().len() > LARGEST);
    if is_large(&change.value) || is_large(&change.previous) {
        return (vec!["a large value".to_owned()], None);
    }
    let difference = match change.difference() {
        Ok(difference) => difference,
        Err(error) => return (vec![redact(&error.to_string()).into_owned()], None),
    };
    let by = (!difference.writers.is_empty()).then(|| difference.writers.join(", "));
    if change.value.is_none() || change.creates() {
        return (Vec::new(), by);
    }
    let mut lines: Vec<String> =
        difference.fields.iter().take(FIELDS).map(|field| redact(&field.to_string()).into_owned()).collect();
    if difference.fields.len() > FIELDS {
        lines.push(format!("and {} more", difference.fields.len() - FIELDS));
    }
    (lines, by)
}

fn shown(change: &Change, seq: Seq, kind: &str, previous_revision: Option<Revision>) -> ObjectView {
    let look = Look { show_secrets: false, hide_managed_fields: true };
    let text = |stored: Option<&Arc<Stored>>| -> (String, bool, &'static str) {
        let Some(stored) = stored else { return (String::new(), false, "") };
        if stored.bytes().len() > LARGEST {
            return (format!("# {} bytes: too large to be shown here\n", stored.bytes().len()), false, "");
        }
        match read(look, Some(&change.key), stored.bytes()) {
            Reading::Object { object, encoding, hidden, .. } => {
                (redact(&yaml_text(&object)).into_owned(), hidden > 0, in_a_word(encoding))
            }
            Reading::Not { reason, .. } => (format!("# {}\n", redact(&reason)), true, ""),
        }
    };
    let (now, is_secret, encoding) = text(change.value.as_ref());
    let (before, was_secret, was_encoded) = text(change.previous.as_ref());
    let diff = similar::TextDiff::from_lines(&before, &now);
    let diff = diff.iter_all_changes().map(|line| DiffLine {
        sign: match line.tag() {
            similar::ChangeTag::Equal => ' ',
            similar::ChangeTag::Insert => '+',
            similar::ChangeTag::Delete => '-',
        },
        text: line.value().trim_end_matches('\n').to_owned(),
    });
    let stored = change.value.as_ref().or(change.previous.as_ref());
    let by = change.difference().ok().filter(|difference| !difference.writers.is_empty());
    ObjectView {
        seq,
        key: redact(&change.key).into_owned(),
        revision: change.revision,
        kind: kind.to_owned(),
        path: change.key.split('/').filter(|part| !part.is_empty()).map(|part| redact(part).into_owned()).collect(),
        diff: diff.collect(),
        yaml: if change.value.is_some() { now } else { before.clone() },
        previous_revision: previous_revision.filter(|_| change.previous.is_some()),
        created: change.creates(),
        secret: is_secret || was_secret,
        version: change.version,
        create_revision: change.create_revision,
        lease: (change.lease != 0).then(|| format!("{:x}", change.lease)),
        bytes: stored.map_or(0, |stored| stored.bytes().len()),
        encoding: if encoding.is_empty() { was_encoded } else { encoding }.to_owned(),
        by: by.map(|difference| difference.writers.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn changed(before: Option<&str>, after: Option<&str>) -> Change {
        let mut change = Change::new("/registry/configmaps/a/b", 7, SystemTime::now()).created(3, 2);
        if let Some(after) = after {
            change = change.value(after.to_owned());
        }
        change.previous = before.map(|text| Stored::new(text.to_owned()));
        change
    }

    const ONE: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1","b":"2"}}"#;
    const TWO: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1","b":"3"}}"#;

    #[test]
    fn an_object_is_shown_with_what_changed() {
        let view = shown(&changed(Some(ONE), Some(TWO)), 5, EventKind::Put.name(), Some(6));
        let changed_lines: Vec<String> = view
            .diff
            .iter()
            .filter(|line| line.sign != ' ')
            .map(|line| format!("{}{}", line.sign, line.text))
            .collect();
        assert_eq!(changed_lines.len(), 2, "{:?}", view.diff);
        assert!(changed_lines[0].starts_with('-') && changed_lines[1].starts_with('+'), "{changed_lines:?}");
        assert_eq!(view.path, ["registry", "configmaps", "a", "b"]);
        assert_eq!((view.previous_revision, view.created), (Some(6), false));
        assert_eq!(fields(&changed(Some(ONE), Some(TWO))).0, ["data.b 2 → 3"]);
    }

    #[test]
    fn a_deleted_object_is_shown_as_it_was() {
        let view = shown(&changed(Some(ONE), None), 5, EventKind::Delete.name(), Some(6));
        assert!(view.yaml.contains("kind: ConfigMap"), "{}", view.yaml);
        assert!(view.diff.iter().all(|line| line.sign == '-'), "{:?}", view.diff);
    }

    #[test]
    fn a_secret_is_hidden_in_the_object_and_its_diff() {
        let secret = |text: &str| format!(r#"{{"apiVersion":"v1","kind":"Secret","data":{{"p":"{text}"}}}}"#);
        let view = shown(&changed(Some(&secret("aHVudGVyMQ==")), Some(&secret("aHVudGVyMg=="))), 5, "PUT", None);
        let all = format!("{view:?}");
        assert!(view.secret && !all.contains("aHVudGVy") && !all.contains("hunter"), "{all}");
    }
}
