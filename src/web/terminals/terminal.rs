//! One terminal: its shell, what it has printed, and how far each page has shown that.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc, watch};

use super::ring::Ring;
use crate::session::{Command, Handle, Printing, Request};
use crate::shell::to_type;
use crate::terminal::{RecordedShell, ShellEvent};

/// Output that a page has not shown yet, before its shell waits.
pub(super) const UNSHOWN: u64 = 256 << 10;
/// Keys on their way to the shell.
const KEYS: usize = 64;
const CTRL_C: &[u8] = b"\x03";

/// What is done to a terminal.
pub(super) enum Key {
    Typed(Vec<u8>),
    Size(u16, u16),
    /// A block of the lab, at the next prompt, or at once into the shell that a block before has opened.
    Block {
        name: String,
        text: String,
        opens: bool,
    },
    Interrupt,
    Kill,
    Label(String),
    End,
}

/// How a terminal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// All that was printed.
    pub(super) end: u64,
    pub(super) rows: u16,
    pub(super) columns: u16,
    /// Its shell has ended.
    pub(super) is_closed: bool,
}

pub(super) struct Terminal {
    pub(super) name: String,
    pub(super) title: String,
    ring: Mutex<Ring>,
    pub(super) now: watch::Sender<Now>,
    keys: mpsc::Sender<Key>,
    /// How far each page has shown the output.
    shown: Mutex<BTreeMap<u64, u64>>,
    last_page: AtomicU64,
    /// A page has shown more, or has gone.
    moved: Notify,
    /// A command runs.
    is_busy: AtomicBool,
}

/// A page's place in a terminal's output; dropped, the page has gone.
pub(super) struct Viewer {
    pub(super) terminal: Arc<Terminal>,
    number: u64,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.terminal.shown().remove(&self.number);
        self.terminal.moved.notify_one();
    }
}

impl Viewer {
    /// The page has shown everything before this place.
    pub(super) fn shows(&self, upto: u64) {
        if let Some(shown) = self.terminal.shown().get_mut(&self.number) {
            // A page cannot have shown what was not printed yet.
            *shown = (*shown).max(upto.min(self.terminal.now.borrow().end));
        }
        self.terminal.moved.notify_one();
    }
}

impl Terminal {
    /// `run` goes on until the shell ends.
    pub(super) fn new(name: String, title: String, (rows, columns): (u16, u16)) -> (Arc<Self>, mpsc::Receiver<Key>) {
        let (keys, typed) = mpsc::channel(KEYS);
        let now = Now { end: 0, rows, columns, is_closed: false };
        let terminal = Self {
            name,
            title,
            ring: Mutex::default(),
            now: watch::channel(now).0,
            keys,
            shown: Mutex::default(),
            last_page: AtomicU64::new(0),
            moved: Notify::new(),
            is_busy: AtomicBool::new(false),
        };
        (Arc::new(terminal), typed)
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, u64>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.now.borrow().is_closed
    }

    pub(super) fn since(&self, from: u64, limit: usize) -> (u64, Vec<u8>) {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).since(from, limit)
    }

    /// A page that has seen everything before this place.
    pub(super) fn join(self: &Arc<Self>, from: u64) -> Viewer {
        let number = self.last_page.fetch_add(1, Ordering::Relaxed);
        // What it cannot be shown any more does not hold up the shell.
        let (at, _) = self.since(from, 0);
        self.shown().insert(number, at);
        Viewer { terminal: Arc::clone(self), number }
    }

    /// False where the shell has ended.
    pub(super) async fn press(&self, key: Key) -> bool {
        self.keys.send(key).await.is_ok()
    }

    /// The same without waiting: one that cannot be taken now is lost.
    pub(super) fn press_now(&self, key: Key) {
        drop(self.keys.try_send(key));
    }

    /// The page that is furthest on sets the pace; without any page the shell runs on.
    fn may_print(&self) -> bool {
        let end = self.now.borrow().end;
        self.shown().values().max().is_none_or(|shown| end - shown.min(&end) < UNSHOWN)
    }

    /// Passes everything on until the shell ends, and reports its commands to the session.
    pub(super) async fn run(
        self: Arc<Self>,
        mut shell: RecordedShell,
        mut keys: mpsc::Receiver<Key>,
        session: Handle,
        dir: PathBuf,
    ) {
        let mut opened = false;
        loop {
            // Ctrl-C has to get through, whatever is printed.
            let goes_on = self.may_print() || shell.unread() > 0;
            tokio::select! {
                           biased;
                           key = keys.recv() => match key {
                               Some(Key::End) | None => break,
                               Some(key) => {
                                   if self.pressed(&mut shell, key, &mut opened).await.is_err() {
                                       break;
                                   }
                               }
                           },
                           event = shell.next(), if goes_on => match event {
                               Ok(ShellEvent::Output(bytes)) => self.print(&bytes),
                               // Nothing waits for the answers; the session takes them in this order.
                               Ok(ShellEvent::Began(began)) => session.notify(Request::began(&self.name, began)),
                               Ok(ShellEvent::Finished(finished)) => {
            session.notify(Request::Finished { command: Command::of(&self.name, finished) });
            },
                               Ok(ShellEvent::Printed(printed)) => {
            session.notify(Request::Printed { printing: Printing::of(&self.name, printed) });
            },
                               Ok(ShellEvent::Prompt) => {
                                   opened = false;
                                   if let Ok(Some((name, text))) = to_type(&dir) {
                                       shell.type_block(name, text);
                                   }
                               }
                               Ok(ShellEvent::Left) | Err(_) => break,
                           },
                           () = self.moved.notified(), if !goes_on => {}
                       }
            self.is_busy.store(!shell.is_typing(), Ordering::Relaxed);
        }
        shell.end().await;
        session.notify(Request::Left { terminal: self.name.clone() });
        self.now.send_modify(|now| now.is_closed = true);
    }

    async fn pressed(&self, shell: &mut RecordedShell, key: Key, opened: &mut bool) -> io::Result<()> {
        match key {
            Key::Typed(bytes) => shell.write(&bytes),
            Key::Size(rows, columns) => {
                shell.resize(rows, columns).await?;
                self.now.send_modify(|now| (now.rows, now.columns) = (rows, columns));
            }
            Key::Block { name, text, opens } => {
                // No prompt of ours comes in a shell that a block has opened.
                if *opened && !shell.is_typing() {
                    shell.write(format!("{}\r", text.trim_end()).as_bytes());
                } else {
                    shell.type_block(name, text);
                }
                *opened = opens;
            }
            Key::Interrupt => shell.write(CTRL_C),
            Key::Kill => drop(shell.kill_foreground().await?),
            Key::Label(label) => shell.set_label(&label)?,
            Key::End => {}
        }
        Ok(())
    }

    fn print(&self, bytes: &[u8]) {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        self.now.send_modify(|now| now.end += bytes.len() as u64);
    }
}
