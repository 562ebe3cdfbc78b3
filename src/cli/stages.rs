//! The stages of a cluster as lines on standard error, and the layers of its image as bars.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::screen;
use crate::cluster::{Layer, StageSink};
use crate::report::{PullBars, PullLines, bars};
use crate::run::pulled;
use crate::text::TICK;

pub(super) struct StageLines {
    bars: Mutex<PullBars>,
    lines: Mutex<PullLines>,
}

impl StageLines {
    pub(super) fn new() -> Self {
        Self { bars: Mutex::new(PullBars::new(bars())), lines: Mutex::default() }
    }

    fn line(&self, text: &str) {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // With stderr gone there is nobody to tell.
        drop(writeln!(std::io::stderr(), "{text}"));
    }
}

impl StageSink for StageLines {
    fn passed(&self, stage: &str, detail: Option<&str>, took: Duration) {
        tracing::info!(stage, detail, ?took, "stage passed");
        let detail = detail.map(|detail| format!("  {detail}")).unwrap_or_default();
        self.line(&format!(
            "{} {stage:<14}{:>6.1} s{detail}",
            console::style(TICK).for_stderr().green(),
            took.as_secs_f64()
        ));
    }

    fn pulling(&self, image: &str, layers: &[Layer]) {
        let layers = pulled(layers);
        if screen::is_live() {
            self.bars.lock().unwrap_or_else(PoisonError::into_inner).draw(&layers);
        } else if let Some(line) = self.lines.lock().unwrap_or_else(PoisonError::into_inner).due(image, &layers) {
            self.note(&line);
        }
    }

    fn note(&self, text: &str) {
        self.line(&format!("{} {text}", console::style("·").for_stderr().dim()));
    }
}
