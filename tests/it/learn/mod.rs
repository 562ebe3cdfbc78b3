//! `keywitness learn` as a person meets it: typed at, in a terminal window, against the real sandbox.

mod asleep;
mod ends;
mod first_look;
mod inside;
mod plain;
mod programs;
mod screens;
mod split;
mod walk;
mod window;

use std::path::{Path, PathBuf};

use window::Window;

/// What the tests' person has in their home: a prompt that is known again.
const BASHRC: &str = "PS1='lab$ '\nHISTCONTROL=ignoreboth\n";

fn labs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("labs")
}

/// The command that learns a lab.
fn learn(lab: &str) -> String {
    format!("{} learn {}", env!("CARGO_BIN_EXE_keywitness"), labs().join(lab).display())
}

/// A window with a lab in it, at its first prompt.
#[track_caller]
fn learning(lab: &str, columns: u16, rows: u16) -> Window {
    let window = Window::open(columns, rows);
    std::fs::write(window.home().join(".bashrc"), BASHRC).expect("written");
    begin(&window, lab);
    window
}

#[track_caller]
fn begin(window: &Window, lab: &str) {
    window.line(&learn(lab));
    let screen = window.wait_until("the first prompt", |screen| {
        screen.trim_end().ends_with(") lab$") || screen.trim_end().ends_with("]:")
    });
    if screen.trim_end().ends_with("]:") {
        window.keys(&["Enter"]);
    }
    window.wait_until("the first prompt", |screen| screen.trim_end().ends_with(") lab$"));
}

/// Leaves a lab from its prompt.
#[track_caller]
fn leave(window: &Window, keep: &str) {
    window.line("exit");
    window.wait("[Y/n]");
    window.line(keep);
    window.wait_until("the outer prompt", |screen| screen.trim_end().ends_with("outer$"));
}
