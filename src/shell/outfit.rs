//! What a learner's shell finds beside the lab's own variables: the way to its session, the word `lab`, a label before
//! each prompt. The same in a terminal of this machine and in one of the page.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::session::door::VARIABLE;
use crate::session::{Environment, View};
use crate::terminal::ShellSettings;
use owned_processes::Guard;

/// The folder in which a terminal finds what it shall do: type a block.
pub const TERMINAL_VARIABLE: &str = "KEYWITNESS_TERMINAL";
/// The file of that folder which holds a block to type: its name, a line end, its text.
const TO_TYPE: &str = "type";
/// The file of that folder which names the word that has asked about something, and the number of what it asked.
const ASKED: &str = "asked";

/// How the word `lab` answers in a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordStyle {
    /// In words alone, without drawing.
    pub is_plain: bool,
    /// There is somebody to ask.
    pub is_attended: bool,
}

/// What a session gives to a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outfit {
    pub env: Vec<(String, String)>,
    pub path_prefix: Vec<PathBuf>,
    pub completer: String,
}

impl Outfit {
    /// Makes the word `lab` in the shell's private folder. `program` is this very program.
    pub fn make(environment: &Environment, program: &Path, dir: &Path, style: WordStyle) -> io::Result<Self> {
        let program = shell_words::quote(&program.display().to_string()).into_owned();
        let bin = dir.join("bin");
        std::fs::create_dir_all(&bin)?;
        let plain = if style.is_plain { " --plain" } else { "" };
        let unattended = if style.is_attended { "" } else { " --unattended" };
        let script = format!("#!/bin/sh\nexec {program} __lab{plain}{unattended} \"$@\"\n");
        let mut file = File::options().create(true).write(true).truncate(true).mode(0o700).open(bin.join("lab"))?;
        file.write_all(script.as_bytes())?;
        let mut path_prefix = vec![bin];
        path_prefix.extend(environment.path.iter().map(PathBuf::from));
        Ok(Self { env: variables(environment, dir), path_prefix, completer: format!("{program} __lab --words") })
    }

    /// A shell with it; `dir` is the private folder that it was made in.
    pub fn shell(self, guard: Guard, environment: &Environment, dir: &Path, view: &View) -> ShellSettings {
        ShellSettings {
            guard,
            dir: dir.to_owned(),
            cwd: PathBuf::from(&environment.work),
            env: self.env,
            path_prefix: self.path_prefix,
            completer: self.completer,
            label: label(view),
        }
    }
}

/// The lab's variables; the person's HOME stays, with what their shell reads there.
fn variables(environment: &Environment, dir: &Path) -> Vec<(String, String)> {
    let mut vars: Vec<(String, String)> =
        environment.vars.iter().filter(|(name, _)| name != "HOME" && name != "PATH").cloned().collect();
    vars.push((VARIABLE.to_owned(), environment.door.clone()));
    vars.push((TERMINAL_VARIABLE.to_owned(), dir.display().to_string()));
    vars
}

/// Names the lab and the step before a prompt.
pub fn label(view: &View) -> String {
    // It is read by a shell.
    let id: String = view.lab.id.chars().filter(|c| c.is_alphanumeric() || "-_.".contains(*c)).collect();
    format!("({id} {}/{}) ", view.step.number, view.of)
}

/// Leaves a block for a terminal to type at its next prompt.
pub(super) fn leave_to_type(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let new = dir.join("type.new");
    std::fs::write(&new, format!("{name}\n{text}"))?;
    std::fs::rename(new, dir.join(TO_TYPE))
}

/// The block that `lab run` has left for this terminal: its name and its text.
pub fn to_type(dir: &Path) -> io::Result<Option<(String, String)>> {
    let file = dir.join(TO_TYPE);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    std::fs::remove_file(&file)?;
    Ok(text.split_once('\n').map(|(name, text)| (name.to_owned(), text.to_owned())))
}

/// Keeps what a word has asked about in this terminal, and the number by which it is agreed to.
pub(super) fn remember_asked(dir: &Path, word: &str, number: i64) -> io::Result<()> {
    std::fs::write(dir.join(ASKED), format!("{word} {number}"))
}

/// The number of what this word has asked about last in this terminal.
pub(super) fn asked_about(dir: &Path, word: &str) -> Option<i64> {
    let text = std::fs::read_to_string(dir.join(ASKED)).ok()?;
    let (of, number) = text.split_once(' ')?;
    (of == word).then(|| number.parse().ok()).flatten()
}

/// Another word came between.
pub(super) fn forget_asked(dir: &Path) -> io::Result<()> {
    match std::fs::remove_file(dir.join(ASKED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_finds_its_session_and_the_word() {
        let dir = tempfile::tempdir().expect("a folder");
        let vars = [("NS", "demo"), ("HOME", "/lab"), ("PATH", "/lab")];
        let environment = Environment {
            vars: vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            path: vec!["/lab/bin".to_owned()],
            work: "/lab/work".to_owned(),
            door: "/lab/door".to_owned(),
        };
        let style = WordStyle { is_plain: true, is_attended: false };
        let outfit = Outfit::make(&environment, Path::new("/a b/keywitness"), dir.path(), style).expect("made");
        let names: Vec<&str> = outfit.env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["NS", VARIABLE, TERMINAL_VARIABLE]);
        assert_eq!(outfit.path_prefix, [dir.path().join("bin"), PathBuf::from("/lab/bin")]);
        let word = std::fs::read_to_string(dir.path().join("bin/lab")).expect("the word");
        assert_eq!(word, "#!/bin/sh\nexec '/a b/keywitness' __lab --plain --unattended \"$@\"\n");
        assert_eq!(outfit.completer, "'/a b/keywitness' __lab --words");
    }

    #[test]
    fn what_a_word_has_asked_is_agreed_to_by_the_same_word() {
        let dir = tempfile::tempdir().expect("a folder");
        remember_asked(dir.path(), "skip", 7).expect("kept");
        assert_eq!((asked_about(dir.path(), "skip"), asked_about(dir.path(), "next")), (Some(7), None));
        forget_asked(dir.path()).expect("forgotten");
        forget_asked(dir.path()).expect("nothing is left to forget");
        assert_eq!(asked_about(dir.path(), "skip"), None);
    }

    #[test]
    fn a_block_is_left_for_one_prompt() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(to_type(dir.path()).expect("read"), None);
        leave_to_type(dir.path(), "make", "a\nb").expect("left");
        assert_eq!(to_type(dir.path()).expect("read"), Some(("make".to_owned(), "a\nb".to_owned())));
        assert_eq!(to_type(dir.path()).expect("read"), None);
    }
}
