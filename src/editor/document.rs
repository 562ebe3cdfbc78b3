//! A text as an editor has it open: its edits, and its places as the protocol counts them.

use std::ops::Range;

use lsp_types::{Position, PositionEncodingKind, Range as Place};

use crate::text::Span;

/// How the protocol counts the characters of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    Utf8,
    /// What every client can do.
    #[default]
    Utf16,
    Utf32,
}

impl Encoding {
    /// The one that costs the least among those that a client offers.
    pub(super) fn of(offered: &[PositionEncodingKind]) -> Self {
        let known = [Self::Utf8, Self::Utf32];
        known.into_iter().find(|one| offered.contains(&one.kind())).unwrap_or_default()
    }

    pub(super) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
            Self::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
            Self::Utf32 => 1,
        }
    }
}

/// An open text.
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
    /// Where each line begins; a line ends in LF, CRLF or CR.
    lines: Vec<usize>,
    encoding: Encoding,
}

impl Document {
    pub fn new(text: String, encoding: Encoding) -> Self {
        let lines = line_starts(&text);
        Self { text, lines, encoding }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts a text in the place of a part, or of all.
    pub fn apply(&mut self, part: Option<Place>, text: &str) {
        match part {
            None => text.clone_into(&mut self.text),
            Some(part) => {
                let (one, other) = (self.offset(part.start), self.offset(part.end));
                self.text.replace_range(one.min(other)..one.max(other), text);
            }
        }
        self.lines = line_starts(&self.text);
    }

    /// The byte at a place; one beyond a line's end is that end, as the protocol has it.
    pub fn offset(&self, at: Position) -> usize {
        let Some(start) = self.lines.get(at.line as usize).copied() else {
            return self.text.len();
        };
        let mut left = at.character as usize;
        let line = self.line(at.line as usize);
        for (byte, c) in line.char_indices() {
            let width = self.encoding.width(c);
            if left < width {
                return start + byte;
            }
            left -= width;
        }
        start + line.len()
    }

    /// The place of a byte.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.lines.partition_point(|start| *start <= offset).saturating_sub(1);
        let lead = &self.text[self.lines[line]..offset];
        let character = match self.encoding {
            Encoding::Utf8 => lead.len(),
            Encoding::Utf16 | Encoding::Utf32 => lead.chars().map(|c| self.encoding.width(c)).sum(),
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position::new(count(line), count(character))
    }

    pub fn place(&self, span: Span) -> Place {
        Place::new(self.position(span.start), self.position(span.end.max(span.start)))
    }

    pub fn bytes(&self, place: Place) -> Range<usize> {
        let (start, end) = (self.offset(place.start), self.offset(place.end));
        start..end.max(start)
    }

    /// A line without its end, from 0.
    fn line(&self, number: usize) -> &str {
        let start = self.lines[number];
        let end = self.lines.get(number + 1).copied().unwrap_or(self.text.len());
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
            starts.push(at + 1);
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    /// Pieces of one to four bytes a character, with every kind of line end.
    const PIECES: &[&str] = &["a", "bc", "ä", "漢", "🦀", "👩‍🚀", "\n", "\r\n", "\r", "", "```bash\n", "$"];

    fn piece(random: &mut StdRng) -> String {
        (0..random.random_range(0..6)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect()
    }

    /// The place of a byte, counted anew from the start: the model that the document is held against.
    fn counted(text: &str, offset: usize, encoding: Encoding) -> Position {
        let (mut line, mut character) = (0, 0);
        let mut chars = text[..offset].chars().peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied().or_else(|| text[offset..].chars().next());
            if c == '\n' || (c == '\r' && next != Some('\n')) {
                line += 1;
                character = 0;
            } else {
                character += u32::try_from(encoding.width(c)).unwrap_or(0);
            }
        }
        Position::new(line, character)
    }

    /// Places that no client can mean: between CR and LF, where a line's end is one thing.
    fn is_place(text: &str, offset: usize) -> bool {
        text.is_char_boundary(offset) && !(text[..offset].ends_with('\r') && text[offset..].starts_with('\n'))
    }

    #[test]
    fn ten_thousand_random_edits_keep_text_and_places_right() {
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            let mut random = StdRng::seed_from_u64(15);
            let mut model = String::new();
            let mut document = Document::new(String::new(), encoding);
            for _ in 0..10_000 {
                let mut any = || loop {
                    let offset = random.random_range(0..=model.len());
                    if is_place(&model, offset) {
                        return offset;
                    }
                };
                let (one, other) = (any(), any());
                let (start, end) = (one.min(other), one.max(other).min(one.min(other) + 40));
                let end = (end..=model.len()).find(|end| is_place(&model, *end)).unwrap_or(model.len());
                let text = piece(&mut random);
                let part = Place::new(counted(&model, start, encoding), counted(&model, end, encoding));
                document.apply(Some(part), &text);
                model.replace_range(start..end, &text);
                assert_eq!(document.text(), model);
                let probe = (0..=model.len()).rev().find(|at| is_place(&model, *at)).unwrap_or(0);
                for offset in [probe, start] {
                    let place = document.position(offset);
                    assert_eq!(place, counted(&model, offset, encoding), "{offset} of {model:?}");
                    if is_place(&model, offset) {
                        assert_eq!(document.offset(place), offset, "{offset} of {model:?}");
                    }
                }
                // It neither grows without end nor stays empty.
                if model.len() > 400 {
                    model.clear();
                    document.apply(None, "");
                }
            }
        }
    }

    #[test]
    fn a_place_beyond_the_end_is_the_end() {
        let document = Document::new("añ\nb".to_owned(), Encoding::Utf16);
        assert_eq!(document.offset(Position::new(0, 99)), 3);
        assert_eq!(document.offset(Position::new(7, 0)), 5);
        assert_eq!(document.offset(Position::new(1, 99)), 5);
        let crab = Document::new("🦀x".to_owned(), Encoding::Utf16);
        // Inside of a pair of units: the character's beginning.
        assert_eq!(crab.offset(Position::new(0, 1)), 0);
        assert_eq!(crab.offset(Position::new(0, 2)), 4);
    }
}
