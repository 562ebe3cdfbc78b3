//! From paths on the command line to lab files: each Markdown file of a course is a lab, or is named as none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::parse::{Kind, LARGEST, is_private, kind_of, private_path, secret_defaults, with_private};
use crate::text::{SourceFile, keep_secret};

/// What nothing on the command line stands for.
const DEFAULT_FOLDER: &str = "labs";

/// A lab file, and whether the user named this very lab.
#[derive(Debug)]
pub(super) struct LabFile {
    pub(super) source: SourceFile,
    pub(super) named: bool,
    /// Of it only this step was asked for.
    pub(super) step: Option<String>,
    /// What is odd about where it lies or how it is stored.
    pub(super) oddity: Option<Oddity>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oddity {
    /// `readme.md`: another case than GitHub's and this program's own.
    NearReadme,
    /// The only Markdown file of its folder, under another name.
    AloneInFolder,
    /// Where the bytes are no UTF-8.
    NotUtf8(usize),
}

/// A Markdown file of a course that is no lab.
#[derive(Debug)]
pub(super) struct NoLab {
    pub(super) path: PathBuf,
    pub(super) reason: String,
}

/// What lies under the given paths.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) labs: Vec<LabFile>,
    pub(super) others: Vec<NoLab>,
}

/// The lab files under the given paths, each once, folders in the order of their names.
pub(super) fn find(paths: &[PathBuf]) -> Result<Course, CliError> {
    let default = [PathBuf::from(DEFAULT_FOLDER)];
    let given = if paths.is_empty() { &default[..] } else { paths };
    if paths.is_empty() && !default[0].is_dir() {
        return Err(CliError::wrong_call(
            "no lab was named, and there is no folder `labs` here",
            "name a lab: its Markdown file, or its folder with a README.md",
        ));
    }
    let mut walk = Walk::default();
    for path in given {
        walk.given(path, !paths.is_empty())?;
    }
    Ok(Course { labs: walk.labs, others: walk.others })
}

/// The lab that somebody pipes in; what it refers to lies in the current folder.
pub(super) fn from_stdin() -> Result<LabFile, CliError> {
    let path = Path::new("-");
    let file = match text(std::io::stdin().lock()).map_err(|error| unreadable(path, &error))? {
        Text::Utf8(text) => lab(path, text, true, None),
        Text::Not(text, at) => lab(path, text, true, Some(Oddity::NotUtf8(at))),
    };
    Ok(file)
}

#[derive(Default)]
struct Walk {
    labs: Vec<LabFile>,
    others: Vec<NoLab>,
    /// Files and folders that were looked at, by their real paths: a link may lead back.
    seen: BTreeSet<PathBuf>,
}

impl Walk {
    /// A file is a lab; a folder whose `README.md` is a lab is that lab; another folder holds labs.
    fn given(&mut self, path: &Path, named: bool) -> Result<(), CliError> {
        let (path, step) = with_step(path);
        let before = self.labs.len();
        self.under(path, named)?;
        if let Some(step) = step {
            match &mut self.labs[before..] {
                [lab] => lab.step = Some(step.to_owned()),
                labs => {
                    let message = format!("{} is not one lab, but {}", path.display(), labs.len());
                    return Err(CliError::wrong_call(message, "name the lab that has the step: LAB#STEP"));
                }
            }
        }
        Ok(())
    }

    fn under(&mut self, path: &Path, named: bool) -> Result<(), CliError> {
        if path.is_file() {
            if is_private(path) {
                return Err(CliError::wrong_call(
                    format!("{} is the private part of a lab", path.display()),
                    "name the lab beside it; `lint`, `test`, `grade` and `verify` read this file with it",
                ));
            }
            let file = match read(path)? {
                Text::Utf8(text) => lab(path, text, named, None),
                Text::Not(text, at) => lab(path, text, named, Some(Oddity::NotUtf8(at))),
            };
            if self.fresh(path) {
                self.labs.push(file);
            }
            return Ok(());
        }
        if !path.is_dir() {
            return Err(CliError::wrong_call(
                format!("there is no lab at {}", path.display()),
                "a lab is a Markdown file, or a folder with a README.md",
            ));
        }
        let (labs, others) = (self.labs.len(), self.others.len());
        let readme = path.join("README.md");
        self.folder(path)?;
        let only = self.labs.get(labs).is_some_and(|lab| lab.source.path() == readme) && self.labs.len() == labs + 1;
        if only && named {
            // What lies beside a lab that was named is its own affair.
            self.labs[labs].named = true;
            self.others.truncate(others);
        }
        if self.labs.len() == labs && readme.is_file() && self.others.len() == others + 1 {
            // Named outright, so that what it lacks is a finding rather than silence.
            self.others.truncate(others);
            let (Text::Utf8(text) | Text::Not(text, _)) = read(&readme)?;
            self.labs.push(lab(&readme, text, named, None));
        } else if self.labs.len() == labs && self.others.len() == others {
            return Err(CliError::wrong_call(
                format!("there is no Markdown file in {}", path.display()),
                "a folder of labs holds Markdown files, or folders with a README.md",
            ));
        } else if self.labs.len() == labs {
            let reasons: Vec<String> = self.others[others..]
                .iter()
                .map(|other| format!("{}: {}", other.path.display(), other.reason))
                .collect();
            return Err(CliError::wrong_call(
                format!("there is no lab in {}", path.display()),
                format!("none of its files is a lab ({})", reasons.join("; ")),
            ));
        }
        Ok(())
    }

    /// Whether this file or folder was not looked at before.
    fn fresh(&mut self, path: &Path) -> bool {
        self.seen.insert(std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
    }

    fn folder(&mut self, dir: &Path) -> Result<(), CliError> {
        if !self.fresh(dir) {
            return Ok(());
        }
        let entries = std::fs::read_dir(dir).map_err(|error| unreadable(dir, &error))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        paths.retain(|path| !name(path).starts_with('.') && name(path) != "node_modules" && !is_private(path));
        paths.sort();
        let markdown =
            |path: &Path| path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("md")) && !path.is_dir();
        let files: Vec<PathBuf> = paths.iter().filter(|path| markdown(path)).cloned().collect();
        let has_folders = paths.iter().any(|path| path.is_dir());
        // A lab's own page first, as its id is the folder's.
        let (pages, rest): (Vec<PathBuf>, Vec<PathBuf>) = paths
            .into_iter()
            .filter(|path| markdown(path) || path.is_dir())
            .partition(|path| markdown(path) && name(path).eq_ignore_ascii_case("readme.md"));
        for path in pages.into_iter().chain(rest) {
            if path.is_dir() {
                self.folder(&path)?;
                continue;
            }
            let oddity = match name(&path).as_str() {
                "README.md" => None,
                other if other.eq_ignore_ascii_case("readme.md") => Some(Oddity::NearReadme),
                _ if files.len() == 1 && !has_folders && is_general(&path) => Some(Oddity::AloneInFolder),
                _ => None,
            };
            self.file(&path, oddity);
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, oddity: Option<Oddity>) {
        if !self.fresh(path) {
            return;
        }
        let none = |reason: String| NoLab { path: path.to_owned(), reason };
        match read(path) {
            // One that cannot be read must not hide the others.
            Err(error) => self.others.push(none(error.to_string())),
            Ok(Text::Not(text, at)) => self.labs.push(lab(path, text, false, Some(Oddity::NotUtf8(at)))),
            Ok(Text::Utf8(text)) => match kind_of(&text) {
                Kind::Lab => self.labs.push(lab(path, text, false, oddity)),
                Kind::Other(reason) => self.others.push(none(reason.to_owned())),
            },
        }
    }
}

/// `LAB#STEP`, where no file has that name.
fn with_step(path: &Path) -> (&Path, Option<&str>) {
    match path.to_str().and_then(|text| text.rsplit_once('#')) {
        Some((lab, step)) if !path.exists() && !step.is_empty() => (Path::new(lab), Some(step)),
        _ => (path, None),
    }
}

/// Names that say nothing of the lab, whose id they would be.
fn is_general(path: &Path) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    ["lab", "index", "exercise", "tutorial", "task", "lesson", "main", "instructions"].contains(&stem.as_str())
}

fn lab(path: &Path, text: String, named: bool, oddity: Option<Oddity>) -> LabFile {
    let source = SourceFile::new(path.display().to_string(), path, text);
    // Before anything is said of it.
    keep_secret(secret_defaults(&source));
    LabFile { source, named, oddity, step: None }
}

/// With the private part that lies beside the lab.
pub(super) fn whole(lab: &SourceFile) -> Result<SourceFile, CliError> {
    let Some(path) = private_path(lab.path()).filter(|path| path.is_file()) else { return Ok(lab.clone()) };
    match read(&path)? {
        Text::Utf8(text) => Ok(with_private(lab, &SourceFile::new(path.display().to_string(), &path, text))),
        Text::Not(..) => Err(CliError::wrong_call(format!("{} is not UTF-8", path.display()), "save it as UTF-8")),
    }
}

enum Text {
    Utf8(String),
    /// With what is no UTF-8 replaced, and where it begins.
    Not(String, usize),
}

fn read(path: &Path) -> Result<Text, CliError> {
    std::fs::File::open(path).and_then(text).map_err(|error| unreadable(path, &error))
}

fn text(from: impl std::io::Read) -> std::io::Result<Text> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    // One byte more than a lab may have: the parser says that it is too large.
    from.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Text::Utf8(text),
        Err(error) if error.as_bytes().len() > LARGEST && error.utf8_error().error_len().is_none() => {
            // The cut went through a character.
            Text::Utf8(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Err(error) => {
            Text::Not(String::from_utf8_lossy(error.as_bytes()).into_owned(), error.utf8_error().valid_up_to())
        }
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::wrong_call(format!("cannot read {}: {error}", path.display()), "check the path and its permissions")
}
