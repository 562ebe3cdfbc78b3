//! Saved runs: what `--save` leaves, and what `replay` and `scrub` make of it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Done, Test, need};

const LAB: &str = r#"---
title: A label
clusters: [sandbox]
vars:
  NAMESPACE: { random: "team-????" }
  TOKEN: { default: "kq83-vvx1-99zt", secret: true }
---
# A label

## Create

```bash {name=create}
kubectl create namespace "$NAMESPACE"
```
```output
namespace/${NAMESPACE} created
```

```check
key /registry/namespaces/${NAMESPACE} where object.status.phase == "Active"
resource namespace/${NAMESPACE} exists
output contains "created"
```

## Label it

```bash {name=watcher terminal=2 background ready=watch}
etcdctl watch "/registry/namespaces/$NAMESPACE"
```

```bash
kubectl get namespace "$NAMESPACE"
LABEL
```

```check {points=3}
events /registry/namespaces/${NAMESPACE} within 1s
  PUT where object.metadata.labels.purpose == "demo"
output watcher contains "PUT"
```

```check
never /registry/namespaces/${NAMESPACE} DELETE for 50ms
```

## A secret

```bash
kubectl -n "$NAMESPACE" create secret generic key --from-literal=token="$TOKEN" --from-literal=word=plainly-hidden-44
kubectl -n "$NAMESPACE" get secret key -o yaml
```

```check
key /registry/secrets/${NAMESPACE}/key where object.data.word == base64.encode(b"plainly-hidden-44")
```

```question
What is two and two?

= 4
```

## Clean up

```bash {cleanup}
kubectl delete namespace "$NAMESPACE" --ignore-not-found
```
"#;

const LABEL: &str = r#"kubectl label namespace "$NAMESPACE" purpose=demo"#;

fn lab() -> String {
    LAB.replace("LABEL", LABEL)
}

fn saved(lab: &str, exit: i32) -> Done {
    let test = Test::new(&["test", "label", "--seed", "7", "--save", "runs", "--format", "json"]);
    test.file("label/README.md", lab).run().expect_exit(exit)
}

/// Replays a folder that another call saved, by this text of the lab.
fn replay(run: &Path, lab: Option<&str>) -> Done {
    let run = run.display().to_string();
    let mut args = vec!["replay", run.as_str(), "--format", "json"];
    if lab.is_some() {
        args.extend(["--lab", "edited"]);
    }
    Test::new(&args).file("edited/README.md", lab.unwrap_or("none")).run()
}

/// Of each check: its text, its verdict, its proof and its points; then actions, questions and the whole.
fn verdicts(done: &Done) -> Vec<String> {
    let report: Value = serde_json::from_str(&done.stdout()).expect("standard output is JSON");
    let mut said = Vec::new();
    for lab in report["labs"].as_array().expect("labs") {
        for step in lab["steps"].as_array().expect("steps") {
            for kind in ["actions", "waits", "checks", "questions"] {
                for part in step[kind].as_array().expect("parts") {
                    let fields = ["text", "line", "role", "verdict", "proof", "points", "max_points"];
                    // What is secret has another sign in the saved lab.
                    let text =
                        |name: &str| part[name].to_string().split("base64").next().unwrap_or_default().to_owned();
                    let fields: Vec<String> = fields.iter().map(|name| text(name)).collect();
                    said.push(format!("{} {kind} {}", step["id"], fields.join(" ")));
                }
            }
        }
        said.push(format!("{} {} of {}", lab["verdict"], lab["points"], lab["max_points"]));
    }
    said
}

fn check(done: &Done, text: &str) -> (String, String) {
    let report: Value = serde_json::from_str(&done.stdout()).expect("standard output is JSON");
    let steps = report["labs"][0]["steps"].as_array().expect("steps");
    let mut checks = steps.iter().flat_map(|step| step["checks"].as_array().expect("checks"));
    let found = checks.find(|check| check["text"].as_str().is_some_and(|known| known.starts_with(text)));
    let found = found.unwrap_or_else(|| panic!("no check {text} in {}", done.stdout()));
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("reason"))
}

fn texts(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).expect("the folder");
    let read = |entry: fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path()).expect("it is text"))
    };
    let mut texts: Vec<_> = entries.map(|entry| read(entry.expect("an entry"))).collect();
    texts.sort();
    texts
}

#[test]
fn a_saved_run_gives_its_verdicts_again_and_judges_edited_checks() {
    need!("etcd", "kubectl", "etcdctl");
    let lab = lab();
    let done = saved(&lab, 0);
    let run = done.dir().join("runs/label");
    assert_eq!(verdicts(&replay(&run, None).expect_exit(0)), verdicts(&done), "as it was saved");
    assert_eq!(verdicts(&replay(&run, Some(&lab)).expect_exit(0)), verdicts(&done), "by the lab that it is of");

    // Checks that were changed or added, in places that the run had none in.
    let first = "kubectl create namespace \"$NAMESPACE\"\n```\n";
    let edited = lab.replace("status.phase == \"Active\"", "status.phase == \"Gone\"").replace(
        "output contains \"created\"\n",
        "output contains \"created\"\noutput create matches \"^namespace/team-\"\n",
    );
    let done = replay(&run, Some(&edited)).expect_exit(3);
    let (verdict, reason) = check(&done, "key /registry/namespaces");
    assert_eq!(verdict, "cannot_judge", "the run went on long before the time of this check was over: {reason}");
    assert_eq!(check(&done, "output create matches").0, "pass");
    let edited = lab.replace("status.phase == \"Active\"", "status.phase == \"Gone\" within 1ms");
    let done = replay(&run, Some(&edited)).expect_exit(1);
    let (verdict, reason) = check(&done, "key /registry/namespaces");
    assert_eq!((verdict.as_str(), reason.contains("Active")), ("fail", true), "{reason}");

    let between = "kubectl get namespace \"$NAMESPACE\"\n```\n\n```check\nkey /registry/namespaces/${NAMESPACE} where object.metadata.name == \"${NAMESPACE}\" && !has(object.metadata.labels.purpose)\n```\n\n```bash\n";
    let split = lab.replace("kubectl get namespace \"$NAMESPACE\"\n", between);
    assert!(split != lab && lab.contains(first));
    let done = replay(&run, Some(&split));
    // The block is another one now: what it and all after it did is not in the run.
    assert_eq!(done.exit(), Some(3), "{}", done.stdout());
    let stop = done.stdout();
    assert!(stop.contains("its commands have changed since this run was saved"), "{stop}");

    // What nothing looked at is not guessed.
    let asked = lab.replace("resource namespace/${NAMESPACE} exists", "etcd where healthy");
    let done = replay(&run, Some(&asked));
    let (verdict, reason) = check(&done, "etcd where healthy");
    assert_eq!(verdict, "cannot_judge");
    assert!(reason.contains("nothing looked at this in the saved run"), "{reason}");

    // With other variables the same commands would have done something else.
    let with = |more: &str| lab.replace("vars:\n", &format!("vars:\n{more}"));
    for (what, other) in [
        ("a random name", lab.replace("team-????", "squad-????")),
        ("a secret", lab.replace("kq83-vvx1-99zt", "kq83-vvx1")),
        ("a variable more", with("  MORE: { default: \"1\" }\n")),
        ("a cluster", lab.replace("vars:\n", "cluster: { nodes: 2 }\nvars:\n")),
    ] {
        let done = replay(&run, Some(&other)).expect_exit(3);
        let said = done.stdout();
        assert!(said.contains("variables or its cluster have changed since this run was saved"), "{what}: {said}");
    }
    assert_eq!(replay(&run, Some(&lab.replace("title: A label", "title: Labels"))).exit(), Some(0));

    // An expected output is compared again.
    let expected = lab.replace("namespace/${NAMESPACE} created", "namespace/${NAMESPACE} made");
    let done = replay(&run, Some(&expected)).expect_exit(1);
    assert!(done.stdout().contains("the output differs from the `output` fence"), "{}", done.stdout());
}

#[test]
fn a_run_that_stopped_has_no_verdict_behind_the_place() {
    need!("etcd", "kubectl", "etcdctl");
    let broken = lab().replace("purpose=demo\n", "purpose=other\n");
    let done = saved(&broken, 1);
    let run = done.dir().join("runs/label");
    assert_eq!(verdicts(&replay(&run, None).expect_exit(1)), verdicts(&done));
    let mended = broken.replace("purpose == \"demo\"", "purpose == \"other\"");
    let again = replay(&run, Some(&mended)).expect_exit(3);
    assert_eq!(check(&again, "events /registry/namespaces").0, "pass");
    assert!(again.stdout().contains("the saved run stopped before this"), "{}", again.stdout());
}

#[test]
fn no_secret_is_in_the_folder_and_scrub_takes_out_what_still_must_go() {
    need!("etcd", "kubectl", "etcdctl");
    let done = saved(&lab(), 0);
    let run = done.dir().join("runs/label");
    let names: Vec<String> = texts(&run).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "events.jsonl",
            "evidence.json",
            "journal.jsonl",
            "lab.md",
            "log.txt",
            "report.txt",
            "run.json",
            "terminal-1.cast",
            "terminal-2.cast"
        ]
    );
    let secrets = ["kq83-vvx1-99zt", "a3E4My12dngxLTk5enQ", "plainly-hidden-44", "cGxhaW5seS1oaWRkZW4tNDQ"];
    for (name, text) in texts(&run) {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {name}:\n{text}");
        }
    }
    let before = verdicts(&replay(&run, None).expect_exit(0));
    let folder = run.display().to_string();
    let scrub = |args: &[&str]| Test::new(&[&["scrub", folder.as_str()], args].concat()).run();
    assert!(texts(&run).iter().any(|(_, text)| text.contains("Opaque")));
    scrub(&["--text", "Opaque"]).expect_exit(0);
    assert!(texts(&run).iter().all(|(_, text)| !text.contains("Opaque")), "{:?}", texts(&run));
    assert_eq!(before, verdicts(&replay(&run, None).expect_exit(0)));
    let nothing = scrub(&[]).expect_exit(2);
    assert!(nothing.stderr().contains("nothing is named that must go"), "{}", nothing.stderr());
    let nowhere = Test::new(&["replay", "."]).run().expect_exit(2);
    assert!(nowhere.stderr().contains("there is no saved run in ."), "{}", nowhere.stderr());
}

#[test]
fn a_run_that_fails_is_saved_in_the_cache_and_named() {
    need!("etcd", "kubectl", "etcdctl");
    let broken = lab().replace("purpose=demo\n", "purpose=other\n");
    let test = |args: &[&str]| Test::new(args).file("label/README.md", &broken).env("KEYWITNESS_NO_SAVE", "false");
    let done = test(&["run", "label", "--solve"]).run().expect_exit(1);
    let cache = done.dir().join(".cache/keywitness/runs");
    let runs: Vec<_> = fs::read_dir(&cache).expect("the cache").collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    let folder = runs[0].as_ref().expect("a run").path();
    let named = format!("saved in {}: `keywitness replay` judges it again", folder.display());
    assert!(done.stdout().contains(&named), "{}", done.stdout());
    let again = Test::new(&["replay", &folder.display().to_string()]).run().expect_exit(1);
    let step = |text: &str| text.lines().find(|line| line.contains("Label it")).map(|line| line.trim().to_owned());
    let (live, replayed) = (step(&done.stdout()).expect("a line"), step(&again.stdout()).expect("a line"));
    let points = |line: &str| line.split_whitespace().take(8).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(points(&live)[..5], points(&replayed)[..5], "{live}\n{replayed}");
    let none = test(&["run", "label", "--solve", "--no-save"]).run().expect_exit(1);
    assert!(!none.dir().join(".cache").exists() && !none.stdout().contains("saved in"), "{}", none.stdout());
}

/// A secret's text in a check is stars in what is saved, where its type would be base64.
#[test]
fn a_lab_that_names_a_secrets_text_is_judged_again_as_it_was() {
    need!("etcd", "kubectl", "etcdctl");
    let lab = "---\ntitle: A vault\nclusters: [sandbox]\n---\n## Make it\n\n```bash\n\
        kubectl create secret generic safe --from-literal=pin=47114711\n```\n\n```check\n\
        key /registry/secrets/default/safe where object.type == \"Opaque\" && object.data.pin == \"NDcxMTQ3MTE=\"\n```\n\n\
        ```bash {cleanup}\nkubectl delete secret safe\n```\n";
    let done = Test::new(&["test", "lab.md", "--save", "runs"]).file("lab.md", lab).run().expect_exit(0);
    let saved = done.dir().join("runs/lab");
    assert!(!fs::read_to_string(saved.join("lab.md")).expect("the lab").contains("NDcxMTQ3MTE"));
    let again = Test::new(&["replay", &saved.display().to_string()]).run().expect_exit(0);
    assert!(again.stdout().contains("1/1 proved"), "{}", again.stdout());
}

/// Before the first step there is no etcd that could say how far it is.
#[test]
fn a_lab_that_starts_its_own_etcd_is_judged_again_as_it_was() {
    need!("etcd", "etcdctl");
    let lab = include_str!("../../src/author/templates/bare.md").replace("@TITLE@", "My lab").replace("@ID@", "my-lab");
    let done =
        Test::new(&["test", "lab.md", "--save", "runs", "--format", "json"]).file("lab.md", &lab).run().expect_exit(0);
    let folder = done.dir().join("runs/lab").display().to_string();
    let again = Test::new(&["replay", &folder, "--format", "json"]).run().expect_exit(0);
    let proofs = |text: String| -> Vec<Value> {
        let report: Value = serde_json::from_str(&text).expect("standard output is JSON");
        let steps = report["labs"][0]["steps"].as_array().expect("steps").clone();
        let checks = steps.iter().flat_map(|step| step["checks"].as_array().cloned().unwrap_or_default());
        checks.map(|check| serde_json::json!([check["text"], check["verdict"], check["proof"]])).collect()
    };
    assert_eq!(proofs(again.stdout()), proofs(done.stdout()));
}
