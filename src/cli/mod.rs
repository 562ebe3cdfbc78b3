//! clap types, settings, and the only place that builds concrete parts.

use std::process::ExitCode;

pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
