//! The sandbox's node is this machine: a bash here, on a PTY of its own.

use std::io::{self, Read, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;

use crate::guard::{Guard, Owned, ShellControl, ShellIo};

pub(super) fn open(guard: &Guard, kubeconfig: &Path, rows: u16, columns: u16) -> io::Result<ShellIo> {
    let pair = native_pty_system().openpty(size(rows, columns)).map_err(io::Error::other)?;
    let mut command = CommandBuilder::new("bash");
    command.args(["--noprofile", "--norc", "--noediting", "-i"]);
    // etcd and etcdctl read every ETCD_* and ETCDCTL_* of the runner's own.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("ETCD_") || text.starts_with("ETCDCTL_") {
            command.env_remove(name);
        }
    }
    command.env("KUBECONFIG", kubeconfig);
    let (name, value) = guard.marker();
    command.env(name, value);
    let child = pair.slave.spawn_command(command).map_err(io::Error::other)?;
    drop(pair.slave);
    let session = child.process_id().and_then(|id| i32::try_from(id).ok()).ok_or_else(|| io::Error::other("no pid"))?;
    guard.record(Owned::Session(session))?;
    let reader = pair.master.try_clone_reader().map_err(io::Error::other)?;
    let writer = pair.master.take_writer().map_err(io::Error::other)?;
    Ok(ShellIo {
        input: Box::new(Keys::start(writer)),
        output: Box::new(StreamReader::new(ReceiverStream::new(read_all(reader)))),
        control: Box::new(Control {
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

/// portable-pty's ends block, so that a thread waits on each.
fn read_all(mut reader: Box<dyn Read + Send>) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(32);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            if sender.blocking_send(Ok(Bytes::copy_from_slice(&buffer[..count]))).is_err() {
                return;
            }
        }
    });
    receiver
}

struct Keys(mpsc::UnboundedSender<Vec<u8>>);

impl Keys {
    fn start(mut writer: Box<dyn Write + Send>) -> Self {
        let (keys, mut typed) = mpsc::unbounded_channel::<Vec<u8>>();
        std::thread::spawn(move || {
            while let Some(bytes) = typed.blocking_recv() {
                if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
                    return;
                }
            }
        });
        Self(keys)
    }
}

impl AsyncWrite for Keys {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        Poll::Ready(self.0.send(bytes.to_vec()).map(|()| bytes.len()).map_err(gone))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Control {
    master: Mutex<Box<dyn MasterPty + Send>>,
    child: Mutex<Box<dyn Child + Send + Sync>>,
    guard: Guard,
    session: i32,
}

#[async_trait::async_trait]
impl ShellControl for Control {
    async fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        master.resize(size(rows, columns)).map_err(io::Error::other)
    }

    async fn kill(&self) -> io::Result<()> {
        self.guard.end_session(self.session).await;
        self.try_wait().await.map(drop)
    }

    async fn try_wait(&self) -> io::Result<Option<i32>> {
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?;
        Ok(status.map(|status| i32::try_from(status.exit_code()).unwrap_or(i32::MAX)))
    }
}
