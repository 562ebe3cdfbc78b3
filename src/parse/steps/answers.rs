//! A question's answer in a fold right below it.

use super::{Builder, Fold};
use crate::lab::{Item, Question, Step};
use crate::parse::fields::Fields;
use crate::parse::findings::ANSWER;
use crate::parse::markdown::Fence;
use crate::parse::question::{answer, question, unanswered};
use crate::text::Span;

/// The last question, and what is known of its answer.
pub(super) struct Asked {
    span: Span,
    /// Its place among the step's items; one before the first step has none.
    item: Option<usize>,
    /// Nothing says yet what is right.
    is_open: bool,
    /// Something stands between it and what follows.
    is_away: bool,
    fold: Option<AnswerFold>,
}

/// An answer fold that has begun.
struct AnswerFold {
    /// Its summary.
    span: Span,
    fence: Option<Span>,
}

impl Builder<'_, '_> {
    pub(super) fn question(&mut self, fence: &Fence, fields: &Fields, head: Span) -> Item {
        self.leave_question();
        let (question, is_open) = question(&fence.content, fields, head, self.cx);
        let item = self.body.steps.last().map(|step| step.items.len());
        self.asked = Some(Asked { span: head, item, is_open, is_away: false, fold: None });
        Item::Question(question)
    }

    /// A question that is not allowed where it stands: its answer is no finding of its own.
    pub(super) fn refused_question(&mut self, span: Span) {
        self.leave_question();
        self.asked = Some(Asked { span, item: None, is_open: false, is_away: false, fold: None });
    }

    fn in_answer(&self) -> bool {
        self.folds.iter().any(|(fold, _)| *fold == Fold::Answer)
    }

    /// Something else than an answer fold comes.
    pub(super) fn away_from_question(&mut self) {
        if !self.in_answer()
            && let Some(asked) = &mut self.asked
        {
            asked.is_away = true;
        }
    }

    /// No answer can follow any more.
    pub(super) fn leave_question(&mut self) {
        if let Some(asked) = self.asked.take()
            && asked.is_open
            && let Some(question) = question_at(&mut self.body.steps, &asked)
        {
            unanswered(question, self.cx);
        }
    }

    pub(super) fn begin_answer(&mut self, span: Span) {
        let line = |asked: &Asked| self.cx.line(asked.span.start);
        let misplaced = match &self.asked {
            Some(asked) if asked.fold.is_some() && !asked.is_away => {
                Some(format!("the question in line {} has its answer already", line(asked)))
            }
            Some(asked) if asked.is_away && asked.is_open => {
                Some(format!("this answer is not directly below its question, in line {}", line(asked)))
            }
            Some(asked) if asked.is_away => Some("this answer has no question above it".to_owned()),
            None => Some("this answer has no question above it".to_owned()),
            Some(_) => None,
        };
        if let Some(message) = misplaced {
            let hint = if message.ends_with("already") {
                "keep one of the two; its fence names several right choices in one line"
            } else {
                "put it right below the `question` fence that it answers"
            };
            self.cx.findings.add(ANSWER, span, message).hint(hint);
            // One that has no question is still read, so that its fence is no finding of its own.
            let asked = self.asked.get_or_insert(Asked { span, item: None, is_open: false, is_away: true, fold: None });
            if asked.fold.is_some() || !asked.is_open {
                asked.item = None;
            }
            asked.is_open = false;
        }
        if let Some(asked) = &mut self.asked {
            asked.fold = Some(AnswerFold { span, fence: None });
        }
    }

    pub(super) fn answer(&mut self, fence: &Fence, head: Span) {
        if !self.in_answer() {
            self.cx
                .findings
                .add(ANSWER, head, "this `answer` fence is not in an answer fold, so everybody reads it")
                .hint("put it into `<details><summary>Answer</summary>`, right below its question");
            if let Some(asked) = &mut self.asked {
                asked.is_open = false;
            }
            return;
        }
        let Some(asked) = &mut self.asked else { return };
        let Some(fold) = &mut asked.fold else { return };
        if fold.fence.is_some() {
            self.cx
                .findings
                .add(ANSWER, head, "this fold has an `answer` fence already")
                .hint("put all that is right into one");
            return;
        }
        fold.fence = Some(fence.span);
        let is_open = std::mem::take(&mut asked.is_open);
        let line = self.cx.line(asked.span.start);
        let Some(question) = question_at(&mut self.body.steps, asked) else { return };
        if is_open {
            answer(&fence.content, head, &mut question.answer, self.cx);
        } else if question.answer.is_known() {
            self.cx
                .findings
                .add(ANSWER, head, format!("the question in line {line} says already what is right"))
                .hint("take the `(x)` or the `=` lines out of the question, or this fence out of the fold");
        }
    }

    /// What the fold says beside the fence is the question's why.
    pub(super) fn end_of_answer(&mut self, opened: Span, closed: Span) {
        let Some(asked) = &mut self.asked else { return };
        let Some(fold) = &asked.fold else { return };
        if std::mem::take(&mut asked.is_open) && !self.cx.findings.any_in(Span::new(opened.start, closed.start)) {
            self.cx
                .findings
                .add(ANSWER, opened, "this fold has no `answer` fence")
                .hint("add one with the letter of the right choice, or with a line like `= the answer`");
        }
        let source = self.cx.source;
        let start =
            source.text()[fold.span.end..closed.start].find('>').map_or(closed.start, |at| fold.span.end + at + 1);
        let slice = |start: usize, end: usize| source.slice(Span::new(start, end.max(start))).trim().to_owned();
        let why = match fold.fence {
            Some(fence) => [slice(start, fence.start), slice(fence.end, closed.start)].join("\n\n"),
            None => slice(start, closed.start),
        };
        if let Some(question) = question_at(&mut self.body.steps, asked) {
            question.why = Some(why.trim().to_owned());
        }
    }
}

fn question_at<'s>(steps: &'s mut [Step], asked: &Asked) -> Option<&'s mut Question> {
    match steps.last_mut()?.items.get_mut(asked.item?) {
        Some(Item::Question(question)) => Some(question),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::lab::{Answer, AnswerText, Item, Question};
    use crate::text::SourceFile;

    fn questions(text: &str) -> Vec<Question> {
        let text = format!("---\ntitle: T\n---\n# T\n\n## Ask\n\n```bash\ntrue\n```\n\n{text}");
        let parsed = crate::parse::parse(&SourceFile::new("lab.md", "lab.md", text));
        let lab = parsed.lab.unwrap_or_else(|| panic!("{:#?}", parsed.findings));
        let items = lab.steps.into_iter().flat_map(|step| step.items);
        items.filter_map(|item| if let Item::Question(question) = item { Some(question) } else { None }).collect()
    }

    const CHOICES: &str = "```question\nWhich?\n( ) this\n( ) that\n( ) none\n```\n\n";

    #[test]
    fn letters_name_the_right_choices_and_the_rest_of_the_fold_is_why() {
        let fold = |inner: &str| format!("{CHOICES}<details><summary>Answer</summary>\n\n{inner}\n\n</details>\n");
        let rights = |inner: &str| {
            let [question] = <[Question; 1]>::try_from(questions(&fold(inner))).expect("one question");
            let Answer::Choices(choices) = question.answer else { panic!("choices") };
            (choices.iter().map(|choice| choice.right).collect::<Vec<_>>(), question.why)
        };
        let why = |text: &str| Some(text.to_owned());
        assert_eq!(rights("```answer\nB\n```\n\nSince *it is*."), (vec![false, true, false], why("Since *it is*.")));
        assert_eq!(rights("```answer\na, C\n```"), (vec![true, false, true], why("")));
        assert_eq!(
            rights("Before.\n\n```answer\nC\nA\n```\n\nAfter.\n\n```yaml\na: b\n```"),
            (vec![true, false, true], why("Before.\n\nAfter.\n\n```yaml\na: b\n```"))
        );
    }

    #[test]
    fn lines_are_the_answers_of_a_question_without_choices() {
        let text = "```question\nHow many?\n```\n<details>\n<summary><b>Answer</b>: count</summary>\n\n```answer\n= two\n\
                    = /2|3/\n= $(wc -l)\n```\n\nCount them.\n\n</details>\n\n```question\nAnd now?\n= four\n```\n";
        let [first, second] = <[Question; 2]>::try_from(questions(text)).expect("two questions");
        let Answer::Texts(texts) = &first.answer else { panic!("texts") };
        assert!(matches!(
            texts.as_slice(),
            [AnswerText::Literal(_), AnswerText::Regex(pattern), AnswerText::Command(_)] if pattern == "2|3"
        ));
        assert_eq!(first.answer.in_words(&[].into()), "`two` *or* what matches `2|3` *or* what `wc -l` prints");
        assert_eq!(first.why.as_deref(), Some("Count them."));
        assert!(second.why.is_none() && second.answer.is_known());
    }

    #[test]
    fn a_question_that_marks_its_choices_may_still_say_why() {
        let text = "```question\nWhich?\n( ) this\n(x) that\n```\n\n<details><summary>Answer</summary>\n\nSo it is.\n\n</details>\n";
        let [question] = <[Question; 1]>::try_from(questions(text)).expect("one question");
        assert_eq!(question.why.as_deref(), Some("So it is."));
        assert_eq!(question.answer.in_words(&[].into()), "that");
    }
}
