//! Fields of objects, keys of maps and places of lists.

use kube_cel::IdedExpr;
use kube_cel::ast::{Expr as Node, LiteralValue};

use super::{Checker, is_object, literal_text};
use crate::expr::FaultKind;
use crate::expr::ask::{Asked, HERE};
use crate::expr::types::{Object, Text, Type};
use crate::text::did_you_mean;

/// So many fields a message lists.
const LISTED: usize = 8;

/// How deep below a place a field is looked for that was written too high.
const DEEPEST: usize = 4;

impl Checker<'_> {
    /// The field of this name; `node` is the selection.
    pub(super) fn field(&mut self, base: &Type, name: &str, node: &IdedExpr) -> Type {
        let Node::Select(select) = &node.expr else { return Type::Dyn };
        if name == HERE {
            // What the conditions around say makes the type narrower, or nothing is known of it.
            if !matches!(&self.asked, Some(Asked::Member(known)) if base.is_dyn() && !known.is_dyn()) {
                self.asked = Some(Asked::Member(base.clone()));
            }
            return Type::Dyn;
        }
        if let Some(kind) = of(base, name) {
            return kind;
        }
        let operand = &*select.operand;
        let behind = self.places.name_behind(operand, name);
        self.no_field(base, name, operand, behind);
        Type::Dyn
    }

    fn no_field(&mut self, base: &Type, name: &str, operand: &IdedExpr, at: std::ops::Range<usize>) {
        let text = self.places.text(operand);
        let span = (self.places.outer)(at.clone());
        if matches!(base, Type::Null) {
            let message = format!("a DELETE has no `{text}`: it is null");
            let hint = Some("write `oldObject`, which is the deleted object".to_owned());
            let span = self.places.span(operand);
            return self.fault(FaultKind::WrongType, span, message, hint);
        }
        let objects: Vec<&Object> = base.alternatives().iter().filter_map(as_object).collect();
        if objects.is_empty() {
            let (message, hint) = self.fieldless(base, name, operand, &text, at);
            return self.fault(FaultKind::UnknownField, span, message, hint);
        }
        let names: Vec<&str> = {
            let mut seen = std::collections::BTreeSet::new();
            objects.iter().flat_map(|object| object.names()).filter(|name| seen.insert(*name)).collect()
        };
        let message = match objects[..] {
            [object] if object.title() == text => format!("`{text}` has no field `{name}`"),
            [object] => format!("`{text}` ({}) has no field `{name}`", object.title()),
            _ if is_object(base) => format!("no kind under this key has a field `{text}.{name}`"),
            _ => format!("`{text}` has no field `{name}`, whatever its kind"),
        };
        let near = did_you_mean(name, names.iter().copied())
            .or_else(|| elsewhere(base, name).map(|steps| format!("did you mean `{text}.{steps}`?")))
            .or_else(|| {
                let root = self.subject.object(&self.facts);
                let steps = if text.starts_with("object.") { elsewhere(&root, name) } else { None };
                steps.map(|steps| format!("did you mean `object.{steps}`?"))
            });
        let has = listed(&text, &names);
        let hint = near.map_or(has.clone(), |near| format!("{near} {has}"));
        self.fault(FaultKind::UnknownField, span, message, Some(hint));
    }

    /// What has no fields at all.
    fn fieldless(
        &mut self,
        base: &Type,
        name: &str,
        operand: &IdedExpr,
        text: &str,
        at: std::ops::Range<usize>,
    ) -> (String, Option<String>) {
        if let Type::List(of) = base {
            let known = as_object(of).is_some_and(|object| object.field(name).is_some());
            let message = format!("`{text}` is {}, which has no field `{name}`", base.noun());
            let hint = if known || **of == Type::Dyn {
                format!("ask its elements: `{text}.exists(x, x.{name} == …)`, or the first: `{text}[0].{name}`")
            } else {
                format!("ask its elements: `{text}.exists(x, …)`, or the first: `{text}[0]`")
            };
            return (message, Some(hint));
        }
        // A label's name with dots, which CEL reads as a path.
        if let Some((map, start)) = self.open_map(operand) {
            let rest = self.places.text.get(start..).unwrap_or_default();
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"._/-".contains(c)).unwrap_or(rest.len());
            let whole = rest[..length].trim_end_matches(['.', '/', '-']);
            self.explained.push((self.places.outer)(start..start + whole.len().max(at.end.saturating_sub(start))));
            let message = format!("`{map}` is a map, and a key with dots cannot be written as a path");
            return (message, Some(format!("write `{map}[\"{whole}\"]`")));
        }
        (format!("`{text}` is {}, which has no field `{name}`", base.noun()), None)
    }

    /// The map whose key a chain of selections begins to name, and where that name begins.
    fn open_map(&mut self, chain: &IdedExpr) -> Option<(String, usize)> {
        let mut node = chain;
        while let Node::Select(select) = &node.expr {
            if matches!(self.quietly(&select.operand), Type::Map(_)) {
                let map = self.places.text(&select.operand);
                return Some((map, self.places.name_behind(&select.operand, &select.field).start));
            }
            node = &select.operand;
        }
        None
    }

    pub(super) fn index(&mut self, base: &Type, operand: &IdedExpr, index: &IdedExpr, node: &IdedExpr) -> Type {
        let by = self.node(index);
        let (number, text) = (can_be(&by, is_number), can_be(&by, |kind| matches!(kind, Type::Text(_))));
        let mut found = Type::Never;
        let mut named = None;
        for kind in base.alternatives() {
            match kind {
                Type::Dyn | Type::Never | Type::Optional(_) => return Type::Dyn,
                Type::List(of) if number => found = found.or((**of).clone()),
                Type::Map(of) if text => found = found.or((**of).clone()),
                Type::Object(object) if text => match literal_text(index) {
                    Some(name) => {
                        named = Some(name);
                        found = found.or(object.field(name).map_or(Type::Never, |field| field.kind));
                    }
                    None => return Type::Dyn,
                },
                _ => {}
            }
        }
        if found != Type::Never {
            return found;
        }
        if matches!(base, Type::List(of) if number && **of == Type::Never) {
            return Type::Dyn;
        }
        if let Some(name) = named {
            let at = self.places.range(index);
            self.no_field(base, name, operand, at);
            return Type::Dyn;
        }
        let (text, key) = (self.places.text(operand), self.places.text(index));
        let message = format!("`{text}` is {}, and `{key}` is not a valid index for it", base.noun());
        let hint = match base {
            Type::List(of) => {
                let field = as_object(of)
                    .and_then(|object| ["type", "name"].into_iter().find(|name| object.field(name).is_some()));
                match field {
                    Some(field) => format!(
                        "a list is indexed by number, from 0, or searched: `{text}.exists(x, x.{field} == {key})`"
                    ),
                    None => format!("a list is indexed by number, from 0, or searched: `{key} in {text}`"),
                }
            }
            Type::Map(_) => "the keys of a map are texts: put it in quotes".to_owned(),
            Type::Object(_) => "an object is indexed by the names of its fields".to_owned(),
            _ => "only lists and maps can be indexed".to_owned(),
        };
        let _ = node;
        self.fault(FaultKind::WrongType, self.places.span(index), message, Some(hint));
        Type::Dyn
    }
}

/// The field's type, in whichever of the alternatives has it.
fn of(base: &Type, name: &str) -> Option<Type> {
    let mut found: Option<Type> = None;
    for kind in base.alternatives() {
        let kind = match kind {
            Type::Dyn | Type::Never => return Some(Type::Dyn),
            Type::Map(of) => (**of).clone(),
            Type::Optional(inner) => match of(inner, name) {
                Some(Type::Optional(inner)) => Type::Optional(inner),
                Some(inner) => Type::optional(inner),
                None => continue,
            },
            Type::Object(object) => match object.field(name) {
                Some(field) => field.kind,
                None => continue,
            },
            _ => continue,
        };
        found = Some(found.map_or(kind.clone(), |found| found.or(kind)));
    }
    found
}

/// Whether the field is never null in any of the alternatives that have it.
pub(super) fn never_null(base: &Type, name: &str) -> bool {
    let fields: Vec<_> = base
        .alternatives()
        .iter()
        .filter_map(|kind| if let Type::Object(object) = kind { object.field(name) } else { None })
        .collect();
    !fields.is_empty() && fields.iter().all(|field| field.never_null)
}

/// The object, or the one that may be there.
fn as_object(kind: &Type) -> Option<&Object> {
    match kind {
        Type::Object(object) => Some(object),
        Type::Optional(of) => as_object(of),
        _ => None,
    }
}

pub(super) fn can_be(kind: &Type, is: impl Fn(&Type) -> bool) -> bool {
    kind.alternatives().iter().any(|kind| matches!(kind, Type::Dyn | Type::Never | Type::IntOrText) || is(kind))
}

pub(super) fn is_number(kind: &Type) -> bool {
    matches!(kind, Type::Int | Type::Number)
}

/// The way to a field of this name below, through objects only.
fn elsewhere(base: &Type, name: &str) -> Option<String> {
    let mut level: Vec<(String, Object)> =
        base.alternatives().iter().filter_map(as_object).map(|object| (String::new(), object.clone())).collect();
    for _ in 0..DEEPEST {
        let mut next = Vec::new();
        for (way, object) in level {
            for field in object.names() {
                let Some(Type::Object(inner)) = object.field(field).map(|field| field.kind) else { continue };
                let way = if way.is_empty() { field.to_owned() } else { format!("{way}.{field}") };
                if inner.field(name).is_some() && inner.names().contains(&name) {
                    return Some(format!("{way}.{name}"));
                }
                next.push((way, inner));
            }
        }
        // A glob over everything has far too many ways.
        if next.len() > 500 {
            return None;
        }
        level = next;
    }
    None
}

/// `object.status has phase, podIP, … (12 more)`.
fn listed(text: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return format!("`{text}` has no fields");
    }
    let shown = names[..names.len().min(LISTED)].join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => format!("`{text}` has {shown}"),
        more => format!("`{text}` has {shown} and {more} more"),
    }
}

/// Also for `"name" in object`.
pub(super) fn has_key(base: &Type, name: &str) -> bool {
    of(base, name).is_some()
}

impl Checker<'_> {
    /// `"replicas" in object.spec`: the names of an object's fields are the keys of a map.
    pub(super) fn key_of_object(&mut self, base: &Type, wanted: &IdedExpr, holder: &IdedExpr) {
        let Node::Literal(LiteralValue::String(_)) = &wanted.expr else { return };
        if let Some(name) = literal_text(wanted)
            && !has_key(base, name)
        {
            let at = self.places.range(wanted);
            self.no_field(base, name, holder, at);
        }
    }

    /// Whether a part is base64 of bytes.
    pub(super) fn is_base64(kind: &Type) -> bool {
        matches!(kind, Type::Text(Text::Base64))
    }
}
