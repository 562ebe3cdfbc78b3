//! The types of expressions against what a real cluster wrote: each value of each recorded object may be
//! asked for, and none whose path has a letter less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use keywitness::expr::types::Type;
use keywitness::expr::{Fault, Piece, Scope, Subject, compile, split};
use keywitness::lab::{CheckKind, Holds, Item, Lab, OutputTest};
use keywitness::parse::parse;
use keywitness::text::{Joined, SourceFile};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every object that was recorded, under its key.
fn recorded() -> Vec<(String, Value)> {
    let data = root().join("tests/data");
    let mut found = Vec::new();
    for line in fs::read_to_string(data.join("values.jsonl")).expect("the values").lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        found.push((row["key"].as_str().expect("a key").to_owned(), row["value"].clone()));
    }
    for entry in fs::read_dir(data.join("real-cluster/traces")).expect("the traces") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a trace");
        let mut text = String::new();
        if path.extension().is_some_and(|ending| ending == "gz") {
            flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("a trace unpacks");
        } else {
            text = String::from_utf8(bytes).expect("text");
        }
        let trace: Value = serde_json::from_str(&text).expect("JSON");
        for event in trace["events"].as_array().into_iter().flatten() {
            for value in [&event["value"], &event["prev_value"]] {
                if value.is_object() {
                    found.push((event["key"].as_str().expect("a key").to_owned(), value.clone()));
                }
            }
        }
    }
    found
}

/// The steps to a leaf, as an expression writes them, and the leaf.
fn leaves(value: &Value, steps: &mut Vec<Value>, found: &mut Vec<(Vec<Value>, Value)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                steps.push(Value::from(name.as_str()));
                leaves(value, steps, found);
                steps.pop();
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (nth, value) in items.iter().enumerate() {
                steps.push(Value::from(nth));
                leaves(value, steps, found);
                steps.pop();
            }
        }
        leaf => found.push((steps.clone(), leaf.clone())),
    }
}

fn path(steps: &[Value]) -> String {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let step = |step: &Value| match step.as_str() {
        Some(name) if is_name(name) => format!(".{name}"),
        Some(_) | None => format!("[{}]", literal(step)),
    };
    std::iter::once("object".to_owned()).chain(steps.iter().map(step)).collect()
}

fn literal(value: &Value) -> String {
    value.to_string().replace("${", "$${")
}

fn faults(text: &str, subject: &Subject) -> Vec<Fault> {
    let source = Joined::whole(text, 0);
    let range = split(&source, 0, false).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    compile(&source, range, Scope::Key, subject).1
}

fn under(key: &str) -> Subject {
    Subject::under(&[Piece::Data(key)], &[])
}

#[test]
fn what_a_real_cluster_wrote_may_be_asked_for() {
    let mut asked: BTreeSet<(String, String)> = BTreeSet::new();
    let mut alarms = Vec::new();
    let objects = recorded();
    assert!(objects.len() > 700, "{} objects", objects.len());
    let mut typed = 0;
    for (key, object) in &objects {
        let subject = under(key);
        let kind = format!("{} {}", object["apiVersion"], object["kind"]);
        typed += usize::from(subject.kind() != Type::Dyn);
        let mut found = Vec::new();
        leaves(object, &mut Vec::new(), &mut found);
        for (steps, leaf) in found {
            let text = format!("{} == {}", path(&steps), literal(&leaf));
            if !asked.insert((kind.clone(), text.clone())) {
                continue;
            }
            let faults = faults(&text, &subject);
            alarms.extend(faults.iter().map(|fault| format!("{key}: {text}: {} {:?}", fault.message, fault.hint)));
        }
    }
    eprintln!("{} objects, {typed} of them typed, {} paths", objects.len(), asked.len());
    assert!(alarms.is_empty(), "{} of {}:\n{}", alarms.len(), asked.len(), alarms[..alarms.len().min(40)].join("\n"));
}

#[test]
fn a_path_with_a_letter_less_is_found() {
    let mut tried: BTreeSet<(String, String)> = BTreeSet::new();
    let mut missed = Vec::new();
    for (key, object) in recorded() {
        let subject = under(&key);
        let mut found = Vec::new();
        leaves(&object, &mut Vec::new(), &mut found);
        for (steps, _) in found {
            let mut kind = subject.kind();
            for (nth, step) in steps.iter().enumerate() {
                let next = match (&kind, step.as_str()) {
                    (Type::Object(object), Some(name)) => {
                        for cut in [0, name.len() / 2, name.len() - 1] {
                            let mut wrong = name.to_owned();
                            wrong.remove(cut);
                            let usable = wrong.starts_with(|c: char| c.is_ascii_alphabetic());
                            if !usable || object.field(&wrong).is_some() {
                                continue;
                            }
                            let mut steps = steps.clone();
                            steps[nth] = Value::from(wrong.as_str());
                            let text = format!("has({})", path(&steps[..=nth]));
                            if !tried.insert((object.title().to_owned(), text.clone())) {
                                continue;
                            }
                            let faults = faults(&text, &subject);
                            let column = text.len() - 1 - wrong.len();
                            if !matches!(&faults[..], [fault] if fault.span.start == column) {
                                missed.push(format!("{key}: {text}: {faults:?}"));
                            }
                        }
                        object.field(name).unwrap_or_else(|| panic!("{key}: {}", path(&steps))).kind
                    }
                    (Type::Map(of) | Type::List(of), _) => (**of).clone(),
                    _ => break,
                };
                kind = next;
            }
        }
    }
    eprintln!("{} wrong paths", tried.len());
    assert!(tried.len() > 2000, "{}", tried.len());
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), tried.len(), missed[..missed.len().min(40)].join("\n"));
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

/// How often each path of a lab's expressions is typed, and how often not.
fn paths_of(lab: &Lab, count: &mut BTreeMap<bool, Vec<String>>) {
    for item in lab.steps.iter().flat_map(|step| &step.items) {
        let (Item::Check(block) | Item::Wait(block)) = item else { continue };
        for check in &block.checks {
            let exprs: Vec<_> = match &check.kind {
                CheckKind::Key { holds: Holds::Where(expr), .. }
                | CheckKind::Resource { holds: Holds::Where(expr), .. }
                | CheckKind::Output { test: OutputTest::Where(expr), .. } => vec![expr],
                CheckKind::Keys { condition, .. }
                | CheckKind::Never { condition, .. }
                | CheckKind::Run { condition, .. } => condition.iter().collect(),
                CheckKind::Events { patterns, .. } => {
                    patterns.iter().filter_map(|pattern| pattern.condition.as_ref()).collect()
                }
                CheckKind::Etcd { condition, .. } | CheckKind::Snapshot { condition, .. } => vec![condition],
                CheckKind::Key { .. } | CheckKind::Resource { .. } | CheckKind::Output { .. } => Vec::new(),
            };
            for (path, typed) in exprs.iter().flat_map(|expr| expr.typed()) {
                count.entry(*typed).or_default().push(format!("{path} in: {}", check.text));
            }
        }
    }
}

/// All but what no schema describes: the JSON that a command prints, and keys that are the lab's own.
#[test]
fn the_paths_of_labs_and_docs_are_typed() {
    let mut count = BTreeMap::new();
    let mut files = Vec::new();
    markdown(&root().join("labs"), &mut files);
    markdown(&root().join("tests/golden"), &mut files);
    let mut texts: Vec<(PathBuf, String)> =
        files.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap_or_default())).collect();
    let reference = fs::read_to_string(root().join("docs/labs.md")).expect("the reference");
    let examples = reference.split("````markdown\n").skip(1).filter_map(|rest| rest.split("\n````").next());
    for example in examples {
        let head = if example.starts_with("---") { "" } else { "---\ntitle: An example\n---\n" };
        texts.push((PathBuf::from("docs/labs.md"), format!("{head}{example}\n")));
    }
    let mut labs = 0;
    for (path, text) in texts {
        let source = SourceFile::new(path.display().to_string(), path, text);
        if let Some(lab) = parse(&source).lab {
            labs += 1;
            paths_of(&lab, &mut count);
        }
    }
    let typed = count.remove(&true).unwrap_or_default();
    let open = count.remove(&false).unwrap_or_default();
    eprintln!("{labs} labs: {} paths are typed, {} are not:\n{}", typed.len(), open.len(), open.join("\n"));
    assert!(typed.len() > 100, "{}", typed.len());
    let schemaless = |path: &&String| path.starts_with("json") || path.contains("in: events /greeting");
    let strange: Vec<_> = open.iter().filter(|path| !schemaless(path)).collect();
    assert!(strange.is_empty(), "{strange:#?}");
}
