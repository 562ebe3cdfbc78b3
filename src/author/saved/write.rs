//! Into a folder that nobody else may read, and without what is secret.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{EVENTS, EVIDENCE, HEAD, JOURNAL, LAB, LOG, PRIVATE, REPORT, SavedRun};
use crate::text::{mask, redact};

impl SavedRun {
    /// Writes it into this folder, which is made; what was saved there before is replaced.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        clear(folder)?;
        let hide = |text: &mut String| {
            if let std::borrow::Cow::Owned(hidden) = redact(text) {
                *text = hidden;
            }
        };
        let file = |name: &str| -> io::Result<File> {
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(folder.join(name))
        };
        // Stars keep what is written about lines and columns true.
        file(LAB)?.write_all(mask(&self.lab).as_bytes())?;
        if let Some(private) = &self.private {
            file(PRIVATE)?.write_all(mask(private).as_bytes())?;
        }
        let mut events = io::BufWriter::new(file(EVENTS)?);
        for event in &self.events {
            let mut event = event.clone();
            event.map_text(&hide);
            serde_json::to_writer(&mut events, &event)?;
            events.write_all(b"\n")?;
        }
        events.flush()?;
        let mut journal = io::BufWriter::new(file(JOURNAL)?);
        self.journal.view().save(&mut journal, &|text| redact(text).into_owned())?;
        journal.flush()?;
        let mut recording = self.recording.clone();
        recording.map_text(&hide);
        let mut evidence = io::BufWriter::new(file(EVIDENCE)?);
        serde_json::to_writer(&mut evidence, &recording)?;
        evidence.flush()?;
        for cast in &self.casts {
            file(&cast.name)?.write_all(cast.text().as_bytes())?;
        }
        file(REPORT)?.write_all(redact(&self.report).as_bytes())?;
        if !self.log.is_empty() {
            file(LOG)?.write_all(redact(&self.log).as_bytes())?;
        }
        // Last, so that a folder with a head is whole.
        let mut head = self.head.clone();
        hide(&mut head.lab.title);
        serde_json::to_writer_pretty(file(HEAD)?, &head)?;
        Ok(())
    }
}

/// Takes away a run that was saved there before, and nothing else.
fn clear(folder: &Path) -> io::Result<()> {
    if !folder.join(HEAD).exists() {
        return Ok(());
    }
    let own = [HEAD, LAB, PRIVATE, EVENTS, JOURNAL, EVIDENCE, REPORT, LOG];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if own.contains(&name.as_str()) || Path::new(&name).extension().is_some_and(|ext| ext == "cast") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
