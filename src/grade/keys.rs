//! `key` and `keys`: the state of the store at every revision since the stretch.

use std::collections::HashMap;
use std::sync::Arc;

use super::clocks::{Moment, Timeline};
use super::names::{Names, Truth, after, visible_change, weigh_change};
use super::{Evidence, Judgement, fill, show};
use crate::expr::Expr;
use crate::journal::{Change, Entry, JournalView, KeyGlob, Revision, Seq};
use crate::lab::{CheckKind, Compare, EventKind, Holds};
use crate::outcome::EvidenceRef;

const SHOWN: usize = 5;

/// What was found once and for all.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    /// What an expression came to for a key's value: by the key, its revision and its creation.
    values: HashMap<(Arc<str>, Revision, Revision), Truth>,
    /// What the check came to at a moment of the journal.
    moments: HashMap<Seq, Truth>,
}

/// A `key` or `keys` check with its variables filled in.
pub(super) struct KeyCheck<'a> {
    pub(super) glob: KeyGlob,
    wanted: Wanted<'a>,
    evidence: &'a Evidence,
    view: &'a JournalView,
}

enum Wanted<'a> {
    Exists,
    Absent,
    Where(&'a Expr),
    Count { compare: Compare, count: u64, condition: Option<&'a Expr> },
}

impl<'a> KeyCheck<'a> {
    pub(super) fn new(kind: &'a CheckKind, evidence: &'a Evidence, view: &'a JournalView) -> Option<Self> {
        let (glob, wanted) = match kind {
            CheckKind::Key { key, holds } => {
                let wanted = match holds {
                    Holds::Exists => Wanted::Exists,
                    Holds::Absent => Wanted::Absent,
                    Holds::Where(condition) => Wanted::Where(condition),
                };
                (KeyGlob::literal(&fill::key(key, &evidence.vars, &evidence.prefix)), wanted)
            }
            CheckKind::Keys { glob, compare, count, condition } => (
                fill::glob(glob, &evidence.vars, &evidence.prefix),
                Wanted::Count { compare: *compare, count: *count, condition: condition.as_ref() },
            ),
            CheckKind::Events { .. }
            | CheckKind::Never { .. }
            | CheckKind::Resource { .. }
            | CheckKind::Output { .. }
            | CheckKind::Etcd { .. }
            | CheckKind::Snapshot { .. }
            | CheckKind::Run { .. } => return None,
        };
        Some(Self { glob, wanted, evidence, view })
    }

    /// The truth from the end of the stretch on, and the moment of the journal that each part of it is of.
    pub(super) fn line(&self, weighed: &mut Weighed) -> (Timeline, Vec<Seq>) {
        let Some(start) = self.view.at(&self.evidence.end) else { return (Timeline::default(), Vec::new()) };
        let mut turns = vec![(start, self.evidence.end.at, None)];
        turns.extend(self.view.turns(&self.glob, start).into_iter().map(|(seq, at)| (seq, at, None)));
        turns.extend(self.view.holes(start).into_iter().map(|hole| (hole.seq, hole.at, Some(hole.reason))));
        turns.sort_by_key(|(seq, ..)| *seq);
        let moments = turns.iter().map(|(seq, at, hole)| Moment {
            at: *at,
            truth: hole.clone().map_or_else(|| self.remembered(*seq, weighed), Truth::Unknown),
        });
        let moments = moments.collect();
        let known = self.view.delivered().map(|delivered| delivered.at);
        (Timeline { moments, known }, turns.into_iter().map(|(seq, ..)| seq).collect())
    }

    fn remembered(&self, seq: Seq, weighed: &mut Weighed) -> Truth {
        if let Some(truth) = weighed.moments.get(&seq) {
            return truth.clone();
        }
        let truth = self.truth(seq, weighed);
        weighed.moments.insert(seq, truth.clone());
        truth
    }

    pub(super) fn truth(&self, seq: Seq, weighed: &mut Weighed) -> Truth {
        let key = self.glob.prefix();
        match &self.wanted {
            Wanted::Exists => match self.view.state(key, seq) {
                Some(_) => Truth::Yes,
                None => Truth::No(format!("there is no key {key}")),
            },
            Wanted::Absent => match self.view.state(key, seq) {
                None => Truth::Yes,
                Some(_) => Truth::No(format!("the key {key} is there")),
            },
            Wanted::Where(condition) => match self.view.state(key, seq) {
                Some(change) => self.weigh(&change, condition, weighed),
                None => Truth::No(format!("there is no key {key}")),
            },
            Wanted::Count { compare, count, condition } => {
                let (yes, unknown) = self.count(seq, *condition, weighed);
                let least = compare.holds(yes.len() as u64, *count);
                let unsure = (yes.len()..=yes.len() + unknown.len()).any(|n| compare.holds(n as u64, *count) != least);
                match unknown.into_iter().next() {
                    Some(reason) if unsure => Truth::Unknown(reason),
                    _ if least => Truth::Yes,
                    _ => Truth::No(format!("{}; wanted are {} {count}", matching(yes.len()), compare.sign())),
                }
            }
        }
    }

    fn count(&self, seq: Seq, condition: Option<&Expr>, weighed: &mut Weighed) -> (Vec<Arc<Change>>, Vec<String>) {
        let mut yes = Vec::new();
        let mut unknown = Vec::new();
        for change in self.view.states(&self.glob, seq) {
            match condition.map_or(Truth::Yes, |condition| self.weigh(&change, condition, weighed)) {
                Truth::Yes => yes.push(change),
                Truth::No(_) => {}
                Truth::Unknown(reason) => unknown.push(reason),
            }
        }
        (yes, unknown)
    }

    fn weigh(&self, change: &Change, condition: &Expr, weighed: &mut Weighed) -> Truth {
        let name = (Arc::clone(&change.key), change.revision, change.create_revision);
        let truth = || weigh_change(change, condition, &self.evidence.mark, &self.evidence.vars);
        weighed.values.entry(name).or_insert_with(truth).clone()
    }

    pub(super) fn evidence(&self, judgement: &mut Judgement, seq: Seq, weighed: &mut Weighed) {
        let put = |change: &Change| EvidenceRef {
            revision: change.revision,
            kind: EventKind::Put,
            key: change.key.to_string(),
        };
        judgement.revision = self.view.revision_at(seq);
        judgement.evidence = match &self.wanted {
            Wanted::Exists | Wanted::Where(_) => {
                self.view.state(self.glob.prefix(), seq).iter().map(|change| put(change)).collect()
            }
            Wanted::Absent => {
                let deletion = self.view.deletion(self.glob.prefix(), seq);
                let change = deletion.as_ref().and_then(|recorded| recorded.entry.change());
                change.iter().map(|change| EvidenceRef { kind: EventKind::Delete, ..put(change) }).collect()
            }
            Wanted::Count { condition, .. } => {
                self.count(seq, *condition, weighed).0.iter().take(20).map(|change| put(change)).collect()
            }
        };
    }

    pub(super) fn explain(&self, seq: Seq, weighed: &mut Weighed) -> Vec<String> {
        let key = self.glob.prefix();
        let state = self.view.state(key, seq);
        let mut lines = match (&self.wanted, state) {
            (Wanted::Count { compare, count, condition }, _) => {
                let condition =
                    condition.map_or(String::new(), |condition| format!(" where {}", self.filled(condition)));
                vec![format!("wanted: {} {count} keys that match {}{condition}", compare.sign(), self.glob)]
            }
            (Wanted::Exists, _) => vec![format!("wanted: {key} exists")],
            (Wanted::Absent, _) => vec![format!("wanted: {key} is absent")],
            (Wanted::Where(condition), _) => vec![format!("wanted: {key} where {}", self.filled(condition))],
        };
        match (&self.wanted, self.view.state(key, seq)) {
            (Wanted::Count { condition, .. }, _) => self.explain_count(&mut lines, seq, *condition, weighed),
            (_, None) => {
                lines.push(format!(
                    "saw:    no such key at revision {}{}",
                    self.last_looked_at(seq),
                    self.deleted(seq)
                ));
                self.neighbours(&mut lines, seq);
            }
            (Wanted::Where(condition), Some(change)) => {
                let shown = self.values(&change, condition);
                lines.extend(shown.iter().enumerate().map(|(i, line)| format!("{}{line}", label("saw:", i))));
                lines.push(format!("        at revision {}, the key's version {}", change.revision, change.version));
            }
            (_, Some(change)) => {
                lines.push(format!(
                    "saw:    the key, created at revision {}, last written at {} (version {})",
                    change.create_revision, change.revision, change.version
                ));
                lines.extend(going(&change));
            }
        }
        lines
    }

    /// The last revision at which it still was as it was then.
    fn last_looked_at(&self, seq: Seq) -> Revision {
        let next = self.view.turns(&self.glob, seq).first().map(|(next, _)| next.saturating_sub(1));
        let at = self.view.revision_at(next.unwrap_or(self.view.end())).unwrap_or_default();
        let delivered = self.view.delivered().filter(|_| next.is_none()).map_or(0, |delivered| delivered.revision);
        at.max(delivered)
    }

    fn filled(&self, condition: &Expr) -> String {
        show::filled(&condition.text, &self.evidence.vars)
    }

    /// In one line, what an expression's values were.
    pub(super) fn reason(&self, seq: Seq) -> Option<String> {
        let Wanted::Where(condition) = &self.wanted else { return None };
        show::reason(&self.values(&*self.view.state(self.glob.prefix(), seq)?, condition))
    }

    fn values(&self, change: &Change, condition: &Expr) -> Vec<String> {
        let names = visible_change(change, condition, &self.evidence.mark);
        values(&names, condition)
    }

    fn deleted(&self, seq: Seq) -> String {
        let Some(deletion) = self.view.deletion(self.glob.prefix(), seq) else { return String::new() };
        match deletion.entry.as_ref() {
            Entry::Delete(change) => {
                let when = after(self.evidence.mark.at, change.at);
                format!(": it was deleted at {} ({when} from the mark)", change.revision)
            }
            _ => String::new(),
        }
    }

    /// The existing keys most like the wanted one.
    fn neighbours(&self, lines: &mut Vec<String>, seq: Seq) {
        let near = neighbours(self.view, self.glob.prefix(), seq);
        lines.extend(near.iter().enumerate().map(|(index, key)| format!("{}{key}", label("near:", index))));
    }

    fn explain_count(&self, lines: &mut Vec<String>, seq: Seq, condition: Option<&Expr>, weighed: &mut Weighed) {
        let revision = self.view.revision_at(seq).unwrap_or_default();
        let (yes, _) = self.count(seq, condition, weighed);
        lines.push(format!("saw:    {} at revision {revision}", yes.len()));
        lines.extend(yes.iter().take(SHOWN).map(|change| format!("        {}", change.key)));
        if yes.len() > SHOWN {
            lines.push(format!("        and {} more", yes.len() - SHOWN));
        }
        let all = self.view.states(&self.glob, seq);
        if let Some(condition) = condition.filter(|_| all.len() > yes.len()) {
            let others: Vec<_> = all.iter().filter(|change| !yes.iter().any(|y| y.key == change.key)).collect();
            lines.push(format!("not so: {} more with such a key, but", others.len()));
            for change in others.iter().take(3) {
                lines.push(format!("        {}", change.key));
                lines.extend(self.values(change, condition).iter().map(|line| format!("          {line}")));
            }
        } else if all.is_empty() {
            self.neighbours(lines, seq);
        }
    }
}

fn matching(keys: usize) -> String {
    match keys {
        0 => "no key matches".to_owned(),
        1 => "1 key matches".to_owned(),
        keys => format!("{keys} keys match"),
    }
}

/// The paths of an expression with their values.
pub(super) fn values(names: &Names, condition: &Expr) -> Vec<String> {
    show::paths(&names.explain(condition), &|path| names.at(path))
}

pub(super) fn label(name: &str, index: usize) -> String {
    format!("{:<8}", if index == 0 { name } else { "" })
}

/// Existing keys in the wanted key's folder, or in the nearest folder above it that has any.
pub(super) fn neighbours(view: &JournalView, key: &str, seq: Seq) -> Vec<Arc<str>> {
    let mut folder = key;
    while let Some(end) = folder.trim_end_matches('/').rfind('/') {
        folder = &folder[..=end];
        let mut keys = view.keys_below(folder, seq);
        if !keys.is_empty() {
            keys.sort_by_cached_key(|other| strsim::damerau_levenshtein(key, other));
            keys.truncate(3);
            return keys;
        }
        if folder.len() <= 1 {
            break;
        }
    }
    Vec::new()
}

/// Why a key that was deleted through the API is still there.
fn going(change: &Change) -> Vec<String> {
    let Some(Ok(object)) = change.value.as_ref().map(|stored| stored.object()) else { return Vec::new() };
    let Some(since) = object.pointer("/metadata/deletionTimestamp") else { return Vec::new() };
    let finalizers = object.pointer("/metadata/finalizers").or_else(|| object.pointer("/spec/finalizers"));
    let waits = finalizers.map_or(String::new(), |finalizers| format!(", waiting for {}", show::value(finalizers)));
    let since = since.as_str().map_or_else(|| show::value(since), str::to_owned);
    vec![format!("        it is being deleted since {since}{waits}")]
}

impl Compare {
    fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Compare::Equal => left == right,
            Compare::NotEqual => left != right,
            Compare::Less => left < right,
            Compare::LessOrEqual => left <= right,
            Compare::Greater => left > right,
            Compare::GreaterOrEqual => left >= right,
        }
    }
}
