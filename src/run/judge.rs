//! Looking at checks until each has settled: at every change of the journal, at every sample, and when a
//! clock runs out.

use std::time::{Duration, SystemTime};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tracing::Span;

use super::hopeless::{LOOK, can_be_vain};
use super::named::Named;
use super::plan::Checks;
use super::runner::Runner;
use crate::grade::{self, Evidence, Judge, Judgement, Need, Observation, Progress};
use crate::journal::{Clock, JournalView, Mark};
use crate::lab::{Check, CheckBlock, CheckKind, PartId};
use crate::outcome::{CheckFact, Proof, ProofRule, RunEvent, Verdict};

/// Between two samples of one thing.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// A background block's output lies in our own memory.
const OUTPUT_EVERY: Duration = Duration::from_millis(20);
/// For as long a cause has to stand before it ends a check.
const SURE: Duration = Duration::from_secs(1);
/// A clock that has run out may need a last answer of etcd's; never spin while it comes.
const LEAST_PAUSE: Duration = Duration::from_millis(5);

/// A check in its fence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'c> {
    pub(super) block: &'c CheckBlock,
    pub(super) check: &'c Check,
    pub(super) nearest: Option<PartId>,
}

impl<'c> Placed<'c> {
    pub(super) fn all(checks: impl IntoIterator<Item = &'c Checks>) -> Vec<Self> {
        checks.into_iter().flat_map(Self::of).collect()
    }

    pub(super) fn of(checks: &'c Checks) -> impl Iterator<Item = Self> {
        let Checks { block, nearest } = checks;
        block.checks.iter().map(|check| Placed { block, check, nearest: *nearest })
    }
}

/// What a check was before its stretch.
#[derive(Debug, Clone)]
pub(super) struct Probed {
    pub(super) proof: Proof,
    pub(super) reason: Option<String>,
}

struct Open<'c> {
    placed: Placed<'c>,
    judge: Judge<'c>,
    needs: Vec<Need>,
    evidence: Evidence,
    settled: Option<Judgement>,
    span: Span,
    /// What was last reported of it, so that only what changes is reported.
    reported: Option<String>,
    /// Since when it has been known that it waits in vain, and for what.
    in_vain: Option<(SystemTime, String)>,
    /// When that was last looked at.
    looked: Option<SystemTime>,
}

/// Looks, with the block that an `output` check without a name speaks of.
pub(super) type Looked = Vec<(Option<PartId>, Observation)>;

type Sample<'s> = BoxFuture<'s, (Need, Option<PartId>, Observation)>;

impl Runner<'_> {
    fn evidence(&self, mark: Mark, end: Mark) -> Evidence {
        let (vars, prefix) = (self.vars.values.clone(), self.info.prefix.clone());
        Evidence { mark, end, observations: Vec::new(), vars, prefix }
    }

    /// Each check once, as it stands before its stretch.
    pub(super) async fn probe(&self, checks: &[Placed<'_>], mark: Mark) -> (Vec<Probed>, Looked) {
        let looks = checks.iter().map(|placed| self.probe_one(*placed, mark));
        let (probed, looked): (Vec<Probed>, Vec<Looked>) = futures::future::join_all(looks).await.into_iter().unzip();
        (probed, looked.into_iter().flatten().collect())
    }

    async fn probe_one(&self, placed: Placed<'_>, mark: Mark) -> (Probed, Looked) {
        let mut evidence = self.evidence(mark, mark);
        for need in grade::needs(placed.check, &self.vars.values) {
            evidence.observations.push(self.observe(&need, placed.nearest).await);
        }
        let probed = probed(placed, &evidence, &self.witness.journal());
        (probed, evidence.observations.into_iter().map(|observation| (placed.nearest, observation)).collect())
    }

    /// Until every check has settled; `None` where the run was interrupted first.
    pub(super) async fn judge(
        &self,
        step: &str,
        checks: &[Placed<'_>],
        mark: Mark,
        end: Mark,
    ) -> Option<Vec<(Judgement, Evidence)>> {
        let mut open: Vec<Open<'_>> = checks.iter().map(|placed| self.open(*placed, mark, end)).collect();
        let mut samples: FuturesUnordered<Sample<'_>> = FuturesUnordered::new();
        let mut sampled: Vec<(Need, Option<PartId>)> = Vec::new();
        for check in &open {
            for need in &check.needs {
                let key = (need.clone(), check.placed.nearest);
                if !sampled.contains(&key) {
                    samples.push(self.sample(key.0.clone(), key.1, Duration::ZERO));
                    sampled.push(key);
                }
            }
        }
        loop {
            let view = self.witness.journal();
            let now = Clock::now();
            let mut until: Option<SystemTime> = None;
            for check in open.iter_mut().filter(|check| check.settled.is_none()) {
                let _inside = check.span.clone().entered();
                match check.judge.judge(&check.evidence, &view, now) {
                    Progress::Settled(judgement) => check.settled = Some(judgement),
                    Progress::Open { mut so_far, until: next } => {
                        if so_far.verdict != Verdict::Fail {
                            check.in_vain = None;
                        } else if check.looked.is_none_or(|looked| looked + LOOK <= now) {
                            check.looked = Some(now);
                            let since = check.in_vain.take().map_or(now, |(since, _)| since);
                            check.in_vain = self
                                .checked_in_vain(check.placed.check, &mut check.judge, &check.evidence)
                                .map(|why| (since, why));
                            if let Some((since, why)) = &check.in_vain
                                && *since + SURE <= now
                            {
                                let seen = so_far.reason.take().unwrap_or_default();
                                so_far.reason = Some(format!("{seen}; {why}"));
                                check.settled = Some(so_far);
                                continue;
                            }
                        }
                        let next = if can_be_vain(check.placed.check) { next.min(now + LOOK) } else { next };
                        until = Some(until.map_or(next, |known| known.min(next)));
                        let so_far = so_far.reason.unwrap_or_else(|| so_far.verdict.word().to_owned());
                        if check.reported.as_ref() != Some(&so_far) {
                            self.pending(step, check.placed.check, so_far.clone());
                            check.reported = Some(so_far);
                        }
                    }
                }
            }
            let Some(until) = until else {
                break;
            };
            let pause = until.duration_since(now).unwrap_or_default().max(LEAST_PAUSE);
            tokio::select! {
                () = self.interrupt.cancelled() => return None,
                Some((need, nearest, observation)) = samples.next(), if !samples.is_empty() => {
                    let mut wanted = false;
                    for check in open.iter_mut().filter(|check| check.settled.is_none()) {
                        if check.placed.nearest == nearest && check.needs.contains(&need) {
                            check.evidence.observations.push(observation.clone());
                            wanted = true;
                        }
                    }
                    if wanted {
                        let every = if matches!(need, Need::Output { .. }) { OUTPUT_EVERY } else { SAMPLE_EVERY };
                        samples.push(self.sample(need, nearest, every));
                    }
                }
                // What etcd has reported is complete only as of its last answer: ask for the next. That it does not
                // answer is seen in the journal.
                () = self.witness.grown(view.end()) => drop(self.witness.progress().await),
                () = tokio::time::sleep(pause) => drop(self.witness.progress().await),
            }
        }
        let mut settled: Vec<(Judgement, Evidence)> = Vec::new();
        for check in open {
            let judgement = check.settled.unwrap_or_else(|| Judgement::cannot_judge("it has not settled"));
            settled.push((judgement, check.evidence));
        }
        self.name_the_end_of_the_store(&mut settled).await;
        Some(settled)
    }

    /// A check that cannot be judged because the store is gone says so first.
    async fn name_the_end_of_the_store(&self, settled: &mut [(Judgement, Evidence)]) {
        let mut unjudged = settled.iter_mut().map(|(j, _)| j).filter(|j| j.verdict == Verdict::CannotJudge).peekable();
        if unjudged.peek().is_none() {
            return;
        }
        let Some(gone) = self.store_is_gone().await else { return };
        for judgement in unjudged {
            let reason = judgement.reason.take().unwrap_or_default();
            judgement.reason = Some(if reason.contains(&gone) { reason } else { format!("{gone}; {reason}") });
        }
    }

    fn open<'c>(&self, placed: Placed<'c>, mark: Mark, end: Mark) -> Open<'c> {
        Open {
            placed,
            judge: Judge::new(placed.check),
            needs: grade::needs(placed.check, &self.vars.values),
            evidence: self.evidence(mark, end),
            settled: None,
            span: self.named().check_span(placed.check),
            reported: None,
            in_vain: None,
            looked: None,
        }
    }

    fn sample(&self, need: Need, nearest: Option<PartId>, after: Duration) -> Sample<'_> {
        Box::pin(async move {
            tokio::time::sleep(after).await;
            let observation = self.observe(&need, nearest).await;
            (need, nearest, observation)
        })
    }

    fn pending(&self, step: &str, check: &Check, so_far: String) {
        self.emitter.emit(RunEvent::CheckPending {
            lab: self.emitter.lab(),
            step: step.to_owned(),
            line: self.line(check.span.start),
            text: check.text.clone(),
            so_far,
        });
    }

    pub(super) fn fact(&self, placed: Placed<'_>, judgement: &Judgement, probed: Probed) -> CheckFact {
        fact(self.named(), placed, judgement, probed)
    }
}

/// A check as the report has it.
pub(super) fn fact(named: Named<'_>, placed: Placed<'_>, judgement: &Judgement, probed: Probed) -> CheckFact {
    CheckFact {
        verdict: judgement.verdict,
        reason: judgement.reason.clone(),
        proof: probed.proof,
        proof_reason: probed.reason,
        sampled: judgement.sampled,
        revision: judgement.revision,
        evidence: judgement.evidence.clone(),
        at_ms: named.emitter.elapsed_ms(),
        neutral: false,
        ..named.bare_fact(placed.block, placed.check)
    }
}

pub(super) fn rule(block: &CheckBlock, check: &Check) -> ProofRule {
    match check.kind {
        CheckKind::Never { .. } => ProofRule::Never,
        _ if block.pre_pass => ProofRule::PrePass,
        _ => ProofRule::Red,
    }
}

/// A check just before its stretch.
pub(super) fn probed(placed: Placed<'_>, evidence: &Evidence, journal: &JournalView) -> Probed {
    if rule(placed.block, placed.check) == ProofRule::Never {
        return Probed { proof: Proof::Exempt, reason: None };
    }
    let judgement = grade::probe(placed.check, evidence, journal);
    match judgement.verdict {
        Verdict::Fail => Probed { proof: Proof::Red, reason: None },
        Verdict::Pass if placed.block.pre_pass => Probed { proof: Proof::Exempt, reason: None },
        Verdict::Pass => Probed { proof: Proof::ProvesNothing, reason: None },
        Verdict::CannotJudge | Verdict::Skipped => {
            let why = judgement.reason.unwrap_or_default();
            Probed { proof: Proof::NotRun, reason: Some(format!("before its stretch it cannot be judged: {why}")) }
        }
    }
}
