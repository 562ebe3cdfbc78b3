//! Comparisons and sums.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube_cel::IdedExpr;
use kube_cel::ast::{CallExpr, Expr as Node, LiteralValue, operators};

use super::field::{can_be, is_number, never_null};
use super::{Checker, is_hidden, is_literal, is_plain, literal_text};
use crate::expr::FaultKind;
use crate::expr::ask::{Asked, HERE};
use crate::expr::types::{Others, Text, Type, Words};
use crate::text::{did_you_mean, name_length};

impl Checker<'_> {
    pub(super) fn equality(&mut self, call: &CallExpr, left: &IdedExpr, right: &IdedExpr) -> Type {
        let (one, other) = (self.node(left), self.node(right));
        let equal = call.func_name == operators::EQUALS;
        if !comparable(&one, &other) {
            self.mismatch(&one, left, &other, right, if equal { "they are never equal" } else { "they always differ" });
            return Type::Bool;
        }
        for (kind, part, literal) in [(&one, left, right), (&other, right, left)] {
            self.form(kind, part, literal);
            if equal && matches!(&literal.expr, Node::Literal(LiteralValue::Null)) {
                self.null(part, literal);
            }
        }
        Type::Bool
    }

    pub(super) fn ordering(&mut self, call: &CallExpr, left: &IdedExpr, right: &IdedExpr) -> Type {
        let (one, other) = (self.node(left), self.node(right));
        let sign = call.func_name.trim_matches('_');
        let orders = |kind: &Type| {
            can_be(kind, |kind| {
                is_number(kind)
                    || matches!(kind, Type::Text(_) | Type::Time | Type::Duration | Type::Bool | Type::Bytes)
            })
        };
        for (kind, part) in [(&one, left), (&other, right)] {
            if !orders(kind) {
                let text = self.places.text(part);
                let message = format!("`{text}` is {}, which has no order", kind.noun());
                let hint = match kind {
                    Type::List(_) | Type::Map(_) => Some(format!("count: `size({text}) {sign} …`")),
                    Type::Named(name)
                        if Type::maker(name).is_some_and(|maker| ["quantity", "semver"].contains(&maker)) =>
                    {
                        Some(format!("write `{text}.isGreaterThan(…)`, or `isLessThan`"))
                    }
                    Type::Optional(_) => Some(format!("take its value first: `{text}.orValue(…) {sign} …`")),
                    _ => None,
                };
                self.fault(FaultKind::WrongType, self.places.span(part), message, hint);
                return Type::Bool;
            }
        }
        if !comparable(&one, &other) {
            self.mismatch(&one, left, &other, right, &format!("`{sign}` cannot be judged"));
        } else if let Some((part, _)) =
            [(left, &one), (right, &other)].into_iter().find(|(_, kind)| matches!(kind, Type::Text(Text::Quantity)))
        {
            let text = self.places.text(part);
            let message = format!("`{text}` is a text with a quantity, and `{sign}` compares texts letter by letter");
            let hint = format!("write `quantity({text}).isGreaterThan(quantity(\"…\"))`, or `isLessThan`");
            self.fault(FaultKind::WrongType, self.places.span(part), message, Some(hint));
        }
        Type::Bool
    }

    pub(super) fn membership(&mut self, wanted: &IdedExpr, holder: &IdedExpr) -> Type {
        let (kind, holds) = (self.node(wanted), self.node(holder));
        let (text, within) = (self.places.text(wanted), self.places.text(holder));
        let span = self.places.span(holder);
        let fits = holds.alternatives().iter().any(|holds| match holds {
            Type::Dyn | Type::Never => true,
            Type::List(of) => comparable(&kind, of),
            Type::Map(_) | Type::Object(_) => can_be(&kind, |kind| matches!(kind, Type::Text(_))),
            _ => false,
        });
        if let Node::List(list) = &holder.expr {
            for element in &list.elements {
                let of = self.quietly(element);
                if comparable(&kind, &of) {
                    self.form(&kind, wanted, element);
                    self.form(&of, element, wanted);
                } else {
                    self.mismatch(&kind, wanted, &of, element, "they are never equal");
                }
            }
            return Type::Bool;
        }
        if fits {
            if let Type::List(of) = &holds {
                self.form(of, holder, wanted);
            }
            if holds.alternatives().iter().all(|kind| matches!(kind, Type::Object(_))) {
                self.key_of_object(&holds, wanted, holder);
            }
            return Type::Bool;
        }
        let (message, hint) = match &holds {
            Type::List(of) => {
                let field = of.alternatives().iter().find_map(|of| match of {
                    Type::Object(object) => {
                        ["type", "name", "ip"].into_iter().find(|name| object.field(name).is_some())
                    }
                    _ => None,
                });
                let hint = field.map(|field| format!("write `{within}.exists(x, x.{field} == {text})`"));
                (format!("`{within}` is {}, and `{text}` is {}: it is never in there", holds.noun(), kind.noun()), hint)
            }
            Type::Map(_) | Type::Object(_) => {
                (format!("the keys of `{within}` are texts, and `{text}` is {}", kind.noun()), None)
            }
            Type::Text(_) => {
                let message = format!("`{within}` is a text, and `in` takes lists and maps");
                (message, Some(format!("write `{within}.contains({text})`")))
            }
            _ => (format!("`{within}` is {}, and `in` takes lists and maps", holds.noun()), None),
        };
        self.fault(FaultKind::WrongType, span, message, hint);
        Type::Bool
    }

    pub(super) fn arithmetic(&mut self, call: &CallExpr, left: &IdedExpr, right: &IdedExpr) -> Type {
        let (one, other) = (self.node(left), self.node(right));
        let sign = call.func_name.trim_matches('_');
        let mut result = Type::Never;
        for one in one.alternatives() {
            for other in other.alternatives() {
                if let Some(kind) = sum(sign, one, other) {
                    result = result.or(kind);
                }
            }
        }
        if result != Type::Never {
            return result;
        }
        if matches!((&one, &other), (Type::List(_), Type::List(_))) {
            return Type::list(Type::Never);
        }
        let (a, b) = (self.places.text(left), self.places.text(right));
        let message = format!("`{a}` is {}, and `{b}` is {}: `{sign}` does not take the two", one.noun(), other.noun());
        let hint = match (&one, &other) {
            (Type::Text(_), other) if is_number(other) && sign == "+" => Some(format!("write `string({b})`")),
            (one, Type::Text(_)) if is_number(one) && is_literal(right) => cure(one, &a, &other, &b, right),
            (one, Type::Text(_)) if is_number(one) => Some(format!("write `int({b})`, if it is a number")),
            (Type::Text(_), other) if is_number(other) => Some(format!("write `int({a})`, if it is a number")),
            (Type::Text(Text::Time), _) => Some(format!("write `timestamp({a})`")),
            (_, Type::Text(Text::Time)) => Some(format!("write `timestamp({b})`")),
            _ => None,
        };
        self.fault(FaultKind::WrongType, self.places.span(left), message, hint);
        Type::Dyn
    }

    /// Two values of different types.
    fn mismatch(&mut self, one: &Type, left: &IdedExpr, other: &Type, right: &IdedExpr, so: &str) {
        // What the author wrote out is what most likely has to change.
        let flip = is_literal(left) && !is_literal(right);
        let (path, part, known, literal) = if flip { (right, left, other, one) } else { (left, right, one, other) };
        let (a, b) = (self.places.text(path), self.places.text(part));
        let message = format!("`{a}` is {}, and `{b}` is {}: {so}", known.noun(), literal.noun());
        let hint = cure(known, &a, literal, &b, part);
        self.fault(FaultKind::WrongType, self.places.span(part), message, hint);
    }

    /// `x == null` where what is not set is left out.
    fn null(&mut self, part: &IdedExpr, literal: &IdedExpr) {
        let Node::Select(select) = &part.expr else { return };
        let base = self.quietly(&select.operand);
        if never_null(&base, &select.field) {
            let text = self.places.text(part);
            let message = format!("`{text}` is never null: where it is not set it is missing");
            self.fault(FaultKind::WrongType, self.places.span(literal), message, Some(format!("write `!has({text})`")));
        }
    }

    /// A text that is written out, against the form that the other side has.
    pub(super) fn form(&mut self, kind: &Type, part: &IdedExpr, literal: &IdedExpr) {
        if literal_text(literal) == Some(HERE) {
            self.asked = Some(Asked::Text(kind.clone()));
        }
        let (Type::Text(form), Some(word)) = (kind, literal_text(literal)) else { return };
        if is_hidden(word) {
            return;
        }
        let text = self.places.text(part);
        let (message, hint) = match form {
            Text::Plain | Text::Duration => return,
            Text::Words(words) => return self.word(words, word, &text, literal),
            Text::Time => {
                let is_utc = word.ends_with('Z') && word.parse::<jiff::Timestamp>().is_ok();
                if is_utc {
                    return;
                }
                let now = "2026-01-31T10:00:00Z";
                (
                    format!("`{text}` is a time in UTC, such as \"{now}\", and never \"{word}\""),
                    format!("write the whole time, or compare: `timestamp({text}) > mark.time`"),
                )
            }
            Text::Quantity => match kube_etcd_codec::canonical(word) {
                Some(written) if written == word => return,
                Some(written) => (
                    format!("`{text}` is a quantity, and Kubernetes never writes one as \"{word}\""),
                    format!("it writes \"{written}\""),
                ),
                None => (
                    format!("`{text}` is a quantity, and \"{word}\" is not"),
                    "a quantity is a number with a unit, such as \"100m\" or \"1Gi\"".to_owned(),
                ),
            },
            Text::Base64 => match STANDARD.decode(word) {
                Ok(bytes) if std::str::from_utf8(&bytes).is_ok() => return,
                decoded => {
                    let so = if decoded.is_ok() { "decodes to bytes that are not text" } else { "is not base64" };
                    (
                        format!("`{text}` holds base64, and \"{word}\" {so}"),
                        format!("the base64 of \"{word}\" is \"{}\"", STANDARD.encode(word)),
                    )
                }
            },
        };
        let rule = if matches!(form, Text::Base64) && STANDARD.decode(word).is_ok() {
            FaultKind::UnlikelyText
        } else {
            FaultKind::WrongType
        };
        self.fault(rule, self.places.span(literal), message, Some(hint));
    }

    fn word(&mut self, words: &Words, word: &str, text: &str, literal: &IdedExpr) {
        // Where nothing is written the field has its zero value, if it has one.
        if words.words.contains(word) || word.is_empty() {
            return;
        }
        let variable = word.strip_prefix('$').filter(|name| !name.is_empty() && name_length(name) == name.len());
        let near = variable
            .map(|name| format!("write ${{{name}}} for a variable's value"))
            .or_else(|| did_you_mean(word, words.words.iter().map(String::as_str)));
        let rule = match words.others {
            Others::Never => FaultKind::WrongType,
            Others::Kinds if words.words.iter().any(|known| is_slip(word, known)) => FaultKind::WrongType,
            Others::Later if near.is_some() => FaultKind::UnlikelyText,
            Others::Kinds | Others::Later => return,
        };
        let known: Vec<String> = words.words.iter().take(8).map(|word| format!("\"{word}\"")).collect();
        let more = if words.words.len() > known.len() { ", …" } else { "" };
        let is = format!("it is {}{more}", known.join(", "));
        let is_short = known.len() > 1 && more.is_empty();
        let hint = near.map_or(is.clone(), |near| if is_short { format!("{near} {is}") } else { near });
        let message = format!("`{text}` is never \"{word}\"");
        self.fault(rule, self.places.span(literal), message, Some(hint));
    }
}

/// `pod` or `Pods` for `Pod`: far from it lie the kinds that a cluster was taught.
fn is_slip(word: &str, known: &str) -> bool {
    word.eq_ignore_ascii_case(known) || word.strip_suffix('s').is_some_and(|one| one.eq_ignore_ascii_case(known))
}

/// What to write instead.
fn cure(known: &Type, path: &str, literal: &Type, text: &str, part: &IdedExpr) -> Option<String> {
    let word = literal_text(part);
    Some(match (known, literal) {
        (Type::Int | Type::Number, Type::Text(_)) => match word {
            Some(word) if word.parse::<i64>().is_ok() => format!("write {word} without quotes"),
            Some(_) => format!("compare `{path}` with a number"),
            None => format!("write `{path} == int({text})`"),
        },
        (Type::Bool, Type::Text(_)) => match word.map(str::to_lowercase) {
            Some(word) if word == "true" || word == "false" => format!("write {word} without quotes"),
            _ => format!("write `{path}` or `!{path}`"),
        },
        (Type::Text(Text::Time), Type::Time) => format!("write `timestamp({path})`"),
        (Type::Time, Type::Text(_)) => format!("write `timestamp({text})`"),
        (Type::Named(name), Type::Text(_)) => format!("write `{}({text})`", Type::maker(name)?),
        (Type::Optional(_), _) => format!("take its value first: `{path}.orValue(…) == {text}`"),
        (Type::Text(Text::Time), kind) if is_number(kind) => {
            format!("compare times: `timestamp({path}) > mark.time`")
        }
        (Type::Text(Text::Quantity), kind) if is_number(kind) => format!("put it in quotes: \"{text}\""),
        (Type::Text(Text::Words(words)), Type::Bool) => {
            let near = words.words.iter().find(|word| word.eq_ignore_ascii_case(text));
            format!("write \"{}\", in quotes", near.map_or(text, String::as_str))
        }
        (Type::Text(_), kind) if is_literal(part) && (is_number(kind) || *kind == Type::Bool) => {
            format!("put it in quotes: \"{text}\"")
        }
        (Type::Text(_), kind) if is_number(kind) => format!("write `{path} == string({text})`"),
        (Type::List(of), literal) if comparable(of, literal) => format!("write `{text} in {path}`"),
        (Type::List(of), Type::Text(_)) => match &**of {
            Type::Object(object) => {
                let field = ["type", "name", "ip"].into_iter().find(|name| object.field(name).is_some())?;
                format!("write `{path}.exists(x, x.{field} == {text})`")
            }
            _ => return None,
        },
        (Type::List(_), kind) if is_number(kind) => format!("write `size({path}) == {text}`"),
        (Type::Map(_), kind) if is_number(kind) => format!("write `size({path}) == {text}`"),
        (Type::Map(of), literal) if comparable(of, literal) => {
            format!("ask for one of its keys: `{path}[\"…\"] == {text}`")
        }
        (Type::Object(object), _) => {
            let names = object.names();
            let shown = names.iter().take(6).copied().collect::<Vec<_>>().join(", ");
            format!("compare one of its fields: {shown}")
        }
        _ => return None,
    })
}

/// Whether a value of the one type can equal one of the other.
pub(super) fn comparable(one: &Type, other: &Type) -> bool {
    one.alternatives().iter().any(|one| other.alternatives().iter().any(|other| alike(one, other)))
}

fn alike(one: &Type, other: &Type) -> bool {
    match (one, other) {
        (Type::IntOrText, kind) | (kind, Type::IntOrText) => {
            is_number(kind) || matches!(kind, Type::Text(_) | Type::IntOrText | Type::Dyn | Type::Never | Type::Null)
        }
        (Type::List(one), Type::List(other)) | (Type::Optional(one), Type::Optional(other)) => comparable(one, other),
        (Type::Dyn | Type::Never | Type::Null, _)
        | (_, Type::Dyn | Type::Never | Type::Null)
        | (Type::Map(_) | Type::Object(_), Type::Map(_) | Type::Object(_))
        | (Type::Text(_), Type::Text(_)) => true,
        (one, other) => one == other || (is_number(one) && is_number(other)),
    }
}

/// What an operator makes of two values.
fn sum(sign: &str, one: &Type, other: &Type) -> Option<Type> {
    Some(match (sign, one, other) {
        (_, Type::Dyn, _) | (_, _, Type::Dyn) => Type::Dyn,
        (_, Type::IntOrText, kind) | (_, kind, Type::IntOrText)
            if is_number(kind) || is_plain(kind) || *kind == Type::IntOrText =>
        {
            Type::Dyn
        }
        (_, Type::Int, Type::Int) => Type::Int,
        ("+" | "-" | "*" | "/", one, other) if is_number(one) && is_number(other) => Type::Number,
        ("+", Type::Text(_), Type::Text(_)) => Type::text(),
        ("+", Type::Bytes, Type::Bytes) => Type::Bytes,
        ("+", Type::List(one), Type::List(other)) => Type::list((**one).clone().or((**other).clone())),
        ("+" | "-", Type::Time, Type::Duration) | ("+", Type::Duration, Type::Time) => Type::Time,
        ("+" | "-", Type::Duration, Type::Duration) | ("-", Type::Time, Type::Time) => Type::Duration,
        _ => return None,
    })
}
