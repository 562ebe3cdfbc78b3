//! Lines put above a standing prompt, so that what is being typed stays as it is.
//!
//! readline moves its cursor only by what it knows of its own lines. Where those move down as a whole, it need not
//! know: so lines are inserted above the prompt by moves relative to the cursor, and nothing is said to the shell.

use std::num::NonZeroU16;

use console::{AnsiCodeIterator, measure_text_width};
use vt100::Parser;

/// More than a prompt with a long command and a list of completions takes.
const ROWS: u16 = 300;

const RESET: &str = "\x1b[0m";

/// Where the cursor stands within what was printed since the prompt began.
pub(super) struct Standing {
    model: Parser,
    /// The model's row in which the prompt begins.
    first: u16,
    /// What is on the screen is not known any more: it was resized, or more was printed than the model holds.
    is_lost: bool,
}

impl Standing {
    /// The cursor stands in this column of a fresh line.
    pub(super) fn new(columns: u16) -> Self {
        let size = |n: u16| NonZeroU16::new(n.max(1)).unwrap_or(NonZeroU16::MIN);
        Self { model: Parser::new(size(ROWS), size(columns), 0), first: 0, is_lost: false }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.model.process(bytes);
        let row = self.row();
        // Only an absolute move leads above the prompt: the screen was cleared, and the prompt begins at its top.
        self.first = self.first.min(row);
        self.is_lost |= row + 1 >= ROWS;
    }

    /// The prompt begins here, or is drawn again here.
    pub(super) fn begin(&mut self) {
        self.first = self.row();
    }

    /// A terminal folds its lines anew in a way of its own, unless all fit into one as before.
    pub(super) fn resize(&mut self, columns: u16) {
        let width = self.model.screen().size().1.get().min(columns);
        let is_short = self.last() == self.first && self.width_of_last() < width;
        self.is_lost |= !is_short;
        if let Some(columns) = NonZeroU16::new(columns) {
            let rows = self.model.screen().size().0;
            self.model.set_size(rows, columns);
        }
    }

    /// What to write so that the lines, none of them wider than the screen, stand above the prompt; nothing where that
    /// would not be certain, or where they do not fit.
    pub(super) fn insert(&self, lines: &[String], screen_rows: u16) -> Option<String> {
        let (row, column) = self.model.screen().cursor_position();
        let count = u16::try_from(lines.len()).ok()?;
        let last = self.last().max(row);
        let height = last - self.first + 1;
        if self.is_lost || count == 0 || row < self.first || count + height >= screen_rows {
            return None;
        }
        let mut text = String::new();
        // Room at the bottom first, by as many line feeds below the prompt's last line as there are lines to come.
        down(&mut text, last - row);
        text.push('\r');
        text.push_str(&"\n".repeat(usize::from(count)));
        up(&mut text, count + last - self.first);
        text.push_str(&format!("\x1b[{count}L"));
        for line in lines {
            text.push_str(line);
            text.push_str(RESET);
            text.push_str("\r\n");
        }
        down(&mut text, row - self.first);
        text.push_str(&format!("\r\x1b[{}G", column + 1));
        Some(text)
    }

    /// Without its prompt, what is typed: from the given place of the prompt's end.
    pub(super) fn place(&self) -> (u16, u16) {
        self.model.screen().cursor_position()
    }

    pub(super) fn text_from(&self, (row, column): (u16, u16)) -> String {
        let screen = self.model.screen();
        let (last, columns) = (self.last(), screen.size().1.get());
        screen.contents_between(row, column, last, columns).trim_end().to_owned()
    }

    fn row(&self) -> u16 {
        self.model.screen().cursor_position().0
    }

    /// The last row with something in it, from the prompt's first on.
    fn last(&self) -> u16 {
        let rows = self.model.screen().rows(0, self.model.screen().size().1.get());
        let last = rows.enumerate().filter(|(_, text)| !text.trim_end().is_empty()).last();
        last.and_then(|(row, _)| u16::try_from(row).ok()).unwrap_or(0).max(self.first)
    }

    fn width_of_last(&self) -> u16 {
        let screen = self.model.screen();
        let text = screen.rows(0, screen.size().1.get()).nth(usize::from(self.last())).unwrap_or_default();
        u16::try_from(console::measure_text_width(&text)).unwrap_or(u16::MAX)
    }
}

/// A line as a terminal shows it that folds it wherever it is full, its colours in each row.
pub(super) fn folded(line: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let (mut row, mut used, mut style) = (String::new(), 0, String::new());
    for (piece, is_style) in AnsiCodeIterator::new(line) {
        if is_style {
            row.push_str(piece);
            style.push_str(piece);
            if piece == RESET {
                style.clear();
            }
            continue;
        }
        for letter in piece.split_inclusive(|_: char| true) {
            let width = measure_text_width(letter);
            if used > 0 && used + width > columns {
                rows.push(std::mem::replace(&mut row, style.clone()));
                used = 0;
            }
            row.push_str(letter);
            used += width;
        }
    }
    rows.push(row);
    rows
}

fn up(text: &mut String, rows: u16) {
    if rows > 0 {
        text.push_str(&format!("\x1b[{rows}A"));
    }
}

fn down(text: &mut String, rows: u16) {
    if rows > 0 {
        text.push_str(&format!("\x1b[{rows}B"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A screen of 6 by 20 with some lines of output, the prompt and what is typed; then two lines are inserted.
    fn inserted(before: &str, typed: &str) -> (Vec<String>, (u16, u16)) {
        let size = |n| NonZeroU16::new(n).expect("not zero");
        let mut screen = Parser::new(size(6), size(20), 0);
        screen.process(before.as_bytes());
        let mut standing = Standing::new(20);
        standing.begin();
        standing.feed(typed.as_bytes());
        screen.process(typed.as_bytes());
        let text = standing.insert(&["first".to_owned(), "second".to_owned()], 6).expect("it fits");
        screen.process(text.as_bytes());
        (screen.screen().rows(0, 20).collect(), screen.screen().cursor_position())
    }

    #[test]
    fn lines_come_above_the_prompt_and_the_cursor_stays_in_its_place() {
        let (rows, cursor) = inserted("out\r\n", "$ kubectl get\x1b[3D");
        assert_eq!(rows, ["out", "first", "second", "$ kubectl get", "", ""]);
        assert_eq!(cursor, (3, 10));
    }

    #[test]
    fn at_the_bottom_the_screen_scrolls() {
        let (rows, cursor) = inserted("a\r\nb\r\nc\r\nd\r\ne\r\n", "$ ls");
        assert_eq!(rows, ["c", "d", "e", "first", "second", "$ ls"]);
        assert_eq!(cursor, (5, 4));
    }

    #[test]
    fn a_long_command_moves_as_a_whole() {
        // 24 characters on a screen of 20, the cursor moved back into the first row.
        let typed = "$ echo 1234567890 123456\x1b[A";
        let (rows, cursor) = inserted("a\r\nb\r\nc\r\nd\r\n", typed);
        assert_eq!(rows, ["c", "d", "first", "second", "$ echo 1234567890 12", "3456"]);
        assert_eq!(cursor, (4, 4));
    }

    #[test]
    fn a_line_that_is_wider_than_the_screen_takes_its_rows_and_the_prompt_stays() {
        let line = format!("\x1b[31m{}\x1b[0m", "0123456789".repeat(3));
        assert_eq!(folded(&line, 20), [format!("\x1b[31m{0}{0}", "0123456789"), "\x1b[31m0123456789\x1b[0m".into()]);
        assert_eq!(folded("漢漢漢", 5), ["漢漢", "漢"]);
        assert_eq!(folded("", 5), [""]);
        let size = |n| NonZeroU16::new(n).expect("not zero");
        let mut screen = Parser::new(size(6), size(20), 0);
        let mut standing = Standing::new(20);
        standing.begin();
        standing.feed(b"$ ls");
        screen.process(b"out\r\n$ ls");
        screen.process(standing.insert(&folded(&line, 20), 6).expect("it fits").as_bytes());
        let rows: Vec<String> = screen.screen().rows(0, 20).collect();
        assert_eq!(rows, ["out", "01234567890123456789", "0123456789", "$ ls", "", ""]);
        assert_eq!(screen.screen().cursor_position(), (3, 4));
    }

    #[test]
    fn a_cleared_screen_is_known() {
        let (rows, _) = inserted("a\r\nb\r\n", "$ l\x1b[H\x1b[2J$ ls");
        assert_eq!(rows[..3], ["first", "second", "$ ls"]);
    }

    #[test]
    fn after_a_resize_only_what_fits_in_one_line_is_known() {
        let mut standing = Standing::new(20);
        standing.begin();
        standing.feed(b"$ ls");
        standing.resize(10);
        assert!(standing.insert(&["x".to_owned()], 6).is_some());
        standing.feed(b" a/long/name");
        standing.resize(30);
        assert!(standing.insert(&["x".to_owned()], 6).is_none());
    }

    #[test]
    fn what_is_typed_can_be_read_off() {
        let mut standing = Standing::new(20);
        standing.begin();
        standing.feed(b"me$ ");
        let place = standing.place();
        standing.feed(b"echo 1234567890 1234567890");
        assert_eq!(standing.text_from(place), "echo 1234567890 1234567890");
    }
}
