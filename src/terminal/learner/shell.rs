//! The pump between the person's terminal and their bash, and what it tells of the commands.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use portable_pty::CommandBuilder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::above::Standing;
use super::environment::environment;
use super::marks::{Mark, Marks, WithoutMarks};
use super::raw::{self, Raw};
use super::rc::{Rc, from_history};
use owned_processes::{Echo, Guard, ShellControl, shell_on_pty};

/// Without output for so long no escape sequence is half-way, and lines may be put in.
const QUIET: Duration = Duration::from_millis(5);
/// A line that is not complete is followed by the next.
const NEXT_LINE: Duration = Duration::from_millis(50);
/// Sizes that follow each other faster are taken for one.
const ANOTHER_SIZE: Duration = Duration::from_millis(100);
/// A shell's last words come with its end or shortly after.
const LAST_WORDS: Duration = Duration::from_millis(200);
const ROWS_UNKNOWN: u16 = 24;
const COLUMNS_UNKNOWN: u16 = 80;

pub struct LearnerSettings {
    pub guard: Guard,
    /// A private folder for the shell's own files.
    pub dir: PathBuf,
    pub cwd: PathBuf,
    /// Variables of the lab, which hold whatever the person's start-up files set.
    pub env: Vec<(String, String)>,
    pub path_prefix: Vec<PathBuf>,
    /// The command that prints the words which may follow `lab`, and what was typed of them.
    pub completer: String,
    /// What stands before each prompt, until another is set.
    pub label: String,
    pub screen: Screen,
    pub cancel: CancellationToken,
}

/// What may be written to the person's terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// There is a terminal at both ends, to be made raw and resized.
    pub is_terminal: bool,
    /// Nothing but lines one after the other: no cursor is moved.
    pub is_plain: bool,
    pub color: bool,
}

/// A command that has ended in the learner's shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub text: String,
    pub status: i32,
    /// As a person saw it.
    pub output: String,
    /// Some of the output is not kept.
    pub is_cut: bool,
    pub began: SystemTime,
    pub ended: SystemTime,
    /// The block of the lab that was typed for the learner.
    pub block: Option<String>,
    /// The shell's KUBECONFIG when it had ended.
    pub kubeconfig: Option<String>,
}

#[derive(Debug)]
pub enum Happened {
    Finished(Finished),
    /// A command that runs on has printed more.
    Printed(Finished),
    /// The next prompt is there, and held back until [`LearnerShell::go_on`].
    Prompt,
    /// The shell has ended.
    Left,
    /// The run was told to end.
    Cancelled,
}

/// How often a command that runs on is told of, at most.
const PRINTED: Duration = Duration::from_millis(250);
/// More than this is told only at the command's end.
const MUCH: u64 = 256 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Start-up files, or what runs between a command and the prompt.
    Between,
    /// The prompt is held back.
    Held,
    /// The prompt is being written.
    Prompting,
    /// The person types.
    Typing,
    Running,
}

pub struct LearnerShell {
    input: Box<dyn AsyncWrite + Send + Unpin>,
    output: Box<dyn AsyncRead + Send + Unpin>,
    control: Box<dyn ShellControl>,
    keys: mpsc::Receiver<Vec<u8>>,
    /// What a pipe gave, until the prompt stands.
    typed_ahead: VecDeque<u8>,
    is_input_over: bool,
    resized: Signal,
    stopped: Signal,
    settings: LearnerSettings,
    marks: Marks,
    without_marks: WithoutMarks,
    raw: Option<Raw>,
    phase: Phase,
    /// What came behind a prompt that is held back.
    held: Vec<u8>,
    standing: Standing,
    typed_from: (u16, u16),
    running: Option<(String, SystemTime)>,
    /// To be told when it may be: whole lines.
    to_tell: VecDeque<String>,
    to_type: VecDeque<(String, String)>,
    /// What the block that was typed has come to so far.
    typed: Option<Finished>,
    happened: VecDeque<Happened>,
    quiet_from: Instant,
    /// When the command that runs is told of, where it has printed more.
    print_at: Option<Instant>,
    /// When the shell is told its true size again.
    back_at: Option<Instant>,
    rows: u16,
    columns: u16,
}

impl LearnerShell {
    /// Makes the terminal raw and starts the shell.
    pub fn start(settings: LearnerSettings) -> io::Result<Self> {
        let word: String = uuid::Uuid::new_v4().simple().to_string();
        let (rows, columns) = size();
        let rc = settings.dir.join("rc");
        let text = Rc {
            word: &word,
            env: &settings.env,
            path_prefix: &settings.path_prefix,
            label: &settings.dir.join("label"),
            command: &settings.dir.join("command"),
            kubeconfig: &settings.dir.join("kubeconfig"),
            completer: &settings.completer,
            color: settings.screen.color,
        }
        .text();
        write_private(&rc, &text)?;
        write_private(&settings.dir.join("label"), &format!("{}\n", settings.label))?;
        let mut command = CommandBuilder::new("bash");
        command.args(["--rcfile".as_ref(), rc.as_os_str(), "-i".as_ref()]);
        command.cwd(&settings.cwd);
        command.env_clear();
        for (name, value) in environment(std::env::vars_os(), &settings.env) {
            command.env(name, value);
        }
        if !settings.screen.is_terminal {
            // Nobody redraws a line there.
            command.env("TERM", "dumb");
        }
        let echo = raw::settings().map_or(Echo::AsTheShellSets, |modes| Echo::Like(Box::new(modes)));
        let io = shell_on_pty(&settings.guard, command, rows, columns, echo)?;
        let raw = if settings.screen.is_terminal { Some(Raw::enter(settings.cancel.clone())?) } else { None };
        Ok(Self {
            input: io.input,
            output: io.output,
            control: io.control,
            keys: keys(),
            typed_ahead: VecDeque::new(),
            is_input_over: false,
            resized: signal(SignalKind::window_change())?,
            stopped: signal(SignalKind::from_raw(nix::sys::signal::Signal::SIGTSTP as i32))?,
            marks: Marks::new(&word, rows),
            without_marks: WithoutMarks::default(),
            settings,
            raw,
            phase: Phase::Between,
            held: Vec::new(),
            standing: Standing::new(columns),
            typed_from: (0, 0),
            running: None,
            to_tell: VecDeque::new(),
            to_type: VecDeque::new(),
            typed: None,
            happened: VecDeque::new(),
            quiet_from: Instant::now(),
            print_at: None,
            back_at: None,
            rows,
            columns,
        })
    }

    /// What stands before each prompt from the next one on.
    pub fn label(&self, label: &str) -> io::Result<()> {
        // A shell reads it meanwhile: it finds the one or the other.
        let (new, file) = (self.settings.dir.join("label.new"), self.settings.dir.join("label"));
        write_private(&new, &format!("{label}\n"))?;
        std::fs::rename(new, file)
    }

    pub fn columns(&self) -> usize {
        usize::from(self.columns)
    }

    /// Whether lines are told at once, above the prompt that stands.
    pub fn takes_lines(&self) -> bool {
        self.phase == Phase::Typing && !self.settings.screen.is_plain
    }

    /// Lines for the person: before the next prompt, or at once above the one that stands.
    pub fn tell(&mut self, lines: impl IntoIterator<Item = String>) {
        self.to_tell.extend(lines);
        self.quiet_from = self.quiet_from.min(Instant::now() + QUIET);
    }

    /// Types a block, for everybody to see, as soon as the prompt stands.
    pub fn type_block(&mut self, name: String, text: String) {
        self.to_type.push_back((name, text));
        self.quiet_from = self.quiet_from.min(Instant::now() + QUIET);
    }

    /// Lets the prompt come, after what there is to tell.
    pub fn go_on(&mut self) -> io::Result<()> {
        if self.phase == Phase::Held {
            let mut text = String::new();
            let line_end = if self.raw.is_some() { "\r\n" } else { "\n" };
            for line in self.to_tell.drain(..) {
                text.push_str(&line);
                text.push_str(line_end);
            }
            show(text.as_bytes())?;
            self.phase = Phase::Prompting;
            let held = std::mem::take(&mut self.held);
            self.take_output(&held)?;
        }
        Ok(())
    }

    /// Passes everything on until something happens. Dropped half-way, nothing is lost.
    pub async fn next(&mut self) -> io::Result<Happened> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            if let Some(happened) = self.happened.pop_front() {
                return Ok(happened);
            }
            let is_due = self.has_due();
            let back_at = self.back_at.unwrap_or_else(Instant::now);
            let print_at = self.print_at.unwrap_or_else(Instant::now);
            let cancel = self.settings.cancel.clone();
            tokio::select! {
                () = cancel.cancelled() => return Ok(Happened::Cancelled),
                read = self.output.read(&mut buffer) => match read {
                    Ok(count @ 1..) => self.take_output(&buffer[..count])?,
                    _ => return Ok(Happened::Left),
                },
                keys = self.keys.recv(), if !self.is_input_over => match keys {
                    Some(keys) if self.settings.screen.is_terminal => self.input.write_all(&keys).await?,
                    Some(keys) => self.typed_ahead.extend(keys),
                    None => self.is_input_over = true,
                },
                Some(()) = self.resized.recv() => self.resize().await?,
                Some(()) = self.stopped.recv() => self.stop().await?,
                () = sleep_until(self.quiet_from), if is_due => self.do_due().await?,
                () = sleep_until(back_at), if self.back_at.is_some() => {
                    self.back_at = None;
                    self.resize().await?;
                }
                () = sleep_until(print_at), if self.print_at.is_some() => {
                    self.print_at = None;
                    let printed = self.printed();
                    self.happened.extend(printed);
                }
            }
        }
    }

    /// Something waits for a quiet prompt.
    fn has_due(&self) -> bool {
        self.phase == Phase::Typing
            && (!self.to_type.is_empty()
                || !self.to_tell.is_empty() && !self.settings.screen.is_plain
                || !self.typed_ahead.is_empty()
                || self.is_input_over)
    }

    async fn do_due(&mut self) -> io::Result<()> {
        // What cannot be put in now is told before the next prompt; it is not tried again before more was printed.
        self.quiet_from = Instant::now() + Duration::from_secs(3600);
        if !self.to_tell.is_empty() && !self.settings.screen.is_plain {
            let lines: Vec<String> = self.to_tell.iter().cloned().collect();
            if let Some(text) = self.standing.insert(&lines, self.rows) {
                self.to_tell.clear();
                show(text.as_bytes())?;
            }
        }
        if let Some((name, text)) = self.to_type.pop_front() {
            let now = SystemTime::now();
            self.typed = Some(Finished {
                text: text.clone(),
                status: 0,
                output: String::new(),
                is_cut: false,
                began: now,
                ended: now,
                block: Some(name),
                kubeconfig: None,
            });
            // As one paste: so that no line of it is taken by a command that reads its input.
            let paste = format!("\x1b[200~{}\x1b[201~\r", text.trim_end());
            self.input.write_all(paste.as_bytes()).await?;
        } else if let Some(line) = self.next_line() {
            self.quiet_from = Instant::now() + NEXT_LINE;
            self.input.write_all(&line).await?;
        }
        Ok(())
    }

    /// Without a terminal each line waits for a prompt, so that no command takes what is meant for the shell; and the
    /// input's end is Ctrl-D.
    fn next_line(&mut self) -> Option<Vec<u8>> {
        let end = self.typed_ahead.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        match end {
            Some(end) => Some(self.typed_ahead.drain(..end).collect()),
            None if !self.is_input_over => None,
            None if self.typed_ahead.is_empty() => Some(b"\x04".to_vec()),
            None => Some(self.typed_ahead.drain(..).chain(*b"\n").collect()),
        }
    }

    fn take_output(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.quiet_from = Instant::now() + QUIET;
        while !bytes.is_empty() {
            if self.phase == Phase::Held {
                self.held.extend_from_slice(bytes);
                return Ok(());
            }
            let (taken, mark) = self.marks.feed(bytes);
            let (now, rest) = bytes.split_at(taken);
            self.show_output(now)?;
            match self.phase {
                Phase::Prompting | Phase::Typing => self.standing.feed(now),
                Phase::Running if !now.is_empty() && self.print_at.is_none() => {
                    self.print_at = Some(Instant::now() + PRINTED);
                }
                _ => {}
            }
            bytes = rest;
            if let Some(mark) = mark {
                self.marked(mark);
            }
        }
        Ok(())
    }

    /// Byte for byte to a terminal; elsewhere without the marks, which only terminals hide.
    fn show_output(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.raw.is_some() {
            return show(bytes);
        }
        show(&self.without_marks.filter(bytes))
    }

    fn marked(&mut self, mark: Mark) {
        match (mark, self.phase) {
            (Mark::PromptBegins, Phase::Between) => {
                self.standing = Standing::new(self.columns);
                self.phase = Phase::Held;
                if let Some(typed) = self.typed.take() {
                    self.happened.push_back(Happened::Finished(typed));
                }
                self.happened.push_back(Happened::Prompt);
            }
            // Drawn again: after a list of completions, a cleared screen, a new size.
            (Mark::PromptBegins, _) => self.standing.begin(),
            (Mark::PromptEnds, Phase::Prompting | Phase::Typing) => {
                self.phase = Phase::Typing;
                self.typed_from = self.standing.place();
            }
            // The next command of several that were pasted: the prompt comes after the last.
            (Mark::CommandBegins, Phase::Running) => {
                let next = self.command_text(String::new());
                let is_new = |text: &str| !squeezed(text).contains(&squeezed(&next));
                if let Some((text, _)) = self.running.as_mut().filter(|(text, _)| is_new(text)) {
                    text.push('\n');
                    text.push_str(&next);
                }
            }
            (Mark::CommandBegins, _) => {
                let typed = self.standing.text_from(self.typed_from);
                self.running = Some((self.command_text(typed), SystemTime::now()));
                self.marks.begin_recording();
                self.phase = Phase::Running;
            }
            (Mark::CommandEnds(status), _) => {
                self.print_at = None;
                if let Some((text, began)) = self.running.take() {
                    self.finished(text, began, status);
                }
                self.phase = Phase::Between;
            }
            (Mark::PromptEnds, _) => {}
        }
    }

    /// As it stands on the screen, where that begins with what the history has: the history joins the lines of one
    /// command. Else, where the person redraws the line or hides it, as the history has it.
    fn command_text(&self, on_screen: String) -> String {
        let file = self.settings.dir.join("command");
        let told = std::fs::read_to_string(&file).ok().and_then(|text| from_history(&text));
        let Some(told) = told else { return on_screen };
        let without_ps2 = on_screen.replace("\n> ", "\n");
        let as_typed = [&on_screen, &without_ps2].into_iter().find(|text| squeezed(text).starts_with(&squeezed(&told)));
        match as_typed {
            Some(text) => text.clone(),
            None if on_screen.is_empty() || first_word(&on_screen) == first_word(&told) => told,
            // A command that is kept out of the history.
            None => on_screen,
        }
    }

    fn printed(&mut self) -> Option<Happened> {
        let (text, began) = self.running.clone()?;
        let (output, is_cut) = self.marks.recorded().filter(|(output, _)| output.len() as u64 <= MUCH)?;
        let block = self.typed.as_ref().and_then(|typed| typed.block.clone());
        let ended = SystemTime::now();
        let kubeconfig = None;
        Some(Happened::Printed(Finished { text, status: 0, output, is_cut, began, ended, block, kubeconfig }))
    }

    fn finished(&mut self, text: String, began: SystemTime, status: i32) {
        let (output, is_cut) = self.marks.end_recording();
        let ended = SystemTime::now();
        let kubeconfig = std::fs::read_to_string(self.settings.dir.join("kubeconfig")).ok();
        match &mut self.typed {
            Some(typed) => {
                typed.kubeconfig = kubeconfig;
                typed.output.push_str(&output);
                typed.is_cut |= is_cut;
                typed.ended = ended;
                if typed.status == 0 {
                    typed.status = status;
                }
            }
            None => self.happened.push_back(Happened::Finished(Finished {
                text,
                status,
                output,
                is_cut,
                began,
                ended,
                block: None,
                kubeconfig,
            })),
        }
    }

    async fn resize(&mut self) -> io::Result<()> {
        (self.rows, self.columns) = size();
        self.standing.resize(self.columns);
        self.control.resize(self.rows, self.columns).await
    }

    /// Ctrl-Z from outside: the terminal is given back until we go on.
    async fn stop(&mut self) -> io::Result<()> {
        self.raw = None;
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP)?;
        if self.settings.screen.is_terminal {
            self.raw = Some(Raw::enter(self.settings.cancel.clone())?);
        }
        // Another size and soon back, so that whatever runs there draws itself again.
        self.back_at = Some(Instant::now() + ANOTHER_SIZE);
        self.control.resize(self.rows, self.columns.saturating_sub(1).max(1)).await
    }

    /// Ends the shell with all that runs in it, and gives the terminal back.
    pub async fn end(mut self) -> mpsc::Receiver<Vec<u8>> {
        // What does not go now goes at the run's end.
        drop(self.control.kill().await);
        let mut rest = Vec::new();
        drop(tokio::time::timeout(LAST_WORDS, self.output.read_to_end(&mut rest)).await);
        if self.marks.is_full_screen() {
            drop(show(b"\x1b[?1049l"));
        }
        self.raw = None;
        self.keys
    }
}

fn first_word(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

/// Without what the history puts in the place of line ends.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != ';').collect()
}

fn size() -> (u16, u16) {
    console::Term::stdout()
        .size_checked()
        .filter(|(rows, columns)| *rows > 0 && *columns > 0)
        .unwrap_or((ROWS_UNKNOWN, COLUMNS_UNKNOWN))
}

fn show(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn write_private(path: &std::path::Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// What is typed, until the input ends. A read cannot be called off: a thread of its own waits in it.
fn keys() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 4096];
        loop {
            match io::stdin().read(&mut buffer) {
                Ok(count @ 1..) => {
                    if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    });
    receiver
}
