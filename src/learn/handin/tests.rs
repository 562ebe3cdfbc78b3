//! A file that is whole, and the same file tampered with in every way, with its seal left as it was and with a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::chain::Chain;
use super::*;
use crate::grade::Evidence;
use crate::journal::{Change, Delivered, Entry, Journal, Mark};
use crate::lab::{Check, Item, Lab};
use crate::outcome::{CheckFact, ClusterReport, Proof, ProofRule};
use crate::parse::parse;
use crate::text::SourceFile;

const LAB: &str = r#"---
title: A lab
clusters: [sandbox]
vars:
  TEAM: { random: "team-????" }
---
## Label

```bash
kubectl label namespace demo purpose=demo
```

```check
key /registry/namespaces/demo where object.metadata.labels.purpose == "demo"
events /registry/namespaces/demo
  PUT where object.metadata.labels.purpose == "demo"
resource namespace/demo exists
key /registry/secrets/demo/vault where object.data.door == "b3Blbg=="
```
"#;

fn lab() -> Lab {
    let source = SourceFile::new("lab.md", "lab.md", LAB.to_owned());
    let parsed = parse(&source);
    let errors: String = parsed.findings.iter().map(|finding| finding.draw(&source, false)).collect();
    parsed.lab.unwrap_or_else(|| panic!("{errors}"))
}

fn checks(lab: &Lab) -> Vec<&Check> {
    let items = lab.steps.iter().flat_map(|step| &step.items);
    items.filter_map(|item| if let Item::Check(block) = item { Some(&block.checks) } else { None }).flatten().collect()
}

fn begin() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000)
}

fn at(seconds: u64) -> SystemTime {
    begin() + Duration::from_secs(seconds)
}

fn mark(revision: i64, seconds: u64) -> Mark {
    Mark { revision, at: at(seconds), wall: at(seconds), epoch: 0, read: true }
}

fn namespace(label: Option<&str>, uid: &str) -> String {
    let mut object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo", "uid": uid}});
    if let Some(label) = label {
        object["metadata"]["labels"] = json!({"purpose": label});
    }
    object.to_string()
}

fn change(key: &str, revision: i64, version: i64, value: String) -> Change {
    let created = revision - version + 1;
    let seconds = u64::try_from(revision).unwrap_or_default();
    Change::new(key, revision, at(seconds)).created(created, version).value(value)
}

/// The lab done: created, labelled wrongly, labelled.
fn journal(uid: &str) -> Journal {
    let journal = Journal::new("/registry/");
    journal.listed(9, at(9), Vec::new());
    let key = "/registry/namespaces/demo";
    journal.push(Entry::Put(change(key, 10, 1, namespace(None, uid))));
    journal.push(Entry::Put(change(key, 11, 2, namespace(Some("other"), uid))));
    journal.push(Entry::Put(change(key, 12, 3, namespace(Some("demo"), uid))));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"door": "b3Blbg=="}}).to_string();
    journal.push(Entry::Put(change("/registry/secrets/demo/vault", 13, 1, secret)));
    journal.push(Entry::Put(change("/registry/pods/demo/other", 14, 1, "{}".to_owned())));
    journal.delivered(20, at(20));
    journal
}

fn file_of(lab: &Lab, learner: &str, uid: &str) -> String {
    let journal = journal(uid);
    let view = journal.view();
    let upto = Delivered { revision: 20, at: at(20), epoch: 0 };
    let mut judged = Vec::new();
    for check in checks(lab) {
        let vars = BTreeMap::from([("TEAM".to_owned(), "team-abcd".to_owned())]);
        let mut evidence = Evidence {
            mark: mark(9, 9),
            end: mark(20, 20),
            observations: Vec::new(),
            vars,
            prefix: "/registry".into(),
        };
        for need in crate::grade::needs(check, &evidence.vars) {
            let seen = crate::journal::Seen::Resource(Some(json!({"metadata": {"name": "demo"}}).into()));
            evidence.observations.push(crate::journal::Observation { need, at: at(20), seen });
        }
        let look = crate::grade::Judge::new(check).look(&evidence, &view, None);
        let position = lab.source.position(check.span.start);
        let fact = CheckFact {
            text: check.text.clone(),
            file: "lab.md".to_owned(),
            line: position.line,
            column: position.column,
            end_line: 1,
            end_column: 1,
            at_ms: 0,
            verdict: look.judgement.verdict,
            reason: look.judgement.reason,
            proof: Proof::NotRun,
            proof_reason: None,
            sampled: false,
            revision: None,
            evidence: Vec::new(),
            fence: 1,
            fence_points: None,
            rule: ProofRule::Red,
            neutral: false,
            elsewhere: false,
        };
        assert_eq!(fact.verdict, Verdict::Pass, "{}: {:?}", fact.text, fact.reason);
        judged.push((check, fact, evidence));
    }
    let judged: Vec<JudgedCheck<'_>> = judged
        .iter()
        .map(|(check, fact, evidence)| JudgedCheck { step: "label", check, fact, evidence, since: None, upto })
        .collect();
    let part = Part::of(&view, &judged, &|text| text.to_owned()).expect("it is kept");
    let attempt = Attempt {
        tool: "keywitness test",
        lab,
        learner: Some(learner),
        seed: 7,
        vars: &[("TEAM".to_owned(), "team-abcd".to_owned())],
        given: Vec::new(),
        cluster: &ClusterReport { kind: "sandbox".to_owned(), ..ClusterReport::default() },
        prefix: "/registry",
        parts: vec![part],
        questions: Vec::new(),
        steps: vec![("label".to_owned(), 1, false)],
        points: (4, 4),
        started: at(0),
        finished: at(30),
        elapsed: Duration::from_secs(30),
    };
    let mut out = Vec::new();
    write(&mut out, &attempt).expect("it is written");
    String::from_utf8(out).expect("text")
}

fn verified(lab: &Lab, text: &str) -> Verified {
    let sealed = read(text).expect("a hand-in");
    let places = checks(lab).into_iter().map(|check| {
        let position = lab.source.position(check.span.start);
        ((position.line, position.column), check)
    });
    let score = |verdicts: &BTreeMap<(usize, usize), Verdict>, _: &BTreeSet<usize>| {
        let points = verdicts.values().filter(|verdict| **verdict == Verdict::Pass).count();
        (u32::try_from(points).expect("few"), 4)
    };
    let side = LabSide {
        digest: digest(lab.source.text()),
        checks: places.collect(),
        random: BTreeMap::from([("TEAM".to_owned(), "team-abcd".to_owned())]),
        secret: BTreeSet::new(),
        score: &score,
    };
    verify(&sealed, &side, at(60))
}

fn kinds(lab: &Lab, text: &str) -> Vec<Tampering> {
    let mut kinds: Vec<Tampering> = verified(lab, text).traces.iter().map(|trace| trace.tampering).collect();
    kinds.dedup();
    kinds
}

/// The lines' bodies under a new, right seal.
fn resealed(text: &str, change: impl Fn(&mut Vec<Value>)) -> String {
    let mut bodies: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["body"].clone()).collect();
    change(&mut bodies);
    let mut out = Vec::new();
    let mut chain = Chain::new(&mut out);
    for body in &bodies {
        chain.push(body).expect("written");
    }
    String::from_utf8(out).expect("text")
}

fn line_with(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part} in {text}"))
}

fn without(text: &str, line: usize) -> String {
    let rest: Vec<&str> = text.lines().enumerate().filter(|(at, _)| *at != line).map(|(_, line)| line).collect();
    rest.join("\n") + "\n"
}

#[test]
fn a_whole_file_is_as_handed_in_and_holds_no_secret_and_no_other_key() {
    let lab = lab();
    let text = file_of(&lab, "Anna", "u1");
    let verified = verified(&lab, &text);
    assert_eq!(verified.traces, Vec::new());
    assert_eq!((verified.points, verified.max_points, verified.hints), (4, 4, 1));
    assert_eq!(verified.learner.as_deref(), Some("Anna"));
    let found: Vec<Option<Verdict>> = verified.checks.iter().map(|check| check.found).collect();
    let pass = Some(Verdict::Pass);
    assert_eq!(found, [pass, pass, pass, None], "what rests on a Secret is taken as handed in");
    // The check's own text is the author's.
    assert!(!text.contains("\"door\":\"b3Blbg") && !text.contains("/pods/"), "{text}");
}

#[test]
fn every_tampering_is_named() {
    let lab = lab();
    let text = file_of(&lab, "Anna", "u1");
    let edit = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        text.replacen(from, to, 1)
    };
    assert_eq!(kinds(&lab, &edit("\"other\"", "\"demo\"")), [Tampering::ChangedValue]);
    let put = line_with(&text, "\"other\"");
    assert_eq!(kinds(&lab, &without(&text, put)), [Tampering::DroppedEntry]);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(put, put + 1);
    assert!(kinds(&lab, &(lines.join("\n") + "\n")).contains(&Tampering::Reordered));
    assert_eq!(kinds(&lab, &edit("\"id\":\"lab\"", "\"id\":\"bal\"")), [Tampering::OtherLab]);
    assert_eq!(kinds(&lab, &edit("\"seed\":\"7\"", "\"seed\":\"8\"")), [Tampering::OtherSeed]);
    assert_eq!(kinds(&lab, &edit("\"points\":4", "\"points\":9")), [Tampering::EditedPoints]);
    assert_eq!(kinds(&lab, &text[..text.len() - 40]), [Tampering::CutFile]);
    let end = line_with(&text, "\"type\":\"end\"");
    assert_eq!(kinds(&lab, &without(&text, end)), [Tampering::CutFile]);
    assert_eq!(kinds(&lab, &edit("\"version\":1,\"tool\"", "\"version\":2,\"tool\"")), [Tampering::FutureVersion]);
    assert_eq!(kinds(&lab, &edit("\"elapsed_ms\":30000", "\"elapsed_ms\":99000")), [Tampering::ChangedValue]);
    let turned = kinds(&lab, &edit("\"elapsed_ms\":30000", "\"elapsed_ms\":990000"));
    assert_eq!(turned, [Tampering::ChangedValue, Tampering::ClockTurnedBack]);
    assert_eq!(kinds(&lab, &edit("\"name\":\"Anna\"", "\"name\":\"Ben\"")), [Tampering::ChangedValue]);
    assert!(read("hello\n").is_err() && read("").is_err());
}

#[test]
fn under_a_new_seal_what_contradicts_the_rest_is_found() {
    let lab = lab();
    let text = file_of(&lab, "Anna", "u1");
    let found = |change: &dyn Fn(&mut Vec<Value>)| kinds(&lab, &resealed(&text, change));
    let place =
        |bodies: &[Value], part: &str| bodies.iter().position(|body| body.to_string().contains(part)).expect("there");
    assert_eq!(found(&|_| {}), Vec::new());
    assert_eq!(found(&|bodies| bodies[1]["digest"] = "0".into()), [Tampering::OtherLab]);
    assert_eq!(found(&|bodies| bodies[3]["vars"]["TEAM"] = "team-zzzz".into()), [Tampering::OtherSeed]);
    let points = |bodies: &mut Vec<Value>| {
        let at = place(bodies, "\"points\"");
        bodies[at]["points"] = 3.into();
    };
    assert_eq!(found(&points), [Tampering::EditedPoints]);
    let dropped = |bodies: &mut Vec<Value>| drop(bodies.remove(place(bodies, "\"other\"")));
    assert_eq!(found(&dropped), [Tampering::DroppedEntry]);
    let undone = |bodies: &mut Vec<Value>| {
        let at = place(bodies, "\"purpose\":\"demo\"");
        bodies[at]["line"]["value"]["object"]["metadata"]["labels"]["purpose"] = "wrong".into();
    };
    assert_eq!(found(&undone), [Tampering::ChangedValue, Tampering::EditedPoints]);
    let swapped = |bodies: &mut Vec<Value>| {
        let at = place(bodies, "\"other\"");
        bodies.swap(at, at + 1);
    };
    let kinds_of_swapped = found(&swapped);
    assert!(kinds_of_swapped.contains(&Tampering::Reordered), "{kinds_of_swapped:?}");
    assert!(!kinds_of_swapped.contains(&Tampering::ClockTurnedBack), "{kinds_of_swapped:?}");
    let time = |part: &'static str, to: &'static str| {
        move |bodies: &mut Vec<Value>| {
            let at = place(bodies, part);
            let line = if bodies[at]["line"].is_null() { &mut bodies[at] } else { &mut bodies[at]["line"] };
            line[to.split_once('=').expect("a field").0] = to.split_once('=').expect("a value").1.into();
        }
    };
    let second = begin() + Duration::from_secs(11);
    let before = jiff::Timestamp::try_from(second - Duration::from_secs(300)).expect("a time").to_string();
    let turned_back = |bodies: &mut Vec<Value>| {
        let at = place(bodies, "\"other\"");
        bodies[at]["line"]["at"] = before.clone().into();
    };
    assert_eq!(found(&turned_back), [Tampering::ClockTurnedBack], "revisions go up, and the time goes back");
    assert_eq!(found(&time("\"elapsed_ms\"", "finished=2099-01-01T00:00:00Z")), [Tampering::ChangedValue]);
    assert_eq!(found(&time("\"elapsed_ms\"", "started=2099-01-01T00:00:00Z")), [Tampering::ClockTurnedBack]);
    let early = |bodies: &mut Vec<Value>| {
        let at = place(bodies, "\"elapsed_ms\"");
        bodies[at]["elapsed_ms"] = 9_000_000.into();
    };
    assert_eq!(found(&early), [Tampering::ClockTurnedBack]);
    let forged = |bodies: &mut Vec<Value>| {
        let at = place(bodies, "\"type\":\"check\"");
        bodies[at]["text"] = "key /registry/namespaces/default exists".into();
    };
    assert_eq!(found(&forged), [Tampering::ChangedValue, Tampering::EditedPoints]);
    let end = |bodies: &mut Vec<Value>| drop(bodies.pop());
    assert_eq!(found(&end), [Tampering::CutFile]);
}

#[test]
fn another_learners_file_is_recognized_whatever_name_is_on_it() {
    let lab = lab();
    let anna = file_of(&lab, "Anna", "u1");
    let renamed = resealed(&anna, |bodies| bodies[4]["name"] = "Ben".into());
    let retimed = resealed(&renamed, |bodies| {
        let at = bodies.len() - 1;
        bodies[at]["elapsed_ms"] = 31_000.into();
    });
    let own = file_of(&lab, "Clara", "u2");
    let all: Vec<Verified> = [&anna, &own, &renamed, &retimed].map(|text| verified(&lab, text)).into();
    assert_eq!(all[2].traces, Vec::new(), "by itself it is whole");
    let files: Vec<Option<&Verified>> = all.iter().map(Some).collect();
    assert_eq!(doubled(&files), [Doubled { file: 2, of: 0 }, Doubled { file: 3, of: 0 }]);
}

#[test]
fn no_bytes_panic() {
    let lab = lab();
    let text = file_of(&lab, "Anna", "u1");
    for end in (0..text.len()).step_by(97) {
        if let Ok(sealed) = read(&text[..end]) {
            assert!(!sealed.traces.is_empty(), "cut at {end}");
        }
    }
    for at in (0..text.len()).step_by(61) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = bytes[at].wrapping_add(1);
        if let Ok(text) = String::from_utf8(bytes)
            && read(&text).is_ok()
        {
            assert!(
                !verified(&lab, &text).traces.is_empty(),
                "changed at {at}: {}",
                &text[at.saturating_sub(40)..(at + 40).min(text.len())]
            );
        }
    }
}

#[test]
fn a_check_of_the_private_part_is_judged_by_what_was_handed_in_and_never_guessed() {
    let lab = lab();
    let sealed = read(&file_of(&lab, "Anna", "u1")).expect("a hand-in");
    let places = checks(&lab).into_iter().map(|check| {
        let position = lab.source.position(check.span.start);
        ((position.line, position.column), check)
    });
    let side = LabSide {
        digest: digest(lab.source.text()),
        checks: places.collect(),
        random: BTreeMap::new(),
        secret: BTreeSet::new(),
        score: &|_, _| (0, 0),
    };
    let further = |step: &str, text: &str| {
        let head = &LAB[..LAB.find("```check").unwrap_or_default()];
        let source = SourceFile::new("p.md", "p.md", format!("{head}```check\n{text}\n```\n"));
        let parsed = parse(&source);
        let lab = parsed.lab.unwrap_or_else(|| panic!("{:#?}", parsed.findings));
        judge_further(&sealed, &side, step, checks(&lab)[0])
    };
    let verdict = |text: &str| further("label", text).verdict;
    assert_eq!(verdict("key /registry/namespaces/demo where object.metadata.uid == \"u1\""), Verdict::Pass);
    assert_eq!(verdict("key /registry/namespaces/demo where object.metadata.uid == \"u2\""), Verdict::Fail);
    assert_eq!(verdict("events /registry/namespaces/demo\n  DELETE"), Verdict::Fail);
    assert_eq!(verdict("resource namespace/demo where object.metadata.name == \"demo\""), Verdict::Pass);
    for unknown in [
        // The file holds only the keys that the lab's own checks speak of.
        "keys /registry/namespaces/* count == 1",
        "key /registry/pods/demo/other exists",
        "key /registry/pods/demo/none absent",
        "resource namespace/other exists",
        // Its text is hidden.
        "key /registry/secrets/demo/vault where object.data.door == \"b3Blbg==\"",
    ] {
        assert_eq!(verdict(unknown), Verdict::CannotJudge, "{unknown}");
    }
    assert_eq!(further("other", "key /registry/namespaces/demo exists").verdict, Verdict::CannotJudge);
}
