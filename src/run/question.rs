//! Whether a question has a right answer, found by computing it.

use super::plan::PlannedStep;
use super::runner::Runner;
use crate::lab::{Answer, AnswerText, Question};
use crate::outcome::Verdict;
use crate::text::Printed;

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
                    self.compute(text).await?;
                }
                Ok(())
            }
        }
    }

    async fn compute(&self, text: &AnswerText) -> Result<(), (Verdict, String)> {
        let (what, value) = match text {
            AnswerText::Literal(template) => {
                let value = template.render(&self.vars.values).map_err(|error| (Verdict::Fail, error.to_string()))?;
                ("the literal answer".to_owned(), Printed::whole(value))
            }
            AnswerText::Regex(pattern) => ("the pattern".to_owned(), Printed::whole(pattern.as_str())),
            AnswerText::Command(template) => {
                let command = template.render(&self.vars.values).map_err(|error| (Verdict::Fail, error.to_string()))?;
                let seen = self.command(&command).await.map_err(|why| (Verdict::CannotJudge, why))?;
                if seen.exit != 0 {
                    let words = super::act::last_words(&seen.stderr.text);
                    return Err((Verdict::Fail, format!("`{command}` ended with status {}{words}", seen.exit)));
                }
                (format!("the answer of `{command}`"), seen.stdout)
            }
            AnswerText::From(name) => {
                let offset = self.action_named(&name.value).map(|action| action.span.start);
                let printed = offset.and_then(|offset| self.outputs.get(&offset));
                let printed = printed.ok_or_else(|| {
                    (Verdict::Fail, format!("the block `{}` has not run before this question", name.value))
                })?;
                (format!("what `{}` printed", name.value), printed.printed.clone())
            }
        };
        if value.cut {
            return Err((Verdict::CannotJudge, format!("{what} is more than is kept, so it cannot be an answer")));
        }
        if value.text.trim().is_empty() { Err((Verdict::Fail, format!("{what} is empty"))) } else { Ok(()) }
    }
}
