//! What is proposed for labs of which the runs are made up.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Layout, Names, Recorded, Run, RunKind, What, recorded, with_proposals};
use crate::journal::{Change, Entry, Journal, stamp};
use crate::lab::ClusterKind;
use crate::parse::parse;
use crate::text::SourceFile;

/// What a command changes, and what it prints.
type Does = (Vec<(String, Option<Value>)>, String);

fn put(key: &str, value: &Value) -> (String, Option<Value>) {
    (key.to_owned(), Some(value.clone()))
}

fn delete(key: &str) -> (String, Option<Value>) {
    (key.to_owned(), None)
}

fn at(revision: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000) + Duration::from_millis(u64::try_from(revision).unwrap_or_default())
}

fn moment(revision: i64) -> Value {
    let at = stamp(at(revision));
    json!({"mark": {"revision": revision, "at": at, "wall": at, "epoch": 0, "read": true}, "known": null})
}

struct Made {
    layout: Layout,
    vars: Box<dyn Fn(usize) -> BTreeMap<String, String>>,
    /// By the run's turn, what each command of each block does.
    does: Box<dyn Fn(usize) -> Vec<Vec<Does>>>,
    /// What a run without commands shows.
    noise: Vec<(String, Option<Value>)>,
}

impl Made {
    fn new(text: &str, does: impl Fn(usize) -> Vec<Vec<Does>> + 'static) -> Self {
        let source = SourceFile::new("lab.md", "lab.md", text);
        let parsed = parse(&source);
        let lab = parsed.lab.unwrap_or_else(|| panic!("{:?}", parsed.findings));
        let commands = Layout::lines(&lab, ClusterKind::Sandbox);
        Self {
            layout: Layout::new(&lab, ClusterKind::Sandbox, commands),
            vars: Box::new(|_| BTreeMap::new()),
            does: Box::new(does),
            noise: Vec::new(),
        }
    }

    fn run(&self, kind: RunKind, turn: usize) -> Run {
        let journal = Journal::new("/registry/");
        let mut revision = 100 + 7 * i64::try_from(turn).unwrap_or_default();
        journal.listed(revision, at(revision), Vec::new());
        let mut versions: BTreeMap<String, i64> = BTreeMap::new();
        let mut acts = Vec::new();
        let last = match kind {
            RunKind::Without { block, .. } => block,
            _ => self.layout.blocks.len() - 1,
        };
        for (index, (block, does)) in self.layout.blocks.iter().zip((self.does)(turn)).enumerate().take(last + 1) {
            let before = moment(revision);
            let mut printed = String::new();
            let noise = [(self.noise.clone(), String::new())];
            let none = kind == RunKind::Null;
            let does: Vec<Does> = does
                .into_iter()
                .enumerate()
                .filter(|(at, _)| !none && kind != RunKind::Without { block: index, command: *at })
                .map(|(_, does)| does)
                .chain(noise)
                .collect();
            for (changes, text) in does {
                printed.push_str(&text);
                for (key, value) in changes {
                    revision += 1;
                    let change = Change::new(key.as_str(), revision, at(revision));
                    let version = versions.entry(key).or_default();
                    *version = if value.is_some() { *version + 1 } else { 0 };
                    journal.push(match value {
                        Some(Value::String(text)) => Entry::Put(change.created(revision, *version).value(text)),
                        Some(object) => Entry::Put(change.created(revision, *version).value(object.to_string())),
                        None => Entry::Delete(change),
                    });
                }
            }
            journal.delivered(revision, at(revision));
            let output = json!({"text": {"text": printed, "cut": false}, "exit": 0});
            acts.push(json!({
                "identity": "", "step": "", "detail": [], "commands_verdict": "pass", "commands": [],
                "report": {
                    "name": null, "line": block.line, "role": "action", "terminal": "1", "verdict": "pass",
                    "reason": null, "exit": 0, "failed_line": null, "fault": null, "output": "", "truncated": false,
                    "duration_ms": 0,
                },
                "before": before, "after": null, "said": [{"from": 1, "output": output}],
            }));
        }
        let recording = json!({
            "prefix": "/registry", "vars": (self.vars)(turn), "secret": [], "acts": acts, "stretches": [], "looks": [],
            "finished": moment(revision),
        });
        let recording = serde_json::from_value(recording).expect("a recording");
        Run { kind, recording, journal, names: Names::default(), is_whole: true }
    }

    fn recorded(&self, all: bool) -> Recorded {
        let mut runs = vec![
            self.run(RunKind::Plain, 0),
            self.run(RunKind::Paced, 1),
            self.run(RunKind::Plain, 2),
            self.run(RunKind::Slowed, 3),
            self.run(RunKind::Null, 0),
        ];
        for (block, command) in self.layout.mutants() {
            runs.push(self.run(RunKind::Without { block, command }, 0));
        }
        let vars: Vec<BTreeMap<String, String>> = runs.iter().map(|run| run.recording.vars.clone()).collect();
        for (run, names) in runs.iter_mut().zip(Names::of_runs(&vars.iter().collect::<Vec<_>>())) {
            run.names = names;
        }
        recorded(&self.layout, &runs, all).expect("proposals")
    }

    fn texts(&self, all: bool) -> Vec<String> {
        self.recorded(all).proposals.iter().map(|proposal| proposal.text.join("\n")).collect()
    }
}

fn lab(commands: &[&[&str]]) -> String {
    let blocks: Vec<String> = commands.iter().map(|lines| format!("```bash\n{}\n```\n", lines.join("\n"))).collect();
    format!("# T\n\n## One\n\n{}", blocks.join("\n"))
}

fn settings(sky: &str, extra: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"sky": sky}, "metadata": {
        "name": "colors", "namespace": "default", "uid": extra, "resourceVersion": extra, "creationTimestamp": extra}})
}

const COLORS: &str = "/registry/configmaps/default/colors";

fn quiet(changes: Vec<(String, Option<Value>)>) -> Does {
    (changes, String::new())
}

#[test]
fn what_a_command_says_of_a_key_is_proposed_and_what_differs_is_not() {
    let text = lab(&[
        &["kubectl create configmap colors --from-literal=sky=blue"],
        &["kubectl patch configmap colors -p '{\"data\":{\"sky\":\"grey\"}}'"],
        &["kubectl delete configmap colors"],
    ]);
    let made = Made::new(&text, |turn| {
        let own = format!("own-{turn}");
        vec![
            vec![quiet(vec![put(COLORS, &settings("blue", &own))])],
            vec![quiet(vec![put(COLORS, &settings("grey", &own))])],
            vec![quiet(vec![delete(COLORS)])],
        ]
    });
    let key = "key /registry/configmaps/default/colors";
    assert_eq!(
        made.texts(false),
        [
            format!("{key} where object.data.sky == \"blue\""),
            format!("{key} where object.data.sky == \"grey\""),
            format!("{key} absent")
        ]
    );
    let found = made.recorded(false);
    assert!(found.commands.iter().all(|command| command.killed_by.is_some()), "{:?}", found.commands);
    let first = &found.proposals[0];
    assert_eq!((first.id.as_str(), first.line, first.kills.as_slice()), ("one-1", 5, [6].as_slice()));
    let written = with_proposals(&made.layout, &found.proposals, &[]);
    assert!(written.contains("sky=blue\n```\n\n```check\nkey /registry"), "{written}");
    // What was there stays, line by line.
    let mut lines = written.lines();
    assert!(text.lines().all(|own| lines.any(|line| line == own)), "{written}");
}

#[test]
fn what_changes_without_a_command_and_what_no_command_is_missed_for_is_not_proposed() {
    let other = "/registry/configmaps/default/other";
    let text = lab(&[&["kubectl create configmap colors --from-literal=sky=blue", "kubectl get configmap other"]]);
    let mut made = Made::new(&text, move |turn| {
        vec![vec![
            quiet(vec![put(COLORS, &settings("blue", &turn.to_string()))]),
            (Vec::new(), format!("other {turn}\nalike\n")),
        ]]
    });
    made.noise = vec![put(other, &settings("noise", "x"))];
    let texts = made.texts(true);
    assert_eq!(
        texts,
        [
            "other [..]\nalike".to_owned(),
            "key /registry/configmaps/default/colors where object.data.sky == \"blue\"".to_owned(),
            "kubectl delete configmap colors --ignore-not-found".to_owned()
        ]
    );
}

#[test]
fn changes_of_one_key_in_one_block_are_a_sequence() {
    let text = lab(&[&[
        "kubectl create configmap colors --from-literal=sky=blue",
        "kubectl patch configmap colors -p '{\"data\":{\"sky\":\"grey\"}}'",
        "kubectl delete configmap colors",
    ]]);
    let made = Made::new(&text, |turn| {
        let own = turn.to_string();
        vec![vec![
            quiet(vec![put(COLORS, &settings("blue", &own))]),
            quiet(vec![put(COLORS, &settings("grey", &own))]),
            quiet(vec![delete(COLORS)]),
        ]]
    });
    let sequence = "events /registry/configmaps/default/colors\n  PUT where object.data.sky == \"blue\"\n  PUT where object.data.sky == \"grey\"\n  DELETE";
    assert_eq!(made.texts(false), [sequence]);
    assert!(made.recorded(false).commands.iter().all(|command| command.killed_by.is_some()));
}

#[test]
fn a_value_that_follows_a_variable_becomes_it() {
    let text = "---\ntitle: T\nvars:\n  TEAM: { random: \"team-????\" }\n---\n## One\n\n```bash\nkubectl create namespace \"$TEAM\"\n```\n";
    let mut made = Made::new(text, |turn| {
        let name = format!("team-a{turn}");
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": "Active"}});
        vec![vec![(vec![put(&format!("/registry/namespaces/{name}"), &object)], format!("namespace/{name} created\n"))]]
    });
    made.vars = Box::new(|turn| BTreeMap::from([("TEAM".to_owned(), format!("team-a{turn}"))]));
    assert_eq!(
        made.texts(false),
        [
            "key /registry/namespaces/${TEAM} exists",
            "key /registry/namespaces/${TEAM} where object.status.phase == \"Active\"",
            "kubectl delete namespace \"${TEAM}\" --ignore-not-found",
        ]
    );
    let printed: Vec<What> = made.recorded(true).proposals.iter().map(|proposal| proposal.what).collect();
    assert_eq!(printed, [What::Output, What::Check, What::Check, What::Cleanup]);
}

#[test]
fn what_controllers_make_is_counted_and_never_named() {
    let text = lab(&[&["kubectl create deployment web --image=nginx:1.27 --replicas=2"]]);
    let made = Made::new(&text, |turn| {
        let owned = |kind: &str, name: &str, uid: &str, owner: &str, status: Value| {
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "uid": uid,
                "ownerReferences": [{"uid": owner, "name": "x"}]}, "status": status})
        };
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "uid": "u1"},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": "nginx:1.27", "name": "nginx"}]}}}});
        let set = owned("ReplicaSet", "web-5d4f8c7b9", "u2", "u1", json!({}));
        let pod =
            |end: &str| owned("Pod", &format!("web-5d4f8c7b9-{end}{turn}"), end, "u2", json!({"phase": "Running"}));
        vec![vec![quiet(vec![
            put("/registry/deployments/default/web", &web),
            put("/registry/replicasets/default/web-5d4f8c7b9", &set),
            put(&format!("/registry/pods/default/web-5d4f8c7b9-aa{turn}"), &pod("aa")),
            put(&format!("/registry/pods/default/web-5d4f8c7b9-bb{turn}"), &pod("bb")),
        ])]]
    });
    let texts = made.texts(true);
    assert_eq!(
        texts[..3],
        [
            "key /registry/deployments/default/web where object.spec.replicas == 2 && object.spec.template.spec.containers[0].image == \"nginx:1.27\" && object.spec.template.spec.containers[0].name == \"nginx\"",
            "keys /registry/pods/default/web-* count == 2 where object.status.phase == \"Running\"",
            "keys /registry/replicasets/default/web-* count == 1",
        ]
    );
    assert!(texts.iter().all(|text| !text.contains("5d4f8c7b9")), "{texts:?}");
}

#[test]
fn a_lab_with_checks_of_its_own_gets_only_what_these_do_not_see() {
    let text = "# T\n\n## One\n\n```bash\nkubectl create configmap colors --from-literal=sky=blue\n```\n\n```check\nkey /registry/configmaps/default/colors exists\n```\n\n```bash\nkubectl delete configmap colors\n```\n";
    let made = Made::new(text, |turn| {
        vec![vec![quiet(vec![put(COLORS, &settings("blue", &turn.to_string()))])], vec![quiet(vec![delete(COLORS)])]]
    });
    assert_eq!(made.texts(false), ["key /registry/configmaps/default/colors absent"]);
}

#[test]
fn at_most_three_checks_are_proposed_for_a_step() {
    let keys = ["a", "b", "c", "d", "e"];
    let commands: Vec<String> = keys.iter().map(|key| format!("kubectl create configmap {key}")).collect();
    let blocks: Vec<[&str; 1]> = commands.iter().map(|command| [command.as_str()]).collect();
    let text = lab(&blocks.iter().map(<[&str; 1]>::as_slice).collect::<Vec<_>>());
    let made = Made::new(&text, move |turn| {
        let one = |key: &&str| {
            let key = format!("/registry/configmaps/default/{key}");
            vec![(vec![put(&key, &settings("x", &turn.to_string()))], format!("configmap{key} made\n"))]
        };
        keys.iter().map(one).collect()
    });
    let found = made.recorded(false);
    let count = |what: What| found.proposals.iter().filter(|proposal| proposal.what == what).count();
    // The other commands are seen by what they print.
    assert_eq!((count(What::Check), count(What::Output)), (3, 2));
    assert!(found.commands.iter().all(|command| command.killed_by.is_some()));
    let all = made.recorded(true);
    assert_eq!(all.proposals.iter().filter(|proposal| proposal.what == What::Check).count(), 5);
}
