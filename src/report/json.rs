use std::io::{self, Write};

use super::Reporter;
use crate::outcome::{Fold, RunEvent, RunReport};

/// The documented JSON, once, at the end.
pub struct Json<W>(W);

impl<W: Write> Json<W> {
    pub fn new(writer: W) -> Self {
        Self(writer)
    }
}

impl<W: Write + Send> Reporter for Json<W> {
    fn event(&mut self, _event: &RunEvent, _so_far: &Fold) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.0, report)?;
        self.0.write_all(b"\n")?;
        self.0.flush()
    }
}
