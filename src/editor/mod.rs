//! The language server: what `lint` finds, as it is written; what can be written, what a word means, where a name is
//! given and used. Silent on files that are no labs.

mod actions;
mod answers;
mod complete;
mod document;
mod hover;
mod line;
mod names;
mod open;
mod place;
mod server;

use std::path::{Path, PathBuf};

use crate::text::{Diagnostic, SourceFile};

pub use document::{Document, Encoding};
pub use server::serve;

/// What lies around a lab.
#[derive(Debug, Default)]
pub struct Around {
    /// The other labs of its collection, in the collection's order: those before it, and those after it.
    pub before: Vec<SourceFile>,
    pub after: Vec<SourceFile>,
    /// What is odd about where it lies.
    pub odd: Option<Diagnostic>,
    /// Of a lab its private part, of a private part its lab.
    pub beside: Option<SourceFile>,
}

/// How a check came out in the last run that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// As the check stood then.
    pub text: String,
    pub line: usize,
    pub verdict: String,
    pub reason: Option<String>,
    /// When the run began.
    pub at: String,
}

/// What the server asks of the program that it is part of.
pub trait Host: Sync {
    /// Looks around a lab; a collection never reaches beyond these folders, which the editor has open.
    fn around(&self, file: &Path, roots: &[PathBuf]) -> Around;

    /// A lab was read from its file, or written to it.
    fn keep_secrets(&self, source: &SourceFile);

    /// What Kubernetes says of a field, such as `core/v1.PodSpec.nodeName`.
    fn describe(&self, field: &str) -> Option<String>;

    /// How the lab's checks came out in the last run of it that is known.
    fn judged(&self, file: &Path) -> Vec<Judged>;

    /// Tests a lab, or one step of it, by the command line: whether it passed, and what was printed.
    fn test(&self, file: &Path) -> (bool, String);
}
