//! Looks for patterns in what a block prints while it is printed, once that is more than is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::block::Block;
use super::tidy::tidy;
use crate::text::Search;

/// A longer line is looked at in parts.
const LONGEST_LINE: usize = 1 << 16;

/// Hears the text as a person sees it, line by line, since what the shell adds to it stands in lines of its own.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    searches: Vec<(String, Option<Search>)>,
    line: Vec<u8>,
    commands: String,
    dir: PathBuf,
}

impl Listener {
    /// `None` where there is nothing to look for.
    pub(super) fn of(block: &Block, dir: &Path) -> Option<Self> {
        if block.searched.is_empty() {
            return None;
        }
        let searches = block.searched.iter().map(|pattern| (pattern.clone(), Search::new(pattern))).collect();
        let commands = block.lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
        Some(Self { searches, line: Vec::new(), commands, dir: dir.to_owned() })
    }

    /// What came so far does not count any more.
    pub(super) fn restart(&mut self) {
        self.line.clear();
        self.searches.iter_mut().filter_map(|(_, search)| search.as_mut()).for_each(Search::restart);
    }

    pub(super) fn hear(&mut self, text: &[u8]) {
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.line.len() > LONGEST_LINE {
                self.look();
            }
        }
    }

    fn look(&mut self) {
        let dir = self.dir.as_os_str().as_encoded_bytes();
        let names_dir = !dir.is_empty() && self.line.windows(dir.len()).any(|part| part == dir);
        let mut line = std::mem::take(&mut self.line);
        if names_dir || line.starts_with(b"[") || line.starts_with(b"+") {
            line = tidy(&String::from_utf8_lossy(&line), &self.commands, &self.dir).into_bytes();
        }
        self.searches.iter_mut().filter_map(|(_, search)| search.as_mut()).for_each(|search| search.feed(&line));
    }

    /// What is known if this is the end of the text.
    pub(super) fn found(mut self) -> BTreeMap<String, bool> {
        self.look();
        let known = self.searches.into_iter().filter_map(|(pattern, search)| Some((pattern, search?.found()?)));
        known.collect()
    }
}
