//! The real binary, driven through one builder.

mod harness;
mod rooms;
