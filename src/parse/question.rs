use super::context::Context;
use super::fields::Fields;
use super::findings::QUESTION;
use super::output::line_ranges;
use super::words;
use crate::lab::{Answer, AnswerText, Choice, Question};
use crate::text::{Joined, Span, Spanned};

pub(super) fn question(content: &Joined, fields: &Fields, span: Span, cx: &mut Context<'_>) -> Question {
    let mut text: Vec<&str> = Vec::new();
    let mut choices: Vec<Choice> = Vec::new();
    let mut answers = Vec::new();
    for range in line_ranges(content) {
        let line = &content.text()[range.clone()];
        let trimmed = line.trim_start();
        let start = range.start + (line.len() - trimmed.len());
        let at = content.span(start..range.end.max(start));
        if let Some((choice, right)) = choice(trimmed) {
            if !matches!(trimmed.as_bytes()[1], b' ' | b'x') {
                cx.findings
                    .add(QUESTION, at, "a choice begins with `( )` or `(x)`")
                    .hint("write a small x for a right one");
            }
            if choice.is_empty() {
                cx.findings.add(QUESTION, at, "this choice is empty");
            }
            choices.push(Choice { text: choice.to_owned(), right });
        } else if let Some(answer) =
            trimmed.strip_prefix('=').filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        {
            let inner = answer.trim();
            let from = start + 1 + (answer.len() - answer.trim_start().len());
            answers.extend(answer_text(inner, content, from, cx));
        } else if choices.is_empty() && answers.is_empty() {
            text.push(line);
        } else if !trimmed.is_empty() {
            cx.findings
                .add(QUESTION, at, "this line follows the answers and is none")
                .hint("write the text first, then `( )` and `(x)` lines, or `=` lines");
        }
    }
    let slip = text.iter().position(|line| answer_slip(line).is_some());
    if let Some(at) = slip.filter(|_| choices.len() < 2 && answers.is_empty()) {
        let range = line_ranges(content).nth(at).unwrap_or_default();
        let hint = answer_slip(text[at]).unwrap_or_default();
        cx.findings.add(QUESTION, content.span(range), "this line is nearly an answer, and none").hint(hint);
        return Question {
            span,
            text: String::new(),
            name: fields.id("name", cx),
            points: fields.points(cx),
            on: fields.on(cx),
            answer: Answer::Texts(Vec::new()),
        };
    }
    let text = text.join("\n").trim().to_owned();
    if text.is_empty() {
        cx.findings.add(QUESTION, span, "this question has no text").hint("ask in the lines before the answers");
    }
    match (choices.is_empty(), answers.is_empty()) {
        (true, true) => cx
            .findings
            .add(QUESTION, span, "this question has no answer")
            .hint("add choices, `( ) wrong` and `(x) right`, or lines like `= the answer`"),
        (false, false) => cx
            .findings
            .add(QUESTION, span, "this question has both choices and `=` lines")
            .hint("keep one of the two forms"),
        (false, true) if choices.len() < 2 => {
            cx.findings.add(QUESTION, span, "this question has one choice only").hint("offer two or more");
        }
        (false, true) if !choices.iter().any(|choice| choice.right) => {
            cx.findings.add(QUESTION, span, "none of the choices is right").hint("mark the right one with `(x)`");
        }
        _ => {}
    }
    let answer = if choices.is_empty() { Answer::Texts(answers) } else { Answer::Choices(choices) };
    Question { span, text, name: fields.id("name", cx), points: fields.points(cx), on: fields.on(cx), answer }
}

/// What to write for a line that was most likely meant as a choice or an answer.
fn answer_slip(line: &str) -> Option<String> {
    let trimmed = line.trim();
    let bare = trimmed.trim_start_matches(['-', '*', '+']).trim_start();
    let (open, close) = if bare.starts_with('[') { ('[', ']') } else { ('(', ')') };
    if let Some((mark, text)) = bare.strip_prefix(open).and_then(|rest| rest.split_once(close))
        && (mark.trim().is_empty() || matches!(mark.trim(), "x" | "X" | "*"))
        && !text.starts_with('(')
    {
        let mark = if mark.trim().is_empty() { ' ' } else { 'x' };
        return Some(format!("write `({mark}) {}`", text.trim()));
    }
    let answer = trimmed.strip_prefix('=').or_else(|| {
        let (word, rest) = trimmed.split_once(':')?;
        ["a", "answer", "solution", "correct"].contains(&word.to_lowercase().as_str()).then_some(rest)
    })?;
    (!answer.trim().is_empty()).then(|| format!("write `= {}`", answer.trim()))
}

/// `( ) text` or `(x) text`.
fn choice(line: &str) -> Option<(&str, bool)> {
    let bytes = line.as_bytes();
    let is_box = bytes.len() >= 3
        && bytes[0] == b'('
        && bytes[2] == b')'
        && matches!(bytes[1], b' ' | b'x' | b'X' | b'*' | b'+' | b'v' | b'o');
    is_box.then(|| (line[3..].trim(), bytes[1] != b' '))
}

fn answer_text(inner: &str, content: &Joined, from: usize, cx: &mut Context<'_>) -> Option<AnswerText> {
    let to = from + inner.len();
    let span = content.span(from..to);
    if inner.is_empty() {
        cx.findings.add(QUESTION, span, "this answer is empty").hint("write the answer after `=`");
        return None;
    }
    if let Some(pattern) = inner.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|p| !p.is_empty()) {
        cx.regex_text(pattern, content.span(from + 1..to - 1));
        return Some(AnswerText::Regex(pattern.to_owned()));
    }
    if inner.starts_with("$(") {
        if inner.len() > 3 && inner.ends_with(')') {
            return Some(AnswerText::Command(cx.template(content, from + 2..to - 1)));
        }
        cx.findings.add(QUESTION, span, "this command is empty, or not closed by `)`").hint("write `= $(command)`");
        return None;
    }
    if let Some(name) = inner.strip_prefix("from ") {
        let name = name.trim();
        let at = content.span(to - name.len()..to);
        return match words::id(name) {
            Ok(id) => Some(AnswerText::From(Spanned::new(id, at))),
            Err(wrong) => {
                cx.findings.add(QUESTION, at, wrong.message).maybe_hint(wrong.hint);
                None
            }
        };
    }
    Some(AnswerText::Literal(cx.template(content, from..to)))
}
