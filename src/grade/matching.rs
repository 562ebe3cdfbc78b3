//! Patterns against events, each seen as a number and a question whether they fit.

/// Which event satisfies each pattern, as far as that goes; whole where every one has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matched {
    pub(super) events: Vec<Option<usize>>,
}

impl Matched {
    pub(super) fn is_whole(&self) -> bool {
        self.events.iter().all(Option::is_some)
    }

    /// The first pattern without an event.
    pub(super) fn first_open(&self) -> Option<usize> {
        self.events.iter().position(Option::is_none)
    }
}

/// Each pattern by an event later than the one before; the earliest fit is never worse than a later one.
pub(super) fn ordered(patterns: usize, events: usize, fits: &mut dyn FnMut(usize, usize) -> bool) -> Matched {
    let mut found = vec![None; patterns];
    let mut from = 0;
    for (pattern, slot) in found.iter_mut().enumerate() {
        let Some(event) = (from..events).find(|event| fits(pattern, *event)) else { break };
        *slot = Some(event);
        from = event + 1;
    }
    Matched { events: found }
}

/// One unbroken run of events; where there is none, the run that gets furthest. `apart` says whether a
/// hole lies between an event and the next.
pub(super) fn strict(
    patterns: usize,
    events: usize,
    fits: &mut dyn FnMut(usize, usize) -> bool,
    apart: &dyn Fn(usize) -> bool,
) -> Matched {
    let mut best = Vec::new();
    for start in 0..events {
        let mut run = Vec::new();
        while run.len() < patterns {
            let event = start + run.len();
            if event >= events || (!run.is_empty() && apart(event - 1)) || !fits(run.len(), event) {
                break;
            }
            run.push(Some(event));
        }
        if run.len() > best.len() {
            best = run;
        }
        if best.len() == patterns {
            break;
        }
    }
    best.resize(patterns, None);
    Matched { events: best }
}

/// Each pattern by an event of its own, in any order: the largest matching, by augmenting paths, since a
/// wide pattern must not take the only event of a narrow one.
pub(super) fn unordered(patterns: usize, events: usize, fits: &mut dyn FnMut(usize, usize) -> bool) -> Matched {
    let edges: Vec<Vec<usize>> =
        (0..patterns).map(|pattern| (0..events).filter(|event| fits(pattern, *event)).collect()).collect();
    let mut taken: Vec<Option<usize>> = vec![None; events];
    for pattern in 0..patterns {
        augment(pattern, &edges, &mut taken, &mut vec![false; events]);
    }
    let mut found = vec![None; patterns];
    for (event, pattern) in taken.iter().enumerate() {
        if let Some(pattern) = pattern {
            found[*pattern] = Some(event);
        }
    }
    Matched { events: found }
}

fn augment(pattern: usize, edges: &[Vec<usize>], taken: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for &event in &edges[pattern] {
        if std::mem::replace(&mut tried[event], true) {
            continue;
        }
        if taken[event].is_none_or(|other| augment(other, edges, taken, tried)) {
            taken[event] = Some(pattern);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patterns and events as letters; `*` fits all.
    fn table(patterns: &'static str, events: &'static str) -> impl FnMut(usize, usize) -> bool {
        move |pattern, event| {
            let wanted = patterns.as_bytes()[pattern];
            wanted == b'*' || wanted == events.as_bytes()[event]
        }
    }

    fn ordered_of(patterns: &'static str, events: &'static str) -> Vec<Option<usize>> {
        ordered(patterns.len(), events.len(), &mut table(patterns, events)).events
    }

    fn strict_of(patterns: &'static str, events: &'static str) -> Vec<Option<usize>> {
        strict(patterns.len(), events.len(), &mut table(patterns, events), &|_| false).events
    }

    #[test]
    fn others_may_lie_between_ordered_events_but_order_counts() {
        assert_eq!(ordered_of("abc", "xaxbxc"), [Some(1), Some(3), Some(5)]);
        assert_eq!(ordered_of("ab", "ba"), [Some(1), None]);
        assert_eq!(ordered_of("aa", "a"), [Some(0), None], "one event does not do for two lines");
    }

    #[test]
    fn strict_finds_a_later_run_and_otherwise_the_one_that_gets_furthest() {
        assert_eq!(strict_of("aab", "aaab"), [Some(1), Some(2), Some(3)]);
        assert_eq!(strict_of("abc", "abxabc"), [Some(3), Some(4), Some(5)]);
        assert_eq!(strict_of("abc", "axabx"), [Some(2), Some(3), None]);
        assert_eq!(strict_of("ab", ""), [None, None]);
    }

    #[test]
    fn a_strict_run_does_not_cross_a_hole() {
        let found = strict(2, 2, &mut table("ab", "ab"), &|event| event == 0);
        assert_eq!(found.events, [Some(0), None]);
    }

    #[test]
    fn a_wide_pattern_leaves_the_only_event_of_a_narrow_one() {
        let found = unordered(3, 3, &mut table("**a", "abc"));
        assert!(found.is_whole());
        assert_eq!(found.events[2], Some(0));
        let found = unordered(2, 2, &mut table("aa", "ab"));
        assert_eq!(found.first_open(), Some(1));
    }
}
