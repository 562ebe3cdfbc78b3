//! Habits that spoil labs: warnings about what blocks do, and about what their text does not say.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::context::Context;
use super::findings::{
    ENDLESS, ENDS_SHELL, HIDDEN_FAILURE, HIDDEN_PLACE, HIDDEN_TERMINAL, OTHER_CONTEXT, PLACEHOLDER, REPEATED_FLAG,
    Rule, SLEEP, UNPINNED, UNTAGGED, WAITS_FOR_INPUT,
};
use super::names::head;
use super::shell::{Command, Word, commands, lines};
use super::{images, input};
use crate::lab::language::Words;
use crate::lab::{Action, CodeLine, Ending, Item, Place, Role, Step};
use crate::text::Span;

static PLACEHOLDERS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"<[A-Za-z][A-Za-z0-9]*([ _-][A-Za-z0-9]+)*>").expect("a regular expression of ours"));

/// What else decides about the warnings.
pub(super) struct Surroundings {
    /// The lab starts etcd itself, so that flags for its address are its own business.
    pub(super) bare: bool,
}

pub(super) fn look(steps: &[Step], around: &Surroundings, cx: &mut Context<'_>) {
    // Terminals in which an `opens` block left a shell that `exit` leaves again.
    let mut nested: Vec<String> = Vec::new();
    for step in steps {
        let mut said = Said::default();
        for item in &step.items {
            match item {
                Item::Prose(span) => said.add(cx.source.slice(*span)),
                Item::Action(action) if !action.norun => {
                    mentions(action, &said, cx);
                    habits(action, around, &mut nested, cx);
                    said.next_block();
                }
                Item::Hint(hint) => said.add(&hint.summary),
                _ => said.next_block(),
            }
        }
    }
}

/// The prose since the block before, and, where there is none, what stood before that one.
#[derive(Default)]
struct Said {
    now: String,
    before: String,
}

impl Said {
    fn add(&mut self, text: &str) {
        self.now.push_str(&text.to_lowercase());
        self.now.push('\n');
    }

    fn next_block(&mut self) {
        if !self.now.is_empty() {
            self.before = std::mem::take(&mut self.now);
        }
    }

    fn says(&self, words: &[&str]) -> bool {
        let text = if self.now.is_empty() { &self.before } else { &self.now };
        words.iter().any(|word| text.contains(word))
    }
}

/// GitHub hides the info string, so the text must say what it says.
fn mentions(action: &Action, said: &Said, cx: &mut Context<'_>) {
    let says = |words: fn(&Words) -> &'static [&'static str]| cx.language.known().any(|known| said.says(words(known)));
    let (node, terminal_said, failure) =
        (says(|words| words.node), says(|words| words.terminal), says(|words| words.failure));
    if action.role != Role::Action {
        return;
    }
    let mut warn = |rule: Rule, message: String, hint: &str| {
        let span = head(action.span, cx);
        cx.findings.add(rule, span, message).hint(hint);
    };
    if action.place == Place::Node && !node {
        warn(
            HIDDEN_PLACE,
            "the text before does not say that this block runs on the node".to_owned(),
            "on GitHub `in=node` is not seen; say it",
        );
    }
    let terminal = &action.terminal;
    if terminal != "1" && !terminal_said {
        let message = format!("the text before does not say that this block is for terminal {terminal}");
        warn(HIDDEN_TERMINAL, message, "on GitHub `terminal` is not seen; say it");
    }
    let fails = match action.ending {
        Ending::Fails => true,
        Ending::Exit(status) => status != 0,
        Ending::Success => false,
    };
    if fails && !failure {
        warn(
            HIDDEN_FAILURE,
            "the text before does not say that this block is meant to fail".to_owned(),
            "on GitHub `fails` and `exit` are not seen; say it",
        );
    }
}

fn habits(action: &Action, around: &Surroundings, nested: &mut Vec<String>, cx: &mut Context<'_>) {
    let lines = lines(action);
    let place = |word: &Word, cx: &Context<'_>| -> Span {
        let Some(line) = lines.get(word.line) else { return action.span };
        cx.source.place_in_line(line.number, &line.text, word.start..word.end)
    };
    for command in commands(&lines) {
        let Some(first) = command.words.first() else { continue };
        let mut warn = |word: &Word, rule: Rule, message: &str, hint: &str| {
            let span = place(word, cx);
            cx.findings.add(rule, span, message).hint(hint);
        };
        match command.name() {
            "sleep" => warn(
                first,
                SLEEP,
                "`sleep` guesses a time: too short on a slow machine, too long on a fast one",
                "wait for what you mean in a ```wait fence, or with `kubectl wait`",
            ),
            "exit" | "logout" if command.top => {
                if let Some(open) = nested.iter().position(|terminal| *terminal == action.terminal) {
                    nested.remove(open);
                } else {
                    warn(
                        first,
                        ENDS_SHELL,
                        "`exit` ends the terminal's shell for all later blocks",
                        "remove it, or say `opens` on the block that opens a shell",
                    );
                }
            }
            "exec" if command.top && command.args().iter().any(|arg| !arg.text.starts_with(['<', '>', '2'])) => {
                warn(
                    first,
                    ENDS_SHELL,
                    "`exec` replaces the terminal's shell for all later blocks",
                    "run the command without `exec`",
                );
            }
            "set" if command.top && sets_errexit(&command) => {
                warn(
                    first,
                    ENDS_SHELL,
                    "`set -e` lets the first failure end the terminal's shell",
                    "remove it: a block already stops at its first failing command",
                );
            }
            _ => {}
        }
        if action.place == Place::Host
            && let Some(word) = unpinned(&command)
        {
            warn(
                word,
                UNPINNED,
                "KUBECONFIG is set for the lab's own cluster, and this points it to the reader's",
                "leave it out; a kubeconfig that the lab makes itself may lie in \"$LAB_WORK\"",
            );
        }
        if action.background.is_none()
            && !command.released
            && !action.opens
            && let Some(word) = endless(&command)
        {
            warn(
                word,
                ENDLESS,
                "this command never ends, and the block is not `background`",
                "add `background ready=…`, or limit the command so that it ends",
            );
        }
        if action.place == Place::Host
            && let Some(word) = other_context(&command)
        {
            warn(
                word,
                OTHER_CONTEXT,
                "this changes the current context for all later blocks and checks",
                "leave it out: the lab's cluster is the current one, and the reader's own kubeconfig is not touched",
            );
        }
        if !nested.contains(&action.terminal)
            && let Some((word, message, hint)) = input::waits(&command, action.opens)
        {
            warn(word, WAITS_FOR_INPUT, &message, hint);
        }
        for word in images::untagged(&command) {
            let message = images::message(images::name(word));
            warn(word, UNTAGGED, &message, images::CURE);
        }
        for (word, flag) in repeated(&command, around) {
            let message = format!("`{flag}` repeats what the runner already sets");
            let span = place(word, cx);
            let fix = without(&lines, &command, word);
            let added = cx.findings.add(REPEATED_FLAG, span, message);
            let added = match fix.map(|(line, range)| (cx.source, line, range)) {
                Some((source, line, range)) => {
                    let known = source.line(line.number).ends_with(line.text.as_str());
                    added.fix_if(known, source.place_in_line(line.number, &line.text, range), "")
                }
                None => added,
            };
            added.hint("leave it out: the command is shorter, and runs on every kind of cluster");
        }
    }
    if action.opens {
        nested.push(action.terminal.clone());
    }
    for line in lines {
        if let Some(range) = images::untagged_line(&line.text) {
            let message = images::message(&line.text[range.clone()]);
            let span = cx.source.place_in_line(line.number, &line.text, range);
            cx.findings.add(UNTAGGED, span, message).hint(images::CURE);
        }
        for found in PLACEHOLDERS.find_iter(&line.text) {
            let span = cx.source.place_in_line(line.number, &line.text, found.range());
            cx.findings
                .add(PLACEHOLDER, span, format!("the placeholder {} is left over", found.as_str()))
                .hint("declare a variable and write \"$NAME\"");
        }
    }
}

/// The word that has kubectl take another context from now on.
fn other_context(command: &Command) -> Option<&Word> {
    let args = command.args();
    let is = |at: usize, words: &[&str]| args.get(at).filter(|arg| words.contains(&arg.text.as_str()));
    match command.name() {
        "kubectl" if is(0, &["config"]).is_some() => is(1, &["use-context", "use", "rename-context", "delete-context"])
            .or_else(|| is(1, &["set", "unset"]).and_then(|_| is(2, &["current-context"]))),
        // Without a name it only lists them.
        "kubectx" => args.first(),
        "minikube" => is(0, &["update-context"]),
        _ => None,
    }
}

/// What goes with a flag that is left out: the blank before it, and its value where that is a word of its own. `None`
/// where the flag has a line for itself.
fn without<'l>(lines: &[&'l CodeLine], command: &Command, flag: &Word) -> Option<(&'l CodeLine, Range<usize>)> {
    let line = *lines.get(flag.line)?;
    let start = line.text[..flag.start].trim_end().len();
    let value = (!flag.text.contains('=')).then(|| {
        let at = command.words.iter().position(|word| word == flag)?;
        command.words.get(at + 1).filter(|next| !next.text.starts_with('-'))
    });
    let end = match value {
        None => flag.end,
        Some(value) => value.filter(|value| value.line == flag.line)?.end,
    };
    (start > 0).then_some((line, start..end))
}

fn sets_errexit(command: &Command) -> bool {
    let args = command.args();
    args.iter().enumerate().any(|(at, arg)| {
        let short = arg.text.starts_with('-') && !arg.text.starts_with("--") && arg.text.contains('e');
        short || (arg.text == "errexit" && at > 0 && args[at - 1].text == "-o")
    })
}

/// The word that has kubectl read another file than the lab's: the reader's own, or none at all.
fn unpinned(command: &Command) -> Option<&Word> {
    if command.name() == "unset" {
        return command.args().iter().find(|arg| arg.text == "KUBECONFIG");
    }
    let value = |word: &Word| word.text.strip_prefix("KUBECONFIG=").map(str::to_owned);
    command.words.iter().find(|word| {
        value(word).is_some_and(|value| {
            let is_home = value.split(':').any(|file| file.starts_with('~') || file.contains("HOME"));
            value.is_empty() || is_home || value.contains(".kube/config") || value.contains("/etc/kubernetes/")
        })
    })
}

/// The word that makes a command watch for ever.
fn endless(command: &Command) -> Option<&Word> {
    let args = command.args();
    let own = args.iter().position(|arg| arg.text == "--").map_or(args, |at| &args[..at]);
    let flag = |flags: &[&str]| own.iter().find(|arg| flags.contains(&arg.text.as_str()));
    let verb = own.iter().map(|arg| arg.text.as_str()).find(|arg| !arg.starts_with('-'));
    match (command.name(), verb) {
        ("etcdctl", _) => own.iter().find(|arg| arg.text == "watch"),
        ("kubectl", Some("get" | "events")) => flag(&["-w", "--watch", "--watch=true", "--watch-only"]),
        ("kubectl", Some("logs")) => flag(&["-f", "--follow", "--follow=true"]),
        ("kubectl", Some("port-forward" | "proxy")) => {
            own.iter().find(|arg| matches!(arg.text.as_str(), "port-forward" | "proxy"))
        }
        ("kubectl", Some("exec")) => {
            let inner = &args[own.len()..];
            let called = inner.iter().any(|arg| arg.text.ends_with("etcdctl"));
            inner.iter().find(|arg| called && arg.text == "watch")
        }
        ("tail", _) => flag(&["-f", "-F", "--follow"]),
        ("watch", _) => command.words.iter().find(|word| word.text == "watch"),
        ("journalctl", _) => flag(&["-f", "--follow"]),
        _ => None,
    }
}

fn repeated<'c>(command: &'c Command, around: &Surroundings) -> Vec<(&'c Word, String)> {
    let flags: &[&str] = match command.name() {
        "kubectl" => &["--kubeconfig", "--context"],
        "etcdctl" if !around.bare => &["--endpoints", "--cacert", "--cert", "--key"],
        _ => return Vec::new(),
    };
    let args = command.args();
    let own = args.iter().position(|arg| arg.text == "--").map_or(args, |at| &args[..at]);
    // Another member, or a restored store, is not what the runner gives.
    let elsewhere = own.iter().enumerate().any(|(at, arg)| {
        let value = arg.text.strip_prefix("--endpoints").map(|value| match value.strip_prefix('=') {
            Some(value) => value,
            None => own.get(at + 1).map_or("", |next| next.text.as_str()),
        });
        value.is_some_and(|value| !value.ends_with(":2379") || value.contains(['$', ',']))
    });
    if elsewhere {
        return Vec::new();
    }
    own.iter()
        .filter_map(|arg| {
            let name = arg.text.split('=').next().unwrap_or("");
            flags.contains(&name).then(|| (arg, name.to_owned()))
        })
        .collect()
}
