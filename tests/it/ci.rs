//! `test` as CI calls it: runs that are repeated, labs that are chosen, a course in parts, and reports of all of it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Done, Test, need};

/// `COMMAND` is the step's action.
const LAB: &str = "---
title: A namespace
level: LEVEL
clusters: [sandbox]
vars:
  NAMESPACE: { random: \"team-????\" }
---
# A namespace

## Create

```bash {timeout=300s}
COMMAND
```

```check
key /registry/namespaces/${NAMESPACE} exists
```

## Clean up

```bash {cleanup}
kubectl delete namespace \"$NAMESPACE\" --ignore-not-found
```
";

const CREATE: &str = "kubectl create namespace \"$NAMESPACE\"";
/// Fails the first time.
const SHAKY: &str =
    "if test -e \"$LAB_DIR/fails\"; then rm \"$LAB_DIR/fails\"; false; fi\nkubectl create namespace \"$NAMESPACE\"";

fn lab(command: &str) -> String {
    LAB.replace("COMMAND", command).replace("LEVEL", "beginner")
}

fn report(path: &std::path::Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("the report is written")).expect("JSON")
}

fn verdicts(report: &Value) -> Vec<(String, String)> {
    let labs = report["labs"].as_array().expect("labs").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    labs.map(|lab| (text(&lab["id"]), text(&lab["verdict"]))).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(id, verdict)| ((*id).to_owned(), (*verdict).to_owned())).collect()
}

#[test]
fn a_lab_that_passes_the_second_time_is_flaky_and_fails_unless_that_is_allowed() {
    need!("etcd", "kubectl", "etcdctl");
    for (allow, exit) in [(&[][..], 1), (&["--allow-flaky"][..], 0)] {
        let mut args = vec!["test", "shaky", "--retries", "3", "--json", "r.json", "--junit", "r.xml", "--seed", "5"];
        args.extend_from_slice(allow);
        let done = Test::new(&args).file("shaky/README.md", &lab(SHAKY)).file("shaky/fails", "").run();
        let done = done.expect_exit(exit);
        let report = report(&done.dir().join("r.json"));
        assert_eq!(verdicts(&report), pairs(&[("shaky", "fail"), ("shaky", "pass")]));
        let result = &report["results"][0];
        assert_eq!((&result["flaky"], &result["runs"], &result["passed"]), (&true.into(), &2.into(), &1.into()));
        assert_eq!(report["labs"][1]["retry"], 1);
        assert_eq!(report["labs"][0]["seed"], report["labs"][1]["seed"], "the same lab is tried again");
        assert!(done.stdout().contains("shaky: passed 1 of 2: flaky"), "{}", done.stdout());
        assert_eq!(done.stdout().contains("seed 5: "), exit != 0, "{}", done.stdout());
        let xml = fs::read_to_string(done.dir().join("r.xml")).expect("the report");
        assert!(xml.contains("<flakyFailure"), "{xml}");
        assert_eq!(xml.contains("flaky: it passed 1 of 2 times"), exit != 0, "{xml}");
    }
}

#[test]
fn repeated_runs_are_summed_up_lab_by_lab() {
    need!("etcd", "kubectl", "etcdctl");
    let args = ["test", "good", "shaky", "--repeat", "3", "--json", "r.json", "--junit", "r.xml"];
    let test = Test::new(&args).file("good/README.md", &lab(CREATE)).file("shaky/README.md", &lab(SHAKY));
    let done = test.file("shaky/fails", "").run().expect_exit(1);
    assert!(done.stdout().contains("good: passed 3 of 3"), "{}", done.stdout());
    assert!(done.stdout().contains("shaky: passed 2 of 3: flaky"), "{}", done.stdout());
    let report = report(&done.dir().join("r.json"));
    let seeds: BTreeSet<&str> =
        report["labs"].as_array().expect("labs").iter().filter_map(|lab| lab["seed"].as_str()).collect();
    assert_eq!(seeds.len(), 3, "each repetition has its own");
    let xml = fs::read_to_string(done.dir().join("r.xml")).expect("the report");
    let read = junit_parser::from_reader(xml.as_bytes()).expect("it reads");
    let names: Vec<&str> = read.suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("good (run ")).count(), 3, "{names:?}");
}

#[test]
fn after_a_failure_no_further_lab_begins_with_fail_fast() {
    need!("etcd", "kubectl", "etcdctl");
    let args = ["test", ".", "--fail-fast", "--json", "r.json"];
    let test = Test::new(&args).file("a/README.md", &lab("false")).file("b/README.md", &lab(CREATE));
    let done = test.run().expect_exit(1);
    let report = report(&done.dir().join("r.json"));
    assert_eq!(verdicts(&report), pairs(&[("a", "fail"), ("b", "skipped")]));
    assert_eq!(report["labs"][1]["stop"], "fail_fast");
    assert!(done.stdout().contains("not begun: a has not passed"), "{}", done.stdout());
}

#[test]
fn a_lab_that_takes_longer_than_it_may_is_stopped_and_fails() {
    need!("etcd", "kubectl", "etcdctl");
    let args = ["test", ".", "--timeout", "3s", "--json", "r.json"];
    let done = Test::new(&args).file("slow/README.md", &lab("sleep 250")).run().expect_exit(1);
    let report = report(&done.dir().join("r.json"));
    assert_eq!(report["labs"][0]["stop"], "timed_out");
    let reason = report["labs"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("the limit of --timeout"), "{reason}");
}

#[test]
fn labs_are_chosen_by_what_they_say() {
    need!("etcd", "kubectl", "etcdctl");
    let course = |args: &[&str]| {
        let hard = lab(CREATE).replace("beginner", "advanced");
        Test::new(args).file("labs/easy/README.md", &lab(CREATE)).file("labs/hard/README.md", &hard).run()
    };
    let filter = r#"level == "beginner" && "sandbox" in clusters && checks > 0"#;
    let done = course(&["test", "--filter", filter, "--json", "r.json"]).expect_exit(0);
    let written = report(&done.dir().join("r.json"));
    assert_eq!(verdicts(&written), pairs(&[("easy", "pass")]));
    assert_eq!(written["left_out"][0]["file"], "labs/hard/README.md");
    for (wrong, says) in [
        ("levle == \"x\"", "levle"),
        ("level == 3", "--filter `level == 3` cannot be read"),
        ("id", "neither true nor false"),
        ("level == \"none\"", "is true of none of 2 labs"),
    ] {
        let done = course(&["test", "--filter", wrong]).expect_exit(2);
        assert!(done.stderr().contains(says), "{wrong}: {}", done.stderr());
    }
}

fn git(dir: &std::path::Path, args: &[&str]) {
    let given = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").arg("-C").arg(dir).args(given).args(args).output().expect("git starts");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn labs_are_chosen_by_what_has_changed() {
    need!("etcd", "kubectl", "etcdctl", "git");
    let run = |change: &dyn Fn(&std::path::Path), revision: &str| {
        let test = Test::new(&["test", "--changed-since", revision, "--json", "r.json"]);
        let test = test.file("labs/a/README.md", &lab(CREATE)).file("labs/b/README.md", &lab(CREATE));
        let dir = test.dir().to_owned();
        git(&dir, &["init", "--quiet"]);
        git(&dir, &["checkout", "--quiet", "-B", "main"]);
        git(&dir, &["add", "labs"]);
        git(&dir, &["commit", "--quiet", "-m", "one"]);
        change(&dir);
        test.run()
    };
    let ids = |done: &Done| -> Vec<String> {
        verdicts(&report(&done.dir().join("r.json"))).into_iter().map(|(id, _)| id).collect()
    };
    let none = run(&|_| {}, "HEAD").expect_exit(0);
    assert!(ids(&none).is_empty());
    assert!(none.stdout().contains("--changed-since HEAD: 0 of 2 labs"), "{}", none.stdout());
    // A file beside the lab that git does not know yet is a change of it.
    let beside = run(&|dir| fs::write(dir.join("labs/b/manifest.yaml"), "a: b\n").expect("it is written"), "main");
    assert_eq!(ids(&beside.expect_exit(0)), ["b"]);
    let wrong = run(&|_| {}, "no-such-revision").expect_exit(2);
    assert!(wrong.stderr().contains("no-such-revision"), "{}", wrong.stderr());
}

/// Without what differs between two runs of the same labs.
fn timeless(report: &Value) -> Value {
    fn strip(value: &mut Value) {
        if let Value::Object(fields) = value {
            for name in
                ["duration_ms", "started_at", "started_ms", "at_ms", "spent", "evidence", "revision", "events", "host"]
            {
                fields.remove(name);
            }
            fields.values_mut().for_each(strip);
        } else if let Value::Array(items) = value {
            items.iter_mut().for_each(strip);
        }
    }
    let mut report = report.clone();
    for name in ["shard", "left_out", "notices"] {
        report.as_object_mut().expect("an object").remove(name);
    }
    strip(&mut report);
    report
}

/// Killed while its first lab runs, it leaves no report that could be taken for that of a part.
fn killed_in_a_lab(test: &Test) {
    let mut command = test.command();
    let stdio = std::process::Stdio::piped;
    let mut child =
        command.stdin(std::process::Stdio::null()).stdout(stdio()).stderr(stdio()).spawn().expect("it starts");
    // The name of the lab, which is printed when its cluster is up; or the end, where the whole part was quicker.
    let mut first = [0; 1];
    let _ = child.stdout.take().expect("a pipe").read(&mut first);
    child.kill().expect("it is killed");
    let ended = child.wait().expect("it ends");
    assert!(ended.code().is_some() || !test.dir().join("r.json").exists(), "a report of a part that did not end");
}

#[test]
fn parts_of_a_course_merge_to_the_whole_and_nothing_less() {
    need!("etcd", "kubectl", "etcdctl");
    // Findings of several labs, whose order is that of the course whatever their parts are.
    let slow = format!("sleep 0\n{CREATE}");
    let labs = [
        ("a", slow.as_str()),
        ("b", "false"),
        ("c", slow.as_str()),
        ("d", slow.as_str()),
        ("e", "kubectl get nothing"),
    ];
    let course_files = |args: &[&str]| {
        let mut test = Test::new(args);
        for (id, command) in labs {
            test = test.file(&format!("labs/{id}/README.md"), &lab(command));
        }
        test.file("labs/wrong/README.md", "---\ntitle: Wrong\nlevl: x\n---\n# Wrong\n\n## One\n")
    };
    let course = |args: &[&str]| course_files(args).run();
    let seed = ["--seed", "11", "--json", "r.json"];
    let whole = course(&[&["test"], &seed[..]].concat()).expect_exit(2);
    let whole = report(&whole.dir().join("r.json"));
    let mut parts = Vec::new();
    for part in ["1/3", "2/3", "3/3"] {
        // Wherever it was killed, the part that is run again is the whole part.
        if part == "2/3" {
            killed_in_a_lab(&course_files(&[&["test", "--shard", part], &seed[..]].concat()));
        }
        let done = course(&[&["test", "--shard", part], &seed[..]].concat());
        parts.push(report(&done.dir().join("r.json")).to_string());
    }
    let merge = |files: &[(&str, &str)], more: &[&str]| {
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        let mut test = Test::new(&[&["merge"], &names[..], more].concat());
        for (name, text) in files {
            test = test.file(name, text);
        }
        test.run()
    };
    let all = [("1.json", parts[0].as_str()), ("2.json", &parts[1]), ("3.json", &parts[2])];
    let outputs = ["--json", "all.json", "--junit", "all.xml", "--html", "all.html", "--write-durations", "d.json"];
    let merged = merge(&all, &outputs).expect_exit(2);
    let read = report(&merged.dir().join("all.json"));
    assert_eq!(timeless(&read), timeless(&whole));
    let xml = fs::read_to_string(merged.dir().join("all.xml")).expect("the report");
    assert!(labs.iter().all(|(id, _)| xml.contains(&format!("testsuite name=\"{id}\""))), "{xml}");
    let durations: Value =
        serde_json::from_slice(&fs::read(merged.dir().join("d.json")).expect("the file")).expect("JSON");
    assert_eq!(durations["labs"].as_object().map(serde_json::Map::len), Some(5), "{durations}");

    let missing = merge(&all[..2], &[]).expect_exit(3);
    assert!(missing.stderr().contains("part 3/3 is missing"), "{}", missing.stderr());
    let doubled = merge(&[all[0], ("again.json", &parts[0]), all[1], all[2]], &[]).expect_exit(2);
    assert!(doubled.stderr().contains("part 1/3 is there twice"), "{}", doubled.stderr());
    let other = parts[1].replace("\"of\":3", "\"of\":2");
    let mixed = merge(&[all[0], ("2.json", &other), all[2]], &[]).expect_exit(2);
    assert!(mixed.stderr().contains("are not parts of one run"), "{}", mixed.stderr());
    // A report whose labs were taken out is no report of its part.
    let lost: Vec<String> = parts
        .iter()
        .map(|part| {
            let mut part: Value = serde_json::from_str(part).expect("JSON");
            part["labs"] = Value::Array(Vec::new());
            part.to_string()
        })
        .collect();
    let lost = merge(&[("1.json", &lost[0]), ("2.json", &lost[1]), ("3.json", &lost[2])], &[]).expect_exit(2);
    assert!(lost.stderr().contains("hold 0 of the course's 6 labs"), "{}", lost.stderr());
    let unsharded = merge(&[("1.json", &whole.to_string())], &[]).expect_exit(2);
    assert!(unsharded.stderr().contains("of a whole run"), "{}", unsharded.stderr());
}

/// One lab a kind of failure, each failing in that way only.
const KINDS: &[(&str, &str)] = &[
    (
        "check",
        "```bash\nkubectl get namespaces\n```\n\n```check\nkey /registry/namespaces/never exists within 1s\n```\n",
    ),
    ("wait", "```bash\nkubectl get namespaces\n```\n\n```wait\nkey /registry/namespaces/never exists within 1s\n```\n"),
    ("proof", "```bash\nkubectl get namespaces\n```\n\n```check\nkey /registry/namespaces/default exists\n```\n"),
    ("command", "```bash\nkubectl get nothing-of-the-kind\n```\n"),
    ("output", "```bash\necho one\n```\n```output\ntwo\n```\n"),
    ("question", "```bash\ntrue\n```\n\n```question\nWho leads?\n\n= $(true)\n```\n"),
    ("background", "```bash {name=server background ready=\"listening\"}\necho no\nfalse\n```\n"),
    ("clean-up", "```bash\ntrue\n```\n\n## Clean up\n\n```bash {cleanup}\nfalse\n```\n"),
];

#[test]
fn each_kind_of_failure_is_called_by_its_name_in_every_report() {
    need!("etcd", "kubectl", "etcdctl");
    let mut test = Test::new(&[
        "test",
        "labs",
        "--jobs",
        "2",
        "--json",
        "r.json",
        "--sarif",
        "r.sarif",
        "--tap",
        "r.tap",
        "--gitlab",
        "gitlab.json",
        "--markdown",
        "r.md",
        "--html",
        "r.html",
        "--junit",
        "r.xml",
    ]);
    for (kind, step) in KINDS {
        let text = format!("---\ntitle: Fails by its {kind}\nclusters: [sandbox]\n---\n# Fails\n\n## One\n\n{step}");
        test = test.file(&format!("labs/{kind}/README.md"), &text);
    }
    let done = test.run().expect_exit(2);
    let read = |name: &str| fs::read_to_string(done.dir().join(name)).expect(name);
    report(&done.dir().join("r.json"));
    let sarif: Value = serde_json::from_str(&read("r.sarif")).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let failed: Vec<&Value> = results.iter().filter(|result| !result["properties"]["lab"].is_null()).collect();
    let told: BTreeSet<(String, String)> =
        failed.iter().map(|result| (result["properties"]["lab"].to_string(), result["ruleId"].to_string())).collect();
    let wanted: BTreeSet<(String, String)> =
        KINDS.iter().map(|(kind, _)| (format!("\"{kind}\""), format!("\"{kind}\""))).collect();
    assert_eq!(told, wanted, "{}", done.stdout());
    for (kind, _) in KINDS {
        assert!(read("r.tap").contains(&format!("kind: \"{kind}\"")), "TAP: {kind}");
        assert!(read("gitlab.json").contains(&format!("\"check_name\": \"{kind}-fail\"")), "GitLab: {kind}");
        assert!(read("r.md").contains(&format!("{kind}-fail")), "Markdown: {kind}");
        assert!(read("r.html").contains(&format!("Fails by its {kind}")), "HTML: {kind}");
    }
    let xml = junit_parser::from_reader(read("r.xml").as_bytes()).expect("it reads");
    for suite in xml.suites.iter().filter(|suite| suite.name != "lint") {
        assert!(suite.failures + suite.errors > 0, "{} has no failure", suite.name);
    }
}

#[test]
fn a_command_that_no_check_looks_at_survives_its_removal() {
    need!("etcd", "kubectl", "etcdctl");
    let commands = "kubectl create namespace \"$NAMESPACE\"\necho \"nobody looks\"";
    let run = |survivors: &str| {
        let args = ["test", "labs", "--mutate", "--jobs", "2", "--format", "json"];
        Test::new(&args).file("labs/one/README.md", &lab(commands)).file("labs/survivors.txt", survivors).run()
    };
    let done = run("").expect_exit(1);
    let found: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    let mutants = found["mutants"].as_array().expect("mutants");
    let of = |word: &str| -> Vec<&str> {
        mutants.iter().filter(|one| one["end"] == word).filter_map(|one| one["command"].as_str()).collect()
    };
    assert_eq!(of("survived"), ["echo \"nobody looks\""]);
    assert_eq!(of("killed").len(), 2, "{found:#}");
    let allowed = "one | echo \"nobody looks\" | it greets the reader\n";
    run(allowed).expect_exit(0);
    let stale = run(&format!("{allowed}one | kubectl delete everything | a reason\n")).expect_exit(1);
    assert!(stale.stdout().contains("kubectl delete everything"), "{}", stale.stdout());
}
