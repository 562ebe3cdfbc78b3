//! The right answers of a question, computed as the lab says.

use super::plan::PlannedStep;
use super::runner::Runner;
use super::{CommandSeen, act};
use crate::lab::{Answer, AnswerText, Question, Vars};
use crate::outcome::Verdict;
use crate::text::Printed;

/// An answer that is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// Without blank ends.
    Text(String),
    /// A regular expression that the whole answer must match.
    Pattern(String),
}

impl Runner<'_> {
    pub(super) async fn ask(&mut self, step: &PlannedStep, question: &Question) {
        let (verdict, reason) = match self.answer(question).await {
            Ok(()) => (Verdict::Pass, None),
            Err((verdict, why)) => (verdict, Some(why)),
        };
        self.named().question(step, question, verdict, reason, false);
    }

    async fn answer(&self, question: &Question) -> Result<(), (Verdict, String)> {
        match &question.answer {
            Answer::Choices(choices) if choices.iter().any(|choice| choice.right) => Ok(()),
            Answer::Choices(_) => Err((Verdict::Fail, "none of its choices is right".to_owned())),
            Answer::Texts(texts) => {
                for text in texts {
                    let printed = |name: &str| {
                        let id = self.action_named(name)?.id;
                        self.outputs.get(&id).map(|output| output.printed.clone())
                    };
                    let command = |text: String| async move { self.command(&text).await };
                    right_answer(text, &self.vars.values, command, printed).await?;
                }
                Ok(())
            }
        }
    }
}

/// What an answer line comes to just now. `printed` gives what a named block printed, if it ran.
pub async fn right_answer<C>(
    text: &AnswerText,
    vars: &Vars,
    command: impl FnOnce(String) -> C,
    printed: impl FnOnce(&str) -> Option<Printed>,
) -> Result<Right, (Verdict, String)>
where
    C: Future<Output = Result<CommandSeen, String>>,
{
    let (what, value) = match text {
        AnswerText::Literal(template) => {
            let value = template.render(vars).map_err(|error| (Verdict::Fail, error.to_string()))?;
            ("the literal answer".to_owned(), Printed::whole(value))
        }
        AnswerText::Regex(pattern) => ("the pattern".to_owned(), Printed::whole(pattern.as_str())),
        AnswerText::Command(template) => {
            let text = template.render(vars).map_err(|error| (Verdict::Fail, error.to_string()))?;
            let seen = command(text.clone()).await.map_err(|why| (Verdict::CannotJudge, why))?;
            if seen.exit != 0 {
                let words = act::last_words(&seen.stderr.text);
                return Err((Verdict::Fail, format!("`{text}` ended with status {}{words}", seen.exit)));
            }
            (format!("the answer of `{text}`"), seen.stdout)
        }
        AnswerText::From(name) => {
            let printed = printed(&name.value).ok_or_else(|| {
                (Verdict::Fail, format!("the block `{}` has not run before this question", name.value))
            })?;
            (format!("what `{}` printed", name.value), printed)
        }
    };
    if value.cut {
        return Err((Verdict::CannotJudge, format!("{what} is more than is kept, so it cannot be an answer")));
    }
    match value.text.trim() {
        "" => Err((Verdict::Fail, format!("{what} is empty"))),
        _ if matches!(text, AnswerText::Regex(_)) => Ok(Right::Pattern(value.text.to_string())),
        text => Ok(Right::Text(text.to_owned())),
    }
}
