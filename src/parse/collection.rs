//! What can only be said of several labs together: their ids, and what they need.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::findings::{CIRCLE, NO_SUCH_LAB, SAME_LAB};
use super::{Parsed, parse};
use crate::expr::on_big_stack;
use crate::lab::Lab;
use crate::text::{Diagnostic, SourceFile, Span, did_you_mean};

/// Reads labs that belong together; the answers stand in the order of the sources.
pub fn parse_all(sources: &[SourceFile]) -> Vec<Parsed> {
    let mut all = parse_each(sources);
    let found: Vec<Vec<Diagnostic>> = {
        let collection: Collection = all.iter().filter_map(|parsed| parsed.lab.as_ref()).collect();
        all.iter().map(|parsed| parsed.lab.as_ref().map(|lab| collection.look(lab)).unwrap_or_default()).collect()
    };
    for (parsed, found) in all.iter_mut().zip(found) {
        parsed.add(found);
    }
    all
}

/// On every processor.
fn parse_each(sources: &[SourceFile]) -> Vec<Parsed> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(sources.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((at, source)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, sources.get(at)?)))
        {
            done.push((at, parse(source)));
        }
        done
    };
    let mut done: Vec<(usize, Parsed)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(|| on_big_stack(work))).collect();
        let mut done = on_big_stack(work);
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, parsed)| parsed).collect()
}

/// The labs of a collection by their ids; of two that have the same, the first.
#[derive(Debug, Default)]
pub struct Collection<'a>(BTreeMap<&'a str, &'a Lab>);

impl<'a> FromIterator<&'a Lab> for Collection<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Lab>>(labs: I) -> Self {
        let mut known = BTreeMap::new();
        for lab in labs {
            known.entry(lab.id.as_str()).or_insert(lab);
        }
        Self(known)
    }
}

impl Collection<'_> {
    /// What is wrong with one of its labs among the others.
    pub fn look(&self, lab: &Lab) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if let Some(other) = self.0.get(lab.id.as_str()).filter(|other| !std::ptr::eq(**other, lab)) {
            let hint = Some("rename one of the folders: the id is the folder's name".to_owned());
            let message = format!("{} has the id `{}` already", other.source.name(), lab.id);
            found.push(finding(SAME_LAB, Span::new(0, 0), message, hint));
        }
        for need in &lab.needs {
            if need.value == lab.id {
                found.push(finding(
                    CIRCLE,
                    need.span,
                    "this lab needs itself".to_owned(),
                    Some("remove it".to_owned()),
                ));
            } else if self.0.contains_key(need.value.as_str()) {
                if let Some(way) = self.way(&need.value, &lab.id) {
                    let hint = Some("remove one of the two `needs`".to_owned());
                    found.push(finding(CIRCLE, need.span, format!("circular `needs`: {} → {way}", lab.id), hint));
                }
            } else if !lies_beside(lab, &need.value) {
                let hint = did_you_mean(&need.value, self.0.keys().copied())
                    .unwrap_or_else(|| "a lab's id is the name of its folder".to_owned());
                let message = format!("there is no lab `{}` in this collection", need.value);
                found.push(finding(NO_SUCH_LAB, need.span, message, Some(hint)));
            }
        }
        found
    }

    /// The way along `needs` from one lab to another, as a message shows it.
    fn way(&self, from: &str, to: &str) -> Option<String> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            if at == to {
                let mut way = vec![at];
                while let Some(before) = way.last().filter(|last| **last != from).and_then(|last| came_from.get(last)) {
                    way.push(before);
                }
                way.reverse();
                return Some(way.join(" → "));
            }
            for need in self.0.get(at).map(|lab| lab.needs.as_slice()).unwrap_or_default() {
                let need = need.value.as_str();
                if need != from && !came_from.contains_key(need) {
                    came_from.insert(need, at);
                    open.push(need);
                }
            }
        }
        None
    }
}

fn finding(rule: super::Rule, span: Span, message: String, hint: Option<String>) -> Diagnostic {
    rule.finding(span, message, hint)
}

/// A lab that was named alone still has its collection around it.
fn lies_beside(lab: &Lab, id: &str) -> bool {
    let is_folder = lab.source.path().file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("readme"));
    let Ok(own) = std::path::absolute(&lab.dir) else {
        return false;
    };
    let Some(collection) = (if is_folder { own.parent() } else { Some(own.as_path()) }) else {
        return false;
    };
    collection.join(id).join("README.md").is_file() || collection.join(format!("{id}.md")).is_file()
}
