//! Lines, each sealed with the hash of the one before.

use std::io::{self, Write};

use serde::Serialize;

use super::sha256;

/// Half of a SHA-256: it keeps nobody from writing a new seal, so that its length decides nothing.
const HASH: usize = 32;

pub(super) struct Chain<W> {
    out: W,
    count: usize,
    last: String,
}

impl<W: Write> Chain<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, count: 0, last: String::new() }
    }

    pub(super) fn push(&mut self, body: &impl Serialize) -> io::Result<()> {
        let body = serde_json::to_string(body)?;
        let Self { count, last, .. } = self;
        let hash = hash(*count, last, &body);
        writeln!(self.out, "{{\"n\":{count},\"prev\":\"{last}\",\"hash\":\"{hash}\",\"body\":{body}}}")?;
        self.count += 1;
        self.last = hash;
        Ok(())
    }
}

fn hash(count: usize, before: &str, body: &str) -> String {
    let mut hash = sha256(format!("{count}\n{before}\n{body}").as_bytes());
    hash.truncate(HASH);
    hash
}

/// A line, taken apart without reading its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link<'a> {
    pub(super) count: usize,
    pub(super) before: &'a str,
    pub(super) hash: &'a str,
    pub(super) body: &'a str,
}

impl<'a> Link<'a> {
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let rest = line.strip_prefix("{\"n\":")?;
        let (count, rest) = rest.split_once(",\"prev\":\"")?;
        let (before, rest) = rest.split_once("\",\"hash\":\"")?;
        let (hash, rest) = rest.split_once("\",\"body\":")?;
        Some(Self { count: count.parse().ok()?, before, hash, body: rest.strip_suffix('}')? })
    }

    /// Whether its own hash is that of what it holds.
    pub(super) fn is_sealed(&self) -> bool {
        self.hash == hash(self.count, self.before, self.body)
    }
}
