//! One fan-out of `RunEvent`s to a person's screen, and of the finished report to every other format; a broken reporter
//! never stops the others.

mod file;
mod github;
mod gitlab;
mod html;
mod human;
mod json;
mod junit;
mod layout;
mod live;
mod log;
mod markdown;
mod problems;
mod pull;
mod sarif;
mod tap;

use std::borrow::Cow;
use std::io;

use crate::outcome::{Fold, RunEvent, RunReport, Verdict};
use crate::text::redact;

pub use file::{Format, ToFile, ToStream};
pub use github::github;
pub use gitlab::gitlab;
pub use html::html;
pub use human::{Human, HumanOptions};
pub use json::json;
pub use junit::junit;
pub use live::{Live, above_bars, bars, hide_bars, show_bars};
pub use log::Log;
pub use markdown::markdown;
pub use pull::{PullBars, PullLines};
pub use sarif::{SarifRule, sarif};
pub use tap::tap;

/// One output. It gets facts and the report so far; it never calls back.
pub trait Reporter: Send {
    fn event(&mut self, event: &RunEvent, so_far: &Fold) -> io::Result<()>;
    /// The run is over.
    fn finish(&mut self, report: &RunReport) -> io::Result<()>;
}

impl Reporter for Box<dyn Reporter> {
    fn event(&mut self, event: &RunEvent, so_far: &Fold) -> io::Result<()> {
        (**self).event(event, so_far)
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        (**self).finish(report)
    }
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

    /// How a lab stands so far.
    pub fn verdict(&self, lab: usize) -> Verdict {
        self.fold.verdict(lab)
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
