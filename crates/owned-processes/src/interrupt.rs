//! Ctrl-C, and the other ways to ask a run to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled by the first SIGINT, SIGTERM or SIGHUP. The second ends this process on the spot: the
/// watchdog then does what a normal end would have done.
#[derive(Debug, Clone)]
pub struct Interrupt {
    token: CancellationToken,
}

impl Interrupt {
    /// Must be called inside a tokio runtime.
    pub fn listen() -> io::Result<Self> {
        let mut signals = Vec::new();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            signals.push(signal(kind)?);
        }
        let token = CancellationToken::new();
        for mut stream in signals {
            let token = token.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if token.is_cancelled() {
                        leave();
                    }
                    token.cancel();
                }
            });
        }
        Ok(Self { token })
    }

    /// Cancelled at the first Ctrl-C or SIGTERM.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

#[expect(clippy::disallowed_methods, reason = "the watchdog cleans up when its pipe closes")]
fn leave() -> ! {
    std::process::exit(130)
}
