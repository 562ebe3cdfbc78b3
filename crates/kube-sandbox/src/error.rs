//! Why a sandbox does not come up.

use std::path::Path;

use crate::pki::PkiError;

/// What went wrong while a sandbox came up, and the last words of what failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SandboxError {
    /// What happened.
    pub message: String,
    /// The last lines of what failed.
    pub detail: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl SandboxError {
    /// A failure without more to say of it.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: Vec::new(), hint: None }
    }

    #[must_use]
    /// With the last lines of what failed.
    pub fn detail(mut self, lines: Vec<String>) -> Self {
        self.detail = lines;
        self
    }

    #[must_use]
    /// With what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("{what} at {} cannot be used: {error}", path.display()))
    }
}

impl From<PkiError> for SandboxError {
    fn from(error: PkiError) -> Self {
        Self::new(error.to_string())
    }
}
