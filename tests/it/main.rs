//! The real binary, driven through one builder.

mod apiserver;
mod attach;
mod cases;
mod containers;
mod controllers;
mod decode;
mod docs;
mod engine;
mod fake_engine;
mod harness;
mod kind;
mod kind_errors;
mod lint;
mod live;
mod many;
mod node_shell;
mod pictures;
mod podman;
mod processes;
mod pull;
mod replay;
mod rooms;
mod run;
mod sandbox;
mod slips;
mod soak;
