//! Recorded events replayed through every reporter, against golden files in tests/golden/report/.
//! `KEYWITNESS_BLESS=1 cargo test` writes them anew: read the difference before committing it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::*;
use crate::lab::Role;
use crate::outcome::{ActionReport, Verdict, fold};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("reports are text")
    }
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report").join(name)
}

fn recorded() -> Vec<RunEvent> {
    let text = std::fs::read_to_string(golden("events.jsonl")).expect("the recording is there");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[track_caller]
fn compare(name: &str, seen: &str) {
    let path = golden(name);
    if std::env::var_os("KEYWITNESS_BLESS").is_some() {
        std::fs::write(&path, seen).expect("the golden file is written");
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    let diff = similar::TextDiff::from_lines(wanted.as_str(), seen);
    assert!(wanted == seen, "{} differs:\n{}", path.display(), diff.unified_diff().context_radius(2));
}

fn replay(reporter: impl FnOnce(Shared) -> Box<dyn FnOnce(&mut Fanout)>) -> String {
    replay_of(&recorded(), reporter)
}

fn replay_of(events: &[RunEvent], reporter: impl FnOnce(Shared) -> Box<dyn FnOnce(&mut Fanout)>) -> String {
    let out = Shared::default();
    let mut fanout = Fanout::default();
    reporter(out.clone())(&mut fanout);
    for event in events {
        fanout.event(event.clone());
    }
    let (_, broken) = fanout.finish();
    assert!(broken.is_empty(), "{broken:?}");
    out.text()
}

fn human(options: HumanOptions) -> String {
    console::set_colors_enabled(false);
    replay(|out| Box::new(move |fanout| fanout.add("out", Human::new(out, None, options))))
}

#[test]
fn a_person_reads_a_line_a_step_and_everything_about_a_failure() {
    compare("human-80.txt", &human(HumanOptions { width: Some(80), ..HumanOptions::default() }));
}

#[test]
fn a_narrow_screen_is_not_overrun_by_step_lines() {
    let text = human(HumanOptions { width: Some(60), ..HumanOptions::default() });
    let wide: Vec<&str> = text.lines().filter(|line| line.contains(" pts ") && line.chars().count() > 60).collect();
    assert!(wide.is_empty(), "{wide:?}");
    compare("human-60.txt", &text);
}

#[test]
fn no_line_is_wider_than_the_screen_and_none_is_folded_without_one() {
    for columns in [60, 80, 92, 120] {
        let text = human(HumanOptions { width: Some(columns), ..HumanOptions::default() });
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > columns).collect();
        assert!(wide.is_empty(), "{columns}: {wide:#?}");
        if columns > 80 {
            compare(&format!("human-{columns}.txt"), &text);
        }
    }
    let text = human(HumanOptions::default());
    assert!(text.lines().any(|line| line.contains("add `pre=pass` and a second check")), "{text}");
}

#[test]
fn verbose_tells_every_action_and_check_and_where_the_time_went() {
    compare("human-verbose.txt", &human(HumanOptions { verbose: 2, side_by_side: true, width: Some(80) }));
}

#[test]
fn a_step_that_also_cleans_up_is_told_twice_but_judged_once() {
    let mut events = recorded();
    let over = events.iter().position(|event| matches!(event, RunEvent::LabFinished { .. })).expect("a lab ends");
    let (id, cleanup) = events
        .iter()
        .find_map(|event| match event {
            RunEvent::ActionFinished { lab: 0, step, action, .. } => {
                Some((step.clone(), ActionReport { role: Role::Cleanup, verdict: Verdict::Pass, ..action.clone() }))
            }
            _ => None,
        })
        .expect("an action");
    let again = [
        RunEvent::ActionFinished { lab: 0, step: id.clone(), action: cleanup, detail: Vec::new() },
        RunEvent::StepFinished { lab: 0, step: id, duration_ms: 5 },
    ];
    events.splice(over..over, again);
    let before = human(HumanOptions { width: Some(80), ..HumanOptions::default() });
    let options = HumanOptions { width: Some(80), ..HumanOptions::default() };
    let text = replay_of(&events, |out| Box::new(move |fanout| fanout.add("out", Human::new(out, None, options))));
    let added: Vec<&str> = text.lines().filter(|line| !before.contains(line)).collect();
    assert!(matches!(added.as_slice(), [line] if line.contains(": clean-up") && !line.contains("pts")), "{added:?}");
}

#[test]
fn json_loses_nothing_of_what_was_told() {
    let (_, text) = formats().into_iter().find(|(name, _)| *name == "report.json").expect("the format");
    let parsed: RunReport = serde_json::from_str(&text).expect("it reads back");
    assert_eq!((parsed.exit, parsed.seed.as_str()), (2, "18446744073709551615"));
    assert_eq!(parsed, fold(&recorded()), "nothing is lost");
}

/// Failures of all kinds, and what cannot be judged, as each format has them.
#[test]
fn every_format_is_as_documented() {
    for (name, text) in formats() {
        compare(name, &text);
    }
}

/// As each format has it, of the same recording.
fn formats() -> Vec<(&'static str, String)> {
    let report = fold(&recorded());
    let no_rules = |report: &RunReport, to: &mut dyn Write| sarif(report, &[], to);
    let all: [(&str, Format); 8] = [
        ("report.json", json),
        ("junit.xml", junit),
        ("report.tap", tap),
        ("report.sarif", no_rules),
        ("gitlab.json", gitlab),
        ("summary.md", markdown),
        ("report.html", html),
        ("github.txt", github),
    ];
    all.into_iter()
        .map(|(name, format)| {
            let mut bytes = Vec::new();
            format(&report, &mut bytes).expect("it writes");
            (name, String::from_utf8(bytes).expect("reports are text"))
        })
        .collect()
}

/// The text without the escapes of its format.
fn read_back(name: &str, text: &str) -> String {
    fn texts(value: &serde_json::Value, found: &mut String) {
        match value {
            serde_json::Value::String(text) => {
                found.push_str(text);
                found.push('\n');
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            serde_json::Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
            _ => {}
        }
    }
    let of_json = |text: &str| {
        let mut found = String::new();
        texts(&serde_json::from_str(text).expect(name), &mut found);
        found
    };
    match name.rsplit('.').next() {
        Some("json" | "sarif") => of_json(text),
        Some("xml" | "html") => {
            let plain = text.replace("&#10;", "\n").replace("&lt;", "<").replace("&gt;", ">");
            plain.replace("&quot;", "\"").replace("&apos;", "'").replace("&#39;", "'").replace("&amp;", "&")
        }
        Some("tap") => {
            let messages = text.lines().filter_map(|line| line.trim().strip_prefix("message: "));
            let messages: String = messages.map(of_json).collect();
            format!("{messages}{}", text.replace("\\#", "#").replace("\\\\", "\\"))
        }
        Some("txt") => text.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%"),
        _ => text.to_owned(),
    }
}

/// Of all eight kinds of failure, and of what cannot be judged, each format says what the screen says.
#[test]
fn every_format_tells_at_least_what_the_screen_tells() {
    let report = fold(&recorded());
    let problems = problems::problems(&report);
    for kind in problems::ProblemKind::ALL {
        assert!(problems.iter().any(|problem| problem.kind == kind), "the recording has no {kind:?}");
    }
    assert!(problems.iter().any(|problem| problem.verdict == Verdict::CannotJudge));
    for (name, text) in formats() {
        let read = read_back(name, &text);
        for problem in &problems {
            // A list of keys says by its field's name what it is.
            let is_a_list = name == "report.json" && !problem.lines.is_empty() && problem.title == problem.lab;
            let lines = problem.all_lines().skip(usize::from(is_a_list));
            for line in lines.map(|line| line.trim_start_matches("│ ").trim_start_matches("waited for ").trim()) {
                if line.ends_with(" of the step:") {
                    // A heading, which is a field's name elsewhere.
                    continue;
                }
                // Lines that events begin are joined where there is room for one.
                let parts = line.split(" PUT where ");
                let missing: Vec<&str> = parts.filter(|part| !read.contains(part.trim())).collect();
                assert!(missing.is_empty(), "{name} does not say {missing:?} of {problem:?}");
            }
        }
        for finding in &report.diagnostics {
            assert!(
                problems::finding_lines(finding).all(|line| read.replace('\\', "").contains(line)),
                "{name}: {finding:?}"
            );
        }
    }
}

/// The committed schema is generated from the types, and the recording keeps it.
#[test]
fn the_json_report_keeps_its_schema() {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<RunReport>().to_value();
    schema["$id"] = "https://keywitness.dev/schemas/report.json".into();
    let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/report.json");
    if std::env::var_os("KEYWITNESS_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(&path, &text).expect("the schema is written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "schemas/report.json is not that of the types: KEYWITNESS_BLESS=1 writes it anew");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("https://keywitness.dev/schemas/report.json", schema).expect("a schema");
    let index = compiler.compile("https://keywitness.dev/schemas/report.json", &mut schemas).expect("it compiles");
    let mut report = serde_json::to_value(fold(&recorded())).expect("JSON");
    if let Err(error) = schemas.validate(&report, index) {
        panic!("{error:#}");
    }
    // The schema can refuse.
    report["labs"][0]["verdict"] = "fine".into();
    assert!(schemas.validate(&report, index).is_err());
}

#[test]
fn junit_is_read_by_another_library() {
    let (_, text) = formats().into_iter().find(|(name, _)| *name == "junit.xml").expect("the format");
    let read = junit_parser::from_reader(text.as_bytes()).expect("it reads");
    let names: Vec<&str> = read.suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["lint", "first-look", "label", "typo", "gone", "unproved", "nowhere", "kinds", "shaky"]);
    let kinds = &read.suites[7];
    let bad = kinds.cases.iter().filter(|case| case.status.is_failure() || case.status.is_error()).count();
    assert_eq!(bad, 7, "{:?}", kinds.cases);
    assert!(kinds.cases.iter().any(|case| case.status.is_error()), "what cannot be judged is an error");
}

/// Takes so many bytes, then the disk is full.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_broken_reporter_stops_no_other() {
    console::set_colors_enabled(false);
    let options = HumanOptions { width: Some(80), ..HumanOptions::default() };
    for room in [0, 10, 500] {
        let out = Shared::default();
        let mut fanout = Fanout::default();
        fanout.add("full", Human::new(Full(room), None, options));
        fanout.add("gone", ToFile::new(PathBuf::from("/dev/null/not-a-folder/junit.xml"), junit));
        fanout.add("good", Human::new(out.clone(), None, options));
        for event in recorded() {
            fanout.event(event);
        }
        let (report, broken) = fanout.finish();
        assert_eq!(broken.iter().map(|broken| broken.name.as_str()).collect::<Vec<_>>(), ["full", "gone"]);
        assert_eq!(report.exit, 2);
        assert_eq!(out.text(), human(options));
    }
}
