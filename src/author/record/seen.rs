//! One run of a lab that is recorded: what each block changed and printed, and whether a check holds of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::fields::{Leaf, Leaves, Path, leaves};
use super::layout::{Block, CommandAt};
use super::names::Names;
use super::printed::Printed;
use crate::grade::{Evidence, Judge, Need, Observation, Seen, probe};
use crate::journal::{Change, Journal, JournalView, KeyGlob, Mark, Seq, Stored};
use crate::lab::{Check, CheckKind, WRITTEN_PREFIX};
use crate::outcome::Verdict;
use crate::run::{Moment, Recording};
use crate::text::{EventKind, redact};

/// Of a name that a controller made up.
const SHORTEST_SUFFIX: usize = 5;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunKind {
    /// With a pause after each block.
    Plain,
    /// With a pause before each command too.
    Paced,
    /// On a store that answers slowly, without pauses.
    Slowed,
    /// Without its commands.
    Null,
    /// Without one command of a block: up to the end of that block.
    Without { block: usize, command: usize },
}

pub struct Run {
    pub kind: RunKind,
    pub recording: Recording,
    pub journal: Journal,
    pub names: Names,
    /// Every block ended as it should.
    pub is_whole: bool,
}

/// What became of a key between two moments, in the words of all runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Story {
    pub(super) before: Option<State>,
    pub(super) after: Option<State>,
    /// Each change, with what it wrote.
    pub(super) events: Vec<(EventKind, Option<State>)>,
}

/// A key's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Object {
        leaves: Leaves,
        is_owned: bool,
    },
    Text(Leaf),
    /// It cannot be read, or must not be shown.
    Closed,
}

/// The stretch of the journal that is a block's own.
struct Window {
    begin: Moment,
    end: Moment,
    view: JournalView,
    from: Seq,
}

impl Run {
    /// The place among the blocks that ran.
    fn act(&self, block: &Block) -> Option<usize> {
        self.recording.acts.iter().position(|act| act.report.line == block.line)
    }

    fn after(&self, act: usize) -> Option<Moment> {
        match self.recording.acts.get(act + 1) {
            Some(next) => Some(next.before),
            None => self.recording.finished,
        }
    }

    fn window(&self, from: &Block, to: &Block) -> Option<Window> {
        let begin = self.recording.acts[self.act(from)?].before;
        let end = self.after(self.act(to)?)?;
        let view = self.journal.view_at(end.delivered()?)?;
        let from = view.at(&begin.mark.into())?;
        Some(Window { begin, end, view, from })
    }

    /// `/registry` for the cluster's own prefix, and the marks of variables.
    fn key(&self, key: &str) -> String {
        let below = key.strip_prefix(self.recording.prefix.as_str()).filter(|rest| rest.starts_with('/'));
        match below {
            Some(rest) if !self.recording.prefix.is_empty() => self.names.put(&format!("{WRITTEN_PREFIX}{rest}")),
            _ => self.names.put(key),
        }
    }

    pub(super) fn stories(&self, block: &Block) -> BTreeMap<String, Story> {
        let Some(window) = self.window(block, block) else { return BTreeMap::new() };
        let mut stories: BTreeMap<String, Story> = BTreeMap::new();
        let changes = window.view.entries(window.from, |entry| entry.change().is_some());
        for recorded in &changes {
            let Some((kind, change)) = recorded.entry.event() else { continue };
            let state = |change: Option<Arc<Change>>| change.and_then(|change| change.value.clone());
            let story = stories.entry(self.key(&change.key)).or_insert_with(|| Story {
                before: state(window.view.state(&change.key, window.from)).map(|value| self.state(&value)),
                after: state(window.view.state(&change.key, window.view.end())).map(|value| self.state(&value)),
                events: Vec::new(),
            });
            story.events.push((kind, change.value.as_ref().map(|value| self.state(value))));
        }
        stories
    }

    fn state(&self, stored: &Stored) -> State {
        let Ok(object) = stored.visible() else { return State::Closed };
        if stored.is_opaque() {
            return State::Closed;
        }
        if object.is_object() && stored.object().is_ok_and(|object| !object.is_null()) {
            let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            return State::Object {
                is_owned: owners.is_some_and(|owners| !owners.is_empty()),
                leaves: leaves(&object, &self.names),
            };
        }
        let text = stored.text();
        if text.contains('\u{fffd}') || *redact(&text) != *text {
            return State::Closed;
        }
        State::Text(Leaf::Text(self.names.put(&text)))
    }

    /// Globs of the objects that others made for one that has a name of its own, among those that the block made or
    /// took away: how many there are at the end, whether all of them run, and how many there were before.
    pub(super) fn families(&self, block: &Block) -> BTreeMap<String, Family> {
        let Some(window) = self.window(block, block) else { return BTreeMap::new() };
        let owners = owners(&window.view, window.from);
        let mut families = BTreeMap::new();
        for recorded in window.view.entries(window.from, |entry| entry.change().is_some()) {
            let Some(change) = recorded.entry.change() else { continue };
            let Some(value) = change.value.as_ref().or(change.previous.as_ref()) else { continue };
            let Some(root) = root(value, &owners) else { continue };
            let Some((folder, _)) = change.key.rsplit_once('/') else { continue };
            let glob = format!("{folder}/{root}-*");
            let states = |seq| window.view.states(&KeyGlob::new(&glob), seq);
            families.entry(self.key(&glob)).or_insert_with(|| {
                let now = states(window.view.end());
                let runs = |change: &Arc<Change>| {
                    let object = change.value.as_ref().and_then(|value| value.object().ok());
                    object.is_some_and(|object| {
                        object.pointer("/status/phase").and_then(Value::as_str) == Some("Running")
                    })
                };
                Family {
                    before: states(window.from).len(),
                    now: now.len(),
                    all_run: !now.is_empty() && now.iter().all(runs),
                }
            });
        }
        families
    }

    /// What the block printed, where all of it is known and none of it is secret.
    pub(super) fn printed(&self, block: &Block) -> Option<Printed> {
        let (text, cut) = self.output(block)?;
        if cut || *redact(&text) != *text || text.contains('\u{1b}') {
            return None;
        }
        let window = self.window(block, block)?;
        let mut lines: Vec<String> = text.lines().map(|line| self.names.put(line.trim_end())).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        let first = lines.iter().take_while(|line| line.is_empty()).count();
        lines.drain(..first);
        Some(Printed { lines, passing: passing(&window) })
    }

    /// The same of each command of the block; `None` where they do not make up the whole.
    pub(super) fn printed_by_command(&self, block: &Block) -> Option<Vec<Printed>> {
        let (whole, _) = self.output(block)?;
        let own = |command: &CommandAt| self.command_output(block, (command.first, command.last));
        let texts: Vec<String> = block.commands.iter().map(own).collect::<Option<_>>()?;
        let ends = texts.iter().rev().skip(1).all(|text| text.is_empty() || text.ends_with('\n'));
        if !ends || texts.concat() != whole {
            return None;
        }
        let passing = passing(&self.window(block, block)?);
        let printed = |text: &String| Printed {
            lines: text.lines().map(|line| self.names.put(line.trim_end())).collect(),
            passing: passing.clone(),
        };
        Some(texts.iter().map(printed).collect())
    }

    /// The same of one command, by its lines.
    pub(super) fn command_printed(&self, block: &Block, lines: (usize, usize)) -> Option<Printed> {
        let text = self.command_output(block, lines)?;
        if *redact(&text) != *text {
            return None;
        }
        let window = self.window(block, block)?;
        let lines = text.trim_matches('\n').lines().map(|line| self.names.put(line.trim_end())).collect();
        Some(Printed { lines, passing: passing(&window) })
    }

    /// Whether it prints what is expected of it.
    pub(super) fn command_prints(&self, block: &Block, lines: (usize, usize), expected: &crate::lab::Expected) -> bool {
        let text = self.command_output(block, lines);
        text.is_some_and(|text| crate::run::prints(expected, &text, &self.recording.vars))
    }

    fn command_output(&self, block: &Block, (from, to): (usize, usize)) -> Option<String> {
        let act = self.recording.acts.get(self.act(block)?)?;
        let own = act.commands.iter().filter(|command| (from..=to).contains(&(command.line + block.code)));
        let texts: Vec<_> = own.map(|command| &command.text).collect();
        let is_known = !texts.is_empty() && texts.iter().all(|text| !text.cut);
        is_known.then(|| texts.iter().map(|text| text.text.as_str()).collect())
    }

    fn output(&self, block: &Block) -> Option<(String, bool)> {
        let act = self.recording.acts.get(self.act(block)?)?;
        let output = act.said.last()?.output.as_ref()?;
        Some((output.text.text.clone(), output.text.cut))
    }

    /// Whether an expectation of what the block prints holds.
    pub(super) fn prints(&self, block: &Block, expected: &crate::lab::Expected) -> bool {
        let Some((text, cut)) = self.output(block) else { return false };
        !cut && crate::run::prints(expected, &text, &self.recording.vars)
    }

    /// The check as it is once the block is over; `from` is the first block of its stretch.
    pub(super) fn judge(&self, check: &Check, from: &Block, to: &Block) -> Verdict {
        let Some(window) = self.window(from, to) else { return Verdict::CannotJudge };
        self.verdict(check, window.begin.mark.into(), window.end.mark.into(), &window.view, Some(to))
    }

    /// The same before the stretch.
    pub(super) fn judge_before(&self, check: &Check, from: &Block) -> Verdict {
        let Some(begin) = self.act(from).map(|act| self.recording.acts[act].before) else {
            return Verdict::CannotJudge;
        };
        let view = begin.delivered().and_then(|delivered| self.journal.view_at(delivered));
        let Some(view) = view else { return Verdict::CannotJudge };
        self.verdict(check, begin.mark.into(), begin.mark.into(), &view, None)
    }

    /// Whether the check comes true at any moment after the stretch began: of a run that pauses for nothing.
    pub(super) fn comes_true(&self, check: &Check, from: &Block) -> bool {
        let (Some(act), Some(finished)) = (self.act(from), self.recording.finished) else { return false };
        let begin = self.recording.acts[act].before;
        let view = finished.delivered().and_then(|delivered| self.journal.view_at(delivered));
        let Some(view) = view else { return false };
        let begun: Mark = begin.mark.into();
        let Some(since) = view.at(&begun) else { return false };
        let moment = |revision, at| Mark { revision, at, wall: at, epoch: begun.epoch, read: true };
        let changes = view.entries(since, |entry| entry.change().is_some());
        let mut moments: Vec<Mark> = changes
            .iter()
            .filter_map(|recorded| recorded.entry.change())
            .map(|change| moment(change.revision, change.at))
            .collect();
        moments.push(finished.mark.into());
        moments.dedup_by_key(|mark| mark.revision);
        moments.into_iter().any(|end| self.verdict(check, begun, end, &view, None) == Verdict::Pass)
    }

    fn verdict(&self, check: &Check, mark: Mark, end: Mark, view: &JournalView, printed: Option<&Block>) -> Verdict {
        let (vars, prefix) = (self.recording.vars.clone(), self.recording.prefix.clone());
        let mut evidence = Evidence { mark, end, observations: Vec::new(), vars, prefix };
        match &check.kind {
            CheckKind::Key { .. } | CheckKind::Keys { .. } => {}
            CheckKind::Events { .. } => {
                let since = Evidence { end: mark, ..evidence };
                return Judge::new(check).look(&since, view, None).judgement.verdict;
            }
            CheckKind::Output { action: None, .. } => {
                let Some((text, cut)) = printed.and_then(|block| self.output(block)) else { return Verdict::Fail };
                let printed = crate::text::Printed { text: text.into(), cut, found: BTreeMap::new() };
                let seen = Seen::Output { printed, exit: Some(0) };
                evidence.observations.push(Observation { need: Need::Output { action: None }, at: end.at, seen });
            }
            // Nothing looked at what the others speak of.
            _ => return Verdict::CannotJudge,
        }
        probe(check, &evidence, view).verdict
    }

    /// Keys that change in the whole run: of a run without commands, the noise.
    pub(super) fn changed(&self) -> BTreeSet<String> {
        let Some(first) = self.recording.acts.first() else { return BTreeSet::new() };
        let view = self.journal.view();
        let Some(since) = view.at(&first.before.mark.into()) else { return BTreeSet::new() };
        let changes = view.entries(since, |entry| entry.change().is_some());
        changes.iter().filter_map(|recorded| recorded.entry.change()).map(|change| self.key(&change.key)).collect()
    }

    /// The keys that are left when the steps are over, oldest first, with the kind and the names of their objects.
    pub(super) fn left(&self) -> Vec<String> {
        let (Some(first), Some(finished)) = (self.recording.acts.first(), self.recording.finished) else {
            return Vec::new();
        };
        let view = finished.delivered().and_then(|delivered| self.journal.view_at(delivered));
        let Some(view) = view else { return Vec::new() };
        let Some(start) = view.at(&first.before.mark.into()) else { return Vec::new() };
        let mut left = crate::run::left(&view, start, &self.recording.prefix);
        left.sort_by_key(|key| view.state(key, view.end()).map(|change| change.create_revision));
        left.iter().map(|key| self.key(key)).collect()
    }
}

/// What a program may print of a block's day, and of the names that controllers made up: another version of Kubernetes
/// makes others.
fn passing(window: &Window) -> BTreeSet<String> {
    let forms = ["%Y-%m-%d", "%a, %d %b %Y", "%d %b %Y", "%a %b %e", "%b %e"];
    let days = [window.begin.mark.wall, window.end.mark.wall].map(|at| at.to_zoned(jiff::tz::TimeZone::UTC));
    let mut found: BTreeSet<String> =
        days.iter().flat_map(|day| forms.map(|form| day.strftime(form).to_string())).collect();
    let owners = owners(&window.view, window.from);
    let suffix = |(name, owner): &(String, Option<String>)| {
        let (above, _) = owners.get(owner.as_ref()?)?;
        let own = name.strip_prefix(above)?.strip_prefix('-')?;
        // A number is counted, not made up.
        (own.len() >= SHORTEST_SUFFIX).then(|| own.to_owned())
    };
    found.extend(owners.values().filter_map(suffix));
    found
}

/// How many objects a controller keeps for one with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) before: usize,
    pub(super) now: usize,
    pub(super) all_run: bool,
}

/// Names and owners of objects, by uid.
type Owners = BTreeMap<String, (String, Option<String>)>;

fn owners(view: &JournalView, from: Seq) -> Owners {
    let all = KeyGlob::new("**");
    let mut owners = Owners::new();
    let written = view.changes(&all, from).into_iter().filter_map(|recorded| recorded.entry.change()?.value.clone());
    let states = [from, view.end()].into_iter().flat_map(|seq| view.states(&all, seq));
    for value in states.filter_map(|change| change.value.clone()).chain(written) {
        let Ok(object) = value.object() else { continue };
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        if let (Some(uid), Some(name)) = (text("/metadata/uid"), text("/metadata/name")) {
            owners.insert(uid, (name, text("/metadata/ownerReferences/0/uid")));
        }
    }
    owners
}

/// The name of the object at the top of those that own this one.
fn root(value: &Stored, owners: &Owners) -> Option<String> {
    let object = value.object().ok()?;
    let mut uid = object.pointer("/metadata/ownerReferences/0/uid").and_then(Value::as_str)?.to_owned();
    // An owner that owns itself in the end has no top.
    for _ in 0..8 {
        let (name, above) = owners.get(&uid)?;
        match above {
            Some(above) => uid.clone_from(above),
            None => return Some(name.clone()),
        }
    }
    None
}

impl State {
    pub(super) fn leaves(&self) -> Option<&Leaves> {
        match self {
            Self::Object { leaves, .. } => Some(leaves),
            Self::Text(_) | Self::Closed => None,
        }
    }

    pub(super) fn is_owned(&self) -> bool {
        matches!(self, Self::Object { is_owned: true, .. })
    }

    /// Only what the other has too.
    pub(super) fn common(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Object { leaves, is_owned }, Self::Object { leaves: others, is_owned: also }) => {
                let same = |(path, leaf): (&Path, &Leaf)| {
                    (others.get(path) == Some(leaf)).then(|| (path.clone(), leaf.clone()))
                };
                Self::Object { leaves: leaves.iter().filter_map(same).collect(), is_owned: *is_owned || *also }
            }
            (Self::Text(own), Self::Text(other)) if own == other => self.clone(),
            _ => Self::Closed,
        }
    }
}
