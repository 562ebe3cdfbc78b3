use super::{On, PartId, Template, Vars};
use crate::text::{Span, Spanned, filled};

#[derive(Debug, Clone)]
pub struct Question {
    pub id: PartId,
    pub span: Span,
    pub text: String,
    pub name: Option<Spanned<String>>,
    pub points: Option<u32>,
    pub on: On,
    pub answer: Answer,
    /// What its answer fold says beside the answer, in Markdown; `None` where it has no fold.
    pub why: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Answer {
    Choices(Vec<Choice>),
    /// Any of these is right.
    Texts(Vec<AnswerText>),
}

#[derive(Debug, Clone)]
pub struct Choice {
    pub text: String,
    pub right: bool,
}

#[derive(Debug, Clone)]
pub enum AnswerText {
    Literal(Template),
    /// Matches the whole answer.
    Regex(String),
    /// The trimmed stdout of the command, taken live.
    Command(Template),
    /// What the named block printed.
    From(Spanned<String>),
}

impl Answer {
    /// Whether anything is said to be right.
    pub fn is_known(&self) -> bool {
        match self {
            Answer::Choices(choices) => choices.iter().any(|choice| choice.right),
            Answer::Texts(texts) => !texts.is_empty(),
        }
    }

    /// What is right, in Markdown, with the variables' values.
    pub fn in_words(&self, vars: &Vars) -> String {
        let value = |name: &str| vars.get(name).cloned();
        let template = |template: &Template| template.render(vars).unwrap_or_default();
        let words: Vec<String> = match self {
            Answer::Choices(choices) => {
                choices.iter().filter(|choice| choice.right).map(|choice| filled(&choice.text, value)).collect()
            }
            Answer::Texts(texts) => texts
                .iter()
                .map(|text| match text {
                    AnswerText::Literal(text) => format!("`{}`", template(text)),
                    AnswerText::Regex(pattern) => format!("what matches `{pattern}`"),
                    AnswerText::Command(command) => format!("what `{}` prints", template(command)),
                    AnswerText::From(name) => format!("what the block `{}` printed", name.value),
                })
                .collect(),
        };
        words.join(" *or* ")
    }
}
