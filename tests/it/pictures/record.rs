//! A command on a terminal of its own: the rows that its screen has at the end, and when each got its last word.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// Neighbouring characters of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) column: u16,
    pub(super) text: String,
    /// An ANSI colour, 0 to 15; `None`: the terminal's own.
    pub(super) colour: Option<u8>,
    pub(super) bold: bool,
    pub(super) dim: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) runs: Vec<Run>,
    /// After the start of the command.
    pub(super) at: Duration,
}

pub(super) struct Recorded {
    pub(super) rows: Vec<Row>,
    pub(super) exit: u32,
}

const ROWS: u16 = 300;
/// Of the shell that a command opens.
const PROMPT: &str = "you$";

fn size(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("a screen has rows and columns")
}

/// `typed` are the commands that a person types in a shell that opens, one at each prompt; the last of them leaves it.
pub(super) fn record(command: &[&str], typed: &[&str], columns: u16, dir: &Path) -> Recorded {
    let window = PtySize { rows: ROWS, cols: columns, pixel_width: 0, pixel_height: 0 };
    let pty = native_pty_system().openpty(window).expect("a terminal");
    let mut builder = CommandBuilder::new(env!("CARGO_BIN_EXE_keywitness"));
    builder.args(command);
    builder.cwd(dir);
    builder.env("TERM", "xterm-256color");
    // Where it is saved is another folder each time.
    builder.env("KEYWITNESS_NO_SAVE", "true");
    for name in ["NO_COLOR", "CI", "GITHUB_ACTIONS", "COLUMNS"] {
        builder.env_remove(name);
    }
    let home = tempfile::tempdir().expect("a temp folder");
    if !typed.is_empty() {
        std::fs::write(home.path().join(".bashrc"), format!("PS1='{PROMPT} '\n")).expect("written");
        builder.env("HOME", home.path());
        builder.env("KEYWITNESS_STATE", home.path().join("state"));
    }
    let mut child = pty.slave.spawn_command(builder).expect("the binary starts");
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().expect("the terminal's output");
    let mut writer = pty.master.take_writer().expect("the terminal's input");
    let (mut answered, mut left) = (false, false);
    let mut commands = typed.iter();
    let began = Instant::now();
    let mut parser = vt100::Parser::new(size(ROWS), size(columns), 0);
    let mut times: Vec<(Vec<Run>, Duration)> = vec![(Vec::new(), Duration::ZERO); usize::from(ROWS)];
    let mut chunk = [0; 4096];
    // A terminal whose last program has ended answers with an error on Linux, with nothing elsewhere.
    while let Ok(read @ 1..) = reader.read(&mut chunk) {
        parser.process(&chunk[..read]);
        // A lab that asks for a variable gets its default.
        if !answered && parser.screen().contents().trim_end().ends_with("]:") {
            writer.write_all(b"\r").expect("the terminal takes a key");
            answered = true;
        }
        let contents = parser.screen().contents();
        let prompts = contents.matches(PROMPT).count();
        if contents.trim_end().ends_with(PROMPT) && prompts > typed.len() - commands.len() {
            let command = commands.next().map_or(String::new(), |command| format!("{command}\r"));
            writer.write_all(command.as_bytes()).expect("the terminal takes keys");
        } else if contents.trim_end().ends_with("[Y/n]") && !left {
            writer.write_all(b"n\r").expect("the terminal takes keys");
            left = true;
        }
        for (number, held) in times.iter_mut().enumerate() {
            let now = runs(parser.screen(), u16::try_from(number).expect("a row"), columns);
            if held.0 != now {
                *held = (now, began.elapsed());
            }
        }
    }
    let exit = child.wait().expect("the binary ends").exit_code();
    let mut rows: Vec<Row> = times.into_iter().map(|(runs, at)| Row { runs, at }).collect();
    while rows.last().is_some_and(|row| row.runs.is_empty()) {
        rows.pop();
    }
    Recorded { rows, exit }
}

fn runs(screen: &vt100::Screen, row: u16, columns: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.is_wide_continuation() {
            continue;
        }
        let colour = match cell.fgcolor() {
            vt100::Color::Idx(index) => Some(index),
            vt100::Color::Default | vt100::Color::Rgb(..) => None,
        };
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match runs.last_mut() {
            Some(last) if last.colour == colour && last.bold == cell.bold() && last.dim == cell.dim() => {
                last.text.push_str(text);
            }
            _ => runs.push(Run { column, text: text.to_owned(), colour, bold: cell.bold(), dim: cell.dim() }),
        }
    }
    if let Some(last) = runs.last_mut() {
        last.text.truncate(last.text.trim_end().len());
    }
    runs.retain(|run| !run.text.trim().is_empty());
    runs
}
