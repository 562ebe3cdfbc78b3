use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::Printed;

/// What must be observed from outside the journal to judge a check; variables filled in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    Resource {
        kind: String,
        name: String,
        namespace: Option<String>,
    },
    /// `None`: what the nearest action above in the step printed.
    Output {
        action: Option<String>,
    },
    Etcd {
        member: Option<String>,
    },
    Snapshot {
        file: String,
    },
    Run {
        command: String,
    },
}

/// One sample.
#[derive(Debug, Clone)]
pub struct Observation {
    pub need: Need,
    /// When the looking began.
    pub at: SystemTime,
    pub seen: Seen,
}

#[derive(Debug, Clone)]
pub enum Seen {
    /// `None`: the API answered that it does not exist.
    Resource(Option<Arc<Value>>),
    /// `exit` is `None` while a background block runs.
    Output {
        printed: Printed,
        exit: Option<i32>,
    },
    /// The names of an `etcd` check: up, healthy, members, leader, term, ….
    Etcd(Value),
    /// valid, revision, keys, size.
    Snapshot(Value),
    Run {
        exit: i32,
        stdout: Printed,
        stderr: Printed,
    },
    /// It is not there yet: the block has not run, the file does not exist. The check does not hold.
    Nothing(String),
    /// The thing to ask did not answer: cannot judge.
    Unavailable(String),
}
