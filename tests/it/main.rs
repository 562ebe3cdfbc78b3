//! The real binary, driven through one builder.

mod decode;
mod harness;
mod lint;
mod processes;
mod rooms;
