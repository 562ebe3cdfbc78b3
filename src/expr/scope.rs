use super::types::Known::{self, Any, Bool, Int, List, Object, OldObject, Text};
use super::types::{MARK, MEMBER};

/// Where an expression stands, and so which names it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `key` and `keys`.
    Key,
    /// `events` and `never`.
    Event,
    Resource,
    Output,
    Run,
    Etcd,
    Snapshot,
}

/// A name and what it stands for.
pub type Name = (&'static str, Known);

const THE_MARK: Name = ("mark", Known::Record(&MARK));

const KEY: &[Name] = &[
    ("object", Object),
    ("value", Text),
    ("key", Text),
    ("revision", Int),
    ("createRevision", Int),
    ("version", Int),
    ("lease", Int),
    THE_MARK,
];
const EVENT: &[Name] = &[
    ("object", Object),
    ("oldObject", OldObject),
    ("value", Text),
    ("key", Text),
    ("revision", Int),
    ("createRevision", Int),
    ("version", Int),
    ("lease", Int),
    THE_MARK,
];
const RESOURCE: &[Name] = &[("object", Object), THE_MARK];
const OUTPUT: &[Name] = &[("text", Text), ("lines", List(&Text)), ("exit", Int), ("json", Any), THE_MARK];
const RUN: &[Name] = &[("exit", Int), ("stdout", Text), ("stderr", Text), THE_MARK];
const ETCD: &[Name] = &[
    ("up", Bool),
    ("healthy", Bool),
    ("members", List(&Known::Record(&MEMBER))),
    ("leader", Text),
    ("term", Int),
    ("revision", Int),
    ("dbSize", Int),
    ("dbSizeInUse", Int),
    ("keys", Int),
    ("alarms", List(&Text)),
    ("version", Text),
    THE_MARK,
];
const SNAPSHOT: &[Name] = &[("valid", Bool), ("revision", Int), ("keys", Int), ("size", Int), THE_MARK];

impl Scope {
    /// The names that an expression knows here, and their types.
    pub fn table(self) -> &'static [Name] {
        match self {
            Scope::Key => KEY,
            Scope::Event => EVENT,
            Scope::Resource => RESOURCE,
            Scope::Output => OUTPUT,
            Scope::Run => RUN,
            Scope::Etcd => ETCD,
            Scope::Snapshot => SNAPSHOT,
        }
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        self.table().iter().map(|(name, _)| *name)
    }

    pub(super) fn knows(self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// As a message says it.
    pub fn check(self) -> &'static str {
        match self {
            Scope::Key => "a `key` or `keys` check",
            Scope::Event => "an `events` or `never` check",
            Scope::Resource => "a `resource` check",
            Scope::Output => "an `output` check",
            Scope::Run => "a `run` check",
            Scope::Etcd => "an `etcd` check",
            Scope::Snapshot => "a `snapshot` check",
        }
    }
}

/// Whether it is the name of a type, which is a value too: `type(x) == int`.
pub(super) fn is_type(name: &str) -> bool {
    kube_cel::Type::of_name(name).is_some()
}
