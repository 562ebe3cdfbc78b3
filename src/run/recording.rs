//! What a run of a lab leaves by which its checks can be judged again: what each block did and printed, when stretches
//! began and ended, and all that was looked at beside the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ground::Ground;
use super::runner::{Output, Runner};
use crate::grade::{Evidence, Need, Observation};
use crate::journal::{Clock, Delivered, JournalView, Mark, SavedMark, SavedObservation, SavedSeen, SavedText, stamp};
use crate::lab::{Action, Lab, PartId, Ready, Template, TemplatePart};
use crate::outcome::{ActionReport, Verdict};
use crate::terminal::CommandResult;

/// Kept of what one block printed, or of one look at it.
const LONGEST: usize = 1 << 20;

/// A run, but for its journal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The cluster's own, for which `/registry` stands.
    pub prefix: String,
    /// The values of variables, and what the runner gave; but for secret ones.
    pub vars: BTreeMap<String, String>,
    pub secret: BTreeSet<String>,
    /// Every block in the order in which they ran, those of the clean-up last.
    pub acts: Vec<RecordedAct>,
    pub stretches: Vec<RecordedStretch>,
    pub looks: Vec<RecordedLook>,
    /// When the steps were over, before the clean-up.
    pub finished: Option<Moment>,
    /// Places at which the store was put back to what it had been: what came before them was over then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<Over>,
    #[serde(skip)]
    latest: Option<Moment>,
}

/// A moment of the store, and how far it was known then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    pub mark: SavedMark,
    pub known: Option<Known>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub revision: i64,
    pub at: Timestamp,
    pub epoch: u32,
}

/// A block that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedAct {
    /// What decides what it does: a block with another identity does something else.
    pub identity: String,
    pub step: String,
    pub report: ActionReport,
    pub detail: Vec<String>,
    /// How its commands came out, before what they printed was compared.
    pub commands_verdict: Verdict,
    pub commands: Vec<RecordedCommand>,
    pub before: Moment,
    pub after: Option<Moment>,
    /// What it had printed, by how many blocks had run: nothing while it runs in the background.
    pub said: Vec<Said>,
    /// Its number in the lab as it was.
    #[serde(skip)]
    block: PartId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedCommand {
    /// Counted from the first line of the fence's code.
    pub line: usize,
    pub exit: Option<i32>,
    pub text: SavedText,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// So many blocks had run.
    pub from: usize,
    /// None: it began to run in the background.
    pub output: Option<SavedOutput>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedOutput {
    pub text: SavedText,
    pub exit: Option<i32>,
}

/// Where a stretch began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedStretch {
    /// So many blocks had run.
    pub position: usize,
    pub mark: SavedMark,
    /// What was looked at for the proof.
    pub before: Vec<Sampled>,
    /// What background blocks had printed when it was over.
    pub backgrounds: Vec<Sampled>,
}

/// Checks, or a wait, that were judged together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedLook {
    /// So many blocks had run.
    pub position: usize,
    pub mark: SavedMark,
    pub end: SavedMark,
    pub samples: Vec<Sampled>,
}

/// A place at which a later run of the lab went on from an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Over {
    /// So many blocks had run.
    pub position: usize,
    pub moment: Moment,
}

/// How much had been recorded, blocks aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) stretches: usize,
    pub(super) looks: usize,
}

/// Looks at one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    pub of: SampleOf,
    pub seen: Vec<SavedObservation>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleOf {
    /// What the block of this number printed.
    Block(usize),
    Need(Need),
}

impl Moment {
    pub(super) fn of(mark: Mark, view: &JournalView) -> Self {
        let known = view.delivered().map(|delivered| Known {
            revision: delivered.revision,
            at: stamp(delivered.at),
            epoch: delivered.epoch,
        });
        Self { mark: mark.into(), known }
    }

    /// How far the journal is complete at this moment.
    pub fn delivered(&self) -> Option<Delivered> {
        let SavedMark { revision, at, epoch, read, .. } = self.mark;
        if read {
            return Some(Delivered { revision, at: at.into(), epoch });
        }
        self.known.map(|known| Delivered { revision: known.revision, at: known.at.into(), epoch: known.epoch })
    }
}

impl Recording {
    /// With what is known before anything runs.
    pub(super) fn new(ground: &Ground, lab: &Lab) -> Self {
        let is_secret = |name: &str| lab.vars.iter().any(|var| var.secret && var.name.value == name);
        let (secret, shown): (Vec<_>, Vec<_>) =
            ground.vars.values.clone().into_iter().partition(|(name, _)| is_secret(name));
        Self {
            prefix: ground.info.prefix.clone(),
            vars: shown.into_iter().collect(),
            secret: secret.into_iter().map(|(name, _)| name).collect(),
            ..Self::default()
        }
    }

    /// So many blocks have run.
    pub(super) fn position(&self) -> usize {
        self.acts.len()
    }

    pub(super) fn reached(&self) -> Reached {
        Reached { stretches: self.stretches.len(), looks: self.looks.len() }
    }

    /// Goes on from a place in another, at which the store was put back.
    pub(super) fn begin_with(&mut self, earlier: &Self, position: usize, reached: Reached, moment: Moment) {
        self.acts = earlier.acts.iter().take(position).cloned().collect();
        for act in &mut self.acts {
            act.said.retain(|said| said.from <= position);
        }
        self.stretches = earlier.stretches.iter().take(reached.stretches).cloned().collect();
        self.looks = earlier.looks.iter().take(reached.looks).cloned().collect();
        self.over = earlier.over.iter().filter(|over| over.position < position).cloned().collect();
        self.over.push(Over { position, moment });
    }

    /// When what led to this place was over.
    pub(super) fn over_at(&self, position: usize) -> Option<Moment> {
        self.over.iter().find(|over| over.position == position).map(|over| over.moment)
    }

    /// The blocks are those of the lab as it is now.
    pub(super) fn is_of(&mut self, blocks: &BTreeMap<PartId, usize>) {
        for (block, index) in blocks {
            if let Some(act) = self.acts.get_mut(*index) {
                act.block = *block;
            }
        }
    }

    pub(super) fn finish(&mut self) {
        self.finished = self.latest;
    }

    /// Which of the acts was the last run of the block.
    fn act_of(&self, block: PartId) -> Option<usize> {
        self.acts.iter().rposition(|act| act.block == block)
    }

    /// Rewrites what people and programs wrote, and leaves what says how it came about.
    pub fn map_text(&mut self, rewrite: &dyn Fn(&mut String)) {
        let samples = |samples: &mut Vec<Sampled>| {
            for sampled in samples {
                if let SampleOf::Need(need) = &mut sampled.of {
                    match need {
                        Need::Resource { name, namespace, .. } => {
                            rewrite(name);
                            namespace.iter_mut().for_each(rewrite);
                        }
                        Need::Snapshot { file: text } | Need::Run { command: text } => rewrite(text),
                        Need::Output { .. } | Need::Etcd { .. } => {}
                    }
                }
                sampled.seen.iter_mut().for_each(|seen| seen.map_text(rewrite));
            }
        };
        self.vars.values_mut().for_each(rewrite);
        for act in &mut self.acts {
            rewrite(&mut act.identity);
            rewrite(&mut act.report.text);
            rewrite(&mut act.report.output);
            act.report.reason.iter_mut().for_each(rewrite);
            act.detail.iter_mut().for_each(rewrite);
            act.commands.iter_mut().for_each(|command| rewrite(&mut command.text.text));
            act.said.iter_mut().filter_map(|said| said.output.as_mut()).for_each(|said| rewrite(&mut said.text.text));
        }
        for stretch in &mut self.stretches {
            samples(&mut stretch.before);
            samples(&mut stretch.backgrounds);
        }
        self.looks.iter_mut().for_each(|look| samples(&mut look.samples));
    }
}

impl Runner<'_> {
    /// The store as it stands now.
    pub(super) async fn moment(&self) -> Moment {
        Moment::of(self.witness.mark().await, &self.witness.journal())
    }

    /// Takes in Secrets that came, and how far the store has come.
    pub(super) async fn hide_secrets(&mut self) {
        let delivered = self.ground.hide_secrets().await;
        let view = self.witness.journal();
        let at = Clock::now();
        let mark = if let Some(Delivered { revision, at, epoch }) = delivered {
            Mark { revision, at, wall: SystemTime::now(), epoch, read: true }
        } else {
            let revision = view.revision_at(view.end()).unwrap_or_default();
            Mark { revision, at, wall: SystemTime::now(), epoch: view.epoch(), read: false }
        };
        self.recording.latest = Some(Moment::of(mark, &view));
    }

    /// Before a block: its place among those that ran.
    pub(super) async fn record_start(&mut self, step: &str, action: &Action) -> usize {
        let before = match self.recording.latest {
            Some(latest) => latest,
            None => self.moment().await,
        };
        self.recording.acts.push(RecordedAct {
            identity: identity(action),
            step: step.to_owned(),
            report: self.named().bare_action(action),
            detail: Vec::new(),
            commands_verdict: Verdict::Skipped,
            commands: Vec::new(),
            before,
            after: None,
            said: Vec::new(),
            block: action.id,
        });
        self.recording.acts.len() - 1
    }

    /// After it.
    pub(super) fn record_end(&mut self, index: usize, report: &ActionReport, detail: &[String]) {
        let latest = self.recording.latest;
        if let Some(act) = self.recording.acts.get_mut(index) {
            act.report = report.clone();
            shorten(&mut act.report.output);
            act.detail = detail.to_vec();
            act.after = latest;
        }
    }

    /// What the last block's commands came to, apart from what is expected of them.
    pub(super) fn record_commands(&mut self, verdict: Verdict, first: usize, commands: &[CommandResult]) {
        if let Some(act) = self.recording.acts.last_mut() {
            act.commands_verdict = verdict;
            let command = |command: &CommandResult| RecordedCommand {
                line: command.line.saturating_sub(first),
                exit: command.exit,
                text: saved(&command.output, command.truncated, BTreeMap::new()),
            };
            act.commands = commands.iter().map(command).collect();
        }
    }

    /// From now on this is what the block printed; nothing while it runs in the background.
    pub(super) fn record_output(&mut self, block: PartId, output: Option<&Output>) {
        let from = self.recording.position();
        let Some(index) = self.recording.act_of(block) else { return };
        let output = output.map(|Output { printed, exit }| SavedOutput {
            text: SavedText::of(printed, LONGEST, &ToOwned::to_owned),
            exit: *exit,
        });
        if let Some(act) = self.recording.acts.get_mut(index) {
            act.said.push(Said { from, output });
        }
    }

    pub(super) fn record_stretch(&mut self, mark: Mark, looked: Vec<(Option<PartId>, Observation)>) {
        self.recording.latest = Some(Moment::of(mark, &self.witness.journal()));
        let mut before: Vec<Sampled> = Vec::new();
        for (nearest, observation) in looked {
            if let Some(of) = self.sample_of(&observation.need, nearest) {
                add(&mut before, of, &observation);
            }
        }
        let position = self.recording.position();
        self.recording.stretches.push(RecordedStretch { position, mark: mark.into(), before, backgrounds: Vec::new() });
    }

    /// What background blocks have printed by the end of a stretch.
    pub(super) fn record_backgrounds(&mut self) {
        let mut samples = Vec::new();
        for running in self.backgrounds.iter().filter(|running| !running.stopped) {
            let Some(index) = self.recording.act_of(running.action.id) else { continue };
            let seen = SavedSeen::Output {
                text: SavedText::of(&running.handle.since(running.mark), LONGEST, &ToOwned::to_owned),
                exit: running.handle.ended().and_then(|result| result.exit),
            };
            samples.push(Sampled {
                of: SampleOf::Block(index),
                seen: vec![SavedObservation { at: stamp(Clock::now()), seen }],
            });
        }
        if let Some(stretch) = self.recording.stretches.last_mut() {
            stretch.backgrounds = samples;
        }
    }

    /// What checks that were judged together were judged by.
    pub(super) fn record_look<'e>(
        &mut self,
        mark: Mark,
        end: Mark,
        by: impl Iterator<Item = (Option<PartId>, &'e Evidence)>,
    ) {
        let mut samples: Vec<Sampled> = Vec::new();
        for (nearest, evidence) in by {
            let of = evidence.observations.first().and_then(|first| self.sample_of(&first.need, nearest));
            let Some(of) = of.filter(|of| samples.iter().all(|sampled| sampled.of != *of)) else { continue };
            for observation in &evidence.observations {
                add(&mut samples, of.clone(), observation);
            }
        }
        let position = self.recording.position();
        self.recording.looks.push(RecordedLook { position, mark: mark.into(), end: end.into(), samples });
    }

    fn sample_of(&self, need: &Need, nearest: Option<PartId>) -> Option<SampleOf> {
        let Need::Output { action } = need else { return Some(SampleOf::Need(need.clone())) };
        let block = match action {
            Some(name) => self.action_named(name).map(|action| action.id),
            None => nearest,
        };
        self.recording.act_of(block?).map(SampleOf::Block)
    }
}

/// Of looks that saw the same one after the other, the first and the last are kept.
fn add(samples: &mut Vec<Sampled>, of: SampleOf, observation: &Observation) {
    let observation = SavedObservation::of(observation, LONGEST, &ToOwned::to_owned);
    let Some(sampled) = samples.iter_mut().find(|sampled| sampled.of == of) else {
        samples.push(Sampled { of, seen: vec![observation] });
        return;
    };
    let same = |one: Option<&SavedObservation>| one.is_some_and(|one| one.seen == observation.seen);
    let count = sampled.seen.len();
    if same(sampled.seen.last()) && count > 1 && same(sampled.seen.get(count - 2)) {
        sampled.seen.pop();
    }
    sampled.seen.push(observation);
}

fn saved(text: &str, cut: bool, found: BTreeMap<String, bool>) -> SavedText {
    SavedText::of(&crate::text::Printed { text: text.into(), cut, found }, LONGEST, &ToOwned::to_owned)
}

fn shorten(text: &mut String) {
    if text.len() > LONGEST {
        text.truncate((0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default());
    }
}

/// What decides what a block does. Its name, its time limit and what is expected of it do not.
pub(super) fn identity(action: &Action) -> String {
    let mut identity = String::new();
    for line in action.code.lines() {
        identity.push_str(&line.text);
        identity.push('\n');
    }
    let Action { terminal, place, opens, background, stop, start, ending, .. } = action;
    // A text is written without failing.
    let _ = write!(identity, "terminal={terminal} {place:?} {ending:?}");
    if *opens {
        identity.push_str(" opens");
    }
    if let Some(background) = background {
        let ready = match &background.ready {
            Ready::Text(text) => format!("text {}", written(text)),
            Ready::Port(port) => format!("port {}", written(port)),
            Ready::Watch => "watch".to_owned(),
            Ready::None => "none".to_owned(),
        };
        let _ = write!(identity, " background ready={ready}");
    }
    if let Some(stop) = stop {
        let _ = write!(identity, " stop={}{}", stop.block.value, if stop.kill { ":KILL" } else { "" });
    }
    if let Some(start) = start {
        let _ = write!(identity, " start={}", start.value);
    }
    identity
}

fn written(template: &Template) -> String {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Text(text) => text.clone(),
        TemplatePart::Var(name) => format!("${{{}}}", name.value),
    };
    template.parts.iter().map(part).collect()
}
