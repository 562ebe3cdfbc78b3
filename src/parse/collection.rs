//! What can only be said of several labs together: their ids, and what they need.

use std::collections::BTreeMap;

use super::findings::{CIRCLE, NO_SUCH_LAB, SAME_LAB};
use super::{Parsed, parse};
use crate::lab::Lab;
use crate::text::{Diagnostic, SourceFile, Span, did_you_mean};

/// Reads labs that belong together; the answers stand in the order of the sources.
pub fn parse_all(sources: &[SourceFile]) -> Vec<Parsed> {
    let mut all: Vec<Parsed> = sources.iter().map(parse).collect();
    let labs: Vec<Option<Lab>> = all.iter().map(|parsed| parsed.lab.clone()).collect();
    for (at, parsed) in all.iter_mut().enumerate() {
        let Some(lab) = &labs[at] else { continue };
        let (before, after) = (labs[..at].iter().flatten().collect::<Vec<_>>(), labs[at + 1..].iter().flatten());
        parsed.add(together(lab, &before, &after.collect::<Vec<_>>()));
    }
    all
}

/// What is wrong with a lab among those that stand before and after it in their collection.
pub fn together(lab: &Lab, before: &[&Lab], after: &[&Lab]) -> Vec<Diagnostic> {
    let all = before.iter().copied().chain([lab]).chain(after.iter().copied());
    let known: BTreeMap<&str, &Lab> = all.map(|lab| (lab.id.as_str(), lab)).collect();
    let mut found = Vec::new();
    if let Some(other) = before.iter().find(|other| other.id == lab.id) {
        let hint = Some("rename one of the folders: the id is the folder's name".to_owned());
        let message = format!("{} has the id `{}` already", other.source.name(), lab.id);
        found.push(finding(SAME_LAB, Span::new(0, 0), message, hint));
    }
    for need in &lab.needs {
        if need.value == lab.id {
            found.push(finding(CIRCLE, need.span, "this lab needs itself".to_owned(), Some("remove it".to_owned())));
        } else if known.contains_key(need.value.as_str()) {
            if let Some(way) = way_back(&known, &need.value, &lab.id) {
                let hint = Some("remove one of the two `needs`".to_owned());
                found.push(finding(CIRCLE, need.span, format!("circular `needs`: {} → {way}", lab.id), hint));
            }
        } else if !lies_beside(lab, &need.value) {
            let hint = did_you_mean(&need.value, known.keys().copied())
                .unwrap_or_else(|| "a lab's id is the name of its folder".to_owned());
            let message = format!("there is no lab `{}` in this collection", need.value);
            found.push(finding(NO_SUCH_LAB, need.span, message, Some(hint)));
        }
    }
    found
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

/// The way along `needs` from one lab to another, as a message shows it.
fn way_back(known: &BTreeMap<&str, &Lab>, from: &str, to: &str) -> Option<String> {
    let mut ways = vec![vec![from.to_owned()]];
    let mut seen = std::collections::BTreeSet::from([from.to_owned()]);
    while let Some(way) = ways.pop() {
        let last = way.last()?;
        if last == to {
            return Some(way.join(" → "));
        }
        for need in known.get(last.as_str()).map(|lab| lab.needs.as_slice()).unwrap_or_default() {
            if seen.insert(need.value.clone()) || need.value == to {
                let mut longer = way.clone();
                longer.push(need.value.clone());
                ways.push(longer);
            }
        }
    }
    None
}
