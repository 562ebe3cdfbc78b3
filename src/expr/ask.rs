//! What could stand at a place of an expression that is being written: an editor asks.

use super::check::{Checker, Places};
use super::compile::flat;
use super::split::left_open;
use super::types::Type;
use super::{Scope, Subject};
use crate::text::Span;
use kube_cel::on_big_stack;

/// Stands at the place that is asked for.
pub(super) const HERE: &str = "keywitness_asks_here";

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// A field or a function of a value of this type.
    Member(Type),
    /// A name; these are the variables of the comprehensions around.
    Name(Vec<(String, Type)>),
    /// The inside of a text that is compared with a value of this type.
    Text(Type),
}

/// What can follow `lead`, the beginning of an expression up to the word that is being written; `None` where it cannot
/// be known, as after a whole operand.
pub fn ask(lead: &str, scope: Scope, subject: &Subject) -> Option<Asked> {
    on_big_stack(|| ask_here(&flat(lead), scope, subject))
}

fn ask_here(lead: &str, scope: Scope, subject: &Subject) -> Option<Asked> {
    let (open, text) = left_open(lead);
    let asked = match text {
        Some(quote) => format!("{}\"{HERE}\"", &lead[..quote]),
        None => format!("{lead}{HERE}"),
    };
    let closed: String = open.into_iter().rev().collect();
    // The second alternative of a choice is still to come.
    [format!("{asked}{closed}"), format!("{asked} : null{closed}")]
        .into_iter()
        .find_map(|whole| of_whole(&whole, scope, subject))
}

fn of_whole(whole: &str, scope: Scope, subject: &Subject) -> Option<Asked> {
    let (tree, info) = kube_cel::parse(whole).ok()?;
    let offset = |id: u64| info.offset_for(id).map(|(start, _)| start as usize);
    let outer = |part: std::ops::Range<usize>| Span::new(part.start, part.end);
    let mut checker = Checker::new(scope, subject, Places { text: whole, offset: &offset, outer: &outer });
    checker.condition(&tree);
    checker.asked
}

#[cfg(test)]
mod tests {
    use super::super::types::Piece;
    use super::*;

    fn at(lead: &str) -> Option<Asked> {
        let subject = Subject::under(&[Piece::Data("/registry/pods/default/web")], &[]);
        ask(lead, Scope::Key, &subject)
    }

    fn fields(lead: &str) -> Vec<String> {
        match at(lead) {
            Some(Asked::Member(kind)) => kind.fields().into_iter().map(|(name, _)| name).collect(),
            other => panic!("{lead}: {other:?}"),
        }
    }

    #[test]
    fn what_stands_behind_a_dot_is_known() {
        assert_eq!(fields("object."), ["apiVersion", "kind", "metadata", "spec", "status"]);
        assert!(fields("has(object.status.").contains(&"podIP".to_owned()));
        assert!(fields("object.spec.nodeName == \"a\" && object.spec.").contains(&"nodeName".to_owned()));
        assert!(fields("object.spec.containers.exists(c, c.").contains(&"image".to_owned()));
        assert!(fields("object.spec.containers[0].").contains(&"image".to_owned()));
        assert!(fields("true ? object.metadata.").contains(&"labels".to_owned()));
        assert!(fields("size(object.spec.containers.filter(c, c.name == \"a\")[0].").contains(&"image".to_owned()));
        assert_eq!(fields("object.metadata.labels."), Vec::<String>::new());
    }

    #[test]
    fn names_and_words_are_known() {
        assert_eq!(at(""), Some(Asked::Name(Vec::new())));
        let Some(Asked::Name(locals)) = at("object.spec.containers.exists(c, ") else { panic!("names") };
        assert_eq!(locals.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["c"]);
        let Some(Asked::Text(kind)) = at("object.status.phase == \"") else { panic!("a text") };
        assert!(kind.words().contains(&"Running".to_owned()));
        let Some(Asked::Text(kind)) = at("object.status.phase in [\"Pending\", \"Ru") else { panic!("a text") };
        assert!(kind.words().contains(&"Running".to_owned()));
        assert_eq!(at("object.status.phase "), None);
        assert_eq!(at("object.status.phase == ) "), None);
    }
}
