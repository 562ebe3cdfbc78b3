//! The simple commands of a script, read well enough to warn about them; nothing is run by this.

use crate::lab::{Action, Code, CodeLine};

/// A simple command: `kubectl get pods` in `a=1 kubectl get pods | head`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    /// Not in a function, a group or a subshell.
    pub(super) top: bool,
    /// The shell does not wait for it, or something after it in a pipe ends it.
    pub(super) released: bool,
    /// Its standard input is a pipe, a file or a heredoc.
    pub(super) fed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Without quotes.
    pub(super) text: String,
    /// Which of the lines, and from which byte to which.
    pub(super) line: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Command {
    /// The command's own name, past `sudo`, `time` and assignments.
    pub(super) fn name(&self) -> &str {
        self.words.get(self.name_at()).map_or("", |word| word.text.rsplit('/').next().unwrap_or(""))
    }

    fn name_at(&self) -> usize {
        let is_lead = |word: &Word| {
            matches!(
                word.text.as_str(),
                "sudo" | "time" | "command" | "!" | "then" | "do" | "else" | "if" | "while" | "until"
            ) || is_assignment(&word.text)
        };
        self.words.iter().take_while(|word| is_lead(word)).count()
    }

    /// The words after the name.
    pub(super) fn args(&self) -> &[Word] {
        self.words.get(self.name_at() + 1..).unwrap_or_default()
    }
}

fn is_assignment(word: &str) -> bool {
    let length = crate::text::name_length(word);
    length > 0 && word[length..].starts_with('=')
}

pub(super) fn lines(action: &Action) -> Vec<&CodeLine> {
    match &action.code {
        Code::Script(lines) => lines.iter().collect(),
        Code::Console(commands) => commands.iter().flat_map(|command| &command.lines).collect(),
    }
}

/// Reads the commands of these lines; the bodies of heredocs are no commands.
pub(super) fn commands(lines: &[&CodeLine]) -> Vec<Command> {
    let mut reader = Reader::default();
    let mut heredocs: Vec<String> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if let Some(end) = heredocs.first() {
            if line.text.trim_start_matches('\t') == end {
                heredocs.remove(0);
            }
            continue;
        }
        reader.line(number, &line.text);
        heredocs.append(&mut reader.heredocs);
    }
    reader.end(false);
    reader.commands
}

#[derive(Default)]
struct Reader {
    commands: Vec<Command>,
    words: Vec<Word>,
    quote: Option<char>,
    word: Option<Word>,
    depth: usize,
    heredocs: Vec<String>,
    /// Something is piped into the next command, or it has a heredoc.
    fed: bool,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let mut continued = false;
        let mut chars = line.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if let Some(quote) = self.quote {
                if c == quote {
                    self.quote = None;
                    self.touch(number, at, c.len_utf8(), None);
                } else {
                    self.touch(number, at, c.len_utf8(), Some(c));
                }
                continue;
            }
            match c {
                '\\' => match chars.next() {
                    Some((next, escaped)) => self.touch(number, next, escaped.len_utf8(), Some(escaped)),
                    None => continued = true,
                },
                '\'' | '"' => {
                    self.quote = Some(c);
                    self.touch(number, at, 1, None);
                }
                '#' if self.word.is_none() => break,
                ' ' | '\t' => self.finish_word(),
                '<' if line[at..].starts_with("<<<") => {
                    chars.next();
                    chars.next();
                    self.fed = true;
                    self.finish_word();
                }
                '<' if line[at..].starts_with("<<") => {
                    self.fed = true;
                    self.finish_word();
                    let rest = line[at + 2..].trim_start_matches('-').trim_start();
                    let length = rest.find([' ', ';', '|', '&', '>']).unwrap_or(rest.len());
                    self.heredocs.push(rest[..length].replace(['\'', '"', '\\'], ""));
                    while chars.peek().is_some_and(|(next, _)| *next < line.len() - (rest.len() - length)) {
                        chars.next();
                    }
                }
                '(' | ')' | '{' | '}' if matches!(c, '(' | ')') || self.stands_alone(line, at) => {
                    // What is piped into a group is piped into each of its commands.
                    let fed = self.fed && self.words.is_empty();
                    self.end(false);
                    self.fed = fed && matches!(c, '(' | '{');
                    if matches!(c, '(' | '{') {
                        self.depth += 1;
                    } else {
                        self.depth = self.depth.saturating_sub(1);
                    }
                }
                '&' if line[at..].starts_with("&>") || line[..at].ends_with('>') => self.touch(number, at, 1, Some(c)),
                ';' | '|' | '&' => {
                    let double = chars.peek().is_some_and(|(_, next)| *next == c);
                    if double {
                        chars.next();
                    }
                    let rest = line[at + 1..].trim_start();
                    let ended = c == '|'
                        && !double
                        && (rest.starts_with("head") || rest.starts_with("grep -m") || rest.starts_with("grep -q"));
                    self.end((c == '&' && !double) || ended);
                    self.fed = c == '|' && !double;
                }
                _ => self.touch(number, at, c.len_utf8(), Some(c)),
            }
        }
        if self.quote.is_none() && !continued {
            self.end(false);
        } else if self.quote.is_none() {
            self.finish_word();
        }
    }

    /// Braces group only as words of their own.
    fn stands_alone(&self, line: &str, at: usize) -> bool {
        self.word.is_none() && line[at + 1..].starts_with([' ', ';', '\t']) | line[at + 1..].is_empty()
    }

    fn touch(&mut self, line: usize, at: usize, length: usize, c: Option<char>) {
        let word = self.word.get_or_insert_with(|| Word { text: String::new(), line, start: at, end: at });
        word.text.extend(c);
        if word.line == line {
            word.end = at + length;
        }
    }

    fn finish_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn end(&mut self, released: bool) {
        self.finish_word();
        if !self.words.is_empty() {
            let words = std::mem::take(&mut self.words);
            let fed = std::mem::take(&mut self.fed)
                || words.iter().any(|word| word.text.starts_with(['<', '0']) && word.text.contains('<'));
            self.commands.push(Command { words, top: self.depth == 0, released, fed });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(script: &str) -> Vec<String> {
        let owned: Vec<CodeLine> =
            script.lines().enumerate().map(|(number, text)| CodeLine { number, text: text.to_owned() }).collect();
        commands(&owned.iter().collect::<Vec<_>>())
            .iter()
            .map(|command| {
                let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
                let top = if command.top { "" } else { "  " };
                format!("{top}{}{}", words.join(" "), if command.released { " &" } else { "" })
            })
            .collect()
    }

    #[test]
    fn simple_commands_are_told_apart() {
        assert_eq!(shown("a 'b c' | d && e; f & g # h"), ["a b c", "d", "e", "f &", "g"]);
        assert_eq!(shown("cat <<'EOF' | k apply\nsleep 5\nEOF\nx"), ["cat", "k apply", "x"]);
        assert_eq!(shown("a \\\n  --b\nc"), ["a --b", "c"]);
        assert_eq!(
            shown("f() { set -e; exit 1; }\n( exit 2 )\nexit"),
            ["f", "  set -e", "  exit 1", "  exit 2", "exit"]
        );
        assert_eq!(shown("echo \"a\nexit\" 2>&1"), ["echo aexit 2>&1"]);
        assert_eq!(shown("etcdctl watch x | head -1"), ["etcdctl watch x &", "head -1"]);
        assert_eq!(shown("jq '{a: .b}' <<< x"), ["jq {a: .b} x"]);
    }

    #[test]
    fn what_a_command_reads_is_known() {
        let fed = |script: &str| {
            let owned: Vec<CodeLine> =
                script.lines().enumerate().map(|(number, text)| CodeLine { number, text: text.to_owned() }).collect();
            let commands = commands(&owned.iter().collect::<Vec<_>>());
            commands.iter().map(|command| command.fed).collect::<Vec<_>>()
        };
        assert_eq!(fed("a | b || c; d <f; e <<E\nE\ng <<< x && h"), [false, true, false, true, true, true, false]);
        assert_eq!(fed("a | while read x\ndo\nread y\ndone"), [false, true, false, false, false]);
    }
}
