//! A terminal's screen as far as it decides what a person reads: overwritten text is gone, control
//! sequences leave nothing.

use std::collections::{BTreeMap, VecDeque};

use super::capture::Capture;
use super::listener::Listener;

/// A line longer than this is moved to the capture before its end, so that it cannot fill the memory.
const LONGEST_OPEN_LINE: usize = 1 << 16;

/// The last lines, which cursor movements may still change, over the capture of all before them.
#[derive(Debug)]
pub(super) struct Screen {
    capture: Capture,
    lines: VecDeque<Vec<char>>,
    row: usize,
    column: usize,
    height: usize,
}

impl Screen {
    pub(super) fn new(height: u16) -> Self {
        Self {
            capture: Capture::from(0),
            lines: VecDeque::from([Vec::new()]),
            row: 0,
            column: 0,
            height: usize::from(height).max(1),
        }
    }

    /// Starts anew, and hands over what was captured before.
    pub(super) fn restart(&mut self) -> Capture {
        let end = self.freeze();
        std::mem::replace(&mut self.capture, Capture::from(end))
    }

    /// From here on nothing before can change; the offset of this place.
    pub(super) fn freeze(&mut self) -> u64 {
        let text = self.open_text();
        self.capture.push(&text);
        self.lines.clear();
        self.lines.push_back(Vec::new());
        (self.row, self.column) = (0, 0);
        self.capture.end()
    }

    pub(super) fn printed(&self) -> u64 {
        self.capture.printed()
    }

    pub(super) fn start(&self) -> u64 {
        self.capture.start()
    }

    /// The end of what cannot change any more.
    pub(super) fn end(&self) -> u64 {
        self.capture.end()
    }

    /// What was printed since the offset; what may still change included.
    pub(super) fn since(&self, offset: u64) -> (String, bool) {
        let (mut text, truncated) = self.capture.slice(offset, self.capture.end());
        text.push_str(&self.open_text());
        (text, truncated)
    }

    /// From here on this looks for its patterns in what is printed.
    pub(super) fn listen(&mut self, listener: Option<Listener>) {
        self.capture.listen(listener);
    }

    /// Nothing before this place counts any more for what is looked for; its offset.
    pub(super) fn mark(&mut self) -> u64 {
        let end = self.freeze();
        self.capture.mark();
        end
    }

    /// What is known of the patterns that are looked for, what may still change included.
    pub(super) fn found(&self) -> BTreeMap<String, bool> {
        self.capture.found(&self.open_text())
    }

    pub(super) fn slice(&self, from: u64, to: u64) -> (String, bool) {
        self.capture.slice(from, to)
    }

    fn open_text(&self) -> String {
        let mut text = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.extend(line);
        }
        text
    }

    pub(super) fn put(&mut self, char: char) {
        let line = &mut self.lines[self.row];
        if line.len() < self.column {
            line.resize(self.column, ' ');
        }
        match line.get_mut(self.column) {
            Some(cell) => *cell = char,
            None => line.push(char),
        }
        self.column += 1;
        if line.len() >= LONGEST_OPEN_LINE && self.row + 1 == self.lines.len() {
            self.freeze();
        }
    }

    /// C0 controls; all others leave nothing.
    pub(super) fn control(&mut self, byte: u8) {
        match byte {
            b'\n' | 0x0b | 0x0c => self.line_feed(),
            b'\r' => self.column = 0,
            b'\t' => self.put('\t'),
            0x08 => self.column = self.column.saturating_sub(1),
            _ => {}
        }
    }

    fn line_feed(&mut self) {
        self.column = 0;
        self.row += 1;
        if self.row == self.lines.len() {
            self.lines.push_back(Vec::new());
        }
        while self.lines.len() > self.height {
            let mut line: String = self.lines.pop_front().into_iter().flatten().collect();
            line.push('\n');
            self.capture.push(&line);
            self.row = self.row.saturating_sub(1);
        }
    }

    /// CSI sequences that move the cursor or erase.
    pub(super) fn sequence(&mut self, action: char, first: u16, second: u16) {
        let count = usize::from(first.max(1));
        match action {
            'A' | 'F' => self.row = self.row.saturating_sub(count),
            'B' | 'E' => self.go_to_row(self.row + count),
            'C' => self.column = (self.column + count).min(LONGEST_OPEN_LINE),
            'D' => self.column = self.column.saturating_sub(count),
            'G' | '`' => self.column = count - 1,
            'H' | 'f' => {
                self.go_to_row(count - 1);
                self.column = usize::from(second.max(1)) - 1;
            }
            'K' => self.erase_line(first),
            // A cleared screen takes nothing from what was printed on it.
            'J' if first >= 2 => {
                if self.lines.back().is_some_and(|line| !line.is_empty()) {
                    self.lines.push_back(Vec::new());
                }
                self.freeze();
            }
            'J' if first == 0 => {
                self.lines.truncate(self.row + 1);
                self.erase_line(0);
            }
            _ => {}
        }
        if matches!(action, 'E' | 'F') {
            self.column = 0;
        }
    }

    fn go_to_row(&mut self, row: usize) {
        self.row = row.min(self.height - 1);
        while self.lines.len() <= self.row {
            self.lines.push_back(Vec::new());
        }
    }

    fn erase_line(&mut self, mode: u16) {
        let line = &mut self.lines[self.row];
        match mode {
            0 => line.truncate(self.column),
            1 => {
                let upto = (self.column + 1).min(line.len());
                line[..upto].fill(' ');
            }
            _ => line.clear(),
        }
    }
}
