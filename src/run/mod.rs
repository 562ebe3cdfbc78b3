//! The plan and the step engine (mark, act, poll until pass or deadline, emit), and the only Clock.

mod act;
mod background;
mod cleanup;
mod command;
mod context;
mod depends;
mod emit;
mod environment;
mod expected;
mod ground;
mod hands;
mod hopeless;
mod judge;
mod lab;
mod leftover;
mod named;
mod no_field;
mod observe;
mod plan;
mod present;
mod question;
mod recording;
mod replay;
mod runner;
mod score;
mod searched;
mod secrets;
mod settle;
mod setup;
mod standing;
mod step;
mod stuck;
mod tidy;
mod vars;
mod work;

pub use command::CommandSeen;
pub use ground::{Ground, GroundRequest, Lasting, etcdctl_route};
pub use hands::{Hands, Ran, Undone};

pub use emit::Emitter;
pub use expected::prints;
pub use lab::{Hold, LabRequest, Recorded, Stopped, pulled, run_lab, stop_lab};
pub use leftover::left;
pub use named::{check_fact, question_fact};
pub use plan::{Act, Checks, Judged, Mode, Plan, PlannedStep, Skip, Stretch, Unsolved};
pub use present::{GradeRequest, Graded, Grading, grade_lab};
pub use question::{Right, right_answer};
pub use recording::{
    Known, Moment, Over, RecordedAct, RecordedCommand, RecordedLook, RecordedStretch, Recording, Said, SampleOf,
    Sampled, SavedOutput,
};
pub use replay::{ReplayRequest, Replayed, replay_lab};
pub use score::{CheckPlace, judged_checks, score};
pub use secrets::keep_secrets;
pub use setup::{Setup, is_text_as_saved};
pub use standing::{GoingBack, Pass, Ready, Standing, StandingRequest};
pub use vars::{Ask, Vars, random_values, resolve};
pub use work::{keep as keep_files, put_back as put_back_files};

use crate::outcome::RunEvent;

/// Takes the facts of a run as they come about, from several labs at once.
pub trait EventSink: Send + Sync {
    fn emit(&self, event: RunEvent);
}
