//! `within` and `for`: when something must begin to hold, and how long it must then hold unbroken.

use std::time::{Duration, SystemTime};

use super::names::Truth;

/// The default of `within`.
pub const WITHIN: Duration = Duration::from_secs(10);
/// How long after its clock a check waits for the proof that its evidence is complete.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// From `at` on, until the next moment, this was so.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) at: SystemTime,
    pub(super) truth: Truth,
}

/// What is known of something over time.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// In order of time.
    pub(super) moments: Vec<Moment>,
    /// Nothing is missing up to here; `None`: nothing is known yet.
    pub(super) known: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) start: SystemTime,
    pub(super) within: Duration,
    pub(super) hold_for: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It began to hold at this moment.
    Pass(usize),
    /// It does not hold at this moment: the present one at the deadline, if any; or the one that ended
    /// the longest time for which it `held`, too short.
    Fail {
        moment: Option<usize>,
        held: Option<Duration>,
    },
    CannotJudge(String),
    /// Nothing is known of the last part of the time, and nothing will be.
    Silent(Duration),
    Open {
        until: SystemTime,
    },
}

impl Clocks {
    pub(super) fn deadline(&self) -> SystemTime {
        self.start + self.within
    }

    pub(super) fn rule(&self, line: &Timeline, now: SystemTime) -> Ruling {
        let deadline = self.deadline();
        let mut broken: Option<(Duration, usize)> = None;
        let mut index = 0;
        while index < line.moments.len() {
            let begin = line.moments[index].at.max(self.start);
            if begin > deadline {
                break;
            }
            if line.moments[index].truth != Truth::Yes {
                index += 1;
                continue;
            }
            let end = (index..line.moments.len()).find(|next| line.moments[*next].truth != Truth::Yes);
            let lasted = |until: SystemTime| until.duration_since(begin).unwrap_or_default();
            if let Some(end) = end {
                let lasted = lasted(line.moments[end].at);
                if lasted >= self.hold_for {
                    return Ruling::Pass(index);
                }
                broken = broken.max(Some((lasted, end)));
                index = end;
                continue;
            }
            let known = line.known.unwrap_or(self.start);
            if known >= begin && lasted(known) >= self.hold_for {
                return Ruling::Pass(index);
            }
            return Self::wait(begin + self.hold_for, known, now);
        }
        let known = line.known.filter(|known| *known >= self.start);
        if known.is_none_or(|known| known < deadline) {
            return Self::wait(deadline, known.unwrap_or(self.start), now);
        }
        let last = line.moments.iter().rposition(|moment| moment.at <= deadline);
        let moment = broken.map(|(_, end)| end).or(last);
        match moment.map(|moment| &line.moments[moment].truth) {
            Some(Truth::Unknown(reason)) => Ruling::CannotJudge(reason.clone()),
            _ => Ruling::Fail { moment, held: broken.map(|(held, _)| held) },
        }
    }

    /// Not known yet. Long past the time there is no more hope that it will be.
    pub(super) fn wait(until: SystemTime, known: SystemTime, now: SystemTime) -> Ruling {
        if now < until {
            return Ruling::Open { until };
        }
        if now < until + GRACE {
            return Ruling::Open { until: (now + Duration::from_millis(50)).min(until + GRACE) };
        }
        Ruling::Silent(until.duration_since(known).unwrap_or_default())
    }
}
