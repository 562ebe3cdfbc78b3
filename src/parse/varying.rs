//! Expected output that will differ in the next run: times, ages, uids, hashes.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::context::Context;
use super::findings::VARIES;
use crate::lab::{Code, Expected, ExpectedLine, Item, Step};

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression of ours")
}

/// What differs from run to run however it is looked at, and what it is.
static ALWAYS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    vec![
        (fixed(r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?\b"), "a date"),
        (fixed(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "a time"),
        (fixed(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "a uid"),
        // The names of a Deployment's pods, in Kubernetes' own alphabet.
        (fixed(r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b"), "a generated name"),
        (fixed(r"\bsha256:[0-9a-f]{12,}\b"), "a digest"),
        (fixed(r"\b[0-9a-f]{12,}\b"), "a hash or an id"),
    ]
});
/// As `kubectl get` prints an age.
static AGE: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?:^|\s)((?:\d+[dhms]){1,2})\s*$"));

pub(super) fn look(steps: &[Step], cx: &mut Context<'_>) {
    for item in steps.iter().flat_map(|step| &step.items) {
        let Item::Action(action) = item else { continue };
        let console: &[_] = if let Code::Console(commands) = &action.code { commands } else { &[] };
        for expected in action.expected.iter().chain(console.iter().filter_map(|command| command.expected.as_ref())) {
            of(expected, cx);
        }
    }
}

fn of(expected: &Expected, cx: &mut Context<'_>) {
    let mut ages = false;
    for line in &expected.lines {
        let ExpectedLine::Line { number, .. } = line else { continue };
        let (start, text) = (cx.source.line_start(*number), cx.source.line(*number).to_owned());
        for (range, what) in found(&text, ages) {
            let span = crate::text::Span::new(start + range.start, start + range.end);
            cx.findings
                .add(VARIES, span, format!("this is {what}, and differs in the next run"))
                .hint("write `[..]` in its place");
        }
        ages |= text.trim_end().ends_with("AGE");
    }
}

/// Each place once, by the first kind that it is. `ages` says that the lines are a table whose last column is AGE.
fn found(line: &str, ages: bool) -> Vec<(Range<usize>, &'static str)> {
    let mut found: Vec<(Range<usize>, &'static str)> = Vec::new();
    for (pattern, what) in ALWAYS.iter() {
        for place in pattern.find_iter(line) {
            let text = place.as_str();
            let mixed = text.contains(|c: char| c.is_ascii_digit()) && text.contains(|c: char| c.is_ascii_lowercase());
            // A word of one kind of characters may be anything.
            let is_hash = *what != "a hash or an id" || mixed;
            if is_hash && found.iter().all(|(range, _)| place.end() <= range.start || range.end <= place.start()) {
                found.push((place.range(), what));
            }
        }
    }
    if ages && let Some(age) = AGE.captures(line).and_then(|captures| captures.get(1)) {
        found.push((age.range(), "an age"));
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_found_once_each() {
        let whats = |line: &str, ages| {
            found(line, ages).into_iter().map(|(range, what)| format!("{what} {}", &line[range])).collect::<Vec<_>>()
        };
        assert_eq!(whats("created 2026-01-02T03:04:05Z", false), ["a date 2026-01-02T03:04:05Z"]);
        assert_eq!(whats("at 03:04:05", false), ["a time 03:04:05"]);
        assert_eq!(
            whats("uid: 0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f", false),
            ["a uid 0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f"]
        );
        assert_eq!(whats("pod/web-5d4f8c7b9-x7k2p created", false), ["a generated name -5d4f8c7b9-x7k2p"]);
        assert_eq!(whats("8e9e05c52164694d, started", false), ["a hash or an id 8e9e05c52164694d"]);
        assert_eq!(whats("demo   Active   12s", true), ["an age 12s"]);
        assert_eq!(whats("web   1/1   Running   0   3m2s", true), ["an age 3m2s"]);
        for fine in
            ["timeout 30s", "namespace/demo created", "aaaaaaaaaaaaaaaa", "[..]", "123456789012345", "web-2-demo"]
        {
            assert!(whats(fine, false).is_empty(), "{fine}");
        }
    }
}
