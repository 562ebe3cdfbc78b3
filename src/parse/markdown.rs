//! Markdown as blocks, with the bytes of the file behind each of them.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::text::{Joined, Span};

#[derive(Debug)]
pub(super) enum Block {
    Heading(Heading),
    Fence(Fence),
    /// Raw HTML: a block, or a tag within a paragraph.
    Html(Span),
    /// Indented code.
    Indented(Span),
    Prose(Prose),
}

#[derive(Debug)]
pub(super) struct Heading {
    pub(super) level: u8,
    pub(super) text: String,
    pub(super) span: Span,
    /// Within a list or a quote, where GitHub shows it smaller.
    pub(super) nested: bool,
}

#[derive(Debug)]
pub(super) struct Fence {
    pub(super) span: Span,
    /// What follows the backticks, as the file has it.
    pub(super) info: Span,
    /// The opening line's backticks or tildes.
    pub(super) marker: Span,
    /// The lines without their container's prefix, each with a line end.
    pub(super) content: Joined,
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Prose {
    pub(super) span: Span,
    /// Its text pieces and its code spans.
    pub(super) texts: Vec<Piece>,
}

#[derive(Debug)]
pub(super) struct Piece {
    pub(super) span: Span,
    pub(super) code: bool,
}

/// What GitHub reads beyond plain Markdown.
pub(super) const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_FOOTNOTES);

/// A lab is a text that a person reads; so many bytes are a novel.
pub const LARGEST: usize = 2 << 20;
/// How deep lists and quotes may nest: reading them takes the square of it.
const DEEPEST: usize = 48;

/// Why a text is not read as Markdown, and where: its size, or the depth of its lists and quotes, which is found from the
/// marks and blanks that a line begins with.
pub(super) fn too_much(text: &str) -> Option<(usize, String)> {
    if text.len() > LARGEST {
        return Some((0, format!("this file has more than {} MB", LARGEST >> 20)));
    }
    lines(text, 0).find_map(|(at, line)| {
        let (mut marks, mut blanks) = (0, 0);
        let bytes = line.as_bytes();
        let mut here = 0;
        let mut ends_in_mark = false;
        while let Some(byte) = bytes.get(here) {
            let followed = matches!(bytes.get(here + 1), None | Some(b' ' | b'\t' | b'\n' | b'\r'));
            match byte {
                b' ' => blanks += 1,
                b'\t' => blanks += 4,
                b'>' => {
                    marks += 1;
                    ends_in_mark = true;
                }
                b'-' | b'+' | b'*' if followed => {
                    marks += 1;
                    ends_in_mark = true;
                }
                b'0'..=b'9' => {
                    let digits = bytes[here..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    if digits > 9 || !matches!(bytes.get(here + digits), Some(b'.' | b')')) {
                        break;
                    }
                    here += digits;
                    marks += 1;
                    ends_in_mark = true;
                }
                _ => break,
            }
            here += 1;
        }
        // A mark needs two columns of its list.
        let deep = marks > DEEPEST || (ends_in_mark && blanks / 2 > 2 * DEEPEST);
        deep.then(|| (at, format!("lists and quotes nest deeper than {DEEPEST} here")))
    })
}

/// Reads the part of a file that begins at `from`.
pub(super) fn blocks(text: &str, from: usize) -> Vec<Block> {
    let mut reader = Reader { text, from, blocks: Vec::new(), open: Vec::new(), nesting: 0, html: None };
    for (event, range) in Parser::new_ext(&text[from..], OPTIONS).into_offset_iter() {
        reader.event(&event, range.start + from..range.end + from);
    }
    reader.blocks
}

struct Reader<'a> {
    text: &'a str,
    from: usize,
    blocks: Vec<Block>,
    /// The heading, fence or prose that is being read.
    open: Vec<Open>,
    nesting: usize,
    html: Option<Span>,
}

enum Open {
    Heading(Heading),
    Fence { span: Span, content: Vec<Range<usize>> },
    Indented(Span),
    Prose(Prose),
}

impl Reader<'_> {
    fn event(&mut self, event: &Event<'_>, range: Range<usize>) {
        let span = Span::new(range.start, range.end);
        match event {
            Event::Start(tag) => self.start(tag, span),
            Event::End(end) => self.end(*end),
            Event::Text(_) => self.piece(span, false),
            Event::Code(_) => self.piece(span, true),
            Event::InlineHtml(_) => self.blocks.push(Block::Html(span)),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, span: Span) {
        match tag {
            Tag::Heading { level, .. } => {
                let heading = Heading { level: depth(*level), text: String::new(), span, nested: self.nesting > 0 };
                self.open.push(Open::Heading(heading));
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(_)) => self.open.push(Open::Fence { span, content: Vec::new() }),
            Tag::CodeBlock(CodeBlockKind::Indented) => self.open.push(Open::Indented(span)),
            Tag::Paragraph | Tag::TableCell => self.open.push(Open::Prose(Prose { span, texts: Vec::new() })),
            Tag::HtmlBlock => self.html = Some(span),
            Tag::BlockQuote(_) | Tag::List(_) | Tag::FootnoteDefinition(_) => self.nesting += 1,
            // A tight list's text stands in the item itself.
            Tag::Item => {
                self.nesting += 1;
                self.open.push(Open::Prose(Prose { span, texts: Vec::new() }));
            }
            _ => {}
        }
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::Heading(_) | TagEnd::Paragraph | TagEnd::TableCell | TagEnd::CodeBlock => self.close(),
            TagEnd::HtmlBlock => self.blocks.extend(self.html.take().map(Block::Html)),
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::FootnoteDefinition => self.nesting -= 1,
            TagEnd::Item => {
                self.nesting -= 1;
                self.close();
            }
            _ => {}
        }
    }

    fn piece(&mut self, span: Span, code: bool) {
        match self.open.last_mut() {
            Some(Open::Heading(heading)) => heading.text.push_str(&self.text[span.start..span.end].replace('`', "")),
            Some(Open::Fence { content, .. }) => content.push(span.start..span.end),
            // A `_` within a word comes as a piece of its own.
            Some(Open::Prose(prose)) => match prose.texts.last_mut() {
                Some(last) if !code && !last.code && last.span.end == span.start => last.span.end = span.end,
                _ => prose.texts.push(Piece { span, code }),
            },
            Some(Open::Indented(_)) | None => {}
        }
    }

    fn close(&mut self) {
        let block = match self.open.pop() {
            None => return,
            Some(Open::Heading(heading)) => Block::Heading(heading),
            Some(Open::Indented(span)) => Block::Indented(span),
            Some(Open::Prose(prose)) if prose.texts.is_empty() => return,
            Some(Open::Prose(mut prose)) => {
                // An item's own text, without the lists in it: they are prose of their own.
                if let (Some(first), Some(last)) = (prose.texts.first(), prose.texts.last()) {
                    prose.span = Span::new(prose.span.start.max(self.line_start(first.span.start)), last.span.end);
                }
                Block::Prose(prose)
            }
            Some(Open::Fence { span, content }) => Block::Fence(self.fence(span, content)),
        };
        self.blocks.push(block);
    }

    fn fence(&self, span: Span, content: Vec<Range<usize>>) -> Fence {
        let text = self.text;
        // The span may begin in the indentation.
        let marker_start = text[span.start..].find(['`', '~']).map_or(span.start, |at| span.start + at);
        let sign = text[marker_start..].chars().next().unwrap_or('`');
        let length = text[marker_start..].chars().take_while(|c| *c == sign).count();
        let marker = Span::new(marker_start, marker_start + length);
        let line_end = text[marker.end..].find('\n').map_or(text.len(), |at| marker.end + at);
        let info = Span::new(marker.end, marker.end + text[marker.end..line_end].trim_end_matches('\r').len());

        let mut joined = Joined::new();
        let mut last = line_end;
        for range in content {
            for (at, line) in lines(&text[range.clone()], range.start) {
                let body = line.trim_end_matches(['\n', '\r']);
                joined.push(body, at);
                // With CRLF, a line and its end come as two pieces.
                if line.ends_with('\n') {
                    joined.push("\n", at + body.len());
                }
            }
            last = range.end;
        }
        if !joined.is_empty() && !joined.text().ends_with('\n') {
            joined.push("\n", last);
        }
        // The closing line is the rest of the block, where it has one.
        let rest = text.get(last..span.end.max(last)).unwrap_or("");
        let closing = rest.trim_matches(|c: char| c.is_whitespace() || c == '>');
        let closed = closing.chars().count() >= length && closing.chars().all(|c| c == sign);
        Fence { span: Span::new(self.line_start(marker_start), span.end), info, marker, content: joined, closed }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[self.from..at].rfind('\n').map_or(self.from, |found| self.from + found + 1)
    }
}

fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// Lines with their line ends, each with its offset.
pub(super) fn lines(text: &str, at: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = at;
    text.split_inclusive('\n').map(move |line| {
        let start = offset;
        offset += line.len();
        (start, line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fences(text: &str) -> Vec<(String, String, bool)> {
        blocks(text, 0)
            .into_iter()
            .filter_map(|block| match block {
                Block::Fence(fence) => {
                    for (at, c) in fence.content.text().char_indices() {
                        let there = text[fence.content.offset(at)..].chars().next();
                        assert!(c == '\n' || Some(c) == there, "{c:?} is not {there:?} in {text:?}");
                    }
                    let info = text[fence.info.start..fence.info.end].to_owned();
                    Some((info, fence.content.text().to_owned(), fence.closed))
                }
                _ => None,
            })
            .collect()
    }

    fn one(text: &str) -> (String, String, bool) {
        let mut all = fences(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn is(info: &str, content: &str, closed: bool) -> (String, String, bool) {
        (info.to_owned(), content.to_owned(), closed)
    }

    #[test]
    fn fences_keep_their_bytes() {
        assert_eq!(one("```bash {x}\na\n\n  b\n```\n"), is("bash {x}", "a\n\n  b\n", true));
        assert_eq!(one("```bash\r\na\r\nb\r\n```\r\n"), is("bash", "a\nb\n", true));
        assert_eq!(one("- item\n\n  ```bash\n  a\n\n    b\n  ```\n"), is("bash", "a\n\n  b\n", true));
        assert_eq!(one("1. item\n   ~~~sh\n   a\n   ~~~\n   more"), is("sh", "a\n", true));
        assert_eq!(one("> ```bash\n> a\n>\n> b\n> ```\n"), is("bash", "a\n\nb\n", true));
        assert_eq!(one("   ```bash\n   a\n  b\n   ```"), is("bash", "a\nb\n", true));
        assert_eq!(one("````md\n```bash\na\n```\n````\n"), is("md", "```bash\na\n```\n", true));
    }

    #[test]
    fn a_fence_without_an_end_is_seen() {
        assert_eq!(one("```bash\na\n"), is("bash", "a\n", false));
        assert_eq!(one("```bash"), is("bash", "", false));
        assert_eq!(one("```bash\na\n    ```\n"), is("bash", "a\n    ```\n", false));
        assert_eq!(one("> ```bash\n> a\n\ntext"), is("bash", "a\n", false));
        assert_eq!(one("````bash\na\n```\n"), is("bash", "a\n```\n", false));
        let under = fences("- item\n\n  ```bash\na\n  ```\n");
        assert_eq!(under[0], is("bash", "", false));
    }
}
