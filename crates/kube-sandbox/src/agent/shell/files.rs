//! What is known of a container's files, over time: what its image has, what its volumes bring, what its commands do.

use std::collections::BTreeSet;

/// The state of a path from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Text(String),
    /// More text at its end.
    More(String),
    Folder,
    /// It is there; what it holds is not known.
    There,
    Gone,
}

/// `at` is in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) at: i64,
    pub(crate) path: String,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Text(String),
    Folder,
    There,
    No,
    /// It may be there, or not.
    Unknown,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    pub(crate) changes: Vec<Change>,
    /// Folders of which everything is known that is in them.
    pub(crate) whole: Vec<String>,
    /// Folders that others write to, so that what is in them is known only up to now.
    pub(crate) shared: Vec<String>,
    /// Folders of which nothing is known.
    pub(crate) foreign: Vec<String>,
    /// Whether the image is known, so that it has no folders at its root but the usual ones.
    pub(crate) known: bool,
}

/// What every image of a distribution has.
const FOLDERS: [&str; 28] = [
    "/",
    "/bin",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/log",
    "/var/run",
    "/var/tmp",
    "/dev/shm",
];
const FILES: [&str; 12] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/os-release",
    "/dev/null",
    "/dev/zero",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/urandom",
    "/dev/random",
];
/// At the root or in a folder for anybody: what nobody put there is not there.
const EMPTY: [&str; 5] = ["/tmp", "/mnt", "/media", "/srv", "/home"];
const MOST: usize = 5_000;
const LONGEST: usize = 256 * 1024;

fn within(path: &str, folder: &str) -> bool {
    folder == "/" || path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// An absolute path without `.`, `..` and doubled slashes.
pub(crate) fn absolute(path: &str, from: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{from}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

impl Files {
    pub(crate) fn is_shared(&self, path: &str) -> bool {
        self.shared.iter().any(|folder| within(path, folder))
    }

    pub(crate) fn find(&self, path: &str, at: i64) -> Found {
        let mut found: Option<Found> = None;
        for change in self.changes.iter().filter(|change| change.at <= at && change.path == path) {
            found = Some(match (&change.what, found.take()) {
                (What::Text(text), _) => Found::Text(text.clone()),
                (What::More(more), Some(Found::Text(mut text))) => {
                    if text.len() < LONGEST {
                        text.push_str(more);
                    }
                    Found::Text(text)
                }
                (What::More(more), None | Some(Found::No)) if self.base(path) == Found::No => Found::Text(more.clone()),
                (What::More(_) | What::There, _) => Found::There,
                (What::Folder, _) => Found::Folder,
                (What::Gone, _) => Found::No,
            });
        }
        if let Some(found) = found {
            return found;
        }
        let holds = |change: &Change| {
            change.at <= at && change.what != What::Gone && change.path != path && within(&change.path, path)
        };
        match self.base(path) {
            Found::No | Found::Unknown if self.changes.iter().any(holds) => Found::Folder,
            found => found,
        }
    }

    /// Before anything changed.
    fn base(&self, path: &str) -> Found {
        if self.whole.iter().chain(&self.foreign).any(|folder| folder == path) {
            return Found::Folder;
        }
        if self.foreign.iter().any(|folder| within(path, folder)) {
            return Found::Unknown;
        }
        if self.whole.iter().any(|folder| within(path, folder)) {
            return Found::No;
        }
        if FOLDERS.contains(&path) {
            return Found::Folder;
        }
        if FILES.contains(&path) {
            return Found::There;
        }
        let root = path.get(1..).and_then(|rest| rest.find('/')).map_or(path, |end| &path[..=end]);
        let empty = EMPTY.iter().any(|folder| within(path, folder)) || self.known && !FOLDERS.contains(&root);
        if empty { Found::No } else { Found::Unknown }
    }

    /// Whether all that is in the folder is known.
    pub(crate) fn lists(&self, folder: &str) -> bool {
        self.whole.iter().any(|whole| within(folder, whole))
            || EMPTY.iter().any(|empty| within(folder, empty))
            || self.changes.iter().any(|change| change.path == folder && change.what == What::Folder)
    }

    /// The names in a folder.
    pub(crate) fn list(&self, folder: &str, at: i64) -> BTreeSet<String> {
        let start = if folder == "/" { "/".to_owned() } else { format!("{folder}/") };
        let paths = self.changes.iter().filter(|change| change.at <= at).map(|change| change.path.as_str());
        let fixed = self.whole.iter().chain(&self.foreign).map(String::as_str);
        paths
            .chain(fixed)
            .filter_map(|path| path.strip_prefix(&start))
            .filter_map(|rest| rest.split('/').next())
            .filter(|name| !name.is_empty())
            .filter(|name| !matches!(self.find(&format!("{start}{name}"), at), Found::No))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn set(&mut self, at: i64, path: &str, what: What) {
        if self.changes.len() < MOST {
            self.changes.push(Change { at, path: path.to_owned(), what });
        }
    }

    /// It, and all that is in it.
    pub(crate) fn remove(&mut self, at: i64, path: &str) {
        let inside: BTreeSet<String> = self
            .changes
            .iter()
            .filter(|change| change.at <= at && within(&change.path, path))
            .map(|change| change.path.clone())
            .chain(std::iter::once(path.to_owned()))
            .collect();
        for path in inside {
            self.set(at, &path, What::Gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_between_its_making_and_its_end() {
        let mut files = Files { known: true, ..Files::default() };
        assert_eq!(files.find("/tmp/healthy", 0), Found::No);
        files.set(10, "/tmp/healthy", What::Text(String::new()));
        files.set(20, "/tmp/healthy", What::More("a".to_owned()));
        files.remove(30, "/tmp/healthy");
        assert_eq!(files.find("/tmp/healthy", 9), Found::No);
        assert_eq!(files.find("/tmp/healthy", 20), Found::Text("a".to_owned()));
        assert_eq!(files.find("/tmp/healthy", 30), Found::No);
    }

    #[test]
    fn what_an_image_may_hold_is_told_from_what_it_cannot() {
        let mut files = Files { known: true, whole: vec!["/pod-data".to_owned()], ..Files::default() };
        assert_eq!(files.find("/notexist", 0), Found::No);
        assert_eq!(files.find("/etc/passwd", 0), Found::There);
        assert_eq!(files.find("/etc/nginx/nginx.conf", 0), Found::Unknown);
        assert_eq!(files.find("/pod-data/x", 0), Found::No);
        files.set(0, "/data/a/b", What::Text("x".to_owned()));
        assert_eq!(files.find("/data", 0), Found::Folder);
        assert_eq!(files.list("/data", 0).into_iter().collect::<Vec<_>>(), ["a"]);
        files.known = false;
        assert_eq!(files.find("/app", 0), Found::Unknown);
    }

    #[test]
    fn paths_are_made_plain() {
        assert_eq!(absolute("../b//c/./d", "/a"), "/b/c/d");
        assert_eq!(absolute("/", "/a"), "/");
    }
}
