//! A lab waits for those that it needs, where they are of the same call, and is skipped where one of them has not passed.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::lab::Lab;

/// The labs of a call, each in each of its repeats, and how far they are.
pub(super) struct Needs {
    known: watch::Sender<BTreeMap<(String, u32), Standing>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    ToRun,
    Passed,
    NotPassed,
    Wrong,
}

impl Needs {
    /// Of labs that will run, and of those that cannot because they have errors.
    pub(super) fn of<'a>(labs: impl Iterator<Item = &'a str>, wrong: &[String], repeats: u32) -> Self {
        let all = labs.map(|id| (id.to_owned(), Standing::ToRun));
        let all = all.chain(wrong.iter().map(|id| (id.clone(), Standing::Wrong)));
        let each = all.flat_map(|(id, standing)| (1..=repeats).map(move |repeat| ((id.clone(), repeat), standing)));
        Self { known: watch::Sender::new(each.collect()) }
    }

    /// Waits until every lab that this one needs has ended; why it cannot begin.
    ///
    /// Nobody waits for ever: a lab comes after those that it needs, and those that need one another do not run.
    pub(super) async fn unmet(&self, lab: &Lab, repeat: u32) -> Option<String> {
        for need in &lab.needs {
            let id = (need.value.clone(), repeat);
            let mut known = self.known.subscribe();
            let is_over = |all: &BTreeMap<(String, u32), Standing>| all.get(&id) != Some(&Standing::ToRun);
            // The sender lives as long as we do.
            let Ok(found) = known.wait_for(is_over).await.map(|all| all.get(&id).copied()) else { continue };
            let id = &need.value;
            match found {
                Some(Standing::NotPassed) => return Some(format!("not begun: it needs {id}, which has not passed")),
                Some(Standing::Wrong) => return Some(format!("not begun: it needs {id}, which has errors")),
                Some(Standing::Passed | Standing::ToRun) | None => {}
            }
        }
        None
    }

    pub(super) fn ended(&self, id: &str, repeat: u32, has_passed: bool) {
        let standing = if has_passed { Standing::Passed } else { Standing::NotPassed };
        self.known.send_modify(|all| {
            all.insert((id.to_owned(), repeat), standing);
        });
    }
}
