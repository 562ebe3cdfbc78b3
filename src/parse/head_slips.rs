//! Slips in front matter: where it opens and closes, and why YAML does not read it.

use std::ops::Range;

use super::front_matter::KEYS;
use super::markdown::lines;

/// Where the front matter lies in the file, its marks left out, and where the Markdown begins.
pub(super) struct Place {
    pub(super) inner: Range<usize>,
    pub(super) body: usize,
}

/// Front matter whose opening mark is not what or where it must be; `None` where there is none.
pub(super) fn near_miss(text: &str, from: usize) -> Option<(Place, Cause)> {
    let all: Vec<(usize, &str)> = lines(&text[from..], from).skip_while(|(_, line)| line.trim().is_empty()).collect();
    let ((at, first), rest) = all.split_first().map(|((at, line), rest)| ((*at, *line), rest))?;
    let mark = first.trim();
    let is_key = |line: &str| key_of(line).is_some_and(|key| KEYS.contains(&key));
    let rest = if is_key(first) {
        &all[..]
    } else if is_mark(first) {
        rest
    } else {
        return None;
    };
    let closing = *rest.iter().find(|(_, line)| is_mark(line))?;
    let inner = rest.first().map_or(closing.0, |(start, _)| *start)..closing.0;
    // A document of its own form, such as a thematic break before some text, has no key of ours.
    if !rest.iter().take_while(|(start, _)| *start < closing.0).any(|(_, line)| is_key(line)) {
        return None;
    }
    let (message, hint) = if is_key(first) {
        ("the front matter has no opening `---`".to_owned(), "put a line `---` above it")
    } else if mark != "---" {
        (format!("`{mark}` does not open front matter"), "write `---`, and the same below it")
    } else if first.starts_with([' ', '\t']) {
        ("the front matter's `---` is indented".to_owned(), "begin it in column 1")
    } else {
        ("front matter must begin in the first line of the file".to_owned(), "delete the blank lines above `---`")
    };
    let range = at..at + first.trim_end().len().max(1);
    Some((Place { inner, body: closing.0 + closing.1.len() }, Cause { range, message, hint: hint.to_owned() }))
}

/// A line that was probably meant to close the front matter.
pub(super) fn near_end(text: &str, from: usize) -> Option<(usize, &str)> {
    lines(&text[from..], from).find(|(_, line)| is_mark(line) && line.trim() != "---")
}

fn is_mark(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 2 && ['-', '+', ';', '–', '—', '='].iter().any(|sign| line.chars().all(|c| c == *sign))
}

/// The key of a line like `key: value`.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once([':', '='])?;
    let key = key.trim_end();
    (!key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')).then_some(key)
}

/// What an author did that YAML complains of.
pub(super) struct Cause {
    /// In the text that was looked through.
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) hint: String,
}

/// Looks through the lines of front matter that is no YAML for what people do.
pub(super) fn cause(text: &str) -> Option<Cause> {
    let cause = |range: Range<usize>, message: String, hint: String| Some(Cause { range, message, hint });
    if let Some((at, c)) = text.char_indices().find(|(_, c)| is_invisible(*c)) {
        let message = format!("invisible character: U+{:04X}", c as u32);
        return cause(at..at + c.len_utf8(), message, "delete it, and write a plain blank if one is meant".to_owned());
    }
    let mut before: Option<(usize, &str)> = None;
    for (at, line) in lines(text, 0) {
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if let Some(tab) = line[..indent].find('\t') {
            let message = "a tab: YAML is indented with blanks only".to_owned();
            return cause(at + tab..at + tab + 1, message, "replace it by two blanks".to_owned());
        }
        let start = at + indent;
        let whole = start..start + trimmed.len();
        let is_item = trimmed.starts_with("- ");
        let colon = trimmed.find(": ").or_else(|| trimmed.strip_suffix(':').map(str::len));
        let name = &trimmed
            [..trimmed.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(trimmed.len())];
        match colon {
            None if !name.is_empty() && trimmed[name.len()..].starts_with(':') => {
                let message = "a blank is missing after the colon".to_owned();
                return cause(whole, message, format!("write `{name}: {}`", &trimmed[name.len() + 1..]));
            }
            None if !name.is_empty() && trimmed[name.len()..].trim_start().starts_with('=') => {
                let value = trimmed[name.len()..].trim_start()[1..].trim();
                return cause(whole, "YAML writes `:`, not `=`".to_owned(), format!("write `{name}: {value}`"));
            }
            Some(colon) if !is_item => {
                if let Some((before_indent, parent)) = before
                    && indent > before_indent
                    && KEYS.contains(&name)
                    && !parent.ends_with(':')
                {
                    let message = format!("`{name}` is indented, as if it belonged to the line above");
                    return cause(whole, message, "begin it in column 1".to_owned());
                }
                let value = trimmed[colon..].trim_start_matches(':').trim();
                let from = start + trimmed.len() - value.len();
                if let Some((message, hint)) = value_cause(name, value) {
                    return cause(from..from + value.len().max(1), message, hint);
                }
            }
            _ => {}
        }
        before = Some((indent, trimmed));
    }
    None
}

/// What of a value in one line is no YAML.
fn value_cause(name: &str, value: &str) -> Option<(String, String)> {
    let quoted = || format!("write `{name}: \"{}\"`", value.replace('\\', "\\\\").replace('"', "\\\""));
    let first = value.chars().next()?;
    if matches!(first, '"' | '\'') {
        let inner = &value[1..];
        let end = if first == '"' { inner.replace("\\\"", "__").rfind('"') } else { inner.rfind('\'') };
        return match end {
            None => {
                Some(("this quote is not closed on its line".to_owned(), format!("write `{name}: {value}{first}`")))
            }
            Some(end) if !inner[end + 1..].trim().is_empty() && !inner[end + 1..].trim().starts_with('#') => {
                Some(("text follows the closing quote".to_owned(), "put the whole value in quotes".to_owned()))
            }
            Some(_) => None,
        };
    }
    if matches!(first, '[' | '{') {
        let closing = if first == '[' { ']' } else { '}' };
        let open = value.matches(first).count() > value.matches(closing).count();
        return open
            .then(|| (format!("`{first}` is not closed on its line"), format!("write `{name}: {value}{closing}`")));
    }
    if matches!(first, '`' | '@' | '%' | '*' | '&' | '!') {
        return Some((format!("YAML does not let a plain text begin with `{first}`"), quoted()));
    }
    if value.contains(": ") || value.ends_with(':') {
        return Some(("this text contains `: `, so YAML reads a key before it".to_owned(), quoted()));
    }
    None
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
        || (c.is_whitespace() && !matches!(c, ' ' | '\t' | '\n' | '\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_do_is_named() {
        for (text, place, hint) in [
            ("vars:\n\tA: b\n", "\t", "replace it by two blanks"),
            ("level:beginner\n", "level:beginner", "write `level: beginner`"),
            ("level = beginner\n", "level = beginner", "write `level: beginner`"),
            ("title: A: b\n", "A: b", "write `title: \"A: b\"`"),
            ("title: `a` b\n", "`a` b", "write `title: \"`a` b\"`"),
            ("title: \"a\nb: c\n", "\"a", "write `title: \"a\"`"),
            ("clusters: [a, b\n", "[a, b", "write `clusters: [a, b]`"),
            ("title: a\n  level: b\n", "level: b", "begin it in column 1"),
            ("title:\u{a0}a\n", "\u{a0}", "delete it, and write a plain blank if one is meant"),
        ] {
            let found = cause(text).map(|found| (text[found.range].to_owned(), found.hint));
            assert_eq!(found, Some((place.to_owned(), hint.to_owned())), "{text:?}");
        }
        assert!(cause("title: a\nvars:\n  A: { random: \"a: b\" }\nneeds: [a]\nsummary: 'it''s'\n").is_none());
    }
}
