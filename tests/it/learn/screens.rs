//! What a learner sees, whole: a short lab walked on a terminal of 60, 80 and 120 columns, with colour, without, and
//! plain. `KEYWITNESS_BLESS=1` writes the files anew.

use std::path::Path;

use regex::Regex;

use super::window::Window;
use crate::harness::need;

const LAB: &str = r#"---
title: A live lab
summary: Two steps and a question.
level: beginner
minutes: 5
clusters: [sandbox]
---
# A live lab

What you see here is a picture of a whole session. It is long enough to be folded where a screen is narrow.

## Make a namespace

One command of `kubectl` is one write in **etcd**:

```bash {name=make}
kubectl create namespace demo
```

```check {fail="Is the name spelled as in the text?"}
key /registry/namespaces/demo exists
```

<details><summary>Hint: the command</summary>

Type the block above, or have it typed: `lab run make`.

</details>

```question
Where does it lie now?

( ) in a file
(x) under a key
```

## Look at it

```bash {name=look}
kubectl get namespace demo -o name
```

```check
output look contains "namespace/demo"
```
"#;

const MODES: [&str; 3] = ["colour", "no-colour", "plain"];

/// Writes the call into a script: what is typed is as long in every checkout.
fn call(home: &Path, mode: &str) -> &'static str {
    let (before, after) = match mode {
        "colour" => ("", ""),
        "no-colour" => ("NO_COLOR=1 ", ""),
        _ => ("", " --plain"),
    };
    let program = env!("CARGO_BIN_EXE_keywitness");
    let text = format!("{before}exec '{program}' learn{after} '{}'\n", home.join("live.md").display());
    std::fs::write(home.join("call"), text).expect("written");
    "sh ~/call"
}

/// The whole session, from the call to its end.
fn session(columns: u16, mode: &str) -> String {
    let window = Window::open(columns, 45);
    std::fs::write(window.home().join(".bashrc"), super::BASHRC).expect("written");
    std::fs::write(window.home().join("live.md"), LAB).expect("written");
    window.line(call(window.home(), mode));
    window.wait_until("the first prompt", |screen| screen.trim_end().ends_with(") lab$"));
    window.command("kubectl create namespace demoo");
    window.command("lab why");
    window.command("kubectl create namespace demo");
    until(&window, "1 of 1", 1);
    window.command("lab answer 1");
    window.command("lab answer 2");
    until(&window, "goes on", 1);
    for command in ["lab hint", "lab nxet", "lab prev", "lab next"] {
        window.command(command);
    }
    window.command("kubectl get namespace demo -o name");
    until(&window, "goes on", 2);
    window.command("lab list");
    window.line("exit");
    window.wait("[Y/n]");
    let seen = if mode == "colour" { window.everything_in_colour() } else { window.everything() };
    window.line("n");
    window.wait_until("the outer prompt", |screen| screen.trim_end().ends_with("outer$"));
    masked(&seen, window.home())
}

/// Plain news come with a prompt: Enter asks for one.
fn until(window: &Window, text: &str, times: usize) {
    let end = std::time::Instant::now() + super::window::SOON;
    while window.everything().matches(text).count() < times {
        assert!(std::time::Instant::now() < end, "{text} does not come:\n{}", window.everything());
        window.command("");
    }
}

/// What differs from one session to the next, by rule: folders, ports, times, and the Enters of an impatient person.
fn masked(text: &str, home: &Path) -> String {
    let rules = [
        (r"at revision \d+", "at revision N"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"\d+\.\d s", "N s"),
        (r"· \d+ s\b", "· N s"),
        (r", \d+ s\b", ", N s"),
        // The shell may ask for its label just before the session says that there is a new one.
        (r"\(live \d/2\)", "(live N/2)"),
        // That a step has opened is said twice where it is heard after the prompt.
        (r"(?m)^\s*Step \d of \d: .*shows it\.\n", ""),
        (r"(?m)^.*outer\$ .*\n", ""),
    ];
    let mut text = text.replace(&home.display().to_string(), "HOME");
    for (rule, put) in rules {
        text = Regex::new(rule).expect("a rule").replace_all(&text, put).into_owned();
    }
    let is_prompt = |line: &str| without_colour(line).trim() == "(live N/2) lab$";
    let mut kept: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !is_prompt(line)).collect();
    while kept.last().is_some_and(|line| line.is_empty()) {
        kept.pop();
    }
    kept.join("\n").replace('\x1b', "␛") + "\n"
}

fn without_colour(line: &str) -> String {
    console::strip_ansi_codes(line).into_owned()
}

fn screens(columns: u16) {
    for mode in MODES {
        let seen = session(columns, mode);
        let name = format!("tests/golden/learn/live-{columns}-{mode}.txt");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        if std::env::var_os("KEYWITNESS_BLESS").is_some() {
            std::fs::write(&file, &seen).expect("written");
            continue;
        }
        let wanted = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(seen, wanted, "{name} differs; `KEYWITNESS_BLESS=1` writes it anew:\n{seen}");
    }
}

#[test]
fn a_session_is_seen_whole_in_60_columns() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    screens(60);
}

#[test]
fn a_session_is_seen_whole_in_80_columns() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    screens(80);
}

#[test]
fn a_session_is_seen_whole_in_120_columns() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    screens(120);
}
