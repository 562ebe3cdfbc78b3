use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A half-open range of byte offsets in one [`SourceFile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// A value with the place it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Spanned<T> {
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// A 1-based place; the column counts characters, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// One file as it was read, with the name under which messages show it.
#[derive(Debug, Clone)]
pub struct SourceFile {
    name: String,
    path: PathBuf,
    text: Arc<str>,
    line_starts: Arc<[usize]>,
}

impl SourceFile {
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1))
            .collect();
        Self { name: name.into(), path: path.into(), text, line_starts }
    }

    /// The name shown in messages: the path as the user gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or("")
    }

    pub fn position(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        let upto = offset.min(self.text.len());
        let column = self.text.get(start..upto).map_or(upto - start, |s| s.chars().count()) + 1;
        Position { line, column }
    }

    /// The offset at which a 1-based line begins.
    pub fn line_start(&self, number: usize) -> usize {
        number.checked_sub(1).and_then(|i| self.line_starts.get(i)).copied().unwrap_or(self.text.len())
    }

    /// Where a part of a line's text lies, after a container's prefix or a prompt was taken off the front of the line. What
    /// Markdown replaces (a zero byte, a carriage return inside a line) has no place of its own: then it is the line.
    pub fn place_in_line(&self, number: usize, text: &str, part: Range<usize>) -> Span {
        let (start, whole) = (self.line_start(number), self.line(number));
        match whole.strip_suffix(text) {
            Some(lead) => Span::new(start + lead.len() + part.start, start + lead.len() + part.end),
            None => Span::new(start, start + whole.len()),
        }
    }

    /// The span, with the whole of the characters that it begins and ends in.
    pub fn whole_characters(&self, span: Span) -> Span {
        Span::new(self.text.floor_char_boundary(span.start), self.text.ceil_char_boundary(span.end))
    }

    /// The 1-based line's text without its line end.
    pub fn line(&self, number: usize) -> &str {
        let Some(start) = number.checked_sub(1).and_then(|i| self.line_starts.get(i)) else {
            return "";
        };
        let end = self.line_starts.get(number).copied().unwrap_or(self.text.len());
        self.text[*start..end].trim_end_matches(['\n', '\r'])
    }
}
