//! The person's terminal in raw mode, and back: at a normal end, after an error or a panic in any thread, when told to
//! end, and around Ctrl-Z.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use tokio_util::sync::CancellationToken;

/// What the terminal was before, while it is raw. There is one terminal, and a panic's hook must reach it.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

struct Before {
    modes: Termios,
    cancel: CancellationToken,
}

/// Raw until dropped, or until [`restore`].
pub(super) struct Raw(());

impl Raw {
    /// A panic in any thread cancels.
    pub(super) fn enter(cancel: CancellationToken) -> io::Result<Self> {
        let modes = tcgetattr(io::stdin())?;
        let mut raw = modes.clone();
        cfmakeraw(&mut raw);
        *before() = Some(Before { modes, cancel });
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)?;
        Ok(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// The settings of the person's terminal, for a shell that shall find the same.
pub(super) fn settings() -> Option<Termios> {
    match &*before() {
        Some(before) => Some(before.modes.clone()),
        None => tcgetattr(io::stdin()).ok(),
    }
}

/// Gives the terminal back as it was, if it is raw. What a program inside may have switched on is switched off.
pub fn restore() {
    let Some(Before { modes, .. }) = before().take() else { return };
    reset();
    // With the terminal gone there is nothing to give back.
    let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &modes);
}

/// What a panic's hook calls before it prints: the terminal is given back, and the shell in it ends.
pub fn restore_after_panic() {
    let cancel = before().as_ref().map(|before| before.cancel.clone());
    restore();
    if let Some(cancel) = cancel {
        cancel.cancel();
    }
}

/// Bracketed paste, mouse reports, a hidden cursor, colours: nothing of a program that was ended stays.
fn reset() {
    let mut stdout = io::stdout();
    drop(stdout.write_all(b"\x1b[?2004l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1l\x1b>\x1b[?25h\x1b[0m"));
    drop(stdout.flush());
}

fn before() -> std::sync::MutexGuard<'static, Option<Before>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}
