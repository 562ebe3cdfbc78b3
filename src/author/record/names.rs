//! What follows a variable: its value, which differs from run to run, becomes the variable.

use std::collections::BTreeMap;

use crate::lab::{Lab, VarDefault};

/// Around a variable's name in a text that is compared and not yet written.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';
/// A shorter value may stand anywhere by chance.
const SHORTEST: usize = 3;

/// The values of one run, longest first, and the variables that they are of.
#[derive(Debug, Clone, Default)]
pub struct Names(Vec<(String, String)>);

impl Names {
    /// For each of the runs; by the variables whose values differ between them.
    pub fn of_runs(runs: &[&BTreeMap<String, String>]) -> Vec<Self> {
        let varies = |name: &str| {
            let mut values = runs.iter().map(|vars| vars.get(name));
            let first = values.next().flatten();
            first.is_some() && values.any(|value| value != first)
        };
        let of_run = |vars: &&BTreeMap<String, String>| {
            let mut names: Vec<(String, String)> = vars
                .iter()
                .filter(|(name, value)| value.len() >= SHORTEST && varies(name))
                .map(|(name, value)| (value.clone(), name.clone()))
                .collect();
            names.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then(a.cmp(b)));
            Self(names)
        };
        runs.iter().map(of_run).collect()
    }

    /// The text with a mark in place of each value that stands there as a word.
    pub fn put(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let before = out.chars().next_back();
            let found = self.0.iter().find(|(value, _)| {
                rest.strip_prefix(value.as_str()).is_some_and(|after| {
                    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
                    ends(before) && ends(after.chars().next())
                })
            });
            if let Some((value, name)) = found {
                out.push(OPEN);
                out.push_str(name);
                out.push(CLOSE);
                rest = &rest[value.len()..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }

    /// A command with the same marks in place of `$NAME` and `${NAME}`.
    pub fn put_in_command(&self, text: &str) -> String {
        let mut out = self.put(text);
        let mut names: Vec<&String> = self.0.iter().map(|(_, name)| name).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            let mark = format!("{OPEN}{name}{CLOSE}");
            out = out.replace(&format!("${{{name}}}"), &mark).replace(&format!("${name}"), &mark);
        }
        out
    }
}

/// As a lab writes it: `${NAME}` for a mark, and `$${` for what only looks so.
pub(super) fn written(text: &str) -> String {
    text.replace("${", "$${").replace(OPEN, "${").replace(CLOSE, "}")
}

/// Other values than the defaults for the variables that a reader chooses: whatever follows them shows itself. `turn`
/// counts the runs.
pub fn other_values(lab: &Lab, turn: usize) -> BTreeMap<String, String> {
    let letters = ["qx", "jw", "zk", "vh"];
    let ending = letters[turn % letters.len()];
    let mut values = BTreeMap::new();
    for var in lab.vars.iter().filter(|var| var.ask.is_some() && !var.secret) {
        let VarDefault::Text(default) = &var.default else { continue };
        let fits = |value: &String| {
            let pattern = var.pattern.as_deref().map(|pattern| regex::Regex::new(&format!("^(?:{pattern})$")));
            pattern.is_none_or(|pattern| pattern.is_ok_and(|pattern| pattern.is_match(value)))
        };
        let tried = [format!("{default}-{ending}"), format!("{default}{ending}")];
        if let Some(value) = tried.into_iter().find(fits).filter(|_| !default.is_empty()) {
            values.insert(var.name.value.clone(), value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_follows_the_seed_becomes_the_variable() {
        let (a, b) =
            (vars(&[("TEAM", "team-a1"), ("IMAGE", "nginx")]), vars(&[("TEAM", "team-b2"), ("IMAGE", "nginx")]));
        let names = Names::of_runs(&[&a, &b]);
        let (of_a, of_b) = (names[0].put("/ns/team-a1/x team-a12 nginx"), names[1].put("/ns/team-b2/x team-a12 nginx"));
        assert_eq!(of_a, of_b);
        assert_eq!(written(&of_a), "/ns/${TEAM}/x team-a12 nginx");
        assert_eq!(written("a ${B}"), "a $${B}");
        assert_eq!(
            written(&names[0].put_in_command("kubectl create ns \"$TEAM\" ${TEAM}-x")),
            "kubectl create ns \"${TEAM}\" ${TEAM}-x"
        );
    }
}
