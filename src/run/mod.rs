//! The plan and the step engine (mark, act, poll until pass or deadline, emit), and the only Clock.

mod expected;
mod plan;
mod vars;

pub use plan::{Act, Judged, Mode, Plan, PlannedStep, Skip, Stretch};
pub use vars::{Ask, Vars, resolve};
