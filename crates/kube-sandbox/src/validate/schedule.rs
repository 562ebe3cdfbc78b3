//! When a cron job runs, in the words of the parser that Kubernetes uses.

/// Five fields, or one of cron's words.
pub(super) fn parse(text: &str) -> Result<(), String> {
    if let Some(word) = text.strip_prefix('@') {
        if ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"].contains(&word) {
            return Ok(());
        }
        return match word.strip_prefix("every ") {
            Some(span) if is_duration(span) => Ok(()),
            Some(span) => Err(format!("failed to parse duration {text}: time: invalid duration \"{span}\"")),
            None => Err(format!("unrecognized descriptor: {text}")),
        };
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != 5 {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    }
    let bounds: [(u32, u32, &[&str]); 5] = [(0, 59, &[]), (0, 23, &[]), (1, 31, &[]), (1, 12, &MONTHS), (0, 6, &DAYS)];
    for (field, (low, high, names)) in fields.iter().zip(bounds) {
        for part in field.split(',').filter(|part| !part.is_empty()) {
            range(part, low, high, names)?;
        }
    }
    Ok(())
}

const MONTHS: [&str; 13] = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

fn is_duration(span: &str) -> bool {
    let rest = span.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let unit = rest.find(|c: char| c.is_ascii_digit()).map_or(rest, |at| &rest[..at]);
    let known = rest.len() < span.len() && ["ns", "us", "ms", "s", "m", "h"].contains(&unit);
    known && (unit.len() == rest.len() || is_duration(&rest[unit.len()..]))
}

/// `low-high/step`.
fn range(part: &str, low: u32, high: u32, names: &[&str]) -> Result<(), String> {
    let mut steps = part.split('/');
    let ends: Vec<&str> = steps.next().unwrap_or_default().split('-').collect();
    let step = steps.next();
    let any = matches!(ends[0], "*" | "?");
    let (start, mut end) = match ends[..] {
        _ if any => (low, high),
        [one] => (value(one, names)?, value(one, names)?),
        [first, last] => (value(first, names)?, value(last, names)?),
        _ => return Err(format!("too many hyphens: {part}")),
    };
    if let Some(step) = step {
        if steps.next().is_some() {
            return Err(format!("too many slashes: {part}"));
        }
        if number(step)? == 0 {
            return Err(format!("step of range should be a positive number: {part}"));
        }
        if ends.len() == 1 {
            end = high;
        }
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
    Ok(())
}

fn value(text: &str, names: &[&str]) -> Result<u32, String> {
    let lower = text.to_lowercase();
    match names.iter().position(|name| !name.is_empty() && *name == lower) {
        Some(at) => Ok(u32::try_from(at).unwrap_or(u32::MAX)),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(negative) if negative < 0 => Err(format!("negative number ({negative}) not allowed: {text}")),
        Ok(number) => u32::try_from(number).map_err(|_| format!("failed to parse int from {text}: value out of range")),
        Err(_) => Err(format!("failed to parse int from {text}: strconv.Atoi: parsing \"{text}\": invalid syntax")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_cron_reads_them() {
        for good in ["*/5 * * * *", "0 0 * JAN SUN-FRI", "@daily", "@every 1h30m", "1,2-5/2 ? 1 * *", "5/10 * * * *"] {
            assert_eq!(parse(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("* 24 * * *", "end of range (24) above maximum (23): 24"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("*/1/2 * * * *", "too many slashes: */1/2"),
            ("@every foo", "failed to parse duration @every foo: time: invalid duration \"foo\""),
            ("@foo", "unrecognized descriptor: @foo"),
        ] {
            assert_eq!(parse(bad), Err(why.to_owned()), "{bad}");
        }
    }
}
