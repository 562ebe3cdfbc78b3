//! Points in time, and how long something lasts.

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{Offset, TimeZone};

use super::{Function, Given, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::Value;

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("getFullYear", year, Cost::One),
    ("getMonth", month, Cost::One),
    ("getDayOfYear", day_of_year, Cost::One),
    ("getDayOfMonth", day_of_month, Cost::One),
    ("getDate", date_of_month, Cost::One),
    ("getDayOfWeek", day_of_week, Cost::One),
    ("getHours", hours, Cost::One),
    ("getMinutes", minutes, Cost::One),
    ("getSeconds", whole_seconds, Cost::One),
    ("getMilliseconds", milliseconds, Cost::One),
];

/// The years that CEL has: 1 to 9999.
pub(super) fn in_range(at: Timestamp) -> bool {
    (-62_135_596_800..=253_402_300_799).contains(&at.as_nanosecond().div_euclid(1_000_000_000))
}

/// A point in time as RFC 3339 writes it.
pub(crate) fn timestamp(text: &str) -> Option<Value<'static>> {
    // RFC 3339 has a full date, a `T`, a full time and an offset; jiff reads more.
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= 20
        && bytes[4] == b'-'
        && matches!(bytes[10], b'T' | b't')
        && bytes[13] == b':'
        && bytes[16] == b':';
    let zoned = text.ends_with(['Z', 'z']) || (bytes.len() >= 25 && bytes[bytes.len() - 3] == b':');
    if !shaped || !zoned || text.contains('[') {
        return None;
    }
    text.parse::<Timestamp>().ok().filter(|at| in_range(*at)).map(Value::Timestamp)
}

/// A date alone, which stands for its beginning.
pub(crate) fn date(text: &str) -> Option<Value<'static>> {
    let date: civil::Date = (text.len() == 10).then(|| text.parse().ok())??;
    date.to_zoned(TimeZone::UTC).ok().map(|at| Value::Timestamp(at.timestamp()))
}

pub(super) fn shifted(at: Timestamp, by: i64) -> Option<Timestamp> {
    let nanoseconds = at.as_nanosecond().checked_add(i128::from(by))?;
    Timestamp::from_nanosecond(nanoseconds).ok().filter(|at| in_range(*at))
}

/// As RFC 3339 with as many digits of the second as there are.
pub(super) fn written(at: Timestamp) -> String {
    at.to_string()
}

/// As `string(duration)`: in seconds.
pub(super) fn seconds(nanoseconds: i64) -> String {
    let (whole, rest) = (nanoseconds / 1_000_000_000, (nanoseconds % 1_000_000_000).abs());
    let sign = if nanoseconds < 0 && whole == 0 { "-" } else { "" };
    if rest == 0 {
        return format!("{sign}{whole}s");
    }
    let rest = format!("{rest:09}");
    format!("{sign}{whole}.{}s", rest.trim_end_matches('0'))
}

/// How long something lasts, as Go writes it (`1h30m`, `-1.5s`), in nanoseconds.
pub(crate) fn duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let length = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(*unit)?)?;
        let mut scale = *unit;
        for digit in fraction.bytes().take(20) {
            scale /= 10;
            total += i128::from(digit - b'0') * scale;
        }
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// The clock of a time zone at a point in time; UTC where none is named.
fn civil_time(args: &[Value<'_>]) -> Result<civil::DateTime, Error> {
    let (at, zone) = match args {
        [Value::Timestamp(at)] => (*at, TimeZone::UTC),
        [Value::Timestamp(at), Value::String(name)] => (*at, zone(name)?),
        _ => return Err(mismatch()),
    };
    Ok(at.to_zoned(zone).datetime())
}

fn zone(name: &str) -> Result<TimeZone, Error> {
    let unknown = || Error::other(format!("unknown time zone {name}"));
    if let Some((hours, minutes)) = name.split_once(':') {
        let minutes: i32 = minutes.parse().map_err(|_| unknown())?;
        let whole: i32 = hours.parse().map_err(|_| unknown())?;
        let minutes = if hours.starts_with('-') { -minutes } else { minutes };
        return Offset::from_seconds(whole * 3600 + minutes * 60).map(TimeZone::fixed).map_err(|_| unknown());
    }
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        _ => TimeZone::get(name).map_err(|_| unknown()),
    }
}

fn of_time<'a>(args: &[Value<'a>], part: impl Fn(civil::DateTime) -> i64) -> Given<'a> {
    civil_time(args).map(part).map(Value::Int)
}

/// A part of a time of day, or the whole of a duration in that unit.
fn of_both<'a>(args: &[Value<'a>], unit: i64, part: impl Fn(civil::DateTime) -> i64) -> Given<'a> {
    match args {
        [Value::Duration(nanoseconds)] => Ok(Value::Int(nanoseconds / unit)),
        _ => of_time(args, part),
    }
}

fn year<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_time(args, |at| at.year().into())
}

fn month<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_time(args, |at| i64::from(at.month()) - 1)
}

fn day_of_year<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_time(args, |at| i64::from(at.day_of_year()) - 1)
}

fn day_of_month<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_time(args, |at| i64::from(at.day()) - 1)
}

fn date_of_month<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_time(args, |at| at.day().into())
}

fn day_of_week<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_time(args, |at| at.weekday().to_sunday_zero_offset().into())
}

fn hours<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_both(args, 3_600_000_000_000, |at| at.hour().into())
}

fn minutes<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_both(args, 60_000_000_000, |at| at.minute().into())
}

fn whole_seconds<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_both(args, 1_000_000_000, |at| at.second().into())
}

fn milliseconds<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    of_both(args, 1_000_000, |at| at.millisecond().into())
}
