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

const KEY: &[&str] = &["object", "value", "key", "revision", "createRevision", "version", "lease", "mark"];
const EVENT: &[&str] =
    &["object", "oldObject", "value", "key", "revision", "createRevision", "version", "lease", "mark"];
const RESOURCE: &[&str] = &["object", "mark"];
const OUTPUT: &[&str] = &["text", "lines", "exit", "json", "mark"];
const RUN: &[&str] = &["exit", "stdout", "stderr", "mark"];
const ETCD: &[&str] = &[
    "up",
    "healthy",
    "members",
    "leader",
    "term",
    "revision",
    "dbSize",
    "dbSizeInUse",
    "keys",
    "alarms",
    "version",
    "mark",
];
const SNAPSHOT: &[&str] = &["valid", "revision", "keys", "size", "mark"];

impl Scope {
    pub fn names(self) -> &'static [&'static str] {
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

/// The fields of `mark`.
pub(super) const MARK: &[&str] = &["revision", "time"];

/// The names of types, which are values too: `type(x) == int`.
pub(super) const TYPES: &[&str] =
    &["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// CEL's standard functions, called as `f(x)`.
pub(super) const FUNCTIONS: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "has",
    "int",
    "matches",
    "size",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// CEL's standard functions and macros, called as `x.f()`.
pub(super) const METHODS: &[&str] = &[
    "all",
    "contains",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "map",
    "matches",
    "size",
    "startsWith",
];
