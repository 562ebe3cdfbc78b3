//! What each input changes, and what has to be done about it.

use jiff::Timestamp;

use super::input::{Cost, Effect, Fact, Input, Refusal};
use super::outline::StepOutline;
use super::progress::StepState;
use super::state::{Asked, Place, Stage, Standing, State, Wish, fresh};
use crate::outcome::EvidenceRef;

impl State {
    /// What the input leads to. The time is that of the input, as the caller's clock shows it.
    #[must_use]
    pub fn apply(mut self, at: Timestamp, input: Input) -> (Self, Vec<Effect>) {
        self.touch(at);
        let asked = self.asked.take();
        let witnessed =
            matches!(input, Input::Turned { .. } | Input::Opened { .. } | Input::Restored { .. } | Input::Started);
        let effects = match input {
            Input::Agreed { number } => match asked.filter(|asked| asked.number == number) {
                Some(Asked { wish, step, .. }) => self.agreed(at, wish, step),
                None => refuse(Refusal::NotAsked),
            },
            input => self.change(at, input),
        };
        if witnessed {
            // What etcd does between a learner's request and their consent does not take back the request.
            self.asked = self.asked.or(asked);
        }
        self.count();
        (self, effects)
    }

    fn change(&mut self, at: Timestamp, input: Input) -> Vec<Effect> {
        match input {
            Input::Started => self.started(at),
            Input::Opened { mark } => self.opened(mark),
            Input::Turned { place, standing, reason, revision, evidence } => {
                self.turned(at, place, standing, reason, revision, evidence)
            }
            Input::Next => self.next(at, false),
            Input::Prev => match self.shown.checked_sub(1) {
                Some(step) => self.show(step),
                None => refuse(Refusal::FirstStep),
            },
            Input::Hint => self.hint(),
            Input::Solution => self.solution(at, false),
            Input::Solve => self.solve(),
            Input::Skip => self.skip(at, false),
            Input::Answered { step, question, right } => self.answered(step, question, right),
            Input::Reset { step } => self.reset(step),
            Input::Restored { step } => self.restored(at, step),
            Input::Agreed { .. } => Vec::new(),
            Input::NotRestored => {
                if self.stage != Stage::Resetting {
                    return Vec::new();
                }
                self.stage = Stage::Opening;
                self.progress.going_back = None;
                let mut effects = self.reopen();
                effects.push(Effect::Save);
                effects
            }
        }
    }

    /// On with a wish, if it is about the same step still.
    fn agreed(&mut self, at: Timestamp, wish: Wish, step: usize) -> Vec<Effect> {
        match wish {
            Wish::Solution if step == self.shown => self.solution(at, true),
            Wish::Skip if step == self.open() => self.skip(at, true),
            Wish::NextWithQuestions if step == self.shown => self.next(at, true),
            _ => refuse(Refusal::NotAsked),
        }
    }

    /// Nothing is done before the learner agrees.
    fn ask(&mut self, at: Timestamp, wish: Wish, step: usize, refusal: Refusal) -> Vec<Effect> {
        // By the clock: none is that of a session before.
        self.last_asked = at.as_millisecond().max(self.last_asked + 1);
        self.asked = Some(Asked { wish, step, number: self.last_asked });
        refuse(refusal)
    }

    fn started(&mut self, at: Timestamp) -> Vec<Effect> {
        if self.stage != Stage::Opening {
            return Vec::new();
        }
        if let Some(step) = self.progress.going_back {
            // It was broken off there.
            self.stage = Stage::Resetting;
            return vec![Effect::Restore { step }];
        }
        match self.step_outline().map(|step| step.elsewhere.is_some()) {
            None => self.finish(at),
            Some(true) => self.advance(at),
            Some(false) => self.enter(at),
        }
    }

    /// Opens the step in progress, at its first stretch or where it was left.
    fn enter(&mut self, at: Timestamp) -> Vec<Effect> {
        let step = self.open();
        self.shown = step;
        self.stage = Stage::Opening;
        if let Some(progress) = self.step_progress() {
            progress.state = StepState::Open;
            progress.entered.get_or_insert(at);
        }
        let mut effects = vec![Effect::Emit(Fact::StepOpened { step })];
        effects.extend(self.reopen());
        effects.push(Effect::Save);
        effects
    }

    fn reopen(&self) -> Vec<Effect> {
        vec![Effect::Open { step: self.open(), stretch: self.stretch() }]
    }

    fn opened(&mut self, mark: i64) -> Vec<Effect> {
        if self.stage != Stage::Opening {
            return Vec::new();
        }
        self.stage = Stage::Live;
        self.progress.mark = Some(mark);
        for place in self.live_checks() {
            let known = self.progress.steps.get_mut(place.step).and_then(|step| step.checks.get_mut(place.check));
            if let Some(known) = known
                && known.standing == Standing::Waiting
            {
                known.standing = Standing::NotYet;
            }
        }
        let mut effects =
            vec![Effect::Emit(Fact::StretchOpened { step: self.open(), stretch: self.stretch() }), Effect::Save];
        effects.extend(self.settle());
        effects
    }

    fn turned(
        &mut self,
        at: Timestamp,
        place: Place,
        standing: Standing,
        reason: Option<String>,
        revision: Option<i64>,
        evidence: Vec<EvidenceRef>,
    ) -> Vec<Effect> {
        if !self.is_live() || !self.live_checks().contains(&place) {
            return Vec::new();
        }
        let lasts = self.check(place).is_some_and(|(outline, _)| outline.lasts);
        let known = self.progress.steps.get_mut(place.step).and_then(|step| step.checks.get_mut(place.check));
        let Some(known) = known else { return Vec::new() };
        let was = known.standing;
        if lasts && was == Standing::Holds {
            return Vec::new();
        }
        known.standing = standing;
        known.reason = reason;
        known.revision = revision;
        known.evidence = evidence;
        if was == standing {
            return Vec::new();
        }
        known.since = (standing == Standing::Holds).then_some(at);
        let mut effects = vec![Effect::Emit(Fact::CheckTurned { place, was, now: standing }), Effect::Save];
        effects.extend(self.settle());
        effects
    }

    /// Goes on to the next stretch where all checks of the open one hold, and back where one of a green step does not.
    fn settle(&mut self) -> Vec<Effect> {
        let step = self.open();
        let all_hold = self
            .live_checks()
            .into_iter()
            .filter_map(|place| self.check(place))
            .all(|(_, known)| known.standing == Standing::Holds);
        let stretches = self.step_outline().map_or(0, |outline| outline.stretches.len());
        match (self.stage, all_hold) {
            (Stage::Live, true) if self.stretch() + 1 < stretches => {
                self.progress.stretch += 1;
                self.progress.mark = None;
                self.stage = Stage::Opening;
                self.reopen()
            }
            (Stage::Live, true) => {
                self.stage = Stage::Green;
                vec![Effect::Emit(Fact::StepGreen { step })]
            }
            (Stage::Green, false) => {
                self.stage = Stage::Live;
                vec![Effect::Emit(Fact::StepBroke { step })]
            }
            _ => Vec::new(),
        }
    }

    fn next(&mut self, at: Timestamp, is_agreed: bool) -> Vec<Effect> {
        if self.shown < self.open() {
            return self.show(self.shown + 1);
        }
        match self.stage {
            Stage::Over => return refuse(Refusal::Over),
            Stage::Opening | Stage::Resetting => return refuse(Refusal::NotReady),
            Stage::Live => {
                let (held, of) = self.counts(self.open());
                return refuse(Refusal::NotGreen { held, of });
            }
            Stage::Green => {}
        }
        let open_questions = self.open_questions();
        let step = self.open();
        if open_questions > 0 && !is_agreed {
            let refusal = Refusal::OpenQuestions { count: open_questions };
            return self.ask(at, Wish::NextWithQuestions, step, refusal);
        }
        if let Some(progress) = self.step_progress() {
            progress.state = StepState::Done;
            progress.left = Some(at);
        }
        let mut effects = vec![Effect::Emit(Fact::StepDone { step })];
        effects.extend(self.advance(at));
        effects
    }

    /// To the next step that takes place here.
    fn advance(&mut self, at: Timestamp) -> Vec<Effect> {
        let after = self.outline.steps.iter().enumerate().skip(self.open() + 1);
        match after.into_iter().find(|(_, step)| step.elsewhere.is_none()).map(|(number, _)| number) {
            Some(number) => {
                self.progress.open = number;
                self.progress.stretch = 0;
                self.progress.mark = None;
                self.enter(at)
            }
            None => self.finish(at),
        }
    }

    fn finish(&mut self, at: Timestamp) -> Vec<Effect> {
        self.stage = Stage::Over;
        self.progress.finished = Some(at);
        vec![Effect::Emit(Fact::Finished), Effect::Save, Effect::Finish]
    }

    fn show(&mut self, step: usize) -> Vec<Effect> {
        self.shown = step;
        vec![Effect::Emit(Fact::StepShown { step })]
    }

    fn hint(&mut self) -> Vec<Effect> {
        let step = self.shown;
        let all = self.outline.steps.get(step).map_or(0, |outline| outline.hints);
        let Some(progress) = self.progress.steps.get_mut(step) else { return refuse(Refusal::NoHint) };
        if all == 0 {
            return refuse(Refusal::NoHint);
        }
        if progress.hints >= all {
            return refuse(Refusal::NoMoreHints { given: all });
        }
        progress.hints += 1;
        vec![Effect::Emit(Fact::HintGiven { step, number: progress.hints }), Effect::Save]
    }

    fn solution(&mut self, at: Timestamp, is_agreed: bool) -> Vec<Effect> {
        let step = self.shown;
        if !self.outline.steps.get(step).is_some_and(|outline| outline.has_solution) {
            return refuse(Refusal::NoSolution);
        }
        let Some(progress) = self.progress.steps.get_mut(step) else { return refuse(Refusal::NoSolution) };
        if !progress.solution && !is_agreed {
            return self.ask(at, Wish::Solution, step, Refusal::SolutionOnce);
        }
        progress.solution = true;
        vec![Effect::Emit(Fact::SolutionShown { step }), Effect::Save]
    }

    fn solve(&mut self) -> Vec<Effect> {
        match self.stage {
            Stage::Over => return refuse(Refusal::Over),
            Stage::Green => return refuse(Refusal::Green),
            Stage::Opening | Stage::Resetting => return refuse(Refusal::NotReady),
            Stage::Live => {}
        }
        if let Some(progress) = self.step_progress() {
            progress.solved = true;
        }
        vec![Effect::Save, Effect::Solve { step: self.open(), stretch: self.stretch() }]
    }

    fn skip(&mut self, at: Timestamp, is_agreed: bool) -> Vec<Effect> {
        match self.stage {
            Stage::Over => return refuse(Refusal::Over),
            Stage::Opening | Stage::Resetting => return refuse(Refusal::NotReady),
            Stage::Live | Stage::Green => {}
        }
        let step = self.open();
        let points = self.step_maximum(step);
        let cost = Cost { points };
        if !is_agreed {
            return self.ask(at, Wish::Skip, step, Refusal::SkipOnce { cost });
        }
        if let Some(progress) = self.step_progress() {
            progress.state = StepState::Skipped;
            progress.left = Some(at);
        }
        let mut effects = vec![Effect::Emit(Fact::StepSkipped { step, cost })];
        effects.extend(self.advance(at));
        effects
    }

    fn answered(&mut self, step: usize, question: usize, right: bool) -> Vec<Effect> {
        if step > self.open() {
            return refuse(Refusal::NotBegun);
        }
        let known = self.progress.steps.get_mut(step).and_then(|step| step.questions.get_mut(question));
        let Some(known) = known else { return refuse(Refusal::NoSuchStep) };
        if known.right {
            return refuse(Refusal::AnsweredAlready);
        }
        known.attempts = known.attempts.saturating_add(1);
        known.right = right;
        let attempts = known.attempts;
        vec![Effect::Emit(Fact::Answered { step, question, right, attempts }), Effect::Save]
    }

    fn reset(&mut self, step: Option<usize>) -> Vec<Effect> {
        let step = step.unwrap_or(self.open());
        if matches!(self.stage, Stage::Opening | Stage::Resetting) {
            return refuse(Refusal::NotReady);
        }
        let Some(outline) = self.outline.steps.get(step) else { return refuse(Refusal::NoSuchStep) };
        if step > self.open() || outline.elsewhere.is_some() {
            return refuse(Refusal::NotBegun);
        }
        self.stage = Stage::Resetting;
        // Whoever resumes this half-way must not take one state for the other.
        self.progress.going_back = Some(step);
        vec![Effect::Save, Effect::Restore { step }]
    }

    fn restored(&mut self, at: Timestamp, step: usize) -> Vec<Effect> {
        if self.stage != Stage::Resetting || step > self.open() {
            return Vec::new();
        }
        for (outline, progress) in self.outline.steps.iter().zip(&mut self.progress.steps).skip(step) {
            *progress = begin_again(outline, progress);
        }
        if let Some(progress) = self.progress.steps.get_mut(step) {
            progress.resets = progress.resets.saturating_add(1);
        }
        self.progress.finished = None;
        self.progress.going_back = None;
        self.progress.open = step;
        self.progress.stretch = 0;
        self.progress.mark = None;
        let mut effects = vec![Effect::Emit(Fact::WentBack { step })];
        effects.extend(self.enter(at));
        effects
    }

    /// Questions of the step in progress that have no right answer yet.
    fn open_questions(&self) -> usize {
        let step = self.open();
        let asked = self.outline.steps.get(step).map_or(&[][..], |outline| &outline.questions);
        let known = self.progress.steps.get(step).map_or(&[][..], |progress| &progress.questions);
        asked.iter().zip(known).filter(|(question, known)| question.left.is_none() && !known.right).count()
    }
}

/// Hints stay given, and answers too; what was witnessed is gone.
fn begin_again(outline: &StepOutline, known: &super::StepProgress) -> super::StepProgress {
    super::StepProgress {
        questions: known.questions.clone(),
        hints: known.hints,
        solution: known.solution,
        resets: known.resets,
        entered: known.entered,
        ..fresh(outline)
    }
}

fn refuse(refusal: Refusal) -> Vec<Effect> {
    vec![Effect::Refuse(refusal)]
}
