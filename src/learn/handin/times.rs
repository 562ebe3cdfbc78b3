//! Times that contradict each other: the clock was set back, or somebody wrote them.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::verify::{change_of, checks, entries};
use super::{Body, Sealed, Tampering, Trace};

/// A wall clock may be corrected by so much.
const SLIP: Duration = Duration::from_mins(2);
/// A file of tomorrow was not written today.
const TOMORROW: Duration = Duration::from_hours(24);

pub(super) fn contradictions(sealed: &Sealed, now: SystemTime) -> Vec<Trace> {
    let mut traces: Vec<Trace> = order_of_events(sealed).into_iter().collect();
    traces.extend(judged_before(sealed));
    for (number, body) in &sealed.bodies {
        if let Body::End { started, finished, elapsed_ms } = body {
            let last = last_event(sealed);
            let found = end((*started).into(), (*finished).into(), Duration::from_millis(*elapsed_ms), last, now);
            traces.extend(found.map(|(tampering, text)| Trace::new(tampering, Some(*number), text)));
        }
    }
    traces
}

/// Of one store revisions go up, and so does the time.
fn order_of_events(sealed: &Sealed) -> Option<Trace> {
    let mut last: Option<(u32, i64, Timestamp)> = None;
    for (number, part, line) in entries(sealed) {
        if line["type"] == "EPOCH" || line["type"] == "LISTED" {
            last = None;
            continue;
        }
        if change_of(line).is_none() {
            continue;
        }
        let at = line["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let (Some(at), Some(revision)) = (at, line["revision"].as_i64()) else { continue };
        if let Some((_, known, before)) = last.filter(|(of, ..)| *of == part) {
            if revision < known {
                let text = format!("revision {revision} comes after {known}");
                return Some(Trace::new(Tampering::Reordered, Some(number), text));
            }
            if at < before {
                let text = format!("an event of {at} comes after one of {before}");
                return Some(Trace::new(Tampering::ClockTurnedBack, Some(number), text));
            }
        }
        last = Some((part, revision, at));
    }
    None
}

fn judged_before(sealed: &Sealed) -> Option<Trace> {
    let (number, record) =
        checks(sealed).find(|(_, record)| record.end.at < record.mark.at || record.at < record.mark.at)?;
    let text = format!("`{}` was judged before its mark", record.text);
    Some(Trace::new(Tampering::ClockTurnedBack, Some(number), text))
}

fn last_event(sealed: &Sealed) -> Option<SystemTime> {
    let changes = entries(sealed).filter(|(.., line)| change_of(line).is_some());
    let times = changes.filter_map(|(.., line)| line["at"].as_str()?.parse::<Timestamp>().ok());
    times.max().map(SystemTime::from)
}

fn end(
    began: SystemTime,
    ended: SystemTime,
    passed: Duration,
    last: Option<SystemTime>,
    now: SystemTime,
) -> Option<(Tampering, String)> {
    // A time that is no time any more is later than all others.
    let should = began.checked_add(passed)?;
    if ended < began {
        return Some((Tampering::ClockTurnedBack, "it ended before it began".to_owned()));
    }
    if ended + SLIP < should {
        let seconds = should.duration_since(ended).unwrap_or_default().as_secs();
        return Some((Tampering::ClockTurnedBack, format!("the clock was set back by {seconds} s meanwhile")));
    }
    if ended > now + TOMORROW {
        return Some((Tampering::ChangedValue, "it ends at a time that is still to come".to_owned()));
    }
    (last? > ended + SLIP).then(|| (Tampering::ChangedValue, "it ended before its last event".to_owned()))
}
