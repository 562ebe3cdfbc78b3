//! The folder of runs that failed: bounded in their number and in what they take.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::HEAD;

/// So many runs are kept.
pub const CACHED_RUNS: usize = 20;
/// So much do they take together.
pub const CACHED_BYTES: u64 = 200 << 20;

/// Takes away the oldest saved runs of a folder until at most so many are left and they take at most so much. What is
/// no saved run stays.
pub fn make_room(folder: &Path, runs: usize, bytes: u64) -> io::Result<()> {
    let mut found: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let head = path.join(HEAD);
        if let Ok(modified) = fs::metadata(&head).and_then(|head| head.modified()) {
            let size = size_of(&path);
            found.push((modified, path, size));
        }
    }
    found.sort();
    let mut total: u64 = found.iter().map(|(.., size)| size).sum();
    let mut count = found.len();
    for (_, path, size) in found {
        if count <= runs && total <= bytes {
            break;
        }
        // Another run may have made room meanwhile.
        if let Err(error) = fs::remove_dir_all(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        count -= 1;
        total -= size;
    }
    Ok(())
}

fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use super::make_room;

    #[test]
    fn the_oldest_runs_go_and_what_is_none_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("other")).expect("it is made");
        for (age, name) in ["d", "a", "c", "b"].into_iter().enumerate() {
            fs::create_dir(at(name)).expect("it is made");
            let head = File::create(at(name).join("run.json")).expect("it is made");
            head.set_len(100).expect("it grows");
            let old = Duration::from_secs(1000 - 10 * u64::try_from(age).expect("a number"));
            head.set_modified(SystemTime::now() - old).expect("it is older");
        }
        let left = || ["d", "a", "c", "b"].into_iter().filter(|name| at(name).exists()).collect::<Vec<_>>();
        make_room(folder.path(), 3, 1000).expect("there is room");
        assert_eq!(left(), ["a", "c", "b"]);
        make_room(folder.path(), 3, 250).expect("there is room");
        assert_eq!(left(), ["c", "b"]);
        make_room(folder.path(), 0, 0).expect("there is room");
        assert!(left().is_empty() && at("other").exists());
    }
}
