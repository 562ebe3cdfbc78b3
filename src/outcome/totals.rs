//! Sums over labs, and each lab over all its runs.

use super::report::{Counts, LabReport, LabResult, Totals};
use super::{RunReport, Verdict};

impl Counts {
    pub(super) fn of(verdicts: impl Iterator<Item = Verdict>) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            *match verdict {
                Verdict::Pass => &mut counts.pass,
                Verdict::Fail => &mut counts.fail,
                Verdict::CannotJudge => &mut counts.cannot_judge,
                Verdict::Skipped => &mut counts.skipped,
            } += 1;
        }
        counts
    }

    pub fn all(&self) -> u32 {
        self.pass + self.fail + self.cannot_judge + self.skipped
    }
}

impl RunReport {
    /// Puts the runs of the labs in their order, and draws from them what stands beside them.
    pub fn sum_up(&mut self) {
        self.labs.sort_by_key(|lab| (lab.repeat, lab.order, lab.retry));
        self.results = results(&self.labs, self.allow_flaky);
        for lab in &mut self.labs {
            let result = self.results.iter().find(|result| result.file == lab.file);
            lab.flaky = result.is_some_and(|result| result.flaky);
        }
        self.totals = totals(&self.labs, &self.results);
    }

    /// How the lab came out over all its runs.
    pub fn result_of(&self, lab: &LabReport) -> Option<&LabResult> {
        self.results.iter().find(|result| result.file == lab.file)
    }
}

fn results(labs: &[LabReport], allow_flaky: bool) -> Vec<LabResult> {
    let mut results: Vec<LabResult> = Vec::new();
    for lab in labs {
        if results.iter().any(|result| result.file == lab.file) {
            continue;
        }
        let runs: Vec<&LabReport> = labs.iter().filter(|other| other.file == lab.file).collect();
        let passed = runs.iter().filter(|run| run.verdict == Verdict::Pass).count();
        let flaky = is_flaky(runs.iter().map(|run| run.verdict));
        let verdicts = runs.iter().map(|run| run.verdict);
        let worst = verdicts.clone().filter(|verdict| *verdict != Verdict::Skipped).max();
        results.push(LabResult {
            id: lab.id.clone(),
            file: lab.file.clone(),
            verdict: if flaky && allow_flaky { Verdict::Pass } else { worst.unwrap_or(Verdict::Skipped) },
            flaky,
            runs: count(runs.len()),
            passed: count(passed),
            duration_ms: runs.iter().map(|run| run.duration_ms).max().unwrap_or_default(),
        });
    }
    results
}

/// It passed sometimes, and sometimes not.
pub(super) fn is_flaky(verdicts: impl Iterator<Item = Verdict> + Clone) -> bool {
    let mut others = verdicts.clone();
    others.any(|verdict| matches!(verdict, Verdict::Fail | Verdict::CannotJudge)) && { verdicts }
        .any(|verdict| verdict == Verdict::Pass)
}

fn totals(labs: &[LabReport], results: &[LabResult]) -> Totals {
    let checks = || labs.iter().flat_map(|lab| &lab.steps).flat_map(|step| &step.checks);
    let proved = checks().filter(|check| check.verdict == Verdict::Pass && check.proof.is_proved());
    Totals {
        labs: Counts::of(results.iter().map(|result| result.verdict)),
        flaky: count(results.iter().filter(|result| result.flaky).count()),
        checks: Counts::of(checks().map(|check| check.verdict)),
        proved: count(proved.count()),
        points: labs.iter().map(|lab| lab.points).sum(),
        max_points: labs.iter().map(|lab| lab.max_points).sum(),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
