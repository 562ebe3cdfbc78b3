//! The pump between the person's terminal and their bash, and the lines of ours between its commands.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::above::folded;
use super::commands::{Began, Finished};
use super::marks::WithoutMarks;
use super::raw::{self, Raw};
use super::recorded::{QUIET, RecordedSettings, RecordedShell, ShellEvent, ShellSettings};
use owned_processes::Echo;

/// A line that is not complete is followed by the next.
const NEXT_LINE: Duration = Duration::from_millis(50);
/// Sizes that follow each other faster are taken for one.
const ANOTHER_SIZE: Duration = Duration::from_millis(100);
/// Keys that wait for the shell, before no more are read from the terminal.
const TYPED_AHEAD: usize = 64 << 10;
const ROWS_UNKNOWN: u16 = 24;
const COLUMNS_UNKNOWN: u16 = 80;

pub struct LearnerSettings {
    pub shell: ShellSettings,
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

#[derive(Debug)]
pub enum Happened {
    Began(Began),
    Finished(Finished),
    /// A command that runs on has printed more.
    Printed(Finished),
    /// The next prompt is there, and held back until [`LearnerShell::go_on`].
    Prompt,
    /// The shell has ended.
    Left,
    /// The run was asked to end.
    Cancelled,
}

pub struct LearnerShell {
    shell: RecordedShell,
    keys: mpsc::Receiver<Vec<u8>>,
    /// What a pipe gave, until the prompt stands.
    typed_ahead: VecDeque<u8>,
    is_input_over: bool,
    resized: Signal,
    stopped: Signal,
    screen: Screen,
    cancel: CancellationToken,
    without_marks: WithoutMarks,
    raw: Option<Raw>,
    /// The prompt is held back.
    is_held: bool,
    /// Whole lines, to be shown when they may be.
    lines: VecDeque<String>,
    /// When the terminal is quiet enough for lines of ours, or for the next line of a pipe.
    quiet_from: Instant,
    /// When the shell gets its true size again.
    back_at: Option<Instant>,
    rows: u16,
    columns: u16,
}

impl LearnerShell {
    /// Makes the terminal raw and starts the shell.
    pub fn start(settings: LearnerSettings) -> io::Result<Self> {
        let LearnerSettings { shell, screen, cancel } = settings;
        let (rows, columns) = size();
        let echo = raw::settings().map_or(Echo::AsTheShellSets, |modes| Echo::Like(Box::new(modes)));
        // Without a terminal nobody redraws a line.
        let term = (!screen.is_terminal).then(|| "dumb".to_owned());
        let color = screen.color;
        let shell = RecordedShell::start(RecordedSettings { shell, color, term, rows, columns, echo })?;
        let raw = if screen.is_terminal { Some(Raw::enter(cancel.clone())?) } else { None };
        Ok(Self {
            shell,
            keys: keys(),
            typed_ahead: VecDeque::new(),
            is_input_over: false,
            resized: signal(SignalKind::window_change())?,
            stopped: signal(SignalKind::from_raw(nix::sys::signal::Signal::SIGTSTP as i32))?,
            screen,
            cancel,
            without_marks: WithoutMarks::default(),
            raw,
            is_held: false,
            lines: VecDeque::new(),
            quiet_from: Instant::now(),
            back_at: None,
            rows,
            columns,
        })
    }

    /// What stands before each prompt from the next one on.
    pub fn set_label(&self, label: &str) -> io::Result<()> {
        self.shell.set_label(label)
    }

    pub fn columns(&self) -> usize {
        usize::from(self.columns)
    }

    /// Whether lines are shown at once, above the prompt that stands.
    pub fn takes_lines(&self) -> bool {
        self.is_typing() && !self.screen.is_plain
    }

    fn is_typing(&self) -> bool {
        self.shell.is_typing() && !self.is_held
    }

    /// Lines for the person: before the next prompt, or at once above the one that stands.
    pub fn show_lines(&mut self, lines: impl IntoIterator<Item = String>) {
        self.lines.extend(lines);
        self.quiet_from = self.quiet_from.min(Instant::now() + QUIET);
    }

    /// Types a block, for everybody to see, as soon as the prompt stands.
    pub fn type_block(&mut self, name: String, text: String) {
        self.shell.type_block(name, text);
    }

    /// Lets the prompt come, after the lines that wait for it.
    pub fn go_on(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_held) {
            let line_end = if self.raw.is_some() { "\r\n" } else { "\n" };
            let text: String = self.lines.drain(..).flat_map(|line| [line, line_end.to_owned()]).collect();
            show(text.as_bytes())?;
        }
        Ok(())
    }

    /// Passes everything on until something happens. Dropped half-way, nothing is lost.
    pub async fn next(&mut self) -> io::Result<Happened> {
        loop {
            let is_due = self.has_due();
            let back_at = self.back_at.unwrap_or_else(Instant::now);
            let takes_keys = !self.is_input_over && self.shell.unread() < TYPED_AHEAD;
            tokio::select! {
                () = self.cancel.cancelled() => return Ok(Happened::Cancelled),
                event = self.shell.next(), if !self.is_held => match event? {
                    ShellEvent::Output(bytes) => {
                        self.quiet_from = Instant::now() + QUIET;
                        self.show_output(&bytes)?;
                    }
                    ShellEvent::Began(began) => return Ok(Happened::Began(began)),
                    ShellEvent::Finished(finished) => return Ok(Happened::Finished(finished)),
                    ShellEvent::Printed(printed) => return Ok(Happened::Printed(printed)),
                    ShellEvent::Prompt => {
                        self.is_held = true;
                        return Ok(Happened::Prompt);
                    }
                    ShellEvent::Left => return Ok(Happened::Left),
                },
                keys = self.keys.recv(), if takes_keys => match keys {
                    Some(keys) if self.screen.is_terminal => self.shell.write(&keys),
                    Some(keys) => self.typed_ahead.extend(keys),
                    None => self.is_input_over = true,
                },
                Some(()) = self.resized.recv() => self.resize().await?,
                Some(()) = self.stopped.recv() => self.stop().await?,
                () = sleep_until(self.quiet_from), if is_due => self.do_due()?,
                () = sleep_until(back_at), if self.back_at.is_some() => {
                    self.back_at = None;
                    self.resize().await?;
                }
            }
        }
    }

    /// Something waits for a quiet prompt.
    fn has_due(&self) -> bool {
        let has_lines = !self.lines.is_empty() && !self.screen.is_plain;
        self.is_typing() && (has_lines || !self.typed_ahead.is_empty() || self.is_input_over)
    }

    fn do_due(&mut self) -> io::Result<()> {
        // What cannot be put in now is shown before the next prompt; it is not tried again before more was printed.
        self.quiet_from = Instant::now() + Duration::from_secs(3600);
        if !self.lines.is_empty() && !self.screen.is_plain {
            let columns = self.columns();
            let lines: Vec<String> = self.lines.iter().flat_map(|line| folded(line, columns)).collect();
            if let Some(text) = self.shell.standing().insert(&lines, self.rows) {
                self.lines.clear();
                show(text.as_bytes())?;
            }
        }
        if let Some(line) = self.next_line() {
            self.quiet_from = Instant::now() + NEXT_LINE;
            self.shell.write(&line);
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

    /// Byte for byte to a terminal; elsewhere without the marks, which only terminals hide.
    fn show_output(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.raw.is_some() {
            return show(bytes);
        }
        show(&self.without_marks.filter(bytes))
    }

    async fn resize(&mut self) -> io::Result<()> {
        (self.rows, self.columns) = size();
        self.shell.resize(self.rows, self.columns).await
    }

    /// Ctrl-Z from outside: the terminal is given back until we go on.
    async fn stop(&mut self) -> io::Result<()> {
        self.raw = None;
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP)?;
        if self.screen.is_terminal {
            self.raw = Some(Raw::enter(self.cancel.clone())?);
        }
        // Another size and soon back, so that whatever runs there draws itself again.
        self.back_at = Some(Instant::now() + ANOTHER_SIZE);
        self.shell.resize(self.rows, self.columns.saturating_sub(1).max(1)).await
    }

    /// Ends the shell with all that runs in it, and gives the terminal back.
    pub async fn end(self) -> mpsc::Receiver<Vec<u8>> {
        let Self { shell, raw, keys, .. } = self;
        let is_full_screen = shell.is_full_screen();
        shell.end().await;
        if is_full_screen {
            drop(show(b"\x1b[?1049l"));
        }
        drop(raw);
        keys
    }
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
