//! The real binary, driven through one builder.

mod decode;
mod docs;
mod engine;
mod fake_engine;
mod harness;
mod kind_errors;
mod lint;
mod processes;
mod replay;
mod rooms;
mod run;
