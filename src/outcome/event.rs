use serde::{Deserialize, Serialize};

use super::report::{ClusterReport, DiagnosticReport, HostReport, LeftOut, ShardReport};
use super::{ActionReport, Proof, Verdict};
use crate::lab::Role;
use crate::text::EventKind;

/// A fact of a run, in the past tense: owned and serialisable, so that a recorded run replays through
/// the same reporters. `lab` counts the labs of the run from 0 (a repeated lab counts anew), `step` is
/// the step's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    RunStarted {
        tool: String,
        command: String,
        seed: u64,
        started_at: String,
        #[serde(default)]
        terms: Terms,
    },
    DiagnosticFound {
        diagnostic: DiagnosticReport,
    },
    /// A file that is no lab, or a lab that this run was told to leave.
    LeftOut(LeftOut),
    LabStarted {
        lab: usize,
        id: String,
        file: String,
        title: String,
        #[serde(default)]
        attempt: Attempt,
    },
    /// A stage of bringing the cluster up or down.
    StagePassed {
        lab: usize,
        stage: String,
        detail: Option<String>,
        duration_ms: u64,
    },
    /// How far the pull of the node image has come: for live progress only.
    Pulling {
        lab: usize,
        image: String,
        layers: Vec<PulledLayer>,
    },
    ClusterReady {
        lab: usize,
        cluster: ClusterReport,
        vars: Vec<(String, String)>,
    },
    StepStarted {
        lab: usize,
        step: String,
        title: String,
        line: usize,
        #[serde(default)]
        started_ms: u64,
    },
    ActionStarted {
        lab: usize,
        step: String,
        line: usize,
        role: Role,
        /// Its first command line, for live progress.
        text: String,
    },
    ActionFinished {
        lab: usize,
        step: String,
        action: ActionReport,
        /// What more a person needs where it failed: the difference to the expected output.
        detail: Vec<String>,
    },
    /// Judged, still open: for live progress only.
    CheckPending {
        lab: usize,
        step: String,
        line: usize,
        text: String,
        so_far: String,
    },
    CheckFinished {
        lab: usize,
        step: String,
        check: CheckFact,
        failure: Option<Failure>,
    },
    /// A line of a `wait` fence came true, or did not.
    WaitFinished {
        lab: usize,
        step: String,
        wait: CheckFact,
        failure: Option<Failure>,
    },
    QuestionFinished {
        lab: usize,
        step: String,
        question: QuestionFact,
    },
    /// What stopped the step beside its actions and checks, or why it was skipped.
    StepStopped {
        lab: usize,
        step: String,
        cause: StopCause,
        reason: String,
    },
    /// What etcd reported meanwhile, heartbeats aside, and how much of it is left out here.
    StepWitnessed {
        lab: usize,
        step: String,
        events: Vec<WitnessedEvent>,
        left_out: usize,
    },
    StepFinished {
        lab: usize,
        step: String,
        duration_ms: u64,
    },
    /// The lab could not go on, whatever its checks say.
    LabStopped {
        lab: usize,
        cause: StopCause,
        reason: String,
        detail: Vec<String>,
    },
    /// Keys that the lab created and that its clean-up left.
    KeysLeft {
        lab: usize,
        keys: Vec<String>,
    },
    LabFinished {
        lab: usize,
        duration_ms: u64,
        spent: Spent,
    },
    /// What the lab's run left lies in this folder, to be judged again.
    RunSaved {
        lab: usize,
        folder: String,
    },
    /// Something that does not decide, but that a person should know.
    Noticed {
        lab: Option<usize>,
        message: String,
    },
    Interrupted,
    RunFinished {
        duration_ms: u64,
    },
}

impl RunEvent {
    /// The lab that it is about.
    pub fn lab_mut(&mut self) -> Option<&mut usize> {
        match self {
            RunEvent::LabStarted { lab, .. }
            | RunEvent::StagePassed { lab, .. }
            | RunEvent::Pulling { lab, .. }
            | RunEvent::ClusterReady { lab, .. }
            | RunEvent::StepStarted { lab, .. }
            | RunEvent::ActionStarted { lab, .. }
            | RunEvent::ActionFinished { lab, .. }
            | RunEvent::CheckPending { lab, .. }
            | RunEvent::CheckFinished { lab, .. }
            | RunEvent::WaitFinished { lab, .. }
            | RunEvent::QuestionFinished { lab, .. }
            | RunEvent::StepStopped { lab, .. }
            | RunEvent::StepWitnessed { lab, .. }
            | RunEvent::StepFinished { lab, .. }
            | RunEvent::LabStopped { lab, .. }
            | RunEvent::KeysLeft { lab, .. }
            | RunEvent::RunSaved { lab, .. }
            | RunEvent::LabFinished { lab, .. } => Some(lab),
            RunEvent::Noticed { lab, .. } => lab.as_mut(),
            RunEvent::RunStarted { .. }
            | RunEvent::LeftOut(_)
            | RunEvent::DiagnosticFound { .. }
            | RunEvent::Interrupted
            | RunEvent::RunFinished { .. } => None,
        }
    }
}

/// Why a step or a lab did not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum StopCause {
    /// The cluster, etcd or a tool failed.
    CannotJudge,
    /// The lab or the call is wrong.
    Wrong,
    /// The cluster answered, and it does not hold.
    Failed,
    /// A background block ended by itself.
    Background,
    /// It took longer than it may.
    TimedOut,
    /// Not begun, because another lab failed and the run was to end then: neutral.
    FailFast,
    /// Not for this cluster or mode: neutral.
    NotHere,
    /// The only lab that was named has nothing to do here.
    NothingToDo,
    /// An earlier step failed: counts against.
    EarlierFailed,
    Interrupted,
}

/// One check's judgement before points are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckFact {
    pub text: String,
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// Of the character after its last one.
    #[serde(default)]
    pub end_line: usize,
    #[serde(default)]
    pub end_column: usize,
    /// When it was settled, in milliseconds from the lab's start.
    #[serde(default)]
    pub at_ms: u64,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub proof: Proof,
    /// Why a proof that is not red came out so.
    pub proof_reason: Option<String>,
    pub sampled: bool,
    pub revision: Option<i64>,
    pub evidence: Vec<EvidenceRef>,
    /// The line of its fence: the fence's points are earned together.
    pub fence: usize,
    pub fence_points: Option<u32>,
    pub rule: ProofRule,
    /// Skipped because it is not for this cluster or mode, so that it decides nothing.
    pub neutral: bool,
    /// It is not for this cluster, so that its points are none of the lab's here.
    #[serde(default)]
    pub elsewhere: bool,
}

/// What proof a check owes when its lab is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofRule {
    /// Red before its stretch.
    Red,
    /// Absence is green before as well; earns only beside other checks that pass.
    Never,
    /// The author says that it may hold before; the step needs another check that is proved.
    PrePass,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionFact {
    pub line: usize,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub text: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub points: u32,
    pub neutral: bool,
    /// It is not for this cluster, so that its points are none of the lab's here.
    #[serde(default)]
    pub elsewhere: bool,
}

/// Which run of a lab this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempt {
    /// Its place among the labs of the course, from 0.
    pub order: usize,
    /// From 1, of so many that were asked for.
    pub repeat: u32,
    pub repeats: u32,
    /// 0, then 1 for the first time that it was tried again because it had not passed.
    pub retry: u32,
    /// What its random values were drawn from.
    pub seed: u64,
    pub started_at: String,
}

impl Default for Attempt {
    fn default() -> Self {
        Self { order: 0, repeat: 1, repeats: 1, retry: 0, seed: 0, started_at: String::new() }
    }
}

/// What a run was asked for and where it took place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// Labs that passed only sometimes do not fail the run.
    pub allow_flaky: bool,
    pub shard: Option<ShardReport>,
    pub host: HostReport,
}

/// A change, or a break, in what etcd reported while a step took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WitnessedEvent {
    /// In milliseconds from the lab's start.
    pub at_ms: u64,
    /// `PUT` or `DELETE`; `gap` where the watch missed something, `epoch` where another store answers.
    #[serde(rename = "type")]
    pub kind: String,
    pub revision: Option<i64>,
    pub key: Option<String>,
    /// What changed in it, or why there is a gap.
    pub detail: Option<String>,
}

/// What of a block did not come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Fault {
    /// A command of it.
    Command,
    /// Its output is not the expected one.
    Output,
    /// A background block was not ready, or could not be started or stopped.
    Background,
}

/// What a person needs about a failed check without a second run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failure {
    /// The author's word.
    pub author: Option<String>,
    /// Wanted against seen, line by line, already redacted.
    pub explanation: Vec<String>,
    /// The end of the output of the step's actions.
    pub output: Vec<String>,
    /// The step's part of the journal.
    pub journal: Vec<String>,
}

/// An event that a verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EvidenceRef {
    pub revision: i64,
    #[serde(rename = "type")]
    pub kind: EventKind,
    pub key: String,
}

/// Where a lab's time went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spent {
    pub up_ms: u64,
    pub actions_ms: u64,
    pub checks_ms: u64,
    pub cleanup_ms: u64,
    pub down_ms: u64,
}

/// A layer of an image on its way here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PulledLayer {
    pub id: String,
    pub state: PullState,
    /// Bytes that are here.
    pub current: u64,
    pub total: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    Waiting,
    Downloading,
    Unpacking,
    Done,
}
