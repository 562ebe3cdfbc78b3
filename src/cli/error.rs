use crate::cluster::ClusterError;
use crate::outcome::Exit;

/// What ends a call before or beside a lab's verdict. Anything else is a bug.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The call itself is wrong: a path, a flag, a value.
    #[error("{message}")]
    WrongCall { message: String, hint: Option<String> },
    /// A tool, a cluster or the machine did not do its part.
    #[error("{message}")]
    Unavailable { message: String, hint: Option<String> },
    /// A cluster could not be brought up, reached or removed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Standard output or a report file could not be written.
    #[error("cannot write {what}: {source}")]
    Output { what: String, source: std::io::Error },
}

impl CliError {
    pub(super) fn wrong_call(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::WrongCall { message: message.into(), hint: Some(hint.into()) }
    }

    pub(super) fn unavailable(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Unavailable { message: message.into(), hint: Some(hint.into()) }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::WrongCall { .. } => Exit::WrongInput,
            Self::Unavailable { .. } | Self::Cluster(_) | Self::Output { .. } => Exit::CannotJudge,
        }
    }

    pub(super) fn hint(&self) -> Option<&str> {
        match self {
            Self::WrongCall { hint, .. } | Self::Unavailable { hint, .. } => hint.as_deref(),
            Self::Cluster(error) => error.hint.as_deref(),
            Self::Output { .. } => None,
        }
    }

    /// The last words of whatever failed.
    pub(super) fn detail(&self) -> &[String] {
        match self {
            Self::Cluster(error) => &error.detail,
            Self::WrongCall { .. } | Self::Unavailable { .. } | Self::Output { .. } => &[],
        }
    }
}
