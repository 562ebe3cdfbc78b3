//! Texts that many printers share: ages, labels, selectors, short lists.

use jiff::Timestamp;
use serde_json::Value;

pub(super) const NONE: &str = "<none>";
pub(super) const UNSET: &str = "<unset>";

/// A span of time in at most two units, as kubectl shows ages.
pub(super) fn human(seconds: i64) -> String {
    const YEAR: i64 = 365 * 24;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |first: i64, unit: &str, second: i64, small: &str| {
        if second == 0 { format!("{first}{unit}") } else { format!("{first}{unit}{second}{small}") }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 8 * 24 => two(hours / 24, "d", hours % 24, "h"),
        _ if hours < 2 * YEAR => format!("{}d", hours / 24),
        _ if hours < 8 * YEAR => two(hours / YEAR, "y", hours / 24 % 365, "d"),
        _ => format!("{}y", hours / YEAR),
    }
}

/// The age of a time in RFC 3339.
pub(super) fn since(time: Option<&str>, now: Timestamp) -> String {
    let time = time.and_then(|time| time.parse::<Timestamp>().ok());
    time.map_or_else(|| "<unknown>".to_owned(), |time| human(now.duration_since(time).as_secs()))
}

/// A value as text, without the quotes of JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn join<'a>(values: impl Iterator<Item = &'a Value>, separator: &str) -> String {
    values.map(plain).collect::<Vec<_>>().join(separator)
}

pub(super) fn labels(map: Option<&Value>) -> String {
    let map = map.and_then(Value::as_object);
    let pairs: Vec<_> = map.into_iter().flatten().map(|(key, value)| format!("{key}={}", plain(value))).collect();
    or(pairs.join(","), NONE)
}

pub(super) fn selector(selector: Option<&Value>) -> String {
    or(selector.map(crate::object::labels::text).unwrap_or_default(), NONE)
}

pub(super) fn or(text: String, other: &str) -> String {
    if text.is_empty() { other.to_owned() } else { text }
}

/// At most three, and how many more there are.
pub(super) fn at_most_three(list: &[String], none: &str) -> String {
    let shown = list.iter().take(3).cloned().collect::<Vec<_>>().join(",");
    if list.len() > 3 { format!("{shown} + {} more...", list.len() - 3) } else { or(shown, none) }
}

pub(super) fn yes(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units_at_most() {
        for (seconds, text) in [
            (-5, "<invalid>"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (567, "9m27s"),
            (1740, "29m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 60, "3h1m"),
            (47 * 3600, "47h"),
            (50 * 3600, "2d2h"),
            (9 * 86_400, "9d"),
            (800 * 86_400, "2y70d"),
            (3000 * 86_400, "8y"),
        ] {
            assert_eq!(human(seconds), text);
        }
    }
}
