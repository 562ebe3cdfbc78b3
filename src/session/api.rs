//! What faces ask of a session, and what it answers: owned and serialisable, so that it passes through the door.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lab::Vars;
use crate::learn::{Standing, StepState};
use crate::outcome::EvidenceRef;
use crate::terminal::{Began, Finished};

/// What a face asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Everything that a face shows: [`Answer::View`].
    Show,
    /// The same, as soon as the step in progress is open: whatever begins after the answer counts for its checks. At once
    /// where the step cannot be opened, as etcd does not answer.
    Opened,
    /// On to the next step. With questions open it is asked about first.
    Next,
    /// Back to look at the step before; the one in progress stays so.
    Prev,
    /// Runs a block in a terminal of the session's own: the named one, or the next that was not run yet:
    /// [`Answer::Ran`].
    Run {
        block: Option<String>,
    },
    /// A block's text, for a face that types it into the learner's own shell: [`Answer::Block`].
    Block {
        block: Option<String>,
    },
    /// Ends a background block of the session: the named one, or all.
    Stop {
        block: Option<String>,
    },
    Hint,
    /// What each check that is not green wants, and what there is: [`Answer::Why`].
    Why,
    /// The solution's blocks. It is asked about first.
    Solution,
    /// Runs what is left of the step's blocks, solutions too.
    Solve,
    Answer {
        question: Option<String>,
        text: String,
    },
    /// Leaves the step out. What it costs is asked about first.
    Skip,
    /// What etcd has witnessed since the step began, the last `limit` of it: [`Answer::Events`].
    Events {
        limit: usize,
    },
    /// Back to the beginning of a step: of the one in progress, or of the one with this id or number.
    Reset {
        step: Option<String>,
    },
    /// The steps of the lab: [`Answer::Steps`].
    List,
    /// What a shell of the learner's must find in its environment: [`Answer::Environment`].
    Environment,
    /// On with what an [`Answer::AskAgain`] has asked about; refused where anything else came between.
    Agree {
        number: i64,
    },
    /// A shell of the learner's has begun a command.
    Began {
        terminal: String,
        text: String,
        began: Timestamp,
    },
    /// A shell of the learner's has finished a command.
    Finished {
        command: Command,
    },
    /// A command that still runs has printed more.
    Printed {
        printing: Printing,
    },
    /// A shell of the learner's has ended, and with it what ran in it.
    Left {
        terminal: String,
    },
    /// Writes a file to hand in: [`Answer::HandedIn`].
    HandIn {
        /// Absolute; it must not exist. Without one it is `LAB.handin` where the session was begun.
        file: Option<String>,
    },
    /// How the lab stands: [`Answer::Summary`].
    Summary,
    /// Ends the session; kept, it can be resumed where it stands.
    Quit {
        keep: bool,
    },
}

impl Request {
    /// As the shell of a terminal has begun it.
    pub fn began(terminal: &str, began: Began) -> Self {
        Self::Began { terminal: terminal.to_owned(), text: began.text, began: time(began.at) }
    }
}

/// A command that a learner's shell has run to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Which of the learner's shells.
    pub terminal: String,
    /// As it was typed, the lines of one command joined by line ends.
    pub text: String,
    pub status: i32,
    /// What it printed, as a person sees it.
    pub output: String,
    /// Some of the output was not kept.
    #[serde(default)]
    pub cut: bool,
    pub began: Timestamp,
    pub ended: Timestamp,
    /// The shell's KUBECONFIG when it had ended, where the shell reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<String>,
}

impl Command {
    /// As the shell of a terminal saw it.
    pub fn of(terminal: &str, finished: Finished) -> Self {
        Self {
            terminal: terminal.to_owned(),
            text: finished.text,
            status: finished.status,
            output: finished.output,
            cut: finished.is_cut,
            began: time(finished.began),
            ended: time(finished.ended),
            kubeconfig: finished.kubeconfig,
        }
    }
}

/// A time that no timestamp holds is taken to be now.
fn time(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or_else(|_| Timestamp::now())
}

/// A command that runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printing {
    pub terminal: String,
    pub text: String,
    /// All that it has printed by now.
    pub output: String,
    #[serde(default)]
    pub cut: bool,
    pub began: Timestamp,
}

impl Printing {
    /// As the shell of a terminal sees it so far.
    pub fn of(terminal: &str, printed: Finished) -> Self {
        Self {
            terminal: terminal.to_owned(),
            text: printed.text,
            output: printed.output,
            cut: printed.is_cut,
            began: time(printed.began),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Done, or noted.
    Done,
    View {
        view: Box<View>,
    },
    /// Nothing was done, why, and what to do instead.
    Refused {
        reason: String,
        hint: Option<String>,
    },
    /// What it costs; [`Request::Agree`] with this number goes on.
    AskAgain {
        reason: String,
        /// What a learner types to go on, where that is how it is done.
        again: String,
        number: i64,
    },
    Hint {
        hint: HintView,
    },
    Solution {
        blocks: Vec<BlockText>,
    },
    Block {
        block: BlockText,
    },
    /// A block ran: as its report has it.
    Ran {
        passed: bool,
        reason: Option<String>,
        output: String,
        cut: bool,
    },
    Why {
        checks: Vec<Why>,
        notes: Vec<String>,
    },
    Answered {
        right: bool,
        words: String,
        attempts: u32,
        /// What is right and why, in Markdown, where the lab says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        explanation: Option<String>,
    },
    Events {
        events: Vec<EventLine>,
        left_out: usize,
    },
    Steps {
        steps: Vec<StepLine>,
        points: u32,
        max_points: u32,
    },
    Environment {
        environment: Environment,
    },
    HandedIn {
        file: String,
        points: u32,
        max_points: u32,
        /// The name that stands in it.
        learner: Option<String>,
    },
    Summary {
        summary: Summary,
    },
    /// The session went back; what could not be undone.
    WentBack {
        step: String,
        left: Vec<String>,
    },
}

/// Everything that a face shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub lab: LabView,
    pub cluster: ClusterView,
    /// The step on the screen.
    pub step: StepView,
    /// The number of the step in progress, from 1.
    pub open: usize,
    /// How many steps there are.
    pub of: usize,
    pub points: u32,
    pub max_points: u32,
    pub finished: bool,
    /// As they may be shown.
    pub vars: Vec<(String, String)>,
    /// What the runner gives: `LAB_NODE` and the like.
    pub given: Vec<(String, String)>,
    /// Names of the session's background blocks that run.
    pub running: Vec<String>,
}

impl View {
    /// What a `${NAME}` of the lab's text stands for.
    pub fn values(&self) -> Vars {
        self.vars.iter().chain(&self.given).cloned().collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabView {
    pub id: String,
    pub title: String,
    /// Absolute.
    pub file: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterView {
    pub kind: String,
    pub kubernetes: Option<String>,
    pub etcd: Option<String>,
    /// How etcd is reached, for a person.
    pub route: String,
    /// Etcd does not answer, and why: nothing is judged until it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that a face shows")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    pub id: String,
    pub title: String,
    /// From 1.
    pub number: usize,
    /// The heading's line in the lab's file.
    pub line: usize,
    pub state: StepState,
    /// It is the step in progress, and all its checks hold.
    pub green: bool,
    /// It is being prepared, or goes back: its checks are not looked at now.
    pub preparing: bool,
    pub elsewhere: Option<String>,
    pub checks: Vec<CheckView>,
    pub questions: Vec<QuestionView>,
    pub blocks: Vec<BlockView>,
    pub hints_given: u32,
    pub hints: u32,
    pub has_solution: bool,
    /// It was shown.
    #[serde(default)]
    pub solution_shown: bool,
    pub points: u32,
    pub max_points: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// Its number in the step, from 1.
    pub number: usize,
    /// As the lab writes it, with the variables' values.
    pub text: String,
    /// The line of the check in the lab's file, and that of its fence.
    pub line: usize,
    pub fence: usize,
    pub standing: Standing,
    /// In one line, why it stands so.
    pub reason: Option<String>,
    /// The author's word for a failure.
    pub fail: Option<String>,
    pub evidence: Vec<EvidenceRef>,
    pub revision: Option<i64>,
    /// A line of a `wait` fence.
    pub wait: bool,
    /// Not judged on this cluster, and why.
    pub left: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionView {
    /// Its name, or its number in the step.
    pub id: String,
    pub line: usize,
    pub text: String,
    /// Of a question with choices.
    pub choices: Vec<String>,
    pub attempts: u32,
    pub right: bool,
    pub points: u32,
    pub left: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockView {
    /// Its name, or its number in the step.
    pub id: String,
    pub line: usize,
    pub role: String,
    /// It was run by the session, or the learner typed it.
    pub done: bool,
    pub background: bool,
    pub on_node: bool,
    /// Not for this cluster, and why.
    pub left: Option<String>,
}

/// A block's commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockText {
    pub id: String,
    pub line: usize,
    pub text: String,
    pub background: bool,
    /// It belongs into a shell on the node.
    pub on_node: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HintView {
    pub number: u32,
    pub of: u32,
    pub summary: String,
    /// What the fold holds.
    pub markdown: String,
}

/// Why a check is not green.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    pub check: CheckView,
    /// What is often the cause, the likeliest first.
    pub causes: Vec<String>,
    /// Wanted against seen.
    pub explanation: Vec<String>,
}

/// A change that etcd witnessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    pub revision: i64,
    #[serde(rename = "type")]
    pub kind: String,
    pub key: String,
    /// Milliseconds from the stretch's mark.
    pub after_ms: i64,
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLine {
    pub number: usize,
    pub id: String,
    pub title: String,
    pub state: StepState,
    pub solved: bool,
    pub elsewhere: Option<String>,
    pub held: usize,
    pub checks: usize,
    pub points: u32,
    pub max_points: u32,
    /// It can be gone back to.
    pub can_reset: bool,
}

/// What a shell of the learner's is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub vars: Vec<(String, String)>,
    /// Folders before all others on PATH.
    pub path: Vec<String>,
    /// Where a shell starts: `LAB_WORK`.
    pub work: String,
    /// The socket of the door.
    pub door: String,
}

/// How a lab came out, or stands where it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub title: String,
    pub points: u32,
    pub max_points: u32,
    pub finished: bool,
    pub seconds: u64,
    pub hints: u32,
    pub wrong_answers: u32,
    pub steps: Vec<StepLine>,
    /// The file to hand in, of a lab that is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_in: Option<String>,
}
