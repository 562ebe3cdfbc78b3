use std::io::{self, Write};

use crate::outcome::RunReport;

/// The documented JSON.
pub fn json(report: &RunReport, to: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *to, report)?;
    to.write_all(b"\n")
}
