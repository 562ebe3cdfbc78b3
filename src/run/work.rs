//! The files of a lab, `LAB_WORK`, as they were at the beginning of a step.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What of a folder is kept at most: a lab's files are small, and the data of an etcd is not copied.
const BYTES: u64 = 64 << 20;
const FILES: usize = 20_000;

/// Keeps a copy of the folder; where it is too large, why there is none.
pub fn keep(work: &Path, copy: &Path) -> io::Result<()> {
    forget(copy)?;
    let unready = copy.with_extension("unready");
    forget(&unready)?;
    let mut room = Room { bytes: BYTES, files: FILES };
    match copy_folder(work, &unready, &mut room)? {
        Copied::Whole => fs::rename(&unready, copy),
        Copied::TooMuch => {
            forget(&unready)?;
            let why = format!("it held more than {} MiB or {FILES} files when the step began", BYTES >> 20);
            fs::write(copy, why)
        }
    }
}

/// Puts the folder back to what was kept; the folder itself stays, which shells stand in. What could not be put back.
pub fn put_back(copy: &Path, work: &Path) -> Vec<String> {
    let as_it_was = |why: String| vec![format!("LAB_WORK is as it was before the reset: {why}")];
    match fs::symlink_metadata(copy) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return as_it_was(fs::read_to_string(copy).unwrap_or_else(|error| error.to_string())),
        Err(_) => return as_it_was("its files were not kept when the step began".to_owned()),
    }
    let mut room = Room { bytes: u64::MAX, files: usize::MAX };
    let put = clear(work).and_then(|()| copy_into(copy, work, &mut room));
    put.err().map(|error| format!("LAB_WORK could not be put back whole: {error}")).into_iter().collect()
}

/// Removes all that is in the folder.
fn clear(work: &Path) -> io::Result<()> {
    for entry in fs::read_dir(work)? {
        let entry = entry?;
        forget(&entry.path())?;
    }
    Ok(())
}

fn forget(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

struct Room {
    bytes: u64,
    files: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    Whole,
    TooMuch,
}

fn copy_folder(from: &Path, to: &Path, room: &mut Room) -> io::Result<Copied> {
    fs::create_dir(to)?;
    let copied = copy_into(from, to, room)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    Ok(copied)
}

/// Links stay links, whatever they lead to; sockets and pipes belong to processes, and are left out.
fn copy_into(from: &Path, to: &Path, room: &mut Room) -> io::Result<Copied> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target): (PathBuf, PathBuf) = (entry.path(), to.join(entry.file_name()));
        let found = match entry.metadata() {
            Ok(found) => found,
            // Whoever works there goes on meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let size = if found.is_file() { found.len() } else { 0 };
        if room.files == 0 || size > room.bytes {
            return Ok(Copied::TooMuch);
        }
        room.files -= 1;
        room.bytes -= size;
        if found.is_dir() {
            if copy_folder(&source, &target, room)? == Copied::TooMuch {
                return Ok(Copied::TooMuch);
            }
        } else if found.is_symlink() {
            symlink(fs::read_link(&source)?, target)?;
        } else if found.is_file() {
            match fs::copy(&source, target) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                copied => drop(copied?),
            }
        }
    }
    Ok(Copied::Whole)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let (work, copy) = (dir.path().join("work"), dir.path().join("1.work"));
        fs::create_dir(&work).expect("made");
        (dir, work, copy)
    }

    #[test]
    fn files_folders_links_and_rights_come_back() {
        let (_dir, work, copy) = folders();
        fs::create_dir(work.join("sub")).expect("made");
        fs::write(work.join("sub/run"), "#!/bin/sh\n").expect("written");
        fs::set_permissions(work.join("sub/run"), fs::Permissions::from_mode(0o750)).expect("set");
        symlink("/nowhere", work.join("link")).expect("made");
        keep(&work, &copy).expect("kept");
        fs::remove_dir_all(work.join("sub")).expect("removed");
        fs::remove_file(work.join("link")).expect("removed");
        fs::write(work.join("new"), "").expect("written");
        assert_eq!(put_back(&copy, &work), Vec::<String>::new());
        assert_eq!(fs::read_to_string(work.join("sub/run")).expect("there"), "#!/bin/sh\n");
        assert_eq!(fs::metadata(work.join("sub/run")).expect("there").permissions().mode() & 0o777, 0o750);
        assert_eq!(fs::read_link(work.join("link")).expect("a link"), Path::new("/nowhere"));
        assert!(!work.join("new").exists());
        // The same beginning can be gone back to again.
        assert_eq!(put_back(&copy, &work), Vec::<String>::new());
        assert!(work.join("sub/run").exists());
    }

    #[test]
    fn what_is_too_large_stays_as_it_is_and_is_said() {
        let (_dir, work, copy) = folders();
        fs::File::create(work.join("large")).and_then(|file| file.set_len(BYTES + 1)).expect("made");
        keep(&work, &copy).expect("no error");
        fs::write(work.join("later"), "").expect("written");
        let left = put_back(&copy, &work);
        assert!(left.len() == 1 && left[0].contains("64 MiB"), "{left:?}");
        assert!(work.join("later").exists(), "nothing was removed");
        // A smaller beginning takes its place.
        fs::remove_file(work.join("large")).expect("removed");
        keep(&work, &copy).expect("kept");
        assert!(put_back(&copy, &work).is_empty());
    }

    #[test]
    fn without_a_copy_nothing_is_removed() {
        let (_dir, work, copy) = folders();
        fs::write(work.join("mine"), "").expect("written");
        assert_eq!(put_back(&copy, &work).len(), 1);
        assert!(work.join("mine").exists());
    }
}
