//! Requests, and what is answered.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::api::{Answer, HintView, Request};
use super::engine::{Engine, Worked};
use super::event::SessionEvent;
use super::printed::is_of_the_session;
use crate::learn::{Input, Refusal, State, Wish};

/// Why nothing was done, and what to do; `lost`: why etcd does not answer.
pub(super) fn refused(refusal: &Refusal, state: &State, lost: Option<&str>) -> Answer {
    let no = |reason: String, hint: Option<&str>| Answer::Refused { reason, hint: hint.map(str::to_owned) };
    let again = |reason: String, word: &str, does: &str| Answer::AskAgain {
        reason,
        again: format!("`lab {word}` again {does}"),
        number: state.asked().unwrap_or_default(),
    };
    match refusal {
        Refusal::NotReady if lost.is_some() => no(
            format!("the step cannot begin: etcd does not answer ({})", lost.unwrap_or_default()),
            Some("it begins as soon as etcd answers again"),
        ),
        Refusal::NotReady => no("the step is being prepared".to_owned(), Some("try again in a moment")),
        Refusal::NotGreen { held, of } => no(
            format!("{held} of {of} checks of this step hold"),
            Some("`lab why` says what is missing; `lab skip` goes on without"),
        ),
        Refusal::OpenQuestions { count } => {
            let questions = if *count == 1 { "1 question is".to_owned() } else { format!("{count} questions are") };
            again(format!("{questions} not answered yet"), "next", "goes on without")
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
        Refusal::SolutionOnce => again("the solution is better found than read".to_owned(), "solution", "shows it"),
        Refusal::SkipOnce { cost } => {
            let reason = format!(
                "skipping this step costs its {} points, and later steps may need what it makes (`lab solve` makes it)",
                cost.points
            );
            again(reason, "skip", "skips it")
        }
        Refusal::NotAsked => no(
            "something else came between, and what was asked about may be otherwise now".to_owned(),
            Some("ask for it again"),
        ),
        Refusal::FirstStep => no("this is the first step".to_owned(), None),
        Refusal::Green => no("every check of this step holds".to_owned(), Some("`lab next` goes on")),
        Refusal::Over => no("the lab is finished".to_owned(), Some("`lab quit` ends it; `lab reset STEP` goes back")),
        Refusal::NoSuchStep => no("there is no such step".to_owned(), Some("`lab list` names them")),
        Refusal::NotBegun => no("that step has not been begun".to_owned(), None),
        Refusal::AnsweredAlready => no("it is answered already, and rightly".to_owned(), None),
    }
}

impl Engine<'_> {
    pub(super) fn answer(&mut self, request: Request, reply: oneshot::Sender<Answer>) {
        let answer = match request {
            Request::Show => self.view_answer(),
            Request::Opened => return self.until_open.push(reply),
            Request::Next => self.requested(Input::Next).unwrap_or_else(|| self.view_answer()),
            Request::Prev => self.requested(Input::Prev).unwrap_or_else(|| self.view_answer()),
            Request::Skip => self.requested(Input::Skip).unwrap_or_else(|| self.view_answer()),
            Request::Hint => self.requested(Input::Hint).unwrap_or_else(|| self.hint()),
            Request::Solution => self.requested(Input::Solution).unwrap_or_else(|| self.solution()),
            Request::Agree { number } => {
                let shows = self.state.wish(number) == Some(Wish::Solution);
                let done = |engine: &Self| if shows { engine.solution() } else { engine.view_answer() };
                self.requested(Input::Agreed { number }).unwrap_or_else(|| done(self))
            }
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
            Request::Began { terminal, text, began } => {
                self.began(terminal, &text, began);
                Answer::Done
            }
            Request::Left { terminal } => {
                self.handle.emit(SessionEvent::TerminalLeft { terminal, at: Timestamp::now() });
                Answer::Done
            }
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

    /// Answers those who wait for the step, where it is open or cannot be opened now.
    pub(super) fn tell_open(&mut self) {
        let is_opening = !self.state.is_live() && !self.state.is_over() && self.cluster_lost().is_none();
        if is_opening || self.until_open.is_empty() {
            return;
        }
        let answer = self.view_answer();
        for reply in std::mem::take(&mut self.until_open) {
            // Who asked may be gone.
            drop(reply.send(answer.clone()));
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
}
