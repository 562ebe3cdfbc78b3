//! Variables: what the head declares and the `vars` fence gives, joined.

use regex::Regex;

use super::context::Context;
use super::findings::{BAD_REGEX, VARIABLE_DEFAULT, VARS_FENCE};
use super::front_matter::{HeadVar, var_name};
use super::output::line_ranges;
use crate::lab::{Var, VarDefault};
use crate::text::{Joined, Span, Spanned};

/// A line of a `vars` fence.
pub(super) struct Export {
    pub(super) name: Spanned<String>,
    pub(super) value: Spanned<String>,
}

pub(super) fn exports(content: &Joined, cx: &mut Context<'_>) -> Vec<Export> {
    let mut exports: Vec<Export> = Vec::new();
    for range in line_ranges(content) {
        let line = &content.text()[range.clone()];
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let start = range.start + (line.len() - line.trim_start().len());
        let span = content.span(start..start + trimmed.len());
        match export(trimmed) {
            Ok((name, value)) => {
                let at = start + trimmed.find(name).unwrap_or(0);
                let name_span = content.span(at..at + name.len());
                if exports.iter().any(|known| known.name.value == name) {
                    cx.findings
                        .add(VARS_FENCE, name_span, format!("`{name}` is given twice"))
                        .hint("keep one of the lines");
                    continue;
                }
                if var_name(name, name_span, cx) {
                    exports.push(Export {
                        name: Spanned::new(name.to_owned(), name_span),
                        value: Spanned::new(value, span),
                    });
                }
            }
            Err(message) => cx
                .findings
                .add(VARS_FENCE, span, message)
                .hint("write `export NAME=value`; the value is a plain or a quoted text"),
        }
    }
    exports
}

fn export(line: &str) -> Result<(&str, String), String> {
    let rest = line.strip_prefix("export ").ok_or("this line does not begin with `export `")?.trim_start();
    let (name, _) = rest.split_once('=').ok_or("this line gives no value")?;
    let words = shell_words::split(rest).map_err(|_| "a quote of this line is not closed".to_owned())?;
    let value = match words.as_slice() {
        [word] => word.split_once('=').map_or("", |(_, value)| value).to_owned(),
        _ => return Err("this line gives more than one value".to_owned()),
    };
    // The runner reads the line and does not run it, so nothing in it may need a shell.
    if rest.contains(['$', '`', ';', '&', '|', '<', '>', '(']) && !rest.contains('\'') {
        return Err("this value must be a literal: no shell expansion happens here".to_owned());
    }
    Ok((name, value))
}

/// Every variable with its one default.
pub(super) fn join(declared: Vec<HeadVar>, exports: Vec<Export>, cx: &mut Context<'_>) -> Vec<Var> {
    let mut exports = exports;
    let mut vars = Vec::new();
    for head in declared {
        let given = exports.iter().position(|export| export.name.value == head.name.value).map(|at| exports.remove(at));
        let default = match (head.default, given) {
            (Some(default), Some(given)) if default.span != Span::default() => {
                let message = format!("`{}` has a value in the front matter already", head.name.value);
                cx.findings.add(VARIABLE_DEFAULT, given.name.span, message).hint("keep it in one place");
                default
            }
            (Some(default), _) => default,
            (None, Some(given)) => Spanned::new(VarDefault::Text(given.value.value), given.value.span),
            (None, None) => {
                cx.findings
                    .add(VARIABLE_DEFAULT, head.name.span, format!("the variable {} has no value", head.name.value))
                    .hint(format!("add `default:`, `random:` or `port: true`, or a line `export {}=…` in a ```bash {{vars}} fence", head.name.value));
                Spanned::new(VarDefault::Text(String::new()), Span::default())
            }
        };
        if let Some(pattern) = &head.pattern {
            whole_value(pattern, &default, cx);
        }
        let pattern = head.pattern.map(|pattern| pattern.value);
        vars.push(Var { name: head.name, default: default.value, ask: head.ask, pattern, secret: head.secret });
    }
    vars.extend(exports.into_iter().map(|export| Var {
        name: export.name,
        default: VarDefault::Text(export.value.value),
        ask: None,
        pattern: None,
        secret: false,
    }));
    vars
}

fn whole_value(pattern: &Spanned<String>, default: &Spanned<VarDefault>, cx: &mut Context<'_>) {
    let whole = match Regex::new(&format!("^(?:{})$", pattern.value)) {
        Ok(whole) => whole,
        Err(error) => {
            let complaint = error.to_string();
            let why = complaint.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
            cx.findings.add(BAD_REGEX, pattern.span, format!("this pattern does not compile: {why}"));
            return;
        }
    };
    let sample = match &default.value {
        VarDefault::Text(text) => text.clone(),
        VarDefault::Random(text) => text.replace('?', "a"),
        VarDefault::Port => "30000".to_owned(),
    };
    if default.span != Span::default() && !whole.is_match(&sample) {
        cx.findings
            .add(VARIABLE_DEFAULT, default.span, format!("`{sample}` does not match the variable's own pattern"))
            .hint("the pattern must match the whole value");
    }
}
