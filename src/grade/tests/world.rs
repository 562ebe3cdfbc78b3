//! A journal made by hand, and checks as the parser makes them.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::expr::{Expr, Scope, Subject, compile, split};
use crate::grade::{Evidence, Judge, Judgement, Need, Observation, Progress, Seen};
use crate::journal::{Change, Entry, Journal, Mark, Revision};
use crate::lab::{Check, CheckKind, EventKind, EventOrder, Glob, Holds, PartId, Pattern, Template, TemplatePart, Vars};
use crate::text::{Joined, Span, Spanned};

/// Seconds from the mark, which is at revision 100; the stretch ends at second 1.
pub(super) fn at(seconds: f64) -> SystemTime {
    let base = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    if seconds < 0.0 { base - Duration::from_secs_f64(-seconds) } else { base + Duration::from_secs_f64(seconds) }
}

pub(super) struct World {
    pub(super) journal: Journal,
    pub(super) evidence: Evidence,
}

impl World {
    /// A store that holds these keys at revision 100.
    pub(super) fn new(keys: &[(&str, Value)]) -> Self {
        let journal = Journal::new("/registry/");
        let listed = |(index, (key, value)): (usize, &(&str, Value))| {
            let revision = 10 + Revision::try_from(index).expect("few keys");
            Change::new(*key, revision, at(-5.0)).created(revision, 1).value(bytes(value))
        };
        journal.listed(100, at(-5.0), keys.iter().enumerate().map(listed).collect());
        journal.delivered(100, at(0.0));
        let mark = Mark { revision: 100, at: at(0.0), wall: at(0.0), epoch: 0, read: true };
        let evidence = Evidence {
            mark,
            end: Mark { at: at(1.0), ..mark },
            observations: Vec::new(),
            vars: Vars::from([("NS".to_owned(), "demo".to_owned())]),
            prefix: "/registry".to_owned(),
        };
        Self { journal, evidence }
    }

    /// The end of the stretch was read at this revision.
    pub(super) fn end(mut self, revision: Revision) -> Self {
        self.evidence.end.revision = revision;
        self
    }

    pub(super) fn put(self, seconds: f64, revision: Revision, key: &str, value: &Value) -> Self {
        let known = self.journal.view().state(key, self.journal.view().end());
        let (create, version) = known.map_or((revision, 1), |known| (known.create_revision, known.version + 1));
        let change = Change::new(key, revision, at(seconds)).created(create, version).value(bytes(value));
        self.journal.push(Entry::Put(change));
        self
    }

    pub(super) fn raw(self, seconds: f64, revision: Revision, key: &str, value: &'static [u8]) -> Self {
        let change = Change::new(key, revision, at(seconds)).created(revision, 1).value(value);
        self.journal.push(Entry::Put(change));
        self
    }

    pub(super) fn delete(self, seconds: f64, revision: Revision, key: &str) -> Self {
        self.journal.push(Entry::Delete(Change::new(key, revision, at(seconds))));
        self
    }

    pub(super) fn gap(self, seconds: f64, from: Revision, to: Revision) -> Self {
        let reason = format!("etcd has compacted its history up to {to}");
        self.journal.push(Entry::Gap { from, to, reason, at: at(seconds) });
        self
    }

    pub(super) fn epoch(self, seconds: f64, revision: Revision, keys: &[(&str, Value)]) -> Self {
        self.journal
            .push(Entry::Epoch { reason: format!("it is at revision {revision}, behind 100"), at: at(seconds) });
        let listed = |(key, value): &(&str, Value)| Change::new(*key, 2, at(seconds)).created(2, 1).value(bytes(value));
        self.journal.listed(revision, at(seconds), keys.iter().map(listed).collect());
        self
    }

    pub(super) fn delivered(self, seconds: f64, revision: Revision) -> Self {
        self.journal.delivered(revision, at(seconds));
        self
    }

    pub(super) fn saw(mut self, seconds: f64, seen: Seen) -> Self {
        let need = Need::Run { command: "the judge does not ask whose sample it is".to_owned() };
        self.evidence.observations.push(Observation { need, at: at(seconds), seen });
        self
    }

    pub(super) fn judge(&self, check: &Check, seconds: f64) -> Progress {
        Judge::new(check).judge(&self.evidence, &self.journal.view(), at(seconds))
    }

    #[track_caller]
    pub(super) fn settled(&self, check: &Check, seconds: f64) -> Judgement {
        match self.judge(check, seconds) {
            Progress::Settled(judgement) => judgement,
            open @ Progress::Open { .. } => panic!("not settled: {open:#?}"),
        }
    }

    /// In milliseconds from the mark.
    #[track_caller]
    pub(super) fn open_until(&self, check: &Check, seconds: f64) -> u128 {
        match self.judge(check, seconds) {
            Progress::Open { until, .. } => until.duration_since(at(0.0)).expect("after the mark").as_millis(),
            settled @ Progress::Settled(_) => panic!("settled: {settled:#?}"),
        }
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        object => object.to_string().into_bytes(),
    }
}

pub(super) fn namespace(name: &str, phase: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
        "status": { "phase": phase },
    })
}

pub(super) fn labelled(name: &str, label: &str, value: &str) -> Value {
    let mut object = namespace(name, "Active");
    object["metadata"]["labels"][label] = value.into();
    object
}

pub(super) fn template(text: &str) -> Template {
    let mut parts = Vec::new();
    for (index, piece) in text.split("${").enumerate() {
        let (name, rest) =
            if index == 0 { (None, piece) } else { piece.split_once('}').map(|(n, r)| (Some(n), r)).expect("closed") };
        parts.extend(name.map(|name| TemplatePart::Var(Spanned::new(name.to_owned(), Span::default()))));
        if !rest.is_empty() {
            parts.push(TemplatePart::Text(rest.to_owned()));
        }
    }
    Template { parts, span: Span::default() }
}

pub(super) fn glob(text: &str) -> Glob {
    Glob(template(text))
}

pub(super) fn expr(text: &str, scope: Scope) -> Expr {
    let source = Joined::whole(text, 0);
    let range = split(&source, 0, scope == Scope::Event).expect("it splits");
    let (expr, faults) = compile(&source, range, scope, &Subject::any());
    expr.unwrap_or_else(|| panic!("{text}: {faults:?}"))
}

pub(super) fn check(text: &str, kind: CheckKind) -> Check {
    Check { id: PartId::default(), text: text.to_owned(), span: Span::default(), kind, within: None, hold_for: None }
}

pub(super) fn key(name: &str, holds: Holds) -> Check {
    check(&format!("key {name} …"), CheckKind::Key { key: template(name), holds })
}

pub(super) fn key_where(name: &str, condition: &str) -> Check {
    key(name, Holds::Where(expr(condition, Scope::Key)))
}

pub(super) fn events(pattern: &str, order: EventOrder, lines: &[(EventKind, &str)]) -> Check {
    let line = |(kind, condition): &(EventKind, &str)| Pattern {
        kind: *kind,
        condition: (!condition.is_empty()).then(|| expr(condition, Scope::Event)),
        span: Span::default(),
    };
    let patterns = lines.iter().map(line).collect();
    check(&format!("events {pattern} …"), CheckKind::Events { glob: glob(pattern), order, patterns })
}

pub(super) fn never(pattern: &str, kind: Option<EventKind>, condition: &str, seconds: u64) -> Check {
    let condition = (!condition.is_empty()).then(|| expr(condition, Scope::Event));
    let kind = CheckKind::Never { glob: glob(pattern), kind, condition };
    let text = format!("never {pattern} … for {seconds}s");
    Check { hold_for: Some(Duration::from_secs(seconds)), ..check(&text, kind) }
}

pub(super) fn within(check: Check, milliseconds: u64) -> Check {
    Check { within: Some(Duration::from_millis(milliseconds)), ..check }
}

pub(super) fn holding(check: Check, milliseconds: u64) -> Check {
    Check { hold_for: Some(Duration::from_millis(milliseconds)), ..check }
}

/// A verdict with all that a reader of the report sees of it.
pub(super) fn told(judgement: &Judgement) -> String {
    let verdict = serde_json::to_value(judgement.verdict).expect("it serialises");
    let reason = judgement.reason.as_deref().unwrap_or("-");
    let mut lines = vec![format!("{}: {reason}", verdict.as_str().expect("a name"))];
    lines.extend(judgement.explanation.iter().cloned());
    lines.join("\n")
}
