//! What a lab says of its cluster and of its shells. Where that has changed, nothing of an earlier run stands.

use crate::lab::{ClusterSpec, Lab, VarDefault};

#[derive(Debug, PartialEq, Eq)]
pub struct Setup {
    spec: ClusterSpec,
    members: String,
    vars: Vec<Var>,
}

#[derive(Debug, PartialEq, Eq)]
struct Var {
    name: String,
    default: VarDefault,
    pattern: Option<String>,
    secret: bool,
}

impl Setup {
    pub fn of(lab: &Lab) -> Self {
        let var = |var: &crate::lab::Var| Var {
            name: var.name.value.clone(),
            default: var.default.clone(),
            pattern: var.pattern.clone(),
            secret: var.secret,
        };
        let member = |(name, at): &(crate::text::Spanned<String>, crate::lab::Template)| {
            format!("{}={}\n", name.value, lab.source.slice(at.span))
        };
        Self {
            spec: lab.cluster.clone(),
            members: lab.etcd.iter().map(member).collect(),
            vars: lab.vars.iter().map(var).collect(),
        }
    }

    /// Whether it is that of a saved lab, in whose texts stars may stand for what is secret.
    pub fn is_as_saved(&self, saved: &Self) -> bool {
        let is_default = |saved: &VarDefault, now: &VarDefault| match (saved, now) {
            (VarDefault::Text(saved), VarDefault::Text(now)) => is_text_as_saved(saved, now),
            _ => saved == now,
        };
        let is_var = |(saved, now): (&Var, &Var)| {
            (&saved.name, &saved.pattern, saved.secret) == (&now.name, &now.pattern, now.secret)
                && is_default(&saved.default, &now.default)
        };
        self.spec == saved.spec
            && is_text_as_saved(&saved.members, &self.members)
            && saved.vars.len() == self.vars.len()
            && saved.vars.iter().zip(&self.vars).all(is_var)
    }
}

/// Whether a text is the one that was saved, in which stars may stand for what is secret.
pub fn is_text_as_saved(saved: &str, text: &str) -> bool {
    let same = |(saved, text): (u8, u8)| saved == text || saved == b'*';
    saved.len() == text.len() && saved.bytes().zip(text.bytes()).all(same)
}
