//! Calls of functions, against the table of their signatures.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube_cel::ast::{CallExpr, Expr as Node, LiteralValue};
use kube_cel::{IdedExpr, Overload, Type as Wanted};

use super::field::is_number;
use super::{Checker, is_hidden, literal_text};
use crate::expr::FaultKind;
use crate::expr::functions::ways;
use crate::expr::types::{Text, Type};

/// What the parameters of a signature stand for in a call.
type Bound = BTreeMap<Arc<str>, Type>;

impl Checker<'_> {
    pub(super) fn function(&mut self, call: &CallExpr, node: &IdedExpr) -> Type {
        let name = call.func_name.as_str();
        // A library's name in front is no value.
        let library = call.target.as_ref().and_then(|target| match &target.expr {
            Node::Ident(library) if !self.is_value(library) => Some(format!("{library}.{name}")),
            _ => None,
        });
        let library = library.filter(|name| ways(name, false).next().is_some());
        let target = if library.is_some() { None } else { call.target.as_deref() };
        let receiver = target.map(|target| self.node(target));
        let args: Vec<Type> = call.args.iter().map(|arg| self.node(arg)).collect();
        let name = library.as_deref().unwrap_or(name);
        // What a macro calls, nobody wrote.
        let is_written = name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('@');
        let known: Vec<&Overload> = ways(name, target.is_some()).filter(|_| is_written).collect();
        if known.is_empty() {
            return Type::Dyn;
        }
        let given: Vec<&Type> = receiver.iter().chain(&args).collect();
        let of_receiver: Vec<&Overload> = match &receiver {
            Some(kind) => known.iter().copied().filter(|way| takes(&way.parameters[0], kind)).collect(),
            None => known.clone(),
        };
        if let (Some(target), Some(kind), []) = (target, &receiver, &of_receiver[..]) {
            self.wrong_receiver(name, target, kind, call, &known);
            return result(&known, &[]);
        }
        let counted: Vec<&Overload> =
            of_receiver.iter().copied().filter(|way| way.parameters.len() == given.len()).collect();
        if counted.is_empty() {
            let arguments = |way: &&Overload| way.parameters.len() - usize::from(way.member);
            let mut counts: Vec<usize> = of_receiver.iter().map(arguments).collect();
            counts.sort_unstable();
            counts.dedup();
            let many = if counts == [1] { "argument" } else { "arguments" };
            let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
            let message = format!("`{name}()` takes {} {many}, and here it has {}", counts.join(" or "), args.len());
            let span = (self.places.outer)(self.places.name_of_call(node, &call.func_name));
            self.fault(FaultKind::WrongType, span, message, None);
            return result(&of_receiver, &given);
        }
        let fits = |way: &&Overload| way.parameters.iter().zip(&given).all(|(wanted, kind)| takes(wanted, kind));
        let fitting: Vec<&Overload> = counted.iter().copied().filter(fits).collect();
        if fitting.is_empty() {
            self.wrong_argument(name, call, &args, &counted);
            return result(&counted, &given);
        }
        self.literals(name, call, receiver.as_ref());
        result(&fitting, &given)
    }

    fn wrong_receiver(&mut self, name: &str, target: &IdedExpr, kind: &Type, call: &CallExpr, known: &[&Overload]) {
        let text = self.places.text(target);
        let receivers: Vec<&Wanted> = known.iter().map(|way| &way.parameters[0]).collect();
        let wanted = nouns(&receivers);
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
            Type::List(_) if receivers.contains(&&Wanted::list(Wanted::String)) => {
                Some(format!("make texts of its elements: `{text}.map(x, string(x)).{name}({arg})`"))
            }
            Type::List(_) if receivers.iter().any(|wanted| matches!(wanted, Wanted::List(_))) => None,
            Type::List(_) => Some(format!("ask its elements: `{text}.exists(x, x.{name}({arg}))`")),
            Type::Map(_) => Some(format!("ask one of its values: `{text}[\"…\"].{name}({arg})`")),
            Type::Text(Text::Time) => Some(format!("write `timestamp({text}).{name}({arg})`")),
            Type::Text(_) => made_of(&receivers).map(|make| format!("write `{make}({text}).{name}({arg})`")),
            Type::Optional(_) => Some(format!("take its value first: `{text}.orValue(…)`")),
            kind if is_number(kind) => Some(format!("compare it as a number, or write `string({text}).{name}({arg})`")),
            _ => None,
        };
        let message = format!("`{text}` is {}, and `{name}()` takes {}", kind.noun(), wanted.join(" or "));
        self.fault(FaultKind::WrongType, self.places.span(target), message, hint);
    }

    fn wrong_argument(&mut self, name: &str, call: &CallExpr, args: &[Type], counted: &[&Overload]) {
        for (nth, (arg, kind)) in call.args.iter().zip(args).enumerate() {
            let wanted: Vec<&Wanted> =
                counted.iter().map(|way| &way.parameters[nth + usize::from(way.member)]).collect();
            if wanted.iter().any(|wanted| takes(wanted, kind)) {
                continue;
            }
            let text = self.places.text(arg);
            let message = format!("`{text}` is {}, and `{name}()` takes {}", kind.noun(), nouns(&wanted).join(" or "));
            let hint = match &arg.expr {
                Node::Literal(LiteralValue::Int(_) | LiteralValue::Boolean(_)) if wanted.contains(&&Wanted::String) => {
                    Some(format!("put it in quotes: \"{text}\""))
                }
                _ if matches!(kind, Type::Text(_)) => made_of(&wanted).map(|make| format!("write `{make}({text})`")),
                _ => None,
            };
            return self.fault(FaultKind::WrongType, self.places.span(arg), message, hint);
        }
    }

    /// Texts that a function cannot read, and such as base64 never holds.
    fn literals(&mut self, name: &str, call: &CallExpr, receiver: Option<&Type>) {
        let Some((arg, word)) = call.args.first().and_then(|arg| Some((arg, literal_text(arg)?))) else { return };
        if is_hidden(word) {
            return;
        }
        let (message, hint) = match name {
            _ if receiver.is_none() && kube_cel::refuses(name, word) => {
                let of = ways(name, false).next().map_or(Type::Dyn, |way| Type::of_cel(&way.result, &|_| Type::Dyn));
                (format!("\"{word}\" is not {}", of.noun()), form_of(name).map(str::to_owned))
            }
            "contains" | "startsWith" | "endsWith" if receiver.is_some_and(Self::is_base64) => {
                let in_alphabet = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
                if word.chars().all(in_alphabet) {
                    return;
                }
                let text = call.target.as_deref().map(|target| self.places.text(target)).unwrap_or_default();
                (
                    format!("`{text}` holds base64, which never contains \"{word}\""),
                    Some("compare the whole value with its base64".to_owned()),
                )
            }
            _ => return,
        };
        self.fault(FaultKind::WrongType, self.places.span(arg), message, hint);
    }
}

/// Whether a value of this type can be handed over.
pub(in crate::expr) fn takes(wanted: &Wanted, kind: &Type) -> bool {
    kind.alternatives().iter().any(|kind| match (wanted, kind) {
        (Wanted::Dyn | Wanted::Param(_), _)
        | (_, Type::Dyn | Type::Never)
        | (Wanted::Int | Wanted::UInt | Wanted::Double | Wanted::String, Type::IntOrText)
        | (Wanted::String, Type::Text(_))
        | (Wanted::Map(_), Type::Map(_) | Type::Object(_)) => true,
        (Wanted::Int | Wanted::UInt | Wanted::Double, kind) => is_number(kind),
        (Wanted::List(wanted), Type::List(of)) => takes(wanted, of),
        (Wanted::Optional(wanted), Type::Optional(of)) => takes(wanted, of),
        (wanted, kind) => Type::of_cel(wanted, &|_| Type::Dyn) == *kind,
    })
}

/// What the calls give, whichever of them is meant.
fn result(ways: &[&Overload], given: &[&Type]) -> Type {
    let of = |way: &&Overload| {
        let mut bound = Bound::new();
        for (wanted, kind) in way.parameters.iter().zip(given) {
            bind(wanted, kind, &mut bound);
        }
        Type::of_cel(&way.result, &|name| bound.get(name).cloned().unwrap_or(Type::Dyn))
    };
    ways.iter().map(of).fold(Type::Never, Type::or)
}

fn bind(wanted: &Wanted, kind: &Type, bound: &mut Bound) {
    match (wanted, kind) {
        (Wanted::Param(name), kind) => {
            let known = bound.remove(name).unwrap_or(Type::Never);
            bound.insert(Arc::clone(name), known.or(kind.clone()));
        }
        (Wanted::List(wanted), Type::List(of)) => bind(wanted, of, bound),
        (Wanted::Optional(wanted), Type::Optional(of)) => bind(wanted, of, bound),
        (Wanted::Map(wanted), Type::Map(of)) => {
            bind(&wanted.0, &Type::text(), bound);
            bind(&wanted.1, of, bound);
        }
        _ => {}
    }
}

/// The function that makes what is wanted of a text.
fn made_of(wanted: &[&Wanted]) -> Option<&'static str> {
    wanted.iter().find_map(|wanted| match wanted {
        Wanted::Named(name) => Type::maker(name),
        _ => None,
    })
}

fn nouns(wanted: &[&Wanted]) -> Vec<String> {
    let mut kinds: Vec<Type> = wanted.iter().map(|wanted| Type::of_cel(wanted, &|_| Type::Dyn)).collect();
    if kinds.contains(&Type::Number) {
        kinds.retain(|kind| *kind != Type::Int);
    }
    let mut nouns: Vec<String> = kinds.iter().map(Type::noun).collect();
    nouns.sort();
    nouns.dedup();
    nouns
}

/// What a function reads, for a hint.
fn form_of(function: &str) -> Option<&'static str> {
    Some(match function {
        "timestamp" => "write a time as RFC 3339 has it: \"2026-01-31T10:00:00Z\"",
        "duration" => "write numbers with units: \"1h30m\", \"90s\", \"500ms\"",
        "quantity" => "write a number with a unit, such as \"100m\" or \"1Gi\"",
        "semver" => "write three numbers: \"1.36.0\"",
        "cidr" => "write an address and a length: \"10.96.0.0/16\"",
        _ => return None,
    })
}
