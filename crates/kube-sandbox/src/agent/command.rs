//! What a container's command would come to. Nothing runs here: plain commands are foreseen, servers go on for ever.

use std::time::Duration;

/// How a container goes on once it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Until it is stopped.
    Serves,
    Exits {
        code: i32,
        after: Duration,
    },
}

pub(crate) const KILLED: i32 = 137;

const AT_ONCE: Duration = Duration::ZERO;

/// Images that do one thing and end when nothing else is asked of them.
const SHORT_LIVED: [&str; 9] =
    ["busybox", "alpine", "ubuntu", "debian", "hello-world", "centos", "fedora", "bash", "perl"];

/// Commands that end at once and well.
const INSTANT: [&str; 28] = [
    "true", ":", "echo", "printf", "date", "ls", "pwd", "env", "printenv", "hostname", "id", "whoami", "uname", "cat",
    "touch", "mkdir", "cp", "mv", "rm", "chmod", "chown", "grep", "sed", "awk", "head", "wc", "test", "set",
];

const SHELLS: [&str; 6] = ["sh", "bash", "ash", "/bin/sh", "/bin/bash", "/bin/ash"];

/// `repository` is the image's last path part; `once` says that the pod is not restarted for ever.
pub(crate) fn foresee(repository: &str, command: &[&str], args: &[&str], once: bool) -> Course {
    let line: Vec<&str> = command.iter().chain(args).copied().collect();
    if line.is_empty() || (command.is_empty() && line[0].starts_with('-')) {
        return if SHORT_LIVED.contains(&repository) { exits(0, AT_ONCE) } else { Course::Serves };
    }
    run(&line, once)
}

/// The exit status of what is told to stop. A container's first process has no default handlers, so that plain tools
/// and shells do not hear SIGTERM and are killed; servers end well.
pub(crate) fn when_stopped(command: &[&str], args: &[&str]) -> i32 {
    let program = command.iter().chain(args).next().map(|program| program.rsplit('/').next().unwrap_or(program));
    let deaf = |program: &str| SHELLS.contains(&program) || ["sleep", "tail", "cat", "watch", "yes"].contains(&program);
    if program.is_some_and(deaf) { KILLED } else { 0 }
}

/// Whether it does nothing but wait, so that nobody answers at any port.
pub(crate) fn only_waits(command: &[&str], args: &[&str]) -> bool {
    let line: Vec<&str> = command.iter().chain(args).copied().collect();
    let waits = |words: &[&str]| {
        let program = words.first().map_or("", |program| program.rsplit('/').next().unwrap_or(program));
        ["sleep", "tail", "while", "do", "done", "until", ""].contains(&program) || INSTANT.contains(&program)
    };
    match script(&line) {
        Some(script) => pieces(script).into_iter().all(|(_, text)| waits(&text.split_whitespace().collect::<Vec<_>>())),
        None => !line.is_empty() && !command.is_empty() && waits(&line),
    }
}

/// Whether a file is there so many seconds after a script's start, as far as the script says.
pub(crate) fn file_at(line: &[&str], path: &str, at: i64) -> Option<bool> {
    let (mut found, mut past) = (None, 0);
    for (_, text) in pieces(script(line)?) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let names = words.contains(&path) || text.contains(&format!(">{path}"));
        match words.as_slice() {
            ["sleep", rest @ ..] => match sleep(rest) {
                Course::Exits { after, .. } => past += i64::try_from(after.as_secs()).unwrap_or(i64::MAX / 2),
                Course::Serves => break,
            },
            ["rm", ..] if names => found = Some((past <= at, false)).filter(|(done, _)| *done).or(found),
            _ if names && (words[0] == "touch" || text.contains('>')) => {
                // Before it is made, it is not there.
                found = Some((true, past <= at));
            }
            _ => {}
        }
        if past > at {
            break;
        }
    }
    found.map(|(_, there)| there)
}

/// What a shell is given to run.
fn script<'a>(line: &[&'a str]) -> Option<&'a str> {
    let (program, rest) = line.split_first()?;
    let at = rest.iter().position(|flag| flag.starts_with('-') && flag.ends_with('c'))?;
    rest.get(at + 1).copied().filter(|_| SHELLS.contains(program))
}

fn exits(code: i32, after: Duration) -> Course {
    Course::Exits { code, after }
}

/// A program that is not known: one that is started once is taken to do its work, another to serve.
fn unknown(once: bool) -> Course {
    if once { exits(0, AT_ONCE) } else { Course::Serves }
}

fn run(line: &[&str], once: bool) -> Course {
    let Some((program, rest)) = line.split_first() else { return exits(0, AT_ONCE) };
    let name = program.rsplit('/').next().unwrap_or(program);
    if SHELLS.contains(program) {
        // A shell without a script and without input ends.
        return script(line).map_or(exits(0, AT_ONCE), |script| shell(script, once));
    }
    match name {
        "false" => exits(1, AT_ONCE),
        "sleep" => sleep(rest),
        "tail" if rest.iter().any(|flag| flag.starts_with("-f") || flag.starts_with("-F")) => Course::Serves,
        _ if INSTANT.contains(&name) => exits(0, AT_ONCE),
        _ => unknown(once),
    }
}

fn sleep(arguments: &[&str]) -> Course {
    let mut total = Duration::ZERO;
    for argument in arguments {
        if *argument == "infinity" || *argument == "inf" {
            return Course::Serves;
        }
        let (number, unit) = match argument.strip_suffix(['s', 'm', 'h', 'd']) {
            Some(number) => (number, argument.chars().last()),
            None => (*argument, None),
        };
        let Ok(number) = number.parse::<f64>() else { return exits(1, AT_ONCE) };
        let factor = match unit {
            Some('m') => 60.0,
            Some('h') => 3600.0,
            Some('d') => 86400.0,
            _ => 1.0,
        };
        total = total.saturating_add(Duration::try_from_secs_f64(number * factor).unwrap_or(Duration::MAX));
    }
    exits(0, total)
}

/// Plain scripts: commands one after the other, joined by `;`, newlines, `&&` and `||`.
fn shell(script: &str, once: bool) -> Course {
    let loops = ["while true", "while :", "while sleep", "for (( ; ; ))", "for ((;;))", "until false"];
    if loops.iter().any(|start| script.contains(start)) {
        return Course::Serves;
    }
    let mut total = Duration::ZERO;
    let mut code = 0;
    let mut strict = false;
    for (join, text) in pieces(script) {
        let skip = match join {
            Join::Always => false,
            Join::IfGood => code != 0,
            Join::IfBad => code == 0,
        };
        if skip {
            continue;
        }
        let words = shell_words::split(text).unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect());
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with(['>', '<'])).collect();
        let words = words.strip_prefix(&["exec"][..]).unwrap_or(&words);
        match words {
            [] => {}
            ["exit"] => return exits(code, total),
            ["exit", number] => return exits(number.parse().unwrap_or(2), total),
            ["set", flags, ..] => {
                strict |= flags.starts_with('-') && flags.contains('e');
                code = 0;
            }
            _ => match run(words, once) {
                Course::Serves => return Course::Serves,
                Course::Exits { code: ended, after } => {
                    total += after;
                    code = ended;
                    if strict && code != 0 {
                        return exits(code, total);
                    }
                }
            },
        }
    }
    exits(code, total)
}

#[derive(Clone, Copy)]
enum Join {
    Always,
    IfGood,
    IfBad,
}

/// The commands of a script, and what each depends on; quotes are respected.
fn pieces(script: &str) -> Vec<(Join, &str)> {
    let mut found = Vec::new();
    let (mut start, mut join, mut quote) = (0, Join::Always, None);
    let bytes = script.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let (next, width) = match (quote, byte) {
            (Some(open), _) => {
                if open == byte {
                    quote = None;
                }
                (None, 1)
            }
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                (None, 1)
            }
            (None, b';' | b'\n') => (Some(Join::Always), 1),
            (None, b'&') if bytes.get(at + 1) == Some(&b'&') => (Some(Join::IfGood), 2),
            (None, b'|') if bytes.get(at + 1) == Some(&b'|') => (Some(Join::IfBad), 2),
            _ => (None, 1),
        };
        if let Some(next) = next {
            found.push((join, script[start..at].trim()));
            join = next;
            start = at + width;
        }
        at += width;
    }
    found.push((join, script[start..].trim()));
    found.retain(|(_, text)| !text.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(code: i32, seconds: u64) -> Course {
        exits(code, Duration::from_secs(seconds))
    }

    #[test]
    fn a_deaf_first_process_is_killed_and_a_server_ends_well() {
        assert_eq!(when_stopped(&["sleep", "3600"], &[]), 137);
        assert_eq!(when_stopped(&[], &["/bin/sh", "-c", "while true; do sleep 1; done"]), 137);
        assert_eq!(when_stopped(&[], &[]), 0);
        assert_eq!(when_stopped(&["nginx", "-g", "daemon off;"], &[]), 0);
    }

    #[test]
    fn plain_commands_are_foreseen() {
        let of = |line: &[&str]| foresee("busybox", line, &[], true);
        assert_eq!(of(&["true"]), ends(0, 0));
        assert_eq!(of(&["/bin/false"]), ends(1, 0));
        assert_eq!(of(&["sleep", "3"]), ends(0, 3));
        assert_eq!(of(&["sleep", "1h"]), ends(0, 3600));
        assert_eq!(of(&["sleep", "infinity"]), Course::Serves);
        assert_eq!(foresee("nginx", &[], &[], false), Course::Serves);
        assert_eq!(foresee("busybox", &[], &[], false), ends(0, 0));
        assert_eq!(foresee("busybox", &[], &["sleep", "5"], false), ends(0, 5));
        assert_eq!(foresee("etcd", &["etcd"], &["--debug"], false), Course::Serves);
    }

    #[test]
    fn scripts_are_followed_as_a_shell_would() {
        let of = |script: &str| foresee("busybox", &["sh", "-c", script], &[], true);
        assert_eq!(of("exit 3"), ends(3, 0));
        assert_eq!(of("echo one; sleep 2; exit 7"), ends(7, 2));
        assert_eq!(of("false || exit 4"), ends(4, 0));
        assert_eq!(of("true && sleep 1"), ends(0, 1));
        assert_eq!(of("false && exit 9"), ends(1, 0));
        assert_eq!(of("set -e\nfalse\necho never"), ends(1, 0));
        assert_eq!(of("echo 'exit 5; exit 6'"), ends(0, 0));
        assert_eq!(of("while true; do date; sleep 1; done"), Course::Serves);
        assert_eq!(of("exec sleep 4"), ends(0, 4));
    }
}
