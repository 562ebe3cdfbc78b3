//! The line that is being typed.

pub(super) const INTERRUPT: u8 = 0x03;
pub(super) const END: u8 = 0x04;
const MOST: usize = 32 << 10;
const REMEMBERED: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Line(String),
    Interrupt,
    End,
}

#[derive(Debug, Default)]
pub(super) struct Editor {
    line: Vec<u8>,
    /// What came of a sequence that a key of its own sends.
    escape: Option<Vec<u8>>,
    before: Vec<String>,
    /// How far back in `before` somebody looks.
    back: usize,
}

impl Editor {
    /// Takes a byte; what a terminal is to show of it goes to `shown`.
    pub(super) fn feed(&mut self, byte: u8, tty: bool, shown: &mut Vec<u8>) -> Option<Key> {
        if !tty {
            if byte == b'\n' {
                return Some(self.entered());
            }
            self.push(byte);
            return None;
        }
        if let Some(sequence) = &mut self.escape {
            sequence.push(byte);
            match sequence.as_slice() {
                b"[" | b"O" => {}
                [b'[', rest @ ..] if rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b';') => {}
                [b'[' | b'O', b'A'] => self.recall(true, shown),
                [b'[' | b'O', b'B'] => self.recall(false, shown),
                _ => self.escape = None,
            }
            return None;
        }
        match byte {
            b'\r' | b'\n' => {
                shown.extend_from_slice(b"\r\n");
                return Some(self.entered());
            }
            INTERRUPT => {
                shown.extend_from_slice(b"^C\r\n");
                self.line.clear();
                return Some(Key::Interrupt);
            }
            END if self.line.is_empty() => return Some(Key::End),
            0x7f | 0x08 => self.rub(shown),
            // Ctrl-U.
            0x15 => self.replace(Vec::new(), shown),
            0x1b => self.escape = Some(Vec::new()),
            0..0x20 => {}
            byte => {
                if self.push(byte) {
                    shown.push(byte);
                }
            }
        }
        None
    }

    fn push(&mut self, byte: u8) -> bool {
        let fits = self.line.len() < MOST;
        if fits {
            self.line.push(byte);
        }
        fits
    }

    fn text(line: Vec<u8>) -> String {
        String::from_utf8_lossy(&line).into_owned()
    }

    fn entered(&mut self) -> Key {
        let line = Self::text(std::mem::take(&mut self.line));
        if !line.trim().is_empty() && self.before.last() != Some(&line) {
            self.before.push(line.clone());
            if self.before.len() > REMEMBERED {
                self.before.remove(0);
            }
        }
        self.back = 0;
        Key::Line(line)
    }

    /// A last line without an end.
    pub(super) fn rest(&mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| Self::text(std::mem::take(&mut self.line)))
    }

    /// Takes the last character away.
    fn rub(&mut self, shown: &mut Vec<u8>) {
        while let Some(byte) = self.line.pop() {
            if byte & 0xc0 != 0x80 {
                shown.extend_from_slice(b"\x08 \x08");
                return;
            }
        }
    }

    fn replace(&mut self, line: Vec<u8>, shown: &mut Vec<u8>) {
        while !self.line.is_empty() {
            self.rub(shown);
        }
        shown.extend_from_slice(&line);
        self.line = line;
    }

    fn recall(&mut self, earlier: bool, shown: &mut Vec<u8>) {
        self.escape = None;
        let back = if earlier { (self.back + 1).min(self.before.len()) } else { self.back.saturating_sub(1) };
        if back == self.back {
            return;
        }
        self.back = back;
        let line = self.before.len().checked_sub(back).and_then(|at| self.before.get(at)).cloned().unwrap_or_default();
        self.replace(line.into_bytes(), shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that some bytes make, and what a terminal shows.
    fn typed(editor: &mut Editor, bytes: &[u8]) -> (Vec<Key>, String) {
        let mut shown = Vec::new();
        let keys = bytes.iter().filter_map(|byte| editor.feed(*byte, true, &mut shown)).collect();
        (keys, String::from_utf8_lossy(&shown).into_owned())
    }

    fn line(text: &str) -> Vec<Key> {
        vec![Key::Line(text.to_owned())]
    }

    #[test]
    fn a_line_is_shown_as_it_is_typed_and_can_be_mended() {
        let mut editor = Editor::default();
        assert_eq!(typed(&mut editor, b"ls /\r"), (line("ls /"), "ls /\r\n".to_owned()));
        assert_eq!(typed(&mut editor, "é\x7fa\r".as_bytes()), (line("a"), "é\x08 \x08a\r\n".to_owned()));
        assert_eq!(typed(&mut editor, b"abc\x15x\r").0, line("x"));
        assert_eq!(typed(&mut editor, b"half\x03").0, [Key::Interrupt]);
        assert_eq!(typed(&mut editor, b"\x04").0, [Key::End]);
        assert_eq!(typed(&mut editor, b"a\x04\r").0, line("a"));
    }

    #[test]
    fn lines_are_remembered_and_other_keys_are_nothing() {
        let mut editor = Editor::default();
        typed(&mut editor, b"one\rtwo\r");
        assert_eq!(typed(&mut editor, b"\x1b[A\x1b[A\r").0, line("one"));
        assert_eq!(typed(&mut editor, b"\x1b[A\x1b[A\x1b[B\r").0, line("one"));
        assert_eq!(typed(&mut editor, b"a\x1b[C\x1b[3~\tb\r").0, line("ab"));
    }

    #[test]
    fn without_a_terminal_nothing_is_shown() {
        let mut editor = Editor::default();
        let mut shown = Vec::new();
        let keys: Vec<Key> = b"a\x7f\nb".iter().filter_map(|byte| editor.feed(*byte, false, &mut shown)).collect();
        assert_eq!((keys, shown.len(), editor.rest()), (line("a\x7f"), 0, Some("b".to_owned())));
    }
}
