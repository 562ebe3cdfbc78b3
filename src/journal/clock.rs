use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

/// The times of a run: the wall clock's when the program began, and from there on what has really passed. A step of
/// the wall clock (NTP, a person, a virtual machine that is resumed) moves none of them, so that no `within`, `for`
/// or order of events depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: SystemTime,
    began: Instant,
}

static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock { wall: SystemTime::now(), began: Instant::now() });

impl Clock {
    pub fn now() -> SystemTime {
        CLOCK.at(Instant::now())
    }

    fn at(&self, instant: Instant) -> SystemTime {
        self.wall + instant.saturating_duration_since(self.began)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn its_times_lie_as_far_apart_as_what_has_really_passed() {
        let began = Instant::now();
        // Wherever the wall clock stood, and whatever it shows since.
        for wall in [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)] {
            let clock = Clock { wall, began };
            assert_eq!(clock.at(began), wall);
            assert_eq!(clock.at(began + Duration::from_secs(8)), wall + Duration::from_secs(8));
        }
        assert!(Clock::now() <= Clock::now());
    }
}
