//! What an evaluation may cost, and how it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::Error;

/// Kubernetes' limit for one evaluation of one expression.
pub const PER_CALL: u64 = 1_000_000;

/// Kubernetes' budget for all expressions of a policy, or of a custom resource's rules, on one request.
pub const PER_REQUEST: u64 = 10_000_000;

/// Kubernetes' budget for the match conditions of a policy or webhook on one request.
pub const MATCH_CONDITIONS: u64 = 2_500_000;

/// How much is done between two looks at the clock and the flag.
const LOOK: u64 = 1024;

/// Elements and bytes that an evaluation may copy for each unit of its limit: cel-go joins lists without copying, so
/// that its costs alone bound no memory here.
const COPIES: u64 = 64;

/// What an evaluation may still cost. Costs are counted as Kubernetes counts them.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    spent: u64,
    /// Work that Kubernetes' costs do not show.
    copied: u64,
    until_look: u64,
    deadline: Option<Instant>,
    stop: Option<Arc<AtomicBool>>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(PER_CALL)
    }
}

impl Budget {
    /// A budget of so many cost units.
    pub fn of(limit: u64) -> Self {
        Self { limit, spent: 0, copied: 0, until_look: LOOK, deadline: None, stop: None }
    }

    /// The evaluation is interrupted at this time.
    #[must_use]
    pub fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The evaluation is interrupted as soon as the flag is set.
    #[must_use]
    pub fn stopped_by(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// What was spent so far.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// A budget of its own for one more expression: the smaller of a call's limit and of what is left of this.
    #[must_use]
    pub fn call(&self) -> Self {
        let limit = PER_CALL.min(self.limit.saturating_sub(self.spent));
        Self { limit, spent: 0, copied: 0, until_look: LOOK, deadline: self.deadline, stop: self.stop.clone() }
    }

    /// Takes what a call has spent off this.
    pub fn settle(&mut self, call: &Self) -> Result<(), Error> {
        self.charge(call.spent)
    }

    pub(crate) fn charge(&mut self, cost: u64) -> Result<(), Error> {
        self.spent = self.spent.saturating_add(cost);
        if self.spent > self.limit {
            return Err(Error::CostExceeded);
        }
        self.pass(cost.max(1))
    }

    /// Tells of copies that have no cost in Kubernetes.
    pub(crate) fn copy(&mut self, elements: usize) -> Result<(), Error> {
        self.copied = self.copied.saturating_add(elements as u64);
        if self.copied > self.limit.saturating_mul(COPIES).max(1 << 16) {
            return Err(Error::CostExceeded);
        }
        self.pass(elements as u64)
    }

    fn pass(&mut self, work: u64) -> Result<(), Error> {
        if self.until_look > work {
            self.until_look -= work;
            return Ok(());
        }
        self.until_look = LOOK;
        let stopped = self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
        let late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if stopped || late { Err(Error::Interrupted) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends() {
        let mut budget = Budget::of(3);
        assert_eq!(budget.charge(3), Ok(()));
        assert_eq!(budget.charge(1), Err(Error::CostExceeded));
        let whole = Budget::of(PER_REQUEST);
        assert_eq!(whole.call().limit, PER_CALL);
        let mut nearly = Budget::of(10);
        nearly.charge(8).expect("it is within");
        assert_eq!(nearly.call().limit, 2);
    }

    #[test]
    fn a_flag_and_a_deadline_stop_it() {
        let stop = Arc::new(AtomicBool::new(false));
        let mut budget = Budget::default().stopped_by(Arc::clone(&stop));
        assert_eq!(budget.charge(LOOK), Ok(()));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(budget.charge(LOOK), Err(Error::Interrupted));
        let mut late = Budget::default().until(Instant::now());
        assert_eq!(late.charge(LOOK), Err(Error::Interrupted));
    }
}
