//! What a session hands in is what happened in it, and whatever is done to the file is named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use keywitness::session::{Answer, Request, SessionEvent};
use serde_json::Value;

use super::LABEL;
use super::helper::{Learner, Settings, lab_text};
use crate::harness::{Test, need};

/// Goes through the lab, with a reset, a break, a wrong answer and a solution on the way; the file written at its end.
async fn walked(settings: &Settings) -> PathBuf {
    let mut learner = Learner::begin(settings.clone()).await;
    learner.until_open("make-it").await;
    learner.types("kubectl create namespace \"$NS\"").await;
    learner.until_green("make-it").await;
    // What is judged before a reset rests on another store.
    learner.ask(Request::Reset { step: None }).await;
    learner.until_open("make-it").await;
    learner.types("kubectl create namespace \"$NS\"").await;
    learner.until_green("make-it").await;
    for (question, text) in [("kind", "1"), ("kind", "2"), ("phase", "Active")] {
        let answer = Request::Answer { question: Some(question.to_owned()), text: text.to_owned() };
        assert!(matches!(learner.ask(answer).await, Answer::Answered { .. }));
    }
    learner.goes_on_to("label-it").await;
    // It turns back once, and holds again.
    for label in ["tier=gold", "tier-", "tier=gold"] {
        learner.types(&format!("kubectl label namespace \"$NS\" {label}")).await;
        learner.settles(|view| view.step.green == (label != "tier-")).await;
    }
    learner.quit(true).await;
    let mut learner = Learner::begin(settings.clone()).await;
    assert!(learner.resumed);
    learner.until_green("label-it").await;
    learner.goes_on_to("look-at-it").await;
    learner.types("kubectl get namespace \"$NS\" --show-labels").await;
    learner.until_green("look-at-it").await;
    learner.goes_on_to("read").await;
    learner.ask(Request::Next).await;
    let finished = learner.until(|event| matches!(event, SessionEvent::Finished { .. })).await;
    let SessionEvent::Finished { summary } = finished else { unreachable!("it was waited for") };
    assert_eq!((summary.points, summary.max_points), (7, 7));
    assert!(learner.quit(false).await.is_empty());
    PathBuf::from(summary.hand_in.expect("a file to hand in"))
}

/// Exit status, and what `verify` says of each file.
fn verify(lab: &Path, files: &[&Path]) -> (i32, Vec<Value>) {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let lab = lab.display().to_string();
    let mut args = vec!["verify", "--lab", &lab, "--format", "json"];
    args.extend(names.iter().map(String::as_str));
    let done = Test::new(&args).run();
    let answer: Value = serde_json::from_str(&done.stdout()).unwrap_or_else(|_| panic!("{}", done.stderr()));
    (done.exit().unwrap_or(-1), answer["files"].as_array().expect("files").clone())
}

fn named(file: &Value) -> BTreeSet<String> {
    let traces = file["traces"].as_array().expect("traces").iter();
    traces.map(|trace| trace["tampering"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_hands_in_is_verified_and_every_tampering_is_named() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let settings = Settings::of(lab_text(LABEL));
    let file = walked(&settings).await;
    let text = std::fs::read_to_string(&file).expect("the file is there");
    let (exit, files) = verify(settings.lab(), &[&file]);
    assert_eq!(exit, 0, "{files:#?}\n{text}");
    let of = |field: &str| files[0][field].clone();
    assert_eq!((of("learner"), of("points"), of("max_points")), ("Anna".into(), 7.into(), 7.into()), "{files:#?}");
    assert_eq!(files[0]["checks"].as_array().expect("checks").len(), 5);
    assert!(files[0]["checks"].as_array().expect("checks").iter().all(|check| check["found"] == "pass"), "{files:#?}");

    let dir = tempfile::tempdir().expect("a folder");
    let lines: Vec<&str> = text.lines().collect();
    let at =
        |part: &str| lines.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part}: {text}"));
    let edit = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        text.replacen(from, to, 1)
    };
    let without = |at: usize| {
        let rest: Vec<&str> = lines.iter().enumerate().filter(|(line, _)| *line != at).map(|(_, line)| *line).collect();
        rest.join("\n") + "\n"
    };
    let put = at("\"type\":\"PUT\"");
    let mut swapped = lines.clone();
    swapped.swap(put, put + 1);
    let started = text.split("\"started\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a time");
    let finished = text.split("\"finished\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a time");
    let cases = [
        ("changed_value", edit("\"tier\":\"gold\"", "\"tier\":\"lead\"")),
        ("dropped_entry", without(put)),
        ("reordered", swapped.join("\n") + "\n"),
        ("other_lab", edit("\"digest\":\"", "\"digest\":\"0")),
        ("other_seed", edit("\"seed\":\"", "\"seed\":\"1")),
        ("edited_points", edit("\"points\":7", "\"points\":8")),
        ("cut_file", text[..text.len() / 2].to_owned()),
        ("clock_turned_back", edit(finished, "2001-01-01T00:00:00Z")),
        ("changed_value", edit(started, "2001-01-01T00:00:00Z")),
        ("future_version", edit("\"version\":1,\"tool\"", "\"version\":2,\"tool\"")),
    ];
    for (number, (tampering, changed)) in cases.iter().enumerate() {
        let file = dir.path().join(format!("{number}.handin"));
        std::fs::write(&file, changed).expect("written");
        let (exit, files) = verify(settings.lab(), &[&file]);
        assert!(named(&files[0]).contains(*tampering), "{number}, {tampering}: {files:#?}");
        assert_eq!(exit, if *tampering == "future_version" { 3 } else { 1 }, "{tampering}");
        if number == 8 {
            assert_eq!(named(&files[0]).len(), 1, "an edit of a time is no clock that was turned back: {files:#?}");
        }
    }
    // The same attempt under another name.
    let copy = dir.path().join("ben.handin");
    std::fs::write(&copy, edit("\"name\":\"Anna\"", "\"name\":\"Ben\"")).expect("written");
    let (_, files) = verify(settings.lab(), &[&file, &copy]);
    assert_eq!((named(&files[0]).len(), named(&files[1]).contains("doubled_file")), (0, true), "{files:#?}");
    // Another text of the lab.
    let other = dir.path().join("label.md");
    std::fs::write(&other, LABEL.replace("Label it", "Label that")).expect("written");
    let (_, files) = verify(&other, &[&file]);
    assert!(named(&files[0]).contains("other_lab"), "{files:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_is_handed_in_half_done_and_nothing_solved_earns_anything() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let settings = Settings::of(lab_text(LABEL));
    let mut learner = Learner::begin(settings.clone()).await;
    learner.until_open("make-it").await;
    learner.types("kubectl create namespace \"$NS\"").await;
    learner.until_green("make-it").await;
    learner.goes_on_to("label-it").await;
    learner.ask(Request::Solve).await;
    learner.until_green("label-it").await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("half.handin");
    let request = Request::HandIn { file: Some(file.display().to_string()) };
    let handed = learner.ask(request.clone()).await;
    assert!(matches!(&handed, Answer::HandedIn { points: 2, max_points: 7, .. }), "{handed:?}");
    let again = learner.ask(request).await;
    assert!(matches!(&again, Answer::Refused { reason, .. } if reason.contains("exists already")), "{again:?}");
    let nowhere = dir.path().join("no/such/folder").display().to_string();
    let refused = learner.ask(Request::HandIn { file: Some(nowhere) }).await;
    assert!(matches!(refused, Answer::Refused { .. }), "{refused:?}");
    learner.quit(false).await;
    let (exit, files) = verify(settings.lab(), &[&file]);
    assert_eq!(
        (exit, files[0]["points"].as_u64(), files[0]["max_points"].as_u64()),
        (0, Some(2), Some(7)),
        "{files:#?}"
    );
    assert_eq!(files[0]["solutions"], 1);
}
