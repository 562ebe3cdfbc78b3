//! A step's text as HTML: the lab's own words, its blocks, what etcd must have seen, its questions.

mod code;
mod escape;
mod paper;
#[cfg(test)]
mod tests;
mod walk;

use std::cell::Cell;

pub use paper::paper;

use escape::{escaped, sentence};
use walk::{Fences, Fold};

use crate::lab::{Action, Answer, CheckBlock, FoldKind, Item, Lab, Question, Role, Step, Vars};
use crate::learn::Standing;
use crate::session::{CheckView, QuestionView, View};
use crate::text::{Span, filled};

/// A lab, and how its session stands.
pub(super) struct Sheet<'a> {
    lab: &'a Lab,
    view: &'a View,
    /// Hints that were given and solutions that were shown stand in the text.
    with_answers: bool,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(lab: &'a Lab, view: &'a View, with_answers: bool) -> Self {
        Self { lab, view, with_answers }
    }

    /// What stands before the first step, without the title.
    pub(super) fn intro(&self) -> String {
        let text = self.lab.source.text();
        let Span { start, end } = self.lab.intro;
        let intro = text.get(start..end).unwrap_or_default();
        // The page has a heading of its own.
        let blank = intro.len() - intro.trim_start().len();
        let start = match intro.trim_start().strip_prefix("# ") {
            Some(title) => start + blank + 2 + title.find('\n').unwrap_or(title.len()),
            None => start,
        };
        walk::set(text, Span::new(start, end), &mut Page::of(self, None))
    }

    /// A step of the lab, from 0.
    pub(super) fn step(&self, number: usize) -> String {
        let (Some(step), Some(whole)) = (self.lab.steps.get(number), self.lab.whole_step(number)) else {
            return String::new();
        };
        let part = Span::new(step.span.end, whole.end);
        walk::set(self.lab.source.text(), part, &mut Page::of(self, Some(step)))
    }

    fn line(&self, offset: usize) -> usize {
        self.lab.source.position(offset).line
    }
}

/// The fences of one step, or of the introduction.
struct Page<'a> {
    sheet: &'a Sheet<'a>,
    step: Option<&'a Step>,
    /// The session shows this very step.
    is_shown: bool,
    vars: Vars,
    hints: u32,
    /// Numbers of a step that the session does not show.
    checks: Cell<usize>,
    questions: Cell<usize>,
    /// The last question.
    asked: Option<&'a Question>,
}

impl<'a> Page<'a> {
    fn of(sheet: &'a Sheet<'a>, step: Option<&'a Step>) -> Self {
        Self {
            is_shown: step.is_some_and(|step| step.id == sheet.view.step.id),
            vars: sheet.view.values(),
            sheet,
            step,
            hints: 0,
            checks: Cell::new(0),
            questions: Cell::new(0),
            asked: None,
        }
    }

    fn item(&self, span: Span) -> Option<&'a Item> {
        self.step?.item_within(span)
    }

    fn action(&self, action: &Action, language: &str, content: &str) -> Option<String> {
        if action.role == Role::Setup {
            return None;
        }
        let line = self.sheet.line(action.span.start);
        let shown = self.sheet.view.step.blocks.iter().filter(|_| self.is_shown).find(|block| block.line == line);
        let code = walk::code(language, content);
        if action.norun {
            return Some(code);
        }
        let named = action.name.as_ref().map(|name| name.value.as_str());
        let Some(id) = shown.map(|block| block.id.as_str()).or(named) else { return Some(code) };
        let mut tag =
            format!("<figure class=\"block\" data-block=\"{}\" data-role=\"{}\"", escaped(id), action.role.name());
        tag.push_str(&format!(" data-terminal=\"{}\" data-line=\"{line}\"", escaped(&action.terminal)));
        if action.background.is_some() {
            tag.push_str(" data-background");
        }
        if action.place == crate::lab::Place::Node {
            tag.push_str(" data-on-node");
        }
        if let Some(left) = shown.and_then(|block| block.left.as_ref()) {
            tag.push_str(&format!(" data-left=\"{}\"", escaped(left)));
        }
        if shown.is_some_and(|block| block.done) {
            tag.push_str(" data-done");
        }
        Some(format!("{tag}>{code}</figure>"))
    }

    fn checks(&self, block: &CheckBlock, is_wait: bool) -> String {
        let mut html = String::new();
        for check in &block.checks {
            let line = self.sheet.line(check.span.start);
            let shown = self.sheet.view.step.checks.iter().filter(|_| self.is_shown).find(|shown| shown.line == line);
            let number = shown.map_or_else(
                || {
                    self.checks.set(self.checks.get() + 1);
                    self.checks.get()
                },
                |shown| shown.number,
            );
            html.push_str(&format!("<div class=\"check\" data-check=\"{number}\" {}", standing(shown)));
            if is_wait {
                html.push_str(" data-wait");
            }
            html.push_str(&format!("><span class=\"words\">{}</span></div>\n", sentence(&check.in_words(&self.vars))));
        }
        html
    }

    fn asked(&self, question: &Question) -> Option<&'a QuestionView> {
        let line = self.sheet.line(question.span.start);
        self.sheet.view.step.questions.iter().filter(|_| self.is_shown).find(|shown| shown.line == line)
    }

    fn question(&self, question: &Question) -> String {
        let shown = self.asked(question);
        self.questions.set(self.questions.get() + 1);
        let number = self.questions.get().to_string();
        let named = question.name.as_ref().map_or(number, |name| name.value.clone());
        let id = escaped(shown.map_or(&named, |shown| &shown.id));
        let points = question.points.unwrap_or(1);
        let mut html = format!("<fieldset class=\"question\" data-question=\"{id}\" data-points=\"{points}\"");
        if shown.is_some_and(|shown| shown.right) {
            html.push_str(" data-right");
        }
        if let Some(left) = shown.and_then(|shown| shown.left.as_ref()) {
            html.push_str(&format!(" data-left=\"{}\"", escaped(left)));
        }
        html.push_str(&format!("><legend>{}</legend>\n", sentence(self.fill(&question.text).trim())));
        match &question.answer {
            Answer::Choices(choices) => {
                for (at, choice) in choices.iter().enumerate() {
                    html.push_str(&format!(
                        "<label><input type=\"radio\" name=\"q-{id}\" value=\"{}\"> <span>{}</span></label>\n",
                        at + 1,
                        sentence(&self.fill(&choice.text))
                    ));
                }
            }
            Answer::Texts(_) => {
                html.push_str(&format!(
                    "<input type=\"text\" name=\"q-{id}\" autocomplete=\"off\" autocapitalize=\"off\" spellcheck=\"false\" aria-label=\"Your answer\">\n"
                ));
            }
        }
        html.push_str("</fieldset>\n");
        html
    }
}

impl Fences for Page<'_> {
    fn fence(&mut self, span: Span, info: &str, content: &str) -> Option<String> {
        let language = info.split([' ', '{', ',']).next().unwrap_or_default();
        match self.item(span) {
            Some(Item::Action(action)) => self.action(action, language, content),
            Some(Item::Check(block)) => Some(self.checks(block, false)),
            Some(Item::Wait(block)) => Some(format!(
                "<div class=\"wait\"><p>The step goes on once this holds:</p>{}</div>",
                self.checks(block, true)
            )),
            Some(Item::Question(question)) => {
                self.asked = Some(question);
                Some(self.question(question))
            }
            // The values of the variables show what they are.
            _ if is_vars(info) => None,
            _ if language == "answer" => self.asked.map(|question| {
                format!("<p class=\"right\">{}</p>\n", sentence(&question.answer.in_words(&self.vars)))
            }),
            _ if language == "output" => Some(format!(
                "<figure class=\"output\"><figcaption>prints</figcaption>{}</figure>",
                walk::code("", &self.fill(content))
            )),
            _ => Some(walk::code(language, content)),
        }
    }

    fn fill(&self, text: &str) -> String {
        filled(text, |name| self.vars.get(name).cloned())
    }

    fn fold(&mut self, summary: &str) -> Fold {
        let step = &self.sheet.view.step;
        let shows = self.is_shown && self.sheet.with_answers;
        match FoldKind::of(summary, self.sheet.lab.language) {
            FoldKind::Hint => {
                self.hints += 1;
                let tag = format!("<details class=\"hint\" data-hint=\"{}\"", self.hints);
                if shows && self.hints <= step.hints_given {
                    return Fold::Open(format!("{tag} data-given open>"));
                }
                Fold::Closed(format!("{tag}>"))
            }
            FoldKind::Solution if shows && step.solution_shown => {
                Fold::Open("<details class=\"solution\" data-shown open>".to_owned())
            }
            FoldKind::Solution => Fold::Closed("<details class=\"solution\">".to_owned()),
            FoldKind::Answer => {
                let tried =
                    self.asked.and_then(|question| self.asked(question)).is_some_and(|shown| shown.attempts > 0);
                if tried && self.sheet.with_answers {
                    return Fold::Open("<details class=\"answer\" open>".to_owned());
                }
                Fold::Closed("<details class=\"answer\" hidden>".to_owned())
            }
            FoldKind::Other => Fold::Open("<details>".to_owned()),
        }
    }
}

fn is_vars(info: &str) -> bool {
    let Some((_, attributes)) = info.split_once('{') else { return false };
    attributes.split([' ', '}']).any(|word| word == "vars")
}

fn standing(shown: Option<&CheckView>) -> String {
    let word = match shown.map_or(Standing::Waiting, |shown| shown.standing) {
        Standing::Waiting => "waiting",
        Standing::NotYet => "not_yet",
        Standing::Holds => "holds",
        Standing::Broken => "broken",
        Standing::CannotJudge => "cannot_judge",
    };
    let left = shown.and_then(|shown| shown.left.as_ref());
    let left = left.map_or(String::new(), |left| format!(" data-left=\"{}\"", escaped(left)));
    format!("data-standing=\"{word}\"{left}")
}
