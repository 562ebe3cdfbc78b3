//! A block's output against its `output` fence.

use std::borrow::Cow;
use std::collections::BTreeMap;

use similar::{ChangeTag, TextDiff};

use crate::lab::{Expected, ExpectedLine, Piece};
use crate::text::redact;

/// One expected line with its variables filled in: literal pieces between which any text may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Compared {
    Same,
    /// Line by line.
    Differs(Vec<String>),
    /// Some of the output was not kept, and that part decides.
    Unknown,
}

/// What stands in a cut output for the part that was not kept. A line of the output itself that looks so is taken
/// for a part that nobody knows, which is never wrong.
fn is_cut(line: &str) -> bool {
    line.starts_with("[... ") && line.ends_with(" bytes are not kept ...]")
}

/// Compares an output of which some may be missing: what holds whatever is missing, or fails whatever is missing,
/// is known.
pub(super) fn compare(expected: &Expected, output: &str, cut: bool, vars: &BTreeMap<String, String>) -> Compared {
    let compared = compare_all(expected, output, cut, vars);
    // Shown is what may be shown: a secret is looked for in the whole, of which a line may be too little.
    match (compared, redact(output)) {
        (Compared::Differs(_), Cow::Owned(shown)) => match compare_all(expected, &shown, cut, vars) {
            Compared::Differs(lines) => Compared::Differs(lines),
            _ => Compared::Differs(vec!["the difference lies in what is secret, and is hidden".to_owned()]),
        },
        (compared, _) => compared,
    }
}

/// Whether a block that printed this printed what is expected of it.
pub fn prints(expected: &Expected, output: &str, vars: &BTreeMap<String, String>) -> bool {
    difference(expected, output, vars).is_none()
}

fn compare_all(expected: &Expected, output: &str, cut: bool, vars: &BTreeMap<String, String>) -> Compared {
    let seen: Vec<&str> = output.lines().map(str::trim_end).collect();
    let Some(first) = seen.iter().position(|line| is_cut(line)).filter(|_| cut) else {
        return difference(expected, output, vars).map_or(Compared::Same, Compared::Differs);
    };
    let last = seen.iter().rposition(|line| is_cut(line)).unwrap_or(first);
    // The lines beside the gap are parts of lines only; what is between two gaps is not worth the trouble.
    let (head, tail) = (&seen[..first.saturating_sub(1)], &seen[(last + 2).min(seen.len())..]);
    let wanted = wanted(expected, vars);
    let blank = head.iter().take_while(|line| line.is_empty()).count();
    let end = tail.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let (head, tail) = (&head[blank..], &tail[..end]);
    if expected.unordered {
        let known: Vec<&str> = head.iter().chain(tail).copied().collect();
        let (lines, others_allowed) = lines_of(&wanted);
        let taken = assignment(&lines, &known);
        let all_found = taken.iter().flatten().count() == lines.len();
        return match others_allowed {
            true if all_found => Compared::Same,
            false if taken.iter().any(Option::is_none) => Compared::Differs(set_difference(&wanted, &known)),
            _ => Compared::Unknown,
        };
    }
    let before = reach(&wanted, head);
    let after = reach_back(&wanted, tail);
    let holds_whatever = (0..wanted.len()).any(|at| wanted[at] == Wanted::AnyLines && before[at + 1] && after[at]);
    let holds_perhaps = (0..=wanted.len()).any(|at| before[at] && after[at..].contains(&true));
    match (holds_whatever, holds_perhaps) {
        (true, _) => Compared::Same,
        (false, true) => Compared::Unknown,
        (false, false) => Compared::Differs(draw(&wanted, &seen)),
    }
}

/// By how many of the first wanted lines all of these lines can be taken up.
fn reach(wanted: &[Wanted], seen: &[&str]) -> Vec<bool> {
    (0..=wanted.len()).map(|upto| matches_in_order(&wanted[..upto], seen)).collect()
}

/// From which wanted line on the rest of them can take up all of these lines.
fn reach_back(wanted: &[Wanted], seen: &[&str]) -> Vec<bool> {
    (0..=wanted.len()).map(|from| matches_in_order(&wanted[from..], seen)).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    AnyLines,
    Line(Vec<String>),
}

/// The difference line by line, where there is one.
fn difference(expected: &Expected, output: &str, vars: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let wanted = wanted(expected, vars);
    let seen: Vec<&str> = output.trim_matches('\n').lines().map(str::trim_end).collect();
    let first = seen.iter().take_while(|line| line.is_empty()).count();
    let last = seen.iter().rposition(|line| !line.is_empty()).map_or(first, |last| last + 1);
    let seen = &seen[first..last.max(first)];
    let matched = if expected.unordered { matches_as_set(&wanted, seen) } else { matches_in_order(&wanted, seen) };
    (!matched).then(|| if expected.unordered { set_difference(&wanted, seen) } else { draw(&wanted, seen) })
}

fn wanted(expected: &Expected, vars: &BTreeMap<String, String>) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = expected.lines.iter().map(|line| fill(line, vars)).collect();
    // Blank ends do not count.
    let blank = |line: &Wanted| matches!(line, Wanted::Line(pieces) if pieces.iter().all(String::is_empty) && pieces.len() == 1);
    while wanted.last().is_some_and(blank) {
        wanted.pop();
    }
    let start = wanted.iter().take_while(|line| blank(line)).count();
    wanted.drain(..start);
    wanted
}

fn fill(line: &ExpectedLine, vars: &BTreeMap<String, String>) -> Wanted {
    let ExpectedLine::Line { pieces, .. } = line else {
        return Wanted::AnyLines;
    };
    let mut texts = vec![String::new()];
    for piece in pieces {
        match piece {
            Piece::Text(template) => last(&mut texts).push_str(&template.render(vars).unwrap_or_default()),
            Piece::Any => texts.push(String::new()),
        }
    }
    let end = last(&mut texts);
    end.truncate(end.trim_end().len());
    Wanted::Line(texts)
}

fn last(texts: &mut [String]) -> &mut String {
    texts.last_mut().expect("it starts with one text")
}

/// Literal pieces in order, the first at the start and the last at the end.
fn fits(pieces: &[String], line: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return line.is_empty();
    };
    let Some((last, middle)) = rest.split_last() else {
        return first == line;
    };
    let Some(mut left) = line.strip_prefix(first.as_str()) else {
        return false;
    };
    for piece in middle {
        match left.find(piece.as_str()) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last.as_str())
}

/// Which of the wanted lines can be reached after which of the seen ones: a wildcard match over lines.
fn matches_in_order(wanted: &[Wanted], seen: &[&str]) -> bool {
    let mut reached = vec![false; seen.len() + 1];
    reached[0] = true;
    for want in wanted {
        let mut next = vec![false; seen.len() + 1];
        match want {
            Wanted::AnyLines => {
                let mut any = false;
                for (at, reached) in reached.iter().enumerate() {
                    any |= reached;
                    next[at] = any;
                }
            }
            Wanted::Line(pieces) => {
                for (at, line) in seen.iter().enumerate() {
                    next[at + 1] = reached[at] && fits(pieces, line);
                }
            }
        }
        reached = next;
    }
    reached[seen.len()]
}

/// Every wanted line by a line of its own, found by augmenting paths, since wildcards compete.
fn assignment(wanted: &[&Vec<String>], seen: &[&str]) -> Vec<Option<usize>> {
    fn place(
        want: usize,
        wanted: &[&Vec<String>],
        seen: &[&str],
        taken: &mut [Option<usize>],
        tried: &mut [bool],
    ) -> bool {
        for (at, line) in seen.iter().enumerate() {
            if tried[at] || !fits(wanted[want], line) {
                continue;
            }
            tried[at] = true;
            let free = taken[at].is_none_or(|other| place(other, wanted, seen, taken, tried));
            if free {
                taken[at] = Some(want);
                return true;
            }
        }
        false
    }
    let mut taken = vec![None; seen.len()];
    for want in 0..wanted.len() {
        place(want, wanted, seen, &mut taken, &mut vec![false; seen.len()]);
    }
    taken
}

fn lines_of(wanted: &[Wanted]) -> (Vec<&Vec<String>>, bool) {
    let lines = wanted.iter().filter_map(|want| match want {
        Wanted::Line(pieces) => Some(pieces),
        Wanted::AnyLines => None,
    });
    (lines.collect(), wanted.contains(&Wanted::AnyLines))
}

fn matches_as_set(wanted: &[Wanted], seen: &[&str]) -> bool {
    let (lines, others_allowed) = lines_of(wanted);
    let taken = assignment(&lines, seen);
    taken.iter().flatten().count() == lines.len() && (others_allowed || taken.iter().all(Option::is_some))
}

fn set_difference(wanted: &[Wanted], seen: &[&str]) -> Vec<String> {
    let (lines, others_allowed) = lines_of(wanted);
    let taken = assignment(&lines, seen);
    let missing =
        (0..lines.len()).filter(|want| !taken.contains(&Some(*want))).map(|want| format!("- {}", shown(lines[want])));
    let extra = seen
        .iter()
        .zip(&taken)
        .filter(|(_, taken)| taken.is_none() && !others_allowed)
        .map(|(line, _)| format!("+ {line}"));
    missing.chain(extra).collect()
}

fn shown(pieces: &[String]) -> String {
    pieces.join("[..]")
}

/// The usual picture: `-` wanted and missing, `+` seen and not wanted. A wanted line that some seen line fits
/// is drawn as that line, so that a wildcard is no difference.
fn draw(wanted: &[Wanted], seen: &[&str]) -> Vec<String> {
    let mut from = 0;
    let mut left: Vec<String> = Vec::new();
    for want in wanted {
        match want {
            Wanted::AnyLines => left.push("...".to_owned()),
            Wanted::Line(pieces) => {
                let found = seen[from..].iter().position(|line| fits(pieces, line));
                left.push(found.map_or_else(|| shown(pieces), |at| seen[from + at].to_owned()));
                from = found.map_or(from, |at| from + at + 1);
            }
        }
    }
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    let diff = TextDiff::from_slices(&left, seen);
    let mut lines: Vec<String> = Vec::new();
    for change in diff.iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Equal => ' ',
            ChangeTag::Delete if change.value() == "..." => ' ',
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        lines.push(format!("{sign} {}", change.value()));
    }
    // What `...` covers is no difference, unless a line is missing before it: then the line that should have
    // been it is among them.
    let mut drawn: Vec<String> = Vec::new();
    let mut covered = false;
    for line in lines {
        if line == "  ..." {
            covered = !drawn.last().is_some_and(|before| before.starts_with('-'));
        } else if !line.starts_with('+') {
            covered = false;
        } else if covered {
            continue;
        }
        drawn.push(line);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Template, TemplatePart};
    use crate::text::{Span, Spanned};

    /// `...` and `[..]` as a lab writes them; `$NAME` is a variable.
    fn expected(text: &str, unordered: bool) -> Expected {
        let lines = text.lines().enumerate().map(|(number, line)| {
            if line == "..." {
                return ExpectedLine::AnyLines;
            }
            let mut pieces = Vec::new();
            for (index, part) in line.split("[..]").enumerate() {
                if index > 0 {
                    pieces.push(Piece::Any);
                }
                let part = match part.strip_prefix('$') {
                    Some(name) => TemplatePart::Var(Spanned::new(name.to_owned(), Span::default())),
                    None => TemplatePart::Text(part.to_owned()),
                };
                pieces.push(Piece::Text(Template { parts: vec![part], span: Span::default() }));
            }
            ExpectedLine::Line { number, pieces }
        });
        Expected { span: Span::default(), unordered, lines: lines.collect() }
    }

    fn compare(wanted: &str, output: &str) -> Option<Vec<String>> {
        let vars = [("NS".to_owned(), "[..]*".to_owned())].into();
        super::difference(&expected(wanted, false), output, &vars)
    }

    #[test]
    fn equal_but_for_blank_ends() {
        assert_eq!(compare("a\nb", "\na  \nb\n\n"), None);
        assert_eq!(compare("a\n\nb", "a\nb"), Some(vec!["  a".to_owned(), "- ".to_owned(), "  b".to_owned()]));
        assert_eq!(compare("", ""), None);
        assert_eq!(compare("", "a"), Some(vec!["+ a".to_owned()]));
    }

    #[test]
    fn wildcards_stand_for_lines_and_for_text() {
        assert_eq!(compare("a\n...\nd", "a\nb\nc\nd"), None);
        assert_eq!(compare("a\n...\nd", "a\nd"), None);
        assert_eq!(compare("pod/[..] created[..]", "pod/web-x1 created (dry run)"), None);
        assert_eq!(compare("[..]b[..]b", "ab"), Some(vec!["- [..]b[..]b".to_owned(), "+ ab".to_owned()]));
        // A greedy reader would take the first x and miss the second.
        assert_eq!(compare("...\nx\nend", "x\ny\nx\nend"), None);
    }

    #[test]
    fn a_variable_is_data() {
        assert_eq!(compare("$NS", "[..]*"), None);
        assert!(compare("$NS", "anything").is_some());
    }

    #[test]
    fn the_difference_shows_only_what_differs() {
        let drawn =
            compare("NAME [..]\nweb Running\n...\nlast", "NAME READY\nweb Pending\nx\nlast").expect("it differs");
        assert_eq!(drawn, ["  NAME READY", "- web Running", "  ...", "+ web Pending", "+ x", "  last"]);
        let drawn = compare("a\n...\nlast", "a\nx\ny").expect("it differs");
        assert_eq!(drawn, ["  a", "  ...", "- last", "+ x", "+ y"]);
    }

    #[test]
    fn what_was_not_kept_leaves_only_that_known_which_it_cannot_change() {
        let output = "first\na\nhal\n[... 99 bytes are not kept ...]\nf\nb\nlast\n";
        let compare = |wanted, unordered| super::compare(&expected(wanted, unordered), output, true, &BTreeMap::new());
        assert_eq!(compare("first\n...\nlast", false), Compared::Same);
        assert_eq!(compare("first\na\n...\nb\nlast", false), Compared::Same);
        assert_eq!(compare("...", false), Compared::Same);
        assert_eq!(compare("...\nERROR\n...", false), Compared::Unknown);
        assert_eq!(compare("first\na\nhalf\nb\nlast", false), Compared::Unknown);
        assert!(matches!(compare("other\n...", false), Compared::Differs(_)));
        assert!(matches!(compare("first\n...\nother", false), Compared::Differs(_)));
        assert!(matches!(compare("first", false), Compared::Differs(_)));
        assert_eq!(compare("last\na\n...", true), Compared::Same);
        assert_eq!(compare("ERROR\n...", true), Compared::Unknown);
        assert!(matches!(compare("first\na\nERROR", true), Compared::Differs(_)));
        let whole = |wanted| super::compare(&expected(wanted, false), output, false, &BTreeMap::new());
        assert!(matches!(whole("first\na\nhalf"), Compared::Differs(_)), "a line that looks like a gap is none");
    }

    #[test]
    fn a_set_ignores_order_and_lets_wildcards_give_way() {
        let vars = BTreeMap::new();
        let set = |wanted, output| difference(&expected(wanted, true), output, &vars);
        assert_eq!(set("[..]\na", "a\nb"), None);
        assert_eq!(set("a\nb", "b\na\nc"), Some(vec!["+ c".to_owned()]));
        assert_eq!(set("a\n...", "b\na\nc"), None);
        assert_eq!(set("a\na", "a"), Some(vec!["- a".to_owned()]));
    }
}
