//! Cutting a block into complete commands, as a person at the prompt would hand them over one by one.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// One complete command: a line, a loop, a heredoc, lines joined by `\`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShellCommand {
    /// The line of its first word in the Markdown file.
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) leaving: Leaving,
}

/// Whether the shell may leave a command before the last of the text that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    Never,
    /// A `return`, or a syntax error.
    May,
    /// It is not complete: what follows in the text would be a part of it.
    Open,
}

impl ShellCommand {
    /// One of ours, which is known to be complete.
    pub(super) fn ours(text: String) -> Self {
        Self { line: 0, text, leaving: Leaving::Never }
    }
}

/// Cuts; what is still open at the end is a command too, and the shell itself says what it lacks.
pub(super) async fn split(lines: &[(usize, String)]) -> Vec<ShellCommand> {
    let mut commands = Vec::new();
    let mut open: Option<ShellCommand> = None;
    let mut awaits = Awaits::Anything;
    for (number, line) in lines {
        let is_first = open.is_none();
        if is_first && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        let fresh = || ShellCommand { line: *number, text: String::new(), leaving: Leaving::Open };
        let command = open.get_or_insert_with(fresh);
        if !is_first {
            command.text.push('\n');
        }
        command.text.push_str(line);
        if !is_first && !awaits.may_end_with(line) {
            continue;
        }
        let state = if is_first && is_plainly_complete(line) {
            State::Complete { is_wrong: false }
        } else {
            ask(&command.text).await
        };
        match state {
            State::Complete { is_wrong } => {
                let may = is_wrong || command.text.contains("return");
                command.leaving = if may { Leaving::May } else { Leaving::Never };
                commands.extend(open.take());
            }
            State::Open(wanted) => awaits = wanted,
        }
    }
    commands.extend(open);
    commands
}

/// The complete commands of a block's lines, each with its first line's number.
pub async fn commands_of(lines: &[(usize, String)]) -> Vec<(usize, String)> {
    split(lines).await.into_iter().map(|command| (command.line, command.text)).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// `is_wrong`: by a syntax error, which no further line mends.
    Complete {
        is_wrong: bool,
    },
    Open(Awaits),
}

/// What a line must hold that ends an open command, so that bash need not be asked at each line.
#[derive(Debug, PartialEq, Eq)]
enum Awaits {
    Anything,
    /// A heredoc's delimiter, alone.
    Delimiter(String),
    /// The other of a pair of quotes or brackets.
    Match(char),
    /// The end of a loop, a group, a condition.
    End,
}

impl Awaits {
    fn may_end_with(&self, line: &str) -> bool {
        match self {
            Awaits::Anything => true,
            Awaits::Delimiter(wanted) => line.trim_start_matches('\t') == wanted,
            Awaits::Match('"') => has_unescaped(line, '"'),
            Awaits::Match(char) => line.contains(*char),
            Awaits::End => ["fi", "done", "esac", "}", ")", "]]"].iter().any(|end| line.contains(end)),
        }
    }
}

/// What is between the quotes before the line may end in a backslash, which takes nothing but the line's end with it.
fn has_unescaped(line: &str, wanted: char) -> bool {
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        if char == '\\' {
            chars.next();
        } else if char == wanted {
            return true;
        }
    }
    false
}

async fn ask(text: &str) -> State {
    let backslashes = text.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if backslashes % 2 == 1 {
        let last = text.lines().next_back().unwrap_or_default();
        // Joined to what the backslash continues, the word is no reserved one, and `then` a syntax error.
        if !may_hold_comment(last) || judge(&format!("{text}\nif :; then :; fi")).await.is_wrong() {
            return State::Open(Awaits::Anything);
        }
        // It stands in a comment, where it continues nothing.
        return classify(text.trim_end_matches('\\')).await;
    }
    classify(text).await
}

async fn classify(text: &str) -> State {
    match judge(text).await {
        State::Open(Awaits::Anything) => {
            // Still open after a whole command more: not for want of an operand, but of its own end.
            match judge(&format!("{text}\n:")).await {
                State::Open(_) => State::Open(Awaits::End),
                State::Complete { .. } => State::Open(Awaits::Anything),
            }
        }
        other => other,
    }
}

impl State {
    fn is_wrong(&self) -> bool {
        matches!(self, State::Complete { is_wrong: true })
    }
}

/// A word may begin with `#` there.
fn may_hold_comment(line: &str) -> bool {
    line.char_indices().any(|(at, char)| {
        char == '#' && line[..at].chars().next_back().is_none_or(|before| " \t;&|()".contains(before))
    })
}

async fn judge(text: &str) -> State {
    let Ok(told) = syntax_check(text).await else {
        // Without bash there is no terminal either; that error is the better one.
        return State::Complete { is_wrong: false };
    };
    if let Some((_, rest)) = told.rsplit_once("delimited by end-of-file (wanted `")
        && let Some((wanted, _)) = rest.split_once("')")
    {
        return State::Open(Awaits::Delimiter(wanted.to_owned()));
    }
    if let Some((_, rest)) = told.split_once("unexpected EOF while looking for matching `") {
        let wanted = rest.chars().next().filter(|char| "'\"`)}".contains(*char));
        return State::Open(wanted.map_or(Awaits::Anything, Awaits::Match));
    }
    let ends = ["unexpected end of file", "unexpected EOF while looking for", "unexpected token `EOF'"];
    if ends.iter().any(|words| told.contains(words)) {
        return State::Open(Awaits::Anything);
    }
    State::Complete { is_wrong: !told.trim().is_empty() }
}

async fn syntax_check(text: &str) -> std::io::Result<String> {
    let mut child = Command::new("bash")
        .args(["--norc", "-n"])
        .env_remove("BASH_ENV")
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    let text = format!("{text}\n");
    // bash may stop reading at an error.
    let write = async move { drop(stdin.write_all(text.as_bytes()).await) };
    let (output, ()) = tokio::join!(child.wait_with_output(), write);
    Ok(String::from_utf8_lossy(&output?.stderr).into_owned())
}

/// Reserved words that open, continue or close a compound command.
const RESERVED: &[&str] = &[
    "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "in", "function",
    "time", "coproc", "select", "{", "}", "!", "[[",
];

/// A simple command without anything that may go on: most lines of most labs, spared a process each.
fn is_plainly_complete(line: &str) -> bool {
    if line.split_whitespace().next().is_none_or(|word| RESERVED.contains(&word)) {
        return false;
    }
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (_, '$') => match chars.peek() {
                Some('{') => {
                    chars.next();
                    while chars.peek().is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        chars.next();
                    }
                    if chars.next() != Some('}') {
                        return false;
                    }
                }
                Some('(' | '\'' | '"' | '[') => return false,
                _ => {}
            },
            (_, '`' | '\\') => return false,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(char),
            (None, c) if c.is_alphanumeric() || " \t-_./:=,@%+~^*?>".contains(c) => {}
            (None, _) => return false,
        }
    }
    quote.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn cut(text: &str) -> Vec<(usize, String)> {
        let lines: Vec<(usize, String)> =
            text.lines().enumerate().map(|(index, line)| (index + 10, line.to_owned())).collect();
        split(&lines).await.into_iter().map(|command| (command.line, command.text)).collect()
    }

    #[tokio::test]
    async fn what_belongs_together_is_one_command() {
        let text = "# a comment\necho one\n\nfor i in 1 2; do\n  echo $i\ndone\ncat <<EOF | sort\n$(x\nif \"\nEOF\n\
                    kubectl get pods \\\n  -A\necho 'a\nb'\ntrue &&\n  true\nf() {\n  # inside\n  echo f\n}\nf";
        let commands = cut(text).await;
        let wanted = [
            (11, "echo one"),
            (13, "for i in 1 2; do\n  echo $i\ndone"),
            (16, "cat <<EOF | sort\n$(x\nif \"\nEOF"),
            (20, "kubectl get pods \\\n  -A"),
            (22, "echo 'a\nb'"),
            (24, "true &&\n  true"),
            (26, "f() {\n  # inside\n  echo f\n}"),
            (30, "f"),
        ];
        assert_eq!(commands, wanted.map(|(line, text)| (line, text.to_owned())));
    }

    #[tokio::test]
    async fn two_heredocs_and_one_with_tabs_end_at_their_own_delimiters() {
        let commands = cut("cat <<A <<-'B C'\none\nA\ntwo\n\tB C\necho \\\\\necho after").await;
        let lines: Vec<usize> = commands.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [10, 15, 16], "{commands:?}");
    }

    #[tokio::test]
    async fn a_plain_error_is_complete_and_an_open_end_is_handed_over() {
        let commands = cut("echo ( a\necho b\nif true; then\necho c").await;
        let wanted = [(10, "echo ( a"), (11, "echo b"), (12, "if true; then\necho c")];
        assert_eq!(commands, wanted.map(|(line, text)| (line, text.to_owned())));
    }

    #[tokio::test]
    async fn a_backslash_in_a_comment_continues_nothing() {
        for (text, wanted) in [
            ("false # c \\\ntrue", &[10, 11][..]),
            ("a && # c \\\n  b\nc", &[10, 12]),
            ("echo \"a # b\" \\\n  c\nd", &[10, 12]),
            ("echo a# \\\n b", &[10]),
            ("! \\\n  false", &[10]),
            ("# c \\\nfalse", &[11]),
            ("cat <<E # c \\\nx\nE\nd", &[10, 13]),
            ("echo ' # \\\n'\nd", &[10, 12]),
            ("true;# c \\\nd", &[10, 11]),
            ("if true; then # c \\\n a # d \\\nfi\nd", &[10, 13]),
        ] {
            let lines: Vec<usize> = cut(text).await.iter().map(|(line, _)| *line).collect();
            assert_eq!(lines, wanted, "{text}");
        }
    }

    #[tokio::test]
    async fn long_quotes_and_loops_end_where_they_end() {
        let filler = (0..1500).map(|n| format!("  \\\"key {n}\\\": $x ${{y}} # z")).collect::<Vec<_>>().join("\n");
        for (begin, end) in [("echo \"{", "}\""), ("curl -d '{", "}' x"), ("cat <<E", "E"), ("f() {\necho \"", "\"\n}")]
        {
            let text = format!("{begin}\n{filler}\n{end}\nafter");
            let began = std::time::Instant::now();
            let commands = cut(&text).await;
            println!("{begin:?} took {:?}", began.elapsed());
            assert_eq!(commands.len(), 2, "{begin}");
            assert_eq!(commands[1].1, "after", "{begin}");
        }
        let body =
            (0..300).map(|n| format!("if a; then\n  echo {n} |\n\n cat\nfi\n(b\n)")).collect::<Vec<_>>().join("\n");
        let commands = cut(&format!("while true; do\n{body}\ndone\nafter")).await;
        assert_eq!(commands.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [10, 2112]);
    }

    #[tokio::test]
    async fn the_short_way_agrees_with_bash() {
        for line in [
            "kubectl create namespace \"$NAMESPACE\"",
            "echo 'it''s (fine) `here` \\'",
            "etcdctl get / --prefix --keys-only > ${LAB_WORK}/keys",
            "export A=b C=\"d e\"",
        ] {
            assert!(is_plainly_complete(line), "{line}");
            assert_eq!(ask(line).await, State::Complete { is_wrong: false }, "{line}");
        }
        for line in [
            "echo \"a",
            "if true",
            "echo $(date",
            "a |",
            "f() {",
            "[[ a &&",
            "echo a \\",
            "x=(1",
            "{ a",
            "echo ${a:-",
            "a &&",
        ] {
            assert!(!is_plainly_complete(line), "{line}");
            assert!(matches!(ask(line).await, State::Open(_)), "{line}");
        }
    }
}
