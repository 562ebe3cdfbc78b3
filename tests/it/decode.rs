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
