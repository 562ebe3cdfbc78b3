//! `record`: from plain Markdown to a lab that proves itself. `UPDATE_GOLDEN=1` writes the proposals anew.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Done, Test, need};

const TOUR: &str = include_str!("../cases/record/tour.md");

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout()).unwrap_or_else(|error| panic!("{error}: {}", done.stdout()))
}

fn lab(done: &Done, file: &str) -> String {
    fs::read_to_string(done.dir().join(file)).expect("the lab")
}

fn golden(name: &str, found: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/record").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder is made");
        fs::write(&file, found).expect("the golden file is written");
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, known, "{}", file.display());
}

/// Every line of the file stands in the lab, in its order.
fn keeps(before: &str, after: &str) {
    let mut lines = after.lines();
    for own in before.lines() {
        assert!(lines.any(|line| line == own), "{own:?} is missing or moved:\n{after}");
    }
}

#[test]
fn a_tour_of_twelve_commands_becomes_a_lab_that_is_proved() {
    need!("etcd", "etcdctl", "kubectl");
    let done =
        Test::new(&["record", "tour.md", "--write", "--format", "json"]).file("tour.md", TOUR).run().expect_exit(0);
    golden("tour.json", &done.stdout());
    let text = lab(&done, "tour.md");
    keeps(TOUR, &text);
    let tested = Test::new(&["test", "tour.md", "--format", "json"]).file("tour.md", &text).run().expect_exit(0);
    let report = &json(&tested)["labs"][0];
    let steps = report["steps"].as_array().expect("steps");
    let checks: Vec<&Value> = steps.iter().flat_map(|step| step["checks"].as_array().into_iter().flatten()).collect();
    assert!(checks.len() >= 10, "{text}");
    assert!(checks.iter().all(|check| check["proof"] == "red" && check["verdict"] == "pass"), "{report}");
}

#[test]
fn a_tour_of_etcd_gets_one_of_its_own_and_is_not_changed_when_it_is_recorded_again() {
    need!("etcd", "etcdctl");
    let tour = "Put a key, and read it:\n\n```bash\netcdctl put greeting hello\n```\n\nTake it away:\n\n```bash\netcdctl del greeting\n```\n";
    let done = Test::new(&["record", "tour.md", "--write"]).file("tour.md", tour).run().expect_exit(0);
    let text = lab(&done, "tour.md");
    keeps(tour, &text);
    assert!(text.contains("key greeting where value == \"hello\""), "{text}");
    assert!(text.contains("key greeting absent"), "{text}");
    Test::new(&["test", "tour.md"]).file("tour.md", &text).run().expect_exit(0);
    let edited = text.replace("key greeting absent\n", "key greeting absent  # as it was before\n");
    let again = Test::new(&["record", "tour.md", "--write"]).file("tour.md", &edited).run().expect_exit(0);
    assert_eq!(lab(&again, "tour.md"), edited, "{}", again.stdout());
}

#[test]
fn a_page_of_another_tool_becomes_a_lab_in_a_file_of_its_own() {
    need!("etcd", "etcdctl");
    let page = "---\ntitle: Keys\nweight: 30\n---\n\nPut a key:\n\n```shell\n$ etcdctl put greeting hello\nOK, of another version\n```\n";
    let done = Test::new(&["record", "page.md", "--into", "lab.md"]).file("page.md", page).run().expect_exit(0);
    assert_eq!(lab(&done, "page.md"), page);
    let text = lab(&done, "lab.md");
    assert!(text.contains("```console\n$ etcdctl put greeting hello\nOK\n```"), "{text}");
    Test::new(&["test", "lab.md"]).file("lab.md", &text).run().expect_exit(0);
    let taken = Test::new(&["record", "page.md", "--into", "page.md"]).file("page.md", page).run().expect_exit(2);
    assert!(taken.stderr().contains("page.md is there already"), "{}", taken.stderr());
}

#[test]
fn nothing_is_written_in_ci() {
    let done = Test::new(&["record", "tour.md", "--write"]).file("tour.md", TOUR).env("CI", "true").run();
    let done = done.expect_exit(2);
    assert!(done.stderr().contains("`record` writes nothing in CI"), "{}", done.stderr());
    assert_eq!(lab(&done, "tour.md"), TOUR);
}

#[test]
fn a_file_in_which_nothing_runs_is_refused_with_what_to_do() {
    let page = "# T\n\n## One\n\n```shell\nkubectl get ns\n```\n";
    let done = Test::new(&["record", "page.md"]).file("page.md", page).run().expect_exit(2);
    let told = "error: page.md has no block that runs\n  hint: `bash`, `sh` and `console` fences run, and every other language \
                is only shown: write `bash` for `shell`, first at line 5, and `console` where the commands have prompts; \
                or --into FILE, which does it in a new file\n";
    assert_eq!(done.stderr(), told);
}

#[test]
fn a_review_in_json_is_written_without_running_anything() {
    let review = r#"{"proposals": [
        {"id": "make-a-place-1", "step": "make-a-place", "line": 9, "what": "check", "cause": "said", "why": "",
         "text": ["key /registry/namespaces/tour exists"], "kills": [10], "accepted": true},
        {"id": "keep-settings-1", "step": "keep-settings", "line": 21, "what": "check", "cause": "said", "why": "",
         "text": ["key /registry/configmaps/tour/colors exists"], "kills": [22], "accepted": false}
    ]}"#;
    let call = |lab: &str, review: &str| {
        Test::new(&["record", "tour.md", "--write", "--reviewed", "review.json"])
            .file("tour.md", lab)
            .file("review.json", review)
            .run()
    };
    let done = call(TOUR, review).expect_exit(0);
    let text = lab(&done, "tour.md");
    keeps(TOUR, &text);
    assert_eq!(text.matches("```check\nkey /registry/namespaces/tour exists\n```").count(), 1, "{text}");
    assert!(!text.contains("colors exists"), "{text}");
    // A proposal that is no check is refused, and nothing is written.
    let wrong = call(TOUR, &review.replace("namespaces/tour exists", "namespaces/tour exsts")).expect_exit(2);
    assert!(wrong.stderr().contains("with the proposals the lab has errors"), "{}", wrong.stderr());
    assert_eq!(lab(&wrong, "tour.md"), TOUR);
    let moved = call(&TOUR.replace("Twelve commands", "Twelve\n\ncommands"), review).expect_exit(2);
    assert!(moved.stderr().contains("no block begins at line 9: the lab has changed"), "{}", moved.stderr());
}

#[test]
fn a_lab_that_does_not_run_is_told_with_its_place() {
    need!("etcd", "etcdctl");
    let tour = "# T\n\n## One\n\n```bash\netcdctl put greeting hello\netcdctl nonsense\n```\n";
    let done = Test::new(&["record", "tour.md", "--write"]).file("tour.md", tour).run().expect_exit(2);
    assert!(
        done.stderr().contains("the lab does not run: line 7: `etcdctl nonsense` ended with status"),
        "{}",
        done.stderr()
    );
    assert_eq!(lab(&done, "tour.md"), tour);
}
