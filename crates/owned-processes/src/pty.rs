//! A shell on a PTY of this machine.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, killpg};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;

use super::{Guard, Owned, ShellControl, ShellIo};

/// Reads waiting to be looked at: a program that prints without end is held up by this.
const READ_AHEAD: usize = 32;

/// Whether what is typed comes back in the shell's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echo {
    /// As the shell sets it.
    AsTheShellSets,
    /// As on another terminal, with all its other settings.
    Like(Box<Termios>),
    /// Never, whatever a command does to the terminal's settings.
    Off,
}

/// Starts a shell on a PTY of this machine, in a session of its own that ends with the run.
pub fn shell_on_pty(
    guard: &Guard,
    mut command: CommandBuilder,
    rows: u16,
    columns: u16,
    echo: Echo,
) -> io::Result<ShellIo> {
    let pair = native_pty_system().openpty(size(rows, columns)).map_err(io::Error::other)?;
    let mut tty = None;
    if echo != Echo::AsTheShellSets
        && let Some(name) = pair.master.tty_name()
    {
        let opened = OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(name)?;
        match &echo {
            Echo::Like(modes) => tcsetattr(&opened, SetArg::TCSANOW, modes)?,
            _ => tty = Some(opened),
        }
    }
    let silence = Silence { tty };
    silence.keep();
    let (name, value) = guard.marker();
    command.env(name, value);
    let child = pair.slave.spawn_command(command).map_err(io::Error::other)?;
    drop(pair.slave);
    let session = child.process_id().and_then(|id| i32::try_from(id).ok()).ok_or_else(|| io::Error::other("no pid"))?;
    guard.record(Owned::Session(session))?;
    let reader = pair.master.try_clone_reader().map_err(io::Error::other)?;
    let writer = pair.master.take_writer().map_err(io::Error::other)?;
    Ok(ShellIo {
        input: Box::new(Typist::start(writer, silence)),
        output: Box::new(StreamReader::new(ReceiverStream::new(read_all(reader)))),
        control: Box::new(LocalControl {
            master: Mutex::new(pair.master),
            child: Mutex::new(child),
            guard: guard.clone(),
            session,
        }),
    })
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

/// PTYs have no readiness of their own in portable-pty: a thread waits on each.
fn read_all(mut reader: Box<dyn Read + Send>) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        // Linux reports the end of a PTY as an I/O error: either way it is the end.
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            if sender.blocking_send(Ok(Bytes::copy_from_slice(&buffer[..count]))).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Keeps the terminal from echoing; without a terminal it does nothing.
struct Silence {
    tty: Option<File>,
}

impl Silence {
    fn keep(&self) {
        let Some(tty) = &self.tty else { return };
        if let Ok(mut modes) = tcgetattr(tty)
            && modes.local_flags.contains(LocalFlags::ECHO)
        {
            modes.local_flags.remove(LocalFlags::ECHO);
            // An echo is ugly, not wrong.
            let _ = tcsetattr(tty, SetArg::TCSANOW, &modes);
        }
    }
}

/// A write to a PTY blocks when nobody reads there, so that a thread does it.
struct Typist {
    keys: mpsc::UnboundedSender<Vec<u8>>,
}

impl Typist {
    fn start(mut writer: Box<dyn Write + Send>, silence: Silence) -> Self {
        let (keys, mut typed) = mpsc::unbounded_channel::<Vec<u8>>();
        std::thread::spawn(move || {
            while let Some(bytes) = typed.blocking_recv() {
                silence.keep();
                if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
                    return;
                }
            }
        });
        Self { keys }
    }
}

impl AsyncWrite for Typist {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        Poll::Ready(self.keys.send(bytes.to_vec()).map(|()| bytes.len()).map_err(gone))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct LocalControl {
    master: Mutex<Box<dyn MasterPty + Send>>,
    child: Mutex<Box<dyn Child + Send + Sync>>,
    guard: Guard,
    /// Also the shell's pid and its group.
    session: i32,
}

#[async_trait::async_trait]
impl ShellControl for LocalControl {
    async fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        master.resize(size(rows, columns)).map_err(io::Error::other)
    }

    async fn kill(&self) -> io::Result<()> {
        self.guard.end_session(self.session).await;
        // Reaped, so that its number is free only from now on.
        self.try_wait().await.map(drop)
    }

    async fn kill_foreground(&self) -> io::Result<bool> {
        let leader = self.master.lock().unwrap_or_else(PoisonError::into_inner).process_group_leader();
        match leader {
            Some(group) if group != self.session => {
                killpg(Pid::from_raw(group), Signal::SIGKILL)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn foreground(&self) -> Option<i32> {
        self.master.lock().unwrap_or_else(PoisonError::into_inner).process_group_leader()
    }

    async fn try_wait(&self) -> io::Result<Option<i32>> {
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?;
        Ok(status.map(|status| i32::try_from(status.exit_code()).unwrap_or(i32::MAX)))
    }
}
