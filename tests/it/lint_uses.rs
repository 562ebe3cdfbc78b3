//! What `lint` does beside finding: it explains, mends, reads standard input, and writes other formats.

use std::fs;
use std::path::Path;

use keywitness::parse::{RULES, explain, parse};
use keywitness::text::SourceFile;
use serde_json::Value;

use crate::harness::{SARIF, Test, keeps_its_schema, need};

const HEAD: &str = "---\ntitle: A lab\n---\n";

/// The examples of a code's section, before and after, as whole labs.
fn examples(code: &str) -> Vec<String> {
    let section = explain(code).unwrap_or_default();
    section
        .split("````markdown\n")
        .skip(1)
        .map(|part| {
            let text = part.split("\n````").next().unwrap_or_default();
            match text {
                whole if whole.starts_with("---") => format!("{whole}\n"),
                steps if steps.starts_with("## ") || steps.contains("\n## A step\n") => format!("{HEAD}{steps}\n"),
                part => format!("{HEAD}## The step\n\n{part}\n"),
            }
        })
        .collect()
}

fn codes(text: &str) -> Vec<&'static str> {
    let source = SourceFile::new("lab.md", "lab.md", text);
    let mut parsed = parse(&source);
    keywitness::parse::ask_bash(&mut parsed, &source, &mut keywitness::parse::Heard::default());
    parsed.findings.iter().map(|finding| finding.code.0).collect()
}

/// These are about bytes, size, or runs: what is before and after is told in words.
const IN_WORDS: &[&str] = &["KW006", "KW007", "KW008", "KW087"];
/// These are about several files, whose names stand above them.
const OF_FILES: &[&str] = &["KW080", "KW081", "KW082", "KW083", "KW086"];

/// What lint finds in a folder of the files that a part of a section shows.
fn codes_of_files(part: &str) -> Vec<String> {
    let mut test = Test::new(&["lint", ".", "--format", "json"]);
    for shown in part.split("````markdown\n").collect::<Vec<_>>().windows(2) {
        let name = shown[0].rsplit('`').nth(1).expect("the file's name");
        let text = shown[1].split("\n````").next().expect("the file's text");
        test = test.file(name, &format!("{text}\n"));
    }
    let report: Value = serde_json::from_str(&test.run().stdout()).expect("JSON");
    let findings = report["diagnostics"].as_array().expect("findings");
    findings.iter().map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

#[test]
fn each_code_is_explained_by_examples_that_are_true() {
    need!("bash");
    let mut wrong = Vec::new();
    for rule in RULES {
        let code = rule.code.0;
        let Some(section) = explain(code) else {
            wrong.push(format!("{code} has no section in docs/lint.md"));
            continue;
        };
        if section.split("Before:").next().is_none_or(|why| why.trim().len() < 20) {
            wrong.push(format!("{code} does not say why"));
        }
        if let (true, Some((_, examples))) = (OF_FILES.contains(&code), section.split_once("Before:")) {
            let (before, after) = examples.split_once("After:").expect("an example after");
            let (found, left) = (codes_of_files(before), codes_of_files(after));
            if found.is_empty() || found.iter().any(|found| found != code) || !left.is_empty() {
                wrong.push(format!("{code}: the examples have {found:?} and {left:?}"));
            }
            continue;
        }
        if IN_WORDS.contains(&code) {
            if !section.contains("\n\nBefore:") || !section.contains("\n\nAfter") {
                wrong.push(format!("{code} does not say what is before and after"));
            }
            continue;
        }
        match examples(code).as_slice() {
            [before, after] => {
                let (found, left) = (codes(before), codes(after));
                if !found.contains(&code) {
                    wrong.push(format!("{code}: the example before has {found:?}"));
                }
                if !left.is_empty() {
                    wrong.push(format!("{code}: the example after has {left:?}"));
                }
            }
            other => wrong.push(format!("{code} has {} examples, not one before and one after", other.len())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_has_each_code_once_with_its_meaning() {
    let page = include_str!("../../docs/lint.md");
    let found: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let wanted: Vec<String> = RULES.iter().map(|rule| format!("{}: {}", rule.code.0, rule.meaning)).collect();
    let shown: Vec<&str> = found.into_iter().filter(|line| line.starts_with("KW")).collect();
    assert_eq!(shown, wanted);
}

#[test]
fn a_code_is_explained_in_the_terminal() {
    let done = Test::new(&["lint", "--explain", "kw073"]).run().expect_exit(0);
    let text = done.stdout();
    assert!(text.starts_with("KW073 (warning): `sleep` guesses a time\n\n"), "{text}");
    assert!(text.contains("Before:") && text.contains("After:") && !text.contains("KW074"), "{text}");
    let done = Test::new(&["lint", "--explain", "KW73"]).run().expect_exit(2);
    assert!(done.stderr().contains("`KW73` is not the code of a finding"), "{}", done.stderr());
}

const SLIPS: &str = "---\ntitle: 2026\n---\n## A step\n\n```Bash{name=list}\n$ kubectl --context kind get nodes —all\n```\n\n##Another\n\nText.\n";
const MENDED: &str = "---\ntitle: \"2026\"\n---\n## A step\n\n```bash {name=list}\nkubectl get nodes --all\n```\n\n## Another\n\nText.\n";

#[test]
fn what_is_mechanical_is_mended_and_nothing_else_changes() {
    let done = Test::new(&["lint", "--fix", "lab.md"]).file("lab.md", SLIPS).run().expect_exit(0);
    assert_eq!(fs::read_to_string(done.dir().join("lab.md")).expect("the lab"), MENDED, "{}", done.stderr());
    assert!(done.stderr().contains(" findings in lab.md"), "{}", done.stderr());
    assert_eq!(done.stdout(), "1 lab: no findings\n");
    // Line ends are kept, and what a cure is not known for stays.
    let crlf = SLIPS.replace('\n', "\r\n").replace("Text.\r\n", "Text.\r\n\r\n```bash\r\nsleep 1\r\n```\r\n");
    let done = Test::new(&["lint", "--fix", "lab.md"]).file("lab.md", &crlf).run().expect_exit(0);
    let wanted = MENDED.replace('\n', "\r\n").replace("Text.\r\n", "Text.\r\n\r\n```bash\r\nsleep 1\r\n```\r\n");
    assert_eq!(fs::read_to_string(done.dir().join("lab.md")).expect("the lab"), wanted);
    assert!(done.stderr().contains("KW073"), "{}", done.stderr());
}

#[test]
fn what_is_no_text_is_not_written_back() {
    let bytes = b"---\ntitle: 5\n---\n## A\n\n\xff\n";
    let done = Test::new(&["lint", "--fix", "lab.md"]).bytes("lab.md", bytes).run().expect_exit(2);
    assert_eq!(fs::read(done.dir().join("lab.md")).expect("the lab"), bytes);
}

#[test]
fn every_golden_case_is_mended_without_a_new_finding() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lint");
    let mut mended_some = 0;
    for case in fs::read_dir(golden).expect("the golden folder").flatten() {
        let Ok(text) = fs::read_to_string(case.path().join("lab.md")) else { continue };
        let source = SourceFile::new("lab.md", "lab.md", text.as_str());
        let before = parse(&source).findings;
        let (mended, count) = keywitness::text::mended(&text, &before);
        if count == 0 {
            assert_eq!(mended, text);
            continue;
        }
        mended_some += 1;
        let source = SourceFile::new("lab.md", "lab.md", mended.as_str());
        let after = parse(&source).findings;
        let (again, _) = keywitness::text::mended(&mended, &after);
        assert_ne!(mended, text, "{}", case.path().display());
        let fixable = |findings: &[keywitness::text::Diagnostic]| findings.iter().filter(|f| !f.fix.is_empty()).count();
        assert!(fixable(&after) < fixable(&before) || again != mended, "{}: {after:#?}", case.path().display());
    }
    assert!(mended_some >= 5, "{mended_some}");
}

#[test]
fn a_lab_can_come_from_standard_input() {
    let lab = "---\ntitle: A lab\n---\n## A step\n\n```bash\nsleep 1\n```\n";
    let done = Test::new(&["lint", "-"]).stdin(lab).run().expect_exit(0);
    assert!(done.stderr().starts_with("-:7:1: warning[KW073]"), "{}", done.stderr());
    assert_eq!(done.stdout(), "1 lab: 1 warning\n");
    Test::new(&["lint", "-", "--fix"]).stdin(lab).run().expect_exit(2);
    Test::new(&["lint", "-", "labs"]).stdin(lab).run().expect_exit(2);
}

#[test]
fn findings_have_an_end_in_json_and_on_github() {
    let lab = "---\ntitle: A lab\n---\n## Ä step\n\n```bash\nécho; sleep 1\n```\n";
    let done = Test::new(&["lint", "lab.md", "--format", "json"]).file("lab.md", lab).run().expect_exit(0);
    let report: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    let finding = &report["diagnostics"][0];
    let place = ["line", "column", "end_line", "end_column"].map(|name| finding[name].as_u64());
    assert_eq!(place, [Some(7), Some(7), Some(7), Some(12)]);
    let done = Test::new(&["lint", "lab.md", "--format", "github"]).file("lab.md", lab).run().expect_exit(0);
    let start = "::warning file=lab.md,line=7,col=7,endLine=7,endColumn=12,title=KW073::`sleep` guesses a time";
    assert!(done.stdout().starts_with(start), "{}", done.stdout());
}

#[test]
fn sarif_is_what_its_schema_says() {
    let lab = "---\ntitle: A lab\nlevl: x\n---\n## A step\n\n```bash\nsleep 1\n```\n";
    let done = Test::new(&["lint", ".", "--format", "sarif"]).file("my lab/README.md", lab).run().expect_exit(2);
    let log: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    keeps_its_schema(SARIF, &log).expect("a log of SARIF");
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("results");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!((results.len(), rules.len()), (2, RULES.len()));
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("a small number");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "my%20lab/README.md");
    }
    let region = &results[1]["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startLine"], &region["startColumn"], &region["endColumn"]), (&8.into(), &1.into(), &6.into()));
    // The check itself can fail.
    for (at, wrong) in [("/runs/0/results/0/message", Value::Null), ("/version", "2.0".into())] {
        let mut broken = log.clone();
        *broken.pointer_mut(at).expect(at) = wrong;
        assert!(keeps_its_schema(SARIF, &broken).is_err(), "{at}");
    }
}
