//! Raw HTML within a lab: the folds of hints and solutions, and `lab:` comments.

use super::{Builder, Fold};
use crate::lab::keywords::{FenceKind, STEP_ATTRIBUTES};
use crate::lab::{FoldKind, Hint, Item};
use crate::parse::allow;
use crate::parse::attrs;
use crate::parse::fields::Fields;
use crate::parse::findings::{DETAILS, HIDDEN_BLOCK, TWO_SOLUTIONS, UNKNOWN_COMMENT};
use crate::parse::html::Tag;
use crate::parse::words::Wrong;
use crate::text::{Span, did_you_mean};

impl Builder<'_, '_> {
    pub(super) fn tag(&mut self, tag: Tag) {
        match tag {
            Tag::Directive(span) => self.directive(span),
            Tag::DetailsOpen(span) => self.folds.push((Fold::New, span)),
            Tag::DetailsClose(span) => match self.folds.pop() {
                None => self
                    .cx
                    .findings
                    .add(DETAILS, span, "this `</details>` closes nothing")
                    .hint("remove it, or open the fold before"),
                Some((Fold::New, opened)) => self
                    .cx
                    .findings
                    .add(DETAILS, opened, "this fold has no summary")
                    .hint("add <summary>Hint</summary>, <summary>Solution</summary> or <summary>Answer</summary>"),
                Some((Fold::Hint, _)) => {
                    if let Some(Item::Hint(hint)) = self
                        .body
                        .steps
                        .last_mut()
                        .and_then(|step| step.items.iter_mut().rfind(|item| matches!(item, Item::Hint(_))))
                    {
                        hint.span.end = span.start;
                    }
                }
                Some((Fold::Answer, opened)) => self.end_of_answer(opened, span),
                Some(_) => {}
            },
            Tag::Summary { text, span } => self.summary(&text, span),
        }
    }

    fn summary(&mut self, text: &str, span: Span) {
        let Some((fold, opened)) = self.folds.last_mut().filter(|(fold, _)| *fold == Fold::New) else {
            return;
        };
        let opened = *opened;
        let first = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
        *fold = match FoldKind::of(text, self.cx.language) {
            FoldKind::Hint => Fold::Hint,
            FoldKind::Solution => Fold::Solution,
            FoldKind::Answer => Fold::Answer,
            FoldKind::Other => {
                if let Some((kind, word, other)) = FoldKind::nearly(text, self.cx.language) {
                    let message = format!(
                        "`{first}` is neither a hint, a solution nor an answer, and its blocks would run for everyone"
                    );
                    let hint = match other {
                        None => format!("did you mean `{word}`?"),
                        Some(other) => {
                            let asks = if word.eq_ignore_ascii_case(first) { "" } else { "did you mean `@`? " };
                            let asks = asks.replace('@', &word);
                            let (name, code) = (other.words().name, other.code());
                            format!("{asks}in a lab in {name} the front matter says `lang: {code}`")
                        }
                    };
                    self.cx.findings.add(DETAILS, span, message).hint(hint);
                    // Its fence is no finding of its own.
                    if kind == FoldKind::Answer { Fold::Answer } else { Fold::Other }
                } else {
                    Fold::Other
                }
            }
        };
        let fold = *fold;
        if fold == Fold::Answer {
            self.begin_answer(span);
        }
        if fold == Fold::Hint {
            let hint = Hint { summary: text.to_owned(), span: Span::new(opened.start, span.end) };
            self.item(Item::Hint(hint));
        }
    }

    /// A second solution before anything was judged: another way to do the same, and both would run.
    pub(super) fn one_solution(&mut self) {
        let Some((_, opened)) = self.folds.iter().find(|(fold, _)| *fold == Fold::Solution) else { return };
        let opened = *opened;
        match self.solved {
            Some(first) if first != opened => {
                let line = self.cx.line(first.start);
                let message = format!("the solution in line {line} runs as well when the lab is tested");
                if !self.cx.findings.any_in(opened) {
                    self.cx
                        .findings
                        .add(TWO_SOLUTIONS, opened, message)
                        .hint("add `norun` to the blocks of all but one, or put a check between");
                }
            }
            Some(_) => {}
            None => self.solved = Some(opened),
        }
    }

    fn directive(&mut self, span: Span) {
        let text = self.cx.source.slice(span);
        let start = span.start + (text.len() - text.trim_start().len());
        let trimmed = text.trim();
        let word_len = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
        let word = &trimmed[..word_len];
        let at = Span::new(start, start + word_len);
        if word == "lab:allow" {
            let place = Span::new(start + word_len, start + trimmed.len());
            if let Some(allowed) = allow::read(place, at, self.cx) {
                self.cx.allowed.push(allowed);
            }
            return;
        }
        if word != "lab:step" {
            let hint = did_you_mean(word, ["lab:step", "lab:allow"]).unwrap_or_else(|| {
                "the comments that the runner reads are <!-- lab:step … --> and <!-- lab:allow … -->".to_owned()
            });
            self.cx.findings.add(UNKNOWN_COMMENT, at, format!("unknown comment `{word}`")).hint(hint);
            return;
        }
        let inner = Span::new(start + word_len, start + trimmed.len());
        let attrs = attrs::in_comment(self.cx.source, inner, &mut self.cx.findings);
        let fields = Fields::of_comment(STEP_ATTRIBUTES, attrs, at, self.cx);
        if !self.fresh_step {
            self.cx
                .findings
                .add(UNKNOWN_COMMENT, at, "this `lab:step` is not directly under a step's heading")
                .hint("move it under the `##` line that it means");
        }
        let id = fields.id("id", self.cx);
        let timeout = fields.duration("timeout", self.cx);
        let on = fields.on(self.cx);
        let quiet = fields.read("quiet", self.cx, |text| match text {
            "no" => Ok(false),
            "yes" => Ok(true),
            other => Err(Wrong {
                message: format!("`{other}` is neither yes nor no"),
                hint: Some("write `quiet=no`".to_owned()),
            }),
        });
        if let Some(step) = self.body.steps.last_mut() {
            if let Some(id) = id {
                step.id = id.value;
            }
            step.timeout = timeout;
            step.on = on;
            step.quiet = quiet.is_none_or(|quiet| quiet.value);
        }
    }

    /// In a hint nothing runs or is judged, and a solution hides no judgement.
    pub(super) fn hidden(&mut self, kind: FenceKind, fields: &Fields) -> bool {
        let in_hint = self.folds.iter().any(|(fold, _)| *fold == Fold::Hint);
        let in_solution = self.folds.iter().any(|(fold, _)| *fold == Fold::Solution);
        let in_answer = self.folds.iter().any(|(fold, _)| *fold == Fold::Answer);
        let refused = match kind {
            FenceKind::Script | FenceKind::Console => {
                ((in_hint || in_answer) && !fields.has("norun"))
                    || (in_solution && (fields.has("cleanup") || fields.has("setup")))
            }
            FenceKind::Check | FenceKind::Question => in_hint || in_solution || in_answer,
            FenceKind::Wait => in_hint || in_answer,
            // One outside its fold has a finding of its own.
            FenceKind::Output | FenceKind::Answer => false,
        };
        if refused {
            let place = if in_hint {
                "a hint"
            } else if in_answer {
                "an answer"
            } else {
                "a solution"
            };
            let hint = if kind.is_action() && in_answer {
                "add `norun` where it is only shown"
            } else if kind.is_action() && in_hint {
                "add `norun` where it is only shown, or begin the summary with Solution"
            } else {
                "move it out of the fold"
            };
            self.cx
                .findings
                .add(HIDDEN_BLOCK, fields.span, format!("{} is not allowed in {place}", kind.noun()))
                .hint(hint);
            // Its name is not known to what refers to it.
            self.cx.findings.unread = true;
            if kind == FenceKind::Question {
                self.refused_question(fields.span);
            }
        }
        refused
    }
}
