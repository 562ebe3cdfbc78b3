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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::*;

    const INNER: &str = "KEYWITNESS_TEST_PANICS";

    /// What the test below runs on a terminal of its own.
    fn panics_while_raw() {
        let cancel = CancellationToken::new();
        let raw = Raw::enter(cancel.clone()).expect("a terminal");
        assert!(tcgetattr(io::stdin()).expect("a terminal") != settings().expect("it is known what was before"));
        std::panic::set_hook(Box::new(|_| {
            restore_after_panic();
            println!("the panic is told");
        }));
        drop(std::thread::spawn(|| panic!("in another thread")).join());
        assert!(cancel.is_cancelled());
        drop(raw);
    }

    #[test]
    fn a_panic_in_another_thread_gives_the_terminal_back() {
        if std::env::var_os(INNER).is_some() {
            return panics_while_raw();
        }
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "terminal::learner::raw::tests::a_panic_in_another_thread_gives_the_terminal_back"]);
        command.args(["--nocapture"]);
        command.env(INNER, "1");
        let before = pty.master.get_termios().expect("its settings");
        let mut child = pty.slave.spawn_command(command).expect("started");
        let mut reader = pty.master.try_clone_reader().expect("its output");
        let output = std::thread::spawn(move || {
            let mut seen = Vec::new();
            let mut chunk = [0; 1024];
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                seen.extend_from_slice(&chunk[..count]);
            }
            String::from_utf8_lossy(&seen).into_owned()
        });
        assert!(child.wait().expect("it ends").success());
        let after = pty.master.get_termios().expect("its settings");
        drop(pty);
        let output = output.join().expect("read");
        // Only a terminal that is not raw turns a line feed into two characters.
        assert!(output.contains("the panic is told\r\n"), "{output}");
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }
}
