use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::Reporter;
use super::layout::{failure_lines, one_line};
use crate::outcome::{Fold, LabReport, RunEvent, RunReport, StepReport, Verdict};
use crate::text::Severity;

/// The dialect that Jenkins and GitLab read: a suite a lab, a case a check.
pub struct Junit {
    path: PathBuf,
}

impl Junit {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Reporter for Junit {
    fn event(&mut self, _event: &RunEvent, _so_far: &Fold) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut file = io::BufWriter::new(std::fs::File::create(&self.path)?);
        write(report, &mut file)?;
        file.flush()
    }
}

pub(super) fn write(report: &RunReport, to: &mut dyn Write) -> io::Result<()> {
    let mut junit = Report::new("keywitness");
    junit.set_time(Duration::from_millis(report.duration_ms));
    if !report.diagnostics.is_empty() {
        junit.add_test_suite(findings(report));
    }
    for lab in &report.labs {
        junit.add_test_suite(suite(lab, &report.started_at));
    }
    junit.serialize(to).map_err(io::Error::other)
}

fn findings(report: &RunReport) -> TestSuite {
    let mut suite = TestSuite::new("lint");
    for finding in &report.diagnostics {
        let status = if finding.severity == Severity::Error {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(&*finding.message).set_type(&*finding.code);
            status
        } else {
            TestCaseStatus::success()
        };
        let mut case = TestCase::new(format!("{} {}:{}", finding.code, finding.line, finding.column), status);
        case.set_classname("lint");
        place(&mut case, &finding.file, finding.line);
        suite.add_test_case(case);
    }
    suite
}

fn suite(lab: &LabReport, started_at: &str) -> TestSuite {
    let mut suite = TestSuite::new(&*lab.id);
    suite.set_time(Duration::from_millis(lab.duration_ms));
    suite.extra.insert("file".into(), XmlString::new(&lab.file));
    suite.extra.insert("timestamp".into(), XmlString::new(started_at));
    for step in &lab.steps {
        add_step(&mut suite, lab, step);
    }
    if !lab.keys_left.is_empty() {
        let mut case = TestCase::new("clean-up", status(Verdict::Fail, Some("keys were left"), &lab.keys_left));
        case.set_classname(&*lab.id);
        place(&mut case, &lab.file, 1);
        suite.add_test_case(case);
    }
    if lab.stopped {
        let mut case = TestCase::new("the lab", status(lab.verdict, lab.reason.as_deref(), &lab.detail));
        case.set_classname(&*lab.id);
        place(&mut case, &lab.file, 1);
        suite.add_test_case(case);
    }
    suite
}

fn add_step(suite: &mut TestSuite, lab: &LabReport, step: &StepReport) {
    let class = format!("{}.{}", lab.id, step.id);
    let mut add = |name: String, file: &str, line: usize, status: TestCaseStatus| {
        let mut case = TestCase::new(name, status);
        case.set_classname(&*class);
        place(&mut case, file, line);
        suite.add_test_case(case);
    };
    let mut cases = 0;
    for action in step.actions.iter().filter(|action| !matches!(action.verdict, Verdict::Pass | Verdict::Skipped)) {
        let name = action.name.as_ref().map_or_else(|| format!("block at line {}", action.line), Clone::clone);
        let mut lines = action.detail.clone();
        lines.extend(action.output.lines().map(str::to_owned));
        let line = action.failed_line.unwrap_or(action.line);
        add(name, &lab.file, line, status(action.verdict, action.reason.as_deref(), &lines));
        cases += 1;
    }
    let waits = step.waits.iter().filter(|wait| wait.verdict != Verdict::Pass);
    let waits = waits.map(|wait| (format!("wait: {}", one_line(&wait.text)), wait));
    for (name, check) in waits.chain(step.checks.iter().map(|check| (one_line(&check.text), check))) {
        let failure = check.failure.as_ref();
        let mut lines: Vec<String> = failure.and_then(|failure| failure.author.clone()).into_iter().collect();
        lines.extend(failure.map(failure_lines).unwrap_or_default());
        add(name, &check.file, check.line, status(check.verdict, check.reason.as_deref(), &lines));
        cases += 1;
    }
    for question in &step.questions {
        let name = format!("question at line {}", question.line);
        add(name, &lab.file, question.line, status(question.verdict, question.reason.as_deref(), &[]));
        cases += 1;
    }
    let failed = matches!(step.verdict, Verdict::Fail | Verdict::CannotJudge);
    if cases == 0 || (failed && !step.is_explained_by_a_part()) {
        add(step.title.clone(), &lab.file, step.line, status(step.verdict, step.reason.as_deref(), &[]));
    }
}

/// A check that failed is a failure; what cannot be judged is an error, as the format tells the two apart.
fn status(verdict: Verdict, reason: Option<&str>, lines: &[String]) -> TestCaseStatus {
    let mut status = match verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Skipped => TestCaseStatus::skipped(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::CannotJudge => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_message(reason.unwrap_or(verdict.word()));
    if !matches!(verdict, Verdict::Skipped) {
        status.set_type(verdict.word());
    }
    if !lines.is_empty() {
        status.set_description(lines.join("\n"));
    }
    status
}

/// GitLab opens the file, Jenkins the line.
fn place(case: &mut TestCase, file: &str, line: usize) {
    case.extra.insert("file".into(), XmlString::new(file));
    case.extra.insert("line".into(), XmlString::new(line.to_string()));
}
