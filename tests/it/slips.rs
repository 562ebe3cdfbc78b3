//! Slips that authors make: each changes one place of `tests/golden/slips.md`, and is one finding that names the cause, its
//! place and the cure. `tests/golden/slips.json` has them all; `UPDATE_GOLDEN=1` writes the findings anew.

use std::fs;
use std::path::{Path, PathBuf};

use keywitness::parse::parse;
use keywitness::text::SourceFile;
use serde_json::{Value, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The lab with the slip in it.
fn lab(base: &str, slip: &Value) -> String {
    if let Some(whole) = slip["lab"].as_str() {
        return whole.to_owned();
    }
    let (from, to) = (slip["from"].as_str().expect("from"), slip["to"].as_str().expect("to"));
    assert!(base.contains(from), "{from:?} is not in the lab");
    base.replacen(from, to, 1)
}

fn findings(text: &str) -> Vec<Value> {
    let source = SourceFile::new("lab.md", "lab.md", text);
    let found = parse(&source).findings;
    let shown = found.iter().map(|finding| {
        let place = source.position(finding.span.start);
        let code = finding.code.0;
        json!({ "at": format!("{}:{}", place.line, place.column), "code": code, "message": finding.message, "hint": finding.hint })
    });
    shown.collect()
}

#[test]
fn the_lab_without_a_slip_has_no_finding() {
    let base = fs::read_to_string(golden("slips.md")).expect("the lab");
    assert_eq!(findings(&base), Vec::<Value>::new());
    // Nor with the line ends of Windows.
    assert_eq!(findings(&base.replace('\n', "\r\n")), Vec::<Value>::new());
}

#[test]
fn each_slip_is_one_finding_with_its_cause_and_cure() {
    let base = fs::read_to_string(golden("slips.md")).expect("the lab");
    let mut slips: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(golden("slips.json")).expect("the slips")).expect("JSON");
    let mut wrong = Vec::new();
    for slip in &mut slips {
        let found = findings(&lab(&base, slip));
        let name = slip["name"].clone();
        let [one] = found.as_slice() else {
            wrong.push(format!("{name}: {} findings\n{found:#?}", found.len()));
            continue;
        };
        if one["hint"].is_null() {
            wrong.push(format!("{name}: no cure: {one}"));
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            slip["finding"] = one.clone();
        } else if slip["finding"] != *one {
            wrong.push(format!("{name}: wanted\n{:#}\ngot\n{one:#}", slip["finding"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&slips).expect("JSON");
        fs::write(golden("slips.json"), text + "\n").expect("the slips are written");
    }
}
