//! `exec -it`: a program on a pseudo-terminal of its own, as large as the client's.

use std::io::{Read, Write};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::sync::{mpsc, oneshot};

use super::EtcdPod;
use super::channels::{Channels, Sent};

/// Until the client says how large its terminal is.
const SIZE: PtySize = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };

struct Started {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
}

fn start(command: CommandBuilder) -> Result<Started, String> {
    let pair = native_pty_system().openpty(SIZE).map_err(|error| error.to_string())?;
    let child = pair.slave.spawn_command(command).map_err(|error| error.to_string())?;
    // With the slave open here too, its end would never be seen.
    drop(pair.slave);
    let reader = pair.master.try_clone_reader().map_err(|error| error.to_string())?;
    let writer = pair.master.take_writer().map_err(|error| error.to_string())?;
    Ok(Started { master: pair.master, child, reader, writer })
}

pub(super) async fn converse(channels: &mut Channels, command: CommandBuilder, etcd: &EtcdPod) {
    let Started { master, child, reader, writer } = match start(command) {
        Ok(started) => started,
        Err(why) => return channels.fail("InternalError", 500, &format!("Internal error occurred: {why}")).await,
    };
    let mut killer = child.clone_killer();
    let mut output = read_all(reader);
    let keys = write_all(writer);
    let exit = wait(child);
    let mut listening = true;
    loop {
        tokio::select! {
            read = output.recv() => {
                let Some(data) = read else { break };
                if !channels.stdout(&etcd.in_pod(&data)).await {
                    let _ = killer.kill();
                    listening = false;
                }
            }
            sent = channels.receive(), if listening => match sent {
                Sent::Stdin(data) => {
                    // A program that is over reads nothing more.
                    let _ = keys.send(data.to_vec());
                }
                Sent::Resize { rows, columns } => {
                    let _ = master.resize(PtySize { rows, cols: columns, ..SIZE });
                }
                Sent::StdinClosed => {}
                Sent::Gone => {
                    listening = false;
                    let _ = killer.kill();
                }
            }
        }
    }
    channels.exited(exit.await.unwrap_or(1)).await;
}

/// portable-pty's ends block, so that a thread waits on each.
fn read_all(mut reader: Box<dyn Read + Send>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn write_all(mut writer: Box<dyn Write + Send>) -> mpsc::UnboundedSender<Vec<u8>> {
    let (keys, mut typed) = mpsc::unbounded_channel::<Vec<u8>>();
    std::thread::spawn(move || {
        while let Some(bytes) = typed.blocking_recv() {
            if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
                return;
            }
        }
    });
    keys
}

fn wait(mut child: Box<dyn Child + Send + Sync>) -> oneshot::Receiver<i32> {
    let (over, exit) = oneshot::channel();
    std::thread::spawn(move || {
        let code = child.wait().map_or(1, |status| i32::try_from(status.exit_code()).unwrap_or(i32::MAX));
        // The client may be gone by then.
        let _ = over.send(code);
    });
    exit
}
