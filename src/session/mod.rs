//! A live lab: the cluster, the one watch over it, the learner's state, checkpoints and what the learner's shells
//! reported. It judges as things happen and publishes [`SessionEvent`]s to any number of faces; it knows no face.
//!
//! A face has a [`Handle`]: [`Handle::request`] asks for something, [`Handle::subscribe`] hears what happens. Another
//! process does the same through the door, a Unix socket that only its owner may open ([`door`]).

mod api;
mod ask;
mod blocks;
mod clock;
pub mod door;
mod engine;
mod event;
mod folder;
mod handin;
mod handle;
mod live;
mod looks;
mod opening;
mod outline;
mod outputs;
mod printed;
mod questions;
mod reset;
#[cfg(test)]
mod sample;
mod start;
mod views;
mod watched;
mod why;

pub use api::{
    Answer, BlockText, BlockView, CheckView, ClusterView, Command, Environment, EventLine, HintView, LabView, Printing,
    QuestionView, Request, StepLine, StepView, Summary, View, Why,
};
pub use event::SessionEvent;
pub use folder::{Found, Left, lessons, running};
pub use handle::{Events, Handle, SessionGone};
#[cfg(test)]
pub use sample::sample;
pub use start::{Session, SessionRequest, StartError, start};
pub use watched::{DiffLine, ObjectView, Watched, Witnessed};
