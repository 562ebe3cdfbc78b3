//! The private folders of runs: where they lie, how they are made, and how they are removed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Pid;

use super::ledger::Ledger;
use super::stamp::{Life, Stamp};

const PREFIX: &str = "keywitness-";
const OWNER: &str = "owner";
pub(super) const LEDGER: &str = "ledger";

/// An etcd's write-ahead log alone takes 64 MB at once.
const ROOM_NEEDED: u128 = 1 << 30;

/// Where a run's folder may lie, best first.
pub(super) fn parents() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| serves(dir));
    let temp = std::env::var_os("TMPDIR").and_then(|dir| usable(&dir));
    runtime.into_iter().chain(temp).chain([PathBuf::from("/tmp")]).collect()
}

/// The folder as every process of the run reaches it, wherever it works; none where PATH cannot name it.
fn usable(dir: &OsStr) -> Option<PathBuf> {
    let dir = std::path::absolute(dir).ok()?;
    (!dir.as_os_str().as_encoded_bytes().contains(&b':')).then_some(dir)
}

/// The bytes that may still be written where the folder lies, or will lie once it is made.
pub fn room(dir: &Path) -> Option<u128> {
    let stat = dir.ancestors().find_map(|dir| statvfs(dir).ok())?;
    Some(u128::from(stat.blocks_available()) * u128::from(stat.fragment_size()))
}

/// What a folder for scripts cannot be mounted with; macOS does not report the first.
#[cfg(target_os = "linux")]
const UNFIT: FsFlags = FsFlags::ST_NOEXEC.union(FsFlags::ST_RDONLY);
#[cfg(not(target_os = "linux"))]
const UNFIT: FsFlags = FsFlags::ST_RDONLY;

/// A runtime folder may be tiny, and mounted so that the scripts we put there cannot run.
fn serves(dir: &Path) -> bool {
    let ours = fs::metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == nix::unistd::geteuid().as_raw());
    ours && statvfs(dir)
        .is_ok_and(|stat| !stat.flags().intersects(UNFIT) && room(dir).is_some_and(|room| room >= ROOM_NEEDED))
}

/// Makes the run's folder with its owner file and its ledger.
pub(super) fn create(parents: &[PathBuf], run_id: &str) -> io::Result<(PathBuf, Ledger)> {
    let mut failure = io::Error::other("there is no temp folder");
    for parent in parents {
        match create_in(parent, run_id) {
            Ok(made) => return Ok(made),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn create_in(parent: &Path, run_id: &str) -> io::Result<(PathBuf, Ledger)> {
    let dir = parent.join(format!("{PREFIX}{run_id}"));
    // Whole before it has its name: a folder of that name without an owner is one half removed.
    let unready = parent.join(format!("{PREFIX}{run_id}.{}", std::process::id()));
    let make = || {
        private(&unready)?;
        let stamp = serde_json::to_vec(&Stamp::of_this_process()).map_err(io::Error::other)?;
        fs::write(unready.join(OWNER), stamp)?;
        let ledger = Ledger::create(&unready.join(LEDGER))?;
        fs::rename(&unready, &dir)?;
        Ok(ledger)
    };
    match make() {
        Ok(ledger) => Ok((dir, ledger)),
        Err(error) => {
            let error: io::Error = error;
            drop(fs::remove_dir_all(&unready));
            let detail = format!("cannot make the run's private folder {}: {error}", dir.display());
            Err(io::Error::new(error.kind(), detail))
        }
    }
}

pub(super) fn private(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(dir)
}

/// The folders of runs whose runner is gone, with the ids of these runs.
pub(super) fn stale(parents: &[PathBuf]) -> Vec<(PathBuf, String)> {
    let us = nix::unistd::geteuid().as_raw();
    parents
        .iter()
        .filter_map(|parent| fs::read_dir(parent).ok())
        .flat_map(Iterator::flatten)
        .filter_map(|entry| {
            let name = entry.file_name();
            let rest = name.to_str()?.strip_prefix(PREFIX)?;
            let (run_id, maker) = rest.split_once('.').map_or((rest, None), |(id, maker)| (id, Some(maker)));
            // Another user's folder is that user's, and one that merely looks like a run's is nobody's.
            let is_ours = entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == us);
            let is_run = run_id.len() == super::run_guard::ID_LENGTH && run_id.bytes().all(|b| b.is_ascii_hexdigit());
            let is_stale = match maker {
                Some(maker) => maker.parse().is_ok_and(|maker| kill(Pid::from_raw(maker), None) == Err(Errno::ESRCH)),
                None => is_stale(&entry.path()),
            };
            (is_ours && is_run && is_stale).then(|| (entry.path(), run_id.to_owned()))
        })
        .collect()
}

/// A run whose private folder lies in a given place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// Where it lies.
    pub dir: PathBuf,
    /// The id of the run that it belongs to.
    pub run_id: String,
    /// The runner.
    pub process: i32,
}

/// The runs of this user that go on and have their private folders here.
pub fn runs_in(parent: &Path) -> Vec<RunFolder> {
    let us = nix::unistd::geteuid().as_raw();
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let run = |entry: fs::DirEntry| {
        let run_id = entry.file_name().to_str()?.strip_prefix(PREFIX)?.to_owned();
        let is_ours = entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == us);
        let owner: Stamp = serde_json::from_slice(&fs::read(entry.path().join(OWNER)).ok()?).ok()?;
        let goes_on = is_ours && owner.life() != Life::Gone && !run_id.contains('.');
        goes_on.then(|| RunFolder { dir: entry.path(), run_id, process: owner.pid })
    };
    let mut runs: Vec<RunFolder> = entries.filter_map(run).collect();
    runs.sort_by(|a, b| a.dir.cmp(&b.dir));
    runs
}

/// Whether a run of this user goes on here.
pub fn is_live(run_id: &str) -> bool {
    parents().iter().any(|parent| {
        let dir = parent.join(format!("{PREFIX}{run_id}"));
        dir.is_dir() && !is_stale(&dir)
    })
}

fn is_stale(dir: &Path) -> bool {
    let owner = fs::read(dir.join(OWNER)).ok().and_then(|bytes| serde_json::from_slice::<Stamp>(&bytes).ok());
    owner.is_none_or(|owner| owner.life() == Life::Gone)
}

/// Removes a folder even where a lab took the right to, or something still writes into it; or a file.
pub(super) fn remove(dir: &Path) -> io::Result<()> {
    if fs::symlink_metadata(dir).is_ok_and(|meta| !meta.is_dir()) {
        return fs::remove_file(dir);
    }
    let mut last = Ok(());
    for attempt in 0..5_u64 {
        last = fs::remove_dir_all(dir);
        match &last {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !dir.exists() => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open_up(dir),
            Err(_) => std::thread::sleep(Duration::from_millis(20 * attempt)),
        }
    }
    last
}

fn open_up(dir: &Path) {
    drop(fs::set_permissions(dir, fs::Permissions::from_mode(0o700)));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}
