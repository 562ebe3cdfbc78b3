//! What blocks printed in several runs, as one expectation: `[..]` for what differs.

use std::collections::BTreeSet;
use std::ops::Range;

use super::names::written;

/// A longer expectation hides the text around it.
const MOST_LINES: usize = 12;
/// Of each of several commands so many lines may stand at least.
const LEAST_LINES: usize = 4;
const ANY: &str = "[..]";
const ANY_LINES: &str = "...";

/// What one run printed.
#[derive(Clone)]
pub(super) struct Printed {
    pub(super) lines: Vec<String>,
    /// What other times and clusters print otherwise, although these runs agree on it: the day, and names that
    /// controllers make up.
    pub(super) passing: BTreeSet<String>,
}

/// The same of a block, by what each run printed of each of its commands: what comes of one that is looked at while
/// controllers are at work takes nothing from the others.
pub(super) fn common_of_commands(runs: &[Vec<Printed>]) -> Option<Vec<String>> {
    let count = runs.first()?.len();
    let of = |command: usize| runs.iter().map(|run| &run[command]).cloned().collect::<Vec<Printed>>();
    let commands: Vec<Vec<Printed>> = (0..count).map(of).collect();
    let prints = |runs: &&Vec<Printed>| runs.iter().any(|run| !run.lines.is_empty());
    let most = (MOST_LINES / commands.iter().filter(prints).count().max(1)).max(LEAST_LINES);
    let any = || vec![ANY_LINES.to_owned()];
    let lines = commands.iter().filter(prints).flat_map(|runs| lines_of(runs, most).unwrap_or_else(any));
    told(merged(lines))
}

/// The lines of an `output` fence that all of the runs fit. `None`: they have nothing in common.
pub(super) fn common(runs: &[Printed]) -> Option<Vec<String>> {
    lines_of(runs, MOST_LINES).and_then(told)
}

/// Without blank lines at its ends, where it says something.
fn told(mut lines: Vec<String>) -> Option<Vec<String>> {
    let is_blank = |line: &String| line.trim().is_empty();
    while lines.last().is_some_and(is_blank) {
        lines.pop();
    }
    let first = lines.iter().take_while(|line| is_blank(line)).count();
    lines.drain(..first);
    lines.iter().any(|line| line != ANY_LINES && !is_blank(line)).then_some(lines)
}

fn merged(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut merged: Vec<String> = Vec::new();
    for line in lines {
        if line != ANY_LINES || merged.last().is_none_or(|last| last != ANY_LINES) {
            merged.push(line);
        }
    }
    merged
}

/// At most so many lines that all of the runs fit.
fn lines_of(runs: &[Printed], most: usize) -> Option<Vec<String>> {
    let first = runs.first()?;
    if first.lines.is_empty() || runs.iter().any(|run| run.lines.iter().any(|line| line.contains(ANY))) {
        return None;
    }
    let lines: Vec<String> = if runs.iter().all(|run| run.lines.len() == first.lines.len()) {
        (0..first.lines.len()).map(|at| line(runs, at)).collect()
    } else {
        shared(runs, most / 3)
    };
    let mut merged = merged(lines.into_iter());
    let middle = most / 2..merged.len().saturating_sub(most - most / 2 - 1);
    if merged.len() > most && middle.len() > 1 {
        merged.splice(middle, [ANY_LINES.to_owned()]);
        merged.dedup_by(|a, b| a == ANY_LINES && b == ANY_LINES);
    }
    Some(merged)
}

/// One line of all runs: word by word, or as far as they begin and end alike.
fn line(runs: &[Printed], at: usize) -> String {
    let of_runs: Vec<Vec<&str>> = runs.iter().map(|run| pieces(&run.lines[at])).collect();
    let first = &of_runs[0];
    let passes = passing(runs, at, first);
    let kept = |at: usize| Some(first[at]).filter(|_| !passes[at]);
    let count = first.len();
    let mut words: Vec<Option<&str>> = Vec::new();
    if of_runs.iter().all(|pieces| pieces.len() == count) {
        for at in 0..count {
            let is_same = of_runs.iter().all(|pieces| pieces[at] == first[at]);
            let is_gap = |at: usize| at < count && (passes[at] || of_runs.iter().any(|pieces| pieces[at] != first[at]));
            let is_blank = of_runs.iter().all(|pieces| pieces[at].trim_matches(' ').is_empty());
            // How many blanks stand beside a gap depends on how long what it stands for is.
            let beside = is_blank && !is_same && (at > 0 && is_gap(at - 1) || is_gap(at + 1));
            words.push(if beside { Some(" ") } else { kept(at).filter(|_| is_same) });
        }
    } else {
        let shortest = of_runs.iter().map(Vec::len).min().unwrap_or_default();
        let alike = |at: &usize| of_runs.iter().all(|pieces| pieces[*at] == first[*at]);
        let head = (0..shortest).take_while(alike).count();
        let alike_at_end =
            |at: &usize| of_runs.iter().all(|pieces| pieces[pieces.len() - 1 - at] == first[count - 1 - at]);
        let tail = (0..shortest - head).take_while(alike_at_end).count();
        words.extend((0..head).map(kept));
        words.push(None);
        words.extend((count - tail..count).map(kept));
    }
    let mut out = String::new();
    let mut says = 0;
    for (at, word) in words.iter().enumerate() {
        match word {
            // Blanks between two parts that differ are no part of what is said.
            Some(word) if word.trim().is_empty() && out.ends_with(ANY) && words.get(at + 1) == Some(&None) => {}
            Some(word) if word.len() > 1 && word.trim_matches(' ').is_empty() && out.ends_with(ANY) => out.push(' '),
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

/// Which pieces of the first run's line are of its time or of names that were made up. Where a day is, its year may be too.
fn passing(runs: &[Printed], at: usize, pieces: &[&str]) -> Vec<bool> {
    let line = runs[0].lines[at].as_str();
    let places = |text: &str| line.match_indices(text).map(|(at, text)| at..at + text.len()).collect::<Vec<_>>();
    let mut hidden: Vec<Range<usize>> = runs
        .iter()
        .flat_map(|run| &run.passing)
        .filter(|text| !text.is_empty())
        .flat_map(|text| places(text))
        .collect();
    if !hidden.is_empty() {
        let years: BTreeSet<&str> = runs.iter().flat_map(|run| &run.passing).filter_map(|text| year(text)).collect();
        hidden.extend(years.into_iter().flat_map(places));
    }
    let mut from = 0;
    let is_hidden = |piece: &&str| {
        let own = from..from + piece.len();
        from = own.end;
        !piece.trim().is_empty() && hidden.iter().any(|place| place.start < own.end && own.start < place.end)
    };
    pieces.iter().map(is_hidden).collect()
}

/// The year of a day as `2026-11-29`.
fn year(text: &str) -> Option<&str> {
    let (year, rest) = text.split_once('-')?;
    (year.len() == 4 && rest.len() == 5 && year.bytes().all(|c| c.is_ascii_digit())).then_some(year)
}

/// The first lines that all runs have, in their order: the more there are, the more depends on how far the controllers
/// were.
fn shared(runs: &[Printed], most: usize) -> Vec<String> {
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
                runs.iter().map(|run| Printed { lines: vec![own.clone()], passing: run.passing.clone() }).collect();
            out.push(line(&as_runs, 0));
        } else {
            out.push(ANY_LINES.to_owned());
        }
    }
    // A run may have more where the others end, and what comes late says most of all that it is not over yet.
    let first: Vec<usize> =
        (0..out.len()).filter(|at| out[*at] != ANY_LINES && !out[*at].trim().is_empty()).take(most).collect();
    let mut loose = vec![ANY_LINES.to_owned()];
    for at in first {
        loose.push(out[at].clone());
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
            passing: ["2026-11-28", "28 Nov 2026", "Nov 28", "6b9495d5b5"].map(str::to_owned).into(),
        };
        texts.iter().map(printed).collect()
    }

    #[test]
    fn what_differs_becomes_a_gap() {
        let common = |texts: &[&str]| common(&runs(texts));
        let lines = |of: &[&str]| Some(of.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(common(&["namespace/demo created", "namespace/demo created"]), lines(&["namespace/demo created"]));
        assert_eq!(common(&["NAME   AGE\ndemo   1s", "NAME   AGE\ndemo   12s"]), lines(&["NAME   AGE", "demo   [..]"]));
        let same = lines(&["web   [..] v1"]);
        assert_eq!(common(&["web   9s    v1", "web   8s    v1"]), same);
        assert_eq!(common(&["web   9s    v1", "web   10s   v1"]), same);
        assert_eq!(common(&["AB    CD", "AB   CD"]), lines(&["AB[..]CD"]));
        assert_eq!(common(&["pod/web-ab1 x", "pod/web-cd2 x"]), lines(&["pod/[..] x"]));
        // Of a day nothing is kept, although it is the same in all runs.
        assert_eq!(common(&["at 2026-11-28 ok", "at 2026-11-28 ok"]), lines(&["at [..] ok"]));
        let dated = |text: &str| common(&[text, text]);
        assert_eq!(dated("Created: Sat, 28 Nov 2026 x +0000"), lines(&["Created: Sat, [..] x +0000"]));
        assert_eq!(dated("Sat Nov 28 UTC 2026"), lines(&["Sat [..] UTC [..]"]));
        assert_eq!(dated("in 2026 and 28"), lines(&["in 2026 and 28"]));
        // Nor of a name that a controller made up, which another version makes up otherwise.
        assert_eq!(dated("of web-6b9495d5b5: up"), lines(&["of [..] up"]));
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
        // Of two commands, one that is looked at while things change.
        let of = |texts: &[[&str; 2]]| {
            let texts: Vec<Vec<&str>> = texts.iter().map(|texts| texts.to_vec()).collect();
            common_of_commands(&texts.iter().map(|texts| runs(texts)).collect::<Vec<_>>())
        };
        assert_eq!(
            of(&[["NAME\nweb\nweb2", "one two"], ["NAME", "one two"]]),
            lines(&["...", "NAME", "...", "one two"])
        );
        assert_eq!(of(&[["", "a1"], ["", "b2"]]), None);
        assert_eq!(of(&[["here", "\n"], ["here", "\n"]]), lines(&["here"]));
        assert_eq!(common(&["...", "..."]), lines(&["\\..."]));
        assert_eq!(common(&["${X} is", "${X} is"]), lines(&["$${X} is"]));
    }
}
