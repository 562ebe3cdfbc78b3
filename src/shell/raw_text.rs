//! Text of the file that is not Markdown's to set: code, drawings, raw HTML, control characters.

use console::Style;

/// What stands between the blanks of a line and its text.
const INDENT: usize = 4;

/// Code as it stands, so that it can be copied: only pushed in.
pub(super) fn code(content: &str, style: &Style) -> Vec<String> {
    content.trim_end().lines().map(|line| format!("{:INDENT$}{}", "", style.apply_to(line))).collect()
}

/// A drawing in letters that a screen reader leaves out or reads as one word.
pub(super) fn without_drawing(text: &str) -> String {
    let plain = |c: char| match c {
        '─' | '━' | '═' => '-',
        '│' | '┃' | '║' => '|',
        '▶' | '→' | '►' => '>',
        '◀' | '←' | '◄' => '<',
        '▲' | '↑' => '^',
        '▼' | '↓' => 'v',
        '\u{2500}'..='\u{257f}' => '+',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// A file's own control sequences must not reach the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// The text of a fold's summary, without its tags.
pub(super) fn summary(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let open = lower.find("<summary")?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find("</summary")?;
    let mut text = String::new();
    let mut is_tag = false;
    for c in html[start..end].chars() {
        match c {
            '<' => is_tag = true,
            '>' => is_tag = false,
            c if !is_tag => text.push(c),
            _ => {}
        }
    }
    Some(text.trim().to_owned())
}
