//! Where a session's lasting parts lie: `sessions/LAB-HASH` in the state folder, one for each lab file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::lab::Lab;
use crate::learn::handin::Part;
use crate::learn::{Place, Progress, SCHEMA};
use crate::run::Lasting;
use crate::text::sha256;

const PROGRESS: &str = "progress.json";
const LIVE: &str = "live.json";
const LOCK: &str = "lock";
const HAND_IN: &str = "finished.handin";
/// The learner's files, there as long as the session is kept.
const WORK: &str = "work";
const CHECKPOINTS: &str = "checkpoints";
/// What each check that holds rests on.
const EVIDENCE: &str = "evidence";
/// In the state folder.
const SESSIONS: &str = "sessions";

/// The folder of one lab's sessions, held by the one that is live.
pub(super) struct Home {
    dir: PathBuf,
    /// Released when this is dropped, or its process is gone.
    _held: Flock<File>,
}

/// A session that goes on in some process of this user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub lab: String,
    pub title: String,
    pub file: String,
    pub process: u32,
    pub door: PathBuf,
}

/// What is left of earlier sessions of a lab.
#[derive(Debug, Clone)]
pub enum Left {
    Nothing,
    /// It can be resumed.
    Progress(Box<Progress>),
    /// It was finished, or ended without being kept.
    Ended(Box<Progress>),
    /// The lab's text has changed since.
    OtherText(Box<Progress>),
    Unreadable(String),
}

fn absolute(path: &Path) -> PathBuf {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

fn folder(state: &Path, lab: &Lab) -> PathBuf {
    let file = absolute(lab.source.path());
    state.join(SESSIONS).join(format!("{}-{}", lab.id, &sha256(file.as_os_str().as_encoded_bytes())[..8]))
}

/// Of the lab's text.
pub(super) fn digest(lab: &Lab) -> String {
    sha256(lab.source.text().as_bytes())
}

fn private(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

impl Left {
    /// What earlier sessions of this lab have left.
    pub fn of(state: &Path, lab: &Lab) -> Self {
        let dir = folder(state, lab);
        let file = dir.join(PROGRESS);
        match read(&file) {
            Ok(None) => Left::Nothing,
            Ok(Some(progress)) if progress.digest != digest(lab) => Left::OtherText(Box::new(progress)),
            Ok(Some(progress)) if progress.finished.is_some() || !dir.join(WORK).is_dir() => {
                Left::Ended(Box::new(progress))
            }
            Ok(Some(progress)) => Left::Progress(Box::new(progress)),
            Err(error) => Left::Unreadable(format!("{}: {error}", file.display())),
        }
    }
}

fn read(file: &Path) -> io::Result<Option<Progress>> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let progress: Progress = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
    if progress.schema != SCHEMA {
        return Err(io::Error::other(format!(
            "it is of version {}, and this keywitness reads {SCHEMA}",
            progress.schema
        )));
    }
    Ok(Some(progress))
}

/// Every lab that was begun, as far as its progress can be read.
pub fn lessons(state: &Path) -> Vec<Progress> {
    let mut found: Vec<Progress> =
        folders(state).iter().filter_map(|dir| read(&dir.join(PROGRESS)).ok().flatten()).collect();
    found.sort_by_key(|progress| std::cmp::Reverse(progress.updated));
    found
}

/// The sessions that go on.
pub fn running(state: &Path) -> Vec<Found> {
    let live = folders(state).into_iter().filter(|dir| is_held(dir)).filter_map(|dir| {
        let text = fs::read(dir.join(LIVE)).ok()?;
        serde_json::from_slice(&text).ok()
    });
    live.collect()
}

fn folders(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state.join(SESSIONS)).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn is_held(dir: &Path) -> bool {
    let Ok(file) = File::open(dir.join(LOCK)) else { return false };
    Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
}

impl Home {
    /// `Ok(None)`: another process has a session of this lab.
    pub(super) fn take(state: &Path, lab: &Lab) -> io::Result<Option<Self>> {
        let dir = folder(state, lab);
        private(&dir)?;
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(dir.join(LOCK))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Some(Self { dir, _held: held })),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// Who has the session of a lab.
    pub(super) fn holder(state: &Path, lab: &Lab) -> Option<Found> {
        let text = fs::read(folder(state, lab).join(LIVE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn announce(&self, found: &Found) -> io::Result<()> {
        self.write(LIVE, &serde_json::to_vec_pretty(found).map_err(io::Error::other)?)
    }

    /// Whole or not at all, whatever becomes of this process meanwhile.
    pub(super) fn save(&self, progress: &Progress) -> io::Result<()> {
        self.write(PROGRESS, &serde_json::to_vec_pretty(progress).map_err(io::Error::other)?)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unready = self.dir.join(format!("{name}.new"));
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unready)?;
        file.write_all(bytes)?;
        fs::rename(&unready, self.dir.join(name))
    }

    /// The folders of the cluster and of the learner's work, which are there then.
    pub(super) fn lasting(&self) -> io::Result<Lasting> {
        let lasting = Lasting { cluster: self.dir.join("cluster"), work: self.dir.join(WORK) };
        private(&lasting.cluster)?;
        private(&lasting.work)?;
        private(&self.dir.join(CHECKPOINTS))?;
        private(&self.dir.join(EVIDENCE))?;
        Ok(lasting)
    }

    /// Where the cluster's state at the beginning of a step is kept.
    pub(super) fn checkpoint(&self, step: usize) -> PathBuf {
        self.dir.join(CHECKPOINTS).join(format!("{}.db", step + 1))
    }

    /// Where the learner's files as they were at the beginning of a step are kept.
    pub(super) fn work_at(&self, step: usize) -> PathBuf {
        self.dir.join(CHECKPOINTS).join(format!("{}.work", step + 1))
    }

    fn evidence_file(place: Place) -> String {
        format!("{EVIDENCE}/{}-{}.json", place.step + 1, place.check + 1)
    }

    pub(super) fn keep_evidence(&self, place: Place, part: &Part) -> io::Result<()> {
        self.write(&Self::evidence_file(place), &serde_json::to_vec(part).map_err(io::Error::other)?)
    }

    pub(super) fn forget_evidence(&self, place: Place) -> io::Result<()> {
        match fs::remove_file(self.dir.join(Self::evidence_file(place))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn evidence(&self, place: Place) -> io::Result<Option<Part>> {
        match fs::read(self.dir.join(Self::evidence_file(place))) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is handed in of a lab that is finished: it stays when the session is cleared away.
    pub(super) fn save_hand_in(&self, text: &[u8]) -> io::Result<PathBuf> {
        self.write(HAND_IN, text).map(|()| self.dir.join(HAND_IN))
    }

    /// Forgets the cluster, its checkpoints and the learner's files; the progress stays.
    pub(super) fn clear(&self) -> io::Result<()> {
        for name in [WORK, "cluster", CHECKPOINTS, EVIDENCE] {
            match fs::remove_dir_all(self.dir.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The door is shut.
    pub(super) fn leave(&self) {
        drop(fs::remove_file(self.dir.join(LIVE)));
    }
}
