//! A live lab: the cluster, the one watch over it, the learner's state, checkpoints and what the learner's shells
//! reported. It judges as things happen and publishes [`SessionEvent`]s to any number of faces; it knows no face.
//!
//! A face has a [`Handle`]: [`Handle::request`] asks for something, [`Handle::subscribe`] hears what happens. Another
//! process does the same through the door, a Unix socket that only its owner may open ([`door`]).

mod api;
pub mod door;
mod handle;
mod tell;

pub use api::{
    Answer, BlockText, BlockView, CheckView, ClusterView, Command, Environment, EventLine, HintView, LabView, Printing,
    QuestionView, Request, StepLine, StepView, Summary, View, Why,
};
pub use handle::{Asked, Events, Handle, SessionGone};
pub use tell::SessionEvent;
