use std::fmt;

use kube_cel::ast::{Expr as Node, LiteralValue, operators};
use serde_json::Value;

/// A place that an expression reads, such as `object.metadata.labels["app"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub root: String,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Field(String),
    Index(i64),
}

/// What a walk along a path came upon.
pub(super) enum Walk<'a> {
    Found(&'a Value),
    /// The step at this index is not there; `null` where its holder is null, and not a map.
    Missing {
        step: usize,
    },
    NoRoot,
}

impl Path {
    /// The longest chain of selections that ends in this node, if it begins at a name.
    pub(super) fn of(node: &Node) -> Option<Self> {
        let mut steps = Vec::new();
        let mut node = node;
        loop {
            match node {
                Node::Ident(name) => {
                    steps.reverse();
                    return Some(Self { root: name.clone(), steps });
                }
                Node::Select(select) => {
                    steps.push(Step::Field(select.field.clone()));
                    node = &select.operand.expr;
                }
                Node::Call(call) if call.func_name == operators::INDEX && call.args.len() == 2 => {
                    steps.push(match &call.args[1].expr {
                        Node::Literal(LiteralValue::String(text)) => Step::Field(text.inner().to_owned()),
                        Node::Literal(LiteralValue::Int(index)) => Step::Index(*index.inner()),
                        _ => return None,
                    });
                    node = &call.args[0].expr;
                }
                _ => return None,
            }
        }
    }

    /// The name that plain selections spell, such as a library's.
    pub(super) fn spelled(node: &kube_cel::IdedExpr) -> Option<String> {
        let path = Self::of(&node.expr)?;
        let plain = path.steps.iter().all(|step| matches!(step, Step::Field(name) if is_identifier(name)));
        plain.then(|| path.to_string())
    }

    pub(super) fn walk<'a>(&self, root: Option<&'a Value>) -> Walk<'a> {
        let Some(mut value) = root else {
            return Walk::NoRoot;
        };
        for (step, part) in self.steps.iter().enumerate() {
            let next = match part {
                Step::Field(name) => value.get(name),
                Step::Index(index) => usize::try_from(*index).ok().and_then(|index| value.get(index)),
            };
            match next {
                Some(next) => value = next,
                None => return Walk::Missing { step },
            }
        }
        Walk::Found(value)
    }

    /// The path up to and with a step, as a reader would write it; `object` goes without saying.
    pub(super) fn up_to(&self, step: usize) -> String {
        let cut = Self { root: self.root.clone(), steps: self.steps[..=step].to_vec() };
        let text = cut.to_string();
        text.strip_prefix("object.").map_or(text.clone(), str::to_owned)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        for step in &self.steps {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) if is_identifier(name) => write!(f, ".{name}")?,
                Step::Field(name) => write!(f, "[{}]", Value::from(name.as_str()))?,
            }
        }
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    crate::text::name_length(name) == name.len() && !name.is_empty()
}
