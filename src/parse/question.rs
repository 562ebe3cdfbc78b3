use super::context::Context;
use super::fields::Fields;
use super::findings::{ANSWER, QUESTION};
use super::output::line_ranges;
use super::words;
use crate::lab::{Answer, AnswerText, Choice, PartId, Question};
use crate::text::{Joined, Span, Spanned};

/// A question, and whether its answer may still come in a fold.
pub(super) fn question(content: &Joined, fields: &Fields, span: Span, cx: &mut Context<'_>) -> (Question, bool) {
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
                    .hint("write a lower-case x for a right one");
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
                .add(QUESTION, at, "this line follows the answers but is not an answer")
                .hint("write the text first, then `( )` and `(x)` lines, or `=` lines");
        }
    }
    let slip = text.iter().position(|line| answer_slip(line).is_some());
    if let Some(at) = slip.filter(|_| choices.len() < 2 && answers.is_empty()) {
        let range = line_ranges(content).nth(at).unwrap_or_default();
        let hint = answer_slip(text[at]).unwrap_or_default();
        cx.findings.add(QUESTION, content.span(range), "this line looks like an answer but is not one").hint(hint);
        let answer = Answer::Texts(Vec::new());
        return (Question { text: String::new(), ..asked(fields, span, answer, cx) }, false);
    }
    let text = text.join("\n").trim().to_owned();
    if text.is_empty() {
        cx.findings.add(QUESTION, span, "this question has no text").hint("ask in the lines before the answers");
    }
    let mut is_open = false;
    match (choices.is_empty(), answers.is_empty()) {
        (true, true) => is_open = true,
        (false, false) => cx
            .findings
            .add(QUESTION, span, "this question has both choices and `=` lines")
            .hint("keep one of the two forms"),
        (false, true) if choices.len() < 2 => {
            cx.findings.add(QUESTION, span, "this question has one choice only").hint("offer two or more");
        }
        (false, true) if !choices.iter().any(|choice| choice.right) => is_open = true,
        _ => {}
    }
    let answer = if choices.is_empty() { Answer::Texts(answers) } else { Answer::Choices(choices) };
    (Question { text, ..asked(fields, span, answer, cx) }, is_open)
}

fn asked(fields: &Fields, span: Span, answer: Answer, cx: &mut Context<'_>) -> Question {
    let (name, points, on) = (fields.id("name", cx), fields.points(cx), fields.on(cx));
    Question { id: PartId::default(), span, text: String::new(), name, points, on, answer, why: None }
}

/// No answer came for this one, neither in it nor below it.
pub(super) fn unanswered(question: &Question, cx: &mut Context<'_>) {
    let (message, hint) = if matches!(question.answer, Answer::Choices(_)) {
        (
            "none of the choices is right",
            "name the right one by its letter in an answer fold below, or mark it with `(x)`",
        )
    } else {
        (
            "this question has no answer",
            "add an answer fold below it, or choices, `( ) wrong` and `(x) right`, or lines like `= the answer`",
        )
    };
    cx.findings.add(QUESTION, question.span, message).hint(hint);
}

/// Takes what an `answer` fence says into its question.
pub(super) fn answer(content: &Joined, span: Span, answer: &mut Answer, cx: &mut Context<'_>) {
    let mut is_empty = true;
    for range in line_ranges(content) {
        let line = &content.text()[range.clone()];
        let trimmed = line.trim();
        let start = range.start + (line.len() - line.trim_start().len());
        if trimmed.is_empty() {
            continue;
        }
        is_empty = false;
        let at = content.span(start..start + trimmed.len());
        match (&mut *answer, trimmed.strip_prefix('=')) {
            (Answer::Texts(texts), Some(rest)) => {
                let from = start + trimmed.len() - rest.trim_start().len();
                texts.extend(answer_text(rest.trim(), content, from, cx));
            }
            (Answer::Texts(_), None) => {
                cx.findings
                    .add(ANSWER, at, "this question has no choices, so a line of its answer begins with `=`")
                    .hint(format!("write `= {trimmed}`"));
            }
            (Answer::Choices(_), Some(_)) => {
                cx.findings
                    .add(ANSWER, at, "this question has choices, so its answer has no `=` line")
                    .hint("write the letter of the right choice: `A` for the first");
            }
            (Answer::Choices(choices), None) => letters(trimmed, content, start, choices, cx),
        }
    }
    if is_empty {
        let hint = match answer {
            Answer::Choices(_) => "write the letter of the right choice: `A` for the first",
            Answer::Texts(_) => "write a line like `= the answer`",
        };
        cx.findings.add(ANSWER, span, "this answer is empty").hint(hint);
    }
}

/// `B`, or `A, C`.
fn letters(line: &str, content: &Joined, start: usize, choices: &mut [Choice], cx: &mut Context<'_>) {
    let last = char::from(b'A' + u8::try_from(choices.len().clamp(1, 26) - 1).unwrap_or(0));
    let mut at = 0;
    for word in line.split(|c: char| c.is_whitespace() || c == ',') {
        let here = at;
        at += word.len() + line[at + word.len()..].chars().next().map_or(0, char::len_utf8);
        if word.is_empty() {
            continue;
        }
        let span = content.span(start + here..start + here + word.len());
        let number = word
            .bytes()
            .next()
            .filter(|byte| word.len() == 1 && byte.is_ascii_alphabetic())
            .map(|byte| usize::from(byte.to_ascii_uppercase() - b'A'));
        let Some(number) = number else {
            let meant = meant(line, word, choices);
            let hint = meant.map_or_else(
                || format!("write one from `A` to `{last}`; several stand with commas between"),
                |number| format!("write `{}`", char::from(b'A' + number)),
            );
            cx.findings.add(ANSWER, span, format!("`{word}` is not the letter of a choice")).hint(hint);
            return;
        };
        let count = choices.len();
        match choices.get_mut(number) {
            None => cx
                .findings
                .add(ANSWER, span, format!("there is no choice `{word}`: the question has {count}"))
                .hint(format!("write one from `A` to `{last}`")),
            Some(choice) if choice.right => {
                cx.findings.add(ANSWER, span, format!("the choice `{word}` is named twice")).hint("name it once");
            }
            Some(choice) => choice.right = true,
        }
    }
}

/// The choice that was most likely meant, from 0: by its number, in brackets, or by its own words.
fn meant(line: &str, word: &str, choices: &[Choice]) -> Option<u8> {
    let by_words = choices.iter().position(|choice| choice.text.eq_ignore_ascii_case(line));
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let by_number = || bare.parse::<usize>().ok()?.checked_sub(1);
    let by_letter = || match bare.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(usize::from(letter.to_ascii_uppercase() - b'A')),
        _ => None,
    };
    by_words
        .or_else(by_number)
        .or_else(by_letter)
        .filter(|number| *number < choices.len())
        .and_then(|number| u8::try_from(number).ok())
        .filter(|number| *number < 26)
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
