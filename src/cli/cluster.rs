use clap::Args;

use super::error::CliError;
use crate::outcome::Exit;

#[derive(Debug, Args)]
pub(super) struct ClusterArgs {}

pub(super) fn main(_args: &ClusterArgs) -> Result<Exit, CliError> {
    Err(CliError::unavailable("cluster is not in this build yet", "see the open issues"))
}
