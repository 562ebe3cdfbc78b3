//! The blocks of a lab that run, their commands, and labs that differ from it as the runs of a recording do.

use std::time::Duration;

use crate::lab::{Action, ClusterKind, Code, CodeLine, ConsoleCommand, Item, Lab, Place, Role};
use crate::text::SourceFile;

/// Takes the store some revisions further, and leaves nothing there.
const AHEAD: &str = "for turn in 1 2 3; do etcdctl put keywitness-record $turn; done >/dev/null 2>&1 && etcdctl del \
                     keywitness-record >/dev/null 2>&1 || true";

/// A block that runs.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where it stands: `lab.steps[step].items[item]`.
    pub step: usize,
    pub item: usize,
    /// Of its opening fence.
    pub line: usize,
    /// The first line of its code.
    pub code: usize,
    /// Of its closing fence.
    pub end: usize,
    /// What is said of it stands after this line, behind what begins its lines.
    pub after: usize,
    pub prefix: String,
    pub commands: Vec<CommandAt>,
    /// What a person expects of its output already.
    pub is_expected: bool,
    pub is_background: bool,
    pub is_setup: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandAt {
    pub first: usize,
    pub last: usize,
    pub text: String,
}

#[derive(Debug)]
pub struct Layout {
    pub lab: Lab,
    pub blocks: Vec<Block>,
}

impl Layout {
    /// The blocks that run on this kind of cluster, with their lines: what is to be cut into commands.
    pub fn lines(lab: &Lab, kind: ClusterKind) -> Vec<Vec<(usize, String)>> {
        actions(lab, kind).map(|(_, _, action)| lines(action)).collect()
    }

    /// `commands` are those of each block, as [`Layout::lines`] has them.
    pub fn new(lab: &Lab, kind: ClusterKind, commands: Vec<Vec<(usize, String)>>) -> Self {
        let source = &lab.source;
        let block = |((step, item, action), commands): ((usize, usize, &Action), Vec<(usize, String)>)| {
            let line = source.position(action.span.start).line;
            let commands = commands.into_iter().map(|(first, text)| CommandAt {
                first,
                last: first + text.lines().count().saturating_sub(1),
                text,
            });
            let inner: &[ConsoleCommand] = if let Code::Console(commands) = &action.code { commands } else { &[] };
            Block {
                step,
                item,
                line,
                code: action.code.lines().next().map_or(0, |line| line.number),
                end: source.position(action.span.end.saturating_sub(1)).line,
                after: after(source, action),
                prefix: prefix(source.line(line)),
                commands: commands.collect(),
                is_expected: action.expected.is_some() || inner.iter().any(|command| command.expected.is_some()),
                is_background: action.background.is_some() || action.opens,
                is_setup: action.role == Role::Setup,
            }
        };
        let blocks = actions(lab, kind).zip(commands).map(block).collect();
        Self { lab: lab.clone(), blocks }
    }

    pub fn action(&self, block: &Block) -> Option<&Action> {
        match self.lab.steps.get(block.step)?.items.get(block.item)? {
            Item::Action(action) => Some(action),
            _ => None,
        }
    }

    /// Each command that a check can speak for, by its block and its place in it.
    pub fn mutants(&self) -> Vec<(usize, usize)> {
        let blocks = self.blocks.iter().enumerate().filter(|(_, block)| !block.is_setup);
        blocks.flat_map(|(index, block)| (0..block.commands.len()).map(move |command| (index, command))).collect()
    }

    /// The lab without what judges it, and without its clean-up: its cluster goes with the run.
    pub fn plain(&self) -> Lab {
        let mut lab = self.lab.clone();
        for step in &mut lab.steps {
            step.items.retain(|item| match item {
                Item::Check(_) | Item::Question(_) => false,
                Item::Action(action) => action.role != Role::Cleanup,
                Item::Prose(_) | Item::Shown(_) | Item::Wait(_) | Item::Hint(_) => true,
            });
            for item in &mut step.items {
                if let Item::Action(action) = item {
                    action.expected = None;
                    if let Code::Console(commands) = &mut action.code {
                        for command in commands {
                            command.expected = None;
                        }
                    }
                }
            }
        }
        lab
    }

    /// With a pause before each command, on a store that is some revisions ahead: what tells a time or a revision
    /// shows itself.
    pub fn paced(&self, pause: Duration) -> Lab {
        let first = self.blocks.iter().position(|block| !block.is_background && !block.is_setup);
        self.rewritten(|block, line, index| {
            let begins = !block.is_background && block.commands.iter().any(|command| command.first == line.number);
            let own = |text: String| CodeLine { number: line.number, text };
            let mut lines = Vec::new();
            if begins {
                if first == Some(index) && block.commands.first().is_some_and(|command| command.first == line.number) {
                    lines.push(own(AHEAD.to_owned()));
                }
                lines.push(own(format!("sleep {}", pause.as_secs_f64())));
            }
            lines.push(line.clone());
            lines
        })
    }

    /// Without this command, up to the end of its block.
    pub fn without(&self, block: usize, command: usize) -> Lab {
        let mut lab = self.lacking(block, command);
        let Some((line, step)) = self.blocks.get(block).map(|block| (block.line, block.step)) else { return lab };
        let source = lab.source.clone();
        lab.steps.truncate(step + 1);
        if let Some(step) = lab.steps.last_mut() {
            let at = step.items.iter().position(
                |item| matches!(item, Item::Action(action) if source.position(action.span.start).line == line),
            );
            step.items.truncate(at.map_or(step.items.len(), |at| at + 1));
        }
        lab
    }

    /// Without this command, to its end.
    pub fn lacking(&self, block: usize, command: usize) -> Lab {
        let Some(CommandAt { first, last, .. }) = self.blocks.get(block).and_then(|block| block.commands.get(command))
        else {
            return self.plain();
        };
        self.rewritten(|_, line, _| match line.number {
            number if number == *first => vec![CodeLine { number, text: ":".to_owned() }],
            number if (*first..=*last).contains(&number) => Vec::new(),
            _ => vec![line.clone()],
        })
    }

    /// Without its commands: for as long as each block took. What starts an etcd stays.
    pub fn null(&self, took: &[Duration]) -> Lab {
        let mut lab = self.rewritten(|block, line, index| {
            if block.is_setup {
                return vec![line.clone()];
            }
            let pause = took.get(index).copied().unwrap_or_default().as_secs_f64();
            let is_first = block.commands.first().is_some_and(|command| command.first == line.number);
            let wait = CodeLine { number: line.number, text: format!("sleep {pause:.1}") };
            if is_first { vec![wait] } else { Vec::new() }
        });
        for step in &mut lab.steps {
            step.items.retain(|item| !matches!(item, Item::Wait(_)));
            for item in &mut step.items {
                if let Item::Action(action) = item
                    && action.role != Role::Setup
                {
                    action.background = None;
                    action.stop = None;
                    action.start = None;
                    action.opens = false;
                    action.ending = crate::lab::Ending::Success;
                }
            }
        }
        lab
    }

    fn rewritten(&self, rewrite: impl Fn(&Block, &CodeLine, usize) -> Vec<CodeLine>) -> Lab {
        let mut lab = self.plain();
        let source = lab.source.clone();
        for item in lab.steps.iter_mut().flat_map(|step| &mut step.items) {
            let Item::Action(action) = item else { continue };
            let line = source.position(action.span.start).line;
            let found = self.blocks.iter().enumerate().find(|(_, block)| block.line == line);
            let Some((index, block)) = found else { continue };
            let rewrite = |lines: &[CodeLine]| -> Vec<CodeLine> {
                lines.iter().flat_map(|line| rewrite(block, line, index)).collect()
            };
            match &mut action.code {
                Code::Script(lines) => *lines = rewrite(lines),
                Code::Console(commands) => {
                    for command in commands.iter_mut() {
                        command.lines = rewrite(&command.lines);
                    }
                }
            }
        }
        lab
    }
}

fn actions(lab: &Lab, kind: ClusterKind) -> impl Iterator<Item = (usize, usize, &Action)> {
    lab.steps.iter().enumerate().filter(move |(_, of)| of.on.allows(kind)).flat_map(move |(step, of)| {
        of.items.iter().enumerate().filter_map(move |(item, part)| match part {
            Item::Action(action) if runs(action, kind) => Some((step, item, action)),
            _ => None,
        })
    })
}

fn runs(action: &Action, kind: ClusterKind) -> bool {
    let has_place = action.place == Place::Host || (kind == ClusterKind::Sandbox && !action.on.0.is_empty());
    action.role != Role::Cleanup && action.prints() && action.on.allows(kind) && has_place
}

fn lines(action: &Action) -> Vec<(usize, String)> {
    action.code.lines().map(|line| (line.number, line.text.clone())).collect()
}

/// What begins each line of a fence: blanks, and the marks of quotes; blanks too where an item of a list begins with it.
fn prefix(line: &str) -> String {
    let end = line.find("```").or_else(|| line.find("~~~")).unwrap_or_default();
    line[..end].chars().map(|c| if c.is_whitespace() || c == '>' { c } else { ' ' }).collect()
}

/// The line after which a check of the block stands: behind its fence, its expected output, and the fold it lies in.
fn after(source: &SourceFile, action: &Action) -> usize {
    let end = action.expected.as_ref().map_or(action.span.end, |expected| expected.span.end.max(action.span.end));
    let last = source.position(end.saturating_sub(1)).line;
    if action.role != Role::Solution {
        return last;
    }
    let lines = source.text().lines().enumerate().skip(last);
    let closing = lines.into_iter().find(|(_, line)| line.trim_start().starts_with("</details"));
    closing.map_or(last, |(index, _)| index + 1)
}
