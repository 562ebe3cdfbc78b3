//! `keywitness decode` on what real etcdctl 3.6 printed. `KEYWITNESS_BLESS=1` writes the golden files anew.

use std::fs;
use std::path::Path;

use crate::harness::Test;

#[track_caller]
fn golden(case: &str, input: &str, args: &[&str], exit: i32) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/decode");
    let stdin = fs::read(dir.join(format!("{input}.stdin"))).expect("the input is there");
    let done = Test::new(&[&["decode"], args].concat()).stdin(stdin).run().expect_exit(exit);
    for (stream, text) in [("stdout", done.stdout()), ("stderr", done.stderr())] {
        let file = dir.join(format!("{case}.{stream}"));
        if std::env::var_os("KEYWITNESS_BLESS").is_some() {
            fs::write(&file, &text).expect("the golden file is written");
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, expected, "{case}: {stream}");
    }
}

#[test]
fn keys_and_values_as_yaml() {
    golden("raw", "raw", &["--hide-managed-fields"], 0);
}

#[test]
fn keys_and_values_as_json() {
    golden("raw-json", "raw", &["-o", "json"], 0);
}

#[test]
fn values_alone() {
    golden("values-only", "values-only", &["-o", "json"], 0);
}

#[test]
fn etcdctl_json() {
    golden("json", "json", &[], 0);
}

#[test]
fn base64_lines_with_secrets_shown() {
    golden("base64", "base64", &["--show-secrets", "--hide-managed-fields"], 0);
}

#[test]
fn what_does_not_decode_is_named_and_the_rest_is_shown() {
    golden("broken", "broken", &[], 3);
    golden("broken-json", "broken", &["-o", "json"], 3);
}

#[test]
fn input_without_a_value() {
    golden("keys-only", "keys-only", &[], 2);
    golden("no-key", "no-key", &[], 2);
    golden("empty", "empty", &[], 2);
}

/// What came out as rubbish once, or with a Secret's text.
#[test]
fn each_format_of_etcdctl_and_jq() {
    for case in [
        "applied-b64wrapped",
        "applied-fields",
        "cm-esc",
        "cm-jqkvs",
        "cm-jqpair",
        "defaulted",
        "dep-hex",
        "kubectl-raw",
        "nlkey-json",
        "watch-prev",
    ] {
        let case = format!("case-{case}");
        golden(&case, &case, &["--hide-managed-fields"], 0);
    }
}

#[test]
fn json_keeps_the_key_the_type_and_what_was_before() {
    golden("case-watch-prev-json", "case-watch-prev", &["-o", "json"], 0);
}

#[test]
fn no_secret_comes_out_unless_it_is_asked_for() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/decode");
    for case in ["applied-b64wrapped", "applied-fields", "kubectl-raw"] {
        let stdin = fs::read(dir.join(format!("case-{case}.stdin"))).expect("the input is there");
        for format in ["yaml", "json"] {
            let done = Test::new(&["decode", "-o", format]).stdin(stdin.clone()).run().expect_exit(0);
            let told = done.stdout() + &done.stderr();
            assert!(!told.contains("TOPSECRET") && !told.contains("VE9QU0VDUkVU"), "{case}: {told}");
            assert!(told.contains("bytes, hidden>"), "{case}: {told}");
            let done = Test::new(&["decode", "-o", format, "--show-secrets"]).stdin(stdin.clone()).run().expect_exit(0);
            assert!(done.stdout().contains("VE9QU0VDUkVU"), "{case}: {}", done.stdout());
        }
    }
}

#[test]
fn what_decode_does_not_read_is_refused_by_name() {
    for (input, what) in [
        ("apiVersion: v1\nkind: Secret\ndata:\n  p: VE9QU0VDUkVU\n", "YAML"),
        ("{\"kind\": \"Secret\", \"apiVersion\": \"v1\", \"data\": {\"p\": \"VE9QU0VDUkVU", "truncated JSON"),
        ("NAME   READY\nweb-0  1/1\n", "a kubectl table"),
    ] {
        let done = Test::new(&["decode"]).stdin(input).run().expect_exit(2);
        assert_eq!(done.stdout(), "");
        assert!(done.stderr().contains(&format!("standard input is {what}")), "{}", done.stderr());
        assert!(done.stderr().contains("decode reads what `etcdctl get`"), "{}", done.stderr());
        assert!(!done.stderr().contains("VE9Q"), "{}", done.stderr());
    }
}

#[test]
fn an_event_is_shown_while_the_watch_goes_on() {
    use std::io::{BufRead, Write};
    use std::process::Stdio;
    let mut child = Test::new(&["decode"])
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for event in ["PUT\n/registry/a\none\n", "PUT\n/registry/b\ntwo\n"] {
        stdin.write_all(event.as_bytes()).expect("it reads");
        let key = event.lines().nth(1).expect("a key");
        // The pipe is still open: without the event this would wait for ever.
        let shown = lines.by_ref().map(|line| line.expect("a line")).find(|line| line.contains(key));
        assert!(shown.is_some_and(|line| line.starts_with(&format!("# PUT {key}"))));
    }
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}
