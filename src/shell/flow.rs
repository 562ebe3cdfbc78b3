//! Words set into lines.

use console::{Style, measure_text_width as width};

/// A text in pieces of different style, until it is set.
#[derive(Debug, Default)]
pub(super) struct Flow {
    atoms: Vec<Atom>,
    /// A blank stands before what comes next.
    has_blank: bool,
}

/// What is never broken.
#[derive(Debug)]
struct Atom {
    text: String,
    width: usize,
    has_blank: bool,
    /// The line ends before it.
    breaks: bool,
}

impl Flow {
    pub(super) fn is_empty(&self) -> bool {
        self.atoms.is_empty()
    }

    /// Text that may be broken at its blanks.
    pub(super) fn text(&mut self, text: &str, style: &Style) {
        let mut rest = text;
        while !rest.is_empty() {
            let trimmed = rest.trim_start();
            self.has_blank |= trimmed.len() < rest.len();
            let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
            if end > 0 {
                self.push(&trimmed[..end], style);
            }
            rest = &trimmed[end..];
        }
    }

    /// Text that stays in one line, where it fits into `most` columns.
    pub(super) fn whole(&mut self, text: &str, style: &Style, most: usize) {
        if width(text) <= most { self.push(text, style) } else { self.text(text, style) }
    }

    pub(super) fn line_break(&mut self) {
        self.atoms.push(Atom { text: String::new(), width: 0, has_blank: false, breaks: true });
        self.has_blank = false;
    }

    fn push(&mut self, text: &str, style: &Style) {
        let (styled, columns) = (style.apply_to(text).to_string(), width(text));
        let has_blank = std::mem::take(&mut self.has_blank);
        match self.atoms.last_mut() {
            // No blank between: a full stop after a word in bold.
            Some(last) if !has_blank && !last.breaks => {
                last.text.push_str(&styled);
                last.width += columns;
            }
            _ => self.atoms.push(Atom { text: styled, width: columns, has_blank, breaks: false }),
        }
    }

    /// The lines, none wider than `columns` unless one word is.
    pub(super) fn set(self, columns: usize) -> Vec<String> {
        let mut lines = vec![String::new()];
        let mut used = 0;
        for atom in self.atoms {
            let blank = usize::from(atom.has_blank && used > 0);
            if atom.breaks || used > 0 && used + blank + atom.width > columns {
                lines.push(atom.text);
                used = atom.width;
            } else if let Some(line) = lines.last_mut() {
                line.push_str(&" ".repeat(blank));
                line.push_str(&atom.text);
                used += blank + atom.width;
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_set_and_what_is_one_stays_one() {
        let mut flow = Flow::default();
        let plain = Style::new();
        flow.text("It ends in the name of the node, ", &plain);
        flow.whole("kubectl get pods", &plain, 20);
        flow.text(". Look.", &plain);
        assert_eq!(flow.set(24), ["It ends in the name of", "the node,", "kubectl get pods. Look."]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_lines_fit(words in proptest::collection::vec("[a-zä漢]{1,9}", 1..30), columns in 20usize..80) {
            let mut flow = Flow::default();
            for word in &words {
                flow.text(&format!("{word} "), &Style::new());
            }
            let lines = flow.set(columns);
            prop_assert_eq!(lines.join(" "), words.join(" "));
            prop_assert!(lines.iter().all(|line| width(line) <= columns));
        }
    }
}
