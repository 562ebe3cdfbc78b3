//! Whole runs on the sandbox: real etcd, real kubectl and etcdctl.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Done, Test, need};

/// `label` stands for the step's action: the one line that is taken out to break the lab.
const LAB: &str = r#"---
title: A label
clusters: [sandbox]
vars:
  NAMESPACE: { random: "team-????" }
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
```

## Label it

In a second terminal, leave this running:

```bash {name=watcher terminal=2 background ready=watch}
etcdctl watch "/registry/namespaces/$NAMESPACE"
```

Then look at it:

```bash
kubectl get namespace "$NAMESPACE"
LABEL
```

```check {points=3 fail="etcd has not seen the label yet."}
events /registry/namespaces/${NAMESPACE} within 1s
  PUT where object.metadata.labels.purpose == "demo"
```

```check
never /registry/namespaces/${NAMESPACE} DELETE for 50ms
```

## Clean up

```bash {cleanup}
kubectl delete namespace "$NAMESPACE" --ignore-not-found
```
"#;

const LABEL: &str = r#"kubectl label namespace "$NAMESPACE" purpose=demo"#;

fn lab(command: &str) -> String {
    LAB.replace("LABEL", command)
}

fn test(args: &[&str], lab: &str) -> Test {
    Test::new(args).file("label/README.md", lab)
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout()).expect("standard output is JSON")
}

fn checks(report: &Value) -> Vec<&Value> {
    let labs = report["labs"].as_array().expect("labs");
    let steps = labs.iter().flat_map(|lab| lab["steps"].as_array().expect("steps"));
    steps.flat_map(|step| step["checks"].as_array().expect("checks")).collect()
}

#[test]
fn a_good_lab_passes_and_each_check_names_what_it_rests_on() {
    need!("etcd", "kubectl", "etcdctl");
    for command in ["run", "test"] {
        let done = test(&[command, "label", "--format", "json", "--seed", "18446744073709551615"], &lab(LABEL)).run();
        let done = done.expect_exit(0);
        let report = json(&done);
        assert_eq!(report["schema"], 1);
        assert_eq!(report["command"], command);
        assert_eq!(report["exit"], 0);
        assert_eq!(report["seed"], "18446744073709551615");
        assert_eq!(report["labs"][0]["verdict"], "pass");
        assert_eq!(report["labs"][0]["points"], report["labs"][0]["max_points"]);
        assert_eq!(report["labs"][0]["cluster"]["kind"], "sandbox");
        let checks = checks(&report);
        assert_eq!(checks.len(), 4);
        for check in checks {
            assert_eq!(check["verdict"], "pass", "{check}");
            let never = check["text"].as_str().expect("a text").starts_with("never");
            assert_eq!(check["proof"], if never { "exempt" } else { "red" }, "{check}");
            let sampled = check["sampled"].as_bool().expect("a boolean");
            assert_ne!(sampled, check["revision"].is_i64(), "a revision, or a sample: {check}");
        }
        let label = &report["labs"][0]["steps"][1]["checks"][0];
        assert_eq!(label["points"], 3);
        assert_eq!(label["evidence"][0]["type"], "PUT");
        assert!(label["evidence"][0]["revision"].is_i64());
    }
}

#[test]
fn without_the_label_the_one_check_fails_and_shows_the_events_that_came() {
    need!("etcd", "kubectl", "etcdctl");
    let other = r#"kubectl annotate namespace "$NAMESPACE" purpose=demo"#;
    let done = test(&["run", "label", "--format", "json"], &lab(other)).run().expect_exit(1);
    let report = json(&done);
    let failed: Vec<&Value> = checks(&report).into_iter().filter(|check| check["verdict"] != "pass").collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0]["text"].as_str().is_some_and(|text| text.starts_with("events ")), "{}", failed[0]);
    assert_eq!(report["labs"][0]["points"], 2, "`never` earns nothing beside a check that fails");

    let done = test(&["run", "label"], &lab(other)).run().expect_exit(1);
    let text = done.stdout();
    for wanted in
        ["etcd has not seen the label yet.", "did not come", "metadata.annotations", "label/README.md:39:1", "PUT"]
    {
        assert!(text.contains(wanted), "{wanted:?} is missing in:\n{text}");
    }
}

#[test]
fn a_store_that_dies_cannot_judge_and_leaves_nothing() {
    need!("etcd", "kubectl", "etcdctl");
    let kill = r#"for process in /proc/[0-9]*; do
  if [ "$(cat "$process/comm" 2>/dev/null)" = etcd ] && tr '\0' ' ' < "$process/cmdline" | grep -q "$LAB_ETCD_DATA"; then
    kill -9 "${process#/proc/}"
  fi
done
kubectl get namespace default"#;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let done = test(&["run", "label"], &lab(kill)).env("KW_TEST_ID", &id).run().expect_exit(3);
    assert!(done.stdout().contains("cannot judge"), "{}", done.stdout());
    assert_eq!(left(&id), Vec::<String>::new());
}

/// Processes that carry the test's id.
fn left(id: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("a /proc").filter_map(Result::ok);
    let wanted = format!("KW_TEST_ID={id}");
    processes
        .filter(|process| {
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
        })
        .map(|process| fs::read_to_string(process.path().join("cmdline")).unwrap_or_default().replace('\0', " "))
        .collect()
}

#[test]
fn junit_is_written_on_failure_too() {
    need!("etcd", "kubectl", "etcdctl");
    let done = test(&["run", "label", "--junit", "out/junit.xml"], &lab("true")).run().expect_exit(1);
    let xml = fs::read_to_string(done.dir().join("out/junit.xml")).expect("the report is there");
    for wanted in [
        r#"<testsuite name="label" tests="5" skipped="0" errors="0" failures="1""#,
        r#"classname="label.label-it" file="label/README.md" line="39">"#,
        "<failure message=",
    ] {
        assert!(xml.contains(wanted), "{wanted:?} is missing in:\n{xml}");
    }
}

#[test]
fn labs_repeat_side_by_side_each_on_its_own() {
    need!("etcd", "kubectl", "etcdctl");
    let args = ["test", "label", "other", "--jobs", "2", "--repeat", "2", "--format", "json"];
    let done = test(&args, &lab(LABEL)).file("other/README.md", &lab(LABEL)).run().expect_exit(0);
    let report = json(&done);
    let labs = report["labs"].as_array().expect("labs");
    let ids: Vec<&str> = labs.iter().filter_map(|lab| lab["id"].as_str()).collect();
    assert_eq!(ids, ["label", "other", "label", "other"]);
    let names: std::collections::BTreeSet<&str> =
        labs.iter().filter_map(|lab| lab["vars"]["NAMESPACE"].as_str()).collect();
    assert_eq!(names.len(), 4, "each attempt draws its own: {names:?}");
}

#[test]
fn what_the_clean_up_leaves_is_named() {
    need!("etcd", "kubectl", "etcdctl");
    let more = format!("{LABEL}\nkubectl create configmap forgotten");
    let done = test(&["test", "label"], &lab(&more)).run().expect_exit(2);
    let text = done.stdout();
    assert!(text.contains("the clean-up left 1 key"), "{text}");
    assert!(text.contains("/registry/configmaps/default/forgotten"), "{text}");
    test(&["run", "label"], &lab(&more)).run().expect_exit(0);
}

#[test]
fn secrets_are_shown_nowhere() {
    need!("etcd", "kubectl", "etcdctl");
    let text = r#"---
title: Secret
clusters: [sandbox]
vars:
  TOKEN: { default: "hunter2-token", secret: true }
---
# Secret

## Show

```bash {name=show}
kubectl create secret generic vault --from-literal=door=open-sesame-42
kubectl get secret vault -o yaml
etcdctl get /registry/secrets/default/vault
echo "$TOKEN"
```

```check
resource secret/vault in default where object.data.door == "bm90aGluZw=="
output show contains "nothing"
```

## Clean up

```bash {cleanup}
kubectl delete secret vault
```
"#;
    for format in ["human", "json"] {
        let args = ["run", "label", "--format", format, "--junit", "junit.xml", "-vv"];
        let done = test(&args, text).env("GITHUB_ACTIONS", "true").run().expect_exit(1);
        let junit = fs::read_to_string(done.dir().join("junit.xml")).expect("a report");
        for output in [done.stdout(), done.stderr(), junit] {
            // The secret's command line is the author's own text: its value there is public already.
            let output = output.replace("--from-literal=door=open-sesame-42", "");
            for secret in ["open-sesame-42", "b3Blbi1zZXNhbWUtNDI", "hunter2-token"] {
                assert!(!output.contains(secret), "{secret} in:\n{output}");
            }
        }
    }
}

#[test]
fn ctrl_c_cleans_up_and_exits_130() {
    need!("etcd", "kubectl", "etcdctl");
    let text = lab("echo reached > \"$LAB_DIR/reached\"; tail -f /dev/null")
        .replace("--ignore-not-found\n", "--ignore-not-found\necho cleaned > \"$LAB_DIR/cleaned\"\n");
    let id = uuid::Uuid::new_v4().simple().to_string();
    let args = ["run", "label", "-v", "--junit", "junit.xml"];
    let test = test(&args, &text).env("KW_TEST_ID", &id);
    let mut command = test.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let reached = test.dir().join("label/reached");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    // The first step's line comes before the long command starts; from there on the file tells.
    let first = lines.by_ref().map_while(Result::ok).find(|line| line.contains("✓ Create"));
    assert!(first.is_some(), "the run ended before its first step did");
    while !reached.exists() {
        assert!(child.try_wait().expect("it can be waited for").is_none(), "the run ended by itself");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a process id")),
        nix::sys::signal::Signal::SIGINT,
    )
    .expect("it is signalled");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130), "{rest:#?}");
    assert!(test.dir().join("label/cleaned").exists(), "{rest:#?}");
    assert_eq!(left(&id), Vec::<String>::new());
    assert!(rest.iter().any(|line| line.contains("2/6 points")), "{rest:#?}");
    let junit = fs::read_to_string(test.dir().join("junit.xml")).expect("a report");
    for check in ["key ", "resource ", "events ", "never "] {
        assert!(junit.contains(&format!("<testcase name=\"{check}")), "{check}: {junit}");
    }
}

/// Wherever a lab stops, its maximum is what it could have been.
#[test]
fn a_lab_whose_cluster_never_starts_keeps_its_maximum_of_points() {
    need!("etcd", "kubectl");
    let outright = [("KEYWITNESS_ETCD", "/nonexistent/etcd")];
    let broken = [("KEYWITNESS_ETCD", "/bin/false")];
    for env in [outright, broken] {
        for command in ["run", "test"] {
            let of = |format: &str| {
                let args = [command, "label", "--format", format, "--junit", "junit.xml"];
                let test = test(&args, &lab(LABEL)).env("GITHUB_ACTIONS", "true");
                env.iter().fold(test, |test, (name, value)| test.env(name, value)).run().expect_exit(3)
            };
            let done = of("human");
            let human = done.stdout();
            assert!(human.contains("0 of 4 checks, 4 not judged · 0/6 points"), "{human}");
            assert!(!human.contains("Label it"), "steps that were not begun take no line:\n{human}");
            let junit = fs::read_to_string(done.dir().join("junit.xml")).expect("a report");
            assert_eq!(junit.matches("<skipped").count(), 4, "{junit}");
            assert_eq!(done.stderr().matches("::error").count(), 1, "{}", done.stderr());
            let lab = &json(&of("json"))["labs"][0];
            assert_eq!((&lab["points"], &lab["max_points"]), (&0.into(), &6.into()), "{lab:#}");
            assert_eq!(lab["steps"].as_array().map(Vec::len), Some(2), "{lab:#}");
        }
    }
}

#[test]
fn variables_without_a_value_keep_the_maximum_too() {
    let text = lab(LABEL).replace("{ random: \"team-????\" }", "{ default: demo, pattern: \"[a-z]+\" }");
    let done = test(&["run", "label", "--var", "NAMESPACE=9"], &text).run().expect_exit(2);
    assert!(done.stdout().contains("0/6 points"), "{}", done.stdout());
}

#[test]
fn a_questions_error_is_told_once() {
    need!("etcd", "kubectl", "etcdctl");
    let question = "## Ask\n\n```bash\ntrue\n```\n\n```question\nHow many?\n= $(echo no answer here >&2; false)\n```\n\n## Clean up";
    let text = lab(LABEL).replace("## Clean up", question);
    let done = test(&["test", "label"], &text).run().expect_exit(2);
    assert_eq!(done.stdout().matches("ended with status 1").count(), 1, "{}", done.stdout());
}
