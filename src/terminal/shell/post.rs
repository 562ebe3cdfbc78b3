//! How our own bash reports the status of a command: it makes a file whose name is the answer.
//!
//! A redirection without a command is the one thing that bash does which no alias, function, trap, option,
//! descriptor or read-only name of a block reaches. Each name begins with a token that is drawn anew for each
//! command, so that none can be made before.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where in the handing over of a command a report is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Right after the command, in the file that it stands in.
    File,
    /// After the typed line that reads the file.
    Line,
    /// An answer to a question of ours.
    Asked,
}

impl From {
    fn letter(self) -> char {
        match self {
            From::File => 'f',
            From::Line => 'l',
            From::Asked => 'a',
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) status: i32,
    pub(super) pid: i32,
    /// The shell's `$-`.
    pub(super) flags: String,
}

/// The folder of one shell's files.
pub(super) struct Post {
    dir: PathBuf,
}

impl Post {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the shell reads to make the report.
    pub(super) fn line(&self, token: &str, from: From) -> String {
        format!(">{}/{token}.{}.\"$?.$$.$-\"", quoted(&self.dir), from.letter())
    }

    pub(super) fn find(&self, token: &str, from: From) -> Option<Report> {
        let start = format!("{token}.{}.", from.letter());
        let names = self.dir.read_dir().ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let found = names.into_iter().find_map(|name| name.strip_prefix(&start).map(str::to_owned))?;
        let mut parts = found.splitn(3, '.');
        let (status, pid) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Report { status, pid, flags: parts.next().unwrap_or_default().to_owned() })
    }

    /// Writes what the shell is to read: never over, or into, what stands there already.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.dir.join(name);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?.write_all(text.as_bytes())?;
        Ok(path)
    }

    /// Removes what belongs to the token.
    pub(super) fn forget(&self, token: &str) {
        let names = self.dir.read_dir().into_iter().flatten().flatten();
        for entry in names.filter(|entry| entry.file_name().to_string_lossy().starts_with(token)) {
            // It goes with the folder at the latest.
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

pub(super) fn quoted(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_makes_the_report_that_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path().join("it's a b");
        std::fs::create_dir(&dir).expect("a folder");
        let post = Post::new(&dir);
        let script = format!("set -C; IFS=0123456789.; (exit 37); {}", post.line("t", From::File));
        let bash = std::process::Command::new("bash").args(["-c", &script]).status().expect("bash");
        assert!(bash.success());
        let report = post.find("t", From::File).expect("a report");
        assert_eq!(report.status, 37);
        assert!(report.pid > 1 && report.flags.contains('C'), "{report:?}");
        assert_eq!(post.find("t", From::Line), None);
        post.write("t", "x").expect("written");
        assert!(post.write("t", "x").is_err());
        post.forget("t");
        assert_eq!(dir.read_dir().expect("a listing").count(), 0);
    }
}
