//! Checks of what is looked at now and then: the API, outputs, etcd's state, snapshots, commands.

use std::time::SystemTime;

use regex::Regex;
use serde_json::Value;

use super::clocks::{Clocks, Moment, Timeline};
use super::keys::{label, values};
use super::names::{Names, Truth};
use super::{Evidence, Observation, Seen, fill, show};
use crate::expr::{Expr, Scope};
use crate::lab::keywords::given;
use crate::lab::{Check, CheckKind, Holds, OutputTest, Vars};
use crate::text::{Printed, nearest, redact};
use kube_etcd_codec::conceal;

/// Why a text decides nothing.
const CUT: &str = "more was printed than is kept, and the missing part may decide";
/// The end of an output that an explanation shows.
const OUTPUT_LINES: usize = 10;

pub(super) struct Sample<'a> {
    check: &'a Check,
    evidence: &'a Evidence,
}

impl<'a> Sample<'a> {
    pub(super) fn new(check: &'a Check, evidence: &'a Evidence) -> Self {
        Self { check, evidence }
    }

    /// The truth of every sample, as if it had stayed so until the next. The first sample past the
    /// deadline stands for the deadline: nobody can look at the very moment.
    pub(super) fn line(&self, clocks: &Clocks) -> Timeline {
        let deadline = clocks.deadline();
        let mut last: Option<SystemTime> = None;
        let mut moments = Vec::new();
        for observation in &self.evidence.observations {
            let is_first_past = observation.at > deadline && last.is_none_or(|last| last <= deadline);
            let at = if is_first_past { deadline } else { observation.at };
            moments.push(Moment { at, truth: self.truth(observation) });
            // What a block that has ended printed stays as it is: its clocks need not run.
            let is_final = matches!(observation.seen, Seen::Output { exit: Some(_), .. });
            last = Some(if is_final { observation.at.max(deadline + clocks.hold_for) } else { observation.at });
        }
        Timeline { moments, known: last }
    }

    pub(super) fn truth(&self, observation: &Observation) -> Truth {
        let vars = &self.evidence.vars;
        match &observation.seen {
            Seen::Unavailable(reason) => return Truth::Unknown(reason.clone()),
            Seen::Nothing(reason) => return Truth::No(reason.clone()),
            _ => {}
        }
        match (&self.check.kind, &observation.seen) {
            (CheckKind::Resource { holds, .. }, Seen::Resource(object)) => match (holds, object) {
                (Holds::Exists, Some(_)) | (Holds::Absent, None) => Truth::Yes,
                (Holds::Exists | Holds::Where(_), None) => Truth::No(format!("there is no {}", self.resource())),
                (Holds::Absent, Some(_)) => Truth::No(format!("{} is there", self.resource())),
                (Holds::Where(condition), Some(object)) => {
                    self.names().with("object", Value::clone(object)).weigh(condition, vars)
                }
            },
            (CheckKind::Output { test, .. }, Seen::Output { printed, exit }) => {
                let text = &printed.text;
                // Of a text that was cut, that is known which was looked for while it came.
                let found = fill::searched(test, vars).and_then(|pattern| printed.found.get(&pattern).copied());
                match test {
                    OutputTest::Contains(wanted) => {
                        let wanted = fill::text(wanted, vars);
                        known(printed, text.contains(&wanted), found, || format!("{wanted:?} was not printed"))
                    }
                    OutputTest::Matches(wanted) => matches(printed, &fill::regex(wanted, vars), found),
                    OutputTest::Where(condition)
                        if printed.cut && ["text", "lines", "json"].iter().any(|name| condition.uses(name)) =>
                    {
                        Truth::Unknown(CUT.to_owned())
                    }
                    OutputTest::Where(condition) => self.output_names(text, *exit, condition).weigh(condition, vars),
                }
            }
            (CheckKind::Run { condition: Some(condition), .. }, Seen::Run { stdout, stderr, .. })
                if (stdout.cut && condition.uses("stdout")) || (stderr.cut && condition.uses("stderr")) =>
            {
                Truth::Unknown(CUT.to_owned())
            }
            (CheckKind::Run { condition: None, .. }, Seen::Run { exit, .. }) => match exit {
                0 => Truth::Yes,
                exit => Truth::No(format!("the command ended with status {exit}{}", self.folder())),
            },
            (kind, seen) => match (condition(kind), self.fields(seen)) {
                (Some(condition), Some(names)) => names.weigh(condition, vars),
                _ => Truth::Unknown("the sample is of another kind than the check".to_owned()),
            },
        }
    }

    fn names(&self) -> Names {
        Names::new(&self.evidence.mark)
    }

    fn fields(&self, seen: &Seen) -> Option<Names> {
        match seen {
            Seen::Etcd(fields) => Some(self.names().with_fields(Scope::Etcd.names(), fields)),
            Seen::Snapshot(fields) => Some(self.names().with_fields(Scope::Snapshot.names(), fields)),
            Seen::Run { exit, stdout, stderr } => {
                // As `$(…)` has it: a number on a line of its own is a number.
                let cut = |text: &str| text.trim_end_matches('\n').to_owned();
                let names = self.names().with("exit", *exit);
                Some(names.with("stdout", cut(&stdout.text)).with("stderr", cut(&stderr.text)))
            }
            _ => None,
        }
    }

    fn output_names(&self, text: &str, exit: Option<i32>, condition: &Expr) -> Names {
        let mut names = self.names().with("exit", exit);
        if condition.uses("text") {
            // As `$(…)` has it: a number on a line of its own is a number.
            names = names.with("text", text.trim_end_matches('\n'));
        }
        if condition.uses("lines") {
            names = names.with("lines", text.lines().collect::<Vec<_>>());
        }
        if condition.uses("json") {
            names = names.with("json", serde_json::from_str(text).unwrap_or(Value::Null));
        }
        names
    }

    /// Where a command ran: not where a terminal has gone by `cd`.
    fn folder(&self) -> String {
        let work = self.evidence.vars.get(given::WORK);
        work.map(|work| format!(" (it ran in {}, which is {work})", given::WORK)).unwrap_or_default()
    }

    fn resource(&self) -> String {
        let CheckKind::Resource { kind, name, namespace, .. } = &self.check.kind else { return String::new() };
        let vars: &Vars = &self.evidence.vars;
        let within = namespace.as_ref().map_or(String::new(), |ns| format!(" in {}", fill::text(ns, vars)));
        format!("{}/{}{within}", kind.value, fill::text(name, vars))
    }

    /// In one line, what an expression's values were.
    pub(super) fn reason(&self, observation: &Observation) -> Option<String> {
        let holds = match &self.check.kind {
            CheckKind::Resource { holds: Holds::Where(condition), .. }
            | CheckKind::Output { test: OutputTest::Where(condition), .. } => Some(condition),
            kind => condition(kind),
        };
        let condition = holds?;
        let names = match &observation.seen {
            Seen::Resource(Some(object)) => self.visible(object),
            Seen::Output { printed, exit } => self.output_names(&printed.text, *exit, condition),
            seen => self.fields(seen)?,
        };
        show::reason(&values(&names, condition))
    }

    fn visible(&self, object: &Value) -> Names {
        let mut shown = object.clone();
        conceal(&mut shown);
        self.names().with("object", shown)
    }

    pub(super) fn explain(&self, observation: &Observation) -> Vec<String> {
        let vars = &self.evidence.vars;
        let mut lines = vec![format!("wanted: {}", show::filled(&self.check.text, vars))];
        let mut saw = |saw: Vec<String>| {
            lines.extend(saw.iter().enumerate().map(|(index, line)| format!("{}{line}", label("saw:", index))));
        };
        match (&self.check.kind, &observation.seen) {
            (_, Seen::Nothing(reason) | Seen::Unavailable(reason)) => saw(vec![reason.clone()]),
            (CheckKind::Resource { holds: Holds::Where(condition), .. }, Seen::Resource(Some(object))) => {
                saw(values(&self.visible(object), condition));
            }
            (CheckKind::Resource { .. }, Seen::Resource(None)) => saw(vec![format!("no {}", self.resource())]),
            (CheckKind::Resource { .. }, Seen::Resource(Some(object))) => {
                let created = object.pointer("/metadata/creationTimestamp").map_or(String::new(), show::value);
                saw(vec![format!("{}, created at {created}", self.resource())]);
            }
            (CheckKind::Output { test, .. }, Seen::Output { printed, exit }) => {
                let text = &printed.text;
                match test {
                    OutputTest::Contains(wanted) => saw(closest(text, &fill::text(wanted, vars))),
                    OutputTest::Matches(_) => {}
                    OutputTest::Where(condition) => {
                        saw(values(&self.output_names(text, *exit, condition), condition));
                    }
                }
                lines.extend(ending("output", text));
            }
            (CheckKind::Run { condition, .. }, Seen::Run { exit, stdout, stderr }) => {
                match condition.as_ref().zip(self.fields(&observation.seen)) {
                    Some((condition, names)) => {
                        let mut lines = values(&names, condition);
                        lines.extend(
                            Some(self.folder()).filter(|folder| !folder.is_empty()).map(|f| f.trim().to_owned()),
                        );
                        saw(lines);
                    }
                    None => saw(vec![format!("status {exit}")]),
                }
                lines.extend(ending("stdout", &stdout.text));
                lines.extend(ending("stderr", &stderr.text));
            }
            (kind, seen) => {
                if let (Some(condition), Some(names)) = (condition(kind), self.fields(seen)) {
                    saw(values(&names, condition));
                }
                if let Seen::Etcd(fields) = seen {
                    lines.extend(down(fields));
                }
            }
        }
        lines
    }
}

fn condition(kind: &CheckKind) -> Option<&Expr> {
    match kind {
        CheckKind::Etcd { condition, .. } | CheckKind::Snapshot { condition, .. } => Some(condition),
        CheckKind::Run { condition, .. } => condition.as_ref(),
        // Each kind by its name: one that were left out would be judged without its condition.
        CheckKind::Resource { .. }
        | CheckKind::Output { .. }
        | CheckKind::Key { .. }
        | CheckKind::Keys { .. }
        | CheckKind::Events { .. }
        | CheckKind::Never { .. } => None,
    }
}

/// Whether something is found in the text that was kept, or in all that came where that is not all.
fn known(printed: &Printed, in_kept: bool, in_all: Option<bool>, missing: impl FnOnce() -> String) -> Truth {
    match if printed.cut { in_all } else { Some(in_kept) } {
        Some(true) => Truth::Yes,
        Some(false) => Truth::No(missing()),
        None => Truth::Unknown(CUT.to_owned()),
    }
}

fn matches(printed: &Printed, pattern: &str, found: Option<bool>) -> Truth {
    match Regex::new(pattern) {
        Ok(regex) => known(printed, !printed.cut && regex.is_match(&printed.text), found, || {
            format!("nothing that was printed matches {pattern:?}")
        }),
        Err(error) => Truth::Unknown(format!("{pattern:?} is not a valid regular expression: {error}")),
    }
}

/// The line that may have been meant.
fn closest(text: &str, wanted: &str) -> Vec<String> {
    let lower = wanted.to_lowercase();
    let other_case = text.lines().find(|line| line.to_lowercase().contains(&lower));
    if let Some(line) = other_case {
        return vec![format!("differs only in upper and lower case: {line:?}")];
    }
    nearest(wanted, text.lines().map(str::trim)).map(|line| format!("nearly: {line:?}")).into_iter().collect()
}

fn ending(name: &str, text: &str) -> Vec<String> {
    let text = redact(text);
    let all: Vec<&str> = text.trim_end().lines().collect();
    if all.is_empty() {
        return vec![format!("{name}: nothing")];
    }
    let first = all.len().saturating_sub(OUTPUT_LINES);
    let head = match (first, all.len()) {
        (0, _) => format!("{name}:"),
        (_, count) => format!("{name}, the last {OUTPUT_LINES} of {count} lines:"),
    };
    std::iter::once(head).chain(all[first..].iter().map(|line| format!("  | {}", show::cut(line, 200)))).collect()
}

fn down(fields: &Value) -> Option<String> {
    if fields.get("up") == Some(&Value::Bool(false)) {
        return Some("        it does not answer".to_owned());
    }
    let members = fields.get("members")?.as_array()?;
    let ill = members.iter().filter(|member| member["healthy"] == false).filter_map(|member| member["name"].as_str());
    let ill: Vec<&str> = ill.collect();
    (!ill.is_empty()).then(|| format!("        not healthy: {}", ill.join(", ")))
}
