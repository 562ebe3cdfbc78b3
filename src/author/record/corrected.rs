//! What a `console` fence shows of its commands, against what they print.

use super::layout::Layout;
use super::printed::common;
use super::seen::{Run, RunKind};
use crate::lab::Code;

/// Lines of the draft that show what the commands do not print, and what they print in all runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    pub first: usize,
    pub last: usize,
    pub lines: Vec<String>,
}

pub fn corrections(layout: &Layout, runs: &[Run]) -> Vec<Correction> {
    let whole = |run: &&Run| matches!(run.kind, RunKind::Plain | RunKind::Paced | RunKind::Slowed);
    let runs: Vec<&Run> = runs.iter().filter(whole).collect();
    let mut found = Vec::new();
    for block in &layout.blocks {
        let Some(action) = layout.action(block) else { continue };
        let line = |offset: usize| layout.lab.source.position(offset).line;
        if let Some(expected) = &action.expected
            && !runs.iter().all(|run| run.prints(block, expected))
        {
            // The fence stays, and its lines are others.
            let (first, last) = (line(expected.span.start) + 1, line(expected.span.end.saturating_sub(1)) - 1);
            let lines = runs.iter().map(|run| run.printed(block)).collect::<Option<Vec<_>>>();
            found.push(Correction { first, last, lines: lines.and_then(|lines| common(&lines)).unwrap_or_default() });
        }
        let Code::Console(commands) = &action.code else { continue };
        for command in commands {
            let (Some(expected), Some(last)) = (&command.expected, command.lines.last()) else { continue };
            let lines = command.lines.iter().map(|line| line.number);
            let (from, to) = (lines.clone().min().unwrap_or_default(), lines.max().unwrap_or_default());
            if runs.iter().all(|run| run.command_prints(block, (from, to), expected)) {
                continue;
            }
            let printed = runs.iter().map(|run| run.command_printed(block, (from, to))).collect::<Option<Vec<_>>>();
            let lines = printed.and_then(|printed| common(&printed)).unwrap_or_else(|| vec!["...".to_owned()]);
            let end = line(expected.span.end.saturating_sub(1));
            found.push(Correction { first: last.number + 1, last: end, lines });
        }
    }
    found
}
