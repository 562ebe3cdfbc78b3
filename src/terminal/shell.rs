//! One persistent shell, and those opened inside it.

mod handing;
mod post;
mod recovery;
mod settle;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portable_pty::CommandBuilder;
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use post::{From, Post, Report};
use recovery::Answer;

use super::environment::environment;
use super::init::{init_file, node_init, opened_init};
use super::recorder::{Recorder, Signpost};
use super::settings::{NodeSettings, TerminalSettings};
use super::split::{Leaving, ShellCommand};
use super::tape::Tape;
use super::typed::EndReport;
use owned_processes::{Echo, ShellControl, ShellIo, shell_on_pty};

/// A shell that is not at its prompt by then will not come.
const START_WAIT: Duration = Duration::from_secs(20);
/// How long a command may take to heed Ctrl-C after its time was up.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How often a shell is looked at that says nothing.
const LOOK: Duration = Duration::from_millis(200);

/// What may end a command besides itself.
#[derive(Clone)]
pub(super) struct Ways {
    pub(super) cancel: CancellationToken,
    pub(super) stop: watch::Receiver<Option<Stop>>,
}

/// How a background block is to be ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    pub(super) kill: bool,
    pub(super) patience: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Exited(i32),
    /// A command that should have opened a shell ended instead.
    NotOpened(i32),
    Opened,
    /// `is_same`: it is the shell that the command ran in which is back.
    TimedOut {
        back: bool,
        is_same: bool,
    },
    Stopped {
        killed: bool,
        back: bool,
    },
    /// What reports the status was changed by a block; why that is known.
    Changed(&'static str),
    Died,
    Cancelled,
}

enum Happened {
    Signpost(Signpost),
    /// Our shell reported, but its prompt does not come to the terminal.
    Reported,
    Deadline,
    Changed(&'static str),
    Cancelled,
    Stop(Stop),
    Closed,
}

/// How a shell takes commands, and reports that they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Ours: it reads a file, reports by a file, and its prompt is a mark.
    Sourced,
    /// Any shell: the typed line prints the mark. With the number of the line in the shell around it that
    /// opened this one, if that one is a typed one too.
    Typed { opened_by: Option<u64> },
}

/// An interactive bash that reads no file but `init`.
fn bash(settings: &TerminalSettings, init: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new("bash");
    // bash's own line editor would echo what we type.
    command.args(["--noprofile", "--noediting", "--rcfile"]);
    command.arg(init);
    command.arg("-i");
    command.cwd(&settings.cwd);
    command.env_clear();
    for (name, value) in environment(std::env::vars_os(), &settings.path_prefix, &settings.env) {
        command.env(name, value);
    }
    command
}

pub(super) struct Shell {
    input: Box<dyn AsyncWrite + Send + Unpin>,
    control: Arc<dyn ShellControl>,
    tape: Arc<Tape>,
    nonce: String,
    /// None for a shell elsewhere.
    own: Option<Own>,
    levels: Vec<Level>,
    number: u64,
    /// The typed line that runs, and how it reports its end.
    line: u64,
    end_report: EndReport,
    is_begun: bool,
    /// What the ends of typed commands reported from within.
    done: Vec<(u64, i32)>,
    last_exit: i32,
    /// What the last command waited for when its time was up.
    awaited: Option<String>,
    killed: bool,
}

/// What we know of our own bash.
struct Own {
    post: Post,
    pid: i32,
    /// Of the command that it runs.
    token: String,
    /// What it reported of that command.
    found: Option<(From, Report)>,
    leaving: Leaving,
    /// `$-` after the last command.
    flags: String,
}

impl Shell {
    /// Starts our own bash on this machine; `dir` is made for its files.
    pub(super) async fn local(settings: &TerminalSettings, dir: &Path) -> Result<Self, String> {
        let (nonce, token) = (nonce(), nonce());
        let post = Post::new(dir);
        let start = || -> io::Result<ShellIo> {
            let init = post.write("init", &init_file(&nonce, &post.line(&token, From::File)))?;
            shell_on_pty(&settings.guard, bash(settings, &init), settings.rows, settings.columns, Echo::Off)
        };
        let io = start().map_err(|error| error.to_string())?;
        let mut shell = Self::over(io, nonce, settings.rows, Level::Sourced);
        let own = Own { post, pid: 0, token, found: None, leaving: Leaving::Never, flags: String::new() };
        shell.own = Some(own);
        let deadline = Instant::now() + START_WAIT;
        match shell.next(Some(deadline), &never(&settings.cancel)).await {
            Happened::Signpost(Signpost::Prompt) if shell.is_introduced() => Ok(shell),
            Happened::Cancelled => Err("interrupted".to_owned()),
            _ => Err(shell.no_prompt().await),
        }
    }

    /// Learns from the first report which process the shell is.
    fn is_introduced(&mut self) -> bool {
        let report = self.own.as_ref().and_then(|own| own.post.find(&own.token, From::File));
        if let (Some(own), Some(report)) = (&mut self.own, &report) {
            own.pid = report.pid;
        }
        report.is_some()
    }

    /// Takes over a shell on the node, and gives it the lab's variables.
    pub(super) async fn on_node(settings: &TerminalSettings, node: &NodeSettings) -> Result<Self, String> {
        let io = node.shells.open(settings.rows, settings.columns).await?;
        let mut shell = Self::over(io, nonce(), settings.rows, Level::Typed { opened_by: None });
        let ways = never(&settings.cancel);
        let deadline = Some(Instant::now() + START_WAIT);
        match shell.until_answered(deadline, &ways, None).await {
            Answer::Answered => {}
            Answer::Happened(Happened::Cancelled) => return Err("interrupted".to_owned()),
            Answer::Happened(_) => return Err(shell.no_prompt().await),
        }
        match shell.run(&ShellCommand::ours(node_init(node, &shell.nonce)), deadline, &ways).await {
            Outcome::Exited(0) => Ok(shell),
            _ => Err(shell.no_prompt().await),
        }
    }

    fn over(io: ShellIo, nonce: String, rows: u16, level: Level) -> Self {
        let recorder = Recorder::new(nonce.clone(), rows, level == Level::Sourced);
        Self {
            input: io.input,
            control: Arc::from(io.control),
            tape: Tape::play(io.output, recorder),
            nonce,
            own: None,
            levels: vec![level],
            number: 0,
            line: 0,
            end_report: EndReport::Itself,
            is_begun: false,
            done: Vec::new(),
            last_exit: 0,
            awaited: None,
            killed: false,
        }
    }

    async fn no_prompt(&mut self) -> String {
        let words = self.tape.recorder().last_words();
        self.kill().await;
        let last_output = if words.is_empty() { "no output".to_owned() } else { format!("last output:\n{words}") };
        format!("the shell did not come to its prompt; {last_output}")
    }

    pub(super) fn tape(&self) -> &Arc<Tape> {
        &self.tape
    }

    /// The folder of the files that commands are read from, which the shell's own messages name.
    pub(super) fn dir(&self) -> &Path {
        self.own.as_ref().map_or(Path::new(""), |own| own.post.dir())
    }

    /// `set -e` was on after the last command.
    pub(super) fn stops_at_failures(&self) -> bool {
        self.levels.len() == 1 && self.own.as_ref().is_some_and(|own| own.flags.contains('e'))
    }

    /// One of ours, with no other opened in it.
    pub(super) fn is_plain(&self) -> bool {
        self.levels.len() == 1 && self.top() == Level::Sourced
    }

    pub(super) fn process(&self) -> Option<i32> {
        self.own.as_ref().map(|own| own.pid)
    }

    pub(super) fn last_exit(&self) -> i32 {
        self.last_exit
    }

    /// As though its last command had ended so.
    pub(super) fn has_ended_with(&mut self, exit: i32) {
        self.last_exit = exit;
    }

    /// The program that waited for input when the last command's time was up.
    pub(super) fn awaited(&self) -> Option<&str> {
        self.awaited.as_deref()
    }

    /// The status with which the shell itself ended, once that is known.
    pub(super) async fn ended_with(&mut self) -> Option<i32> {
        let known = Instant::now() + Duration::from_secs(1);
        loop {
            match self.control.try_wait().await {
                Ok(None) if Instant::now() < known => sleep(Duration::from_millis(10)).await,
                other => return other.ok().flatten(),
            }
        }
    }

    /// Runs one complete command to its end.
    pub(super) async fn run(&mut self, command: &ShellCommand, deadline: Option<Instant>, ways: &Ways) -> Outcome {
        if let Err(happened) = self.hand_over(command, deadline, ways).await {
            return self.conclude(happened).await;
        }
        let happened = self.finish(deadline, ways).await;
        self.conclude(happened).await
    }

    /// Runs a command that opens a shell, until that shell answers.
    pub(super) async fn open(&mut self, command: &ShellCommand, deadline: Option<Instant>, ways: &Ways) -> Outcome {
        if let Err(happened) = self.hand_over(command, deadline, ways).await {
            return self.conclude(happened).await;
        }
        let opened_by = (self.top() != Level::Sourced).then_some(self.line);
        match self.until_answered(deadline, ways, Some(self.line)).await {
            Answer::Answered => {
                self.levels.push(Level::Typed { opened_by });
                self.last_exit = 0;
                match self.run(&ShellCommand::ours(opened_init(&self.nonce)), deadline, ways).await {
                    Outcome::Exited(_) => Outcome::Opened,
                    other => other,
                }
            }
            Answer::Happened(happened) => match self.conclude(happened).await {
                // Probes that the other shell did not take are answered by this one.
                Outcome::Exited(exit) if self.sync().await => Outcome::NotOpened(exit),
                Outcome::Exited(_) => Outcome::Died,
                other => other,
            },
        }
    }

    /// Ends the shell with all that runs in it.
    pub(super) async fn kill(&mut self) {
        self.killed = true;
        // What does not go now goes at the run's end.
        drop(self.control.kill().await);
    }

    fn top(&self) -> Level {
        self.levels.last().copied().unwrap_or(Level::Sourced)
    }

    /// Waits until the command, or the shell that it ran in, has ended.
    async fn finish(&mut self, deadline: Option<Instant>, ways: &Ways) -> Happened {
        let mut pause = Duration::from_millis(50);
        loop {
            // A report without a prompt is looked for ever more seldom: hardly any shell hides its prompt.
            let look = self.own.is_some().then(|| Instant::now() + pause);
            let until = deadline.into_iter().chain(look).min();
            match self.next(until, ways).await {
                Happened::Signpost(post) if self.finishes(post, self.line).await => {
                    return Happened::Signpost(post);
                }
                Happened::Signpost(_) => {}
                Happened::Deadline if deadline.is_none_or(|deadline| Instant::now() < deadline) => {
                    if self.has_reported() {
                        return Happened::Reported;
                    }
                    pause = (pause * 2).min(LOOK);
                }
                other => return other,
            }
        }
    }

    /// Whether the mark is that of the command, or of the line in a shell further out that had opened this one.
    async fn finishes(&mut self, post: Signpost, number: u64) -> bool {
        match post {
            // What a program prints may look like our prompt.
            Signpost::Prompt => self.has_reported() || self.is_in_front().await,
            Signpost::InnerPrompt => self.is_begun && self.top() != Level::Sourced,
            Signpost::End(ended, _) => {
                (self.top() != Level::Sourced && ended == number)
                    || self.levels.contains(&Level::Typed { opened_by: Some(ended) })
            }
            Signpost::Done(ended, status) => {
                self.done.push((ended, status));
                false
            }
            Signpost::Start(begun) => {
                self.is_begun |= begun == number;
                false
            }
            Signpost::Probe(_) => false,
        }
    }

    async fn conclude(&mut self, happened: Happened) -> Outcome {
        match happened {
            Happened::Signpost(post) => self.settle(post).await,
            Happened::Reported => {
                self.levels.truncate(1);
                if self.sync().await {
                    self.settle(Signpost::Prompt).await
                } else {
                    Outcome::Changed("it no longer answers at its prompt")
                }
            }
            Happened::Deadline => {
                self.awaited = self.who_waits().await;
                let stop = Stop { kill: false, patience: PATIENCE };
                let depth = self.levels.len();
                let (back, _) = self.recover(stop).await;
                Outcome::TimedOut { back, is_same: back && self.levels.len() == depth }
            }
            Happened::Stop(stop) => {
                let (back, killed) = self.recover(stop).await;
                Outcome::Stopped { killed, back }
            }
            Happened::Changed(why) => Outcome::Changed(why),
            Happened::Cancelled => Outcome::Cancelled,
            Happened::Closed => Outcome::Died,
        }
    }

    /// The next thing that happens.
    async fn next(&mut self, deadline: Option<Instant>, ways: &Ways) -> Happened {
        let mut stop = ways.stop.clone();
        let mut is_gone = false;
        loop {
            let tape = Arc::clone(&self.tape);
            let news = tape.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let is_closed = {
                let mut recorder = tape.recorder();
                if let Some((post, _)) = recorder.next_signpost() {
                    return Happened::Signpost(post);
                }
                recorder.is_closed()
            };
            if is_closed || is_gone {
                return Happened::Closed;
            }
            if let Some(stop) = *stop.borrow() {
                return Happened::Stop(stop);
            }
            tokio::select! {
                () = &mut news => {}
                () = ways.cancel.cancelled() => return Happened::Cancelled,
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => return Happened::Deadline,
                Ok(()) = stop.changed() => {}
                () = sleep(LOOK) => {
                    // A job that keeps the terminal open hides the end of its shell.
                    is_gone = !matches!(self.control.try_wait().await, Ok(None));
                }
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if self.killed {
            return;
        }
        // Dropped in the middle of a block: what runs there must not run on.
        let control = Arc::clone(&self.control);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { drop(control.kill().await) });
        }
    }
}

fn never(cancel: &CancellationToken) -> Ways {
    Ways { cancel: cancel.clone(), stop: watch::channel(None).1 }
}

fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
