use clap::Args;

use super::error::CliError;
use crate::outcome::Exit;

#[derive(Debug, Args)]
pub(super) struct DecodeArgs {}

pub(super) fn main(_args: &DecodeArgs) -> Result<Exit, CliError> {
    Err(CliError::unavailable("decode is not in this build yet", "see the open issues"))
}
