//! Lines that are put between the lines of a file, none of which changes.

use std::collections::BTreeMap;

/// Lines by the number of the line after which they stand; 0 is before the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Additions(BTreeMap<usize, Vec<String>>);

/// The text with other lines in place of some of its own.
pub(super) fn replaced(text: &str, places: &[(usize, usize, Vec<String>)]) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        if let Some((.., lines)) = places.iter().find(|(first, ..)| *first == number) {
            for line in lines {
                out.push_str(line);
                out.push_str(end);
            }
        }
        if !places.iter().any(|(first, last, _)| (*first..=*last).contains(&number)) {
            out.push_str(line);
        }
    }
    out
}

impl Additions {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn add(&mut self, after: usize, lines: impl IntoIterator<Item = String>) {
        self.0.entry(after).or_default().extend(lines);
    }

    /// Adds what others add after this line.
    pub fn add_all(&mut self, after: usize, of: &Self) {
        if let Some(lines) = of.0.get(&after) {
            self.add(after, lines.iter().cloned());
        }
    }

    /// Where the next line after this one would come to stand among those there already.
    pub fn next(&self, after: usize) -> usize {
        self.0.get(&after).map_or(0, Vec::len)
    }

    /// The line of the whole that an added line becomes.
    pub fn line_of(&self, after: usize, index: usize) -> usize {
        self.moved(after) + index + 1
    }

    /// Where a line of the text comes to stand.
    pub fn moved(&self, line: usize) -> usize {
        line + self.0.range(..line).map(|(_, lines)| lines.len()).sum::<usize>()
    }

    /// The line of the text that has come to stand there, or before what is added there.
    pub fn original(&self, line: usize) -> usize {
        let mut added = 0;
        for (after, lines) in &self.0 {
            if after + added >= line {
                break;
            }
            if after + added + lines.len() >= line {
                return *after;
            }
            added += lines.len();
        }
        line - added
    }

    /// The text with them, with line ends as it has them.
    pub fn apply(&self, text: &str) -> String {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut out = String::with_capacity(text.len() + 64 * self.0.len());
        let put = |out: &mut String, after: usize| {
            for line in self.0.get(&after).into_iter().flatten() {
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push_str(end);
                }
                out.push_str(line);
                out.push_str(end);
            }
        };
        put(&mut out, 0);
        let mut count = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            out.push_str(line);
            count = index + 1;
            put(&mut out, count);
        }
        for (_, lines) in self.0.range(count + 1..) {
            debug_assert!(lines.is_empty(), "nothing stands after the last line");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_between_lines_that_stay() {
        let mut additions = Additions::default();
        additions.add(0, ["first".to_owned()]);
        additions.add(2, ["x".to_owned(), "y".to_owned()]);
        assert_eq!(additions.apply("a\nb\nc\n"), "first\na\nb\nx\ny\nc\n");
        assert_eq!(additions.apply("a\r\nb"), "first\r\na\r\nb\r\nx\r\ny\r\n");
        assert_eq!((additions.moved(1), additions.moved(2), additions.moved(3)), (2, 3, 6));
        let originals: Vec<usize> = (1..=6).map(|line| additions.original(line)).collect();
        assert_eq!(originals, [0, 1, 2, 2, 2, 3]);
        assert_eq!((additions.line_of(0, 0), additions.line_of(2, 1)), (1, 5));
        assert_eq!(Additions::default().apply("a\nb"), "a\nb");
    }
}
