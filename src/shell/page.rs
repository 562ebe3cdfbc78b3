//! A step as a learner reads it: its text, its blocks, what etcd must have seen, its questions.

use super::look::Look;
use super::markdown::{self, Fence, Fences};
use crate::lab::{Action, CheckBlock, Code, FoldKind, Item, Lab, Question, Role, Step};
use crate::learn::Standing;
use crate::session::{CheckView, QuestionView, StepView, View};
use crate::text::{CROSS, Span, TICK, filled, wrapped};

/// What is on the page beside the lab's own text.
pub struct Page<'a> {
    pub lab: &'a Lab,
    pub view: &'a View,
    pub look: Look,
}

impl Page<'_> {
    /// The lab's title, and what stands before its first step.
    pub fn intro(&self) -> Vec<String> {
        let mut sheet = Sheet { page: self, step: None, hints: 0, solutions: 0, asked: None };
        let mut lines = markdown::set(self.lab.source.text(), self.lab.intro, self.look, &mut sheet);
        if !self.view.vars.is_empty() {
            lines.push(String::new());
            let text =
                self.view.vars.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("  ");
            let folded = wrapped(&format!("In your shells: {text}"), self.look.width());
            lines.extend(folded.into_iter().map(|line| self.look.dim().apply_to(line).to_string()));
        }
        lines
    }

    /// The step that the view shows.
    pub fn step(&self) -> Vec<String> {
        let step = &self.view.step;
        let mut lines = vec![self.heading(step)];
        if let Some(reason) = &self.view.cluster.lost {
            lines.extend(self.look.etcd_is_away(reason));
        }
        let Some((at, written)) = self.written(step) else { return lines };
        let mut sheet = Sheet { page: self, step: Some(written), hints: 0, solutions: 0, asked: None };
        let part = Span::new(written.span.end, self.lab.whole_step(at).unwrap_or(written.span).end);
        let text = markdown::set(self.lab.source.text(), part, self.look, &mut sheet);
        let folded = sheet.folded();
        if !text.is_empty() {
            lines.push(String::new());
            lines.extend(text);
        }
        if let Some(reason) = &step.elsewhere {
            lines.push(String::new());
            let folded = wrapped(&format!("Nothing of this step takes place here: {reason}."), self.look.width());
            lines.extend(folded.into_iter().map(|line| self.look.dim().apply_to(line).to_string()));
        } else if let Some(folded) = folded {
            lines.push(String::new());
            lines.extend(wrapped(&folded, self.look.width()));
        }
        lines
    }

    fn heading(&self, step: &StepView) -> String {
        let look = self.look;
        let place = format!("Step {} of {}", step.number, self.view.of);
        if look.plain {
            return format!("{place}: {}", step.title);
        }
        let place = look.dim().apply_to(format!("{place} · "));
        format!("{place}{}", look.bold().apply_to(&step.title))
    }

    fn written(&self, step: &StepView) -> Option<(usize, &Step)> {
        self.lab.steps.iter().enumerate().find(|(_, written)| written.id == step.id)
    }

    fn line(&self, offset: usize) -> usize {
        self.lab.source.position(offset).line
    }
}

/// Sets the fences of a page.
struct Sheet<'p> {
    page: &'p Page<'p>,
    step: Option<&'p Step>,
    hints: usize,
    solutions: usize,
    /// The last question.
    asked: Option<&'p Question>,
}

impl<'p> Sheet<'p> {
    fn look(&self) -> Look {
        self.page.look
    }

    /// What the folds hold, and how to come by it.
    fn folded(&self) -> Option<String> {
        let step = &self.page.view.step;
        let look = self.look();
        let mut parts = Vec::new();
        match step.hints {
            0 => {}
            1 => parts.push(format!("a hint: {}", look.quoted("lab hint"))),
            hints => parts.push(format!("{hints} hints: {}", look.quoted("lab hint"))),
        }
        if step.has_solution {
            parts.push(format!("a solution: {}", look.quoted("lab solution")));
        }
        (!parts.is_empty()).then(|| format!("Folded away: {}", parts.join(if look.plain { ", " } else { " · " })))
    }

    fn item(&self, span: Span) -> Option<&'p Item> {
        self.step?.item_within(span)
    }

    fn action(&self, action: &Action, content: &str) -> Option<Vec<String>> {
        if action.role == Role::Setup {
            return None;
        }
        let look = self.look();
        let shown = self.page.view.step.blocks.iter().find(|block| block.line == self.page.line(action.span.start));
        let mut words: Vec<String> = Vec::new();
        if let (Some(block), false) = (shown, action.norun) {
            words.push(block.id.clone());
            if action.background.is_some() {
                words.push("left running, in a terminal of its own".to_owned());
            }
            if block.on_node {
                words.push("on the node".to_owned());
            }
            if action.role == Role::Cleanup {
                words.push("clean-up at the lab's end".to_owned());
            }
            words.extend(block.left.as_ref().map(|left| format!("not here: {left}")));
            if block.done {
                words.push("done".to_owned());
            }
        }
        let values: Vec<String> = self
            .page
            .view
            .vars
            .iter()
            .filter(|(name, _)| uses(&action.code, name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !values.is_empty() {
            words.push(values.join(" "));
        }
        let mut lines = Vec::new();
        if !words.is_empty() {
            let words = words.join(if look.plain { ", " } else { " · " });
            let head = if look.plain { format!("Block {words}:") } else { format!("  {}", look.dim().apply_to(words)) };
            lines.push(head);
        }
        lines.extend(super::raw_text::code(content, &look.code()));
        Some(lines)
    }

    fn checks(&self, block: &CheckBlock, width: usize) -> Vec<String> {
        let look = self.look();
        let vars = self.page.view.values();
        let mut lines = Vec::new();
        for check in &block.checks {
            let line = self.page.line(check.span.start);
            let shown = self.page.view.step.checks.iter().find(|shown| shown.line == line);
            lines.extend(check_lines(look, width, &check.in_words(&vars), shown));
        }
        lines
    }

    fn asked(&self, question: &Question) -> Option<&'p QuestionView> {
        let line = self.page.line(question.span.start);
        self.page.view.step.questions.iter().find(|shown| shown.line == line)
    }

    fn question(&self, question: &Question, width: usize) -> Vec<String> {
        let shown = self.asked(question);
        let only = self.page.view.step.questions.len() == 1;
        shown.map(|shown| question_lines(self.look(), width, shown, only)).unwrap_or_default()
    }
}

impl Fences for Sheet<'_> {
    fn fence(&mut self, span: Span, fence: &Fence<'_>, width: usize) -> Option<Vec<String>> {
        let look = self.look();
        let (info, content) = match fence {
            Fence::Code { info, content } => (*info, *content),
            Fence::Indented { content } => ("", *content),
        };
        match self.item(span) {
            Some(Item::Action(action)) => self.action(action, content),
            Some(Item::Check(block)) => Some(self.checks(block, width)),
            Some(Item::Wait(block)) => {
                let mut lines = vec!["The step goes on once this holds:".to_owned()];
                lines.extend(self.checks(block, width));
                Some(lines)
            }
            Some(Item::Question(question)) => {
                self.asked = Some(question);
                Some(self.question(question, width))
            }
            // The values of the variables show what they are.
            _ if is_vars(info) => None,
            _ if info == "answer" => {
                let vars = self.page.view.values();
                let words = self.asked.map(|question| look.sentence(&question.answer.in_words(&vars)));
                Some(words.map_or_else(Vec::new, |words| crate::text::wrapped(&words, width)))
            }
            _ if info.split([' ', '{']).next() == Some("output") => {
                let mut lines = vec![if look.plain {
                    "It prints:".to_owned()
                } else {
                    look.dim().apply_to("  prints").to_string()
                }];
                lines.extend(super::raw_text::code(&self.fill(content), &look.dim()));
                Some(lines)
            }
            _ if look.plain => Some(super::raw_text::code(&super::raw_text::without_drawing(content), &look.dim())),
            _ => Some(super::raw_text::code(content, &look.dim())),
        }
    }

    fn fill(&self, text: &str) -> String {
        let vars = self.page.view.values();
        filled(text, |name| vars.get(name).cloned())
    }

    fn opens(&mut self, summary: &str) -> bool {
        match FoldKind::of(summary, self.page.lab.language) {
            FoldKind::Hint => self.hints += 1,
            FoldKind::Solution => self.solutions += 1,
            FoldKind::Answer => {
                return self.asked.and_then(|question| self.asked(question)).is_some_and(|shown| shown.attempts > 0);
            }
            FoldKind::Other => return true,
        }
        false
    }
}

fn is_vars(info: &str) -> bool {
    let Some((_, attributes)) = info.split_once('{') else { return false };
    attributes.split([' ', '}']).any(|word| word == "vars")
}

fn uses(code: &Code, name: &str) -> bool {
    let mentions = |text: &str| {
        text.match_indices(name).any(|(at, _)| {
            let before = text[..at].trim_end_matches('{');
            let after = text[at + name.len()..].chars().next();
            before.ends_with('$') && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    };
    code.lines().any(|line| mentions(&line.text))
}

/// A check with its sign, and why it is not judged where it is not.
pub(super) fn check_lines(look: Look, width: usize, words: &str, shown: Option<&CheckView>) -> Vec<String> {
    let left = shown.and_then(|shown| shown.left.as_ref());
    let standing = shown.map_or(Standing::Waiting, |shown| shown.standing);
    let (sign, style) = match (left, standing) {
        (Some(_), _) => ("-", look.dim()),
        (None, Standing::Holds) => (TICK, look.good()),
        (None, Standing::Broken) => (CROSS, look.bad()),
        (None, Standing::CannotJudge) => ("?", look.unsure()),
        (None, Standing::NotYet | Standing::Waiting) => ("○", look.dim()),
    };
    let word = match (left, standing) {
        (Some(_), _) => "Not judged here: ",
        (None, Standing::Holds) => "Done: ",
        (None, Standing::Broken) => "Broken: ",
        (None, Standing::CannotJudge) => "Cannot be judged: ",
        (None, Standing::NotYet | Standing::Waiting) => "To do: ",
    };
    let words = match left {
        Some(left) => format!("{words} (not judged: {left})"),
        None => words.to_owned(),
    };
    let words = look.sentence(&words);
    let mut lines = Vec::new();
    for (at, line) in words.lines().enumerate() {
        let head = match (look.plain, at) {
            (true, 0) => word.to_owned(),
            (true, _) => "  ".to_owned(),
            (false, 0) => format!("  {} ", style.apply_to(sign)),
            (false, _) => "      ".to_owned(),
        };
        lines.extend(crate::text::wrapped(&format!("{head}{line}"), width));
    }
    lines
}

pub(super) fn question_lines(look: Look, width: usize, question: &QuestionView, is_only: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let (sign, word) = match (question.right, question.attempts) {
        (true, _) => (look.good().apply_to(TICK), "Answered"),
        (false, 0) => (look.bold().apply_to("?"), "Question"),
        (false, _) => (look.bold().apply_to("?"), "Question, not answered yet"),
    };
    let text = look.sentence(&question.text.split_whitespace().collect::<Vec<_>>().join(" "));
    let head = if look.plain { format!("{word}: {text}") } else { format!("  {sign} {text}") };
    lines.extend(crate::text::wrapped(&head, width));
    for (number, choice) in question.choices.iter().enumerate() {
        let choice = look.sentence(choice);
        lines.extend(crate::text::wrapped(&format!("      {}  {choice}", number + 1), width));
    }
    if let Some(left) = &question.left {
        lines.push(format!("    Not asked here: {left}"));
    } else if !question.right {
        let name = if is_only { String::new() } else { format!(" {}", question.id) };
        let what = if question.choices.is_empty() { "TEXT" } else { "NUMBER" };
        let how = format!("    Answer: {}", look.quoted(&format!("lab answer{name} {what}")));
        lines.push(how);
    }
    lines
}

/// A piece of Markdown that is no step: a hint.
pub(super) fn markdown(text: &str, look: Look) -> Vec<String> {
    struct Plain(Look);
    impl Fences for Plain {
        fn fence(&mut self, _: Span, fence: &Fence<'_>, _: usize) -> Option<Vec<String>> {
            let (Fence::Code { content, .. } | Fence::Indented { content }) = fence;
            Some(super::raw_text::code(content, &self.0.code()))
        }

        fn fill(&self, text: &str) -> String {
            text.to_owned()
        }

        fn opens(&mut self, _: &str) -> bool {
            true
        }
    }
    let inner = Look { columns: look.columns.saturating_sub(2), ..look };
    markdown::set(text, Span::new(0, text.len()), inner, &mut Plain(look))
}
