//! Which reporters a call wants.

use std::io::{stderr, stdout};

use super::args::{Format, ReportArgs};
use super::screen;
use crate::report::{Fanout, Github, Human, HumanOptions, Json, Junit, Live, Log};

pub(super) fn fanout(report: &ReportArgs, side_by_side: bool) -> Fanout {
    let mut fanout = Fanout::default();
    match report.format {
        Format::Human => {
            let live = screen::is_live().then(Live::default);
            let options = HumanOptions { verbose: report.verbose, side_by_side, width: None };
            fanout.add("standard output", Human::new(stdout(), live, options));
        }
        Format::Json => fanout.add("standard output", Json::new(stdout())),
    }
    if let Some(path) = &report.junit {
        fanout.add(path.display().to_string(), Junit::new(path.clone()));
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        // Standard output belongs to the report; GitHub reads both.
        fanout.add("standard error", Github::new(stderr()));
    }
    fanout.add("the log", Log);
    fanout
}
