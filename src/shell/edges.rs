//! The edges of a terminal of a session: what is shown before its shell, and what is asked when it is left.

use std::io::{self, Write as _};

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::face::{FaceSettings, LONGEST_WAIT};
use super::link::Link;
use super::look::Look;
use super::page::Page;
use super::word::{KEEP, keeps};
use crate::session::{Answer, Request, Summary, View};
use crate::terminal::Screen;

pub(super) fn look_of(screen: Screen) -> Look {
    let columns = console::Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns));
    Look { columns, color: screen.color, plain: screen.is_plain }
}

pub(super) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the session has ended")
}

pub(super) async fn shown(link: &Link) -> io::Result<View> {
    match link.ask(Request::Show).await {
        Ok(Answer::View { view }) => Ok(*view),
        Ok(other) => Err(io::Error::other(format!("the session answers otherwise than expected: {other:?}"))),
        Err(_) => Err(gone()),
    }
}

/// How things stand once the step is open: what is typed before that does not count for it. Nothing where the run is
/// asked to end.
pub(super) async fn until_open(settings: &FaceSettings<'_>) -> io::Result<Option<View>> {
    // A link of its own: one answers after the other.
    let link = Link::connect(&settings.door)?;
    tokio::select! {
        answer = link.ask(Request::Opened) => match answer {
            Ok(Answer::View { view }) => Ok(Some(*view)),
            _ => Err(gone()),
        },
        () = settings.cancel.cancelled() => Ok(None),
    }
}

pub(super) fn greet(page: &Page<'_>, is_first: bool) -> io::Result<()> {
    let mut lines = Vec::new();
    let is_new = page.view.open == 1 && page.view.points == 0;
    if is_first {
        lines.push(String::new());
        if is_new {
            lines.extend(page.intro());
            lines.push(String::new());
        }
        lines.extend(page.step());
        lines.push(String::new());
        let word = page.look.quoted("lab help");
        let own = page.look.dim().apply_to("This is your own shell, on the lab's cluster.");
        let text = format!("{own} {word} lists what the word lab does in it.");
        lines.extend(crate::text::wrapped(&text, page.look.width()));
        lines.push(String::new());
    } else {
        let view = page.view;
        let step = format!("step {} of {}, {}", view.step.number, view.of, view.step.title);
        let line = format!("{}: {step}. {} shows it.", view.lab.title, page.look.quoted("lab"));
        lines.extend(crate::text::wrapped(&line, page.look.width()));
        if let Some(reason) = &view.cluster.lost {
            lines.extend(page.look.etcd_is_away(reason));
        }
    }
    print(lines)
}

pub(super) fn print(lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for line in lines {
        writeln!(stdout, "{line}")?;
    }
    stdout.flush()
}

/// How a lab stands that is left before its end.
pub(super) async fn so_far(link: &Link) -> Option<Summary> {
    match timeout(LONGEST_WAIT, link.ask(Request::Summary)).await {
        Ok(Ok(Answer::Summary { summary })) if !summary.finished => Some(summary),
        _ => None,
    }
}

/// Asked on the terminal that the shell has left.
pub(super) async fn ask_keep(keys: &mut mpsc::Receiver<Vec<u8>>) -> io::Result<bool> {
    loop {
        let mut stdout = io::stdout();
        stdout.write_all(KEEP.as_bytes())?;
        stdout.flush()?;
        let mut line = Vec::new();
        while !line.contains(&b'\n') {
            match keys.recv().await {
                Some(more) => line.extend(more),
                None => return Ok(true),
            }
        }
        if let Some(keep) = keeps(&String::from_utf8_lossy(&line)) {
            return Ok(keep);
        }
    }
}
