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
}

/// Cuts; what is still open at the end is a command too, and the shell itself says what it lacks.
pub(super) async fn split(lines: &[(usize, String)]) -> Vec<ShellCommand> {
    let mut commands = Vec::new();
    let mut open: Option<ShellCommand> = None;
    let mut delimiter: Option<String> = None;
    for (number, line) in lines {
        let is_first = open.is_none();
        if is_first && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        let command = open.get_or_insert_with(|| ShellCommand { line: *number, text: String::new() });
        if !is_first {
            command.text.push('\n');
        }
        command.text.push_str(line);
        // Inside a heredoc nothing but its delimiter matters, so bash need not be asked at each line.
        if delimiter.as_ref().is_some_and(|wanted| line.trim_start_matches('\t') != wanted) {
            continue;
        }
        delimiter = None;
        let state = if is_first && is_plainly_complete(line) { State::Complete } else { ask(&command.text).await };
        match state {
            State::Complete => commands.extend(open.take()),
            State::Open => {}
            State::Heredoc(wanted) => delimiter = Some(wanted),
        }
    }
    commands.extend(open);
    commands
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Complete,
    Open,
    /// Up to a line that is this.
    Heredoc(String),
}

async fn ask(text: &str) -> State {
    let backslashes = text.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if backslashes % 2 == 1 {
        return State::Open;
    }
    let Ok(told) = syntax_check(text).await else {
        // Without bash there is no terminal either; that error is the better one.
        return State::Complete;
    };
    if let Some((_, rest)) = told.rsplit_once("delimited by end-of-file (wanted `")
        && let Some((wanted, _)) = rest.split_once("')")
    {
        return State::Heredoc(wanted.to_owned());
    }
    if ["unexpected end of file", "unexpected EOF while looking for", "unexpected token `EOF'"]
        .iter()
        .any(|words| told.contains(words))
    {
        State::Open
    } else {
        State::Complete
    }
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
    async fn the_short_way_agrees_with_bash() {
        for line in [
            "kubectl create namespace \"$NAMESPACE\"",
            "echo 'it''s (fine) `here` \\'",
            "etcdctl get / --prefix --keys-only > ${LAB_WORK}/keys",
            "export A=b C=\"d e\"",
        ] {
            assert!(is_plainly_complete(line), "{line}");
            assert_eq!(ask(line).await, State::Complete, "{line}");
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
            assert_ne!(ask(line).await, State::Complete, "{line}");
        }
    }
}
