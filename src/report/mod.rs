//! One fan-out of `RunEvent`s to terminal, JSON, `JUnit` and `GitHub`; a broken reporter never stops the others.

mod github;
mod human;
mod json;
mod junit;
mod layout;
mod live;
mod log;
mod pull;
mod sarif;

use std::borrow::Cow;
use std::io;

use crate::outcome::{Fold, RunEvent, RunReport};
use crate::text::redact;

pub use github::Github;
pub use human::{Human, HumanOptions};
pub use json::Json;
pub use junit::Junit;
pub use live::{Live, above_bars, bars};
pub use log::Log;
pub use pull::{PullBars, PullLines};
pub use sarif::{SarifRule, sarif};

/// One output. It is told facts and the report so far; it never calls back.
pub trait Reporter: Send {
    fn event(&mut self, event: &RunEvent, so_far: &Fold) -> io::Result<()>;
    /// The run is over.
    fn finish(&mut self, report: &RunReport) -> io::Result<()>;
}

/// Hands every event to every reporter that still works.
#[derive(Default)]
pub struct Fanout {
    fold: Fold,
    outputs: Vec<Output>,
}

struct Output {
    name: String,
    reporter: Box<dyn Reporter>,
    broken: Option<io::Error>,
}

/// A reporter that could not write, and why.
#[derive(Debug)]
pub struct Broken {
    pub name: String,
    pub error: io::Error,
}

impl Fanout {
    pub fn add(&mut self, name: impl Into<String>, reporter: impl Reporter + 'static) {
        self.outputs.push(Output { name: name.into(), reporter: Box::new(reporter), broken: None });
    }

    /// What is secret is hidden here, before any output shortens, wraps or escapes it.
    pub fn event(&mut self, mut event: RunEvent) {
        event.map_text(&|text| {
            if let Cow::Owned(hidden) = redact(text) {
                *text = hidden;
            }
        });
        let event = &event;
        self.fold.apply(event);
        for output in &mut self.outputs {
            output.attempt(|reporter| reporter.event(event, &self.fold));
        }
    }

    pub fn finish(mut self) -> (RunReport, Vec<Broken>) {
        let report = self.fold.report();
        for output in &mut self.outputs {
            output.attempt(|reporter| reporter.finish(&report));
        }
        let broken =
            self.outputs.into_iter().filter_map(|output| Some(Broken { name: output.name, error: output.broken? }));
        (report, broken.collect())
    }
}

impl Output {
    fn attempt(&mut self, write: impl FnOnce(&mut dyn Reporter) -> io::Result<()>) {
        if self.broken.is_none() {
            self.broken = write(self.reporter.as_mut()).err();
        }
    }
}

#[cfg(test)]
mod tests;
