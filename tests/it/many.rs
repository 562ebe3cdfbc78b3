//! Sixteen sandboxes side by side on one machine, each running a lab, and none sees what is another's.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{Test, need};

const SIDE_BY_SIDE: usize = 16;

/// Each lab leaves its own mark in etcd, waits until all others have left theirs, and lists what it sees.
const LAB: &str = r#"---
title: Side by side NUMBER
clusters: [sandbox]
---
# Side by side NUMBER

## Leave a mark

```bash {name=mark}
kubectl create configmap mark-NUMBER --from-literal=n=NUMBER
```

```check
key /registry/configmaps/default/mark-NUMBER exists
```

## Wait for the others

```bash {name=all timeout=120s}
mkdir -p "MEETING" && touch "MEETING/NUMBER"
until [ "$(ls MEETING | wc -l)" -eq 16 ]; do read -t 0.2 <> <(:) || true; done
etcdctl get /registry/configmaps/default/mark- --prefix --keys-only
kubectl get configmaps -o name
```

```check
output all contains "configmap/mark-NUMBER"
```

## Clean up

```bash {cleanup}
kubectl delete configmap mark-NUMBER
```
"#;

#[test]
fn sixteen_sandboxes_at_once_pass_and_see_nothing_of_each_other() {
    need!("etcd", "kubectl", "etcdctl");
    let meeting = tempfile::tempdir().expect("a temp folder");
    let labs: Vec<String> = (0..SIDE_BY_SIDE).map(|number| format!("lab-{number:02}")).collect();
    let jobs = SIDE_BY_SIDE.to_string();
    let mut args = vec!["test", "--jobs", &jobs, "--format", "json"];
    args.extend(labs.iter().map(String::as_str));
    let mut test = Test::new(&args);
    for (number, lab) in labs.iter().enumerate() {
        let text =
            LAB.replace("NUMBER", &format!("{number:02}")).replace("MEETING", &meeting.path().display().to_string());
        test = test.file(&format!("{lab}/README.md"), &text);
    }
    let done = test.run();
    let report: Value = serde_json::from_str(&done.stdout()).expect("a report");
    let labs = report["labs"].as_array().expect("labs");
    assert_eq!(labs.len(), SIDE_BY_SIDE);
    for (number, lab) in labs.iter().enumerate() {
        assert_eq!(lab["verdict"], "pass", "of {SIDE_BY_SIDE} at once: {lab:#}");
        let steps = lab["steps"].as_array().expect("steps");
        let actions = steps.iter().filter_map(|step| step["actions"].as_array()).flatten();
        let seen: Vec<&str> =
            actions.filter(|action| action["name"] == "all").filter_map(|action| action["output"].as_str()).collect();
        let marks: BTreeSet<&str> =
            seen.iter().flat_map(|text| text.split_whitespace()).filter(|word| word.contains("mark-")).collect();
        let own = [format!("/registry/configmaps/default/mark-{number:02}"), format!("configmap/mark-{number:02}")];
        assert_eq!(
            marks,
            own.iter().map(String::as_str).collect(),
            "lab {number} sees what is another's, or not its own"
        );
    }
    assert_eq!(done.exit(), Some(0), "{}", done.stderr());
}
