//! Schedules as cron writes them.

use jiff::{Timestamp, tz::TimeZone};

/// Which minutes, hours, days, months and weekdays match: a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Where both days and weekdays are given, either will do.
    either: bool,
    /// `@every` so many seconds.
    every: Option<i64>,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// No schedule that ever matches is quiet for longer: 29 February comes at least once in eight years.
const HORIZON_DAYS: i64 = 8 * 366;

impl Schedule {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        if let Some(duration) = text.strip_prefix("@every ") {
            let duration: jiff::SignedDuration = duration.parse().ok()?;
            let mut schedule = Self::parse("* * * * *")?;
            schedule.every = Some(duration.as_secs().max(1));
            return Some(schedule);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
        let weekday_bits = field(weekdays, 0, 7, &WEEKDAYS, 0)?;
        let open = |text: &str| text.starts_with('*') || text == "?";
        Some(Self {
            minutes: field(minutes, 0, 59, &[], 0)?,
            hours: field(hours, 0, 23, &[], 0)?,
            days: field(days, 1, 31, &[], 0)?,
            months: field(months, 1, 12, &MONTHS, 1)?,
            weekdays: (weekday_bits | (weekday_bits >> 7)) & 0x7f,
            either: !open(days) && !open(weekdays),
            every: None,
        })
    }

    fn day(&self, date: jiff::civil::Date) -> bool {
        let bit = |set: u64, at: i8| set & (1 << at) != 0;
        let (day, weekday) = (bit(self.days, date.day()), bit(self.weekdays, date.weekday().to_sunday_zero_offset()));
        bit(self.months, date.month()) && if self.either { day || weekday } else { day && weekday }
    }

    /// The first matching second after `from`, all in seconds since 1970.
    pub(crate) fn next_after(&self, from: i64, zone: &TimeZone) -> Option<i64> {
        if let Some(every) = self.every {
            return from.checked_add(every);
        }
        let start = Timestamp::from_second(from - from.rem_euclid(60) + 60).ok()?.to_zoned(zone.clone());
        let mut date = start.date();
        for _ in 0..HORIZON_DAYS {
            if self.day(date) {
                for hour in (0..24).filter(|hour| self.hours & (1 << hour) != 0) {
                    for minute in (0..60).filter(|minute| self.minutes & (1 << minute) != 0) {
                        let at = date.at(hour, minute, 0, 0).to_zoned(zone.clone()).ok()?.timestamp().as_second();
                        if at > from {
                            return Some(at);
                        }
                    }
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The latest matching second in `(from, until]`.
    pub(crate) fn last_between(&self, from: i64, until: i64, zone: &TimeZone) -> Option<i64> {
        if let Some(every) = self.every {
            return (until - from >= every).then(|| until - (until - from).rem_euclid(every));
        }
        let mut last = None;
        // Far behind, only the last hours matter; without a match there, all of it is walked.
        let near = from.max(until - 7200);
        for start in [near, from] {
            let mut at = start;
            while let Some(next) = self.next_after(at, zone).filter(|next| *next <= until) {
                last = Some(next);
                at = next;
            }
            if last.is_some() || near == from {
                break;
            }
        }
        last
    }
}

fn field(text: &str, low: u64, high: u64, names: &[&str], base: u64) -> Option<u64> {
    let number = |text: &str| -> Option<u64> {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        match named {
            Some(at) => Some(u64::try_from(at).ok()? + base),
            None => text.parse().ok(),
        }
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u64>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (first, last) = match range {
            "*" | "?" => (low, high),
            range => {
                if let Some((first, last)) = range.split_once('-') {
                    (number(first)?, number(last)?)
                } else {
                    let only = number(range)?;
                    (only, if step.is_some() { high } else { only })
                }
            }
        };
        if first < low || last > high || first > last {
            return None;
        }
        let mut at = first;
        while at <= last {
            bits |= 1 << at;
            at += step.unwrap_or(1);
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, from: &str) -> String {
        let from = from.parse::<Timestamp>().expect("a time").as_second();
        let at = Schedule::parse(schedule).expect("a schedule").next_after(from, &TimeZone::UTC).expect("it comes");
        Timestamp::from_second(at).expect("a time").to_string()
    }

    #[test]
    fn the_next_time_is_found() {
        assert_eq!(next("*/5 * * * *", "2026-11-21T10:02:30Z"), "2026-11-21T10:05:00Z");
        assert_eq!(next("0 0 * * *", "2026-11-21T10:02:30Z"), "2026-11-22T00:00:00Z");
        assert_eq!(next("0 0 29 2 *", "2026-11-21T10:02:30Z"), "2028-02-29T00:00:00Z");
        assert_eq!(next("30 9 * * mon-fri", "2026-11-21T10:02:30Z"), "2026-11-23T09:30:00Z");
        assert_eq!(next("@hourly", "2026-11-21T10:00:00Z"), "2026-11-21T11:00:00Z");
        assert_eq!(next("0 0 13 * 5", "2026-11-21T10:00:00Z"), "2026-11-27T00:00:00Z");
    }

    #[test]
    fn a_missed_time_is_the_latest_one() {
        let schedule = Schedule::parse("* * * * *").expect("a schedule");
        assert_eq!(schedule.last_between(0, 600_030, &TimeZone::UTC), Some(600_000));
        assert_eq!(schedule.last_between(600_000, 600_030, &TimeZone::UTC), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in ["", "* * * *", "60 * * * *", "* * * * mo", "*/0 * * * *", "5-1 * * * *"] {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
    }
}
