//! The variables of a lab's head.

use super::{HeadVar, first_line, flag, map, text_of, unknown_key, var_name};
use crate::lab::VarDefault;
use crate::parse::context::Context;
use crate::parse::findings::{BAD_VALUE, VARIABLE_DEFAULT};
use crate::parse::yaml::{Node, Yaml};
use crate::text::{Span, Spanned, name_length};

pub(in crate::parse) const VAR_KEYS: &[&str] = &["default", "random", "port", "ask", "pattern", "secret"];

pub(super) fn vars(value: &Yaml, cx: &mut Context<'_>) -> Vec<HeadVar> {
    let Node::Map(entries) = &value.node else {
        let name = match &value.node {
            Node::List(items) => items.first().map(|item| cx.source.slice(item.span)),
            Node::Text(_) => Some(cx.source.slice(value.span)),
            _ => None,
        };
        let name = name.map_or("", |text| &text[..name_length(text)]);
        let span = first_line(value.span, cx);
        cx.findings.add(BAD_VALUE, span, format!("`vars` is {}, and must be a map of names", value.node.noun())).hint(
            format!(
                "write `{}: {{ default: \"…\" }}`, indented, one variable a line",
                if name.is_empty() { "NAME" } else { name }
            ),
        );
        cx.vars_lost = true;
        return Vec::new();
    };
    entries.iter().filter_map(|(key, value)| var(key, value, cx)).collect()
}

fn var(key: &Spanned<String>, value: &Yaml, cx: &mut Context<'_>) -> Option<HeadVar> {
    let named = var_name(&key.value, key.span, cx);
    cx.vars_lost |= !named;
    let mut var = HeadVar { name: key.clone(), default: None, ask: None, pattern: None, secret: false };
    if matches!(value.node, Node::Null) {
        return named.then_some(var);
    }
    if let Node::Text(_) | Node::Number | Node::Bool = value.node {
        let written = cx.source.slice(value.span).to_owned();
        let quoted = if written.starts_with(['"', '\'']) { written } else { format!("\"{written}\"") };
        cx.findings
            .add(BAD_VALUE, value.span, "a variable is described by a map")
            .hint(format!("write `{}: {{ default: {quoted} }}`", key.value));
        return named
            .then_some(HeadVar { default: Some(Spanned::new(VarDefault::Text(String::new()), value.span)), ..var });
    }
    let mut unknown = false;
    for (key, value) in map(value, "a variable", cx)? {
        let default = match key.value.as_str() {
            "default" => text_of(value, cx).map(VarDefault::Text),
            "random" => text_of(value, cx).and_then(|text| {
                if text.contains('?') {
                    return Some(VarDefault::Random(text));
                }
                let message = "a random value needs `?` for each letter that is drawn";
                cx.findings.add(VARIABLE_DEFAULT, value.span, message).hint("write it like \"team-????\"");
                None
            }),
            "port" => flag(value, cx).then_some(VarDefault::Port),
            "ask" => {
                var.ask = text_of(value, cx);
                continue;
            }
            "pattern" => {
                var.pattern = text_of(value, cx).map(|text| Spanned::new(text, value.span));
                continue;
            }
            "secret" => {
                var.secret = flag(value, cx);
                continue;
            }
            _ => {
                unknown_key(key, VAR_KEYS, "a variable", cx);
                unknown = true;
                continue;
            }
        };
        if let Some(default) = default {
            if var.default.is_some() {
                let message = format!("the variable {} has two values", var.name.value);
                cx.findings.add(VARIABLE_DEFAULT, key.span, message).hint("keep one of `default`, `random` and `port`");
            }
            var.default = Some(Spanned::new(default, value.span));
        } else if var.default.is_none() {
            // A finding stands already; a second one about a missing default would mislead.
            var.default = Some(Spanned::new(VarDefault::Text(String::new()), Span::default()));
        }
    }
    if unknown && var.default.is_none() {
        // The key that is not known may have been the default's.
        var.default = Some(Spanned::new(VarDefault::Text(String::new()), Span::default()));
    }
    named.then_some(var)
}
