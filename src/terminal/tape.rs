//! What a shell printed, as it comes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::recorder::Recorder;

/// A block that prints more than is kept is slowed down, so that `yes` does not take the machine.
const FULL_SPEED: u64 = 16 << 20;
const SLOWED_PER: usize = 64 << 10;
const SLOWED_BY: Duration = Duration::from_millis(10);

/// What a shell printed, with a bell for those who wait for more.
pub(super) struct Tape {
    recorder: Mutex<Recorder>,
    pub(super) news: Notify,
}

impl Tape {
    pub(super) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies the shell's output until the shell is gone.
    pub(super) fn play(output: Box<dyn AsyncRead + Send + Unpin>, recorder: Recorder) -> Arc<Self> {
        let tape = Arc::new(Self { recorder: Mutex::new(recorder), news: Notify::new() });
        tokio::spawn(play(output, Arc::clone(&tape)));
        tape
    }
}

async fn play(mut output: Box<dyn AsyncRead + Send + Unpin>, tape: Arc<Tape>) {
    let mut buffer = vec![0; 64 << 10];
    let mut unslowed = 0;
    while let Ok(count @ 1..) = output.read(&mut buffer).await {
        let printed = {
            let mut recorder = tape.recorder();
            recorder.feed(&buffer[..count]);
            recorder.printed()
        };
        tape.news.notify_waiters();
        unslowed += count;
        if unslowed >= SLOWED_PER {
            unslowed = 0;
            if printed > FULL_SPEED {
                sleep(SLOWED_BY).await;
            }
        }
    }
    tape.recorder().close();
    tape.news.notify_waiters();
}
