//! The terminals of a session. They belong to the server: pages come and go, and are shown what they missed.

mod ring;
mod socket;
mod terminal;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Answered, Failure, answer, done};
use super::hosted_session::{HostedSession, Live};
use super::sessions::{Shared, body};
use crate::session::{Answer, BlockText, Request};
use crate::shell::{Outfit, WordStyle};
use crate::terminal::{RecordedSettings, RecordedShell};
use owned_processes::Echo;
pub(super) use socket::socket;
use terminal::{Key, Terminal};

/// The terminal that is always there.
pub(super) const MAIN: &str = "main";
const MOST: usize = 16;
/// Until a page says how large it is.
const SIZE: (u16, u16) = (24, 80);
/// A command that is told to end may clear something away before it does.
const INTERRUPTED: Duration = Duration::from_secs(2);
const INTERRUPTS: u32 = 4;

pub(super) struct Terminals {
    program: PathBuf,
    open: Mutex<Vec<Arc<Terminal>>>,
    count: AtomicUsize,
}

#[derive(Serialize)]
pub(super) struct Listed {
    name: String,
    title: String,
    open: bool,
}

/// A block that was handed to a terminal.
pub(super) struct Typed {
    pub(super) terminal: String,
    /// A command still runs there.
    pub(super) waits: bool,
}

impl Terminals {
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program, open: Mutex::default(), count: AtomicUsize::new(0) }
    }

    fn all(&self) -> Vec<Arc<Terminal>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|terminal| !terminal.is_closed());
        open.clone()
    }

    fn find(&self, name: &str) -> Option<Arc<Terminal>> {
        self.all().into_iter().find(|terminal| terminal.name == name)
    }

    /// Those that are open, the main one first even where it is not yet.
    pub(super) fn list(&self) -> Vec<Listed> {
        let open = self.all();
        let main = Listed { name: MAIN.to_owned(), title: title(MAIN), open: self.find(MAIN).is_some() };
        let others = open.iter().filter(|terminal| terminal.name != MAIN);
        let others =
            others.map(|terminal| Listed { name: terminal.name.clone(), title: terminal.title.clone(), open: true });
        std::iter::once(main).chain(others).collect()
    }

    /// The terminal of this name, which is opened where it is not there.
    async fn there(
        &self,
        hosted: &HostedSession,
        live: &Live,
        name: &str,
        size: Option<(u16, u16)>,
        title: String,
    ) -> Answered<Arc<Terminal>> {
        if let Some(terminal) = self.find(name) {
            return Ok(terminal);
        }
        let Answer::Environment { environment } = live.ask(Request::Environment).await? else {
            return Err(Failure::gone());
        };
        let view = live.view().await?;
        let cannot = |error: std::io::Error| {
            Failure::new(http::StatusCode::INTERNAL_SERVER_ERROR, format!("no shell can be started: {error}"))
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Another page may have been faster.
        if let Some(terminal) = open.iter().find(|terminal| terminal.name == name && !terminal.is_closed()) {
            return Ok(Arc::clone(terminal));
        }
        if open.iter().filter(|terminal| !terminal.is_closed()).count() >= MOST {
            return Err(Failure::new(
                http::StatusCode::TOO_MANY_REQUESTS,
                format!("{MOST} terminals are open already: close one first"),
            ));
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let dir = live.guard.folder(&format!("page-terminal-{number}")).map_err(cannot)?;
        let style = WordStyle { is_plain: false, is_attended: true };
        let outfit = Outfit::make(&environment, &self.program, &dir, style).map_err(cannot)?;
        let (rows, columns) = size.unwrap_or(SIZE);
        let shell = RecordedShell::start(RecordedSettings {
            shell: outfit.shell(live.guard.clone(), &environment, &dir, &view),
            color: true,
            term: Some("xterm-256color".to_owned()),
            rows,
            columns,
            echo: Echo::AsTheShellSets,
        });
        let (terminal, keys) = Terminal::new(name.to_owned(), title, (rows, columns));
        let running = Arc::clone(&terminal).run(shell.map_err(cannot)?, keys, live.handle.clone(), dir);
        open.push(Arc::clone(&terminal));
        drop(open);
        hosted.feed.publish(&json!({"event": "terminal_opened", "name": terminal.name, "title": terminal.title}));
        let (feed, name) = (Arc::clone(&hosted.feed), name.to_owned());
        tokio::spawn(async move {
            running.await;
            feed.publish(&json!({"event": "terminal_closed", "name": name}));
        });
        Ok(terminal)
    }

    /// Types a block as soon as its terminal takes it.
    pub(super) async fn types(
        &self,
        hosted: &HostedSession,
        live: &Live,
        name: &str,
        block: &BlockText,
        opens: bool,
    ) -> Answered<Typed> {
        let name = if is_name(name) { name.to_owned() } else { format!("block-{}", block.line) };
        let waits = self.find(&name).is_some_and(|terminal| terminal.is_busy());
        let terminal = self.there(hosted, live, &name, None, title(&name)).await?;
        let key = Key::Block { name: block.id.clone(), text: block.text.clone(), opens };
        if terminal.press(key).await { Ok(Typed { terminal: name, waits }) } else { Err(Failure::missing("terminal")) }
    }

    /// Ends what runs in a terminal, and waits for its prompt. Between two commands of one line a Ctrl-C may meet
    /// nobody, so that it is pressed again; and what does not heed it is killed.
    pub(super) async fn interrupt(&self, name: &str, kill: bool) {
        let Some(terminal) = self.find(name) else { return };
        for time in 0..INTERRUPTS {
            let kills = kill || time + 1 == INTERRUPTS;
            terminal.press(if kills { Key::Kill } else { Key::Interrupt }).await;
            if tokio::time::timeout(INTERRUPTED, rests(&terminal)).await.is_ok() {
                return;
            }
        }
    }

    /// What stands before each prompt from now on.
    pub(super) fn label(&self, label: &str) {
        for terminal in self.all() {
            terminal.press_now(Key::Label(label.to_owned()));
        }
    }

    /// The session has ended, and the shells with it.
    pub(super) fn forget(&self) {
        for terminal in self.all() {
            terminal.press_now(Key::End);
        }
    }
}

/// Returns when a prompt stands, or the shell has ended.
async fn rests(terminal: &Terminal) {
    let mut now = terminal.now.subscribe();
    while terminal.is_busy() && !terminal.is_closed() {
        // The prompt is printed, and known to stand shortly after.
        drop(tokio::time::timeout(Duration::from_millis(50), now.changed()).await);
    }
}

fn title(name: &str) -> String {
    match name {
        MAIN => "Terminal".to_owned(),
        name if name.chars().all(|c| c.is_ascii_digit()) => format!("Terminal {name}"),
        name => name.to_owned(),
    }
}

/// It stands in paths and on tabs.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && name.len() <= 64 && name.chars().all(fits) && !name.starts_with('.')
}

#[derive(Deserialize)]
struct Wanted {
    name: Option<String>,
    title: Option<String>,
}

pub(super) async fn open(State(state): Shared, Path(id): Path<String>, bytes: Bytes) -> Answered {
    let hosted = state.hosted.get(&id)?;
    let live = hosted.live()?;
    let Wanted { name, title: named } = body(&bytes)?;
    let taken: Vec<String> = hosted.terminals.list().into_iter().map(|terminal| terminal.name).collect();
    let free = (2..=MOST + 2).map(|number: usize| number.to_string()).find(|name| !taken.contains(name));
    let name = name.or(free).unwrap_or_default();
    if !is_name(&name) {
        return Err(Failure::wrong("a terminal's name has letters, digits, `-`, `_` and `.` only, at most 64"));
    }
    let title = named.filter(|title| !title.is_empty() && title.len() <= 64).unwrap_or_else(|| title(&name));
    let terminal = hosted.terminals.there(&hosted, &live, &name, None, title).await?;
    Ok(answer(&json!({"name": terminal.name, "title": terminal.title})))
}

pub(super) async fn close(State(state): Shared, Path((id, name)): Path<(String, String)>) -> Answered {
    let hosted = state.hosted.get(&id)?;
    let terminal = hosted.terminals.find(&name).ok_or_else(|| Failure::missing("terminal"))?;
    terminal.press(Key::End).await;
    Ok(done())
}
