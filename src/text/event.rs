use std::fmt;

use serde::{Deserialize, Serialize};

/// What etcd did to a key, in the words of etcdctl and of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum EventKind {
    Put,
    Delete,
}

impl EventKind {
    pub const ALL: [EventKind; 2] = [EventKind::Put, EventKind::Delete];

    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Put => "PUT",
            EventKind::Delete => "DELETE",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_spells_it_as_a_check_does() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.name());
            assert_eq!(EventKind::of(kind.name()), Some(kind));
        }
        assert_eq!(format!("{:<6}|", EventKind::Put), "PUT   |");
    }
}
