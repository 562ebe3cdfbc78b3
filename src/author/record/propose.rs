//! From what several runs have in common to checks that may be of use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::fields::{Leaf, Leaves, Part, Path};
use super::layout::Block;
use super::names::written;
use super::printed::{common, common_of_commands};
use super::proposal::{Cause, What};
use super::seen::{Family, Run, State, Story};
use crate::text::EventKind;

/// Of one object a check says so many things.
const MOST_FIELDS: usize = 3;
/// A sequence that is longer says little.
const MOST_EVENTS: usize = 4;
/// What tells best how an object is, in this order.
const STATES: [&str; 3] = ["phase", "readyReplicas", "succeeded"];
/// What is not an object's own content.
const OUTSIDE: [&str; 4] = ["metadata", "status", "kind", "apiVersion"];

/// Something that may be proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) block: usize,
    pub(super) what: What,
    pub(super) lines: Vec<String>,
    pub(super) cause: Cause,
    pub(super) why: String,
    /// The key or glob that it is about.
    pub(super) subject: String,
}

/// A block, with what its commands say.
pub(super) struct Said<'a> {
    pub(super) index: usize,
    pub(super) block: &'a Block,
    /// Its commands, and the manifests that they name, with marks for variables.
    pub(super) text: String,
}

/// What the runs that pause have in common about one block, and its output in all runs.
pub(super) fn candidates(said: &Said<'_>, paused: &[&Run], all: &[&Run], noise: &BTreeSet<String>) -> Vec<Candidate> {
    let mut found = Vec::new();
    if paused.is_empty() {
        return found;
    }
    let stories: Vec<BTreeMap<String, Story>> = paused.iter().map(|run| run.stories(said.block)).collect();
    let (first, others) = (&stories[0], &stories[1..]);
    for (key, story) in first.iter().filter(|(key, _)| !noise.contains(*key)) {
        let mut told = Some(story.clone());
        for other in others {
            told = told.zip(other.get(key)).and_then(|(told, other)| told.common(other));
        }
        if let Some(story) = told {
            found.extend(of_key(said, key, &story));
        }
    }
    let families: Vec<BTreeMap<String, Family>> = paused.iter().map(|run| run.families(said.block)).collect();
    for (glob, family) in &families[0] {
        if families.iter().all(|families| families.get(glob) == Some(family)) && family.before != family.now {
            found.push(of_family(said, glob, *family));
        }
    }
    let printed: Option<Vec<_>> = all.iter().map(|run| run.printed(said.block)).collect();
    let may_expect = !said.block.is_expected && !said.block.is_background && !said.block.is_setup;
    let of_commands = || {
        let of_runs: Option<Vec<_>> = all.iter().map(|run| run.printed_by_command(said.block)).collect();
        of_runs.map(|of_runs| common_of_commands(&of_runs))
    };
    let told = |printed: Vec<_>| of_commands().unwrap_or_else(|| common(&printed));
    if let Some(lines) = printed.filter(|_| may_expect).and_then(told) {
        let why = "all runs printed this; `[..]` and `...` stand for what differed".to_owned();
        found.push(Candidate {
            block: said.index,
            what: What::Output,
            lines,
            cause: Cause::Printed,
            why,
            subject: String::new(),
        });
    }
    found
}

impl Story {
    /// What two runs have in common; `None` where the key fared otherwise in one of them.
    fn common(self, other: &Self) -> Option<Self> {
        let both = |one: &Option<State>, other: &Option<State>| match (one, other) {
            (None, None) => Some(None),
            (Some(one), Some(other)) => Some(Some(one.common(other))),
            _ => None,
        };
        let same_kinds = self.events.len() == other.events.len()
            && self.events.iter().zip(&other.events).all(|((one, _), (other, _))| one == other);
        let events = if same_kinds {
            let events = self.events.iter().zip(&other.events);
            events.map(|((kind, one), (_, other))| Some((*kind, both(one, other)?))).collect::<Option<Vec<_>>>()?
        } else {
            Vec::new()
        };
        Some(Self { before: both(&self.before, &other.before)?, after: both(&self.after, &other.after)?, events })
    }
}

fn of_key(said: &Said<'_>, key: &str, story: &Story) -> Vec<Candidate> {
    let states = [&story.before, &story.after];
    if states.iter().any(|state| state.as_ref().is_some_and(State::is_owned)) || is_generated(key) {
        return Vec::new();
    }
    let name = key.rsplit('/').next().unwrap_or(key);
    let is_named = mentions(&said.text, name) || mentions(&said.text, key);
    let candidate_of = |is_said: bool, cause: Cause, lines: Vec<String>, why: &str| Candidate {
        block: said.index,
        what: What::Check,
        lines,
        cause: if is_named || is_said { cause } else { Cause::Beside },
        why: why.to_owned(),
        subject: key.to_owned(),
    };
    let candidate = |cause, lines, why| candidate_of(false, cause, lines, why);
    let word = word(key);
    let mut found = Vec::new();
    match (&story.before, &story.after) {
        (None, Some(after)) => {
            let told = told(said, key, None, after);
            let (cause, holds) = if told.lines.is_empty() {
                (Cause::Named, "exists".to_owned())
            } else {
                (Cause::Said, format!("where {}", told.lines.join(" && ")))
            };
            found.push(candidate(cause, vec![format!("key {word} {holds}")], "the key came to be in all runs"));
            if let Some(state) = state_of(None, after) {
                let line = format!("key {word} where {state}");
                found.push(candidate(Cause::Status, vec![line], "all runs ended with it so"));
            }
        }
        (Some(before), Some(after)) => {
            let told = told(said, key, Some(before), after);
            if !told.lines.is_empty() {
                let line = format!("key {word} where {}", told.lines.join(" && "));
                // A command that selects its objects does not name them.
                found.push(candidate_of(told.is_said, Cause::Said, vec![line], "the value changed so in all runs"));
            }
            if let Some(state) = state_of(Some(before), after) {
                let line = format!("key {word} where {state}");
                found.push(candidate(Cause::Status, vec![line], "all runs ended with it so"));
            }
        }
        (Some(_), None) => {
            found.push(candidate(Cause::Said, vec![format!("key {word} absent")], "the key was deleted in all runs"));
        }
        (None, None) => {}
    }
    if let Some(lines) = sequence(said, key, &word, story) {
        found.push(candidate(Cause::Named, lines, "the changes came in this order in all runs"));
    }
    found
}

/// What a check says of an object.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    /// The commands say some of it.
    is_said: bool,
}

/// What a check says of an object that came to be or has changed: what the commands say first.
fn told(said: &Said<'_>, key: &str, before: Option<&State>, after: &State) -> Told {
    let leaves = match after {
        State::Object { leaves, .. } => leaves,
        State::Text(text) if text.is_sayable() => {
            return Told {
                lines: vec![format!("value == {}", text.cel())],
                is_said: mentions(&said.text, text.text()),
            };
        }
        State::Text(_) | State::Closed => return Told::default(),
    };
    let none = Leaves::new();
    let old = before.and_then(State::leaves).unwrap_or(&none);
    let names: Vec<&str> = key.split('/').collect();
    let changed = leaves.iter().filter(|(path, leaf)| old.get(path) != Some(leaf) && leaf.is_sayable());
    let content: Vec<(&Path, &Leaf)> = changed.filter(|(path, _)| is_content(said, path)).collect();
    let is_said = |(path, leaf): &&(&Path, &Leaf)| {
        let field = path.names().last().unwrap_or_default();
        let is_own_name = names.contains(&leaf.text());
        !is_own_name && mentions(&said.text, leaf.text()) || is_open(path) && mentions(&said.text, field)
    };
    let mut chosen: Vec<(&Path, &Leaf)> = content.iter().filter(is_said).copied().collect();
    let mut is_any_said = !chosen.is_empty();
    if chosen.is_empty() && before.is_some() {
        chosen.clone_from(&content);
    }
    // A value that a command has may be that of a default by chance; beside its field's name it is not.
    let by_name = |path: &Path| path.names().last().is_some_and(|name| names_field(&said.text, name));
    chosen
        .sort_by_key(|(path, leaf)| (!by_name(path), path.begins(&["metadata"]), path.0.len(), leaf.text().len() < 2));
    chosen.truncate(MOST_FIELDS);
    let mut lines: Vec<String> =
        chosen.iter().map(|(path, leaf)| format!("{} == {}", path.cel(), leaf.cel())).collect();
    if before.is_some() && lines.len() < MOST_FIELDS {
        let gone = old.keys().filter(|path| !leaves.contains_key(path) && is_content(said, path));
        let gone: Vec<&Path> = gone.take(MOST_FIELDS - lines.len()).collect();
        is_any_said |= gone.iter().any(|path| is_open(path));
        lines.extend(gone.into_iter().filter_map(Path::cel_absent));
    }
    Told { lines, is_said: is_any_said }
}

/// What belongs to whoever writes an object: its content, its labels, and annotations that a command speaks of.
fn is_content(said: &Said<'_>, path: &Path) -> bool {
    let first = path.names().next().unwrap_or_default();
    if !OUTSIDE.contains(&first) {
        return true;
    }
    is_open(path)
        && (path.begins(&["metadata", "labels"]) || path.begins(&["metadata", "annotations"]))
        && path.names().nth(2).is_some_and(|name| mentions(&said.text, name))
}

/// Below a map whose names are the author's own.
fn is_open(path: &Path) -> bool {
    ["labels", "annotations", "data", "matchLabels", "stringData"]
        .iter()
        .any(|map| path.0.iter().rev().nth(1) == Some(&Part::Name((*map).to_owned())))
}

/// What a controller reports of an object, where that has changed.
fn state_of(before: Option<&State>, after: &State) -> Option<String> {
    let none = Leaves::new();
    let old = before.and_then(State::leaves).unwrap_or(&none);
    let leaves = after.leaves()?;
    STATES.iter().find_map(|name| {
        let path = Path(["status", name].map(|name| Part::Name(name.to_owned())).to_vec());
        let leaf = leaves.get(&path).filter(|leaf| old.get(&path) != Some(leaf))?;
        Some(format!("{} == {}", path.cel(), leaf.cel()))
    })
}

/// Several changes of one key by the commands of one block.
fn sequence(said: &Said<'_>, key: &str, word: &str, story: &Story) -> Option<Vec<String>> {
    let events = &story.events;
    let mut lines = vec![format!("events {word}")];
    let mut before: Option<State> = story.before.clone();
    for (kind, state) in events {
        let line = match (kind, state) {
            (EventKind::Delete, _) => Some("  DELETE".to_owned()),
            (EventKind::Put, Some(state)) => {
                let told = told(said, key, before.as_ref(), state);
                match told.lines.as_slice() {
                    // A change that no command speaks of is a controller's.
                    [] if before.is_some() => None,
                    [] => Some("  PUT".to_owned()),
                    told => Some(format!("  PUT where {}", told.join(" && "))),
                }
            }
            (EventKind::Put, None) => None,
        };
        lines.extend(line);
        before.clone_from(state);
    }
    (3..=MOST_EVENTS + 1).contains(&lines.len()).then_some(lines)
}

fn of_family(said: &Said<'_>, glob: &str, family: Family) -> Candidate {
    let root = glob.rsplit('/').next().and_then(|name| name.strip_suffix("-*")).unwrap_or_default();
    let running = if family.all_run { " where object.status.phase == \"Running\"" } else { "" };
    Candidate {
        block: said.index,
        what: What::Check,
        lines: vec![format!("keys {} count == {}{running}", word(glob), family.now)],
        cause: if mentions(&said.text, root) { Cause::Owned } else { Cause::Beside },
        why: format!("a controller keeps them for `{}`; there were as many in all runs", written(root)),
        subject: glob.to_owned(),
    }
}

/// A key as a check line writes it.
fn word(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:*@+=,\u{e000}\u{e001}".contains(c);
    let is_plain = key.chars().all(plain) && !key.starts_with(['r', 'R', 'b', 'B']);
    if is_plain { written(key) } else { super::fields::quoted(key) }
}

/// Whether a text stands in the commands as a word.
fn mentions(commands: &str, text: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '.';
    !text.is_empty()
        && commands.match_indices(text).any(|(at, _)| {
            let before = commands[..at].chars().next_back();
            let mut after = commands[at + text.len()..].chars();
            // A point may end a sentence.
            let goes_on = match after.next() {
                Some('.') => after.next().is_some_and(char::is_alphanumeric),
                // `label pod a app-` takes the label `app` away.
                Some('-') => after.next().is_some_and(inner),
                Some(c) => inner(c),
                None => false,
            };
            !before.is_some_and(inner) && !goes_on
        })
}

/// Whether commands name a field: as a word, or as a flag.
fn names_field(commands: &str, name: &str) -> bool {
    mentions(commands, name) || mentions(commands, &format!("--{name}"))
}

/// Names that Kubernetes makes up: their own alphabet, and enough of it not to be a word.
static GENERATED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}(-[bcdfghjklmnpqrstvwxz2456789]{5})?$|\.[0-9a-f]{16}$")
        .expect("a regular expression of ours")
});

fn is_generated(key: &str) -> bool {
    GENERATED.is_match(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_command_is_a_whole_one() {
        let text = "kubectl create deployment web --image=nginx:1.27 --replicas=3 -l app.io/tier=front; label a old-";
        for yes in ["web", "old", "nginx:1.27", "3", "front", "app.io/tier"] {
            assert!(mentions(text, yes), "{yes}");
        }
        assert!(names_field(text, "replicas") && names_field(text, "app.io/tier") && !names_field(text, "image-"));
        for no in ["we", "nginx:1", "27", "fron", "", "web --image=nginx:1.2"] {
            assert!(!mentions(text, no), "{no}");
        }
    }

    #[test]
    fn generated_names_are_known() {
        for yes in ["/registry/replicasets/default/web-5d4f8c7b9", "/registry/pods/default/web-5d4f8c7b9-x7k2p"] {
            assert!(is_generated(yes), "{yes}");
        }
        for no in ["/registry/pods/default/web-0", "/registry/configmaps/default/my-settings", "/a/b"] {
            assert!(!is_generated(no), "{no}");
        }
    }
}
