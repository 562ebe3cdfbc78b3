//! Questions: which one is meant, and whether an answer to it is right.

use tokio::sync::oneshot;

use super::api::Answer;
use super::engine::{Engine, Worked};
use crate::lab::{self, AnswerText};
use crate::learn::Input;
use crate::run::{Right, right_answer};
use crate::text::redact;

impl Engine<'_> {
    pub(super) fn answer_question(&mut self, wanted: Option<&str>, text: String, reply: oneshot::Sender<Answer>) {
        let step = self.state.shown();
        let questions = self.course.steps.get(step).map_or(&[][..], |step| &step.questions);
        let known = self.state.progress().steps.get(step).map_or(&[][..], |step| &step.questions);
        let open = questions.iter().zip(known).position(|(asked, known)| asked.left.is_none() && !known.right);
        let found = match wanted {
            Some(wanted) => questions.iter().position(|question| question.id == wanted),
            None => open.or_else(|| questions.len().checked_sub(1)),
        };
        let Some((number, asked)) = found.and_then(|number| Some((number, questions.get(number)?))) else {
            let reason = match wanted {
                Some(wanted) => format!("this step has no question `{wanted}`"),
                None => "this step asks nothing".to_owned(),
            };
            drop(reply.send(Answer::Refused { reason, hint: None }));
            return;
        };
        if let Some(why) = asked.left {
            drop(reply.send(Answer::Refused { reason: format!("it is not asked here: {why}"), hint: None }));
            return;
        }
        let (ground, question) = (self.ground, asked.question);
        let texts = match &question.answer {
            lab::Answer::Choices(choices) => {
                return match choice(choices, &text) {
                    Ok(right) => self.judged_answer(step, number, right, None, reply),
                    Err(hint) => {
                        let reason = format!("`{text}` is none of the choices");
                        drop(reply.send(Answer::Refused { reason, hint: Some(hint) }));
                    }
                };
            }
            lab::Answer::Texts(texts) => texts,
        };
        let printed: Vec<_> = texts
            .iter()
            .map(|text| match text {
                AnswerText::From(name) => {
                    let block = self.course.named(&name.value).map(|block| block.action.id);
                    block.and_then(|block| self.heard.of_blocks.get(&block)).cloned()
                }
                AnswerText::Literal(_) | AnswerText::Regex(_) | AnswerText::Command(_) => None,
            })
            .collect();
        self.work.push(Box::pin(async move {
            let mut rights = Vec::new();
            let mut problem = None;
            for (text, printed) in texts.iter().zip(printed) {
                let command = |text: String| async move { ground.command(&text).await };
                match right_answer(text, &ground.vars.values, command, |_| printed).await {
                    Ok(right) => rights.push(right),
                    Err((_, why)) => problem = Some(why),
                }
            }
            let right = match problem {
                Some(why) if rights.is_empty() => Err(why),
                _ => Ok(rights),
            };
            Worked::Judged { step, question: number, right, text, reply }
        }));
    }

    pub(super) fn judged_answer(
        &mut self,
        step: usize,
        question: usize,
        right: bool,
        words: Option<String>,
        reply: oneshot::Sender<Answer>,
    ) {
        let answer = self.requested(Input::Answered { step, question, right }).unwrap_or_else(|| {
            let attempts = self
                .state
                .progress()
                .steps
                .get(step)
                .and_then(|step| step.questions.get(question))
                .map_or(0, |known| known.attempts);
            let explanation = self.explanation(step, question);
            let words = words.unwrap_or_else(|| match (right, attempts) {
                (false, _) if explanation.is_some() => "Not quite.".to_owned(),
                (true, 1) => "That is right.".to_owned(),
                (true, attempts) => format!("That is right, at attempt {attempts}."),
                (false, 1) => "Not quite. Look again at what the step shows, and try once more.".to_owned(),
                (false, _) => "Not yet. Take your time: every attempt is as good as the first.".to_owned(),
            });
            Answer::Answered { right, words, attempts, explanation }
        });
        drop(reply.send(answer));
    }

    /// What the question's answer fold holds.
    fn explanation(&self, step: usize, question: usize) -> Option<String> {
        let question = self.course.steps.get(step)?.questions.get(question)?.question;
        let why = self.filled(question.why.as_ref()?);
        let answer = redact(&question.answer.in_words(&self.ground.vars.values)).into_owned();
        Some(format!("The answer: {answer}\n\n{why}").trim_end().to_owned())
    }
}

/// By its number or letter, or by its words.
fn choice(choices: &[lab::Choice], text: &str) -> Result<bool, String> {
    let text = text.trim();
    let by_number = text.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
    let by_letter = || {
        let letter = text.chars().next().filter(|_| text.chars().count() == 1)?.to_ascii_lowercase();
        choices.get((letter as usize).checked_sub('a' as usize)?)
    };
    let by_words = || choices.iter().find(|choice| choice.text.trim().eq_ignore_ascii_case(text));
    by_number
        .or_else(by_letter)
        .or_else(by_words)
        .map(|choice| choice.right)
        .ok_or_else(|| format!("answer with a number from 1 to {}", choices.len()))
}

pub(super) fn fits(right: &Right, text: &str) -> bool {
    match right {
        Right::Text(right) => right == text.trim(),
        Right::Pattern(pattern) => {
            regex::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(text.trim()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_named_by_number_letter_or_words() {
        let choice_of = |text: &str, right| lab::Choice { text: text.to_owned(), right };
        let choices = [choice_of("Every node", false), choice_of("The kubelet", true)];
        assert_eq!(choice(&choices, "2"), Ok(true));
        assert_eq!(choice(&choices, " b "), Ok(true));
        assert_eq!(choice(&choices, "the kubelet"), Ok(true));
        assert_eq!(choice(&choices, "1"), Ok(false));
        for wrong in ["0", "3", "c", "", "kubelet", "é"] {
            assert!(choice(&choices, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_binds_the_whole_answer() {
        assert!(fits(&Right::Pattern("a|b".to_owned()), " b "));
        assert!(!fits(&Right::Pattern("a|b".to_owned()), "ab"));
        assert!(fits(&Right::Text("/x".to_owned()), "/x\n"));
    }
}
