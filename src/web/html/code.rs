//! Code in colours: spans with classes, from lexers that know as much as a reader sees at a glance.

use super::escape::escaped;

/// The code as HTML.
pub(super) fn highlighted(language: &str, code: &str) -> String {
    match language {
        "bash" | "sh" | "shell" => Lexer::new(code).shell(),
        "console" => console(code),
        "yaml" | "yml" => code.split_inclusive('\n').map(yaml_line).collect(),
        "json" => Lexer::new(code).json(),
        _ => escaped(code),
    }
}

fn span(class: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<span class=\"hl-{class}\">{}</span>", escaped(text)) }
}

fn console(code: &str) -> String {
    let mut is_command = false;
    let line = |line: &str| {
        let marked =
            if is_command { line.strip_prefix("$ ").or(line.strip_prefix("> ")) } else { line.strip_prefix("$ ") };
        is_command = marked.is_some();
        match marked {
            Some(command) => span("prompt", &line[..2]) + &Lexer::new(command).shell(),
            None => span("output", line),
        }
    };
    code.split_inclusive('\n').map(line).collect()
}

/// A key, a comment, and what is between.
fn yaml_line(line: &str) -> String {
    let indent = line.len() - line.trim_start_matches([' ', '-']).len();
    let (head, rest) = line.split_at(indent);
    if rest.trim_start().starts_with('#') {
        return escaped(head) + &span("comment", rest);
    }
    let key = rest.find(": ").or_else(|| rest.trim_end().strip_suffix(':').map(str::len));
    let (key, value) = match key {
        Some(end) if !rest.starts_with(['"', '\'', '{', '[']) => rest.split_at(end),
        _ => ("", rest),
    };
    let (value, comment) = match value.find(" #") {
        Some(at) if !value[..at].contains(['"', '\'']) => value.split_at(at),
        _ => (value, ""),
    };
    escaped(head) + &span("key", key) + &yaml_value(value) + &span("comment", comment)
}

fn yaml_value(value: &str) -> String {
    let (colon, rest) = value.strip_prefix(':').map_or(("", value), |rest| (":", rest));
    let word = rest.trim();
    let class = match word {
        "true" | "false" | "null" | "~" => Some("word"),
        _ if word.starts_with(['"', '\'']) => Some("string"),
        _ if word.parse::<f64>().is_ok() => Some("number"),
        _ => None,
    };
    let Some(class) = class else { return escaped(colon) + &escaped(rest) };
    let start = rest.len() - rest.trim_start().len();
    let end = start + word.len();
    escaped(colon) + &escaped(&rest[..start]) + &span(class, word) + &escaped(&rest[end..])
}

const WORDS: [&str; 18] = [
    "if", "then", "else", "elif", "fi", "for", "in", "do", "done", "while", "until", "case", "esac", "function",
    "export", "local", "return", "exit",
];

struct Lexer<'a> {
    rest: &'a str,
    out: String,
}

impl<'a> Lexer<'a> {
    fn new(code: &'a str) -> Self {
        Self { rest: code, out: String::new() }
    }

    /// The longest beginning of which each character fits.
    fn while_is(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn take(&mut self, count: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken
    }

    fn push(&mut self, class: &str, text: &str) {
        self.out.push_str(&span(class, text));
    }

    /// Up to the quote that closes it, or the end.
    fn quoted(&mut self, quote: char, escapes: bool) -> &'a str {
        let mut is_escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' if escapes => is_escaped = true,
                c if c == quote => return self.take(at + c.len_utf8()),
                _ => {}
            }
        }
        self.take(self.rest.len())
    }

    fn shell(mut self) -> String {
        let mut begins = true;
        while let Some(c) = self.rest.chars().next() {
            match c {
                '#' if begins => {
                    let text = self.while_is(|c| c != '\n');
                    self.push("comment", text);
                }
                '\'' => {
                    let text = self.quoted('\'', false);
                    self.push("string", text);
                }
                '"' => {
                    let text = self.quoted('"', true);
                    self.push("string", text);
                }
                '$' => self.variable(),
                '-' if begins => {
                    let text = self.while_is(|c| c.is_ascii_alphanumeric() || c == '-');
                    self.push("flag", text);
                }
                c if begins && (c.is_alphabetic() || c == '_') => {
                    let text = self.while_is(|c| !c.is_whitespace() && !"\"'$;|&()<>`".contains(c));
                    if WORDS.contains(&text) { self.push("word", text) } else { self.out.push_str(&escaped(text)) }
                }
                _ => {
                    let text = self.take(c.len_utf8());
                    self.out.push_str(&escaped(text));
                }
            }
            begins = c.is_whitespace() || ";|&(".contains(c);
        }
        self.out
    }

    fn variable(&mut self) {
        let after = &self.rest[1..];
        let count = match after.chars().next() {
            Some('{') => after.find('}').map_or(0, |end| end + 1),
            Some('(') => 0,
            _ => after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len()),
        };
        let text = self.take(1 + count);
        if count == 0 { self.out.push_str(&escaped(text)) } else { self.push("var", text) }
    }

    fn json(mut self) -> String {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '"' => {
                    let text = self.quoted('"', true);
                    let is_key = self.rest.trim_start().starts_with(':');
                    self.push(if is_key { "key" } else { "string" }, text);
                }
                c if c.is_ascii_digit() || c == '-' => {
                    let text = self.while_is(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
                    self.push("number", text);
                }
                c if c.is_alphabetic() => {
                    let text = self.while_is(char::is_alphanumeric);
                    let is_word = matches!(text, "true" | "false" | "null");
                    if is_word { self.push("word", text) } else { self.out.push_str(&escaped(text)) }
                }
                _ => {
                    let text = self.take(c.len_utf8());
                    self.out.push_str(&escaped(text));
                }
            }
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Without its spans and escapes.
    fn plain(html: &str) -> String {
        let mut text = String::new();
        let mut is_tag = false;
        for c in html.chars() {
            match c {
                '<' => is_tag = true,
                '>' => is_tag = false,
                c if !is_tag => text.push(c),
                _ => {}
            }
        }
        ["&lt;<", "&gt;>", "&quot;\"", "&#39;'", "&amp;&"].iter().fold(text, |text, pair| {
            let (from, to) = pair.split_at(pair.len() - 1);
            text.replace(from, to)
        })
    }

    #[test]
    fn what_a_reader_tells_apart_has_a_class() {
        let html = highlighted("bash", "# make it\nkubectl create ns \"$NS\" --dry-run ${X} 'a b' | wc -l\n");
        for part in [
            "<span class=\"hl-comment\"># make it</span>",
            "<span class=\"hl-string\">&quot;$NS&quot;</span>",
            "<span class=\"hl-flag\">--dry-run</span>",
            "<span class=\"hl-var\">${X}</span>",
            "<span class=\"hl-string\">&#39;a b&#39;</span>",
            "<span class=\"hl-flag\">-l</span>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        let html = highlighted("yaml", "kind: Pod # a pod\nspec:\n  replicas: 3\n  - name: \"x\"\n");
        for part in ["hl-key\">kind<", "hl-comment\"> # a pod\n<", "hl-number\">3<", "hl-string\">&quot;x&quot;<"] {
            assert!(html.contains(part), "{part} in {html}");
        }
        let html = highlighted("json", "{\"a\": [1, true, \"b\"]}");
        for part in ["hl-key\">&quot;a&quot;<", "hl-number\">1<", "hl-word\">true<", "hl-string\">&quot;b&quot;<"] {
            assert!(html.contains(part), "{part} in {html}");
        }
        let html = highlighted("console", "$ ls -l\ntotal 0\n");
        assert!(html.starts_with("<span class=\"hl-prompt\">$ </span>ls "), "{html}");
        assert!(html.contains("<span class=\"hl-output\">total 0\n</span>"), "{html}");
    }

    proptest! {
        #[test]
        fn no_character_is_lost_and_none_is_a_tag(
            code in "[ -~\n]{0,80}",
            language in prop::sample::select(vec!["bash", "console", "yaml", "json", "text"]),
        ) {
            prop_assert_eq!(plain(&highlighted(language, &code)), code);
        }
    }
}
