//! What the engine does with every sort of block and fence. These labs are `bare` and start no etcd, so that a
//! test takes as long as its commands.

use serde_json::Value;

use crate::harness::{Done, Test};

const HEAD: &str = r#"---
title: Engine
clusters: [bare]
etcd: { e1: "http://127.0.0.1:${PORT}" }
vars:
  PORT: { port: true }
---
# Engine

"#;

fn test(args: &[&str], body: &str) -> Test {
    Test::new(args).file("lab/README.md", &format!("{HEAD}{body}"))
}

#[track_caller]
fn run(body: &str, exit: i32) -> Done {
    test(&["run", "lab"], body).run().expect_exit(exit)
}

#[track_caller]
fn prove(body: &str, exit: i32) -> Done {
    test(&["test", "lab"], body).run().expect_exit(exit)
}

#[track_caller]
fn shows(done: &Done, wanted: &[&str]) {
    let text = done.stdout();
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is missing in:\n{text}");
    }
}

fn json(body: &str, command: &str) -> Value {
    let done = test(&[command, "lab", "--format", "json"], body).run();
    serde_json::from_str(&done.stdout()).unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout(), done.stderr()))
}

#[test]
fn a_terminal_keeps_what_was_set_in_it() {
    run(
        r#"## Set

```bash
cd /; export GREETING=hello; say() { echo "$GREETING from $PWD"; }
```

```bash
say
```
```output
hello from /
```
"#,
        0,
    );
}

#[test]
fn the_command_that_fails_is_named_with_its_line() {
    let done = run(
        r#"## Fail

```bash {name=three}
echo one
false
echo three
```

## Later

```bash
echo later
```

```check
output contains "later"
```
"#,
        1,
    );
    shows(
        &done,
        &["✗ block three at lab/README.md:14", "`false` ended with status 1", "│ one", "an earlier step failed"],
    );
    assert!(!done.stdout().contains("three\n"), "nothing runs after it");
}

#[test]
fn an_output_that_differs_is_shown_line_by_line() {
    let done = run("## Say\n\n```bash\nprintf 'a\\nb\\nc\\n'\n```\n```output\na\nx\n...\n```\n", 1);
    shows(&done, &["the output differs from the `output` fence at line 15", "- x", "+ b", "+ c"]);
}

#[test]
fn console_blocks_compare_command_by_command() {
    run("## Say\n\n```console\n$ echo a\na\n$ printf '%s\\n' \\\n> b\nb\n```\n", 0);
    let done = run("## Say\n\n```console\n$ echo a\na\n$ echo b\nc\n```\n", 1);
    shows(&done, &["the command at line 15", "- c", "+ b"]);
}

#[test]
fn endings_are_as_the_author_says() {
    run(
        "## End\n\nThis fails, with status 3:\n\n```bash {exit=3}\n(exit 3)\n```\n\nThis fails:\n\n```bash {fails}\nfalse\n```\n",
        0,
    );
    shows(&run("## End\n\nThis fails:\n\n```bash {fails}\ntrue\n```\n", 1), &["`true` ended with status 0"]);
}

#[test]
fn a_block_that_takes_too_long_is_ended() {
    let done = run("## Wait\n\n```bash {timeout=300ms}\ntail -f /dev/null\n```\n", 1);
    shows(&done, &["`tail -f /dev/null` had not ended"]);
}

#[test]
fn a_background_block_that_ends_by_itself_fails_with_its_last_words() {
    let body = |ready: &str| {
        format!(
            "## Serve\n\n```bash {{name=server terminal=2 background ready={ready}}}\necho listening; echo no more >&2; false\n```\n\n```bash\nuntil [ -e never ]; do [ -e \"$LAB_WORK\" ] && break; done\n```\n"
        )
    };
    shows(&run(&body("\"never printed\""), 1), &["it ended before it was ready", "no more"]);
}

#[test]
fn a_background_block_is_ready_stopped_and_started_again() {
    run(
        r#"## Serve

```bash {name=server terminal=2 background ready="listening"}
echo "listening $$ $SECONDS"; tail -f /dev/null
```

```bash {name=again stop=server}
echo stopped
```

```check
output server contains "listening"
output again contains "stopped"
```

```bash {start=server}
echo started
```

```check
output contains "started"
output server contains "listening"
```
"#,
        0,
    );
}

#[test]
fn a_wait_holds_up_the_lab_until_it_comes_true() {
    run(
        "## Wait\n\n```bash\n(sleep 0.3; touch \"$LAB_WORK/there\") &\n```\n```wait\nrun \"test -e there\"\n```\n\n```bash\nls \"$LAB_WORK/there\"\n```\n",
        0,
    );
    let done = run(
        "## Wait\n\n```bash\ntrue\n```\n```wait\nrun \"test -e there\" within 200ms\n```\n\n```bash\necho never\n```\n",
        1,
    );
    shows(&done, &["✗ wait: run \"test -e there\"", "lab/README.md:16:1"]);
}

#[test]
fn proofs_are_shown_by_run_and_demanded_by_test() {
    let body = "## Do\n\n```bash\ntrue\n```\n```check\nrun \"true\"\n```\n";
    let report = json(body, "run");
    assert_eq!(
        (&report["exit"], &report["labs"][0]["steps"][0]["checks"][0]["proof"]),
        (&0.into(), &"proves_nothing".into())
    );
    shows(&prove(body, 2), &["proves nothing"]);
}

#[test]
fn pre_pass_needs_a_proved_check_beside_it() {
    let beside = "## Do\n\n```bash\ntouch \"$LAB_WORK/a\"\n```\n```check {pre=pass}\nrun \"true\"\n```\n```check\nrun \"test -e a\"\n```\n";
    prove(beside, 0);
    let unproved = "## Do\n\n```bash\ntrue\n```\n```check {pre=pass}\nrun \"true\"\n```\n```check\nrun \"true\"\n```\n";
    shows(&prove(unproved, 2), &["proves nothing: it held already"]);
    let alone = prove("## Do\n\n```bash\ntrue\n```\n```check {pre=pass}\nrun \"true\"\n```\n", 2);
    assert!(alone.stderr().contains("pre=pass"), "{}", alone.stderr());
}

#[test]
fn solutions_run_only_in_a_test() {
    let body = "## Do\n\nDo it.\n\n<details><summary>Solution</summary>\n\n```bash\ntouch \"$LAB_WORK/a\"\n```\n\n</details>\n\n```check\nrun \"test -e a\"\n```\n";
    prove(body, 0);
    let done = run(body, 2);
    shows(&done, &["skipped", "solutions"]);
    let beside =
        format!("## First\n\n```bash\ntouch \"$LAB_WORK/first\"\n```\n```check\nrun \"test -e first\"\n```\n\n{body}");
    let done = run(&beside, 0);
    shows(&done, &["- Do", "`run --solve` runs it"]);
    prove(&beside, 0);
}

#[test]
fn a_questions_answer_must_not_come_out_empty() {
    let body = |command: &str| {
        format!(
            "## Ask\n\n```bash\necho 42 > \"$LAB_WORK/answer\"\n```\n```check\nrun \"test -e answer\"\n```\n\n```question {{points=2}}\nHow much?\n\n= $({command})\n```\n"
        )
    };
    let report = json(&body("cat answer"), "test");
    assert_eq!((&report["exit"], &report["labs"][0]["points"]), (&0.into(), &3.into()));
    shows(&prove(&body("true"), 2), &["question", "is empty"]);
    shows(&prove(&body("cat no-such-file"), 2), &["No such file"]);
}

#[test]
fn clean_up_runs_in_fresh_shells_even_after_a_failure() {
    let done = run(
        "## Do\n\n```bash {name=server terminal=2 background ready=none}\ntail -f /dev/null\n```\n\n```bash\nexport MINE=1\n```\n\n```bash\nfalse\n```\n\n## Clean up\n\n```bash {cleanup}\necho \"mine is ${MINE:-gone}\"; echo \"mine is ${MINE:-gone}\" > \"$LAB_DIR/cleaned\"\n```\n",
        1,
    );
    let text = std::fs::read_to_string(done.dir().join("lab/cleaned")).expect("the clean-up ran");
    assert_eq!(text, "mine is gone\n");
    shows(&done, &["✓ Clean up"]);
}

#[test]
fn an_etcd_that_was_never_started_is_down_and_empty() {
    let body = "## Look\n\n```bash\ntrue\n```\n```check {pre=pass}\netcd where !up\nkey greeting absent\n```\n```check\noutput where exit == 0\n```\n";
    prove(body, 0);
}

#[test]
fn variables_come_from_the_command_line_and_must_fit() {
    let body = "## Say\n\n```bash\necho \"$NAME\"\n```\n```output\n${NAME}\n```\n";
    let head = HEAD.replace("vars:", "vars:\n  NAME: { default: demo, pattern: \"[a-z]+\" }");
    let call = |arg: &str| {
        Test::new(&["run", "lab", "--format", "json", "--var", arg])
            .file("lab/README.md", &format!("{head}{body}"))
            .run()
    };
    let report: Value = serde_json::from_str(&call("NAME=other").expect_exit(0).stdout()).expect("JSON");
    assert_eq!(report["labs"][0]["vars"]["NAME"], "other");
    let done = call("NAME=Other1").expect_exit(2);
    assert!(done.stdout().contains("it must match [a-z]+"), "{}", done.stdout());
    let done = call("NAM=x").expect_exit(2);
    assert!(done.stderr().contains("did you mean `NAME`?"), "{}", done.stderr());
}

#[test]
fn a_lab_for_another_cluster_is_skipped_and_wrong_only_alone() {
    let body = "## Do\n\n```bash\ntrue\n```\n";
    let done = test(&["run", "--on", "kind", "lab"], body).run().expect_exit(2);
    shows(&done, &["it does not run `--on kind`, but on bare"]);
    test(&["run", "--on", "kind", "lab", "lab"], body).run().expect_exit(2);
    let done = test(&["run", "--on", "kind", "."], body).run().expect_exit(0);
    shows(&done, &["skipped"]);
}

#[test]
fn a_lab_with_twelve_mistakes_runs_nothing_and_names_them_all() {
    let body = r#"## Do

```bash {name=a backgroud}
touch "$LAB_DIR/ran"
```

```bash {name=a}
echo <placeholder> && sleep 5
```

```chek
key /a exists
```

```check
kye /a exists
key /a* exists
key /registry/nosuch/a absent
output nobody contains "x"
key /a where objet.metadata.name == "x"
key /a where object.metadata.name ==
key /${NOBODY} exists
run "x" where exit = 0
```

## Do

```bash
```
"#;
    let done = test(&["run", "lab"], body).run().expect_exit(2);
    let text = done.stderr();
    let places: std::collections::BTreeSet<&str> =
        text.lines().filter(|line| line.starts_with("lab/README.md:") && line.contains(": error[")).collect();
    assert!(places.len() >= 12, "{} findings:\n{text}", places.len());
    assert!(!done.dir().join("lab/ran").exists(), "nothing runs");
    let done = test(&["run", "lab", "--format", "json", "--junit", "junit.xml"], body).run().expect_exit(2);
    let report: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    assert!(report["diagnostics"].as_array().is_some_and(|all| all.len() >= 12));
    assert_eq!(
        (&report["labs"][0]["verdict"], &report["labs"][0]["steps"]),
        (&"fail".into(), &Value::Array(Vec::new()))
    );
    let junit = std::fs::read_to_string(done.dir().join("junit.xml")).expect("a report");
    assert!(junit.contains("<testsuite name=\"lint\""), "{junit}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_the_others_are_whole() {
    let body = "## Do\n\n```bash\ntouch \"$LAB_WORK/a\"\n```\n```check\nrun \"test -e a\"\n```\n";
    let done = test(&["run", "lab", "--junit", "/dev/null/junit.xml"], body).run().expect_exit(3);
    shows(&done, &["passed  1 check"]);
    assert!(done.stderr().contains("cannot write /dev/null/junit.xml"), "{}", done.stderr());
}
