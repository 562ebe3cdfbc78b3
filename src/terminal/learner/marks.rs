//! Marks of shell integration (OSC 133) in a shell's stream, and what else of the stream decides what may be written
//! to the screen between its bytes.

use vte::{Params, Parser, Perform};

use crate::terminal::screen::Screen;

/// What bash is made to print. Marks without our word are another program's, and pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// `A`: a prompt begins.
    PromptBegins,
    /// `B`: the prompt is there, and what follows is typed.
    PromptEnds,
    /// `C`: a command begins, and what follows is its output.
    CommandBegins,
    /// `D`: the command has ended with this status; before the first command too, and after an empty line.
    CommandEnds(i32),
}

/// Reads the stream up to each mark.
pub(super) struct Marks {
    parser: Parser,
    reader: Reader,
}

struct Reader {
    word: String,
    mark: Option<Mark>,
    screen: Screen,
    is_recording: bool,
    /// A full-screen program has the terminal: what it draws is no output.
    is_full_screen: bool,
}

impl Marks {
    /// `word` stands in each of our marks, so that no output can hold one.
    pub(super) fn new(word: &str, rows: u16) -> Self {
        let reader = Reader {
            word: format!("aid={word}"),
            mark: None,
            screen: Screen::new(rows),
            is_recording: false,
            is_full_screen: false,
        };
        Self { parser: Parser::new(), reader }
    }

    /// Takes bytes up to and including the next mark: how many those were, and the mark.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Mark>) {
        let taken = self.parser.advance_until_terminated(&mut self.reader, bytes);
        (taken, self.reader.mark.take())
    }

    pub(super) fn begin_recording(&mut self) {
        // What was recorded before is done with.
        drop(self.reader.screen.restart());
        self.reader.is_recording = true;
    }

    /// What was printed since, as a person saw it, and whether some of it is not kept.
    pub(super) fn recorded(&self) -> Option<(String, bool)> {
        let screen = &self.reader.screen;
        self.reader.is_recording.then(|| screen.since(screen.start()))
    }

    pub(super) fn end_recording(&mut self) -> (String, bool) {
        let recorded = self.recorded().unwrap_or_default();
        self.reader.is_recording = false;
        recorded
    }

    pub(super) fn is_full_screen(&self) -> bool {
        self.reader.is_full_screen
    }
}

impl Perform for Reader {
    fn print(&mut self, char: char) {
        if self.is_recording && !self.is_full_screen {
            self.screen.put(char);
        }
    }

    fn execute(&mut self, byte: u8) {
        if self.is_recording && !self.is_full_screen {
            self.screen.control(byte);
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: char) {
        let mut values = params.iter().map(|param| param.first().copied().unwrap_or(0));
        if intermediates == b"?" && matches!(action, 'h' | 'l') {
            if values.any(|mode| matches!(mode, 47 | 1047 | 1049)) {
                self.is_full_screen = action == 'h';
            }
        } else if self.is_recording && !self.is_full_screen && intermediates.is_empty() {
            let (first, second) = (values.next().unwrap_or(0), values.next().unwrap_or(0));
            self.screen.sequence(action, first, second);
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _bell_terminated: bool) {
        let [b"133", kind, rest @ ..] = params else { return };
        if rest.last() != Some(&self.word.as_bytes()) {
            return;
        }
        self.mark = match (*kind, rest) {
            (b"A", _) => Some(Mark::PromptBegins),
            (b"B", _) => Some(Mark::PromptEnds),
            (b"C", _) => Some(Mark::CommandBegins),
            (b"D", [status, _]) => {
                std::str::from_utf8(status).ok().and_then(|status| status.parse().ok()).map(Mark::CommandEnds)
            }
            _ => None,
        };
    }

    fn terminated(&self) -> bool {
        self.mark.is_some()
    }
}

/// A stream without operating system commands (`ESC ]` to `BEL` or `ESC \`), wherever a read ends.
#[derive(Debug, Default)]
pub(super) struct WithoutMarks {
    state: Place,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    Escape,
    Inside,
    InsideEscape,
}

impl WithoutMarks {
    pub(super) fn filter(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.state = match (self.state, byte) {
                (Place::Text, 0x1b) => Place::Escape,
                (Place::Escape, b']') => Place::Inside,
                (Place::Escape, 0x1b) => {
                    kept.push(0x1b);
                    Place::Escape
                }
                (Place::Escape, byte) => {
                    kept.extend([0x1b, *byte]);
                    Place::Text
                }
                (Place::Text, byte) => {
                    kept.push(*byte);
                    Place::Text
                }
                (Place::Inside, 0x07) | (Place::InsideEscape, b'\\') => Place::Text,
                (Place::Inside | Place::InsideEscape, 0x1b) => Place::InsideEscape,
                (Place::Inside | Place::InsideEscape, _) => Place::Inside,
            };
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(marks: &mut Marks, mut bytes: &[u8]) -> Vec<Mark> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let (taken, mark) = marks.feed(bytes);
            found.extend(mark);
            bytes = &bytes[taken..];
        }
        found
    }

    #[test]
    fn only_marks_with_our_word_count() {
        let mut marks = Marks::new("w", 24);
        let stream = b"\x1b]133;A\x07\x1b]133;A;aid=x\x07\x1b]133;A;aid=w\x07$ \x1b]133;B;aid=w\x1b\\ls\r\n\x1b]133;C;aid=w\x07out\r\n\x1b]133;D;3;aid=w\x07";
        let found = all(&mut marks, stream);
        assert_eq!(found, [Mark::PromptBegins, Mark::PromptEnds, Mark::CommandBegins, Mark::CommandEnds(3)]);
    }

    #[test]
    fn marks_are_found_wherever_a_read_ends() {
        let stream = b"x\x1b]133;D;0;aid=w\x07y";
        for at in 0..stream.len() {
            let mut marks = Marks::new("w", 24);
            let mut found = all(&mut marks, &stream[..at]);
            found.extend(all(&mut marks, &stream[at..]));
            assert_eq!(found, [Mark::CommandEnds(0)], "cut at {at}");
        }
    }

    #[test]
    fn without_a_terminal_marks_leave_nothing() {
        let stream = b"\x1b]133;A;aid=w\x07$ \x1b[1mls\x1b]0;title\x1b\\!\r\n";
        for at in 0..stream.len() {
            let mut without = WithoutMarks::default();
            let mut kept = without.filter(&stream[..at]);
            kept.extend(without.filter(&stream[at..]));
            assert_eq!(kept, b"$ \x1b[1mls!\r\n", "cut at {at}");
        }
    }

    #[test]
    fn output_is_recorded_as_seen_and_a_full_screen_is_none() {
        let mut marks = Marks::new("w", 24);
        marks.begin_recording();
        marks.feed(b"one\r\n50%\r100%\r\n\x1b[?1049h\x1b[Hfull screen\x1b[?1049l\x1b[1mtwo\x1b[0m\r\n");
        assert!(!marks.is_full_screen());
        assert_eq!(marks.end_recording(), ("one\n100%\ntwo\n".to_owned(), false));
        marks.begin_recording();
        marks.feed(b"three");
        assert_eq!(marks.end_recording(), ("three".to_owned(), false));
    }
}
