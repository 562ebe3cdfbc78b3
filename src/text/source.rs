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
    /// Where it was put together from two files.
    woven: Option<Arc<Woven>>,
}

/// A text in which parts of another file stand between those of the file itself.
#[derive(Debug)]
struct Woven {
    own: SourceFile,
    other: SourceFile,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    /// Where it begins in the whole text.
    at: usize,
    length: usize,
    is_other: bool,
    /// Where it begins in its file.
    from: usize,
}

impl SourceFile {
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1))
            .collect();
        Self { name: name.into(), path: path.into(), text, line_starts, woven: None }
    }

    /// The file with parts of another one put in, each before this place of the file. Places are told as those of the
    /// file that they are from.
    #[must_use]
    pub fn with_parts(&self, other: &SourceFile, parts: &[(usize, Span)]) -> Self {
        let (mut text, mut pieces) = (String::new(), Vec::new());
        let mut push = |text: &mut String, is_other: bool, from: usize, part: &str| {
            pieces.push(Piece { at: text.len(), length: part.len(), is_other, from });
            text.push_str(part);
        };
        let mut done = 0;
        for (before, part) in parts {
            push(&mut text, false, done, &self.text[done..*before]);
            done = *before;
            // A part is a block of its own.
            text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
            push(&mut text, true, part.start, other.slice(*part));
            text.push_str("\n\n");
        }
        push(&mut text, false, done, &self.text[done..]);
        let woven = Woven { own: self.clone(), other: other.clone(), pieces };
        Self { woven: Some(Arc::new(woven)), ..Self::new(self.name.clone(), self.path.clone(), text) }
    }

    /// The file itself, without the parts of another.
    pub fn own(&self) -> &Self {
        self.woven.as_ref().map_or(self, |woven| &woven.own)
    }

    /// The file whose parts were put in.
    pub fn other(&self) -> Option<&Self> {
        self.woven.as_ref().map(|woven| &woven.other)
    }

    /// The file that a place is from, and where in it that is.
    fn origin(&self, offset: usize) -> (&Self, usize) {
        let Some(woven) = &self.woven else { return (self, offset) };
        let piece = woven.pieces.partition_point(|piece| piece.at <= offset).saturating_sub(1);
        let Piece { at, length, is_other, from } = woven.pieces[piece];
        (if is_other { &woven.other } else { &woven.own }, from + (offset - at).min(length))
    }

    /// Where a place of the other file stands in this text, if it was put in.
    pub fn place_of_other(&self, offset: usize) -> Option<usize> {
        let pieces = &self.woven.as_ref()?.pieces;
        let piece = pieces.iter().find(|p| p.is_other && p.from <= offset && offset < p.from + p.length.max(1))?;
        Some(piece.at + offset - piece.from)
    }

    /// Where a place is in the file that it is from.
    pub fn place_in_file(&self, offset: usize) -> usize {
        self.origin(offset).1
    }

    /// Whether a place is from the other file.
    pub fn is_other(&self, offset: usize) -> bool {
        self.woven.as_ref().is_some_and(|woven| std::ptr::eq(self.origin(offset).0, &raw const woven.other))
    }

    /// The name of the file that a place is from.
    pub fn name_at(&self, offset: usize) -> &str {
        &self.origin(offset).0.name
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

    /// Line and column in the file that the place is from.
    pub fn position(&self, offset: usize) -> Position {
        match self.origin(offset) {
            (file, at) if self.woven.is_some() => file.position_here(at),
            _ => self.position_here(offset),
        }
    }

    /// The 1-based line of this text, for [`Self::line_start`], [`Self::line`] and [`Self::place_in_line`].
    pub fn row(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    fn position_here(&self, offset: usize) -> Position {
        let line = self.row(offset);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_as_of_the_file_that_it_is_from() {
        let own = SourceFile::new("lab.md", "lab.md", "# A\n## One\ntext\n## Two\n");
        let other = SourceFile::new("lab.private.md", "lab.private.md", "# P\n\n## One\n\nmore\nand more");
        let more = Span::new(other.text().find("more").unwrap_or_default(), other.text().len());
        let two = own.text().find("## Two").unwrap_or_default();
        let whole = own.with_parts(&other, &[(two, more)]);
        assert_eq!(whole.text(), "# A\n## One\ntext\n\nmore\nand more\n\n## Two\n");
        let at = |text: &str| {
            let offset = whole.text().find(text).unwrap_or_default();
            let Position { line, column } = whole.position(offset);
            format!("{}:{line}:{column}", whole.name_at(offset))
        };
        assert_eq!(at("text"), "lab.md:3:1");
        assert_eq!(at("nd more"), "lab.private.md:6:2");
        assert_eq!(at("## Two"), "lab.md:4:1");
        assert_eq!(whole.line(whole.row(whole.text().find("nd more").unwrap_or_default())), "and more");
        assert_eq!(whole.own().text(), own.text());
        assert!(own.other().is_none() && whole.other().is_some());
    }
}
