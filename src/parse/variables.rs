//! Variables across the lab: declared and used, both.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::context::Context;
use super::findings::{HALF_WRITTEN, NEARLY, UNDECLARED, UNUSED};
use super::markdown::Block;
use crate::expr::Expr;
use crate::lab::keywords::{GIVEN_PREFIX, GIVEN_VARS};
use crate::lab::{
    Action, Answer, AnswerText, CheckKind, Code, ExpectedLine, Holds, Item, OutputTest, Piece, Step, Template,
    TemplatePart, Var,
};
use crate::text::{Span, VarPiece, did_you_mean, name_length, nearest, var_pieces};

/// Compiled once: a thousand labs are read in a second.
static GIVEN: LazyLock<Regex> = LazyLock::new(|| fixed(r"\$\{?(LAB_[A-Za-z0-9_]*)"));
static USES: LazyLock<Regex> = LazyLock::new(|| fixed(r"\$\{?([A-Z][A-Z0-9_]+)"));
static SETS: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"([A-Z][A-Z0-9_]+)=|\b(?:for|read)(?: -\w+)* ([A-Z][A-Z0-9_]+)"));

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression of ours")
}

/// Set without anybody's doing.
const OF_EVERY_SHELL: &[&str] = &["HOME", "HOSTNAME", "KUBECONFIG", "PATH", "PWD", "RANDOM", "SHELL", "USER"];

pub(super) fn look(vars: &[Var], steps: &[Step], blocks: &[Block], cx: &mut Context<'_>) {
    let declared: BTreeSet<&str> = vars.iter().map(|var| var.name.value.as_str()).collect();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for name in std::mem::take(&mut cx.used) {
        if !is_known(&name.value, &declared) {
            undeclared(&name.value, name.span, &declared, cx);
        }
        used.insert(name.value);
    }
    prose(blocks, &declared, &mut used, cx);
    slips(steps, &declared, cx);
    for item in steps.iter().flat_map(|step| &step.items) {
        match item {
            Item::Action(action) => commands(action, vars, &mut used, cx),
            Item::Question(question) => {
                if let Answer::Texts(texts) = &question.answer {
                    for text in texts {
                        if let AnswerText::Command(command) = text {
                            mention(cx.source.slice(command.span), vars, &mut used);
                        }
                    }
                }
            }
            Item::Check(block) | Item::Wait(block) => {
                if let Some(fail) = &block.fail {
                    dollar_name(fail.span, &declared, cx);
                }
                for check in &block.checks {
                    if let CheckKind::Run { command, .. } = &check.kind {
                        mention(cx.source.slice(command.span), vars, &mut used);
                    }
                    for place in places(&check.kind) {
                        dollar_name(place, &declared, cx);
                    }
                }
            }
            _ => {}
        }
    }
    for var in vars.iter().filter(|var| !used.contains(&var.name.value)) {
        cx.findings
            .add(UNUSED, var.name.span, format!("the variable {} is never used", var.name.value))
            .hint(format!("write \"${0}\" in a command or ${{{0}}} in a check, or remove it", var.name.value));
    }
}

fn is_known(name: &str, declared: &BTreeSet<&str>) -> bool {
    declared.contains(name) || GIVEN_VARS.contains(&name)
}

fn undeclared(name: &str, span: Span, declared: &BTreeSet<&str>, cx: &mut Context<'_>) {
    if cx.vars_lost && !name.starts_with(GIVEN_PREFIX) {
        return;
    }
    let known = declared.iter().copied().chain(GIVEN_VARS.iter().copied());
    let hint = did_you_mean(name, known).unwrap_or_else(|| {
        if name.starts_with(GIVEN_PREFIX) {
            format!("the runner gives {}", GIVEN_VARS.join(", "))
        } else {
            format!("declare it in the front matter: `vars: {{ {name}: {{ default: \"…\" }} }}`")
        }
    });
    cx.findings.add(UNDECLARED, span, format!("the variable {name} is not declared")).hint(hint);
}

/// In prose a declared variable is replaced; in code spans what else looks like one is the shell's.
fn prose(blocks: &[Block], declared: &BTreeSet<&str>, used: &mut BTreeSet<String>, cx: &mut Context<'_>) {
    for block in blocks {
        let Block::Prose(prose) = block else { continue };
        for piece in &prose.texts {
            let text = cx.source.slice(piece.span);
            for found in var_pieces(text) {
                match found {
                    VarPiece::Var { name, range } => {
                        let span = Span::new(piece.span.start + range.start, piece.span.start + range.end);
                        let slip = nearest(&name, declared.iter().copied()).is_some();
                        if !is_known(&name, declared) && (!piece.code || slip) {
                            undeclared(&name, span, declared, cx);
                        }
                        used.insert(name);
                    }
                    VarPiece::Broken { range, why } if !piece.code => {
                        let span = Span::new(piece.span.start + range.start, piece.span.start + range.end);
                        cx.findings
                            .add(HALF_WRITTEN, span, why)
                            .hint("write ${NAME}, or put shell code in `backticks`");
                    }
                    _ => {}
                }
            }
        }
    }
}

fn commands(action: &Action, vars: &[Var], used: &mut BTreeSet<String>, cx: &mut Context<'_>) {
    let text = cx.source.slice(action.span);
    mention(text, vars, used);
    // Of what a shell expands only the runner's own names are known here.
    for found in GIVEN.captures_iter(text).filter_map(|found| found.get(1)) {
        if !GIVEN_VARS.contains(&found.as_str()) {
            let span = Span::new(action.span.start + found.start(), action.span.start + found.end());
            undeclared(found.as_str(), span, &BTreeSet::new(), cx);
        }
    }
    let lines = match &action.code {
        Code::Script(_) => action.expected.iter().flat_map(|expected| &expected.lines).collect::<Vec<_>>(),
        Code::Console(commands) => commands
            .iter()
            .filter_map(|command| command.expected.as_ref())
            .flat_map(|expected| &expected.lines)
            .collect(),
    };
    let declared: BTreeSet<&str> = vars.iter().map(|var| var.name.value.as_str()).collect();
    for line in lines {
        if let ExpectedLine::Line { pieces, .. } = line {
            for piece in pieces {
                if let Piece::Text(template) = piece {
                    dollar_name(template.span, &declared, cx);
                }
            }
        }
    }
}

/// What a shell expands is its own affair, but a name that nobody sets and that is one letter off a variable's expands to
/// nothing, and the command does something else than it says.
fn slips(steps: &[Step], declared: &BTreeSet<&str>, cx: &mut Context<'_>) {
    let actions = || {
        steps.iter().flat_map(|step| &step.items).filter_map(|item| match item {
            Item::Action(action) => Some(action.span),
            _ => None,
        })
    };
    let set: BTreeSet<&str> = actions()
        .flat_map(|span| SETS.captures_iter(cx.source.slice(span)))
        .filter_map(|found| found.get(1).or(found.get(2)))
        .map(|name| name.as_str())
        .collect();
    let mut found = Vec::new();
    for span in actions() {
        for name in USES.captures_iter(cx.source.slice(span)).filter_map(|found| found.get(1)) {
            let ours = is_known(name.as_str(), declared) || name.as_str().starts_with(GIVEN_PREFIX);
            if ours || set.contains(name.as_str()) || OF_EVERY_SHELL.contains(&name.as_str()) {
                continue;
            }
            if let Some(near) = nearest(name.as_str(), declared.iter().copied()) {
                let place = Span::new(span.start + name.start(), span.start + name.end());
                found.push((place, name.as_str().to_owned(), near.to_owned()));
            }
        }
    }
    for (place, name, near) in found {
        cx.findings.add(NEARLY, place, format!("nothing sets ${name}")).hint(format!("did you mean `${near}`?"));
    }
}

fn mention(text: &str, vars: &[Var], used: &mut BTreeSet<String>) {
    for var in vars {
        let name = var.name.value.as_str();
        let is_word = |at: usize| {
            let before = text[..at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            ![before, after].into_iter().flatten().any(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !used.contains(name) && text.match_indices(name).any(|(at, _)| is_word(at)) {
            used.insert(name.to_owned());
        }
    }
}

/// The texts of a check in which `$NAME` would stay as it is; a command's are the shell's.
fn places(kind: &CheckKind) -> Vec<Span> {
    let quoted = |template: &Template| {
        template
            .parts
            .iter()
            .any(|part| matches!(part, TemplatePart::Text(text) if text.contains('$')))
            .then_some(template.span)
    };
    let expr = |expr: &Expr| expr.text.contains('$').then_some(expr.span);
    match kind {
        CheckKind::Key { key, holds } => {
            let inner = if let Holds::Where(inner) = holds { expr(inner) } else { None };
            // An unquoted key was looked at where it was read.
            key.parts.is_empty().then_some(key.span).into_iter().chain(inner).collect()
        }
        CheckKind::Resource { holds: Holds::Where(inner), .. } => expr(inner).into_iter().collect(),
        CheckKind::Keys { condition, .. } | CheckKind::Never { condition, .. } => {
            condition.iter().filter_map(expr).collect()
        }
        CheckKind::Events { patterns, .. } => {
            patterns.iter().filter_map(|pattern| pattern.condition.as_ref()).filter_map(expr).collect()
        }
        CheckKind::Output { test, .. } => match test {
            OutputTest::Contains(text) | OutputTest::Matches(text) => quoted(text).into_iter().collect(),
            OutputTest::Where(inner) => expr(inner).into_iter().collect(),
        },
        CheckKind::Etcd { condition, .. } | CheckKind::Snapshot { condition, .. } => {
            expr(condition).into_iter().collect()
        }
        CheckKind::Resource { .. } | CheckKind::Run { .. } => Vec::new(),
    }
}

/// `$NAME` of a declared variable, where only `${NAME}` is replaced.
fn dollar_name(span: Span, declared: &BTreeSet<&str>, cx: &mut Context<'_>) {
    let text = cx.source.slice(span);
    for (at, _) in text.match_indices('$') {
        let length = name_length(&text[at + 1..]);
        let name = &text[at + 1..at + 1 + length];
        if declared.contains(name) {
            let place = Span::new(span.start + at, span.start + at + 1 + length);
            cx.findings
                .add(HALF_WRITTEN, place, format!("`${name}` is not replaced here"))
                .fix(place, format!("${{{name}}}"))
                .hint(format!("write ${{{name}}}"));
        }
    }
}
