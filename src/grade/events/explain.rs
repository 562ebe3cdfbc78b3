//! What came against what was wanted, for a person to read.

use super::{EventCheck, Weighed};
use crate::expr::Expr;
use crate::grade::keys::{label, neighbours, values};
use crate::grade::matching::Matched;
use crate::grade::names::{Truth, after, visible_change};
use crate::grade::show;
use crate::journal::{Change, Recorded};
use crate::lab::{EventKind, EventOrder};

const TOO_LATE: &str = "it came after the time was over";
/// More events than this are shown with their middle left out.
const SHOWN: usize = 16;

impl EventCheck<'_> {
    /// The wanted events, each beside the one that came for it; then all that came, the first difference
    /// marked in both.
    pub(super) fn explain(&self, matched: &Matched, in_time: usize, weighed: &mut Weighed) -> Vec<String> {
        let open = matched.first_open().unwrap_or_default();
        let order = match self.order {
            Some(EventOrder::Strict) => ", one right after the other",
            Some(EventOrder::Unordered) => ", in any order",
            _ if self.lines.len() > 1 => ", each later than the one before",
            _ => "",
        };
        let mark = self.evidence.mark.revision;
        let mut lines = vec![format!("wanted after revision {mark} on {}{order}:", self.glob)];
        let width = (0..self.lines.len()).map(|line| self.text(line).chars().count()).max().unwrap_or_default().min(60);
        for (number, event) in matched.events.iter().enumerate() {
            let change = event.and_then(|event| self.events[event].entry.change());
            let (sign, came) = match change {
                Some(change) => ('=', format!("came as revision {}", change.revision)),
                None if number == open => ('>', "did not come: the first difference".to_owned()),
                None => (' ', String::new()),
            };
            let line = format!("  {sign} {}  {:<width$}  {came}", number + 1, self.text(number));
            lines.push(line.trim_end().to_owned());
        }
        if self.events.is_empty() {
            lines.push("came:   nothing on these keys".to_owned());
            self.elsewhere(&mut lines);
            return lines;
        }
        lines.push("came, in seconds from the mark:".to_owned());
        let key_width =
            self.events.iter().filter_map(|e| e.entry.change()).map(|c| c.key.len()).max().unwrap_or_default();
        let suspects = self.suspects(matched, open, weighed);
        for (index, recorded) in self.events.iter().enumerate() {
            let elided = self.events.len() > SHOWN && index >= SHOWN / 2 && index < self.events.len() - SHOWN / 2;
            let number = matched.events.iter().position(|event| *event == Some(index));
            if elided && number.is_none() && !suspects.contains(&index) {
                if index == SHOWN / 2 {
                    lines.push(format!(
                        "    … {} more between, of which only those that matter are shown",
                        self.events.len() - SHOWN
                    ));
                }
                continue;
            }
            let first = suspects.first() == Some(&index);
            let sign = if number.is_some() {
                '='
            } else if first {
                '>'
            } else {
                ' '
            };
            let as_number = number.map_or(String::new(), |number| format!("   ({})", number + 1));
            lines.push(format!("  {sign} {}{as_number}", self.row(recorded, key_width)));
            if suspects.contains(&index) {
                let why = if index < in_time { self.against(open, index, weighed) } else { vec![TOO_LATE.to_owned()] };
                lines.extend(why.iter().map(|line| format!("        {line}")));
            }
        }
        lines
    }

    /// The events that could have been the one that is missing.
    fn suspects(&self, matched: &Matched, open: usize, weighed: &mut Weighed) -> Vec<usize> {
        let taken: Vec<usize> = matched.events.iter().copied().flatten().collect();
        let fitting = (0..self.events.len()).filter(|event| !taken.contains(event));
        let fitting: Vec<usize> =
            fitting.filter(|event| self.weigh(open, *event, weighed) == Truth::Yes).take(2).collect();
        let after = matched.events[..open].iter().flatten().last().map(|event| event + 1);
        if !fitting.is_empty() {
            // What lies between matters as much as what came too late.
            let between = after.filter(|event| self.order == Some(EventOrder::Strict) && *event < self.events.len());
            let mut both: Vec<usize> = between.into_iter().chain(fitting).collect();
            both.sort_unstable();
            both.dedup();
            return both;
        }
        let from = match self.order {
            Some(EventOrder::Unordered) => 0,
            _ => after.unwrap_or(0),
        };
        let mut free: Vec<usize> = (from..self.events.len()).filter(|event| !taken.contains(event)).collect();
        if self.order == Some(EventOrder::Strict) && open > 0 {
            free.truncate(1);
        }
        let wanted = self.lines[open].kind;
        let same_kind = |event: &&usize| wanted.is_none_or(|kind| kind.name() == self.events[**event].entry.name());
        let alike: Vec<usize> = free.iter().filter(same_kind).copied().take(3).collect();
        if alike.is_empty() { free.into_iter().take(1).collect() } else { alike }
    }

    /// Why an event is not the one of a line.
    fn against(&self, line: usize, event: usize, weighed: &mut Weighed) -> Vec<String> {
        let wanted = line + 1;
        match self.weigh(line, event, weighed) {
            Truth::Yes => vec![match self.order {
                Some(EventOrder::Strict) if line > 0 => format!("it fits {wanted}, but does not follow {line} at once"),
                _ if line > 0 => format!("it fits {wanted}, but came before {line}"),
                _ => format!("it fits {wanted}, but not with the others"),
            }],
            Truth::Unknown(reason) => vec![format!("cannot tell whether it is {wanted}: {reason}")],
            Truth::No(reason) => {
                let change = self.events[event].entry.change();
                let kind_fits = self.lines[line].kind.is_none_or(|kind| kind.name() == self.events[event].entry.name());
                match (self.lines[line].condition, change) {
                    (Some(condition), Some(change)) if kind_fits => {
                        let why = self.why(change, condition);
                        why.into_iter().map(|why| format!("not {wanted}: {why}")).collect()
                    }
                    _ => vec![format!("not {wanted}: {reason}")],
                }
            }
        }
    }

    pub(super) fn why(&self, change: &Change, condition: &Expr) -> Vec<String> {
        values(&visible_change(change, condition, &self.evidence.mark), condition)
    }

    /// `1204  PUT     /registry/namespaces/demo  +0.31s  metadata.labels.purpose: + "demo"`
    pub(super) fn row(&self, recorded: &Recorded, key_width: usize) -> String {
        let Some(change) = recorded.entry.change() else { return String::new() };
        let age = after(self.evidence.mark.at, change.at);
        let what = show::change(change);
        format!("{:<6} {:<6} {:<key_width$}  {age}  {what}", change.revision, recorded.entry.name(), change.key)
    }

    /// What moved nearby, where nothing moved that was looked for.
    fn elsewhere(&self, lines: &mut Vec<String>) {
        let prefix = self.glob.prefix();
        let folder = prefix.trim_end_matches('/').rfind('/').map_or(prefix, |end| &prefix[..=end]);
        let near = self.view.entries(self.since, |entry| entry.change().is_some_and(|c| c.key.starts_with(folder)));
        if near.is_empty() {
            let seq = self.view.end();
            let keys = neighbours(self.view, prefix, seq);
            lines.extend(keys.iter().enumerate().map(|(index, key)| format!("{}{key}", label("near:", index))));
            return;
        }
        lines.push(format!("but below {folder}, in seconds from the mark:"));
        lines.extend(near.iter().take(5).map(|recorded| format!("    {}", self.row(recorded, 0))));
    }

    pub(super) fn text(&self, line: usize) -> String {
        let pattern = &self.lines[line];
        let kind = pattern.kind.map_or("PUT or DELETE", EventKind::name);
        pattern.condition.map_or_else(
            || kind.to_owned(),
            |condition| format!("{kind} where {}", show::filled(&condition.text, &self.evidence.vars)),
        )
    }
}
