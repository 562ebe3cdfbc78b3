//! Checks that are proposed from what etcd saw of several runs of a lab. Noise is measured: what the runs do not have in
//! common is none of the lab's doing, nor is what a run without its commands shows. What stays is judged like any check,
//! and against runs that lack one command.

mod additions;
mod choose;
mod convert;
mod corrected;
mod draft;
mod fields;
mod layout;
mod names;
mod printed;
mod proposal;
mod propose;
mod seen;
#[cfg(test)]
mod tests;
mod weigh;
mod write;

pub use additions::Additions;
pub use choose::{KilledBy, Recorded, Weighed, recorded};
pub use convert::{converted, only_shown};
pub use corrected::{Correction, corrections};
pub use draft::{Draft, draft};
pub use layout::{Block, CommandAt, Layout};
pub use names::{Names, other_values};
pub use proposal::{Cause, Proposal, What};
pub use seen::{Run, RunKind};
pub use write::{difference, with_proposals};
