use clap::Args;

use super::args::{Format, LabArgs};
use super::error::CliError;
use crate::outcome::Exit;

#[derive(Debug, Args)]
pub(super) struct LintArgs {
    #[command(flatten)]
    pub(super) labs: LabArgs,
    /// What standard output carries
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: Format,
}

pub(super) fn main(args: &LintArgs) -> Result<Exit, CliError> {
    let _labs = super::labs::find(&args.labs.paths)?;
    Err(CliError::unavailable("lint is not in this build yet", "see the open issues"))
}
