//! Where a line is left about what should not have happened: beside etcd's log, and never larger than a few
//! megabytes.

use std::io::Write;
use std::path::PathBuf;

const LARGEST: u64 = 4 << 20;

#[derive(Debug, Clone, Default)]
pub struct Log(Option<PathBuf>);

impl Log {
    pub fn at(path: PathBuf) -> Self {
        Self(Some(path))
    }

    /// That it cannot be written is no reason to stop.
    pub fn line(&self, line: &str) {
        let Some(path) = &self.0 else { return };
        if std::fs::metadata(path).is_ok_and(|meta| meta.len() > LARGEST) {
            return;
        }
        if let Ok(mut file) = std::fs::File::options().append(true).create(true).open(path) {
            let _ = writeln!(file, "{} {line}", super::api::meta::now_text());
        }
    }
}

/// What a panic said.
pub fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is no text")
}
