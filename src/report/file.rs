use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::Reporter;
use crate::outcome::{Fold, RunEvent, RunReport};

/// How a format writes a finished report.
pub type Format = fn(&RunReport, &mut dyn Write) -> io::Result<()>;

/// Writes one format to a file, once, at the end.
pub struct ToFile {
    path: PathBuf,
    format: Format,
    append: bool,
}

impl ToFile {
    pub fn new(path: PathBuf, format: Format) -> Self {
        Self { path, format, append: false }
    }

    /// After what the file holds already.
    pub fn appending(path: PathBuf, format: Format) -> Self {
        Self { path, format, append: true }
    }
}

impl Reporter for ToFile {
    fn event(&mut self, _event: &RunEvent, _so_far: &Fold) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        if let Some(parent) = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent)?;
        }
        let file = if self.append {
            File::options().create(true).append(true).open(&self.path)?
        } else {
            File::create(&self.path)?
        };
        let mut file = BufWriter::new(file);
        (self.format)(report, &mut file)?;
        file.flush()
    }
}

/// Writes one format to a stream, once, at the end.
pub struct ToStream<W> {
    writer: W,
    format: Format,
}

impl<W: Write> ToStream<W> {
    pub fn new(writer: W, format: Format) -> Self {
        Self { writer, format }
    }
}

impl<W: Write + Send> Reporter for ToStream<W> {
    fn event(&mut self, _event: &RunEvent, _so_far: &Fold) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        (self.format)(report, &mut self.writer)?;
        self.writer.flush()
    }
}
