//! One block: stop what it stops, hand it to its terminal, wait until it has ended or is ready.

use std::time::{Duration, Instant};

use tracing::{Instrument, error_span};

use super::expected::{self, Compared};
use super::plan::PlannedStep;
use super::runner::{Output, PATIENCE, Runner, Running, Stopped, UNSEEN};
use super::stuck;
use crate::lab::{self, Action, Background, Code, Ending, PartId, Ready, Role};
use crate::outcome::{ActionReport, Fault, RunEvent, StopCause, Verdict};
use crate::terminal::{Block, BlockResult, CommandResult, Ended, Last, TerminalError, TerminalId};
use crate::text::redact;

/// What a block may take where neither it nor its step says.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Why a comparison with what was printed is not certain.
const TOO_MUCH: &str = "more was printed than is kept, and the missing part decides";
/// How much of a background block's last words stands in the reason of its failure.
const LAST_WORDS: usize = 3;

/// How a block came out.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) verdict: Option<Verdict>,
    pub(super) reason: Option<String>,
    pub(super) detail: Vec<String>,
    /// What failed, where it is not a command.
    pub(super) fault: Option<Fault>,
    pub(super) exit: Option<i32>,
    pub(super) failed_line: Option<usize>,
    pub(super) output: String,
    pub(super) truncated: bool,
    /// What failed was a command that waits for the cluster, or that took too long.
    pub(super) waited: bool,
}

impl Outcome {
    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self { verdict: Some(Verdict::Fail), reason: Some(reason.into()), ..Self::default() }
    }

    pub(super) fn cannot_judge(reason: impl Into<String>) -> Self {
        Self { verdict: Some(Verdict::CannotJudge), reason: Some(reason.into()), ..Self::default() }
    }
}

impl<'a> Runner<'a> {
    /// Runs one block and reports what came of it.
    pub(super) async fn act(&mut self, step: &PlannedStep, action: &Action) -> Result<(), Stopped> {
        let span = error_span!("block", line = self.line(action.span.start));
        let (verdict, _) = self.act_now(step, action).instrument(span).await;
        if verdict == Verdict::Pass { Ok(()) } else { Err(Stopped) }
    }

    /// How it came out, and why so.
    pub(super) async fn act_now(&mut self, step: &PlannedStep, action: &Action) -> (Verdict, Option<String>) {
        let (started, started_ms) = (Instant::now(), self.emitter.elapsed_ms());
        let index = self.record_start(&step.id, action).await;
        self.emitter.emit(RunEvent::ActionStarted {
            lab: self.emitter.lab(),
            step: step.id.clone(),
            line: self.line(action.span.start),
            role: action.role,
            text: first_line(&action.code),
        });
        let timeout = action.timeout.or(step.timeout).unwrap_or(DEFAULT_TIMEOUT);
        let mut outcome = self.perform(action, timeout).await;
        if outcome.verdict == Some(Verdict::Fail)
            && !self.is_interrupted()
            && let Some(why) = self.cluster_is_gone().await
        {
            // The block may be right: what it needs is gone.
            outcome.verdict = Some(Verdict::CannotJudge);
            outcome.reason = Some(match outcome.reason {
                Some(reason) => format!("{why} ({reason})"),
                None => why,
            });
        }
        if outcome.verdict == Some(Verdict::Fail) && outcome.waited {
            outcome.detail.extend(self.stuck_pods());
        }
        self.hide_secrets().await;
        self.spent.actions += started.elapsed();
        let verdict = outcome.verdict.unwrap_or(Verdict::Pass);
        let reason = outcome.reason.clone();
        let report = ActionReport {
            verdict,
            reason: outcome.reason,
            exit: outcome.exit,
            failed_line: outcome.failed_line,
            fault: (verdict != Verdict::Pass).then(|| outcome.fault.unwrap_or(Fault::Command)),
            started_ms,
            output: outcome.output,
            truncated: outcome.truncated,
            duration_ms: Self::clock(started),
            ..self.named().bare_action(action)
        };
        self.record_end(index, &report, &outcome.detail);
        let (lab, step) = (self.emitter.lab(), step.id.clone());
        self.emitter.emit(RunEvent::ActionFinished { lab, step, action: report, detail: outcome.detail });
        (verdict, reason)
    }

    async fn perform(&mut self, action: &Action, timeout: Duration) -> Outcome {
        if let Some(stop) = &action.stop
            && let Err(outcome) = self.stop(&stop.block.value, stop.kill, action.role).await
        {
            return Outcome { fault: Some(Fault::Background), ..outcome };
        }
        if let Some(start) = &action.start {
            let outcome = self.start_again(&start.value, timeout).await;
            if outcome.verdict.is_some() {
                return Outcome { fault: Some(Fault::Background), ..outcome };
            }
        }
        if !action.prints() {
            return Outcome::default();
        }
        let block = self.block(action, timeout);
        if action.background.is_some() {
            // Its definition in the lab outlives the run; the plan's copy does not.
            return match self.own(action) {
                Some(own) => Outcome { fault: Some(Fault::Background), ..self.start(own, &block, timeout).await },
                None => Outcome::cannot_judge("this block is not in the lab"),
            };
        }
        let terminal = self.terminal(action);
        // Who expects a failure may well expect this one, and waits for its own words.
        let done = if action.ending == Ending::Success {
            self.terminals.run_unless(&terminal, &block, PATIENCE, |running| self.waits_in_vain(running)).await
        } else {
            self.terminals.run(&terminal, &block).await.map(|result| (result, None))
        };
        let (result, in_vain) = match done {
            Ok(done) => done,
            Err(error) => return refused(&error),
        };
        self.printed_by(action.id, Output::of(&result));
        let mut outcome = match (&result.ended, in_vain) {
            (Ended::Stopped { .. }, Some(why)) => Outcome {
                failed_line: result.commands.last().map(|command| command.line),
                output: result.output.clone(),
                truncated: result.truncated,
                ..Outcome::failed(why)
            },
            _ => ended(&result),
        };
        let first = first_code_line(action);
        self.record_commands(outcome.verdict.unwrap_or(Verdict::Pass), first, &result.commands);
        if outcome.verdict.is_none() {
            let printed = Compare { lab: self.lab, vars: &self.vars.values };
            printed.compare(action, &result.output, result.truncated, &result.commands, &mut outcome);
        }
        outcome
    }

    fn printed_by(&mut self, block: PartId, output: Output) {
        self.record_output(block, Some(&output));
        self.outputs.insert(block, output);
    }

    fn block(&self, action: &Action, timeout: Duration) -> Block {
        let searched = self.searched.get(&action.id).cloned().unwrap_or_default();
        Block { searched, ..block(action, timeout) }
    }

    fn own(&self, action: &Action) -> Option<&'a Action> {
        let items = self.lab.steps.iter().flat_map(|step| &step.items);
        let mut actions = items.filter_map(|item| match item {
            lab::Item::Action(action) => Some(action),
            _ => None,
        });
        actions.find(|own| own.span == action.span)
    }

    /// The sandbox has no node but this machine: there a node's terminal is a terminal of its own here.
    pub(super) fn terminal(&self, action: &Action) -> TerminalId {
        match action.place {
            lab::Place::Host => TerminalId::host(&action.terminal),
            lab::Place::Node if self.kind == lab::ClusterKind::Sandbox => {
                TerminalId::host(format!("node {}", action.terminal))
            }
            lab::Place::Node => TerminalId::node(&action.terminal),
        }
    }

    /// Ends a background block; how it ends does not matter, but it must not have ended by itself before.
    async fn stop(&mut self, name: &str, kill: bool, role: Role) -> Result<(), Outcome> {
        let Some(running) = self.backgrounds.iter_mut().find(|running| running.key == name) else {
            // The clean-up begins when every background block has been stopped, and runs even where one never started.
            if role == Role::Cleanup {
                return Ok(());
            }
            return Err(Outcome::failed(format!(
                "the background block `{name}` was never started, so it cannot be stopped"
            )));
        };
        running.stopped = true;
        let (block, offset) = (running.action.id, running.action.span.start);
        let was_heard_whole = running.mark == running.handle.beginning();
        if matches!(running.action.background, Some(Background { ready: Ready::None })) {
            let (handle, seen) = (running.handle.clone(), tokio::time::Instant::from_std(running.started + UNSEEN));
            tokio::select! {
                _ = handle.wait_ended() => {}
                () = tokio::time::sleep_until(seen) => {}
                () = self.interrupt.cancelled() => {}
            }
        }
        let result = self.terminals.stop(name, kill, PATIENCE).await.map_err(|error| refused(&error))?;
        let mut output = Output::of(&result);
        if !was_heard_whole {
            output.printed.found.clear();
        }
        self.printed_by(block, output);
        match result.ended {
            Ended::Stopped { .. } => Ok(()),
            Ended::Interrupted | Ended::ShellDied { .. } | Ended::ShellChanged { .. } => Err(ended(&result)),
            Ended::AsWanted | Ended::Failed { .. } | Ended::TimedOut { .. } => {
                let (line, words) = (self.line(offset), last_words(&result.output));
                Err(Outcome::failed(format!(
                    "the background block `{name}` at line {line} exited before it was stopped{words}"
                )))
            }
        }
    }

    async fn start_again(&mut self, name: &str, timeout: Duration) -> Outcome {
        let Some(action) = self.action_named(name) else {
            return Outcome::failed(format!("there is no background block `{name}` to start again"));
        };
        let block = self.block(action, action.timeout.unwrap_or(timeout));
        self.start(action, &block, timeout).await
    }

    /// Background blocks that ended although nothing stopped them.
    pub(super) fn ended_by_themselves(&mut self) -> Option<(StopCause, String)> {
        let ended = self.backgrounds.iter_mut().filter(|running| !running.stopped).find_map(|running| {
            let result = running.handle.ended()?;
            running.stopped = true;
            Some((running, result))
        });
        let (running, result) = ended?;
        let line = running.action.span.start;
        let key = running.key.clone();
        let last_words = last_words(&result.output);
        let cause = match result.ended {
            Ended::ShellDied { by_errexit: false, .. } | Ended::ShellChanged { .. } => StopCause::CannotJudge,
            _ => StopCause::Background,
        };
        let line = self.line(line);
        Some((cause, format!("the background block `{key}` at line {line} exited early{last_words}")))
    }
}

/// What blocks printed against what is expected of them.
pub(super) struct Compare<'a> {
    pub(super) lab: &'a lab::Lab,
    pub(super) vars: &'a lab::Vars,
}

impl Compare<'_> {
    pub(super) fn compare(
        &self,
        action: &Action,
        output: &str,
        is_cut: bool,
        results: &[CommandResult],
        outcome: &mut Outcome,
    ) {
        let line = |offset: usize| self.lab.source.position(offset).line;
        if let Some(expected) = &action.expected {
            let line = line(expected.span.start);
            match expected::compare(expected, output, is_cut, self.vars) {
                Compared::Same => {}
                Compared::Differs(difference) => {
                    outcome.verdict = Some(Verdict::Fail);
                    outcome.fault = Some(Fault::Output);
                    outcome.reason = Some(format!("the output differs from the `output` fence at line {line}"));
                    outcome.detail = legend(difference);
                }
                Compared::Unknown => {
                    outcome.verdict = Some(Verdict::CannotJudge);
                    outcome.fault = Some(Fault::Output);
                    outcome.reason = Some(format!("the fence at line {line} cannot be judged: {TOO_MUCH}"));
                }
            }
            return;
        }
        let Code::Console(commands) = &action.code else {
            return;
        };
        for command in commands {
            let Some(expected) = &command.expected else { continue };
            let (output, cut) = output_of(command, results);
            let line = command.lines.first().map_or(0, |line| line.number);
            let (verdict, reason) = match expected::compare(expected, &output, cut, self.vars) {
                Compared::Same => continue,
                Compared::Differs(difference) => {
                    outcome.detail = legend(difference);
                    (Verdict::Fail, format!("the output of the command at line {line} differs from the lines below it"))
                }
                Compared::Unknown => {
                    let reason = format!("the output of the command at line {line} cannot be judged: {TOO_MUCH}");
                    (Verdict::CannotJudge, reason)
                }
            };
            (outcome.verdict, outcome.reason, outcome.failed_line) = (Some(verdict), Some(reason), Some(line));
            outcome.fault = Some(Fault::Output);
            return;
        }
    }
}

/// The first line of the fence's code.
pub(super) fn first_code_line(action: &Action) -> usize {
    action.code.lines().next().map_or(0, |line| line.number)
}

pub(super) fn last_words(output: &str) -> String {
    let output = redact(output);
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_WORDS)..];
    if last.is_empty() { "; no output".to_owned() } else { format!("; last output: {}", last.join(" / ")) }
}

/// By what the terminals know a background block.
pub(super) fn key(action: &Action) -> String {
    action.name.as_ref().map_or_else(|| format!("block {}", action.id.0), |name| name.value.clone())
}

fn block(action: &Action, timeout: Duration) -> Block {
    let lines = match &action.code {
        Code::Script(lines) => lines.iter().map(|line| (line.number, line.text.clone())).collect(),
        Code::Console(commands) => {
            commands.iter().flat_map(|command| &command.lines).map(|line| (line.number, line.text.clone())).collect()
        }
    };
    let last = match action.ending {
        Ending::Success => Last::Succeeds,
        Ending::Exit(status) => Last::Exits(status),
        Ending::Fails => Last::Fails,
    };
    Block { lines, opens: action.opens, last, searched: Vec::new(), timeout }
}

fn first_line(code: &Code) -> String {
    let line = match code {
        Code::Script(lines) => lines.iter().find(|line| !line.text.trim().is_empty() && !line.text.starts_with('#')),
        Code::Console(commands) => commands.iter().flat_map(|command| &command.lines).next(),
    };
    line.map(|line| line.text.clone()).unwrap_or_default()
}

/// What a command printed, and whether some of it was not kept.
fn output_of(command: &lab::ConsoleCommand, results: &[CommandResult]) -> (String, bool) {
    let (first, last) = match (command.lines.first(), command.lines.last()) {
        (Some(first), Some(last)) => (first.number, last.number),
        _ => return (String::new(), false),
    };
    let own = || results.iter().filter(|result| (first..=last).contains(&result.line));
    (own().map(|result| result.output.as_str()).collect(), own().any(|result| result.truncated))
}

fn legend(difference: Vec<String>) -> Vec<String> {
    let mut lines = vec!["- expected and missing, + printed and not expected:".to_owned()];
    lines.extend(difference);
    lines
}

pub(super) fn refused(error: &TerminalError) -> Outcome {
    match error {
        TerminalError::NoShell { .. } => Outcome::cannot_judge(error.to_string()),
        TerminalError::Busy { .. } | TerminalError::NoBackground(_) | TerminalError::StillRuns(_) => {
            Outcome::failed(error.to_string())
        }
    }
}

pub(super) fn ended(result: &BlockResult) -> Outcome {
    let mut outcome = match &result.ended {
        Ended::AsWanted | Ended::Stopped { .. } => Outcome::default(),
        Ended::Failed { line, command } => {
            let status =
                result.exit.map_or_else(|| "without a status".to_owned(), |exit| format!("with status {exit}"));
            Outcome {
                failed_line: Some(*line),
                waited: stuck::waits(command),
                ..Outcome::failed(format!("`{}` ended {status}", shorten(command)))
            }
        }
        Ended::TimedOut { line, command, awaited, shell_replaced } => {
            let waits = awaited.as_ref().map_or_else(String::new, |program| {
                format!(": `{program}` waited for input, which a block does not get")
            });
            let after = if *shell_replaced { "; its shell did not come back and was replaced" } else { "" };
            let seconds = result.took.as_secs_f64();
            let reason = format!("`{}` had not ended after {seconds:.0} s{waits}{after}", shorten(command));
            Outcome { failed_line: Some(*line), waited: true, ..Outcome::failed(reason) }
        }
        Ended::ShellDied { line, command, status, by_errexit, last_words } => Outcome {
            failed_line: Some(*line),
            ..shell_died(&shorten(command), *status, *by_errexit, last_words.trim())
        },
        Ended::ShellChanged { line, command, why } => Outcome {
            failed_line: Some(*line),
            ..Outcome::cannot_judge(format!(
                "how `{}` ended is not known: the shell's bookkeeping was changed by this block or one before it \
                 ({why}); the shell was replaced",
                shorten(command)
            ))
        },
        Ended::Interrupted => Outcome::cannot_judge("interrupted"),
    };
    outcome.exit = result.exit;
    outcome.output.clone_from(&result.output);
    outcome.truncated = result.truncated;
    outcome
}

fn shell_died(command: &str, status: Option<i32>, by_errexit: bool, last_words: &str) -> Outcome {
    let status = status.map_or_else(String::new, |status| format!(" with status {status}"));
    let words = if last_words.is_empty() { String::new() } else { format!("; last output: {last_words}") };
    if by_errexit {
        Outcome::failed(format!(
            "the shell ended because `set -e` is on and `{command}` ended{status}; leave `set -e` out, a block stops \
             at its first failing command without it{words}"
        ))
    } else {
        Outcome::cannot_judge(format!("the shell ended{status} at `{command}`{words}"))
    }
}

/// A command's first line is enough to find it.
fn shorten(command: &str) -> String {
    let mut lines = command.lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
}

pub(super) fn new_running(action: &Action, handle: crate::terminal::Background) -> Running<'_> {
    let mark = handle.beginning();
    Running { key: key(action), action, handle, mark, started: Instant::now(), stopped: false }
}
