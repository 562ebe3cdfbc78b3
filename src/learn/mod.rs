//! The learner's state machine: `(State, Input) -> (State, Effects)`. It knows no cluster, no clock and no screen:
//! whoever drives it hands in what happened and when, and carries out the effects.
//!
//! A lab is an [`Outline`] of steps and stretches. One stretch is open at a time; its checks turn green as they are
//! witnessed, and when all of them are green the next stretch opens. When the last one of a step is green, the step
//! waits for the learner to go on.

pub mod handin;
mod input;
mod machine;
mod outline;
mod points;
mod progress;
mod state;
#[cfg(test)]
mod tests;

pub use input::{Cost, Effect, Fact, Input, Refusal};
pub use outline::{CheckOutline, Outline, QuestionOutline, StepOutline, StretchOutline};
pub use progress::{CheckProgress, Progress, QuestionProgress, SCHEMA, StepProgress, StepState};
pub use state::{Place, Standing, State, Wish};
