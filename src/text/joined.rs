use std::ops::Range;

use super::Span;

/// Text put together from pieces of a file, in which every byte still knows its place there: the
/// lines of a fence without their container's prefix, for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    text: String,
    /// Where a piece begins: in the text, and in the file.
    pieces: Vec<(usize, usize)>,
    end: usize,
}

impl Joined {
    pub fn new() -> Self {
        Self::default()
    }

    /// A stretch of a file as it stands.
    pub fn whole(text: &str, at: usize) -> Self {
        let mut joined = Self::new();
        joined.push(text, at);
        joined
    }

    pub fn push(&mut self, text: &str, at: usize) {
        self.pieces.push((self.text.len(), at));
        self.text.push_str(text);
        self.end = at + text.len();
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The place in the file of the byte at `at` in the text.
    pub fn offset(&self, at: usize) -> usize {
        let piece = self.pieces.partition_point(|(start, _)| *start <= at);
        match piece.checked_sub(1).and_then(|i| self.pieces.get(i)) {
            Some(_) if at >= self.text.len() => self.end,
            Some((start, file)) => file + (at - start),
            None => self.end,
        }
    }

    /// The byte of the text at this place of the file, where the text goes on to it; the end of a line is part of it.
    pub fn index(&self, offset: usize) -> Option<usize> {
        (0..self.pieces.len()).rev().find_map(|at| {
            let (start, file) = self.pieces[at];
            let end = self.pieces.get(at + 1).map_or(self.text.len(), |(next, _)| *next);
            (file <= offset && offset <= file + (end - start)).then(|| start + (offset - file))
        })
    }

    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.offset(range.start);
        // The end is the byte after the last one: where that one lies decides, not where the next
        // piece begins.
        let end = if range.end > range.start { self.offset(range.end - 1) + 1 } else { start };
        Span::new(start, end.max(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_knows_its_place() {
        // "> ab\n> cd\n"
        let mut joined = Joined::new();
        joined.push("ab\n", 2);
        joined.push("cd\n", 7);
        assert_eq!(joined.text(), "ab\ncd\n");
        assert_eq!(joined.offset(1), 3);
        assert_eq!(joined.offset(3), 7);
        assert_eq!(joined.span(0..2), Span::new(2, 4));
        assert_eq!(joined.span(3..5), Span::new(7, 9));
        assert_eq!(joined.offset(6), 10);
        assert_eq!(joined.offset(60), 10);
        assert_eq!([2, 4, 7, 9, 10].map(|at| joined.index(at)), [Some(0), Some(2), Some(3), Some(5), Some(6)]);
        assert_eq!([0, 6, 11].map(|at| joined.index(at)), [None, None, None]);
    }
}
