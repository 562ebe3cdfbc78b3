mod lines;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use console::style;

use lines::{
    Lines, cleaned_up, cluster_line, header, lab_detail, seed_line, several_runs, spent, step_detail, step_line,
    summary, total,
};

use super::layout::{duration, screen_columns, screen_width};
use super::{Live, PullLines, Reporter};
use crate::outcome::{Fold, RunEvent, RunReport, Verdict};

#[derive(Debug, Clone, Copy, Default)]
pub struct HumanOptions {
    /// 1: where the time went, every check and block; 2: their outputs too.
    pub verbose: u8,
    /// Labs run side by side: each is written when it is over, so that they do not mix.
    pub side_by_side: bool,
    /// Columns, where they are not the screen's.
    pub width: Option<usize>,
}

/// One line a step, and everything about what failed.
pub struct Human<W> {
    writer: W,
    live: Option<Live>,
    options: HumanOptions,
    width: usize,
    /// Where lines are folded: on a screen only.
    columns: Option<usize>,
    pages: BTreeMap<usize, Page>,
    labs_written: usize,
}

/// What of a lab has not been written yet.
#[derive(Default)]
struct Page {
    lines: Lines,
    has_header: bool,
    /// The steps that have their line.
    steps: BTreeSet<String>,
    pull: PullLines,
}

impl<W: Write> Human<W> {
    pub fn new(writer: W, live: Option<Live>, options: HumanOptions) -> Self {
        let width = options.width.unwrap_or_else(screen_width);
        let columns = options.width.or_else(screen_columns);
        Self { writer, live, options, width, columns, pages: BTreeMap::new(), labs_written: 0 }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let Self { writer, live, .. } = self;
        let mut write = || writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
        match live {
            Some(live) => live.above(write),
            None => write(),
        }
    }

    fn page(&mut self, lab: usize, so_far: &Fold) -> &mut Page {
        let columns = self.columns;
        let page = self.pages.entry(lab).or_default();
        page.lines.columns = columns;
        if !page.has_header {
            page.has_header = true;
            if let Some(report) = so_far.lab(lab) {
                let gap = if self.labs_written > 0 { "\n" } else { "" };
                page.lines.text.push_str(gap);
                page.lines.push(0, header(&report));
            }
            self.labs_written += 1;
        }
        page
    }

    /// A finished report, as its events would have written it.
    pub fn whole(&mut self, report: &RunReport) -> io::Result<()> {
        for lab in &report.labs {
            let mut lines = Lines { columns: self.columns, ..Lines::default() };
            let gap = if self.labs_written > 0 { "\n" } else { "" };
            lines.text.push_str(gap);
            lines.push(0, header(lab));
            self.labs_written += 1;
            if !lab.cluster.kind.is_empty() {
                lines.push(2, style(cluster_line(&lab.cluster)).dim());
            }
            for step in lab.steps.iter().filter(|step| lab.stop.is_none() || step.verdict != Verdict::Skipped) {
                lines.push(0, step_line(step, self.width));
                step_detail(&mut lines, lab, step, self.options.verbose);
            }
            lab_detail(&mut lines, lab);
            lines.push(2, summary(lab));
            self.write(&lines.text)?;
        }
        for notice in &report.notices {
            let lab = notice.lab.as_ref().map_or_else(String::new, |lab| format!("{lab}: "));
            self.write(&format!("{}: {lab}{}\n", style("note").cyan(), notice.message))?;
        }
        Ok(())
    }

    /// Writes what a lab's page has gathered, unless other labs run beside it and it goes on.
    fn flush(&mut self, lab: usize, lab_is_over: bool) -> io::Result<()> {
        if self.options.side_by_side && !lab_is_over {
            return Ok(());
        }
        let text = self.pages.get_mut(&lab).map(|page| std::mem::take(&mut page.lines.text)).unwrap_or_default();
        if text.is_empty() { Ok(()) } else { self.write(&text) }
    }
}

impl<W: Write + Send> Reporter for Human<W> {
    fn event(&mut self, event: &RunEvent, so_far: &Fold) -> io::Result<()> {
        if let Some(live) = &mut self.live {
            live.event(event);
        }
        match event {
            RunEvent::ClusterReady { lab, cluster, .. } => {
                let line = cluster_line(cluster);
                self.page(*lab, so_far).lines.push(2, style(line).dim());
                self.flush(*lab, false)
            }
            RunEvent::Pulling { lab, image, layers } if self.live.is_none() => {
                let page = self.page(*lab, so_far);
                let Some(line) = page.pull.due(image, layers) else { return Ok(()) };
                page.lines.push(2, style(line).dim());
                self.flush(*lab, false)
            }
            RunEvent::StagePassed { lab, stage, detail, duration_ms } if self.options.verbose > 0 => {
                let detail = detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
                let line = format!("{stage}{detail} ({})", duration(*duration_ms));
                self.page(*lab, so_far).lines.push(2, style(line).dim());
                self.flush(*lab, false)
            }
            RunEvent::StepFinished { lab, step, .. } => {
                let (width, verbose) = (self.width, self.options.verbose);
                if let (Some(report), Some(step)) = (so_far.lab(*lab), so_far.step(*lab, step))
                    && !(report.stop.is_some() && step.verdict == Verdict::Skipped)
                {
                    let page = self.page(*lab, so_far);
                    let is_new = page.steps.insert(step.id.clone());
                    let step = if is_new { Cow::Borrowed(step) } else { Cow::Owned(cleaned_up(step)) };
                    page.lines.push(0, step_line(&step, width));
                    step_detail(&mut page.lines, &report, &step, verbose);
                }
                self.flush(*lab, false)
            }
            RunEvent::Noticed { lab, message } => {
                let line = format!("{}: {message}", style("note").cyan());
                match lab {
                    Some(lab) => {
                        self.page(*lab, so_far).lines.push(2, line);
                        self.flush(*lab, false)
                    }
                    None => self.write(&format!("{line}\n")),
                }
            }
            RunEvent::LabFinished { lab, .. } => {
                let verbose = self.options.verbose;
                if let Some(report) = so_far.lab(*lab) {
                    let page = self.page(*lab, so_far);
                    lab_detail(&mut page.lines, &report);
                    page.lines.push(2, summary(&report));
                    if verbose > 0 {
                        page.lines.push(2, style(spent(&report.spent)).dim());
                    }
                }
                self.flush(*lab, true)
            }
            RunEvent::RunSaved { lab, folder } => {
                let line = format!("saved in {folder}: `keywitness replay` judges it again");
                self.page(*lab, so_far).lines.push(2, style(line).dim());
                self.flush(*lab, true)
            }
            RunEvent::Interrupted => {
                self.write("interrupted: cleaning up (Ctrl-C again leaves that to the watchdog)\n")
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        let mut lines = Lines { columns: self.columns, ..Lines::default() };
        if report.labs.len() > 1 {
            lines.text.push('\n');
            lines.push(0, total(report));
        }
        for line in several_runs(report) {
            lines.push(2, line);
        }
        if let Some(line) = seed_line(report) {
            lines.push(0, style(line).dim());
        }
        self.write(&lines.text)
    }
}
