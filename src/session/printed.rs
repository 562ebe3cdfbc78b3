//! What the learner's shells printed, and which of a lab's blocks they ran.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::api::{Command, Printing};
use super::outline::{Course, PlacedBlock};
use crate::lab::{Action, PartId, Vars};
use crate::text::{Printed, VarPiece, var_pieces};

/// Commands of a stretch that are remembered, and how much of their text in all.
const COMMANDS: usize = 500;
const BYTES: usize = 64 << 20;
/// Words that may name what a learner made; in Kubernetes no name is longer.
const NAMES: usize = 50_000;
const LONGEST_NAME: usize = 253;
/// The word by which learners talk to the session: what it prints is no evidence.
const WORD: &str = "lab";

/// What was heard since the stretch's mark.
#[derive(Default)]
pub(super) struct Heard {
    commands: VecDeque<Command>,
    bytes: usize,
    printing: BTreeMap<String, Printing>,
    /// Commands of the lab's blocks that were typed since the lab began, each as [`plain`] has it.
    typed: BTreeSet<String>,
    /// What each block that was run or typed whole printed last, by its number.
    pub(super) of_blocks: BTreeMap<PartId, Printed>,
    /// Words of all commands and of what they printed, among them the names of what they made.
    names: BTreeSet<String>,
    /// Blocks that were run since the step was opened and before its open stretch, and those that were run before the
    /// step was open, by their numbers.
    before: BTreeSet<PartId>,
    /// Blocks whose stretch was not open yet when they were run last.
    ahead: BTreeSet<PartId>,
    /// The same since the open stretch's mark.
    since: BTreeSet<PartId>,
    /// The last command, whenever it ran.
    pub(super) last: Option<Command>,
}

/// The stretch in progress, and whether its mark is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) step: usize,
    pub(super) stretch: usize,
    pub(super) is_live: bool,
}

/// Something that may be what a check is about.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) printed: Printed,
    pub(super) exit: Option<i32>,
    /// The block's own command, and not another that printed something.
    pub(super) own: bool,
    /// The command, for a person.
    pub(super) by: String,
}

pub(super) fn is_of_the_session(text: &str) -> bool {
    text.split_whitespace().next().is_none_or(|first| first == WORD)
}

impl Heard {
    /// A new stretch begins: only what comes from now on counts. What runs on began before, but prints later.
    pub(super) fn begin(&mut self, is_first_of_step: bool) {
        self.commands.clear();
        self.bytes = 0;
        let since = std::mem::take(&mut self.since);
        if is_first_of_step {
            self.before = self.ahead.clone();
        } else {
            self.before.extend(since);
        }
    }

    /// Nothing of what ran before counts: the lab went back.
    pub(super) fn forget(&mut self) {
        // What was made before is undone by its name, however often.
        *self = Self { last: self.last.take(), names: std::mem::take(&mut self.names), ..Self::default() };
    }

    /// Whether a block was run in this step before the open stretch's mark, and not since.
    pub(super) fn was_too_early(&self, block: PartId) -> bool {
        self.before.contains(&block) && !self.since.contains(&block)
    }

    /// Takes in a finished command; the blocks that are whole by it.
    pub(super) fn finished(&mut self, command: Command, course: &Course<'_>, vars: &Vars, open: Open) -> Vec<PartId> {
        self.printing.remove(&command.terminal);
        self.named(&command.text);
        self.named(&command.output);
        let plain_text = plain(&command.text, vars);
        let mut whole = Vec::new();
        if command.status == 0 || !plain_text.is_empty() {
            self.typed.insert(plain_text.clone());
            let mut ran = Vec::new();
            let blocks =
                course.steps.iter().enumerate().flat_map(|(at, step)| step.blocks.iter().map(move |b| (at, b)));
            for (step, block) in blocks {
                let commands = commands(block.action, vars);
                if !commands.contains(&plain_text) && whole_text(block.action, vars) != plain_text {
                    continue;
                }
                let all = commands.iter().all(|known| self.typed.contains(known));
                if all || whole_text(block.action, vars) == plain_text {
                    whole.push(block.action.id);
                }
                ran.push(((step, block.stretch), block.action.id));
                self.of_blocks.insert(block.action.id, printed(&command.output, command.cut));
            }
            self.ran(&ran, open);
        }
        self.bytes += command.output.len();
        self.last = Some(command.clone());
        self.commands.push_back(command);
        while self.commands.len() > COMMANDS || self.bytes > BYTES {
            let Some(gone) = self.commands.pop_front() else { break };
            self.bytes -= gone.output.len();
        }
        whole
    }

    /// Blocks that a command belongs to, each with the place of its stretch. Of several with the same text, the one that
    /// comes next or was there before is meant, and no later one.
    fn ran(&mut self, blocks: &[((usize, usize), PartId)], open: Open) {
        let now = (open.step, open.stretch);
        let is_ahead = |at: (usize, usize)| at > now || at == now && !open.is_live;
        let is_opening = !open.is_live && blocks.iter().any(|(at, _)| *at == now);
        let is_past = blocks.iter().any(|(at, _)| !is_ahead(*at));
        for (at, block) in blocks {
            let is_meant = if is_opening { *at == now } else { is_ahead(*at) != is_past };
            if !is_meant {
                continue;
            }
            self.since.insert(*block);
            if is_ahead(*at) {
                self.ahead.insert(*block);
            } else {
                self.ahead.remove(block);
            }
        }
    }

    /// Takes in what may name an object.
    pub(super) fn named(&mut self, text: &str) {
        // A label's key is no name: what has an equals sign in it stays one word.
        for word in text.split(|c: char| c.is_whitespace() || "/\"',;{}()[]".contains(c)) {
            if self.names.len() < NAMES && !word.is_empty() && word.len() <= LONGEST_NAME {
                self.names.insert(word.to_owned());
            }
        }
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.names.clone()
    }

    pub(super) fn printing(&mut self, printing: Printing) {
        self.printing.insert(printing.terminal.clone(), printing);
    }

    /// What the last finished command may be for a check of this block: by itself, and with those before it where the
    /// block has several commands.
    pub(super) fn candidates(&self, block: Option<&PlacedBlock<'_>>, vars: &Vars) -> Vec<Candidate> {
        let Some(last) = self.commands.back() else { return Vec::new() };
        let own = block.map(|block| commands(block.action, vars)).unwrap_or_default();
        let is_own = |command: &Command| {
            let text = plain(&command.text, vars);
            own.contains(&text) || block.is_some_and(|block| whole_text(block.action, vars) == text)
        };
        let one = Candidate {
            printed: printed(&last.output, last.cut),
            exit: Some(last.status),
            own: is_own(last),
            by: last.text.clone(),
        };
        let mut found = vec![one];
        if own.len() > 1 {
            let same = self.commands.iter().rev().filter(|command| command.terminal == last.terminal);
            let window: Vec<&Command> = same.take(own.len()).collect();
            if window.len() == own.len() {
                let text: String = window.iter().rev().map(|command| command.output.as_str()).collect();
                found.push(Candidate {
                    printed: printed(&text, window.iter().any(|command| command.cut)),
                    exit: Some(last.status),
                    own: window.iter().all(|command| is_own(command)),
                    by: last.text.clone(),
                });
            }
        }
        found
    }

    /// What still runs in the learner's shells.
    pub(super) fn running(&self, block: Option<&PlacedBlock<'_>>, vars: &Vars) -> Vec<Candidate> {
        let own = block.map(|block| commands(block.action, vars)).unwrap_or_default();
        let candidate = |printing: &Printing| Candidate {
            printed: printed(&printing.output, printing.cut),
            exit: None,
            own: own.contains(&plain(&printing.text, vars)),
            by: printing.text.clone(),
        };
        self.printing.values().map(candidate).collect()
    }

    pub(super) fn commands(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter()
    }
}

fn printed(text: &str, cut: bool) -> Printed {
    Printed { text: text.into(), cut, ..Printed::default() }
}

/// The complete commands of a block as [`plain`] has them. One with a heredoc or of several lines that belong together
/// is compared as a whole.
fn commands(action: &Action, vars: &Vars) -> Vec<String> {
    let text = text_of(action);
    if text.contains("<<")
        || ["for ", "while ", "if ", "{", "("].iter().any(|start| text.trim_start().starts_with(start))
    {
        return vec![plain(&text, vars)];
    }
    let mut found = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        open.push_str(line);
        open.push('\n');
        if line.ends_with('\\') {
            continue;
        }
        let command = plain(&std::mem::take(&mut open), vars);
        if !command.is_empty() && !command.starts_with('#') {
            found.push(command);
        }
    }
    found
}

fn whole_text(action: &Action, vars: &Vars) -> String {
    plain(&text_of(action), vars)
}

/// A block's commands as a learner would type them.
pub(super) fn text_of(action: &Action) -> String {
    action.code.lines().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// A command without what makes no difference: blanks, continued lines, quotes around plain words, a variable in place
/// of its value.
fn plain(text: &str, vars: &Vars) -> String {
    let joined = text.replace("\\\n", " ");
    let mut filled = String::new();
    for piece in var_pieces(&joined) {
        match piece {
            VarPiece::Var { name, range } => match vars.get(&name) {
                Some(value) => filled.push_str(value),
                None => filled.push_str(&joined[range]),
            },
            VarPiece::Escaped(range) | VarPiece::Text(range) | VarPiece::Broken { range, .. } => {
                filled.push_str(&joined[range]);
            }
        }
    }
    let filled = bare_vars(&filled, vars);
    filled.replace(['"', '\''], "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `$NAME` without braces.
fn bare_vars(text: &str, vars: &Vars) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let length = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        match vars.get(&after[..length]) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[at..=at + length]),
        }
        rest = &after[length..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Open = Open { step: 1, stretch: 0, is_live: true };

    #[test]
    fn a_block_that_runs_before_its_step_is_open_is_known_to_be_too_early() {
        let block = PartId(7);
        // While the step is being prepared, and in a step before it.
        for open in [Open { is_live: false, ..NOW }, Open { step: 0, ..NOW }] {
            let mut heard = Heard::default();
            heard.ran(&[((1, 0), block)], open);
            heard.begin(true);
            assert!(heard.was_too_early(block), "{open:?}");
            heard.ran(&[((1, 0), block)], NOW);
            assert!(!heard.was_too_early(block), "{open:?}");
            heard.begin(true);
            assert!(!heard.was_too_early(block), "{open:?}");
        }
    }

    #[test]
    fn a_command_that_two_steps_have_is_that_of_the_open_one() {
        let (own, later) = (PartId(3), PartId(7));
        let both = [((1, 0), own), ((2, 0), later)];
        let mut heard = Heard::default();
        heard.ran(&both, NOW);
        heard.begin(true);
        assert!(!heard.was_too_early(own) && !heard.was_too_early(later));
        // Typed once more while the later one is being prepared, it is meant for that.
        heard.ran(&both, Open { step: 2, stretch: 0, is_live: false });
        heard.begin(true);
        assert!(!heard.was_too_early(own) && heard.was_too_early(later));
    }

    #[test]
    fn a_command_is_the_same_in_whatever_form_it_is_typed() {
        let vars: Vars = [("NS".to_owned(), "demo".to_owned())].into();
        for form in ["kubectl create ns demo", "kubectl  create ns \"$NS\"", "kubectl create \\\n  ns '${NS}'"] {
            assert_eq!(plain(form, &vars), "kubectl create ns demo", "{form}");
        }
        assert_ne!(plain("kubectl create ns other", &vars), plain("kubectl create ns $NS", &vars));
        assert_eq!(plain("echo $", &vars), "echo $");
        assert_eq!(plain("echo $é", &vars), "echo $é");
    }

    #[test]
    fn the_sessions_own_word_is_no_evidence() {
        assert!(is_of_the_session("lab why") && is_of_the_session(" lab") && is_of_the_session(""));
        assert!(!is_of_the_session("label x") && !is_of_the_session("kubectl get lab"));
    }
}
