//! Runs that are saved: all of them where that is asked for, and else those that failed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;

use super::run::Sink;
use crate::author::{CACHED_BYTES, CACHED_RUNS, Cast, FORMAT, Head, LabHead, SavedRun, make_room};
use crate::lab::Lab;
use crate::outcome::{Attempt, LabReport, RunEvent, Terms, Verdict, lab_report};
use crate::report::{Fanout, Human, HumanOptions};
use crate::run::{EventSink, Mode, Recorded};

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct SaveArgs {
    /// Save each lab's run in a folder of its own in this one [default: those that fail, in the cache folder]
    #[arg(long, value_name = "DIR")]
    pub(super) save: Option<PathBuf>,
    /// Save no run, not even one that fails [env: `KEYWITNESS_NO_SAVE`]
    #[arg(long, env = "KEYWITNESS_NO_SAVE", hide_env = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) no_save: bool,
}

/// Passes events to a sink, and keeps them for a run that is saved.
pub(super) struct Saving<'a> {
    pub(super) sink: &'a Sink,
    pub(super) saver: Option<&'a Saver<'a>>,
}

impl EventSink for Saving<'_> {
    fn emit(&self, event: RunEvent) {
        if let Some(saver) = self.saver {
            saver.event(&event);
        }
        self.sink.emit(event);
    }
}

/// Keeps the events of each lab until it is over.
pub(super) struct Saver<'a> {
    args: &'a SaveArgs,
    mode: Mode,
    seed: u64,
    started_at: String,
    events: Mutex<BTreeMap<usize, Vec<RunEvent>>>,
    /// Folders that this call has written to.
    taken: Mutex<Vec<PathBuf>>,
}

impl<'a> Saver<'a> {
    pub(super) fn new(args: &'a SaveArgs, mode: Mode, seed: u64, started_at: String) -> Self {
        Self { args, mode, seed, started_at, events: Mutex::default(), taken: Mutex::default() }
    }

    pub(super) fn event(&self, event: &RunEvent) {
        // For live progress only, or not wanted.
        let saves = self.args.save.is_some() || !self.args.no_save;
        if !saves || matches!(event, RunEvent::Pulling { .. } | RunEvent::CheckPending { .. }) {
            return;
        }
        let mut event = event.clone();
        let Some(lab) = event.lab_mut().map(std::mem::take) else { return };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).entry(lab).or_default().push(event);
    }

    /// The folder that the lab's run was saved in, if it was; or why it could not be.
    pub(super) fn save(
        &self,
        index: usize,
        lab: &Lab,
        attempt: &Attempt,
        recorded: Option<Recorded>,
    ) -> Option<Result<PathBuf, String>> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner).remove(&index)?;
        let recorded = recorded?;
        let report = lab_report(std::iter::once(&self.started()).chain(&events));
        let folder = match &self.args.save {
            Some(folder) => self.free(folder, &lab.id),
            None if matches!(report.verdict, Verdict::Pass | Verdict::Skipped) => return None,
            None if report.reason.as_deref() == Some("interrupted") => return None,
            None => {
                let cache = cache()?;
                let at = self.started_at.replace([':', '-'], "");
                let folder = self.free(&cache, &format!("{at}-{}-{}", lab.id, std::process::id()));
                // Room for this one.
                drop(make_room(&cache, CACHED_RUNS - 1, CACHED_BYTES));
                folder
            }
        };
        let saved = self.saved_run(lab, attempt, &report, events, recorded);
        let written = saved.write(&folder).map(|()| folder.clone());
        Some(written.map_err(|error| format!("the run could not be saved in {}: {error}", folder.display())))
    }

    pub(super) fn started(&self) -> RunEvent {
        RunEvent::RunStarted {
            tool: super::TOOL.to_owned(),
            command: self.mode.command().to_owned(),
            seed: self.seed,
            started_at: self.started_at.clone(),
            terms: Terms::default(),
        }
    }

    fn saved_run(
        &self,
        lab: &Lab,
        attempt: &Attempt,
        report: &LabReport,
        events: Vec<RunEvent>,
        recorded: Recorded,
    ) -> SavedRun {
        let path = std::path::absolute(lab.source.path()).unwrap_or_else(|_| lab.source.path().to_owned());
        let head = Head {
            format: FORMAT,
            tool: super::TOOL.to_owned(),
            command: self.mode.command().to_owned(),
            solved: self.mode != Mode::Run,
            seed: attempt.seed.to_string(),
            started_at: self.started_at.clone(),
            lab: LabHead {
                id: lab.id.clone(),
                title: lab.title.clone(),
                file: lab.source.name().to_owned(),
                path: path.display().to_string(),
            },
            cluster: report.cluster.clone(),
            verdict: report.verdict,
            duration_ms: report.duration_ms,
        };
        SavedRun {
            report: self.written(&events),
            log: super::log::kept(&lab.id),
            casts: recorded.casts.all().iter().map(|cast| Cast::of(cast, &lab.title)).collect(),
            head,
            lab: lab.source.own().text().to_owned(),
            private: lab.source.other().map(|private| private.text().to_owned()),
            events,
            recording: recorded.recording,
            journal: recorded.journal.journal(),
        }
    }

    /// The report as `-vv` prints it.
    fn written(&self, events: &[RunEvent]) -> String {
        let text = Shared::default();
        let mut fanout = Fanout::default();
        let options = HumanOptions { verbose: 2, side_by_side: false, width: Some(100) };
        fanout.add("the saved report", Human::new(text.clone(), None, options));
        fanout.event(self.started());
        for event in events {
            fanout.event(event.clone());
        }
        // Nothing that writes to memory breaks.
        drop(fanout.finish());
        let text = text.0.lock().unwrap_or_else(PoisonError::into_inner);
        console::strip_ansi_codes(&String::from_utf8_lossy(&text)).into_owned()
    }

    /// A folder that no other lab of this call was saved in.
    fn free(&self, parent: &Path, name: &str) -> PathBuf {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = (1..).map(|number| match number {
            1 => parent.join(name),
            number => parent.join(format!("{name}-{number}")),
        });
        let folder = folders.into_iter().find(|folder| !taken.contains(folder)).unwrap_or_else(|| parent.join(name));
        taken.push(folder.clone());
        folder
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where runs that failed are kept.
pub(super) fn cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("keywitness").join("runs"))
}
