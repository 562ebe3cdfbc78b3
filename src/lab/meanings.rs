//! What the words of the format mean: an editor shows it, and the tables of `docs/labs.md` are made of it.

use std::collections::{BTreeMap, BTreeSet};

use super::keywords::{ATTRIBUTES, Attribute, FenceKind, given};
use crate::expr::{Scope, functions};

/// A word, how it is written, and what it means; in Markdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    pub word: &'static str,
    pub form: &'static str,
    pub means: &'static str,
}

const fn entry(word: &'static str, form: &'static str, means: &'static str) -> Meaning {
    Meaning { word, form, means }
}

/// The keys of the front matter.
pub const FRONT_MATTER: &[Meaning] = &[
    entry("title", "`title`", "the lab's title; without it the `#` heading is"),
    entry("summary", "`summary`", "one sentence for lists"),
    entry(
        "lang",
        "`lang`",
        "the language of its text: `en`, `de`, `fr`, `es`, `pt`, `zh` or `ja`; what folds are called in it counts beside Hint, Solution and Answer",
    ),
    entry("level", "`level`", "`beginner`, `intermediate` or `advanced`"),
    entry("minutes", "`minutes`", "how long it takes: a whole number"),
    entry("needs", "`needs`", "ids of labs of the same collection that come before this one"),
    entry("clusters", "`clusters`", "where it runs: `sandbox`, `kind`, `attach`, `bare`; without it, all but `bare`"),
    entry("requires", "`requires`", "`[pods]`: the containers of pods must really run"),
    entry(
        "cluster",
        "`cluster`",
        "`{ nodes: 2, kubernetes: \"1.33\" }`: `nodes` for kind and the sandbox (the first is the control plane's, and with more than one it takes no pods of yours), `kubernetes` for kind",
    ),
    entry("etcd", "`etcd`", "for bare labs: the members' names and endpoints, `{ e1: \"http://127.0.0.1:${PORT}\" }`"),
    entry("vars", "`vars`", "variables, see below"),
];

/// What a variable of the front matter says.
pub const VARIABLE: &[Meaning] = &[
    entry("default", "`default: \"demo\"`", "its value, unless another is given"),
    entry(
        "random",
        "`random: \"team-????\"`",
        "a value in which each `?` is a letter or digit drawn from the run's seed",
    ),
    entry("port", "`port: true`", "a free TCP port of this machine"),
    entry("ask", "`ask: \"Which namespace?\"`", "the question that a learner is asked"),
    entry("pattern", "`pattern: \"[a-z]+\"`", "a regular expression that the whole value must match"),
    entry("secret", "`secret: true`", "the value is hidden in all that is shown or saved"),
];

/// The keys of `cluster:`.
pub const CLUSTER: &[Meaning] = &[
    entry("nodes", "`nodes: 2`", "how many nodes, for kind and the sandbox"),
    entry("kubernetes", "`kubernetes: \"1.33\"`", "which version, for kind"),
];

/// The attributes of fences.
pub const FENCE: &[Meaning] = &[
    entry("name", "`name=ID`", "what other blocks and checks call it; once in a lab"),
    entry(
        "terminal",
        "`terminal=ID`",
        "which terminal, 1 if nothing is said. A terminal is one bash that lasts for the whole lab",
    ),
    entry(
        "opens",
        "`opens`",
        "the last command opens a shell that stays, in which later blocks of this terminal run until `exit`",
    ),
    entry("background", "`background`", "left running in its terminal; `ready` says when it is ready"),
    entry(
        "ready",
        "`ready=…`",
        "when a background block is ready: `ready=\"TEXT\"` (it prints this), `ready=watch` (etcd has one watcher more, of a client that did not watch before), `ready=port:N` (or `port:$NAME`), or `ready=none`",
    ),
    entry(
        "stop",
        "`stop=ID`, `stop=ID:KILL`",
        "first end that background block by Ctrl-C, or kill it; one that exited before fails (where nothing says when it is ready, it is given three seconds to show that). A clean-up begins with all of them stopped",
    ),
    entry("start", "`start=ID`", "run that background block again"),
    entry("exit", "`exit=N`", "the last command must end with this status; the ones before it must succeed"),
    entry("fails", "`fails`", "the last command must fail; the ones before it must succeed"),
    entry(
        "timeout",
        "`timeout=30s`",
        "how long it may take, 60s if nothing is said; a `background` block, until it is ready",
    ),
    entry("in", "`in=node`", "on the control-plane node"),
    entry("on", "`on=kind,attach`", "only on these clusters"),
    entry("setup", "`setup`", "runs and is not shown to a learner"),
    entry("cleanup", "`cleanup`", "runs at the end, even after a failure"),
    entry("norun", "`norun`", "is only shown"),
    entry("vars", "`vars`", "is read for the variables' defaults, and does not run"),
    entry("points", "`points=3`", "what the whole fence is worth; else each check earns one"),
    entry("fail", "`fail=\"…\"`", "your word to a learner where a check of the fence fails"),
    entry(
        "pre",
        "`pre=pass`",
        "a check may hold before the stretch already; it needs another check beside it that does not",
    ),
    entry("of", "`of=NAME`", "which block's output this is, where it does not follow the block"),
    entry("unordered", "`unordered`", "the lines may come in any order"),
];

/// The attributes of a `lab:step` comment.
pub const STEP: &[Meaning] = &[
    entry("id", "`id=label`", "the step's id, in place of its heading's"),
    entry("timeout", "`timeout=90s`", "how long each block of the step may take"),
    entry("on", "`on=kind`", "the step is there on these clusters only"),
    entry("quiet", "`quiet=no`", "the keys of its checks keep changing, so that `test` does not wait for them"),
];

/// The kinds of checks.
pub const CHECKS: &[Meaning] = &[
    entry(
        "key",
        "`key KEY exists`, `absent`, `where EXPR`",
        "the key is in etcd, is not, or is and EXPR is true of it",
    ),
    entry(
        "keys",
        "`keys GLOB count OP N [where EXPR]`",
        "so many keys match; `*` stays within a segment, `**` crosses, `\\*` is a star",
    ),
    entry(
        "events",
        "`events GLOB [strict|unordered] [within D]`, then indented `PUT [where EXPR]` and `DELETE [where EXPR]`",
        "etcd's watch brought these since the stretch began, each by an event later than the line before; others may lie between. `strict`: none between; `unordered`: in any order, each by a different event",
    ),
    entry("never", "`never GLOB [PUT|DELETE] [where EXPR] for D`", "nothing such came, until D after the stretch"),
    entry(
        "resource",
        "`resource KIND/NAME [in NAMESPACE] exists`, `absent`, `where EXPR`",
        "the same of an object, asked of the API",
    ),
    entry(
        "output",
        "`output [NAME] contains \"…\"`, `matches \"…\"`, `where EXPR`",
        "of what the nearest block above that has commands printed, or the named one; a background block's: since the stretch began",
    ),
    entry("etcd", "`etcd [MEMBER] where EXPR`", "of etcd's own state"),
    entry("snapshot", "`snapshot FILE where EXPR`", "of an etcd snapshot"),
    entry("run", "`run \"COMMAND\" [where EXPR]`", "the command exits with 0"),
];

/// Words within a check.
pub const WITHIN_CHECKS: &[Meaning] = &[
    entry("exists", "`exists`", "it is there"),
    entry("absent", "`absent`", "it is not there"),
    entry("where", "`where EXPR`", "an expression in CEL that must be true"),
    entry("within", "`within 30s`", "how long it may take until it holds; 10s if nothing is said"),
    entry("for", "`for 2s`", "how long it must go on to hold"),
    entry("strict", "`strict`", "no other event is between these"),
    entry("unordered", "`unordered`", "in any order, each line by a different event"),
    entry("count", "`count == 3`", "how many keys match"),
    entry("contains", "`contains \"…\"`", "the text is in the output"),
    entry(
        "matches",
        "`matches \"…\"`",
        "the regular expression matches somewhere in the output; `^` and `$` are its ends",
    ),
    entry("in", "`in NAMESPACE`", "the object's namespace"),
    entry("PUT", "`PUT [where EXPR]`", "the key was written; of a new one `oldObject` is null"),
    entry("DELETE", "`DELETE [where EXPR]`", "the key was deleted; `object` is null, `oldObject` what it held"),
];

/// What the runner gives to every terminal.
pub const GIVEN: &[Meaning] = &[
    entry(given::NODE, "`LAB_NODE`", "a control-plane node"),
    entry(given::ETCD_POD, "`LAB_ETCD_POD`", "the pod of etcd, where it is one"),
    entry(given::ETCD_PKI, "`LAB_ETCD_PKI`", "the folder of etcd's certificates, as seen where the command runs"),
    entry(given::ETCD_DATA, "`LAB_ETCD_DATA`", "etcd's data folder, as seen where the command runs"),
    entry(given::DIR, "`LAB_DIR`", "the lab's folder"),
    entry(given::WORK, "`LAB_WORK`", "a fresh folder of the run, in which each terminal begins"),
    entry(given::CLUSTER, "`LAB_CLUSTER`", "the cluster's name"),
    entry(given::ENGINE, "`LAB_ENGINE`", "`docker`, `podman`, or nothing"),
    entry(given::KUBECONFIG, "`KUBECONFIG`", "the lab's cluster"),
];

/// The names that an expression knows: in which checks, and what they are.
pub const NAMES: &[Meaning] = &[
    entry("object", "`object`", "the object as the API shows it; null where there is none, and on a DELETE"),
    entry("oldObject", "`oldObject`", "the object before this event: null when the key is new"),
    entry("value", "`value`", "the raw text of the value"),
    entry("key", "`key`", "the key"),
    entry("revision", "`revision`", "etcd's revision: of the key's last change, of the store, or of the snapshot"),
    entry("createRevision", "`createRevision`", "the revision at which the key was created"),
    entry("version", "`version`", "how often the key was written; of `etcd`, its version as a text"),
    entry("lease", "`lease`", "the key's lease, or 0"),
    entry("text", "`text`", "all that was printed, without the line ends at its end"),
    entry("lines", "`lines`", "the same as a list of lines"),
    entry("json", "`json`", "the same read as JSON"),
    entry("exit", "`exit`", "the status that the last command ended with"),
    entry("stdout", "`stdout`", "what the command printed, without the line ends at its end"),
    entry("stderr", "`stderr`", "what the command printed on standard error"),
    entry("up", "`up`", "etcd answers"),
    entry("healthy", "`healthy`", "a majority of the members answers"),
    entry("members", "`members`", "each with name, id, leader, learner, healthy"),
    entry("leader", "`leader`", "the leader's name, or \"\""),
    entry("term", "`term`", "the raft term"),
    entry("dbSize", "`dbSize`", "the size of the store's file, in bytes"),
    entry("dbSizeInUse", "`dbSizeInUse`", "how much of it is in use, in bytes"),
    entry("keys", "`keys`", "how many keys there are"),
    entry("alarms", "`alarms`", "such as `NOSPACE`"),
    entry("valid", "`valid`", "the file is a whole snapshot"),
    entry("size", "`size`", "the file's size, in bytes"),
    entry("mark", "`mark`", "`mark.revision` and `mark.time`: where and when the stretch began"),
];

/// Looks a word up in one of the tables.
pub fn meaning(table: &'static [Meaning], word: &str) -> Option<&'static Meaning> {
    table.iter().find(|entry| entry.word == word)
}

/// A table as `docs/labs.md` has it.
pub fn table<'a>(head: &str, entries: impl IntoIterator<Item = &'a Meaning>) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut out = format!("| {head} | meaning |\n| --- | --- |\n");
    for entry in entries {
        out.push_str(&format!("| {} | {} |\n", cell(entry.form), cell(entry.means)));
    }
    out
}

/// Which names an expression knows in which checks, as `docs/labs.md` has it.
pub fn names_table() -> String {
    let scopes = [
        ("`key`, `keys`", Scope::Key),
        ("`events`, `never`", Scope::Event),
        ("`resource`", Scope::Resource),
        ("`output`", Scope::Output),
        ("`run`", Scope::Run),
        ("`etcd`", Scope::Etcd),
        ("`snapshot`", Scope::Snapshot),
    ];
    let mut out = "| in | names |\n| --- | --- |\n".to_owned();
    for (checks, scope) in scopes {
        let names: Vec<String> = scope.names().map(|name| format!("`{name}`")).collect();
        out.push_str(&format!("| {checks} | {} |\n", names.join(", ")));
    }
    out
}

/// The functions of expressions by what they are called on, as `docs/labs.md` has it.
pub fn functions_table() -> String {
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in functions::callable(true) {
        for form in functions::forms(name, true) {
            // `list<T>.join(string) -> string`: a list of anything.
            let receiver = form.split(&format!(".{name}(")).next().unwrap_or_default();
            let receiver = receiver.split(['<', '(']).next().unwrap_or_default().to_owned();
            rows.entry(receiver).or_default().insert(format!("`.{name}`"));
        }
    }
    let by_name: BTreeSet<String> = functions::callable(false).map(|name| format!("`{name}`")).collect();
    let mut out = "| of | functions |\n| --- | --- |\n".to_owned();
    let row = |of: &str, names: &BTreeSet<String>| {
        format!("| {of} | {} |\n", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    out.push_str(&row("called by name", &by_name));
    for (receiver, names) in &rows {
        out.push_str(&row(&format!("`{receiver}`"), names));
    }
    out
}

/// The attributes that these fences take.
pub fn attributes_of(kinds: &[FenceKind]) -> impl Iterator<Item = &'static Meaning> {
    let takes = |attribute: &Attribute| kinds.iter().any(|kind| attribute.on.contains(kind));
    ATTRIBUTES.iter().filter(move |attribute| takes(attribute)).filter_map(|attribute| meaning(FENCE, attribute.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::keywords;

    fn words(table: &[Meaning]) -> Vec<&str> {
        table.iter().map(|entry| entry.word).collect()
    }

    #[test]
    fn every_word_of_the_format_has_a_meaning() {
        assert_eq!(words(FENCE), ATTRIBUTES.iter().map(|attribute| attribute.name).collect::<Vec<_>>());
        assert_eq!(words(STEP), keywords::STEP_ATTRIBUTES);
        assert_eq!(words(CHECKS), keywords::CHECKS);
        assert_eq!(words(GIVEN), keywords::GIVEN_VARS);
        let scopes =
            [Scope::Key, Scope::Event, Scope::Resource, Scope::Output, Scope::Run, Scope::Etcd, Scope::Snapshot];
        for name in scopes.into_iter().flat_map(Scope::names) {
            assert!(meaning(NAMES, name).is_some(), "{name}");
        }
    }
}
