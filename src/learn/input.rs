//! What a learner's state machine takes in, and what it gives back.

use super::state::{Place, Standing};
use crate::outcome::EvidenceRef;

/// What happened, or what the learner asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The cluster answers, and effects can be carried out.
    Started,
    /// The open stretch's set-up has run, and its mark is set, at this revision.
    Opened {
        mark: i64,
    },
    Turned {
        place: Place,
        standing: Standing,
        reason: Option<String>,
        revision: Option<i64>,
        evidence: Vec<EvidenceRef>,
    },
    Next,
    Prev,
    Hint,
    Solution,
    Solve,
    Skip,
    /// On with what was asked about under this number, if that is the same still.
    Agreed {
        number: i64,
    },
    Answered {
        step: usize,
        question: usize,
        right: bool,
    },
    /// Back to the beginning of a step; of the one in progress where none is named.
    Reset {
        step: Option<usize>,
    },
    /// The cluster stands as it stood when the step began.
    Restored {
        step: usize,
    },
    NotRestored,
}

/// What has to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Emit(Fact),
    Refuse(Refusal),
    /// Keep the cluster's state where a step begins, run the stretch's set-up, set its mark, look at its checks; then
    /// [`Input::Opened`].
    Open {
        step: usize,
        stretch: usize,
    },
    /// Run what is left of the blocks of the open stretch, and of those that open after it in the step.
    Solve {
        step: usize,
        stretch: usize,
    },
    /// Then [`Input::Restored`] or [`Input::NotRestored`].
    Restore {
        step: usize,
    },
    /// Write the progress down.
    Save,
    /// The lab is over.
    Finish,
}

/// What came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    StepOpened {
        step: usize,
    },
    StretchOpened {
        step: usize,
        stretch: usize,
    },
    CheckTurned {
        place: Place,
        was: Standing,
        now: Standing,
    },
    StepGreen {
        step: usize,
    },
    /// It was green, and is no longer.
    StepBroke {
        step: usize,
    },
    StepDone {
        step: usize,
    },
    StepSkipped {
        step: usize,
        cost: Cost,
    },
    StepShown {
        step: usize,
    },
    HintGiven {
        step: usize,
        number: u32,
    },
    SolutionShown {
        step: usize,
    },
    Answered {
        step: usize,
        question: usize,
        right: bool,
        attempts: u32,
    },
    WentBack {
        step: usize,
    },
    Finished,
}

/// Points that can no longer be earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub points: u32,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Its set-up still runs.
    NotReady,
    NotGreen {
        held: usize,
        of: usize,
    },
    /// Agreed to, it goes on without.
    OpenQuestions {
        count: usize,
    },
    NoHint,
    NoMoreHints {
        given: u32,
    },
    NoSolution,
    /// Agreed to, it is shown.
    SolutionOnce,
    /// Agreed to, it is skipped.
    SkipOnce {
        cost: Cost,
    },
    FirstStep,
    Green,
    Over,
    NoSuchStep,
    /// A step that has not been begun.
    NotBegun,
    AnsweredAlready,
    /// Something else was asked for since, or nothing was asked about.
    NotAsked,
}
