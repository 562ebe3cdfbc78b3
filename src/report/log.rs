//! `RunEvents` as entries of the log: what was done and how it came out, never a block's text or output.

use std::io;

use tracing::{debug, info, warn};

use super::Reporter;
use crate::outcome::{Fold, RunEvent, RunReport, Verdict};

/// Writes to the log, where there is one. Which lab and step an event belongs to is in the spans around it.
pub struct Log;

/// What did not come out as it should is a warning.
macro_rules! judged {
    ($verdict:expr, $($entry:tt)+) => {
        match $verdict {
            Verdict::Pass | Verdict::Skipped => info!(verdict = $verdict.word(), $($entry)+),
            Verdict::Fail | Verdict::CannotJudge => warn!(verdict = $verdict.word(), $($entry)+),
        }
    };
}

impl Reporter for Log {
    fn event(&mut self, event: &RunEvent, _so_far: &Fold) -> io::Result<()> {
        match event {
            RunEvent::RunStarted { tool, command, seed, .. } => info!(tool, command, seed, "run started"),
            RunEvent::DiagnosticFound { diagnostic } => {
                debug!(code = diagnostic.code, line = diagnostic.line, file = diagnostic.file, "finding");
            }
            RunEvent::LabStarted { id, file, .. } => info!(id, file, "lab started"),
            RunEvent::StagePassed { stage, detail, duration_ms, .. } => {
                info!(stage, detail = detail.as_deref(), ms = duration_ms, "stage passed");
            }
            RunEvent::ClusterReady { cluster, .. } => {
                let (kubernetes, etcd) = (cluster.kubernetes.as_deref(), cluster.etcd.as_deref());
                info!(kind = cluster.kind, kubernetes, etcd, "cluster ready");
            }
            RunEvent::StepStarted { line, .. } => info!(line, "step started"),
            RunEvent::ActionStarted { role, .. } => debug!(role = role.name(), "block started"),
            RunEvent::ActionFinished { action, .. } => {
                let (role, exit, ms) = (action.role.name(), action.exit, action.duration_ms);
                judged!(action.verdict, role, exit, reason = action.reason.as_deref(), ms, "block finished");
            }
            RunEvent::CheckPending { so_far, .. } => debug!(so_far, "check is open"),
            RunEvent::CheckFinished { check, .. } => {
                let (reason, revision, proof) = (check.reason.as_deref(), check.revision, check.proof);
                judged!(check.verdict, reason, revision, ?proof, "check finished");
            }
            RunEvent::WaitFinished { wait, .. } => {
                judged!(wait.verdict, reason = wait.reason.as_deref(), revision = wait.revision, "wait finished");
            }
            RunEvent::QuestionFinished { question, .. } => {
                judged!(
                    question.verdict,
                    line = question.line,
                    reason = question.reason.as_deref(),
                    "question finished"
                );
            }
            RunEvent::StepStopped { cause, reason, .. } => warn!(?cause, reason, "step stopped"),
            RunEvent::StepFinished { duration_ms, .. } => info!(ms = duration_ms, "step finished"),
            RunEvent::LabStopped { cause, reason, detail, .. } => warn!(?cause, reason, ?detail, "lab stopped"),
            RunEvent::KeysLeft { keys, .. } => warn!(?keys, "keys left"),
            RunEvent::LabFinished { duration_ms, spent, .. } => {
                let (up, down) = (spent.up_ms, spent.down_ms);
                info!(ms = duration_ms, up, actions = spent.actions_ms, checks = spent.checks_ms, down, "lab finished");
            }
            RunEvent::RunSaved { folder, .. } => info!(folder, "run saved"),
            RunEvent::Noticed { message, .. } => info!(message, "notice"),
            RunEvent::Interrupted => warn!("interrupted"),
            RunEvent::RunFinished { duration_ms } => info!(ms = duration_ms, "run finished"),
            RunEvent::LeftOut(left) => debug!(file = left.file, reason = left.reason, "left out"),
            // As often as layers move, and what the journal holds.
            RunEvent::Pulling { .. } | RunEvent::StepWitnessed { .. } => {}
        }
        Ok(())
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        info!(exit = report.exit, "report finished");
        Ok(())
    }
}
