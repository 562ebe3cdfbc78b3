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

/// A message names the file that the command was read from, where a person would see `bash:` alone; `dir` is the
/// folder of these files, in which each has a name of one word.
pub(super) fn tidy(output: &str, command: &str, dir: &Path) -> String {
    let text = if dir.as_os_str().is_empty() { output.to_owned() } else { without_names(output, dir) };
    if ASKS_FOR_JOBS.is_match(command) || !text.contains('[') {
        return text;
    }
    JOB_NOTICE.replace_all(&text, "").into_owned()
}

fn without_names(output: &str, dir: &Path) -> String {
    let folder = format!("{}/", dir.display());
    let mut text = String::with_capacity(output.len());
    let mut rest = output;
    while let Some((before, after)) = rest.split_once(&folder) {
        text.push_str(before);
        let name = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
        let numbered = after[name..].strip_prefix(": line ").and_then(|numbered| numbered.split_once(": "));
        if let Some((_, message)) = numbered {
            rest = message;
        } else {
            text.push_str(&folder);
            rest = after;
        }
    }
    text.push_str(rest);
    untraced(text, &folder)
}

/// `set -x` also traces that our file is read, and everything in it as one level deeper; `set -v` and a DEBUG trap
/// show what we hand over.
fn untraced(text: String, folder: &str) -> String {
    if !text.contains(folder) {
        return text;
    }
    let is_traced = text.lines().any(|line| line.starts_with("+ . ") && line.contains(folder));
    let lines = text.split_inclusive('\n').filter(|line| !line.contains(folder));
    lines.map(|line| if is_traced && line.starts_with("++") { &line[1..] } else { line }).collect()
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
        assert_eq!(tidy(text, "echo ( a", Path::new("/run/k/1")), wanted);
    }

    #[test]
    fn a_trace_is_what_it_is_at_a_prompt() {
        let text = "+ . /d/f\n++ cd /tmp\n++ cat -\n+++ hostname\nx\n";
        assert_eq!(tidy(text, "cat", Path::new("/d")), "+ cd /tmp\n+ cat -\n++ hostname\nx\n");
        assert_eq!(tidy("++ i\n", "cat", Path::new("/d")), "++ i\n");
        // `set -v`, and a DEBUG trap that prints the command.
        assert_eq!(tidy("false\n>/d/r.\"$?\"\nnow: . /d/f\nx\n", "cat", Path::new("/d")), "false\nx\n");
    }

    #[test]
    fn the_first_prompt_of_an_opened_shell_is_not_output() {
        assert_eq!(tidy_opening("Defaulted container\n/ # ", ""), "Defaulted container\n");
        assert_eq!(tidy_opening("hello\nroot:/#  printf '\\033]7777;x;b;%s\\007' 4\n/ # ", ""), "hello\n");
        assert_eq!(tidy_opening("hello\nbash-5.2# \nbash-5.2# \n", "bash-5.2# "), "hello\n");
        assert_eq!(tidy_opening("$ ", "$ "), "");
    }
}
