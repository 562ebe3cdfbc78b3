//! Quotes and heredocs of a script that never end: the shell would read on through the rest of the block.

use std::ops::Range;

/// What is open at the end of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Open {
    Quote(char),
    /// The line that would end it.
    Heredoc(String),
}

/// Typographic quotes, dashes and blanks outside of quotes, comments and heredocs: a line, and the bytes in it.
pub(super) fn typographic(lines: &[&str]) -> Vec<(usize, Range<usize>)> {
    let mut scan = Scan::default();
    for (number, line) in lines.iter().enumerate() {
        scan.line(number, line);
    }
    scan.typographic
}

/// What was typed, if an editor or a web page has made this of it.
pub(super) fn typed(typographic: char, after: &str) -> Option<&'static str> {
    match typographic {
        '“' | '”' | '„' | '«' | '»' => Some("\""),
        '‘' | '’' | '‚' => Some("'"),
        '—' => Some("--"),
        '–' | '‑' | '−' if after.chars().nth(1).is_some_and(char::is_alphanumeric) => Some("--"),
        '–' | '‑' | '−' => Some("-"),
        c if c.is_whitespace() && !c.is_ascii() => Some(" "),
        _ => None,
    }
}

/// Where the script's open quote or heredoc begins: a line, and the bytes in it.
pub(super) fn open(lines: &[&str]) -> Option<(usize, Range<usize>, Open)> {
    let mut scan = Scan::default();
    for (number, line) in lines.iter().enumerate() {
        scan.line(number, line);
    }
    let (line, range, open) = scan.end()?;
    let Open::Quote(quote) = open else { return Some((line, range, open)) };
    // The quote that is open at the end closed nothing: the one without a partner stands in the first line that is odd by
    // itself, and everything between was taken the wrong way round.
    let odd = lines.iter().take(line + 1).enumerate().find_map(|(number, line)| {
        let mut alone = Scan::default();
        alone.line(number, line);
        match alone.end() {
            Some((_, range, Open::Quote(found))) if found == quote => Some((number, range)),
            _ => None,
        }
    });
    let (line, range) = odd.unwrap_or((line, range));
    Some((line, range, Open::Quote(quote)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Double(usize, usize),
    /// `$(…)`, `(…)` and `$((…))`; whether it is arithmetic.
    Paren(bool),
    /// `${…}`.
    Brace,
    Backtick,
}

#[derive(Default)]
struct Scan {
    states: Vec<State>,
    single: Option<(usize, usize, bool)>,
    /// Heredocs whose bodies begin with the next line: the end, whether tabs before it are dropped, and the place.
    waiting: Vec<(String, bool, usize, Range<usize>)>,
    /// Heredocs whose bodies are being read.
    bodies: Vec<(String, bool, usize, Range<usize>)>,
    typographic: Vec<(usize, Range<usize>)>,
}

impl Scan {
    fn line(&mut self, number: usize, line: &str) {
        if let Some((end, tabs, ..)) = self.bodies.first() {
            let found = if *tabs { line.trim_start_matches('\t') } else { line };
            if found == end {
                self.bodies.remove(0);
            }
            return;
        }
        let bytes = line.as_bytes();
        let mut at = 0;
        let mut word = false;
        while at < bytes.len() {
            let byte = bytes[at];
            if let Some((_, _, ansi)) = self.single {
                match byte {
                    b'\\' if ansi => at += 1,
                    b'\'' => self.single = None,
                    _ => {}
                }
                at += 1;
                continue;
            }
            if !line.is_char_boundary(at) {
                // The rest of an escaped character.
                at += 1;
                continue;
            }
            let top = self.states.last().copied();
            let in_double = matches!(top, Some(State::Double(..)));
            if let Some(c) = line[at..].chars().next().filter(|c| !c.is_ascii()) {
                let after = &line[at + c.len_utf8()..];
                // A dash between words is one; before a letter at the beginning of a word it was to be an option's.
                let is_dash = matches!(c, '—' | '–' | '‑' | '−');
                let is_option = !word && after.starts_with(char::is_alphabetic);
                if !in_double && typed(c, after).is_some() && (!is_dash || is_option) {
                    self.typographic.push((number, at..at + c.len_utf8()));
                }
                word = true;
                at += c.len_utf8();
                continue;
            }
            let rest = &line[at..];
            let was_word = std::mem::replace(&mut word, true);
            match byte {
                b'\\' => at += 1,
                b'"' if in_double => {
                    self.states.pop();
                }
                b'"' => self.states.push(State::Double(number, at)),
                b'`' if self.states.contains(&State::Backtick) => {
                    while self.states.pop().is_some_and(|state| state != State::Backtick) {}
                }
                b'`' => self.states.push(State::Backtick),
                b'$' if rest.starts_with("$((") => {
                    self.states.extend([State::Paren(true), State::Paren(true)]);
                    at += 2;
                }
                b'$' if rest.starts_with("$(") => {
                    self.states.push(State::Paren(false));
                    at += 1;
                    word = false;
                }
                b'$' if rest.starts_with("${") => {
                    self.states.push(State::Brace);
                    at += 1;
                }
                b'}' if top == Some(State::Brace) => {
                    self.states.pop();
                }
                _ if in_double => {}
                b'\'' => self.single = Some((number, at, line[..at].ends_with('$'))),
                b'(' if rest.starts_with("((") => {
                    self.states.extend([State::Paren(true), State::Paren(true)]);
                    at += 1;
                }
                b'(' => {
                    self.states.push(State::Paren(false));
                    word = false;
                }
                b')' => {
                    if matches!(top, Some(State::Paren(_))) {
                        self.states.pop();
                    }
                    word = false;
                }
                b'#' if !was_word && !matches!(top, Some(State::Brace | State::Paren(true))) => {
                    return self.next_line();
                }
                b' ' | b'\t' | b';' | b'&' | b'|' => word = false,
                b'<' if rest.starts_with("<<<") => at += 2,
                b'<' if rest.starts_with("<<") && !matches!(top, Some(State::Paren(true))) => {
                    let after = rest[2..].trim_start_matches('-').trim_start();
                    let tabs = rest[2..].starts_with('-');
                    let end = after.find([' ', '\t', ';', '|', '&', '>', '<', ')']).unwrap_or(after.len());
                    let name: String = after[..end].chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
                    let length = rest.len() - after.len() + end;
                    // `1 << 2` shifts a number.
                    if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) {
                        self.waiting.push((name, tabs, number, at..at + length));
                    }
                    at += length - 1;
                }
                _ => {}
            }
            at += 1;
        }
        self.next_line();
    }

    fn next_line(&mut self) {
        if self.single.is_none() {
            self.bodies.append(&mut self.waiting);
        }
    }

    fn end(mut self) -> Option<(usize, Range<usize>, Open)> {
        self.bodies.append(&mut self.waiting);
        if let Some((line, at, _)) = self.single {
            return Some((line, at..at + 1, Open::Quote('\'')));
        }
        let double = self.states.iter().find_map(|state| match state {
            State::Double(line, at) => Some((*line, *at..*at + 1, Open::Quote('"'))),
            _ => None,
        });
        double.or_else(|| self.bodies.into_iter().next().map(|(end, _, line, range)| (line, range, Open::Heredoc(end))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(script: &str) -> Option<(usize, usize, Open)> {
        let lines: Vec<&str> = script.split('\n').collect();
        open(&lines).map(|(line, range, open)| (line, range.start, open))
    }

    #[test]
    fn an_open_quote_is_found_where_it_stands() {
        assert_eq!(found("echo \"$A --b\necho \"c\"\necho 'd'"), Some((0, 5, Open::Quote('"'))));
        assert_eq!(found("echo it's\necho ok"), Some((0, 7, Open::Quote('\''))));
        assert_eq!(found("cat <<EOF\n$APP\n  EOF"), Some((0, 4, Open::Heredoc("EOF".to_owned()))));
        assert_eq!(found("cat <<-'E' | x\na\n\tE\necho \"b"), Some((3, 5, Open::Quote('"'))));
    }

    #[test]
    fn what_an_editor_made_of_quotes_dashes_and_blanks_is_found() {
        let found = |script: &str| {
            let lines: Vec<&str> = script.split('\n').collect();
            typographic(&lines).into_iter().map(|(line, range)| lines[line][range].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("echo “a” ‘b’"), ["“", "”", "‘", "’"]);
        assert_eq!(found("etcdctl get / —prefix –w json\nkubectl\u{a0}get pods"), ["—", "–", "\u{a0}"]);
        assert_eq!(found("echo \"$(kubectl get pods —all)\""), ["—"]);
        for fine in [
            "echo \"“a” – b\" '—x'",
            "# —prefix “a”",
            "cat <<E\n“a” —b\nE",
            "echo a – b",
            "echo é“".trim_end_matches('“'),
        ] {
            assert!(found(fine).is_empty(), "{fine}");
        }
        assert_eq!((typed('–', "w json"), typed('–', "prefix"), typed('“', "")), (Some("-"), Some("--"), Some("\"")));
    }

    #[test]
    fn what_is_closed_is_not_found() {
        for fine in [
            "echo \"a \\\" b\" 'c\"d' \"it's\" \\' \\\"",
            "echo a#'b' # it's",
            "cat <<'EOF'\nit's \"\nEOF\necho",
            "cat <<-EOF\n\tit's\n\tEOF",
            "cat <<A <<B\n'\nA\n\"\nB",
            "echo \"$(echo \"it's\" 'a\"b')\"",
            "echo \"${A:-\"b c\"}\" ${#A} $((1 << 2)) $((16#ff))",
            "echo $'it\\'s' `echo \"a\"`",
            "sed 's/\"/x/' <<< \"a\"",
            "f() { case $1 in a) echo \"x\";; esac; }",
            "echo 'multi\nline \"' done",
            "kubectl patch x -p '{\"a\": \"b\"}'",
            "jq -r '.items[] | \"\\(.a) \\(.b)\"'",
            "echo é \\é 'ü' \"ß\"",
            "(( x = 1 << y )); echo \"$x\"",
        ] {
            assert_eq!(found(fine), None, "{fine}");
        }
    }
}
