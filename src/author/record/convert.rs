//! A tutorial of another tool as a file of its own, in which lines may change: fences of a shell run, those with prompts
//! are of `console`, and front matter that no lab has is left out but for its title.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::additions::replaced;
use crate::parse::{FenceOutline, is_ours, outline};
use crate::text::SourceFile;

/// Languages of shells that a lab only shows.
pub(super) const SHELLS: [&str; 7] = ["shell", "zsh", "shell-session", "terminal", "ksh", "fish", "command"];
/// What a fence without a language begins with where it shows a shell.
const PROMPTS: [&str; 2] = ["$ kubectl ", "$ etcdctl "];

/// A comment between a command and another that does the same.
static ALTERNATIVE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)^\s*#\s*(or|alternatively)\b").expect("a constant"));

pub fn converted(source: &SourceFile, to: &Path) -> SourceFile {
    let text = source.text();
    let parts = outline(source);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    if parts.body > 0 && !is_ours(text) {
        let title = text[..parts.body].lines().find(|line| line.starts_with("title:"));
        if let Some(title) = title {
            out.push_str(&format!("---\n{title}\n---\n"));
        }
        from = parts.body;
    }
    for fence in &parts.fences {
        let span = fence.language.span;
        if let Some(language) = language(fence)
            && span.start >= from
        {
            out.push_str(&text[from..span.start]);
            out.push_str(language);
            from = span.end;
        }
    }
    out.push_str(&text[from..]);
    told(&apart(&SourceFile::new(to.display().to_string(), to, out)))
}

/// What a `console` fence tells in comments between its commands stands between fences: there it would be taken for what
/// a command prints.
fn told(source: &SourceFile) -> SourceFile {
    let mut places = Vec::new();
    for fence in outline(source).fences.iter().filter(|fence| fence.language.value == "console") {
        let Some(Rows { marker, first, last }) = rows(source, fence) else { continue };
        let is_blank = |row: &usize| source.line(*row).trim().is_empty();
        let is_comment = |row: &usize| source.line(*row).starts_with('#');
        let mut above = first;
        for row in first + 1..last {
            let run = (row..last).take_while(is_comment).count();
            let command = (row + run..last).find(|row| !is_blank(row));
            let is_told = run > 0 && row > above && (row == above + 1 || is_blank(&(row - 1)));
            let Some(command) = command.filter(|at| is_told && source.line(*at).starts_with("$ ")) else { continue };
            let blanks = (first + 1..row).rev().take_while(is_blank).count();
            let text = (row..row + run).map(|row| source.line(row).trim_start_matches('#').trim().to_owned());
            let (mut from, mut lines) = (row - blanks, Vec::new());
            if from == first + 1 {
                from = first;
                lines.extend((!is_blank(&(first - 1))).then(String::new));
            } else {
                lines.extend([marker.clone(), String::new()]);
            }
            lines.extend(text);
            lines.extend([String::new(), source.line(first).to_owned()]);
            places.push((from, command - 1, lines));
            above = command;
        }
    }
    SourceFile::new(source.name().to_owned(), source.path(), replaced(source.text(), &places))
}

/// The lines of a fence that nothing is said of: its opening and its closing one.
struct Rows {
    marker: String,
    first: usize,
    last: usize,
}

fn rows(source: &SourceFile, fence: &FenceOutline) -> Option<Rows> {
    let (first, last) =
        (source.position(fence.span.start).line, source.position(fence.span.end.saturating_sub(1)).line);
    let marker: String = source.line(first).chars().take_while(|c| matches!(c, '`' | '~')).collect();
    (fence.braces.is_none() && !marker.is_empty()).then_some(Rows { marker, first, last })
}

/// What a block offers as another way to the same stands in a block of its own, which is only shown.
fn apart(source: &SourceFile) -> SourceFile {
    let mut places = Vec::new();
    for fence in outline(source).fences {
        if !matches!(fence.language.value.as_str(), "bash" | "sh") {
            continue;
        }
        let Some(Rows { marker, first, last }) = rows(source, &fence) else { continue };
        // Nothing runs before a comment that stands first.
        let runs = |line: &usize| !source.line(*line).trim().is_empty() && !source.line(*line).starts_with('#');
        let Some(begin) = (first + 1..last).find(runs) else { continue };
        let Some(at) = (begin..last).find(|line| ALTERNATIVE.is_match(source.line(*line))) else { continue };
        let blank = |line: &usize| source.line(*line).trim().is_empty();
        let from = (begin..at).rev().take_while(blank).last().unwrap_or(at);
        let to = (at + 1..last).take_while(blank).last().unwrap_or(at);
        let lines = [marker.as_str(), "", "or", "", &format!("{marker}{} {{norun}}", fence.language.value)];
        places.push((from, to, lines.map(str::to_owned).to_vec()));
    }
    SourceFile::new(source.name().to_owned(), source.path(), replaced(source.text(), &places))
}

/// The same with the fences that begin at these lines only shown; from a line of theirs on, where one is given and a
/// command stands before it.
pub fn only_shown(source: &SourceFile, fences: &BTreeMap<usize, Option<usize>>) -> SourceFile {
    let mut places = Vec::new();
    for fence in outline(source).fences.iter().filter(|fence| fence.braces.is_none()) {
        let line = source.position(fence.span.start).line;
        let Some(from) = fences.get(&line) else { continue };
        let split = from.and_then(|from| divided(source, fence, from));
        places.push(split.unwrap_or_else(|| {
            let end = fence.language.span.end - source.line_start(line);
            let (head, rest) = source.line(line).split_at(end);
            (line, line, vec![format!("{head} {{norun}}{rest}")])
        }));
    }
    SourceFile::new(source.name().to_owned(), source.path(), replaced(source.text(), &places))
}

/// What stands in a fence from this line on, with the comment above it, in a fence of its own that is only shown.
fn divided(source: &SourceFile, fence: &FenceOutline, from: usize) -> Option<(usize, usize, Vec<String>)> {
    let Rows { marker, first, .. } = rows(source, fence)?;
    let language = fence.language.value.as_str();
    let is_blank = |row: &usize| source.line(*row).trim().is_empty();
    let is_comment = |row: &usize| language != "console" && source.line(*row).starts_with('#');
    let begin = (first + 1..from).rev().take_while(is_comment).last().unwrap_or(from);
    let end = (first + 1..begin).rev().find(|row| !is_blank(row))?;
    (first + 1..=end).find(|row| !is_blank(row) && !is_comment(row))?;
    let lines = [marker.clone(), String::new(), format!("{marker}{language} {{norun}}"), source.line(begin).to_owned()];
    Some((end + 1, begin, lines.to_vec()))
}

/// What the fence is in a lab, where that is another language.
fn language(fence: &FenceOutline) -> Option<&'static str> {
    let own = fence.language.value.to_ascii_lowercase();
    let content = fence.content.text();
    let first = content.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    let has_prompt = first.starts_with("$ ");
    match own.as_str() {
        "bash" | "sh" if has_prompt => Some("console"),
        "" if PROMPTS.iter().any(|prompt| first.starts_with(prompt)) => Some("console"),
        language if SHELLS.contains(&language) => Some(if has_prompt { "console" } else { "bash" }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_of_shells_run_and_foreign_front_matter_goes() {
        let page = "---\ntitle: Keys\nweight: 30\n---\n\n```shell\nkubectl get ns\n```\n\n```bash\n$ etcdctl put a b\nOK\n```\n\n```\n$ etcdctl get a\n```\n\n```\nplain\n```\n";
        let of = |text: &str| converted(&SourceFile::new("a.md", "a.md", text), Path::new("b.md")).text().to_owned();
        assert_eq!(
            of(page),
            "---\ntitle: Keys\n---\n\n```bash\nkubectl get ns\n```\n\n```console\n$ etcdctl put a b\nOK\n```\n\n```console\n$ etcdctl get a\n```\n\n```\nplain\n```\n"
        );
        assert_eq!(
            of("```bash\n# or so\nkubectl get ns\n\n# or\n\nkubectl get namespaces\n#or\nls\n```\n"),
            "```bash\n# or so\nkubectl get ns\n```\n\nor\n\n```bash {norun}\nkubectl get namespaces\n#or\nls\n```\n"
        );
        assert_eq!(
            of("```bash\n# put it\n# twice\n\n$ etcdctl put a 1\nOK\n# no\n\n# get it\n$ etcdctl get a\n# none\n```\n"),
            "put it\ntwice\n\n```console\n$ etcdctl put a 1\nOK\n# no\n```\n\nget it\n\n```console\n$ etcdctl get a\n# none\n```\n"
        );
        let shown = |text: &str, line, from| {
            only_shown(&SourceFile::new("a.md", "a.md", text), &BTreeMap::from([(line, from)])).text().to_owned()
        };
        assert!(shown(page, 10, None).contains("\n```bash {norun}\n$ etcdctl put a b\n"), "{}", shown(page, 10, None));
        // What stands before the command that fails runs.
        let two = "```bash\n# first\nls\n\n# then\nls /no\nls /nor\n```\n";
        assert_eq!(
            shown(two, 1, Some(6)),
            "```bash\n# first\nls\n```\n\n```bash {norun}\n# then\nls /no\nls /nor\n```\n"
        );
        assert_eq!(shown(two, 1, Some(3)), two.replacen("```bash", "```bash {norun}", 1));
        assert_eq!(
            shown("```console\n$ ls\n# a\n$ ls /no\n```\n", 1, Some(4)),
            "```console\n$ ls\n# a\n```\n\n```console {norun}\n$ ls /no\n```\n"
        );
        let lab = "---\ntitle: A\nlevel: beginner\n---\n## A\n\n```bash\nls\n```\n";
        assert_eq!(of(lab), lab);
    }
}
