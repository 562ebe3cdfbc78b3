//! A `Cluster` without containers: a real etcd process, the API face over it, controllers that talk only through that API.

mod agent;
mod controllers;

pub use controllers::{Controllers, Settings};

pub mod print;
