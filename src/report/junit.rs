//! The dialect that Jenkins and GitLab read: a suite a run of a lab, a case a check. What was tried again stands in its
//! case as a rerun.

use std::io::{self, Write};
use std::time::Duration;

use quick_junit::{
    FlakyOrRerun, NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite, XmlString,
};

use super::layout::{event_lines, one_line, run_of};
use super::problems::{action_kind, action_lines, check_lines, finding_lines, is_error, matters};
use crate::outcome::{LabReport, RunReport, StepReport, Verdict};

pub fn junit(report: &RunReport, to: &mut dyn Write) -> io::Result<()> {
    let mut junit = Report::new("keywitness");
    junit.set_time(Duration::from_millis(report.duration_ms));
    if !report.diagnostics.is_empty() {
        junit.add_test_suite(findings(report));
    }
    let is_last = |lab: &LabReport| {
        let same = |other: &&LabReport| other.file == lab.file && other.repeat == lab.repeat;
        report.labs.iter().filter(same).all(|other| other.retry <= lab.retry)
    };
    for lab in report.labs.iter().filter(|lab| is_last(lab)) {
        junit.add_test_suite(suite(report, lab));
    }
    junit.serialize(to).map_err(io::Error::other)
}

fn findings(report: &RunReport) -> TestSuite {
    let mut suite = TestSuite::new("lint");
    for finding in &report.diagnostics {
        let text = finding_lines(finding).collect::<Vec<_>>().join("\n");
        let is_error = is_error(finding);
        let status = if is_error {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(&*finding.message).set_type(&*finding.code).set_description(&*text);
            status
        } else {
            TestCaseStatus::success()
        };
        let mut case = TestCase::new(format!("{} {}:{}", finding.code, finding.line, finding.column), status);
        case.set_classname("lint");
        place(&mut case, &finding.file, finding.line);
        if !is_error {
            case.set_system_out(text);
        }
        suite.add_test_case(case);
    }
    suite
}

/// A case before it knows which other runs of it there were.
struct Case {
    class: String,
    name: String,
    file: String,
    line: usize,
    verdict: Verdict,
    message: Option<String>,
    lines: Vec<String>,
    journal: Vec<String>,
}

impl Case {
    fn is(&self, other: &Self) -> bool {
        (&self.class, &self.name) == (&other.class, &other.name)
    }

    fn rerun(&self) -> TestRerun {
        let mut rerun = TestRerun::new(kind(self.verdict));
        rerun.set_message(self.message.as_deref().unwrap_or(self.verdict.word()));
        rerun.set_type(self.verdict.word());
        if !self.lines.is_empty() {
            rerun.set_description(self.lines.join("\n"));
        }
        rerun
    }

    fn finish(self, status: TestCaseStatus) -> TestCase {
        let mut case = TestCase::new(self.name, status);
        case.set_classname(self.class);
        place(&mut case, &self.file, self.line);
        if matters(self.verdict) && !self.journal.is_empty() {
            case.set_system_out(self.journal.join("\n"));
        }
        case
    }
}

/// A check that failed is a failure; what cannot be judged is an error, as the format distinguishes the two.
fn kind(verdict: Verdict) -> NonSuccessKind {
    if verdict == Verdict::CannotJudge { NonSuccessKind::Error } else { NonSuccessKind::Failure }
}

fn suite(report: &RunReport, lab: &LabReport) -> TestSuite {
    let mut suite = TestSuite::new(format!("{}{}", lab.id, run_of(lab.repeat, lab.repeats, 0)));
    suite.set_time(Duration::from_millis(lab.duration_ms));
    suite.extra.insert("file".into(), XmlString::new(&lab.file));
    let started_at = if lab.started_at.is_empty() { &report.started_at } else { &lab.started_at };
    suite.extra.insert("timestamp".into(), XmlString::new(started_at));
    properties(&mut suite, report, lab);
    let forgiven = lab.flaky && report.allow_flaky;
    let earlier: Vec<Case> = report
        .labs
        .iter()
        .filter(|other| other.file == lab.file && other.repeat == lab.repeat && other.retry < lab.retry)
        .flat_map(cases)
        .filter(|case| matters(case.verdict))
        .collect();
    let own = cases(lab);
    // What went wrong at first and is no case of the last run, such as a block that failed.
    let gone: Vec<&Case> = earlier.iter().filter(|case| !own.iter().any(|own| own.is(case))).collect();
    for case in own {
        let reruns: Vec<TestRerun> = earlier.iter().filter(|other| other.is(&case)).map(Case::rerun).collect();
        let mut status = match case.verdict {
            Verdict::Fail | Verdict::CannotJudge if forgiven => {
                let mut status = TestCaseStatus::success();
                status.add_rerun(case.rerun());
                status
            }
            Verdict::Pass => TestCaseStatus::success(),
            Verdict::Skipped => TestCaseStatus::skipped(),
            Verdict::Fail | Verdict::CannotJudge => TestCaseStatus::non_success(kind(case.verdict)),
        };
        if !matches!(status, TestCaseStatus::Success { .. }) {
            status.set_message(case.message.as_deref().unwrap_or(case.verdict.word()));
        }
        if matches!(status, TestCaseStatus::NonSuccess { .. }) {
            status.set_type(case.verdict.word());
            status.set_rerun_kind(FlakyOrRerun::Rerun);
            if !case.lines.is_empty() {
                status.set_description(case.lines.join("\n"));
            }
        }
        status.add_reruns(reruns);
        suite.add_test_case(case.finish(status));
    }
    for case in gone {
        let mut status = TestCaseStatus::success();
        status.add_rerun(case.rerun());
        let (class, name, file) = (case.class.clone(), case.name.clone(), case.file.clone());
        let bare = Case { class, name, file, lines: Vec::new(), journal: Vec::new(), message: None, ..*case };
        suite.add_test_case(bare.finish(status));
    }
    if lab.flaky && !report.allow_flaky && lab.verdict == Verdict::Pass {
        let (passed, runs) = report.result_of(lab).map_or((0, 0), |result| (result.passed, result.runs));
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(format!("flaky: it passed {passed} of {runs} times")).set_type("flaky");
        let mut case = TestCase::new("passes each time", status);
        case.set_classname(&*lab.id);
        place(&mut case, &lab.file, 1);
        suite.add_test_case(case);
    }
    let journal: Vec<String> = lab.steps.iter().flat_map(journal_of).collect();
    if !journal.is_empty() {
        suite.set_system_out(journal.join("\n"));
    }
    suite
}

fn properties(suite: &mut TestSuite, report: &RunReport, lab: &LabReport) {
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let all = [
        ("seed", lab.seed.clone()),
        ("tool", report.tool.clone()),
        ("host", format!("{} {}", report.host.os, report.host.arch)),
        ("cluster", lab.cluster.kind.clone()),
        ("kubernetes", given(&lab.cluster.kubernetes)),
        ("etcd", given(&lab.cluster.etcd)),
        ("repeat", if lab.repeats > 1 { format!("{} of {}", lab.repeat, lab.repeats) } else { String::new() }),
        ("retries", if lab.retry > 0 { lab.retry.to_string() } else { String::new() }),
        ("flaky", if lab.flaky { "true".to_owned() } else { String::new() }),
        ("points", format!("{} of {}", lab.points, lab.max_points)),
    ];
    for (name, value) in all.into_iter().filter(|(_, value)| !value.trim().is_empty()) {
        suite.add_property(Property::new(name, value));
    }
}

fn cases(lab: &LabReport) -> Vec<Case> {
    let mut cases = Vec::new();
    for step in &lab.steps {
        of_step(lab, step, &mut cases);
    }
    let whole = |name: &str, verdict, message: Option<String>, lines: &[String]| Case {
        class: lab.id.clone(),
        name: name.to_owned(),
        file: lab.file.clone(),
        line: 1,
        verdict,
        message,
        lines: lines.to_vec(),
        journal: Vec::new(),
    };
    if !lab.keys_left.is_empty() {
        cases.push(whole(
            "clean-up",
            Verdict::Fail,
            Some("the clean-up left what the lab created".to_owned()),
            &lab.keys_left,
        ));
    }
    if lab.stop.is_some() {
        cases.push(whole("the lab", lab.verdict, lab.reason.clone(), &lab.detail));
    }
    cases
}

fn of_step(lab: &LabReport, step: &StepReport, cases: &mut Vec<Case>) {
    let class = format!("{}.{}", lab.id, step.id);
    let before = cases.len();
    let mut add = |name: String, (file, line): (&str, usize), verdict, message: Option<&String>, lines| {
        let (class, file, message) = (class.clone(), file.to_owned(), message.cloned());
        cases.push(Case { class, name, file, line, verdict, message, lines, journal: journal_of(step) });
    };
    for action in step.actions.iter().filter(|action| !matches!(action.verdict, Verdict::Pass | Verdict::Skipped)) {
        let named = action.name.as_ref().map_or_else(|| format!("block at line {}", action.line), Clone::clone);
        let name = format!("{}: {named}", action_kind(action).name());
        let line = action.failed_line.unwrap_or(action.line);
        add(name, (action.file_in(lab), line), action.verdict, action.reason.as_ref(), action_lines(action));
    }
    let waits = step.waits.iter().map(|wait| (format!("wait: {}", one_line(&wait.text)), wait));
    for (name, check) in waits.chain(step.checks.iter().map(|check| (one_line(&check.text), check))) {
        let lines = if matters(check.verdict) { check_lines(check) } else { Vec::new() };
        add(name, (&check.file, check.line), check.verdict, check.reason.as_ref(), lines);
    }
    for question in &step.questions {
        let name = format!("question at line {}", question.line);
        let lines = question.text.lines().map(str::to_owned).collect();
        add(name, (&lab.file, question.line), question.verdict, question.reason.as_ref(), lines);
    }
    let failed = matters(step.verdict);
    if cases.len() == before || (failed && !step.is_explained_by_a_part()) {
        let (class, name, file) = (class.clone(), step.title.clone(), lab.file.clone());
        let (verdict, message) = (step.verdict, step.reason.clone());
        let journal = journal_of(step);
        cases.push(Case { class, name, file, line: step.line, verdict, message, lines: Vec::new(), journal });
    }
}

/// What etcd reported during the step.
fn journal_of(step: &StepReport) -> Vec<String> {
    if step.events.is_empty() {
        return Vec::new();
    }
    let left = (step.events_left_out > 0).then(|| format!("… {} before", step.events_left_out));
    let head = format!("{}:", step.title);
    std::iter::once(head).chain(left).chain(step.events.iter().map(event_lines)).collect()
}

/// GitLab opens the file, Jenkins the line.
fn place(case: &mut TestCase, file: &str, line: usize) {
    case.extra.insert("file".into(), XmlString::new(file));
    case.extra.insert("line".into(), XmlString::new(line.to_string()));
}
