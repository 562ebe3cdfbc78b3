//! What blocks printed in several runs, as one expectation: `[..]` for what differs.

use std::collections::BTreeSet;

use super::names::written;

/// A longer expectation hides the text around it.
const MOST_LINES: usize = 12;
/// Of one that is longer so many lines are kept at its beginning and at its end.
const HEAD: usize = 6;
const TAIL: usize = 5;
const ANY: &str = "[..]";
const ANY_LINES: &str = "...";

/// What one run printed.
pub(super) struct Printed {
    pub(super) lines: Vec<String>,
    /// The day, as texts may have it: all runs are of one.
    pub(super) days: BTreeSet<String>,
}

/// The lines of an `output` fence that all of the runs fit. `None`: they have nothing in common.
pub(super) fn common(runs: &[Printed]) -> Option<Vec<String>> {
    let first = runs.first()?;
    if first.lines.is_empty() || runs.iter().any(|run| run.lines.iter().any(|line| line.contains(ANY))) {
        return None;
    }
    let lines = if runs.iter().all(|run| run.lines.len() == first.lines.len()) {
        (0..first.lines.len()).map(|at| line(runs, at)).collect()
    } else {
        shared(runs)
    };
    let mut merged: Vec<String> = Vec::new();
    for line in lines {
        if line != ANY_LINES || merged.last().is_none_or(|last| last != ANY_LINES) {
            merged.push(line);
        }
    }
    let middle = HEAD..merged.len().saturating_sub(TAIL);
    if merged.len() > MOST_LINES && middle.len() > 1 {
        merged.splice(middle, [ANY_LINES.to_owned()]);
        merged.dedup_by(|a, b| a == ANY_LINES && b == ANY_LINES);
    }
    let says = merged.iter().any(|line| line != ANY_LINES && !line.trim().is_empty());
    says.then_some(merged)
}

/// One line of all runs: word by word, or as far as they begin and end alike.
fn line(runs: &[Printed], at: usize) -> String {
    let of_runs: Vec<Vec<&str>> = runs.iter().map(|run| pieces(&run.lines[at])).collect();
    let own = |piece: &str| runs.iter().any(|run| run.days.iter().any(|day| piece.contains(day.as_str())));
    let first = &of_runs[0];
    let count = first.len();
    let mut words: Vec<Option<&str>> = Vec::new();
    if of_runs.iter().all(|pieces| pieces.len() == count) {
        for at in 0..count {
            let is_same = of_runs.iter().all(|pieces| pieces[at] == first[at]);
            words.push(Some(first[at]).filter(|piece| is_same && !own(piece)));
        }
    } else {
        let shortest = of_runs.iter().map(Vec::len).min().unwrap_or_default();
        let alike = |at: &usize| of_runs.iter().all(|pieces| pieces[*at] == first[*at]);
        let head = (0..shortest).take_while(alike).count();
        let alike_at_end =
            |at: &usize| of_runs.iter().all(|pieces| pieces[pieces.len() - 1 - at] == first[count - 1 - at]);
        let tail = (0..shortest - head).take_while(alike_at_end).count();
        words.extend(first[..head].iter().map(|piece| Some(*piece).filter(|piece| !own(piece))));
        words.push(None);
        words.extend(first[count - tail..].iter().map(|piece| Some(*piece).filter(|piece| !own(piece))));
    }
    let mut out = String::new();
    let mut says = 0;
    for (at, word) in words.iter().enumerate() {
        match word {
            // Blanks between two parts that differ are no part of what is said.
            Some(word) if word.trim().is_empty() && out.ends_with(ANY) && words.get(at + 1) == Some(&None) => {}
            Some(word) => {
                says = says.max(word.chars().filter(|c| c.is_alphanumeric()).count());
                out.push_str(word);
            }
            None if out.ends_with(ANY) => {}
            None => out.push_str(ANY),
        }
    }
    if out.trim().is_empty() {
        return String::new();
    }
    if says < 2 && out.contains(ANY) {
        return ANY_LINES.to_owned();
    }
    escaped(written(&out).trim_end())
}

/// Lines that all runs have, in their order.
fn shared(runs: &[Printed]) -> Vec<String> {
    let mut lines: Vec<&str> = runs[0].lines.iter().map(String::as_str).collect();
    for run in &runs[1..] {
        let other: Vec<&str> = run.lines.iter().map(String::as_str).collect();
        let diff = similar::TextDiff::from_slices(&lines, &other);
        lines = diff
            .iter_all_changes()
            .filter(|change| change.tag() == similar::ChangeTag::Equal)
            .map(|change| change.value())
            .collect();
    }
    let mut out = Vec::new();
    let mut rest = lines.into_iter().peekable();
    for own in &runs[0].lines {
        if rest.peek() == Some(&own.as_str()) {
            rest.next();
            let as_runs: Vec<Printed> =
                runs.iter().map(|run| Printed { lines: vec![own.clone()], days: run.days.clone() }).collect();
            out.push(line(&as_runs, 0));
        } else {
            out.push(ANY_LINES.to_owned());
        }
    }
    // A run may have more at any place.
    let mut loose = vec![ANY_LINES.to_owned()];
    for line in out {
        loose.push(line);
        loose.push(ANY_LINES.to_owned());
    }
    loose
}

/// Words and what stands between them.
fn pieces(line: &str) -> Vec<&str> {
    let between = |c: char| c.is_whitespace() || ",/=()[]{}\"'<>".contains(c);
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut last: Option<bool> = None;
    for (at, c) in line.char_indices() {
        let is_between = between(c);
        if last.is_some_and(|last| last != is_between) {
            pieces.push(&line[from..at]);
            from = at;
        }
        last = Some(is_between);
    }
    if from < line.len() {
        pieces.push(&line[from..]);
    }
    pieces
}

/// A line that would be read as something else.
fn escaped(line: &str) -> String {
    if line == ANY_LINES || line.starts_with('\\') { format!("\\{line}") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(texts: &[&str]) -> Vec<Printed> {
        let printed = |text: &&str| Printed {
            lines: text.lines().map(str::to_owned).collect(),
            days: BTreeSet::from(["2026-11-28".to_owned()]),
        };
        texts.iter().map(printed).collect()
    }

    #[test]
    fn what_differs_becomes_a_gap() {
        let common = |texts: &[&str]| common(&runs(texts));
        let lines = |of: &[&str]| Some(of.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(common(&["namespace/demo created", "namespace/demo created"]), lines(&["namespace/demo created"]));
        assert_eq!(common(&["NAME   AGE\ndemo   1s", "NAME   AGE\ndemo   12s"]), lines(&["NAME   AGE", "demo   [..]"]));
        assert_eq!(common(&["pod/web-ab1 x", "pod/web-cd2 x"]), lines(&["pod/[..] x"]));
        // Of a day nothing is kept, although it is the same in all runs.
        assert_eq!(common(&["at 2026-11-28 ok", "at 2026-11-28 ok"]), lines(&["at [..] ok"]));
        assert_eq!(common(&["lease 1a granted", "lease 2b3 4 granted"]), lines(&["lease [..] granted"]));
        assert_eq!(common(&["one", "two"]), None);
        assert_eq!(common(&["", ""]), None);
        assert_eq!(common(&["a1b2\nkept here", "kept here"]), lines(&["...", "kept here", "..."]));
        let long = (10..40).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat();
        let kept = common(&[&long, &long]).expect("an expectation");
        assert_eq!(
            (kept.len(), kept[5].as_str(), kept[6].as_str(), kept[7].as_str()),
            (12, "line 15", "...", "line 35")
        );
        assert_eq!(common(&["...", "..."]), lines(&["\\..."]));
        assert_eq!(common(&["${X} is", "${X} is"]), lines(&["$${X} is"]));
    }
}
