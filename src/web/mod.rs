//! The page: a session's second face, served over HTTP to a browser. It shows and asks what a session can show and do,
//! and adds nothing to it.
//!
//! [`Server::bind`] takes the port, [`Server::run`] serves until it is asked to end. Every request passes `gate`;
//! a lab's own text becomes HTML only in `html`; terminals belong to the server (`terminals`), and pages come and
//! go.

mod answer;
mod assets;
mod changes;
mod course;
mod feed;
mod gate;
mod hosted_session;
mod hosted_sessions;
mod html;
mod page;
mod picture;
mod routes;
mod secret;
mod server;
mod sessions;
mod stall;
mod streams;
mod terminals;

pub use course::{Entry, Library, Need, Question, Refusal, Stages, Started, Wanted};
pub use html::paper;
pub use secret::Secret;
pub use server::{Server, Settings};
