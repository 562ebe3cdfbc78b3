//! Time in which a session did not run: its machine slept, or its process was stopped.

use std::time::{Duration, Instant, SystemTime};

/// Longer than this between two looks at the clock, and the session did not run; no busy machine makes it wait so long.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Notices that time has passed in which nothing ran.
pub(super) struct Wakefulness {
    last: (Instant, SystemTime),
}

impl Wakefulness {
    pub(super) fn begin() -> Self {
        Self { last: (Instant::now(), SystemTime::now()) }
    }

    /// How long the session did not run, where that was long; called every few seconds.
    pub(super) fn missed(&mut self) -> Option<Duration> {
        let now = (Instant::now(), SystemTime::now());
        let last = std::mem::replace(&mut self.last, now);
        // The one stands still while a machine sleeps, the other goes on, but may be set.
        long_pause(now.0 - last.0, now.1.duration_since(last.1).unwrap_or_default())
    }
}

fn long_pause(running: Duration, on_the_wall: Duration) -> Option<Duration> {
    Some(running.max(on_the_wall)).filter(|pause| *pause > LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_pause_is_one() {
        let of = |running, wall| long_pause(Duration::from_secs(running), Duration::from_secs(wall));
        assert_eq!(of(5, 5), None);
        assert_eq!(of(20, 20), None);
        assert_eq!(of(60, 60), Some(Duration::from_secs(60)), "stopped");
        assert_eq!(of(1, 3600), Some(Duration::from_hours(1)), "asleep");
        assert_eq!(of(5, 0), None, "a clock that was set back");
    }
}
