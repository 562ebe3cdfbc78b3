//! Calls of functions, against the table of their signatures.

use kube_cel::IdedExpr;
use kube_cel::ast::{CallExpr, Expr as Node, LiteralValue};

use super::field::is_number;
use super::{Checker, literal_text};
use crate::expr::FaultKind;
use crate::expr::functions::{Function, ways};
use crate::expr::types::{Known, Text, Type};

impl Checker<'_> {
    pub(super) fn function(&mut self, call: &CallExpr, node: &IdedExpr) -> Type {
        let name = call.func_name.as_str();
        // A library's name in front is no value.
        let library = call.target.as_ref().and_then(|target| match &target.expr {
            Node::Ident(library) => Some(format!("{library}.{name}")),
            _ => None,
        });
        let library = library.filter(|name| ways(name, false).next().is_some());
        let target = if library.is_some() { None } else { call.target.as_deref() };
        let receiver = target.map(|target| self.node(target));
        let args: Vec<Type> = call.args.iter().map(|arg| self.node(arg)).collect();
        let name = library.as_deref().unwrap_or(name);
        let known: Vec<&Function> = ways(name, target.is_some()).filter(|way| !way.is_macro).collect();
        if known.is_empty() {
            return Type::Dyn;
        }
        if let (Some(target), Some(kind)) = (target, &receiver)
            && !known.iter().any(|way| way.receiver.is_some_and(|wanted| takes(wanted, kind)))
        {
            self.wrong_receiver(name, target, kind, call, &known);
            return result(&known, None);
        }
        let of_receiver: Vec<&Function> = known
            .into_iter()
            .filter(|way| way.receiver.zip(receiver.as_ref()).is_none_or(|(wanted, kind)| takes(wanted, kind)))
            .collect();
        let counted: Vec<&Function> = of_receiver.iter().copied().filter(|way| way.args.len() == args.len()).collect();
        if counted.is_empty() {
            let mut counts: Vec<String> = of_receiver.iter().map(|way| way.args.len().to_string()).collect();
            counts.dedup();
            let many = if counts == ["1"] { "argument" } else { "arguments" };
            let message = format!("`{name}()` takes {} {many}, and here it has {}", counts.join(" or "), args.len());
            let span = (self.places.outer)(self.places.name_of_call(node, &call.func_name));
            self.fault(FaultKind::WrongType, span, message, None);
            return result(&of_receiver, receiver.as_ref());
        }
        let fitting: Vec<&Function> = counted
            .iter()
            .copied()
            .filter(|way| way.args.iter().zip(&args).all(|(wanted, kind)| takes(*wanted, kind)))
            .collect();
        if fitting.is_empty() {
            self.wrong_argument(name, call, &args, &counted);
            return result(&counted, receiver.as_ref());
        }
        self.literals(name, call, receiver.as_ref());
        let first = receiver.or_else(|| args.into_iter().next());
        result(&fitting, first.as_ref())
    }

    fn wrong_receiver(&mut self, name: &str, target: &IdedExpr, kind: &Type, call: &CallExpr, known: &[&Function]) {
        let text = self.places.text(target);
        let wanted: Vec<String> = nouns(known.iter().filter_map(|way| way.receiver));
        let arg = call.args.first().map(|arg| self.places.text(arg)).unwrap_or_default();
        let hint = match kind {
            Type::List(of) if name == "contains" => match &**of {
                Type::Object(object) => {
                    let field = ["type", "name", "ip"].into_iter().find(|name| object.field(name).is_some());
                    field.map(|field| format!("write `{text}.exists(x, x.{field} == {arg})`"))
                }
                _ => Some(format!("write `{arg} in {text}`")),
            },
            Type::Map(_) | Type::Object(_) if name == "contains" => Some(format!("write `{arg} in {text}`")),
            Type::List(_) => Some(format!("ask its elements: `{text}.exists(x, x.{name}({arg}))`")),
            Type::Map(_) => Some(format!("ask one of its values: `{text}[\"…\"].{name}({arg})`")),
            Type::Text(Text::Time) => Some(format!("write `timestamp({text}).{name}({arg})`")),
            kind if is_number(kind) => Some(format!("compare it as a number, or write `string({text}).{name}({arg})`")),
            _ => None,
        };
        let message = format!("`{text}` is {}, and `{name}()` takes {}", kind.noun(), wanted.join(" or "));
        self.fault(FaultKind::WrongType, self.places.span(target), message, hint);
    }

    fn wrong_argument(&mut self, name: &str, call: &CallExpr, args: &[Type], counted: &[&Function]) {
        for (nth, (arg, kind)) in call.args.iter().zip(args).enumerate() {
            let wanted: Vec<Known> = counted.iter().map(|way| way.args[nth]).collect();
            if wanted.iter().any(|wanted| takes(*wanted, kind)) {
                continue;
            }
            let text = self.places.text(arg);
            let message = format!("`{text}` is {}, and `{name}()` takes {}", kind.noun(), nouns(wanted).join(" or "));
            let hint = match &arg.expr {
                Node::Literal(LiteralValue::Int(_) | LiteralValue::Boolean(_)) => {
                    Some(format!("put it in quotes: \"{text}\""))
                }
                _ => None,
            };
            return self.fault(FaultKind::WrongType, self.places.span(arg), message, hint);
        }
    }

    /// Texts that a function cannot read, and such as base64 never holds.
    fn literals(&mut self, name: &str, call: &CallExpr, receiver: Option<&Type>) {
        let Some((arg, word)) = call.args.first().and_then(|arg| Some((arg, literal_text(arg)?))) else { return };
        let (message, hint) = match name {
            "timestamp" if word.parse::<jiff::Timestamp>().is_err() => (
                format!("\"{word}\" is not a time"),
                "write a time as RFC 3339 has it: \"2026-01-31T10:00:00Z\"".to_owned(),
            ),
            "int" if word.parse::<i64>().is_err() => (format!("\"{word}\" is not a whole number"), String::new()),
            "duration" if !is_duration(word) => (
                format!("\"{word}\" is not a duration"),
                "write numbers with units: \"1h30m\", \"90s\", \"500ms\"".to_owned(),
            ),
            "contains" | "startsWith" | "endsWith" if receiver.is_some_and(Self::is_base64) => {
                let in_alphabet = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
                if word.chars().all(in_alphabet) {
                    return;
                }
                let text = call.target.as_deref().map(|target| self.places.text(target)).unwrap_or_default();
                (
                    format!("`{text}` holds base64, which never contains \"{word}\""),
                    "compare the whole value with its base64".to_owned(),
                )
            }
            _ => return,
        };
        let hint = (!hint.is_empty()).then_some(hint);
        self.fault(FaultKind::WrongType, self.places.span(arg), message, hint);
    }
}

/// Whether a value of this type can be handed over.
fn takes(wanted: Known, kind: &Type) -> bool {
    kind.alternatives().iter().any(|kind| match (wanted, kind) {
        (Known::Any, _)
        | (_, Type::Dyn | Type::Never)
        | (Known::Int | Known::Number | Known::Text, Type::IntOrText)
        | (Known::Text | Known::TextTime, Type::Text(_))
        | (Known::Map(_), Type::Map(_) | Type::Object(_)) => true,
        (Known::Int | Known::Number, kind) => is_number(kind),
        (Known::List(wanted), Type::List(of)) => takes(*wanted, of),
        (wanted, kind) => wanted.of() == *kind,
    })
}

fn result(ways: &[&Function], first: Option<&Type>) -> Type {
    let element = || match first {
        Some(Type::List(of)) => (**of).clone(),
        _ => Type::Dyn,
    };
    let of = |known: Known| match known {
        Known::Element => element(),
        Known::List(Known::Element) => Type::list(element()),
        known => known.of(),
    };
    ways.iter().map(|way| of(way.result)).fold(Type::Never, Type::or)
}

fn nouns(wanted: impl IntoIterator<Item = Known>) -> Vec<String> {
    let mut nouns: Vec<String> = wanted.into_iter().map(|wanted| wanted.of().noun()).collect();
    nouns.sort();
    nouns.dedup();
    nouns
}

/// As Go writes durations.
fn is_duration(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut rest = rest;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let behind = &rest[digits..];
        let unit = ["ns", "us", "µs", "ms", "h", "m", "s"].into_iter().find(|unit| behind.starts_with(unit));
        let Some(unit) = unit.filter(|_| digits > 0) else { return false };
        rest = &behind[unit.len()..];
        parts += 1;
    }
    parts > 0
}
