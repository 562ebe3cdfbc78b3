//! Which parts of its names an expression can read, so that only these are bound: an object has hundreds of
//! fields, and a check looks at two.

use std::collections::BTreeMap;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr as Node, LiteralValue};

use super::path::{Path, Step};
use super::rewrite::PRESENT;

/// What is read of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reads {
    Whole,
    Fields(BTreeMap<String, Reads>),
}

/// What is read of each name.
pub(super) type Names = BTreeMap<String, Reads>;

pub(super) fn of(root: &IdedExpr) -> Names {
    let mut names = Names::new();
    collect(&root.expr, &mut names);
    names
}

fn collect(node: &Node, names: &mut Names) {
    if let Some(path) = Path::of(node) {
        return note(path, names);
    }
    let mut each = |node: &IdedExpr| collect(&node.expr, names);
    match node {
        Node::Call(call) if call.func_name == PRESENT => {
            if let Some(path) = presence(&call.args) {
                return note(path, names);
            }
            call.args.iter().for_each(each);
        }
        Node::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(each),
        Node::Select(select) => each(&select.operand),
        Node::List(list) => list.elements.iter().for_each(each),
        Node::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    each(&entry.key);
                    each(&entry.value);
                }
            }
        }
        Node::Comprehension(inner) => {
            [&inner.iter_range, &inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result]
                .into_iter()
                .for_each(each);
        }
        // Compiling has refused it.
        Node::Struct(_) | Node::Ident(_) | Node::Literal(_) | Node::Unspecified => {}
    }
}

/// The path of a presence test, where none of its steps has to be evaluated first.
fn presence(args: &[IdedExpr]) -> Option<Path> {
    let [root, steps] = args else { return None };
    let Node::List(steps) = &steps.expr else { return None };
    let mut path = Path::of(&root.expr)?;
    for step in &steps.elements {
        let Node::Literal(LiteralValue::String(name)) = &step.expr else { return None };
        path.steps.push(Step::Field(name.inner().to_owned()));
    }
    Some(path)
}

fn note(path: Path, names: &mut Names) {
    // CEL's leading dot names the same thing.
    let root = path.root.strip_prefix('.').unwrap_or(&path.root);
    let mut reads = names.entry(root.to_owned()).or_insert_with(|| Reads::Fields(BTreeMap::new()));
    for step in path.steps {
        match (reads, step) {
            (Reads::Fields(fields), Step::Field(name)) => {
                reads = fields.entry(name).or_insert_with(|| Reads::Fields(BTreeMap::new()));
            }
            (whole_from_here, _) => {
                *whole_from_here = Reads::Whole;
                return;
            }
        }
    }
    *reads = Reads::Whole;
}

#[cfg(test)]
mod tests {
    use super::super::{Scope, Subject, compile, split};
    use super::*;
    use crate::text::Joined;

    fn reads(text: &str) -> Vec<String> {
        fn walk(reads: &Reads, at: &str, found: &mut Vec<String>) {
            match reads {
                Reads::Whole => found.push(at.to_owned()),
                Reads::Fields(fields) => {
                    for (name, reads) in fields {
                        walk(reads, &format!("{at}/{name}"), found);
                    }
                }
            }
        }
        let source = Joined::whole(text, 0);
        let range = split(&source, 0, true).expect("it splits");
        let expr = compile(&source, range, Scope::Event, &Subject::any()).0.expect("it compiles");
        let mut found = Vec::new();
        let names = of(&expr.compiled.root);
        let known = names.iter().filter(|(name, _)| Scope::Event.knows(name));
        known.for_each(|(name, reads)| walk(reads, name, &mut found));
        found
    }

    #[test]
    fn a_path_is_read_as_far_as_it_is_written() {
        assert_eq!(reads("object.a.b == 1 && object.a['c/d'] == key"), ["key", "object/a/b", "object/a/c/d"]);
    }

    #[test]
    fn the_shorter_of_two_paths_is_read_whole_in_either_order() {
        assert_eq!(reads("object.a.b == 1 && size(object.a) == 2"), ["object/a"]);
        assert_eq!(reads("size(object.a) == 2 && object.a.b == 1"), ["object/a"]);
        assert_eq!(reads("object == oldObject && object.a == 1"), ["object", "oldObject"]);
    }

    #[test]
    fn what_is_not_known_before_evaluating_is_read_whole() {
        assert_eq!(reads("object.items[0].name == 'x'"), ["object/items"]);
        assert_eq!(reads("object.labels[key] == 'x'"), ["key", "object/labels"]);
        assert_eq!(reads("object.items.exists(i, i.name == object.name)"), ["object/items", "object/name"]);
        assert_eq!(reads("object.labels['${NAME}'] == 'x'"), ["object/labels"]);
        assert_eq!(reads("{'a': object.b}[key] == [object.c][0]"), ["key", "object/b", "object/c"]);
    }

    #[test]
    fn a_presence_test_reads_its_path() {
        assert_eq!(reads("has(object.a.b) && !has(oldObject.a)"), ["object/a/b", "oldObject/a"]);
        assert_eq!(reads("has(object.items[0].name)"), ["object"]);
    }
}
