//! Limits of time for an answer. On a machine with more to do than it has processors, whoever is asked may have none to
//! answer with, and silence says nothing yet: there time counts by the share of a processor that one can have.

use std::future::Future;
use std::num::NonZero;
use std::pin::pin;
use std::time::Duration;

/// How often is looked at how much else there is to do; limits are multiples of it.
const TICK: Duration = Duration::from_millis(100);
/// So many times the limit is waited at most.
const MOST: u32 = 5;

/// No answer came in time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Late;

/// The answer, if it comes within `limit`.
pub(super) async fn within<T>(limit: Duration, answer: impl Future<Output = T>) -> Result<T, Late> {
    within_of(limit, answer, crowd).await
}

async fn within_of<T>(limit: Duration, answer: impl Future<Output = T>, crowd: impl Fn() -> u32) -> Result<T, Late> {
    let mut answer = pin!(answer);
    let mut left = limit;
    while !left.is_zero() {
        if let Ok(answer) = tokio::time::timeout(TICK, &mut answer).await {
            return Ok(answer);
        }
        left = left.saturating_sub(TICK / crowd());
    }
    Err(Late)
}

/// How many there are to each processor that want it now.
fn crowd() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    // Where there is no such file, nobody else is known of.
    std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| crowd_of(&text, processors)).unwrap_or(1)
}

/// Of `0.52 0.58 0.59 3/467 12345` the 3, of whom one is who reads it.
fn crowd_of(loadavg: &str, processors: usize) -> Option<u32> {
    let running: u32 = loadavg.split_whitespace().nth(3)?.split('/').next()?.parse().ok()?;
    let others = running.saturating_sub(1) / u32::try_from(processors).ok()?.max(1);
    Some(others.clamp(1, MOST))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_crowd_is_counted_by_processors_and_bounded() {
        for (text, processors, expected) in [
            ("0.52 0.58 0.59 1/467 12345\n", 2, Some(1)),
            ("0.52 0.58 0.59 5/467 12345\n", 2, Some(2)),
            ("0.52 0.58 0.59 5/467 12345\n", 8, Some(1)),
            ("13.37 14.01 10.26 400/467 12345\n", 2, Some(MOST)),
            ("0.52 0.58 0.59", 2, None),
            ("", 2, None),
        ] {
            assert_eq!(crowd_of(text, processors), expected, "{text:?}");
        }
    }

    #[tokio::test]
    async fn who_has_a_part_of_a_processor_has_as_much_more_time() {
        let limit = TICK * 2;
        assert_eq!(within_of(limit, std::future::ready(7), || unreachable!("it is there at once")).await, Ok(7));
        for crowd in [1, 2, MOST] {
            let (began, looks) = (Instant::now(), Cell::new(0));
            let counted = || {
                looks.set(looks.get() + 1);
                crowd
            };
            assert_eq!(within_of(limit, std::future::pending::<()>(), counted).await, Err(Late));
            assert!(began.elapsed() >= limit * crowd, "{:?} of {crowd}", began.elapsed());
            assert_eq!(looks.get(), 2 * crowd, "ticks");
        }
    }
}
