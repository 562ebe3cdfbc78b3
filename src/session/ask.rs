//! Requests, and what is answered.

use tokio::sync::oneshot;

use super::api::{Answer, BlockText, HintView, Request};
use super::engine::{Engine, Worked};
use super::outline::PlacedBlock;
use super::printed::{Candidate, is_of_the_session, text_of};
use super::tell::SessionEvent;
use crate::lab::{self, AnswerText, Place, Role};
use crate::learn::{Input, Refusal, State};
use crate::outcome::Verdict;
use crate::run::{Ran, Right, right_answer};
use crate::text::{did_you_mean, redact};

/// What of a background block's output an answer shows.
const SHOWN: usize = 4 << 20;

pub(super) fn refused(refusal: &Refusal, state: &State) -> Answer {
    let no = |reason: String, hint: Option<&str>| Answer::Refused { reason, hint: hint.map(str::to_owned) };
    match refusal {
        Refusal::NotReady => no("the step is being prepared".to_owned(), Some("try again in a moment")),
        Refusal::NotGreen { held, of } => no(
            format!("{held} of {of} checks of this step hold"),
            Some("`lab why` says what is missing; `lab skip` goes on without"),
        ),
        Refusal::OpenQuestions { count } => {
            let questions = if *count == 1 { "1 question is".to_owned() } else { format!("{count} questions are") };
            Answer::AskAgain { reason: format!("{questions} not answered yet; `lab next` again goes on without") }
        }
        Refusal::NoHint => no("this step has no hints".to_owned(), None),
        Refusal::NoMoreHints { given } => {
            let solution = state.outline().steps.get(state.shown()).is_some_and(|step| step.has_solution);
            no(
                format!("you have all {given} hints of this step"),
                solution.then_some("`lab solution` shows the solution"),
            )
        }
        Refusal::NoSolution => no("this step has no solution to show".to_owned(), None),
        Refusal::SolutionOnce => Answer::AskAgain {
            reason: "the solution is better found than read; `lab solution` again shows it".to_owned(),
        },
        Refusal::SkipOnce { cost } => Answer::AskAgain {
            reason: format!(
                "skipping this step costs its {} points, and later steps may need what it makes (`lab solve` makes it); \
                 `lab skip` again skips it",
                cost.points
            ),
        },
        Refusal::FirstStep => no("this is the first step".to_owned(), None),
        Refusal::Green => no("every check of this step holds".to_owned(), Some("`lab next` goes on")),
        Refusal::Over => no("the lab is finished".to_owned(), Some("`lab quit` ends it; `lab reset STEP` goes back")),
        Refusal::NoSuchStep => no("there is no such step".to_owned(), Some("`lab list` names them")),
        Refusal::NotBegun => no("that step has not been begun".to_owned(), None),
        Refusal::AnsweredAlready => no("it is answered already, and rightly".to_owned(), None),
    }
}

impl<'a> Engine<'a> {
    pub(super) fn answer(&mut self, request: Request, reply: oneshot::Sender<Answer>) {
        let answer = match request {
            Request::Show => self.view_answer(),
            Request::Next => self.requested(Input::Next).unwrap_or_else(|| self.view_answer()),
            Request::Prev => self.requested(Input::Prev).unwrap_or_else(|| self.view_answer()),
            Request::Skip => self.requested(Input::Skip).unwrap_or_else(|| self.view_answer()),
            Request::Hint => self.requested(Input::Hint).unwrap_or_else(|| self.hint()),
            Request::Solution => self.requested(Input::Solution).unwrap_or_else(|| self.solution()),
            Request::Solve => match self.requested(Input::Solve) {
                Some(refused) => refused,
                None => return self.solve(reply),
            },
            Request::Run { block } => return self.run_block(block.as_deref(), reply),
            Request::Block { block } => match self.find_block(block.as_deref()) {
                Ok(block) => Answer::Block { block: self.block_text(block) },
                Err(refused) => refused,
            },
            Request::Stop { block } => {
                let hands = self.hands;
                self.work.push(Box::pin(async move {
                    let names = hands.lock().await.stop(block.as_deref()).await;
                    Worked::Stopped { names, reply }
                }));
                return;
            }
            Request::Why => self.why(),
            Request::Answer { question, text } => return self.answer_question(question.as_deref(), text, reply),
            Request::Events { limit } => self.events(limit),
            Request::Reset { step } => return self.reset(step.as_deref(), reply),
            Request::List => self.steps(),
            Request::Environment => self.environment(),
            Request::Finished { command } => {
                self.finished(command);
                Answer::Done
            }
            Request::Printed { printing } => {
                if !is_of_the_session(&printing.text) {
                    self.heard.printing(printing);
                    self.running_output();
                }
                Answer::Done
            }
            Request::HandIn { file } => self.hand_in(file.map(Into::into)),
            Request::Summary => Answer::Summary { summary: self.summary() },
            Request::Quit { keep } => return self.quit(keep, reply),
        };
        // Who asked may be gone.
        let _ = reply.send(answer);
    }

    /// A shell of the learner's has run a command.
    fn finished(&mut self, command: super::api::Command) {
        if is_of_the_session(&command.text) {
            return;
        }
        self.moved();
        self.handle.tell(SessionEvent::CommandFinished {
            terminal: command.terminal.clone(),
            text: redact(&command.text).into_owned(),
            status: command.status,
            began: command.began,
            ended: command.ended,
        });
        let vars = &self.ground.vars.values;
        let whole = self.heard.finished(command, self.course, vars);
        self.done.extend(whole);
        let view = self.ground.witness.journal();
        let waiting: Vec<_> = self.live.iter().flat_map(super::live::Live::outputs).collect();
        for (place, placed) in waiting {
            let block = self.block_of(placed).and_then(|offset| self.course.block(offset));
            for candidate in self.heard.candidates(block, vars) {
                let turn = self.live.as_mut().and_then(|live| live.printed(place, &candidate, &view));
                self.turned(turn, &view);
            }
        }
    }

    fn running_output(&mut self) {
        let view = self.ground.witness.journal();
        let waiting: Vec<_> = self.live.iter().flat_map(super::live::Live::outputs).collect();
        for (place, placed) in waiting {
            let block = self.block_of(placed).and_then(|offset| self.course.block(offset));
            for candidate in self.heard.running(block, &self.ground.vars.values) {
                let turn = self.live.as_mut().and_then(|live| live.printed(place, &candidate, &view));
                self.turned(turn, &view);
            }
        }
    }

    /// The block that an output check is about.
    pub(super) fn block_of(&self, placed: super::outline::PlacedCheck<'_>) -> Option<usize> {
        match &placed.check.kind {
            lab::CheckKind::Output { action: Some(name), .. } => {
                self.course.named(&name.value).map(|block| block.action.span.start)
            }
            _ => placed.nearest,
        }
    }

    fn hint(&self) -> Answer {
        let shown = self.state.shown();
        let given = self.state.progress().steps.get(shown).map_or(0, |step| step.hints);
        let hints = self.course.steps.get(shown).map_or(&[][..], |step| &step.hints);
        let hint = usize::try_from(given).ok().and_then(|given| hints.get(given.checked_sub(1)?));
        let Some(hint) = hint else {
            return Answer::Refused { reason: "there is no such hint".to_owned(), hint: None };
        };
        let html = self.course.lab.source.slice(hint.span);
        let after = html.find("</summary>").map_or(html, |at| &html[at + "</summary>".len()..]);
        Answer::Hint {
            hint: HintView {
                number: given,
                of: u32::try_from(hints.len()).unwrap_or(u32::MAX),
                summary: hint.summary.clone(),
                markdown: self.filled(after.trim()),
            },
        }
    }

    fn solution(&self) -> Answer {
        let blocks = self.course.steps.get(self.state.shown()).map_or(&[][..], |step| &step.blocks);
        let of_solution = blocks.iter().filter(|block| block.action.role == Role::Solution && block.left.is_none());
        Answer::Solution { blocks: of_solution.map(|block| self.block_text(block)).collect() }
    }

    pub(super) fn block_text(&self, block: &PlacedBlock<'_>) -> BlockText {
        BlockText {
            id: block.id.clone(),
            line: self.course.line(block.action.span.start),
            text: text_of(block.action),
            background: block.action.background.is_some(),
            on_node: block.action.place == Place::Node,
        }
    }

    /// A block of the step on the screen, or of any by its name; the next that was not run where none is named.
    fn find_block(&self, wanted: Option<&str>) -> Result<&'a PlacedBlock<'a>, Answer> {
        let refuse = |reason: String, hint: Option<String>| Err(Answer::Refused { reason, hint });
        let course = self.course;
        let of_step: Vec<&'a PlacedBlock<'a>> = course
            .steps
            .get(self.state.shown())
            .map_or(&[][..], |step| &step.blocks)
            .iter()
            .filter(|block| shown(block))
            .collect();
        let found = match wanted {
            Some(wanted) => of_step
                .iter()
                .copied()
                .find(|block| block.id == wanted)
                .or_else(|| course.named(wanted).filter(|block| shown(block))),
            None => of_step.iter().copied().find(|block| {
                block.left.is_none()
                    && block.action.role == Role::Action
                    && !self.done.contains(&block.action.span.start)
            }),
        };
        match (found, wanted) {
            (Some(block), _) => match block.left {
                Some(why) => refuse(format!("the block `{}` does not run here: {why}", block.id), None),
                None => Ok(block),
            },
            (None, Some(wanted)) => {
                let names: Vec<&str> = of_step.iter().map(|block| block.id.as_str()).collect();
                let hint = did_you_mean(wanted, names.iter().copied())
                    .unwrap_or_else(|| format!("this step has {}", names.join(", ")));
                refuse(format!("there is no block `{wanted}`"), Some(hint).filter(|_| !names.is_empty()))
            }
            (None, None) if of_step.is_empty() => refuse("this step has no blocks".to_owned(), None),
            (None, None) => {
                let hint = "name one to run it again: `lab run NAME`".to_owned();
                refuse("every block of this step was run".to_owned(), Some(hint))
            }
        }
    }

    fn run_block(&mut self, wanted: Option<&str>, reply: oneshot::Sender<Answer>) {
        match self.find_block(wanted) {
            Ok(block) => self.start_block(block, Some(reply), false),
            Err(refused) => drop(reply.send(refused)),
        }
    }

    fn start_block(&mut self, block: &'a PlacedBlock<'a>, reply: Option<oneshot::Sender<Answer>>, solving: bool) {
        let (hands, course) = (self.hands, self.course);
        let action = block.action;
        let planned = course
            .steps
            .iter()
            .find(|step| step.blocks.iter().any(|known| known.action.span == action.span))
            .and_then(|step| step.planned);
        let Some(planned) = planned else {
            if let Some(reply) = reply {
                let reason = "this block does not run here".to_owned();
                drop(reply.send(Answer::Refused { reason, hint: None }));
            }
            return;
        };
        self.work.push(Box::pin(async move {
            let ran = hands.lock().await.block(planned, action).await;
            Worked::Ran { offset: action.span.start, ran, reply, solving }
        }));
    }

    fn solve(&mut self, reply: oneshot::Sender<Answer>) {
        if self.solving.is_some() {
            let reason = "the step is being solved already".to_owned();
            drop(reply.send(Answer::Refused { reason, hint: None }));
            return;
        }
        self.solving = Some(reply);
        self.go_on_solving();
    }

    /// Runs the next block of the open stretch that was not run; where none is left, etcd decides.
    pub(super) fn go_on_solving(&mut self) {
        if self.solving.is_none() || !self.state.is_live() {
            return;
        }
        let (course, stretch) = (self.course, self.state.stretch());
        let blocks = course.steps.get(self.state.open()).map_or(&[][..], |step| &step.blocks);
        let next = blocks.iter().find(|block| {
            block.stretch == stretch
                && block.left.is_none()
                && block.action.role != Role::Setup
                && !self.done.contains(&block.action.span.start)
        });
        if let Some(block) = next {
            return self.start_block(block, None, true);
        }
        if let Some(reply) = self.solving.take() {
            drop(reply.send(self.view_answer()));
        }
    }

    fn answer_question(&mut self, wanted: Option<&str>, text: String, reply: oneshot::Sender<Answer>) {
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
                    let offset = self.course.named(&name.value).map(|block| block.action.span.start);
                    offset.and_then(|offset| self.heard.of_blocks.get(&offset)).cloned()
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

    fn judged_answer(
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
            let told = self.told(step, question);
            let words = words.unwrap_or_else(|| match (right, attempts) {
                (false, _) if told.is_some() => "Not quite.".to_owned(),
                (true, 1) => "That is right.".to_owned(),
                (true, attempts) => format!("That is right, at attempt {attempts}."),
                (false, 1) => "Not quite. Look again at what the step shows, and try once more.".to_owned(),
                (false, _) => "Not yet. Take your time: every attempt is as good as the first.".to_owned(),
            });
            Answer::Answered { right, words, attempts, told }
        });
        drop(reply.send(answer));
    }

    /// What the question's answer fold holds.
    fn told(&self, step: usize, question: usize) -> Option<String> {
        let question = self.course.steps.get(step)?.questions.get(question)?.question;
        let why = self.filled(question.why.as_ref()?);
        let answer = redact(&question.answer.in_words(&self.ground.vars.values)).into_owned();
        Some(format!("The answer: {answer}\n\n{why}").trim_end().to_owned())
    }

    fn quit(&mut self, keep: bool, reply: oneshot::Sender<Answer>) {
        if keep || !self.ground.info.shared {
            self.ending = Some(keep);
            drop(reply.send(Answer::Done));
            return;
        }
        // Somebody's own cluster is left as the lab's clean-up leaves it.
        let hands = self.hands;
        self.live = None;
        self.work.push(Box::pin(async move {
            hands.lock().await.clean_up().await;
            Worked::CleanedUp { keep, reply }
        }));
    }

    /// What the session's own work came to.
    pub(super) fn worked(&mut self, worked: Worked) {
        match worked {
            Worked::Opened { step, stretch, mark, seq, notes } => {
                for message in notes {
                    self.handle.tell(SessionEvent::Noticed { message });
                }
                self.opened(step, stretch, mark, seq);
            }
            Worked::Ran { offset, ran, reply, solving } => self.ran(offset, ran, reply, solving),
            Worked::Judged { step, question, right, text, reply } => match right {
                Ok(rights) => {
                    let is_right = rights.iter().any(|right| fits(right, &text));
                    self.judged_answer(step, question, is_right, None, reply);
                }
                Err(why) => {
                    let reason = format!("the answer cannot be checked now: {why}");
                    let hint = Some("it was not counted; try again when that is mended".to_owned());
                    drop(reply.send(Answer::Refused { reason, hint }));
                }
            },
            Worked::Restored { step, outcome } => self.restored(step, outcome),
            Worked::Sampled { need, at, seen } => {
                if let Some(live) = &mut self.live {
                    live.observed(&need, at, &seen);
                }
                self.observed();
            }
            Worked::Asked { answered } => {
                self.was_asked();
                self.lost(answered);
            }
            Worked::Stopped { names, reply } => {
                let answer = if names.is_empty() {
                    Answer::Refused { reason: "no such block runs in the background".to_owned(), hint: None }
                } else {
                    Answer::Done
                };
                drop(reply.send(answer));
            }
            Worked::CleanedUp { keep, reply } => {
                self.ending = Some(keep);
                drop(reply.send(Answer::Done));
            }
        }
    }

    fn ran(&mut self, offset: usize, ran: Ran, reply: Option<oneshot::Sender<Answer>>, solving: bool) {
        self.moved();
        let passed = ran.verdict == Verdict::Pass;
        if passed {
            self.done.insert(offset);
        }
        self.heard.of_blocks.insert(offset, ran.printed.clone());
        let view = self.ground.witness.journal();
        let by = self.course.block(offset).map(|block| text_of(block.action)).unwrap_or_default();
        self.heard.named(&by);
        self.heard.named(&ran.printed.text);
        let candidate = Candidate { printed: ran.printed.clone(), exit: ran.exit, own: true, by };
        self.printed(&[candidate], Some(offset), &view);
        let mut output = redact(&ran.printed.text).into_owned();
        let cut = ran.printed.cut || output.len() > SHOWN;
        output.truncate(output.floor_char_boundary(SHOWN));
        if let Some(reply) = reply {
            drop(reply.send(Answer::Ran { passed, reason: ran.reason.clone(), output, cut }));
        }
        if !solving {
            return;
        }
        if passed {
            self.go_on_solving();
        } else if let Some(reply) = self.solving.take() {
            let line = self.course.line(offset);
            let reason = format!("the block at line {line} failed: {}", ran.reason.unwrap_or_default());
            let hint = Some("`lab reset` goes back to the step's beginning, where it can be solved".to_owned());
            drop(reply.send(Answer::Refused { reason, hint }));
        }
    }
}

/// What a learner sees of blocks.
pub(super) fn shown(block: &PlacedBlock<'_>) -> bool {
    block.action.role != Role::Setup
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

fn fits(right: &Right, text: &str) -> bool {
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
