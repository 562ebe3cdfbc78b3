//! Text in HTML.

/// As text of a page, or of an attribute's value. Control characters, and those that turn the direction of writing, are
/// shown as what cannot be shown.
pub fn html_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::html_escaped;

    #[test]
    fn no_text_becomes_markup_or_turns_the_line() {
        assert_eq!(html_escaped("<a b=\"c\" d='e'>&\n"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\n");
        assert_eq!(html_escaped("a\u{202e}b\u{1b}[0m"), "a\u{fffd}b\u{fffd}[0m");
    }
}
