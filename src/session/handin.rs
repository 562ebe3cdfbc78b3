//! What a learner hands in: the evidence of each check, kept from the moment it turns green, and a file made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::api::Answer;
use super::engine::Engine;
use super::event::SessionEvent;
use crate::journal::{Clock, Delivered, JournalView};
use crate::lab::keywords::GIVEN_PREFIX;
use crate::learn::Place;
use crate::learn::handin::{Attempt, JudgedCheck, Part, write};
use crate::outcome::{CheckFact, ClusterReport, Verdict};
use crate::run::{random_values, score};
use crate::text::redact;

impl Engine<'_> {
    /// Keeps what a check rests on that is about to hold, as the view has it.
    pub(super) fn keep_evidence(&self, place: Place, reason: Option<&str>, view: &JournalView) {
        let kept = match self.evidence(place, reason, view) {
            Some(part) => part.and_then(|part| self.home.keep_evidence(place, &part)),
            None => return,
        };
        self.say_if_lost(kept);
    }

    /// It does not hold any more.
    pub(super) fn forget_evidence(&self, place: Place) {
        self.say_if_lost(self.home.forget_evidence(place));
    }

    /// The lab went back to this step.
    pub(super) fn forget_evidence_from(&self, step: usize) {
        for (number, known) in self.course.steps.iter().enumerate().skip(step) {
            for check in 0..known.checks.len() {
                self.forget_evidence(Place { step: number, check });
            }
        }
    }

    fn say_if_lost(&self, kept: io::Result<()>) {
        if let Err(error) = kept {
            let message = format!("what this check rests on cannot be kept for a hand-in: {error}");
            self.handle.emit(SessionEvent::Noticed { message });
        }
    }

    /// `None` of what earns nothing, or is not looked at now.
    fn evidence(&self, place: Place, reason: Option<&str>, view: &JournalView) -> Option<io::Result<Part>> {
        let (outline, _) = self.state.check(place).filter(|(outline, _)| !outline.is_wait)?;
        let (check, evidence, since) = self.live.as_ref()?.judged(place)?;
        let upto = Delivered {
            revision: view.revision_at(view.end()).unwrap_or_default(),
            at: view.delivered().map_or_else(Clock::now, |delivered| delivered.at),
            epoch: view.epoch(),
        };
        let reason = reason.map(str::to_owned);
        let fact = CheckFact { verdict: Verdict::Pass, reason, ..outline.fact.clone() };
        let step = self.state.outline().steps.get(place.step)?.id.as_str();
        let judged = JudgedCheck { step, check, fact: &fact, evidence, since, upto };
        Some(Part::of(&view.known_upto(upto), &[judged], &|text| redact(text).into_owned()))
    }

    /// A file that was named, or one where the session was begun.
    pub(super) fn hand_in(&self, file: Option<PathBuf>) -> Answer {
        let refuse = |reason: String, hint: &str| Answer::Refused { reason, hint: Some(hint.to_owned()) };
        let here = || std::env::current_dir().unwrap_or_default().join(format!("{}.handin", self.state.outline().id));
        let file = file.unwrap_or_else(here);
        let folder = file.parent().and_then(|folder| folder.canonicalize().ok());
        if folder.is_some_and(|folder| self.ground.work().canonicalize().is_ok_and(|work| folder.starts_with(work))) {
            let reason = "a file in LAB_WORK goes with the session".to_owned();
            return refuse(reason, "name one elsewhere: `lab hand-in ~/FILE`");
        }
        if file.exists() {
            let reason = format!("{} exists already", file.display());
            return refuse(reason, "name another file: `lab hand-in FILE`");
        }
        let written = self.hand_in_text().and_then(|(text, points)| {
            let mut out = std::fs::File::create_new(&file)?;
            io::Write::write_all(&mut out, &text).map(|()| points)
        });
        match written {
            Ok((points, max_points)) => {
                Answer::HandedIn { file: file.display().to_string(), points, max_points, learner: self.learner() }
            }
            Err(error) => {
                let reason = format!("{} cannot be written: {error}", file.display());
                refuse(reason, "name a file in a folder of yours: `lab hand-in FILE`")
            }
        }
    }

    /// At the lab's end, among the session's own files; where it is.
    pub(super) fn hand_in_at_the_end(&mut self) {
        let file = self.hand_in_text().and_then(|(text, _)| self.home.save_hand_in(&text));
        match file {
            Ok(file) => self.handed_in = Some(file),
            Err(error) => {
                let message = format!("the file to hand in cannot be written: {error}");
                self.handle.emit(SessionEvent::Noticed { message });
            }
        }
    }

    fn learner(&self) -> Option<String> {
        self.state.progress().learner.clone()
    }

    fn hand_in_text(&self) -> io::Result<(Vec<u8>, (u32, u32))> {
        let (progress, course, lab) = (self.state.progress(), self.course, self.course.lab);
        let seed: u64 = progress.seed.parse().map_err(io::Error::other)?;
        let mut parts = Vec::new();
        let mut verdicts = BTreeMap::new();
        let mut named = BTreeSet::new();
        let report = self.state.report();
        for (step, (placed, reported)) in course.steps.iter().zip(&report.steps).enumerate() {
            let checks = placed.checks.iter().enumerate().filter(|(_, placed)| !placed.is_wait);
            for ((check, placed), found) in checks.zip(&reported.checks) {
                if placed.left.is_some() {
                    continue;
                }
                let part = self.part(Place { step, check }, &reported.id, found.verdict, found.reason.as_deref())?;
                let Some(part) = part else { continue };
                for record in &part.checks {
                    verdicts.insert((record.line, record.column), record.verdict);
                    named.extend(given_names(&record.text));
                }
                parts.push(part);
            }
        }
        let questions: Vec<(String, usize, u32, bool)> = report
            .steps
            .iter()
            .zip(&progress.steps)
            .flat_map(|(step, known)| step.questions.iter().zip(&known.questions).map(move |pair| (step, pair)))
            .map(|(step, (asked, known))| (step.id.clone(), asked.line, known.attempts, known.right))
            .collect();
        let right = questions.iter().filter(|(.., right)| *right).map(|(_, line, ..)| *line).collect();
        let points = score(lab, course.plan, &verdicts, &right);
        let values = &self.ground.vars.values;
        let given_by_the_runner = named.into_iter().filter_map(|name| Some((name.clone(), values.get(&name)?.clone())));
        let vars: Vec<(String, String)> = self.vars_shown.iter().cloned().chain(given_by_the_runner).collect();
        let by_hand = random_values(lab, seed).into_iter().filter(|(name, random)| values.get(name) != Some(random));
        let info = &self.ground.info;
        let cluster = ClusterReport {
            kind: progress.cluster.clone(),
            kubernetes: info.kubernetes.clone(),
            etcd: info.etcd.clone(),
        };
        let steps = progress.steps.iter().filter(|step| step.hints > 0 || step.solution || step.solved);
        let attempt = Attempt {
            tool: concat!("keywitness ", env!("CARGO_PKG_VERSION")),
            lab,
            learner: progress.learner.as_deref(),
            seed,
            vars: &vars,
            given: by_hand.map(|(name, _)| name).collect(),
            cluster: &cluster,
            prefix: &info.prefix,
            parts,
            questions,
            steps: steps.map(|step| (step.id.clone(), step.hints, step.solution || step.solved)).collect(),
            points,
            started: progress.started.into(),
            finished: progress.finished.map_or_else(SystemTime::now, Into::into),
            elapsed: self.time_worked(),
        };
        let mut text = Vec::new();
        write(&mut text, &attempt)?;
        Ok((text, points))
    }

    /// What was kept of a check that earns something; of any other only that it does not, and why.
    fn part(&self, place: Place, step: &str, verdict: Verdict, reason: Option<&str>) -> io::Result<Option<Part>> {
        let Some((outline, _)) = self.state.check(place) else { return Ok(None) };
        let mut fact = CheckFact { verdict: Verdict::Skipped, ..outline.fact.clone() };
        fact.reason = reason.map(|reason| redact(reason).into_owned());
        if verdict == Verdict::Pass {
            if let Some(part) = self.home.evidence(place)? {
                return Ok(Some(part));
            }
            fact.reason = Some("what it rests on was lost".to_owned());
        }
        Ok(Some(Part::without_evidence(step, &fact)))
    }
}

/// The variables that the runner gives, as far as a check names them.
fn given_names(text: &str) -> impl Iterator<Item = String> {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    names.map(|(name, _)| name.to_owned()).filter(|name| name.starts_with(GIVEN_PREFIX)).collect::<Vec<_>>().into_iter()
}
