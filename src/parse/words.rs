//! Small words of the format, wherever they stand: ids, durations, clusters.

use std::time::Duration;

use crate::lab::keywords::{CLUSTERS, word, words};
use crate::lab::{ClusterKind, On};
use crate::text::{did_you_mean, is_lower_case, one_of};

/// Words that a check reads after `output`, and so no names.
const NO_IDS: &[&str] = &["contains", "matches", "where"];

/// Why a text is not what was asked for, and what to write.
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

fn wrong<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), hint: Some(hint.into()) })
}

pub(super) fn id(text: &str) -> Result<String, Wrong> {
    let plain = text.starts_with(|c: char| c.is_ascii_lowercase()) && is_lower_case(text, &['-']);
    if !plain {
        let plainer: String = text
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
            .collect();
        let plainer = plainer.trim_matches('-');
        let rule = "a name begins with a lower-case letter and has only lower-case letters, digits and `-`";
        let hint = if plainer.starts_with(|c: char| c.is_ascii_lowercase()) {
            format!("write `{plainer}`: {rule}")
        } else {
            rule.to_owned()
        };
        return wrong(format!("`{text}` is not a valid name"), hint);
    }
    if NO_IDS.contains(&text) {
        return wrong(format!("`{text}` cannot be a name"), "this word is reserved in checks; use another");
    }
    Ok(text.to_owned())
}

pub(super) fn terminal(text: &str) -> Result<String, Wrong> {
    if !text.is_empty() && is_lower_case(text, &['-']) {
        return Ok(text.to_owned());
    }
    wrong(
        format!("`{text}` is not a valid terminal"),
        "a terminal has a number, or a name of lower-case letters, digits and `-`",
    )
}

pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let hint = meant(text).map_or_else(
        || "write a whole number and its unit: `500ms`, `30s` or `2m`".to_owned(),
        |meant| format!("write `{meant}`"),
    );
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() || !matches!(unit, "ms" | "s" | "m") {
        return wrong(format!("`{text}` is not a duration"), hint);
    }
    if number.starts_with('0') {
        let message = format!("`{text}` is not a duration: it begins with 0");
        return wrong(message, hint);
    }
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        _ => 60_000,
    };
    match number.parse::<u64>().ok().and_then(|n| n.checked_mul(millis)) {
        Some(millis) if millis <= 24 * 3_600_000 => Ok(Duration::from_millis(millis)),
        _ => wrong(format!("`{text}` is longer than a day"), "a lab waits for seconds or minutes"),
    }
}

/// A duration of the command line, written as in labs.
pub fn duration_flag(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|Wrong { message, hint }| match hint {
        Some(hint) => format!("{message}: {hint}"),
        None => message,
    })
}

/// The duration that `30`, `30sec`, `1m30s` or `1.5s` most likely stands for, as the format writes it.
pub(super) fn meant(text: &str) -> Option<String> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim().trim_matches(|c: char| matches!(c, '"' | '\'' | ':' | '=' | ',' | ';'));
    if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let unit = after.trim_start();
        let length = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let seconds = match unit[..length].to_lowercase().as_str() {
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "ms" | "msec" | "millis" | "milliseconds" => 0.001,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        rest = unit[length..].trim_start();
    }
    match total.as_millis() {
        0 | 86_400_001.. => None,
        millis if millis % 60_000 == 0 && millis > 60_000 => Some(format!("{}m", millis / 60_000)),
        millis if millis % 1000 == 0 => Some(format!("{}s", millis / 1000)),
        millis => Some(format!("{millis}ms")),
    }
}

pub(super) fn whole<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Wrong> {
    if text.bytes().all(|b| b.is_ascii_digit())
        && let Ok(number) = text.parse()
    {
        return Ok(number);
    }
    wrong(format!("`{text}` is not a valid {what}"), "write a whole number")
}

pub(super) fn clusters(text: &str) -> Result<On, Wrong> {
    let kinds: Result<Vec<ClusterKind>, Wrong> = text.split(',').map(cluster).collect();
    kinds.map(On)
}

pub(super) fn cluster(text: &str) -> Result<ClusterKind, Wrong> {
    if let Some(kind) = word(CLUSTERS, text) {
        return Ok(kind);
    }
    let hint = did_you_mean(text, words(CLUSTERS)).unwrap_or_else(|| {
        format!("write {}; several are separated by commas, without blanks", one_of(words(CLUSTERS)))
    });
    wrong(format!("`{text}` is not a kind of cluster"), hint)
}
