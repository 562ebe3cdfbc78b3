//! A learner's bash on a PTY whose commands are known, without a screen: whoever has one shows what it prints, in a
//! terminal of this machine or in a page.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use portable_pty::CommandBuilder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use super::above::Standing;
use super::commands::{Began, Commands, Finished, Noted};
use super::environment::environment;
use super::rc::{Files, Rc, write_private};
use owned_processes::{Echo, Guard, ShellControl, shell_on_pty};

/// Without output for so long no escape sequence is half-way, and a prompt is whole.
pub(super) const QUIET: Duration = Duration::from_millis(5);
/// How often a command that runs on is reported, at most.
const PRINTED: Duration = Duration::from_millis(250);
/// A shell's last words come with its end or shortly after.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How a terminal begins what is pasted.
const PASTE: &[u8] = b"\x1b[200~";
/// Bytes that are read at once.
const READ: usize = 16 << 10;

/// What a learner's shell is started with, wherever it is shown.
pub struct ShellSettings {
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
}

pub struct RecordedSettings {
    pub shell: ShellSettings,
    pub color: bool,
    /// TERM, where it is not that of this process.
    pub term: Option<String>,
    pub rows: u16,
    pub columns: u16,
    pub echo: Echo,
}

/// What a shell does, in order.
#[derive(Debug)]
pub enum ShellEvent {
    /// Bytes for whoever looks on.
    Output(Vec<u8>),
    Began(Began),
    Finished(Finished),
    /// A command that runs on has printed more.
    Printed(Finished),
    /// All that a command printed has come, and the next prompt begins.
    Prompt,
    /// The shell has ended.
    Left,
}

pub struct RecordedShell {
    input: Box<dyn AsyncWrite + Send + Unpin>,
    output: Box<dyn AsyncRead + Send + Unpin>,
    control: Box<dyn ShellControl>,
    files: Files,
    commands: Commands,
    events: VecDeque<ShellEvent>,
    /// Read, and not taken in yet.
    read: Vec<u8>,
    buffer: Vec<u8>,
    /// Typed, and not taken by the shell yet.
    written: VecDeque<u8>,
    /// Blocks to type when a prompt stands: each with its name.
    blocks: VecDeque<(String, String)>,
    /// Enter was pressed at the prompt, and what came of it is not known yet: what is typed now may be read by a command.
    is_entered: bool,
    quiet_from: Instant,
    /// When the command that runs is reported, where it has printed more.
    print_at: Option<Instant>,
}

impl RecordedShell {
    pub fn start(settings: RecordedSettings) -> io::Result<Self> {
        let RecordedSettings { shell, color, term, rows, columns, echo } = settings;
        let ShellSettings { guard, dir, cwd, env, path_prefix, completer, label } = shell;
        let word: String = uuid::Uuid::new_v4().simple().to_string();
        let files = Files::of(dir.clone());
        let text =
            Rc { word: &word, env: &env, path_prefix: &path_prefix, files: &files, completer: &completer, color }
                .text();
        write_private(&files.rc(), &text)?;
        files.set_label(&label)?;
        let mut command = CommandBuilder::new("bash");
        command.args(["--rcfile".as_ref(), files.rc().as_os_str(), "-i".as_ref()]);
        command.cwd(&cwd);
        command.env_clear();
        for (name, value) in environment(std::env::vars_os(), &env) {
            command.env(name, value);
        }
        if let Some(term) = &term {
            command.env("TERM", term);
        }
        let io = shell_on_pty(&guard, command, rows, columns, echo)?;
        Ok(Self {
            input: io.input,
            output: io.output,
            control: io.control,
            commands: Commands::new(dir, &word, rows, columns),
            files,
            events: VecDeque::new(),
            read: Vec::new(),
            buffer: vec![0; READ],
            written: VecDeque::new(),
            blocks: VecDeque::new(),
            is_entered: false,
            quiet_from: Instant::now(),
            print_at: None,
        })
    }

    /// What happens next. Dropped half-way, nothing is lost; while nobody calls it the shell waits with its output.
    pub async fn next(&mut self) -> io::Result<ShellEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if !self.read.is_empty() {
                self.take_read();
                continue;
            }
            let types = self.commands.is_typing() && !self.blocks.is_empty() && !self.is_entered;
            let print_at = self.print_at.unwrap_or_else(Instant::now);
            let (first, _) = self.written.as_slices();
            tokio::select! {
                read = self.output.read(&mut self.buffer) => match read {
                    Ok(count @ 1..) => {
                        self.quiet_from = Instant::now() + QUIET;
                        self.read.extend_from_slice(&self.buffer[..count]);
                    }
                    _ => return Ok(ShellEvent::Left),
                },
                written = self.input.write(first), if !first.is_empty() => match written {
                    Ok(count @ 1..) => drop(self.written.drain(..count)),
                    // Nobody reads it any more, which the output's end will say.
                    _ => self.written.clear(),
                },
                () = sleep_until(self.quiet_from), if types => self.type_next(),
                () = sleep_until(print_at), if self.print_at.is_some() => {
                    self.print_at = None;
                    self.events.extend(self.commands.printed().map(ShellEvent::Printed));
                }
            }
        }
    }

    /// Up to the next mark, and what that mark means.
    fn take_read(&mut self) {
        let mut noted = VecDeque::new();
        let taken = self.commands.feed(&self.read, &mut noted);
        let rest = self.read.split_off(taken);
        self.events.push_back(ShellEvent::Output(std::mem::replace(&mut self.read, rest)));
        self.is_entered &= noted.is_empty();
        for noted in noted {
            self.events.push_back(match noted {
                Noted::Began(began) => ShellEvent::Began(began),
                Noted::Finished(finished) => ShellEvent::Finished(finished),
                Noted::Prompt => ShellEvent::Prompt,
            });
        }
        self.print_at = match self.print_at {
            _ if !self.commands.has_printed() => None,
            None => Some(Instant::now() + PRINTED),
            known => known,
        };
    }

    /// As one paste: so that no line of it is taken by a command that reads its input.
    fn type_next(&mut self) {
        let Some((name, text)) = self.blocks.pop_front() else { return };
        self.write(&[PASTE, text.trim_end().as_bytes(), b"\x1b[201~\r"].concat());
        self.commands.types_block(name, text);
        self.is_entered = true;
    }

    /// What a person types. It goes to the shell while somebody calls [`Self::next`].
    pub fn write(&mut self, bytes: &[u8]) {
        let has_enter = bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n'));
        // What is pasted waits for Enter.
        self.is_entered |= has_enter && self.commands.is_typing() && !bytes.starts_with(PASTE);
        self.written.extend(bytes);
    }

    /// Bytes that were typed and that nothing in the shell has taken yet.
    pub fn unread(&self) -> usize {
        self.written.len()
    }

    /// Types a block of the lab, for everybody to see, as soon as a prompt stands.
    pub fn type_block(&mut self, name: String, text: String) {
        self.blocks.push_back((name, text));
    }

    /// What stands before each prompt from the next one on.
    pub fn set_label(&self, label: &str) -> io::Result<()> {
        self.files.set_label(label)
    }

    /// A prompt stands, and what comes is typed.
    pub fn is_typing(&self) -> bool {
        self.commands.is_typing()
    }

    /// A program draws the whole screen.
    pub fn is_full_screen(&self) -> bool {
        self.commands.is_full_screen()
    }

    pub async fn resize(&mut self, rows: u16, columns: u16) -> io::Result<()> {
        self.commands.resize(columns);
        self.control.resize(rows, columns).await
    }

    /// SIGKILL to what runs in the shell's foreground; false where nothing does.
    pub async fn kill_foreground(&mut self) -> io::Result<bool> {
        self.control.kill_foreground().await
    }

    /// Ends the shell with all that runs in it.
    pub async fn end(mut self) {
        // What does not go now goes at the run's end.
        drop(self.control.kill().await);
        let mut rest = Vec::new();
        drop(timeout(LAST_WORDS, self.output.read_to_end(&mut rest)).await);
    }

    /// What is on the screen since the prompt began.
    pub(super) fn standing(&self) -> &Standing {
        self.commands.standing()
    }
}

#[cfg(test)]
mod tests {
    use owned_processes::GuardSettings;

    use super::*;

    /// What is waited for on a busy machine.
    const SOON: Duration = Duration::from_secs(60);

    async fn until(shell: &mut RecordedShell, wanted: impl Fn(&RecordedShell, &ShellEvent) -> bool) -> ShellEvent {
        timeout(SOON, async {
            loop {
                let event = shell.next().await.expect("the shell goes on");
                if wanted(shell, &event) {
                    return event;
                }
            }
        })
        .await
        .expect("it comes")
    }

    #[tokio::test]
    async fn a_block_is_no_input_of_the_command_that_was_entered_just_before() {
        let dir = tempfile::tempdir().expect("a folder");
        let parents = vec![dir.path().to_owned()];
        let guard = Guard::start(GuardSettings { watchdog: None, grace: Duration::from_secs(1), parents });
        let shell = ShellSettings {
            guard: guard.expect("a guard"),
            dir: dir.path().to_owned(),
            cwd: dir.path().to_owned(),
            env: vec![("HOME".to_owned(), dir.path().display().to_string())],
            path_prefix: Vec::new(),
            completer: "true".to_owned(),
            label: String::new(),
        };
        let echo = Echo::AsTheShellSets;
        let settings =
            RecordedSettings { shell, color: false, term: Some("xterm".into()), rows: 24, columns: 80, echo };
        let mut shell = RecordedShell::start(settings).expect("a shell");
        until(&mut shell, |shell, _| shell.is_typing()).await;

        shell.write(b"read -r answer; echo got=$answer\r");
        shell.type_block("block".to_owned(), "echo from the block".to_owned());
        until(&mut shell, |_, event| matches!(event, ShellEvent::Began(_))).await;
        shell.write(b"mine\r");
        let finished = |_: &RecordedShell, event: &ShellEvent| matches!(event, ShellEvent::Finished(_));
        let ShellEvent::Finished(read) = until(&mut shell, finished).await else { unreachable!() };
        assert!(read.output.contains("got=mine"), "{read:?}");
        let ShellEvent::Finished(block) = until(&mut shell, finished).await else { unreachable!() };
        assert_eq!((block.block.as_deref(), block.output.as_str()), (Some("block"), "from the block\n"));
        shell.end().await;
    }
}
