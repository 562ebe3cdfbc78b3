//! What a condition says of the object's kind.

use kube_cel::IdedExpr;
use kube_cel::ast::{Expr as Node, operators};

use super::literal_text;
use crate::expr::path::{Path, Step};
use crate::expr::types::Fact;

/// What follows where the condition holds, or does not.
pub(super) fn facts(condition: &IdedExpr, holds: bool) -> Vec<Fact> {
    let Node::Call(call) = &condition.expr else { return Vec::new() };
    let kind = |words: Vec<String>, is: bool| vec![Fact::Kind { words, is }];
    match (call.func_name.as_str(), call.target.as_deref(), &call.args[..]) {
        (operators::LOGICAL_AND, None, [left, right]) if holds => [facts(left, true), facts(right, true)].concat(),
        (operators::LOGICAL_OR, None, [left, right]) if !holds => [facts(left, false), facts(right, false)].concat(),
        (operators::LOGICAL_NOT, None, [inner]) => facts(inner, !holds),
        (name @ (operators::EQUALS | operators::NOT_EQUALS), None, [left, right]) => {
            let equal = (name == operators::EQUALS) == holds;
            for (part, word) in [(left, right), (right, left)] {
                let Some(word) = literal_text(word) else { continue };
                if is_kind(part) {
                    return kind(vec![word.to_owned()], equal);
                }
                if equal && is_key(part) {
                    return vec![Fact::Key(word.to_owned())];
                }
            }
            Vec::new()
        }
        (operators::IN, None, [part, list]) if is_kind(part) => {
            let Node::List(list) = &list.expr else { return Vec::new() };
            let words: Option<Vec<String>> =
                list.elements.iter().map(|word| literal_text(word).map(str::to_owned)).collect();
            words.map_or_else(Vec::new, |words| kind(words, holds))
        }
        ("startsWith", Some(part), [lead]) if holds && is_key(part) => {
            literal_text(lead).map(|lead| Fact::Key(lead.to_owned())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Old and new lie under one key, so they are of one kind.
fn is_kind(node: &IdedExpr) -> bool {
    Path::of(&node.expr).is_some_and(|path| {
        matches!(path.root.as_str(), "object" | "oldObject") && path.steps == [Step::Field("kind".to_owned())]
    })
}

fn is_key(node: &IdedExpr) -> bool {
    matches!(&node.expr, Node::Ident(name) if name == "key")
}
