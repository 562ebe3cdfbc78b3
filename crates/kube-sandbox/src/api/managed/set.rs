//! Sets of fields, in the form that `fieldsV1` has them: `f:name`, `k:{"key":…}`, `v:value`, `.`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::resource::shape::{Items, Shape};

/// A set of paths as a tree: a node may be a member itself, and have members below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) member: bool,
    pub(super) children: BTreeMap<String, Set>,
}

impl Set {
    fn leaf() -> Self {
        Self { member: true, children: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Self::is_empty)
    }

    /// The root's own membership means nothing.
    pub(super) fn parse(fields: &Value) -> Self {
        let mut set = Self::parse_node(fields);
        set.member = false;
        set
    }

    fn parse_node(fields: &Value) -> Self {
        let Some(map) = fields.as_object().filter(|map| !map.is_empty()) else { return Self::leaf() };
        let children = map.iter().filter(|(key, _)| *key != ".");
        Self {
            member: map.contains_key("."),
            children: children.map(|(key, value)| (key.clone(), Self::parse_node(value))).collect(),
        }
    }

    pub(super) fn to_fields(&self) -> Value {
        let mut map = Map::new();
        for (key, child) in self.children.iter().filter(|(_, child)| !child.is_empty()) {
            map.insert(key.clone(), child.to_fields());
        }
        if self.member && !map.is_empty() {
            map.insert(".".into(), json!({}));
        }
        Value::Object(map)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.member |= other.member;
        for (key, child) in &other.children {
            self.children.entry(key.clone()).or_default().add(child);
        }
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.member &= !other.member;
        for (key, child) in &other.children {
            if let Some(own) = self.children.get_mut(key) {
                own.subtract(child);
            }
        }
        self.children.retain(|_, child| !child.is_empty());
    }

    /// Takes away whole branches: a field that is gone takes all below it along.
    /// Gives up no node below which `other` has members: a map goes only with the last of what is in it.
    pub(super) fn leave_parents_of(&mut self, other: &Self) {
        self.member &= other.children.values().all(Self::is_empty);
        for (key, child) in &other.children {
            if let Some(own) = self.children.get_mut(key) {
                own.leave_parents_of(child);
            }
        }
        self.children.retain(|_, child| !child.is_empty());
    }

    pub(super) fn subtract_branches(&mut self, other: &Self) {
        for (key, child) in &other.children {
            if child.member {
                self.children.remove(key);
            } else if let Some(own) = self.children.get_mut(key) {
                own.subtract_branches(child);
            }
        }
        self.children.retain(|_, child| !child.is_empty());
    }

    pub(super) fn intersect(&self, other: &Self) -> Self {
        let both = |(key, child): (&String, &Self)| Some((key.clone(), child.intersect(other.children.get(key)?)));
        let children: BTreeMap<String, Self> = self.children.iter().filter_map(both).collect();
        Self {
            member: self.member && other.member,
            children: children.into_iter().filter(|(_, child)| !child.is_empty()).collect(),
        }
    }

    /// Every member's path, as conflicts name it: `.spec.containers[name="a"].image`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, path: &str, paths: &mut Vec<String>) {
        if self.member && !path.is_empty() {
            paths.push(path.to_owned());
        }
        for (key, child) in &self.children {
            child.collect_paths(&format!("{path}{}", shown(key)), paths);
        }
    }

    /// All fields that a configuration states, as apply owns them.
    pub(super) fn of(shape: Shape<'_>, value: &Value) -> Self {
        let mut set = Self::of_value(shape, value);
        set.member = false;
        set
    }

    fn of_value(shape: Shape<'_>, value: &Value) -> Self {
        if shape.is_atomic() {
            return Self::leaf();
        }
        match value {
            Value::Object(map) if !map.is_empty() => {
                let mut set = Self::default();
                for (name, inner) in map {
                    let field = shape.child(name);
                    let mut child = Self::of_value(field, inner);
                    let empty = inner.is_null() || inner.as_object().is_some_and(Map::is_empty);
                    child.member |= empty || !shape.declares(name);
                    set.children.insert(format!("f:{name}"), child);
                }
                set
            }
            Value::Array(items) => match shape.items() {
                Items::Atomic => Self::leaf(),
                kind => {
                    let mut set = Self::default();
                    for item in items {
                        let mut child =
                            if kind == Items::Set { Self::default() } else { Self::of_value(shape.item(), item) };
                        child.member = true;
                        set.children.insert(element(&kind, item), child);
                    }
                    set.member = items.is_empty();
                    set
                }
            },
            _ => Self::leaf(),
        }
    }
}

/// An item's name within its list.
pub(super) fn element(kind: &Items<'_>, item: &Value) -> String {
    match kind {
        Items::ByKeys(keys) => {
            let pairs: Map<String, Value> = keys
                .iter()
                .filter_map(|key| Some(((*key).to_owned(), item.get(*key).cloned().or_else(|| default_of(key))?)))
                .collect();
            format!("k:{}", Value::Object(pairs))
        }
        Items::Set | Items::Atomic => format!("v:{item}"),
    }
}

/// The one key field that clients leave out and Kubernetes fills in.
fn default_of(key: &str) -> Option<Value> {
    (key == "protocol").then(|| json!("TCP"))
}

fn shown(key: &str) -> String {
    if let Some(name) = key.strip_prefix("f:") {
        return format!(".{name}");
    }
    if let Some(value) = key.strip_prefix("v:") {
        return format!("[{value}]");
    }
    let pairs: Map<String, Value> =
        key.strip_prefix("k:").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let list: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("[{}]", list.join(","))
}

/// What came or changed, and what went, between two objects.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) changed: Set,
    pub(super) removed: Set,
}

pub(super) fn compare(shape: Shape<'_>, old: &Value, new: &Value) -> Compared {
    let mut compared = Compared::default();
    compare_at(shape, Some(old), Some(new), &mut compared.changed, &mut compared.removed);
    compared.changed.member = false;
    compared.removed.member = false;
    compared
}

fn compare_at(shape: Shape<'_>, old: Option<&Value>, new: Option<&Value>, changed: &mut Set, removed: &mut Set) {
    match (old, new) {
        (None, None) => return,
        (None, Some(_)) => changed.member = true,
        (Some(_), None) => removed.member = true,
        (Some(_), Some(_)) => {}
    }
    let one_sided = old.is_none() || new.is_none();
    let empty = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    };
    let leaf = |changed: &mut Set| {
        if !one_sided && old != new {
            changed.member = true;
        }
    };
    if shape.is_atomic() || (empty(old) && empty(new)) {
        return leaf(changed);
    }
    match (old, new) {
        (None | Some(Value::Object(_) | Value::Null), None | Some(Value::Object(_) | Value::Null)) => {
            let names = |value: Option<&Value>| {
                value.and_then(Value::as_object).into_iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>()
            };
            let mut all = names(old);
            all.extend(names(new));
            all.sort_unstable();
            all.dedup();
            for name in all {
                let of = |value: Option<&Value>| value.and_then(|value| value.get(&name)).cloned();
                let (before, after) = (of(old), of(new));
                descend(&format!("f:{name}"), changed, removed, |changed, removed| {
                    compare_at(shape.child(&name), before.as_ref(), after.as_ref(), changed, removed);
                });
            }
        }
        (None | Some(Value::Array(_) | Value::Null), None | Some(Value::Array(_) | Value::Null)) => {
            let kind = shape.items();
            if kind == Items::Atomic {
                return leaf(changed);
            }
            let by_element = |value: Option<&Value>| -> BTreeMap<String, Value> {
                let items = value.and_then(Value::as_array).into_iter().flatten();
                items.map(|item| (element(&kind, item), item.clone())).collect()
            };
            let (before, after) = (by_element(old), by_element(new));
            let mut all: Vec<&String> = before.keys().chain(after.keys()).collect();
            all.sort_unstable();
            all.dedup();
            for name in all {
                descend(name, changed, removed, |changed, removed| {
                    compare_at(shape.item(), before.get(name), after.get(name), changed, removed);
                });
            }
        }
        _ => leaf(changed),
    }
}

fn descend(name: &str, changed: &mut Set, removed: &mut Set, work: impl FnOnce(&mut Set, &mut Set)) {
    let (mut came, mut went) = (Set::default(), Set::default());
    work(&mut came, &mut went);
    if !came.is_empty() {
        changed.children.insert(name.to_owned(), came);
    }
    if !went.is_empty() {
        removed.children.insert(name.to_owned(), went);
    }
}
