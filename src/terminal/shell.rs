//! One persistent shell, and those opened inside it.

mod recovery;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portable_pty::CommandBuilder;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use recovery::Answer;

use super::environment::environment;
use super::init::{RENEW, init_file, node_init};
use super::recorder::{Recorder, Signpost};
use super::settings::{NodeSettings, TerminalSettings};
use super::tape::Tape;
use super::typed;
use crate::guard::{Echo, ShellControl, ShellIo, shell_on_pty};

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
    Died,
    Cancelled,
}

enum Happened {
    Signpost(Signpost, u64),
    Deadline,
    Cancelled,
    Stop(Stop),
    Closed,
}

/// How a shell takes commands, and tells that they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Ours: it reads a file, and its prompt is the mark.
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
    /// Our own files; none for a shell elsewhere.
    file: PathBuf,
    levels: Vec<Level>,
    number: u64,
    last_exit: i32,
    killed: bool,
}

impl Shell {
    /// Starts our own bash on this machine; `dir` is made for its files.
    pub(super) async fn local(settings: &TerminalSettings, dir: &Path) -> Result<Self, String> {
        let nonce = nonce();
        let init = dir.join("init");
        let start = || -> io::Result<ShellIo> {
            std::fs::write(&init, init_file(&nonce))?;
            shell_on_pty(&settings.guard, bash(settings, &init), settings.rows, settings.columns, Echo::Off)
        };
        let io = start().map_err(|error| error.to_string())?;
        let mut shell = Self::over(io, nonce, dir.join("command"), settings.rows, Level::Sourced);
        let deadline = Instant::now() + START_WAIT;
        match shell.finish_of(0, Some(deadline), &never(&settings.cancel)).await {
            Happened::Signpost(..) => Ok(shell),
            Happened::Cancelled => Err("interrupted".to_owned()),
            _ => Err(shell.no_prompt().await),
        }
    }

    /// Takes over a shell on the node, and gives it the lab's variables.
    pub(super) async fn on_node(settings: &TerminalSettings, node: &NodeSettings) -> Result<Self, String> {
        let io = node.shells.open(settings.rows, settings.columns).await?;
        let level = Level::Typed { opened_by: None };
        let mut shell = Self::over(io, nonce(), PathBuf::new(), settings.rows, level);
        let ways = never(&settings.cancel);
        let deadline = Some(Instant::now() + START_WAIT);
        match shell.until_answered(deadline, &ways, None).await {
            Answer::Answered => {}
            Answer::Happened(Happened::Cancelled) => return Err("interrupted".to_owned()),
            Answer::Happened(_) => return Err(shell.no_prompt().await),
        }
        match shell.run(&node_init(node), deadline, &ways).await {
            Outcome::Exited(0) => Ok(shell),
            _ => Err(shell.no_prompt().await),
        }
    }

    fn over(io: ShellIo, nonce: String, file: PathBuf, rows: u16, level: Level) -> Self {
        let recorder = Recorder::new(nonce.clone(), rows, level == Level::Sourced);
        let tape = Tape::play(io.output, recorder);
        let (input, control) = (io.input, Arc::from(io.control));
        Self { input, control, tape, nonce, file, levels: vec![level], number: 0, last_exit: 0, killed: false }
    }

    async fn no_prompt(&mut self) -> String {
        let words = self.tape.recorder().last_words();
        self.kill().await;
        let told = if words.is_empty() { "it printed nothing".to_owned() } else { format!("its last words:\n{words}") };
        format!("the shell did not come to its prompt; {told}")
    }

    pub(super) fn tape(&self) -> &Arc<Tape> {
        &self.tape
    }

    /// The file that commands are read from, which the shell's own messages name.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Commands go into a shell that an earlier block opened.
    pub(super) fn is_nested(&self) -> bool {
        self.levels.len() > 1
    }

    /// Runs one complete command to its end.
    pub(super) async fn run(&mut self, text: &str, deadline: Option<Instant>, ways: &Ways) -> Outcome {
        let number = match self.hand_over(text, deadline, ways).await {
            Ok(number) => number,
            Err(happened) => return self.conclude(self.number, happened).await,
        };
        let happened = self.finish_of(number, deadline, ways).await;
        self.conclude(number, happened).await
    }

    /// Runs a command that opens a shell, until that shell answers.
    pub(super) async fn open(&mut self, text: &str, deadline: Option<Instant>, ways: &Ways) -> Outcome {
        let number = match self.hand_over(text, deadline, ways).await {
            Ok(number) => number,
            Err(happened) => return self.conclude(self.number, happened).await,
        };
        let opened_by = (self.top() != Level::Sourced).then_some(number);
        match self.until_answered(deadline, ways, Some(number)).await {
            Answer::Answered => {
                self.levels.push(Level::Typed { opened_by });
                self.last_exit = 0;
                // The person's history file is not ours to write to.
                match self.run("unset HISTFILE", deadline, ways).await {
                    Outcome::Exited(_) => Outcome::Opened,
                    other => other,
                }
            }
            Answer::Happened(Happened::Signpost(post, _)) => {
                let exit = self.arrive(post, number);
                // Probes that the other shell did not take are answered by this one.
                if self.sync().await { Outcome::NotOpened(exit) } else { Outcome::Died }
            }
            Answer::Happened(other) => self.conclude(number, other).await,
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

    /// Types the command; its number, or what came before the shell had taken it.
    async fn hand_over(&mut self, text: &str, deadline: Option<Instant>, ways: &Ways) -> Result<u64, Happened> {
        self.number += 1;
        let number = self.number;
        if self.top() == Level::Sourced {
            tokio::fs::write(&self.file, format!("{text}\n")).await.map_err(|_| Happened::Closed)?;
            let line = format!(" . {}; {RENEW}\n", quoted(&self.file));
            self.type_text(&line).await.ok_or(Happened::Closed)?;
            return Ok(number);
        }
        let (lines, last) = typed::command(&self.nonce, number, text, self.last_exit);
        for line in lines {
            self.number += 1;
            let wanted = Signpost::Probe(self.number);
            let probe = typed::probe(&self.nonce, self.number);
            self.type_text(&format!("{line}{probe}")).await.ok_or(Happened::Closed)?;
            loop {
                match self.next(deadline, ways).await {
                    Happened::Signpost(post, _) if post == wanted => break,
                    Happened::Signpost(..) => {}
                    other => return Err(other),
                }
            }
        }
        self.type_text(&last).await.ok_or(Happened::Closed)?;
        Ok(number)
    }

    async fn type_text(&mut self, text: &str) -> Option<()> {
        self.input.write_all(text.as_bytes()).await.ok()?;
        self.input.flush().await.ok()
    }

    /// Waits until the command of that number, or the shell that it ran in, has ended.
    async fn finish_of(&mut self, number: u64, deadline: Option<Instant>, ways: &Ways) -> Happened {
        loop {
            match self.next(deadline, ways).await {
                Happened::Signpost(post, offset) if self.finishes(post, number) => {
                    return Happened::Signpost(post, offset);
                }
                Happened::Signpost(..) => {}
                other => return other,
            }
        }
    }

    /// Whether the mark is that of the command, or of the line in a shell further out that had opened this one.
    fn finishes(&self, post: Signpost, number: u64) -> bool {
        match post {
            Signpost::Prompt(_) => self.levels.first() == Some(&Level::Sourced),
            Signpost::End(ended, _) => {
                (self.top() != Level::Sourced && ended == number)
                    || self.levels.contains(&Level::Typed { opened_by: Some(ended) })
            }
            Signpost::Start(_) | Signpost::Probe(_) => false,
        }
    }

    /// Takes note of where a finishing mark leaves us; the status it brings.
    fn arrive(&mut self, post: Signpost, number: u64) -> i32 {
        let exit = match post {
            Signpost::Prompt(exit) => {
                self.levels.truncate(1);
                exit
            }
            Signpost::End(ended, exit) => {
                let opened = |level: &Level| *level == Level::Typed { opened_by: Some(ended) };
                if ended != number
                    && let Some(index) = self.levels.iter().position(opened)
                {
                    self.levels.truncate(index);
                }
                exit
            }
            Signpost::Start(_) | Signpost::Probe(_) => self.last_exit,
        };
        self.last_exit = exit;
        exit
    }

    async fn conclude(&mut self, number: u64, happened: Happened) -> Outcome {
        match happened {
            Happened::Signpost(post, _) => Outcome::Exited(self.arrive(post, number)),
            Happened::Deadline => {
                let stop = Stop { kill: false, patience: PATIENCE };
                let depth = self.levels.len();
                let (back, _) = self.recover(number, stop).await;
                Outcome::TimedOut { back, is_same: back && self.levels.len() == depth }
            }
            Happened::Stop(stop) => {
                let (back, killed) = self.recover(number, stop).await;
                Outcome::Stopped { killed, back }
            }
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
                if let Some((post, offset)) = recorder.next_signpost() {
                    return Happened::Signpost(post, offset);
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

fn quoted(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}
