use std::collections::BTreeSet;

use super::chain::Link;
use super::{Body, Tampering, Trace, VERSION};

/// A file as it was read, with what is wrong about its seal.
#[derive(Debug, Clone, Default)]
pub struct Sealed {
    /// Each with its line in the file.
    pub bodies: Vec<(usize, Body)>,
    pub traces: Vec<Trace>,
}

/// Reads a file as far as it can be read; an error where it is nothing of ours.
pub fn read(text: &str) -> Result<Sealed, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut sealed = Sealed::default();
    let mut counts: Vec<(usize, usize)> = Vec::new();
    let mut last: Option<Link<'_>> = None;
    let mut broken = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let number = index + 1;
        let Some(link) = Link::parse(line) else {
            if index == 0 {
                return Err("it is not a hand-in of keywitness".to_owned());
            }
            let is_last = number == lines.len() && !text.ends_with('\n');
            let (tampering, what) = if is_last {
                (Tampering::CutFile, "it is truncated within a line")
            } else {
                (Tampering::ChangedValue, "the line is not in keywitness's format")
            };
            sealed.traces.push(Trace::new(tampering, Some(number), what));
            continue;
        };
        if let Some(version) = (index == 0).then(|| version(link.body)).flatten().filter(|version| *version > VERSION) {
            let text = format!("it is of version {version}, and this keywitness reads {VERSION}");
            sealed.traces.push(Trace::new(Tampering::FutureVersion, Some(number), text));
            return Ok(sealed);
        }
        let body: Option<Body> = serde_json::from_str(link.body).ok();
        if !link.is_sealed() || body.is_none() {
            sealed.traces.push(changed(number, body.as_ref()));
        }
        let follows = last.as_ref().is_none_or(|last| last.hash == link.before);
        if !follows {
            broken.push(number);
        }
        counts.push((number, link.count));
        last = Some(link);
        sealed.bodies.extend(body.map(|body| (number, body)));
    }
    if sealed.bodies.is_empty() && sealed.traces.is_empty() {
        return Err("it is empty".to_owned());
    }
    sealed.traces.extend(order(&counts, &broken));
    if !matches!(sealed.bodies.last(), Some((_, Body::End { .. })))
        && !sealed.bodies.iter().any(|(_, body)| matches!(body, Body::End { .. }))
        && !sealed.traces.iter().any(|trace| trace.tampering == Tampering::CutFile)
    {
        sealed.traces.push(Trace::new(Tampering::CutFile, None, "its end is missing"));
    }
    Ok(sealed)
}

/// Reported before anything else is read: a later form may be another one.
fn version(body: &str) -> Option<u32> {
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    (value["type"] == "hand_in")
        .then(|| value["version"].as_u64())?
        .map(|version| u32::try_from(version).unwrap_or(u32::MAX))
}

/// What a line that was changed is about.
fn changed(number: usize, body: Option<&Body>) -> Trace {
    let (tampering, what) = match body {
        Some(Body::Seed { .. }) => (Tampering::OtherSeed, "the seed was changed"),
        Some(Body::Lab { .. }) => (Tampering::OtherLab, "the lab was changed"),
        Some(Body::Points { .. }) => (Tampering::EditedPoints, "the points were changed"),
        Some(Body::Check(_)) => (Tampering::EditedPoints, "how a check came out was changed"),
        Some(Body::Question { .. } | Body::Step { .. }) => (Tampering::EditedPoints, "answers or hints were changed"),
        Some(Body::End { .. }) => (Tampering::ChangedValue, "the times were changed"),
        Some(Body::Learner { .. }) => (Tampering::ChangedValue, "the learner's name was changed"),
        _ => (Tampering::ChangedValue, "the line does not match its seal"),
    };
    Trace::new(tampering, Some(number), what)
}

/// What the numbers of the lines say, and where a line does not continue the one before.
fn order(counts: &[(usize, usize)], broken: &[usize]) -> Vec<Trace> {
    let set: BTreeSet<usize> = counts.iter().map(|(_, count)| *count).collect();
    let mut traces = Vec::new();
    let misplaced = counts.windows(2).find(|pair| pair[1].1 < pair[0].1).map(|pair| pair[1].0);
    if set.len() < counts.len() {
        let double =
            counts.iter().enumerate().find(|(at, (_, count))| counts[..*at].iter().any(|(_, known)| known == count));
        let line = double.map(|(_, (line, _))| *line);
        traces.push(Trace::new(Tampering::ChangedValue, line, "a line is there twice"));
    }
    if let Some(line) = misplaced {
        traces.push(Trace::new(Tampering::Reordered, Some(line), "the line is not in its place"));
    }
    let last = set.last().copied().unwrap_or_default();
    if let Some(missing) = (0..last).find(|count| !set.contains(count)) {
        let line = counts.iter().find(|(_, count)| *count > missing).map(|(line, _)| *line);
        traces.push(Trace::new(Tampering::DroppedEntry, line, format!("entry {missing} before it is missing")));
    }
    if let (true, Some(line)) = (traces.is_empty(), broken.first()) {
        traces.push(Trace::new(Tampering::ChangedValue, Some(*line), "the line does not continue the one before"));
    }
    traces
}
