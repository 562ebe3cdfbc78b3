//! The real binary, driven through one builder.

mod decode;
mod harness;
mod processes;
mod rooms;
