//! What a container's command would do, worked out in a time of its own: nothing is ever run. Scripts as lessons
//! have them are followed command by command, plain tools answer as they do, and what cannot be followed is named.

mod applets;
mod cluster;
mod control;
mod expand;
mod files;
mod filters;
mod lessons;
mod network;
mod paths;
mod programs;
mod run;
mod sums;
mod syntax;
mod text;
mod tree;
mod typed;
mod web;
mod words;
mod world;

#[cfg(test)]
mod tests;

pub(crate) use cluster::{Answer, Asks, Call, Cluster, Name, Page};
pub(crate) use files::{Change, Files, Found, What, absolute};
pub(crate) use run::play;
pub(crate) use typed::Typed;
pub(crate) use world::{Programs, World, name_of};

/// A piece of what a command prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// In milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) error: bool,
    pub(crate) text: String,
}

/// How a command comes to its end; times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Until it is stopped.
    Never,
    At {
        at: i64,
        code: i32,
    },
    /// It took more memory than it may have.
    OutOfMemory {
        at: i64,
    },
    /// From here on it depends on what happens elsewhere: look again then.
    Open {
        at: i64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Played {
    pub(crate) printed: Vec<Piece>,
    pub(crate) changes: Vec<Change>,
    pub(crate) end: End,
    /// The first thing that could not be followed.
    pub(crate) unknown: Option<String>,
    /// The program that goes on, where one does, and what it was given.
    pub(crate) serves: Option<Vec<String>>,
    /// Whether it has something to do when it is told to stop.
    pub(crate) traps: bool,
}

/// Each as a line of its own.
fn lines(list: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut out = String::new();
    for line in list {
        out.push_str(line.as_ref());
        out.push('\n');
    }
    out
}
