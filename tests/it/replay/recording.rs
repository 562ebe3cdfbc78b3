//! What was recorded of a real cluster.

use std::io::Read;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::normal::{RECORDED_ADDRESS, RECORDED_NODE};

#[derive(Debug, Deserialize)]
pub(crate) struct Trace {
    pub(crate) scenario: String,
    /// The name and address of the recorded cluster's only node.
    #[serde(default = "recorded_node")]
    pub(crate) node: String,
    #[serde(default = "recorded_address")]
    pub(crate) address: String,
    pub(crate) commands: Vec<Step>,
    pub(crate) events: Vec<Event>,
}

fn recorded_node() -> String {
    RECORDED_NODE.to_owned()
}

fn recorded_address() -> String {
    RECORDED_ADDRESS.to_owned()
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Step {
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) stdin: Option<String>,
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    #[serde(default)]
    pub(crate) rev_settled: i64,
    /// How long the recorded cluster took, its rest included.
    #[serde(default)]
    pub(crate) seconds: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) mod_revision: i64,
    pub(crate) version: i64,
    #[serde(default)]
    pub(crate) value: Value,
}

impl Event {
    pub(crate) fn is_put(&self) -> bool {
        self.kind == "PUT"
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Reads {
    pub(crate) setup: Vec<Step>,
    pub(crate) reads: Vec<Step>,
}

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Our own recordings, or those in the folder that `KEYWITNESS_TRACES` names.
pub(crate) fn traces() -> Vec<Trace> {
    let folder = std::env::var_os("KEYWITNESS_TRACES").map_or_else(|| data("real-cluster/traces"), PathBuf::from);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the recordings are there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let bytes = std::fs::read(file).expect("a recording is read");
            let mut text = String::new();
            if file.extension().is_some_and(|ending| ending == "gz") {
                flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("a recording unpacks");
            } else {
                text = String::from_utf8(bytes).expect("a recording is text");
            }
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        })
        .collect()
}

pub(crate) fn reads() -> Reads {
    let text = std::fs::read_to_string(data("reads.json")).expect("the reads are there");
    serde_json::from_str(&text).expect("the reads are as expected")
}
