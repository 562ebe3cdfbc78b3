//! Schedules as cron writes them.

use std::num::IntErrorKind;

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
    /// The schedule's own, which counts before that of its job.
    zone: Option<TimeZone>,
}

const MONTHS: [&str; 13] = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// No schedule that ever matches is quiet for longer: 29 February comes at least once in eight years.
const HORIZON_DAYS: i64 = 8 * 366;

impl Schedule {
    /// As robfig/cron v3 reads them, in its words where it cannot.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (zone, text) = match text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) {
            None => (None, text),
            Some(rest) => {
                let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                let zone = TimeZone::get(name)
                    .map_err(|_| format!("provided bad location {name}: unknown time zone {name}"))?;
                (Some(zone), rest.trim())
            }
        };
        if text.is_empty() {
            return Err("empty spec string".to_owned());
        }
        let fields: Vec<&str> = match text {
            "@yearly" | "@annually" => vec!["0", "0", "1", "1", "*"],
            "@monthly" => vec!["0", "0", "1", "*", "*"],
            "@weekly" => vec!["0", "0", "*", "*", "0"],
            "@daily" | "@midnight" => vec!["0", "0", "*", "*", "*"],
            "@hourly" => vec!["0", "*", "*", "*", "*"],
            _ if text.starts_with('@') => match text.strip_prefix("@every ") {
                Some(span) => {
                    let seconds = duration(span)
                        .ok_or_else(|| format!("failed to parse duration {text}: time: invalid duration \"{span}\""))?;
                    let mut schedule = Self::parse("* * * * *")?;
                    schedule.every = Some(seconds.max(1));
                    return Ok(schedule);
                }
                None => return Err(format!("unrecognized descriptor: {text}")),
            },
            _ => text.split_whitespace().collect(),
        };
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
        };
        let (minutes, _) = field(minutes, 0, 59, &[])?;
        let (hours, _) = field(hours, 0, 23, &[])?;
        let (days, any_day) = field(days, 1, 31, &[])?;
        let (months, _) = field(months, 1, 12, &MONTHS)?;
        let (weekdays, any_weekday) = field(weekdays, 0, 6, &WEEKDAYS)?;
        Ok(Self { minutes, hours, days, months, weekdays, either: !any_day && !any_weekday, every: None, zone })
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
        let zone = self.zone.as_ref().unwrap_or(zone);
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

/// The bits of a field, and whether a star stands in it.
fn field(text: &str, low: u64, high: u64, names: &[&str]) -> Result<(u64, bool), String> {
    let (mut bits, mut star) = (0, false);
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (more, any) = range(part, low, high, names)?;
        bits |= more;
        star |= any;
    }
    Ok((bits, star))
}

/// `low-high/step`.
fn range(part: &str, low: u64, high: u64, names: &[&str]) -> Result<(u64, bool), String> {
    let mut steps = part.split('/');
    let ends: Vec<&str> = steps.next().unwrap_or_default().split('-').collect();
    let mut star = matches!(ends[0], "*" | "?");
    let (start, mut end) = match ends[..] {
        _ if star => (low, high),
        [one] => (value(one, names)?, value(one, names)?),
        [first, last] => (value(first, names)?, value(last, names)?),
        _ => return Err(format!("too many hyphens: {part}")),
    };
    let mut step = 1;
    if let Some(given) = steps.next() {
        if steps.next().is_some() {
            return Err(format!("too many slashes: {part}"));
        }
        step = number(given)?;
        if ends.len() == 1 {
            end = high;
        }
        star &= step <= 1;
    }
    if start < low {
        return Err(format!("beginning of range ({start}) below minimum ({low}): {part}"));
    }
    if end > high {
        return Err(format!("end of range ({end}) above maximum ({high}): {part}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {part}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    Ok(((start..=end).step_by(step).fold(0, |bits, at| bits | 1 << at), star))
}

fn value(text: &str, names: &[&str]) -> Result<u64, String> {
    match names.iter().position(|name| !name.is_empty() && text.eq_ignore_ascii_case(name)) {
        Some(at) => Ok(u64::try_from(at).unwrap_or(u64::MAX)),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u64, String> {
    let wrong = |why: &str| format!("failed to parse int from {text}: strconv.Atoi: parsing \"{text}\": {why}");
    match text.parse::<i64>() {
        Ok(number) => u64::try_from(number).map_err(|_| format!("negative number ({number}) not allowed: {text}")),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => Err(wrong("value out of range")),
            _ => Err(wrong("invalid syntax")),
        },
    }
}

/// Whole seconds of a duration of Go: `1h30m`, `1.5s`, `-2ms`, `0`.
fn duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: i128 = 0;
    while !rest.is_empty() {
        let amount = &rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())];
        rest = &rest[amount.len()..];
        let unit = &rest[..rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len())];
        rest = &rest[unit.len()..];
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
        if (whole.is_empty() && part.is_empty()) || part.contains('.') {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        nanoseconds = nanoseconds.checked_add(whole.checked_mul(*scale)?)?;
        let mut place = *scale;
        for digit in part.bytes() {
            place /= 10;
            nanoseconds = nanoseconds.checked_add(i128::from(digit - b'0') * place)?;
        }
        // Go counts nanoseconds in 64 bits.
        i64::try_from(nanoseconds).ok()?;
    }
    let seconds = i64::try_from(nanoseconds / 1_000_000_000).ok()?;
    Some(if negative { -seconds } else { seconds })
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
    fn schedules_are_read_as_cron_reads_them() {
        for good in [
            "*/5 * * * *",
            "0 0 * JAN SUN-FRI",
            "@daily",
            "@every 1h30m",
            "@every 1.5h",
            "1,2-5/2 ? 1 * *",
            "5/10 * * * *",
            "0,,30 * * * *",
            ", * * * *",
            "TZ=Europe/Berlin 0 6 * * ?",
        ] {
            assert!(Schedule::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", "empty spec string"),
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* 24 * * *", "end of range (24) above maximum (23): 24"),
            ("* * * * 7", "end of range (7) above maximum (6): 7"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("*/1/2 * * * *", "too many slashes: */1/2"),
            ("* * * * mo", "failed to parse int from mo: strconv.Atoi: parsing \"mo\": invalid syntax"),
            ("@every foo", "failed to parse duration @every foo: time: invalid duration \"foo\""),
            ("@foo", "unrecognized descriptor: @foo"),
            ("TZ=Nowhere/Else * * * * *", "provided bad location Nowhere/Else: unknown time zone Nowhere/Else"),
        ] {
            assert_eq!(Schedule::parse(bad), Err(why.to_owned()), "{bad}");
        }
        assert_eq!(Schedule::parse("0,,30 * * * *"), Schedule::parse("0,30 * * * *"));
        // A step larger than one makes it a choice of days, which weekdays are then added to.
        assert_eq!(next("0 0 */10 * 5", "2026-11-21T10:00:00Z"), "2026-11-27T00:00:00Z");
        assert_eq!(next("TZ=Asia/Tokyo 0 6 * * *", "2026-11-21T10:00:00Z"), "2026-11-21T21:00:00Z");
        // Days that never come.
        let never = Schedule::parse("0 0 30 2 *").expect("it can be read");
        assert_eq!(never.next_after(0, &TimeZone::UTC), None);
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, seconds) in [("1h30m", 5400), ("1.5h", 5400), (".5m", 30), ("-2s", -2), ("0", 0), ("1500ms", 1)] {
            assert_eq!(duration(text), Some(seconds), "{text}");
        }
        for text in ["", "-", "1", "s", ".s", "1.2.3s", "1d", "9999999999h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
