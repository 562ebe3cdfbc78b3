use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outline::{CheckOutline, Outline, StepOutline};
use super::progress::{CheckProgress, Progress, QuestionProgress, StepProgress, StepState};

/// How a check stands just now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its stretch is not open yet.
    #[default]
    Waiting,
    NotYet,
    Holds,
    /// What it forbids has happened: only a reset of the step mends it.
    Broken,
    CannotJudge,
}

/// A check by its step and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub step: usize,
    pub check: usize,
}

/// A learner's way through a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub(super) outline: Outline,
    pub(super) progress: Progress,
    /// The step on the screen, which may be an earlier one than the one in progress.
    pub(super) shown: usize,
    pub(super) stage: Stage,
    pub(super) asked: Option<Asked>,
    /// The number of the last thing that was asked about.
    pub(super) last_asked: i64,
}

/// What the open stretch is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its set-up runs, its mark is not set.
    Opening,
    Live,
    /// All checks of the step's last stretch hold.
    Green,
    /// The cluster goes back to an earlier state.
    Resetting,
    Over,
}

/// What is done only when the learner agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Solution,
    Skip,
    NextWithQuestions,
}

/// A wish that was asked about, in which step, and by which number it is agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) wish: Wish,
    pub(super) step: usize,
    pub(super) number: i64,
}

impl State {
    /// A lab at its beginning.
    pub fn new(outline: Outline, mut progress: Progress) -> Self {
        progress.steps = outline.steps.iter().map(fresh).collect();
        progress.open = 0;
        progress.stretch = 0;
        progress.mark = None;
        progress.going_back = None;
        progress.finished = None;
        Self::at(outline, progress)
    }

    /// A lab where it was left. `None`: the progress is that of another outline.
    pub fn resumed(outline: Outline, progress: Progress) -> Option<Self> {
        let fits = outline.steps.len() == progress.steps.len()
            && outline.steps.iter().zip(&progress.steps).all(|(step, known)| {
                step.id == known.id
                    && step.checks().count() == known.checks.len()
                    && step.questions.len() == known.questions.len()
            })
            && progress.open < outline.steps.len().max(1)
            && progress.going_back.is_none_or(|step| step <= progress.open)
            && progress.stretch < outline.steps.get(progress.open).map_or(1, |step| step.stretches.len().max(1));
        fits.then(|| Self::at(outline, progress))
    }

    fn at(outline: Outline, progress: Progress) -> Self {
        let stage = if progress.finished.is_some() { Stage::Over } else { Stage::Opening };
        let mut state = Self { shown: progress.open, outline, progress, stage, asked: None, last_asked: 0 };
        state.count();
        state
    }

    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The step on the screen.
    pub fn shown(&self) -> usize {
        self.shown
    }

    /// The step in progress.
    pub fn open(&self) -> usize {
        self.progress.open
    }

    pub fn stretch(&self) -> usize {
        self.progress.stretch
    }

    /// The revision of the open stretch's mark, once it is set.
    pub fn mark(&self) -> Option<i64> {
        self.progress.mark
    }

    pub fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Live | Stage::Green)
    }

    /// Whether every check of the step in progress holds.
    pub fn is_green(&self) -> bool {
        self.stage == Stage::Green
    }

    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// The number by which what was asked about is agreed to.
    pub fn asked(&self) -> Option<i64> {
        self.asked.map(|asked| asked.number)
    }

    /// What was asked about under this number, where nothing else came since.
    pub fn wish(&self, number: i64) -> Option<Wish> {
        self.asked.filter(|asked| asked.number == number).map(|asked| asked.wish)
    }

    pub fn check(&self, place: Place) -> Option<(&CheckOutline, &CheckProgress)> {
        let outline = self.outline.steps.get(place.step)?.checks().nth(place.check)?;
        Some((outline, self.progress.steps.get(place.step)?.checks.get(place.check)?))
    }

    /// The checks of the open stretch that are judged here.
    pub fn live_checks(&self) -> Vec<Place> {
        let (step, stretch) = (self.open(), self.stretch());
        let Some(outline) = self.outline.steps.get(step) else { return Vec::new() };
        outline.judged(stretch).map(|check| Place { step, check }).collect()
    }

    /// Whether the checks of the open stretch that forbid nothing all hold.
    pub fn others_hold(&self) -> bool {
        self.live_checks()
            .into_iter()
            .filter_map(|place| self.check(place))
            .all(|(outline, progress)| outline.forbids || progress.standing == Standing::Holds)
    }

    /// Checks of a step that hold, and how many are judged here.
    pub fn counts(&self, step: usize) -> (usize, usize) {
        let Some((outline, progress)) = self.outline.steps.get(step).zip(self.progress.steps.get(step)) else {
            return (0, 0);
        };
        let judged = outline.checks().zip(&progress.checks).filter(|(check, _)| check.left.is_none());
        judged.fold((0, 0), |(held, of), (_, known)| (held + usize::from(known.standing == Standing::Holds), of + 1))
    }

    pub fn set_learner(&mut self, name: String) {
        self.progress.learner = Some(name);
    }

    /// How long the lab has been open.
    pub fn set_worked(&mut self, worked: std::time::Duration) {
        self.progress.worked_ms = u64::try_from(worked.as_millis()).unwrap_or(u64::MAX);
    }

    pub(super) fn step_outline(&self) -> Option<&StepOutline> {
        self.outline.steps.get(self.progress.open)
    }

    pub(super) fn step_progress(&mut self) -> Option<&mut StepProgress> {
        self.progress.steps.get_mut(self.progress.open)
    }

    pub(super) fn touch(&mut self, at: Timestamp) {
        // A clock that was set back does not make a lab end before it began.
        self.progress.updated = self.progress.updated.max(at);
    }
}

pub(super) fn fresh(step: &StepOutline) -> StepProgress {
    StepProgress {
        id: step.id.clone(),
        title: step.title.clone(),
        state: StepState::Untouched,
        checks: vec![CheckProgress::default(); step.checks().count()],
        questions: vec![QuestionProgress::default(); step.questions.len()],
        ..StepProgress::default()
    }
}
