//! Commands that wait for somebody to type: nobody does when a lab runs by itself.

use super::shell::{Command, Word};

/// Editors, pagers and the like, which take the whole terminal.
const SCREENS: &[&str] =
    &["vi", "vim", "nvim", "nano", "emacs", "less", "more", "man", "top", "htop", "k9s", "tmux", "screen"];

/// The word that makes the command wait, what it does, and what to write instead. `opens` says that its last command
/// opens a shell that stays.
pub(super) fn waits(command: &Command, opens: bool) -> Option<(&Word, String, &'static str)> {
    // What a loop reads stands after its `done`.
    if command.fed || command.words.iter().any(|word| matches!(word.text.as_str(), "while" | "until")) {
        return None;
    }
    let name = command.name();
    let args = command.args();
    let first = command.words.iter().find(|word| word.text.rsplit('/').next() == Some(name))?;
    let flag = |flags: &[&str]| args.iter().find(|arg| flags.contains(&arg.text.as_str()));
    let verb = args.iter().find(|arg| !arg.text.starts_with('-'));
    if SCREENS.contains(&name) {
        // `top -b` and its like print and end.
        let ends = flag(&["-b", "--version", "--help", "-V", "-e", "-es", "+q"]).is_some() || name == "tmux";
        let hint = "write the file with a heredoc, or print it with `cat`";
        return (!ends).then(|| (first, format!("`{name}` waits for somebody to type"), hint));
    }
    match (name, verb.map(|verb| verb.text.as_str())) {
        ("read", _) => {
            let limited = args.iter().any(|arg| arg.text.starts_with("-t") || arg.text.starts_with("-u"));
            let hint = "declare a variable in the front matter: it can `ask` a learner, and has a default";
            (!limited).then(|| (first, "`read` waits for somebody to type".to_owned(), hint))
        }
        ("kubectl", Some("edit")) => {
            let hint = "write `kubectl patch`, `kubectl set` or `kubectl apply -f -` with a heredoc";
            verb.map(|word| (word, "`kubectl edit` opens an editor".to_owned(), hint))
        }
        ("kubectl", Some("delete")) => flag(&["-i", "--interactive", "--interactive=true"])
            .map(|word| (word, "this asks before it deletes".to_owned(), "leave it out")),
        ("kubectl", Some("exec" | "run" | "attach" | "debug"))
        | ("docker" | "podman" | "nerdctl", Some("exec" | "run")) => {
            if opens {
                return None;
            }
            let own = args.iter().position(|arg| arg.text == "--").map_or(args, |at| &args[..at]);
            let word = own.iter().find(|arg| is_interactive(&arg.text))?;
            // A command of its own ends by itself.
            let inner = args.get(own.len() + 1..).unwrap_or_default();
            let shell = if name == "kubectl" { inner } else { args };
            let last = shell.last().map_or("", |word| word.text.rsplit('/').next().unwrap_or(""));
            let stays = matches!(last, "sh" | "bash" | "ash" | "zsh" | "psql" | "mysql" | "redis-cli")
                || (name == "kubectl" && inner.is_empty());
            let hint = "say `opens` on the block, or give the command to run: `… -- sh -c '…'`";
            stays.then(|| (word, "this opens a shell that waits for somebody to type".to_owned(), hint))
        }
        ("cat", _) if names_no_file(args) => {
            Some((first, "`cat` without a file waits for somebody to type".to_owned(), "name a file, or use a heredoc"))
        }
        ("kubectl", Some("apply" | "create" | "replace")) => args
            .windows(2)
            .find(|pair| matches!(pair[0].text.as_str(), "-f" | "--filename") && pair[1].text == "-")
            .map(|pair| {
                (&pair[1], "`-f -` waits for a manifest to be typed".to_owned(), "add a heredoc: `-f - <<'EOF'`")
            }),
        ("passwd" | "ssh-keygen", _)
            if args.iter().all(|arg| !matches!(arg.text.as_str(), "-N" | "--stdin" | "-l" | "-d")) =>
        {
            Some((first, format!("`{name}` waits for somebody to type"), "give the answers as flags"))
        }
        _ => None,
    }
}

/// Only options, and where the output goes.
fn names_no_file(args: &[Word]) -> bool {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.text.trim_start_matches(['1', '2', '&']) {
            ">" | ">>" => drop(args.next()),
            text if text.starts_with('>') || (text.starts_with('-') && text != "-") => {}
            _ => return false,
        }
    }
    true
}

/// `-it`, `-i`, `-ti`, `--stdin`.
fn is_interactive(flag: &str) -> bool {
    matches!(flag, "-i" | "-it" | "-ti" | "--stdin" | "--stdin=true" | "--interactive" | "--interactive=true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::CodeLine;
    use crate::parse::shell::commands;

    fn found(script: &str) -> Vec<String> {
        let owned: Vec<CodeLine> =
            script.lines().enumerate().map(|(number, text)| CodeLine { number, text: text.to_owned() }).collect();
        let commands = commands(&owned.iter().collect::<Vec<_>>());
        commands.iter().filter_map(|command| waits(command, false)).map(|(word, ..)| word.text.clone()).collect()
    }

    #[test]
    fn commands_that_wait_for_typing_are_found() {
        for (script, word) in [
            ("read NAME", "read"),
            ("read -p 'Go on? ' x", "read"),
            ("kubectl edit deployment/web", "edit"),
            ("sudo vim /etc/hosts", "vim"),
            ("kubectl get pods | tee x; less x", "less"),
            ("kubectl exec -it web -- sh", "-it"),
            ("kubectl run -it x --image=busybox:1.36", "-it"),
            ("docker run --rm -it busybox:1.36 sh", "-it"),
            ("cat > file", "cat"),
            ("cat >>file 2> /dev/null", "cat"),
            ("cat", "cat"),
            ("kubectl apply -f -", "-"),
            ("kubectl delete -i pod x", "-i"),
        ] {
            assert_eq!(found(script), [word], "{script}");
        }
    }

    #[test]
    fn commands_that_are_fed_or_end_are_not() {
        for script in [
            "kubectl get pods -o name | while read pod; do echo \"$pod\"; done",
            "read -r NAME < file",
            "while read -r name; do echo \"$name\"; done < file",
            "read -t 5 x",
            "kubectl exec -it web -- sh -c 'ls'",
            "kubectl exec -i web -- sh <<'E'\nls\nE",
            "echo x | kubectl apply -f -",
            "kubectl apply -f - <<E\nE",
            "cat <<E\nE",
            "cat > x <<E\nE",
            "cat x > y",
            "kubectl get x | less",
            "top -b -n 1",
            "docker run --rm busybox:1.36 sh -c ls",
            "kubectl get pods --watch=false",
        ] {
            assert_eq!(found(script), Vec::<String>::new(), "{script}");
        }
    }
}
