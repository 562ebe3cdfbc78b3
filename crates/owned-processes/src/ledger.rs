//! What a run owns, one line each in a file that outlives the runner.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::stamp::Stamp;

/// Something that must be gone when the run is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owned {
    /// A process group, by its leader.
    Group(i32),
    /// A session, by its leader: a shell on a PTY with all its jobs.
    Session(i32),
    /// Containers, networks and volumes with this `key=value`; `engine` is the docker or podman command with the
    /// words that lead it to the right engine.
    Labelled {
        /// Such as `docker --context desktop`.
        engine: Vec<String>,
        /// `key=value`.
        label: String,
    },
    /// A volume known by name only.
    Volume {
        /// Such as `docker --context desktop`.
        engine: Vec<String>,
        /// The volume's name.
        name: String,
    },
    /// A folder outside the run's own, or a file.
    Folder(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    Owns { what: Owned, leader: Option<Stamp> },
    Released { what: Owned },
}

/// An owned thing, with the stamp of the process that leads it where it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) what: Owned,
    pub(super) leader: Option<Stamp>,
}

#[derive(Debug)]
pub(super) struct Ledger {
    file: Mutex<File>,
}

impl Ledger {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)?;
        Ok(Self { file: Mutex::new(file) })
    }

    pub(super) fn own(&self, what: Owned) -> io::Result<()> {
        let leader = match &what {
            Owned::Group(pid) | Owned::Session(pid) => Some(Stamp::of(*pid)),
            _ => None,
        };
        self.write(&Record::Owns { what, leader })
    }

    pub(super) fn release(&self, what: Owned) -> io::Result<()> {
        self.write(&Record::Released { what })
    }

    fn write(&self, line: &Record) -> io::Result<()> {
        let mut text = serde_json::to_string(line).map_err(io::Error::other)?;
        text.push('\n');
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(text.as_bytes())
    }
}

/// What is still owned by the ledger's account. A last line that a kill cut short is passed over: what it
/// would have named carries the run's marker.
pub(super) fn read(mut ledger: impl Read) -> Vec<Entry> {
    let mut bytes = Vec::new();
    // What could be read before an error is still owned.
    drop(ledger.read_to_end(&mut bytes));
    let mut entries: Vec<Entry> = Vec::new();
    for line in String::from_utf8_lossy(&bytes).lines() {
        match serde_json::from_str(line) {
            Ok(Record::Owns { what, leader }) => entries.push(Entry { what, leader }),
            Ok(Record::Released { what }) => entries.retain(|entry| entry.what != what),
            Err(_) => {}
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_released_is_not_owned_and_a_cut_line_hides_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger");
        let ledger = Ledger::create(&path).expect("a ledger");
        let label = Owned::Labelled { engine: vec!["docker".into()], label: "a=b".into() };
        ledger.own(Owned::Folder("/nowhere".into())).expect("written");
        ledger.own(label.clone()).expect("written");
        ledger.release(Owned::Folder("/nowhere".into())).expect("written");
        let mut bytes = std::fs::read(&path).expect("bytes");
        bytes.extend_from_slice(b"{\"owns\":{\"what\":{\"gro");
        assert_eq!(read(bytes.as_slice()), [Entry { what: label, leader: None }]);
    }
}
