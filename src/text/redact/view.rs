//! A text as it reads once something is taken from it: quotes and blanks, escapes, base64, hexadecimal. Each
//! byte remembers where in the text it stands.

use std::ops::Range;

/// Words shorter than this are not joined with the next line: they are no lines of wrapped base64.
const WRAPPED_LEAST: usize = 8;
/// `\\ud83d\\ude00`.
pub(super) const LONGEST_ESCAPE: usize = 12;
/// What the escapes of JSON, Go, C and shells, of URLs, and of XML begin with.
pub(super) const ESCAPES: [u8; 3] = [b'\\', b'%', b'&'];
/// More than this between two digits parts them.
const SEPARATORS_MOST: usize = 4;

#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    places: Vec<(u32, u32)>,
    /// What comes next in a stream may go on with it.
    pub(super) is_open: bool,
}

impl View {
    pub(super) fn whole(text: &[u8], is_open: bool) -> Self {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let places = (0..text.len()).map(|at| (place(at), place(at + 1))).collect();
        Self { bytes: text.to_vec(), places, is_open }
    }

    fn sized(bytes: usize, is_open: bool) -> Self {
        Self { bytes: Vec::with_capacity(bytes), places: Vec::with_capacity(bytes), is_open }
    }

    fn push(&mut self, byte: u8, place: (u32, u32)) {
        self.bytes.push(byte);
        self.places.push(place);
    }

    /// Where in the text these bytes stand.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        self.places[range.start].0 as usize..self.places[range.end - 1].1 as usize
    }

    /// Without what quoting, wrapping and indenting put between the bytes of a value.
    pub(super) fn squeezed(&self) -> Self {
        let mut out = Self::sized(self.bytes.len(), self.is_open);
        squeeze(&self.bytes, |at, byte| out.push(byte, self.places[at]));
        out
    }

    /// With the escapes read that begin so; nothing where there is none.
    pub(super) fn unescaped(&self, begins: u8) -> Option<Self> {
        if !self.bytes.contains(&begins) {
            return None;
        }
        let mut out = Self::sized(self.bytes.len(), self.is_open);
        let mut changed = false;
        let mut at = 0;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let (length, meant) = if rest[0] == begins { escape(rest) } else { (1, Meant::byte(rest[0])) };
            if self.is_open && length == 1 && rest.len() < LONGEST_ESCAPE && rest[0] == begins {
                // What comes next decides what it is: up to here it is known.
                changed = true;
                break;
            }
            if length == 1 {
                out.push(self.bytes[at], self.places[at]);
            } else {
                changed = true;
                let place = (self.places[at].0, self.places[at + length - 1].1);
                meant.as_bytes().iter().for_each(|byte| out.push(*byte, place));
            }
            at += length;
        }
        changed.then_some(out)
    }

    /// Each run of base64, read from each of the four places at which a group of it may begin.
    pub(super) fn base64(&self, least: usize, mut each: impl FnMut(View)) {
        let mut run: Vec<(u8, usize)> = Vec::new();
        let mut word = 0;
        let mut at = 0;
        while at <= self.bytes.len() {
            let byte = self.bytes.get(at).copied();
            if let Some(sextet) = byte.and_then(sextet) {
                run.push((sextet, at));
                word += 1;
                at += 1;
                continue;
            }
            if byte.is_some_and(|byte| byte.is_ascii_whitespace()) && word >= WRAPPED_LEAST {
                let rest = &self.bytes[at..];
                at += rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len());
                word = 0;
                continue;
            }
            // What follows at once may go on with it: nothing else does.
            let is_open = self.is_open && byte.is_none();
            if is_open || run.len() >= least {
                (0..4.min(run.len())).for_each(|phase| each(self.read_base64(&run[phase..], is_open)));
            }
            run.clear();
            word = 0;
            at += 1;
        }
    }

    fn read_base64(&self, run: &[(u8, usize)], is_open: bool) -> View {
        let mut out = View::sized(run.len() * 3 / 4, is_open);
        for group in run.chunks(4) {
            let at = |index: usize| group.get(index).map_or(0, |(sextet, _)| u32::from(*sextet));
            let bits = at(0) << 18 | at(1) << 12 | at(2) << 6 | at(3);
            let [_, bytes @ ..] = bits.to_be_bytes();
            for (index, byte) in bytes.into_iter().enumerate().take(group.len() - 1) {
                let (first, last) = (self.places[group[index].1], self.places[group[index + 1].1]);
                out.push(byte, (first.0, last.1));
            }
        }
        out
    }

    /// Each run of hexadecimal digits, in pairs from either of its first two; its pairs may be parted by blanks,
    /// colons, `\x` and `0x`, and a line of a dump may begin with its offset and end with its text.
    pub(super) fn hexadecimal(&self, mut each: impl FnMut(View)) {
        let mut run: Vec<(u8, usize)> = Vec::new();
        let mut parted = 0;
        for (at, byte) in
            self.bytes.iter().copied().enumerate().map(|(at, byte)| (at, Some(byte))).chain([(self.bytes.len(), None)])
        {
            let digit = byte.and_then(|byte| char::from(byte).to_digit(16));
            match (digit, byte) {
                #[expect(clippy::cast_possible_truncation, reason = "it is below 16")]
                (Some(digit), _) => {
                    run.push((digit as u8, at));
                    parted = 0;
                }
                (None, Some(b'x')) if run.last().is_some_and(|(digit, place)| *digit == 0 && place + 1 == at) => {
                    run.pop();
                }
                (None, Some(b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b'-' | b'\\' | b'x'))
                    if parted < SEPARATORS_MOST =>
                {
                    parted += 1;
                }
                _ => {
                    self.read_hexadecimal(&run, byte.is_none(), &mut each);
                    run.clear();
                    parted = 0;
                }
            }
        }
        self.dump(&mut each);
    }

    fn read_hexadecimal(&self, run: &[(u8, usize)], ends: bool, each: &mut impl FnMut(View)) {
        let is_open = self.is_open && ends;
        if run.len() < 8 && !is_open {
            return;
        }
        for phase in 0..2.min(run.len()) {
            let mut out = View::sized(run.len() / 2, is_open);
            for pair in run[phase..].chunks_exact(2) {
                let place = (self.places[pair[0].1].0, self.places[pair[1].1].1);
                out.push(pair[0].0 << 4 | pair[1].0, place);
            }
            each(out);
        }
    }

    /// The middle column of what `xxd`, `hexdump -C` and `od -t x1` print.
    fn dump(&self, each: &mut impl FnMut(View)) {
        let mut run: Vec<(u8, usize)> = Vec::new();
        let mut start = 0;
        for line in self.bytes.split_inclusive(|byte| *byte == b'\n') {
            let lead = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'')).count();
            let digits = line[lead..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let offset = lead + digits;
            let is_dump = (6..=8).contains(&digits) && line.get(offset).is_some_and(|byte| matches!(byte, b':' | b' '));
            if is_dump {
                let from = offset + line[offset..].iter().take_while(|byte| matches!(byte, b':' | b' ')).count();
                let ends = line[from..].windows(2).position(|pair| pair == b"  ");
                // `hexdump -C` parts its two halves by two blanks as well.
                let ends = ends.map(|end| from + end).map(|end| {
                    let second = &line[end + 2..];
                    let is_half = second.get(2) == Some(&b' ') && second[..2].iter().all(u8::is_ascii_hexdigit);
                    let later = second.windows(2).position(|pair| pair == b"  ").filter(|_| is_half);
                    later.map_or(if is_half { line.len() } else { end }, |later| end + 2 + later)
                });
                let columns = &line[from..ends.unwrap_or(line.len())];
                for (at, byte) in columns.iter().enumerate() {
                    #[expect(clippy::cast_possible_truncation, reason = "it is below 16")]
                    if let Some(digit) = char::from(*byte).to_digit(16) {
                        run.push((digit as u8, start + from + at));
                    }
                }
            }
            start += line.len();
            if !is_dump || start == self.bytes.len() {
                self.read_hexadecimal(&run, start == self.bytes.len(), each);
                run.clear();
            }
        }
    }

    /// Whether it may be read further: bytes at random are no escapes and no base64 of anything.
    pub(super) fn is_text(&self) -> bool {
        let readable = self.bytes.iter().filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()).count();
        readable * 2 >= self.bytes.len() || std::str::from_utf8(&self.bytes).is_ok()
    }
}

/// Hands on every byte that is part of a value however it is quoted, wrapped or indented.
pub(super) fn squeeze(bytes: &[u8], mut keep: impl FnMut(usize, u8)) {
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == 0xef && bytes[at..].starts_with("\u{fffd}".as_bytes()) {
            // What was no text when the text was made.
            at += 3;
            continue;
        }
        if byte > b' ' && !matches!(byte, b'"' | b'\'' | b'\\' | 0x7f) {
            keep(at, byte);
        }
        at += 1;
    }
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// What an escape means: up to four bytes.
struct Meant([u8; 4], usize);

impl Meant {
    fn byte(byte: u8) -> Self {
        Self([byte, 0, 0, 0], 1)
    }

    fn character(code: u32) -> Self {
        let mut bytes = [0; 4];
        let length = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut bytes).len();
        Self(bytes, length)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

/// How long the escape at the beginning is, 1 where there is none, and what it means.
fn escape(bytes: &[u8]) -> (usize, Meant) {
    let none = (1, Meant::byte(bytes[0]));
    let number = |from: usize, most: usize, radix: u32| -> Option<(usize, u32)> {
        let digits = bytes.get(from..)?.iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count();
        let text = std::str::from_utf8(&bytes[from..from + digits]).ok()?;
        Some((digits, u32::from_str_radix(text, radix).ok()?))
    };
    let exact = |from: usize, digits: usize| number(from, digits, 16).filter(|(found, _)| *found == digits);
    match bytes[0] {
        b'%' => exact(1, 2).map_or(none, |(_, code)| (3, Meant::byte(u8::try_from(code).unwrap_or_default()))),
        b'&' => entity(bytes).unwrap_or(none),
        b'\\' => match bytes.get(1) {
            Some(b'n') => (2, Meant::byte(b'\n')),
            Some(b't') => (2, Meant::byte(b'\t')),
            Some(b'r') => (2, Meant::byte(b'\r')),
            Some(b'a' | b'b' | b'f' | b'v' | b'e') => (2, Meant::byte(b' ')),
            Some(b'u') => exact(2, 4).map_or(none, |(_, high)| {
                let low = bytes[6..].starts_with(b"\\u").then(|| exact(8, 4)).flatten();
                match low {
                    Some((_, low)) if (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low) => {
                        (12, Meant::character(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)))
                    }
                    _ => (6, Meant::character(high)),
                }
            }),
            Some(b'U') => exact(2, 8).map_or(none, |(_, code)| (10, Meant::character(code))),
            Some(b'x') => {
                exact(2, 2).map_or(none, |(_, code)| (4, Meant::byte(u8::try_from(code).unwrap_or_default())))
            }
            Some(b'0'..=b'7') => number(1, 3, 8)
                .map_or(none, |(digits, code)| (1 + digits, Meant::byte(u8::try_from(code).unwrap_or_default()))),
            Some(byte) => (2, Meant::byte(*byte)),
            None => none,
        },
        _ => none,
    }
}

fn entity(bytes: &[u8]) -> Option<(usize, Meant)> {
    let end = bytes.iter().take(10).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&bytes[1..end]).ok()?;
    let code = match name {
        "amp" => u32::from(b'&'),
        "lt" => u32::from(b'<'),
        "gt" => u32::from(b'>'),
        "quot" => u32::from(b'"'),
        "apos" => u32::from(b'\''),
        _ => match name.strip_prefix('#')?.split_at_checked(1)? {
            ("x" | "X", digits) => u32::from_str_radix(digits, 16).ok()?,
            _ => name[1..].parse().ok()?,
        },
    };
    Some((end + 1, Meant::character(code)))
}
