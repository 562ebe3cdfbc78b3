//! `keywitness decode`: what etcdctl printed, as YAML or JSON, each value as it comes.

mod input;
mod show;

use std::io::{IsTerminal, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::args::DecodedFlags;
use super::error::CliError;
use crate::outcome::Exit;
use input::{Known, Reader, Refused};
use show::Shown;

/// Decode etcd values from standard input
///
/// Standard input is what `etcdctl get` or `etcdctl watch` printed: as it is (with the keys or with
/// --print-value-only, also with --prev-kv and --hex), with `-w json`, `-w fields` or `-w protobuf`, objects that jq
/// took out of `.kvs`, or base64, one value per line or wrapped. Standard output is one document per value, written
/// at once: `etcdctl watch … | keywitness decode` shows each event as it comes.
#[derive(Debug, Args)]
#[command(after_help = "Example: etcdctl get --prefix /registry/pods/ | keywitness decode")]
pub(super) struct DecodeArgs {
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
    #[command(flatten)]
    decoded: DecodedFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Yaml,
    /// One line per value: `key`, `type` of an event, `object`, and `oldObject` with --prev-kv
    Json,
}

const HINT: &str = "try `etcdctl get --prefix /registry/namespaces/ | keywitness decode`";
/// etcdctl prints an event with --prev-kv in several writes; after such a pause it is whole.
const PAUSE: Duration = Duration::from_millis(150);
const CHUNK: usize = 64 << 10;

pub(super) fn main(args: &DecodeArgs) -> Result<Exit, CliError> {
    if std::io::stdin().is_terminal() {
        return Err(CliError::wrong_call("decode reads etcd values from standard input", HINT));
    }
    let pieces = pieces();
    let (mut reader, mut exit, mut shown) = (Reader::default(), Exit::Passed, 0);
    let mut paused = false;
    loop {
        let next = if paused { pieces.recv().map_err(RecvTimeoutError::from) } else { pieces.recv_timeout(PAUSE) };
        let items = match next {
            Ok(Ok(piece)) => {
                paused = false;
                reader.feed(&piece, Known::Part)
            }
            Ok(Err(error)) => {
                return Err(CliError::unavailable(format!("cannot read standard input: {error}"), HINT));
            }
            Err(RecvTimeoutError::Timeout) => {
                paused = true;
                reader.feed(&[], Known::Paused)
            }
            Err(RecvTimeoutError::Disconnected) => {
                let (last, whole) = reader.finish();
                for item in last {
                    if write(args, &item, shown, &mut exit)?.is_none() {
                        break;
                    }
                    shown += 1;
                }
                return whole.map(|()| exit).map_err(wrong);
            }
        };
        for item in items.map_err(wrong)? {
            if write(args, &item, shown, &mut exit)?.is_none() {
                return Ok(exit);
            }
            shown += 1;
        }
    }
}

fn wrong(refused: Refused) -> CliError {
    CliError::wrong_call(refused.message, refused.hint)
}

/// Standard input as it comes, read beside what is written.
fn pieces() -> Receiver<std::io::Result<Vec<u8>>> {
    let (send, receive) = sync_channel(16);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = vec![0; CHUNK];
        loop {
            let piece = match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => Ok(buffer[..count].to_vec()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let ends = piece.is_err();
            if send.send(piece).is_err() || ends {
                return;
            }
        }
    });
    receive
}

/// Writes one item at once; nothing where nobody reads any more.
fn write(args: &DecodeArgs, item: &input::Item, at: usize, exit: &mut Exit) -> Result<Option<()>, CliError> {
    let Shown { out, notes, decoded } = show::item(args, item, at);
    if !decoded {
        *exit = Exit::CannotJudge;
    }
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush()) {
        // Who reads on has seen enough (`| head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(None),
        result => result.map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?,
    }
    // With stderr gone the documents have still been written.
    drop(std::io::stderr().write_all(notes.as_bytes()));
    Ok(Some(()))
}
