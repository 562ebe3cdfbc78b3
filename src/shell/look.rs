//! How things look on this terminal: how wide, with or without colour, or plain.

use console::Style;

/// Wider than this a line is hard to follow back to its beginning.
const WIDEST: usize = 100;
/// Narrower than this nothing can be set.
const NARROWEST: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub columns: usize,
    pub color: bool,
    /// For a screen reader or a log: no drawing, no signs, words only.
    pub plain: bool,
}

impl Look {
    /// The columns that text takes.
    pub(super) fn width(self) -> usize {
        // A line as wide as the screen makes some terminals begin the next one.
        self.columns.saturating_sub(1).clamp(NARROWEST, WIDEST)
    }

    fn style(self, style: Style) -> Style {
        style.force_styling(self.color)
    }

    pub(super) fn bold(self) -> Style {
        self.style(Style::new().bold())
    }

    pub(super) fn italic(self) -> Style {
        self.style(Style::new().italic())
    }

    pub(super) fn dim(self) -> Style {
        self.style(Style::new().dim())
    }

    pub(super) fn code(self) -> Style {
        self.style(Style::new().cyan())
    }

    pub(super) fn link(self) -> Style {
        self.style(Style::new().underlined())
    }

    pub(super) fn good(self) -> Style {
        self.style(Style::new().green())
    }

    pub(super) fn bad(self) -> Style {
        self.style(Style::new().red())
    }

    pub(super) fn unsure(self) -> Style {
        self.style(Style::new().yellow())
    }

    /// What etcd's silence means for the learner.
    pub(super) fn etcd_is_away(self, reason: &str) -> Vec<String> {
        let sign = self.unsure().apply_to(if self.plain { "Note:" } else { "?" }).to_string();
        let line = format!("  {sign} etcd does not answer ({reason}). Nothing is judged until it does.");
        crate::text::wrapped(&crate::text::redact(&line), self.width())
    }

    /// A sentence in which what stands between backticks is shown as code.
    pub(super) fn sentence(self, text: &str) -> String {
        if !self.color || text.matches('`').count() % 2 == 1 {
            return text.to_owned();
        }
        let piece = |(at, piece): (usize, &str)| match at % 2 {
            1 => self.code().apply_to(piece).to_string(),
            _ => piece.to_owned(),
        };
        text.split('`').enumerate().map(piece).collect()
    }

    /// A command or a key within a sentence.
    pub(super) fn quoted(self, text: &str) -> String {
        if self.color { self.code().apply_to(text).to_string() } else { format!("`{text}`") }
    }
}
