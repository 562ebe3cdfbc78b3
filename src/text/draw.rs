use std::fmt::Write as _;

use console::Style;

use super::redact::mask;
use super::{Diagnostic, Severity, SourceFile, Span, redact};

/// A longer line is cut around what is marked.
const WIDEST: usize = 120;

impl Diagnostic {
    /// `file:line:column`, what is wrong, the line with the place marked, and what to do next.
    pub fn draw(&self, source: &SourceFile, color: bool) -> String {
        let style = |style: Style| style.force_styling(color);
        let word = self.severity.name();
        let accent = match self.severity {
            Severity::Error => style(Style::new().red().bold()),
            Severity::Warning => style(Style::new().yellow().bold()),
        };
        let frame = style(Style::new().blue().bold());
        let bold = style(Style::new().bold());
        let position = source.position(self.span.start);

        let mut out = String::new();
        let label = accent.apply_to(format!("{word}[{}]", self.code.0));
        let message = bold.apply_to(printable(&redact(&self.message)));
        let _ = writeln!(
            out,
            "{}:{}:{}: {label}: {message}",
            source.name_at(self.span.start),
            position.line,
            position.column
        );
        let number = position.line.to_string();
        let gutter = " ".repeat(number.len());
        let (excerpt, indent, width) = excerpt(source, self.span);
        let _ = writeln!(out, "{gutter} {}", frame.apply_to("|"));
        let _ = writeln!(out, "{} {} {excerpt}", frame.apply_to(&number), frame.apply_to("|"));
        let carets = accent.apply_to("^".repeat(width));
        let _ = writeln!(out, "{gutter} {} {}{carets}", frame.apply_to("|"), " ".repeat(indent));
        if let Some(hint) = &self.hint {
            for (index, line) in hint.lines().enumerate() {
                let lead = if index == 0 { "=" } else { " " };
                let _ = writeln!(out, "{gutter} {} {}", frame.apply_to(lead), printable(&redact(line)));
            }
        }
        out
    }
}

/// The line as it is shown, how far in the mark stands, and how wide it is.
fn excerpt(source: &SourceFile, span: Span) -> (String, usize, usize) {
    let line = source.row(span.start);
    let start = source.line_start(line);
    let text = &*mask(source.line(line));
    let from = span.start.saturating_sub(start).min(text.len());
    let to = span.end.saturating_sub(start).clamp(from, text.len());

    let mut shown = Shown::default();
    for (at, c) in text.char_indices() {
        shown.push(at, c);
    }
    let indent = shown.column(from);
    let width = shown.column(to).saturating_sub(indent).max(1);
    if shown.width <= WIDEST {
        return (shown.text(0, usize::MAX), indent, width);
    }
    let first = indent.saturating_sub(WIDEST / 3);
    let last = (first + WIDEST).min(shown.width);
    let lead = if first > 0 { "… " } else { "" };
    let tail = if last < shown.width { " …" } else { "" };
    let (cut, cut_first) = (shown.text(first, last), shown.first_column(first));
    let room = last.saturating_sub(indent).max(1);
    (format!("{lead}{cut}{tail}"), indent - cut_first + lead.chars().count(), width.min(room))
}

/// Characters with the terminal columns that they take.
#[derive(Default)]
struct Shown {
    cells: Vec<Cell>,
    width: usize,
}

struct Cell {
    at: usize,
    column: usize,
    text: String,
}

impl Shown {
    fn push(&mut self, at: usize, c: char) {
        let text = match c {
            '\t' => " ".repeat(4 - self.width % 4),
            c if c.is_control() => "\u{fffd}".to_owned(),
            c => c.to_string(),
        };
        let width = console::measure_text_width(&text);
        self.cells.push(Cell { at, column: self.width, text });
        self.width += width;
    }

    fn column(&self, at: usize) -> usize {
        let index = self.cells.partition_point(|cell| cell.at < at);
        self.cells.get(index).map_or(self.width, |cell| cell.column)
    }

    fn first_column(&self, from: usize) -> usize {
        self.cells.iter().map(|cell| cell.column).find(|column| *column >= from).unwrap_or(self.width)
    }

    fn text(&self, from: usize, to: usize) -> String {
        self.cells.iter().filter(|c| (from..to).contains(&c.column)).map(|c| c.text.as_str()).collect()
    }
}

/// A file's own control sequences must not reach the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Code;

    fn draw(text: &str, marked: &str) -> String {
        let source = SourceFile::new("lab.md", "lab.md", text);
        let start = text.find(marked).expect("the marked text is there");
        Diagnostic {
            code: Code("KW000"),
            severity: Severity::Error,
            span: Span::new(start, start + marked.len()),
            message: "wrong".to_owned(),
            hint: Some("do this\nor that".to_owned()),
            fix: Vec::new(),
        }
        .draw(&source, false)
    }

    #[test]
    fn the_place_is_marked() {
        assert_eq!(
            draw("one\ntwo three\n", "three"),
            "lab.md:2:5: error[KW000]: wrong\n  |\n2 | two three\n  |     ^^^^^\n  = do this\n    or that\n"
        );
    }

    #[test]
    fn wide_characters_and_tabs_keep_the_mark_in_place() {
        let drawn = draw("\t漢字 x y", "x");
        assert!(drawn.starts_with("lab.md:1:5:"), "{drawn}");
        assert!(drawn.contains("\n1 |     漢字 x y\n  |          ^\n"), "{drawn}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let drawn = draw(&format!("{}MARK{}", "a".repeat(400), "b".repeat(400)), "MARK");
        let lines: Vec<&str> = drawn.lines().collect();
        let at = lines[2].chars().position(|c| c == 'M');
        assert_eq!(at, lines[3].chars().position(|c| c == '^'), "{drawn}");
        assert!(lines.iter().all(|line| line.chars().count() < 140), "{drawn}");
    }

    #[test]
    fn control_characters_are_not_passed_on() {
        assert!(!draw("\u{1b}[31m red", "red").contains('\u{1b}'));
    }
}
