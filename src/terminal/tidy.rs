//! What a shell adds to a command's output that a person at a prompt would not take for it.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// `[1] 4242` when a job starts, `[1]+  Done   sleep 1` when the shell notes its end.
static JOB_NOTICE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^\[\d+\](?: \d+|[ +-] +(?:Done|Exit|Terminated|Killed|Hangup|Interrupt|Quit|Aborted|Broken pipe|Segmentation fault|User defined signal)\b[^\n]*)(?:\n|\z)",
    )
    .expect("a regular expression")
});

/// Commands that print in the form of notices.
static ASKS_FOR_JOBS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:jobs|fg|bg)\b").expect("a regular expression"));

/// A message names the file that the command was read from, where a person would see `bash:` alone.
pub(super) fn tidy(output: &str, command: &str, file: &Path) -> String {
    let name = format!("{}: line ", file.display());
    let mut text = String::with_capacity(output.len());
    let mut rest = output;
    while let Some((before, after)) = rest.split_once(&name) {
        text.push_str(before);
        rest = after.split_once(": ").map_or(after, |(_, message)| message);
    }
    text.push_str(rest);
    let text = untraced(text, file);
    if ASKS_FOR_JOBS.is_match(command) || !text.contains('[') {
        return text;
    }
    JOB_NOTICE.replace_all(&text, "").into_owned()
}

/// `set -x` also traces that our file is read, and everything in it as one level deeper.
fn untraced(text: String, file: &Path) -> String {
    let reads = format!("+ . {}", shell_words::quote(&file.to_string_lossy()));
    if !text.lines().any(|line| line == reads) {
        return text;
    }
    let lines = text.split_inclusive('\n').filter(|line| line.trim_end() != reads);
    lines.map(|line| if line.starts_with("++") { &line[1..] } else { line }).collect()
}

/// What the opening of a shell printed, without that shell's first prompt and the echo of our probes.
pub(super) fn tidy_opening(output: &str, prompt: &str) -> String {
    let is_theirs = |line: &str| {
        (!prompt.is_empty() && line.starts_with(prompt)) || line.contains("printf '\\033]") || !line.ends_with('\n')
    };
    output.split_inclusive('\n').take_while(|line| !is_theirs(line)).collect()
}

/// bash moves on to a new line when Ctrl-C ends a command.
pub(super) fn without_break(output: &str) -> &str {
    match output.strip_suffix('\n') {
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => rest,
        _ => output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_notices_go_and_what_looks_like_them_stays() {
        let text = "[1] 4242\nbefore\n[1]+  Done                    sleep 1\n[2]   Exit 3                  ( exit 3 )\n[1] of 3\n[x]+ Done\n[1]-  Done(3) x";
        assert_eq!(tidy(text, "sleep 1 &", Path::new("/f")), "before\n[1] of 3\n[x]+ Done\n");
        let jobs = "[1]+  Running                 sleep 9 &\n[2]-  Done                    true\n";
        assert_eq!(tidy(jobs, "jobs -l", Path::new("/f")), jobs);
    }

    #[test]
    fn a_message_names_bash_and_not_our_file() {
        let text = "bash: /run/k/1/command: line 1: syntax error near unexpected token `a'\nbash: /run/k/1/command: line 1: `echo ( a'\n";
        let wanted = "bash: syntax error near unexpected token `a'\nbash: `echo ( a'\n";
        assert_eq!(tidy(text, "echo ( a", Path::new("/run/k/1/command")), wanted);
    }

    #[test]
    fn a_trace_is_what_it_is_at_a_prompt() {
        let text = "+ . /f\n++ cd /tmp\n++ cat -\n+++ hostname\nx\n";
        assert_eq!(tidy(text, "cat", Path::new("/f")), "+ cd /tmp\n+ cat -\n++ hostname\nx\n");
        assert_eq!(tidy("++ i\n", "cat", Path::new("/f")), "++ i\n");
    }

    #[test]
    fn the_first_prompt_of_an_opened_shell_is_not_output() {
        assert_eq!(tidy_opening("Defaulted container\n/ # ", ""), "Defaulted container\n");
        assert_eq!(tidy_opening("hello\nroot:/#  printf '\\033]7777;x;b;%s\\007' 4\n/ # ", ""), "hello\n");
        assert_eq!(tidy_opening("hello\nbash-5.2# \nbash-5.2# \n", "bash-5.2# "), "hello\n");
        assert_eq!(tidy_opening("$ ", "$ "), "");
    }
}
