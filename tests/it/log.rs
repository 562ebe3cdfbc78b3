//! The log: what is in it, where it goes, and what is never in it. `KEYWITNESS_BLESS=1` writes the golden file anew.

use std::fs;
use std::path::Path;

use regex::Regex;

use crate::harness::{Test, need};

const LAB: &str = r#"---
title: Log
clusters: [sandbox]
vars:
  TOKEN: { default: "hunter2-token", secret: true }
---
# Log

## Create

```bash
kubectl create secret generic vault --from-literal=door=open-sesame-42 --from-literal=token="$TOKEN"
kubectl get secret vault -o yaml
etcdctl get /registry/secrets/default/vault
echo "$TOKEN"
```

```check
key /registry/secrets/default/vault exists
```

```check
resource secret/vault in default where object.data.door == "bm8=" within 1s
```

## Clean up

```bash {cleanup}
kubectl delete secret vault
```
"#;

const SECRETS: [&str; 6] =
    ["open-sesame-42", "b3Blbi1zZXNhbWUtNDI", "hunter2-token", "aHVudGVyMi10b2tlbg", "sesame", "hunter2"];

fn lab(args: &[&str]) -> Test {
    Test::new(args).file("log/README.md", LAB)
}

/// What differs from run to run.
fn masked(log: &str) -> String {
    let masks = [
        (r"(?m)^\S+Z +", "TIME "),
        (r"\b(ms|up|down|actions|checks|revision|seed|process)=\d+", "$1=N"),
        (r"cluster=[0-9a-f]+", "cluster=ID"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r#"(etcd|kubernetes|tool)="[^"]+""#, "$1=\"VERSION\""),
    ];
    masks.iter().fold(log.to_owned(), |log, (pattern, by)| {
        Regex::new(pattern).expect("a pattern").replace_all(&log, *by).into_owned()
    })
}

#[test]
fn a_small_log_is_the_golden_one() {
    need!("etcd", "kubectl", "etcdctl");
    let filter = "keywitness=info,kube_sandbox::etcd=info,kube_sandbox::control_plane=info";
    let done = lab(&["run", "log", "--log", filter]).run().expect_exit(1);
    let found = masked(&done.stderr());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/log/run.txt");
    if std::env::var_os("KEYWITNESS_BLESS").is_some() {
        fs::create_dir_all(golden.parent().expect("a folder")).expect("the folder is made");
        fs::write(&golden, &found).expect("the golden file is written");
    }
    assert_eq!(found, fs::read_to_string(&golden).expect("the golden file"));
    assert!(!done.stdout().contains("keywitness::"), "{}", done.stdout());
}

#[test]
fn no_secret_is_in_it_at_any_level() {
    need!("etcd", "kubectl", "etcdctl");
    let done = lab(&["run", "log", "--log", "trace", "--log-file", "run.log"]).run().expect_exit(1);
    let log = fs::read_to_string(done.dir().join("run.log")).expect("the log");
    assert!(log.contains("secrets/vault") && log.contains(" TRACE "), "it saw the secret's requests:\n{log}");
    assert!(log.lines().all(|line| line.starts_with("20")), "each entry is one line:\n{log}");
    for output in [log, done.stderr()] {
        for secret in SECRETS {
            assert!(!output.contains(secret), "{secret} in:\n{output}");
        }
    }
}

#[test]
fn it_is_silent_unless_asked_for() {
    let lint = |test: Test| {
        let done = test.file("lab.md", "# L\n\n## S\n\n```bash\ntrue\n```\n").run().expect_exit(0);
        (done.stdout(), done.stderr())
    };
    let silent = lint(Test::new(&["lint", "lab.md"]));
    assert_eq!(lint(Test::new(&["lint", "lab.md"]).env("KEYWITNESS_LOG", "")), silent);
    assert_eq!(lint(Test::new(&["lint", "lab.md", "--log", "off"]).env("KEYWITNESS_LOG", "nonsense")), silent);
}

#[test]
fn a_file_takes_it_in_place_of_standard_error() {
    let lab = "# L\n\n## S\n\n```bash\ntrue\n```\n\n```checks\n```\n";
    let call = |args: &[&str]| Test::new(args).file("lab.md", lab).run().expect_exit(2);
    let plain = call(&["run", "lab.md"]);
    let logged = call(&["--log-file", "x.log", "run", "lab.md"]);
    assert_eq!(logged.stderr(), plain.stderr());
    let log = fs::read_to_string(logged.dir().join("x.log")).expect("the log");
    assert!(log.contains("DEBUG keywitness::report::log: finding code=\"KW"), "{log}");

    let done = Test::new(&["list", "--log-file", "no/such/folder/x.log"]).run().expect_exit(2);
    assert_eq!(
        done.stderr(),
        "error: cannot write the log to no/such/folder/x.log: No such file or directory (os error 2)\n  \
         hint: give --log-file a path in a folder that exists and that you may write to\n"
    );
}

#[test]
fn a_wrong_filter_is_refused_before_anything_runs() {
    let refused = |test: Test| test.run().expect_exit(2).stderr();
    assert_eq!(
        refused(Test::new(&["list", "--log", "degub"])),
        "error: --log: `degub` is neither a level nor a target of this log\n  hint: did you mean `debug`?\n"
    );
    assert_eq!(
        refused(Test::new(&["list"]).env("KEYWITNESS_LOG", "keywitness=loud")),
        "error: KEYWITNESS_LOG: `keywitness=loud`: `loud` is not a level\n  hint: the levels are off, error, warn, info, debug, trace\n"
    );
    let hyper = refused(Test::new(&["list", "--log", "info,hyper=trace"]));
    assert!(hyper.starts_with("error: --log: `hyper` is not a target of this log\n"), "{hyper}");
}
