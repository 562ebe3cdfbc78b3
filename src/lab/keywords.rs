//! The words of the format, once: the parser, its suggestions and the reference read these tables.

use super::{ClusterKind, Level, Requirement};

/// What a fence's language makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceKind {
    /// `bash` and `sh`.
    Script,
    Console,
    Check,
    Wait,
    Output,
    Question,
    Answer,
}

pub const LANGUAGES: &[(&str, FenceKind)] = &[
    ("bash", FenceKind::Script),
    ("sh", FenceKind::Script),
    ("console", FenceKind::Console),
    ("check", FenceKind::Check),
    ("wait", FenceKind::Wait),
    ("output", FenceKind::Output),
    ("question", FenceKind::Question),
    ("answer", FenceKind::Answer),
];

impl FenceKind {
    pub fn of(language: &str) -> Option<Self> {
        LANGUAGES.iter().find(|(name, _)| *name == language).map(|(_, kind)| *kind)
    }

    pub fn is_action(self) -> bool {
        matches!(self, FenceKind::Script | FenceKind::Console)
    }

    /// As a message says it.
    pub fn noun(self) -> &'static str {
        match self {
            FenceKind::Script => "an action",
            FenceKind::Console => "a `console` fence",
            FenceKind::Check => "a `check` fence",
            FenceKind::Wait => "a `wait` fence",
            FenceKind::Output => "an `output` fence",
            FenceKind::Question => "a `question` fence",
            FenceKind::Answer => "an `answer` fence",
        }
    }

    pub fn attributes(self) -> impl Iterator<Item = &'static Attribute> {
        ATTRIBUTES.iter().filter(move |attribute| attribute.on.contains(&self))
    }
}

/// Whether an attribute stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    pub name: &'static str,
    pub takes: Takes,
    pub on: &'static [FenceKind],
}

const ACTION: &[FenceKind] = &[FenceKind::Script, FenceKind::Console];
const JUDGED: &[FenceKind] = &[FenceKind::Check];
const EARNING: &[FenceKind] = &[FenceKind::Check, FenceKind::Question];
const NAMED: &[FenceKind] = &[FenceKind::Script, FenceKind::Console, FenceKind::Question];
const PLACED: &[FenceKind] =
    &[FenceKind::Script, FenceKind::Console, FenceKind::Check, FenceKind::Wait, FenceKind::Question];

const fn flag(name: &'static str, on: &'static [FenceKind]) -> Attribute {
    Attribute { name, takes: Takes::Nothing, on }
}

const fn value(name: &'static str, on: &'static [FenceKind]) -> Attribute {
    Attribute { name, takes: Takes::Value, on }
}

pub const ATTRIBUTES: &[Attribute] = &[
    value("name", NAMED),
    value("terminal", ACTION),
    flag("opens", ACTION),
    flag("background", ACTION),
    value("ready", ACTION),
    value("stop", ACTION),
    value("start", ACTION),
    value("exit", ACTION),
    flag("fails", ACTION),
    value("timeout", ACTION),
    value("in", ACTION),
    value("on", PLACED),
    flag("setup", ACTION),
    flag("cleanup", ACTION),
    flag("norun", ACTION),
    flag("vars", &[FenceKind::Script]),
    value("points", EARNING),
    value("fail", JUDGED),
    value("pre", JUDGED),
    value("of", &[FenceKind::Output]),
    flag("unordered", &[FenceKind::Output]),
];

/// The attributes of a `<!-- lab:step … -->` comment.
pub const STEP_ATTRIBUTES: &[&str] = &["id", "timeout", "on", "quiet"];

/// The words that begin a check.
pub const CHECKS: &[&str] = &["key", "keys", "events", "never", "resource", "output", "etcd", "snapshot", "run"];

/// The names of what the runner gives to every terminal.
pub mod given {
    pub const NODE: &str = "LAB_NODE";
    pub const ETCD_POD: &str = "LAB_ETCD_POD";
    pub const ETCD_PKI: &str = "LAB_ETCD_PKI";
    pub const ETCD_DATA: &str = "LAB_ETCD_DATA";
    pub const DIR: &str = "LAB_DIR";
    pub const WORK: &str = "LAB_WORK";
    pub const CLUSTER: &str = "LAB_CLUSTER";
    pub const ENGINE: &str = "LAB_ENGINE";
    pub const KUBECONFIG: &str = "KUBECONFIG";
}

/// All of them: every template may use them too.
pub const GIVEN_VARS: &[&str] = &[
    given::NODE,
    given::ETCD_POD,
    given::ETCD_PKI,
    given::ETCD_DATA,
    given::DIR,
    given::WORK,
    given::CLUSTER,
    given::ENGINE,
    given::KUBECONFIG,
];

/// An author's variable may not begin so: etcd and etcdctl read every one of theirs, and the runner
/// gives the rest.
pub const RESERVED_PREFIXES: &[&str] = &[GIVEN_PREFIX, "ETCD_", "ETCDCTL_"];

/// What the runner gives begins so.
pub const GIVEN_PREFIX: &str = "LAB_";

pub const LEVELS: &[(&str, Level)] =
    &[("beginner", Level::Beginner), ("intermediate", Level::Intermediate), ("advanced", Level::Advanced)];

pub const CLUSTERS: &[(&str, ClusterKind)] = &named_clusters();

const fn named_clusters() -> [(&'static str, ClusterKind); ClusterKind::ALL.len()] {
    let mut named = [("", ClusterKind::Sandbox); ClusterKind::ALL.len()];
    let mut at = 0;
    while at < named.len() {
        named[at] = (ClusterKind::ALL[at].name(), ClusterKind::ALL[at]);
        at += 1;
    }
    named
}

pub const REQUIREMENTS: &[(&str, Requirement)] = &[("pods", Requirement::Pods)];

/// Looks a word up in one of the tables above.
pub fn word<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// The words of a table.
pub fn words<T>(table: &'static [(&'static str, T)]) -> impl Iterator<Item = &'static str> {
    table.iter().map(|(name, _)| *name)
}

impl Level {
    pub fn name(self) -> &'static str {
        LEVELS.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }
}
