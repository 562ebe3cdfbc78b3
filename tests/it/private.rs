//! `README.private.md`: more checks and set-up for a lab's steps, which learners never see.

use std::fs;

use serde_json::Value;

use crate::harness::{Done, Test, need};

const LAB: &str = r"---
title: A lab
clusters: [sandbox]
---
## Make it
<!-- lab:step id=make -->

```bash
kubectl create configmap mine --from-literal=a=1
```

```check
key /registry/configmaps/default/mine exists
```

## Clean up

```bash {cleanup}
kubectl delete configmap mine --ignore-not-found
```
";

const PRIVATE: &str = r#"# Of the lab: not for learners

## Make it

```bash {setup}
kubectl create configmap before --from-literal=word=opensesame
```

Nobody may have guessed.

```check {points=3}
key /registry/configmaps/default/mine where object.data.a == "1"
```

```bash {cleanup}
kubectl delete configmap before --ignore-not-found
```
"#;

fn run(args: &[&str], private: &str) -> Done {
    Test::new(args).file("labs/one/README.md", LAB).file("labs/one/README.private.md", private).run()
}

fn lab_of(done: &Done) -> Value {
    let report: Value = serde_json::from_str(&done.stdout()).expect("standard output is JSON");
    report["labs"][0].clone()
}

#[test]
fn a_test_has_the_private_part_and_a_run_has_not() {
    need!("etcd", "kubectl", "etcdctl");
    let done = run(&["test", "labs", "--format", "json", "--save", "runs"], PRIVATE).expect_exit(0);
    let lab = lab_of(&done);
    assert_eq!((lab["points"].as_u64(), lab["max_points"].as_u64()), (Some(4), Some(4)), "{lab}");
    let checks = lab["steps"][0]["checks"].as_array().expect("checks").clone();
    let places: Vec<_> = checks.iter().map(|check| (check["file"].as_str(), check["line"].as_u64())).collect();
    let file = Some("labs/one/README.private.md");
    assert_eq!(places, [(Some("labs/one/README.md"), Some(13)), (file, Some(12))]);
    // What is saved is judged as it was.
    let saved = done.dir().join("runs/one").display().to_string();
    let again = Test::new(&["replay", &saved, "--format", "json"]).run().expect_exit(0);
    let again = lab_of(&again);
    assert_eq!(again["points"], lab["points"]);
    assert_eq!(again["steps"][0]["checks"][1]["file"].as_str(), file);
    let done = run(&["run", "labs", "--format", "json"], PRIVATE).expect_exit(0);
    assert_eq!(lab_of(&done)["max_points"].as_u64(), Some(1));
    assert!(!done.stdout().contains("opensesame"), "{}", done.stdout());
}

#[test]
fn a_failure_of_the_private_part_names_its_own_line() {
    need!("etcd", "kubectl", "etcdctl");
    let wrong = PRIVATE.replace("data.a == \"1\"", "data.a == \"2\" within 1ms");
    let done = run(&["test", "labs/one"], &wrong).expect_exit(1);
    assert!(done.stdout().contains("labs/one/README.private.md:12:1"), "{}", done.stdout());
    let wrong = PRIVATE.replace("kubectl create configmap before", "kubectl create configmap Before");
    let done = run(&["test", "labs/one"], &wrong).expect_exit(1);
    assert!(done.stdout().contains("block at labs/one/README.private.md:6"), "{}", done.stdout());
}

#[test]
fn it_is_no_lab_and_its_findings_are_told_in_its_lines() {
    let done = run(&["lint", "labs"], &PRIVATE.replace("## Make it", "## Build it")).expect_exit(2);
    let said = done.stderr();
    assert!(said.contains("labs/one/README.private.md:3:1: error[KW086]: the lab has no step `Build it`"), "{said}");
    assert!(!said.contains("no lab:") && done.stdout().starts_with("1 lab:"), "{said}{}", done.stdout());
    let done = run(&["lint", "labs/one/README.private.md"], PRIVATE).expect_exit(2);
    assert!(done.stderr().contains("is the private part of a lab"), "{}", done.stderr());
    let exported = run(&["export", "labs/one", "--without-solutions"], PRIVATE).expect_exit(0);
    assert!(!exported.stdout().contains("Nobody may"), "{}", exported.stdout());
    let untouched = fs::read_to_string(exported.dir().join("labs/one/README.private.md")).expect("the file");
    assert_eq!(untouched, PRIVATE);
    // What is mechanical is mended in the lab, and never written into it from here.
    let fixed = run(&["lint", "--fix", "labs"], PRIVATE).expect_exit(0);
    assert_eq!(fs::read_to_string(fixed.dir().join("labs/one/README.md")).expect("the lab"), LAB);
}
