//! Lines folded to a screen: at blanks, with what follows under the line's own text.

use console::{measure_text_width as width, strip_ansi_codes, style};

/// A gap of blanks so near the line's beginning sets a label or a sign apart from the text.
const NEAR: usize = 10;
const LEAST_TEXT: usize = 20;

/// The line in as many as it takes. What is quoted, a key or a command, is broken only where it does not fit a line of
/// its own; a word is never broken, so that it can be copied.
pub fn wrapped(line: &str, columns: usize) -> Vec<String> {
    if width(line) <= columns {
        return vec![line.to_owned()];
    }
    let margin = margin(&strip_ansi_codes(line), columns);
    let space = columns.saturating_sub(width(&margin)).max(1);
    let mut lines = Vec::new();
    let mut open = String::new();
    let mut is_first = true;
    for unit in units(line) {
        let parts = if width(unit.text) > space { words(unit) } else { vec![unit] };
        for part in parts {
            let begins = width(&open) == 0 || (!is_first && width(&open) == width(&margin));
            if !begins && width(&open) + part.blanks.len() + width(part.text) > columns {
                lines.push(std::mem::replace(&mut open, margin.clone()));
                is_first = false;
            } else if !begins || is_first {
                open.push_str(part.blanks);
            }
            open.push_str(part.text);
        }
    }
    lines.push(open);
    lines
}

/// What stands before the text of each further line.
fn margin(plain: &str, columns: usize) -> String {
    let lead = plain.len() - plain.trim_start_matches(' ').len();
    let text = &plain[lead..];
    if text.starts_with("│ ") {
        return format!("{:lead$}{}   ", "", style("│").dim());
    }
    let gap = text.find("  ").filter(|at| *at < NEAR).map(|at| text.len() - text[at..].trim_start_matches(' ').len());
    let label = text.find(": ").filter(|at| *at < NEAR && !text[..*at].contains(' ')).map(|at| at + 2);
    let hang = gap.filter(|gap| *gap <= 2 * NEAR).or(label).unwrap_or(2);
    let most = columns.saturating_sub(LEAST_TEXT);
    " ".repeat((lead + hang).min(most.max(lead)).min(columns / 2))
}

/// What stays together, and the blanks before it.
#[derive(Clone, Copy)]
struct Unit<'a> {
    blanks: &'a str,
    text: &'a str,
}

/// Words, and what is quoted as one.
fn units(line: &str) -> Vec<Unit<'_>> {
    cut(line, true)
}

fn words(unit: Unit<'_>) -> Vec<Unit<'_>> {
    let mut words = cut(unit.text, false);
    if let Some(first) = words.first_mut() {
        first.blanks = unit.blanks;
    }
    words
}

fn cut(text: &str, whole_quotes: bool) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let mut end = blanks;
        while let Some(c) = rest[end..].chars().next().filter(|c| *c != ' ') {
            end += c.len_utf8();
            if whole_quotes && matches!(c, '`' | '"') {
                end += rest[end..].find(c).map_or(0, |close| close + c.len_utf8());
            }
        }
        units.push(Unit { blanks: &rest[..blanks], text: &rest[blanks..end] });
        rest = &rest[end..];
    }
    units
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_hangs_under_text_and_quotes_stay_whole() {
        let line = "      near:   /registry/namespaces/demo is the key that `kubectl create namespace demo` has made";
        assert_eq!(
            wrapped(line, 60),
            [
                "      near:   /registry/namespaces/demo is the key that",
                "              `kubectl create namespace demo` has made",
            ]
        );
        let line =
            "    hint: `kubectl label namespace demo purpose=demo tier=front owner=anna` sets all of them at once";
        assert_eq!(
            wrapped(line, 50),
            [
                "    hint: `kubectl label namespace demo",
                "          purpose=demo tier=front owner=anna` sets",
                "          all of them at once",
            ],
            "what fits on no line is broken at its blanks"
        );
        assert_eq!(wrapped("  │ a line of output that is long", 20), ["  │ a line of output", "  │   that is long"]);
        assert_eq!(wrapped("  short", 20), ["  short"]);
        let key = "  /registry/configmaps/a-namespace-with-a-name/a-config-map";
        assert_eq!(wrapped(key, 20), [key], "a key can be copied");
    }

    proptest! {
        /// Nothing is lost, and a line is too long only where one word is.
        #[test]
        fn words_stay_and_lines_fit(line in " {0,6}([✓=>] )?([a-z]{1,9}: {1,3})?([a-z/`\"ä]{1,12} {1,3}){1,20}[a-z]", columns in 30usize..120) {
            let lines = wrapped(&line, columns);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&lines.join(" ")), words(&line));
            for line in &lines {
                prop_assert!(width(line) <= columns, "{:?}", lines);
            }
        }
    }
}
