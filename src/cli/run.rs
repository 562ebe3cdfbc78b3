use super::args::{RunArgs, TestArgs};
use super::error::CliError;
use crate::outcome::Exit;

pub(super) fn run(args: &RunArgs) -> Result<Exit, CliError> {
    let _labs = super::labs::find(&args.labs.paths)?;
    Err(CliError::unavailable("run is not in this build yet", "see the open issues"))
}

pub(super) fn test(args: &TestArgs) -> Result<Exit, CliError> {
    run(&args.run)
}
