//! Every block as bash itself reads it: `bash -n`, which runs nothing.

use std::collections::HashMap;
use std::io::{Seek as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use regex::Regex;

use super::Parsed;
use super::context::Context;
use super::findings::NO_BASH;
use crate::lab::{CodeLine, Ending, Item, Step};
use crate::text::SourceFile;

/// The lines of one block.
#[derive(Debug)]
pub(super) struct Script {
    lines: Vec<CodeLine>,
}

static COMPLAINT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^[^\n]*?: line (\d+): (.*)$").expect("a regular expression of ours"));

/// The blocks that bash is to read: those in which nothing else was found, and which no shell of another kind gets.
pub(super) fn scripts(steps: &[Step], cx: &Context<'_>) -> Vec<Script> {
    let mut nested: Vec<&str> = Vec::new();
    let mut scripts = Vec::new();
    for action in steps.iter().flat_map(|step| &step.items).filter_map(|item| match item {
        Item::Action(action) if !action.norun => Some(action),
        _ => None,
    }) {
        let lines: Vec<CodeLine> = action.code.lines().cloned().collect();
        let leaves = lines.iter().any(|line| matches!(line.text.trim(), "exit" | "logout"));
        let is_nested = nested.contains(&action.terminal.as_str());
        if action.opens {
            nested.push(&action.terminal);
        } else if is_nested && leaves {
            nested.retain(|terminal| *terminal != action.terminal);
        }
        // A block that is meant to fail may fail in this way.
        if !is_nested && action.ending == Ending::Success && !cx.findings.any_in(action.span) && !lines.is_empty() {
            scripts.push(Script { lines });
        }
    }
    scripts
}

/// What bash said of scripts before: most blocks of a lab that is being written stay as they are.
#[derive(Debug, Default)]
pub struct Heard(HashMap<String, Option<(usize, String)>>);

/// So many scripts are remembered.
const REMEMBERED: usize = 5000;
/// And so many read by one bash.
const ONE_CALL: usize = 200;

impl Heard {
    /// Asks bash about those that it has not read.
    fn ask<'s>(&mut self, scripts: impl Iterator<Item = &'s Script> + Clone) {
        let is_new =
            |heard: &Self| scripts.clone().map(Script::text).filter(|text| !heard.0.contains_key(text)).collect();
        let mut new: Vec<String> = is_new(self);
        if !new.is_empty() && self.0.len() > REMEMBERED {
            self.0.clear();
            new = is_new(self);
        }
        new.sort_unstable();
        new.dedup();
        let parts = std::thread::available_parallelism().map_or(1, usize::from).min(new.len() / ONE_CALL + 1);
        let read = |part: &[String]| {
            let mut heard = Self::default();
            part.chunks(ONE_CALL).for_each(|scripts| heard.read(scripts));
            heard
        };
        std::thread::scope(|scope| {
            let size = new.len().div_ceil(parts).max(1);
            let parts: Vec<_> = new.chunks(size).map(|part| scope.spawn(move || read(part))).collect();
            for part in parts {
                match part.join() {
                    Ok(heard) => self.0.extend(heard.0),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
    }

    /// One call answers for all where they are sound: each is a function's body, so that none can end what another
    /// begins. Else the halves are asked.
    fn read(&mut self, scripts: &[String]) {
        let said = match scripts {
            [] => return,
            [one] => complaint(one),
            all => {
                let mut whole = String::new();
                for script in all {
                    whole += &format!("f() {{ :\n{script}\n}}\n");
                }
                complaint(&whole)
            }
        };
        match (scripts, said) {
            (all, None) => self.0.extend(all.iter().map(|script| (script.clone(), None))),
            ([one], said) => drop(self.0.insert(one.clone(), said)),
            (all, Some(_)) => {
                let (left, right) = all.split_at(all.len() / 2);
                self.read(left);
                self.read(right);
            }
        }
    }
}

/// As [`ask_bash`] of each lab, with fewer calls of bash.
pub fn ask_bash_of_all(parsed: &mut [Parsed], sources: &[SourceFile]) {
    let mut heard = Heard::default();
    heard.ask(parsed.iter().flat_map(|parsed| &parsed.scripts));
    for (parsed, source) in parsed.iter_mut().zip(sources) {
        ask_bash(parsed, source, &mut heard);
    }
}

/// Has bash read all blocks of a lab, and adds what it finds. Without bash there is nothing to say.
pub fn ask_bash(parsed: &mut Parsed, source: &SourceFile, heard: &mut Heard) {
    let scripts = std::mem::take(&mut parsed.scripts);
    heard.ask(scripts.iter());
    for script in scripts {
        let Some(Some((line, message))) = heard.0.get(&script.text()) else { continue };
        // At the end of the script, where something was left open, there is no line.
        let last = script.lines.iter().rposition(|line| !line.text.trim().is_empty()).unwrap_or(0);
        let Some(at) = script.lines.get(line.saturating_sub(1).min(last)) else { continue };
        let text = at.text.trim_end();
        let from = text.len() - text.trim_start().len();
        let part = near(message, text).unwrap_or(from..text.len());
        let finding = NO_BASH.finding(
            source.place_in_line(at.number, &at.text, part),
            format!("bash does not understand this block: {message}"),
            Some("fix it, or mark the block `norun` where it is only shown".to_owned()),
        );
        parsed.findings.push(finding);
        parsed.refuse();
    }
    parsed.findings.sort_by_key(|finding| (finding.span.start, finding.span.end, finding.code));
}

/// The token that bash names, where the line has it once.
fn near(message: &str, line: &str) -> Option<std::ops::Range<usize>> {
    let token = message.strip_prefix("syntax error near unexpected token `")?.strip_suffix('\'')?;
    let mut found = line.match_indices(token);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Some(at..at + token.len()),
        _ => None,
    }
}

impl Script {
    fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }
}

/// The first line that bash does not understand, and its words.
fn complaint(script: &str) -> Option<(usize, String)> {
    // A pipe bash reads byte by byte, a system call each: it might be another's after the script.
    let mut file = tempfile::tempfile().ok()?;
    file.write_all(script.as_bytes()).ok()?;
    file.rewind().ok()?;
    // The language of the message is ours to read; extended patterns may have been switched on by a block before.
    let output = Command::new("bash")
        .args(["--norc", "--noprofile", "-O", "extglob", "-n"])
        .env_remove("BASH_ENV")
        .env("LC_ALL", "C")
        .stdin(file)
        .stdout(Stdio::null())
        .output()
        .ok()?;
    if output.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let found = COMPLAINT.captures(&said)?;
    Some((found[1].parse().ok()?, found[2].trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn found(body: &str) -> Vec<(usize, String)> {
        let source = SourceFile::new("lab.md", "lab.md", format!("---\ntitle: A lab\n---\n## A step\n\n{body}"));
        let mut parsed = parse(&source);
        ask_bash(&mut parsed, &source, &mut Heard::default());
        let findings = parsed.findings.iter().filter(|finding| finding.code == NO_BASH.code);
        findings.map(|f| (source.position(f.span.start).line, source.slice(f.span).to_owned())).collect()
    }

    #[test]
    fn what_bash_does_not_understand_is_found_at_its_place() {
        assert_eq!(found("```bash\necho a\ndone\n```\n"), [(8, "done".to_owned())]);
        assert_eq!(found("- item\n\n  ```bash\n  if true; then\n    echo\n  ```\n"), [(10, "echo".to_owned())]);
        assert_eq!(
            found("```console\n$ echo )\na\n```\n\n```bash\n}\n```\n"),
            [(7, ")".to_owned()), (12, "}".to_owned())]
        );
    }

    #[test]
    fn what_bash_understands_is_not() {
        for fine in [
            "```bash\nfor i in 1 2; do\n  echo $i\ndone\n```\n",
            "```bash\n# nothing but a comment\nls\n```\n",
            "```bash\nls !(a|b)\n```\n",
            "```bash\ncat <<'E'\n} ) done\nE\n```\n",
            "The command fails:\n\n```bash {fails}\necho )\n```\n",
            "```bash {norun}\necho )\n```\n",
        ] {
            assert_eq!(found(fine), [], "{fine}");
        }
    }
}
