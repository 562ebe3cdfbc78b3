use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

pub use kube_cel::on_big_stack;
use kube_cel::{ParseErrors, Program, ast};

use super::check::{Checker, Places};
use super::rewrite::Rewriter;
use super::scope::Scope;
use super::token::{Kind, token};
use super::{Compiled, Expr, Fault, FaultKind, Subject};
use crate::text::{Joined, Span, Spanned, VarPiece, var_pieces};

/// Compiles the slice that [`super::split()`] found.
///
/// Some faults are warnings, so an expression can come with them.
pub fn compile(source: &Joined, range: Range<usize>, scope: Scope, subject: &Subject) -> (Option<Expr>, Vec<Fault>) {
    on_big_stack(|| compile_here(source, range, scope, subject))
}

fn compile_here(source: &Joined, range: Range<usize>, scope: Scope, subject: &Subject) -> (Option<Expr>, Vec<Fault>) {
    let slice = flat(&source.text()[range.clone()]);
    let span = source.span(range.clone());
    let (tree, info) = match kube_cel::parse(&slice) {
        Ok(parsed) => parsed,
        Err(errors) => return (None, vec![syntax(source, &range, &slice, &errors)]),
    };
    let (vars, mut faults) = variables(source, &range);
    let place = |id: u64| -> Span {
        let Some((start, stop)) = info.offset_for(id) else {
            return span;
        };
        let (start, stop) = (start as usize, stop as usize);
        let end = token(&slice, start).map_or(stop + 1, |(_, range)| range.end);
        source.span(range.start + start..range.start + end.min(slice.len()).max(start))
    };
    let place_of = |id: u64, name: &str| -> Span {
        let at = info.offset_for(id).map_or(0, |(start, _)| start as usize).min(slice.len());
        let after = slice.get(at..).and_then(|rest| rest.find(name)).map(|found| at + found);
        let before = slice.get(..at).and_then(|lead| lead.rfind(name));
        // A selection's token is its dot, with the name behind it; a call's its bracket, with the name before.
        let found = if slice[at..].starts_with('(') { before.or(after) } else { after.or(before) };
        found.map_or_else(|| place(id), |found| source.span(range.start + found..range.start + found + name.len()))
    };
    let offset = |id: u64| info.offset_for(id).map(|(start, _)| start as usize);
    let outer = |part: Range<usize>| source.span(range.start + part.start..range.start + part.end);
    let mut checker = Checker::new(scope, subject, Places { text: &slice, offset: &offset, outer: &outer });
    let of_types = checker.condition(&tree);
    let Checker { explained, seen: typed, .. } = checker;
    let mut rewriter = Rewriter {
        scope,
        place: &place,
        place_of: &place_of,
        names: BTreeSet::new(),
        paths: Vec::new(),
        faults: Vec::new(),
        locals: Vec::new(),
    };
    let root = rewriter.expr(tree, 0);
    let Rewriter { names, paths, faults: more, .. } = rewriter;
    let explains = |span: &Span| explained.iter().any(|by| by.start <= span.start && span.end <= by.end);
    faults.extend(more.into_iter().filter(|fault| !explains(&fault.span)));
    faults.extend(of_types);
    if faults.iter().any(|fault| fault.kind != FaultKind::UnlikelyText) {
        return (None, faults);
    }
    let program = match Program::new(&root, &|name| scope.knows(name)) {
        Ok(program) => program,
        Err(name) => {
            let message = format!("unknown function `{name}`");
            faults.push(Fault { kind: FaultKind::UnknownFunction, span, message, hint: None });
            return (None, faults);
        }
    };
    let compiled = Compiled { program, names, vars, paths, typed };
    (Some(Expr { text: squeeze(&slice), span, compiled: Arc::new(compiled) }), faults)
}

/// The text that a CEL string stands for; `None` where it has an escape that CEL does not know.
pub fn string_value(quoted: &str) -> Option<String> {
    let inner = quoted.strip_prefix(['r', 'R']).unwrap_or(quoted);
    let triple = inner.starts_with("\"\"\"") || inner.starts_with("'''");
    if !triple && (inner.len() < quoted.len() || !inner.contains('\\')) {
        return inner.get(1..inner.len().checked_sub(1)?).map(str::to_owned);
    }
    on_big_stack(|| match kube_cel::parse(quoted).ok()?.0.expr {
        ast::Expr::Literal(ast::LiteralValue::String(ref text)) => Some(text.inner().to_owned()),
        _ => None,
    })
}

/// One line for CEL: comments and line ends become blanks, so that every byte keeps its place.
pub(super) fn flat(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let quoted = match super::token::literal(rest) {
            Some(super::token::Literal::Closed(length)) if starts_token(text, at) => Some(length),
            _ => None,
        };
        let comment = rest.starts_with('#') && text[..at].ends_with([' ', '\t', '\n']);
        let length = match (quoted, rest.chars().next()) {
            (Some(length), _) => {
                out.push_str(&rest[..length]);
                length
            }
            _ if comment => {
                let length = rest.find('\n').unwrap_or(rest.len());
                out.push_str(&" ".repeat(length));
                length
            }
            (None, Some('\n' | '\t')) => {
                out.push(' ');
                1
            }
            (None, Some(c)) => {
                out.push(c);
                c.len_utf8()
            }
            (None, None) => break,
        };
        at += length;
    }
    out
}

/// A string's prefix letter must not be the end of an identifier.
fn starts_token(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

/// Runs of blanks outside strings become one.
fn squeeze(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        if let Some(super::token::Literal::Closed(length)) = super::token::literal(&line[at..])
            && starts_token(line, at)
        {
            out.push_str(&line[at..at + length]);
            at += length;
            continue;
        }
        if c != ' ' {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
        at += c.len_utf8();
    }
    out.truncate(out.trim_end().len());
    out
}

/// A quoted text that CEL refuses by itself can only have a wrong escape.
fn bad_escape(token: &str) -> bool {
    token.ends_with(['"', '\'']) && token.contains('\\') && kube_cel::parse(token).is_err()
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// CEL counts characters in its syntax errors.
fn byte_of(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at)
}

/// The variables in the quoted texts, and what is half-written there.
fn variables(source: &Joined, range: &Range<usize>) -> (Vec<Spanned<String>>, Vec<Fault>) {
    let text = source.text();
    let (mut vars, mut faults) = (Vec::new(), Vec::new());
    let mut at = range.start;
    while at < range.end {
        let Some(super::token::Literal::Closed(length)) = super::token::literal(&text[at..range.end]) else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if !starts_token(text, at) {
            at += 1;
            continue;
        }
        for piece in var_pieces(&text[at..at + length]) {
            match piece {
                VarPiece::Var { name, range } => {
                    vars.push(Spanned::new(name, source.span(at + range.start..at + range.end)));
                }
                VarPiece::Broken { range, why } => faults.push(Fault {
                    kind: FaultKind::BadVariable,
                    span: source.span(at + range.start..at + range.end),
                    message: why.to_owned(),
                    hint: Some("write ${NAME}, or $${ for a plain ${".to_owned()),
                }),
                VarPiece::Text(_) | VarPiece::Escaped(_) => {}
            }
        }
        at += length;
    }
    (vars, faults)
}

/// The first error is what is wrong; the rest follow from it.
fn syntax(source: &Joined, range: &Range<usize>, slice: &str, errors: &ParseErrors) -> Fault {
    let first = errors.errors.iter().min_by_key(|error| error.pos);
    let message = first.map_or("", |error| error.msg.as_str());
    let column = first.map_or(1, |error| error.pos.1);
    let column = usize::try_from(column - 1).unwrap_or(0);
    // Only the macros' complaints are counted in bytes.
    let at = if message.contains("argument") { boundary(slice, column) } else { byte_of(slice, column) };
    let ended = at >= slice.trim_end().len();
    let found = token(slice, at.min(slice.len())).map_or(at + 1, |(_, range)| range.end);
    let (span, message) = if ended {
        let last = slice.trim_end().len();
        let from = slice[..last].char_indices().next_back().map_or(0, |(at, _)| at);
        (from..last, "the expression ends before it is complete".to_owned())
    } else if bad_escape(slice.get(at..found.min(slice.len())).unwrap_or("")) {
        (at..found, "this text has an escape that CEL does not know; write \\\\ for a backslash, or r\"…\"".to_owned())
    } else if let Some(name) = message.strip_prefix("Syntax error: ").map(|_| &slice[at..found.min(slice.len())]) {
        (at..found, format!("`{name}` is not expected here"))
    } else {
        (at..found, format!("CEL does not accept this: {message}"))
    };
    let hint = if message.contains("has() macro") {
        Some(
            "has() takes a path of plain names; for a key with dots or slashes write `\"a/b\" in object.metadata.labels`",
        )
    } else {
        None
    };
    let hint = hint.or(match token(slice, at.min(slice.len())) {
        Ok((Kind::Other, range)) if &slice[range.clone()] == "?" => Some("a choice is written `condition ? a : b`"),
        _ => None,
    });
    Fault {
        kind: FaultKind::Syntax,
        span: source.span(range.start + span.start..range.start + span.end.min(slice.len())),
        message,
        hint: hint.map(str::to_owned),
    }
}
