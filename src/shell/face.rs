//! A terminal of a session: the learner's own shell, with what the session has to say put between its commands.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::edges::{ask_keep, gone, greet, look_of, print, shown, so_far, until_open};
use super::link::{Link, Reply};
use super::look::Look;
use super::outfit::{Outfit, WordStyle, label, to_type};
use super::page::Page;
use super::said::{InWords, Teller};
use crate::lab::Lab;
use crate::session::{Answer, Command, Printing, Request, SessionEvent, Summary, View};
use crate::terminal::{Began, Finished, Happened, LearnerSettings, LearnerShell, Screen};
use crate::text::wrapped;
use owned_processes::Guard;

/// How long a prompt waits for what its command has brought about.
pub(super) const LONGEST_WAIT: Duration = Duration::from_millis(200);
/// What follows from a command is witnessed within this of its end, or comes later above the prompt.
const NEWS_WAIT: Duration = Duration::from_millis(40);
/// News that come so close after each other are shown together.
const TOGETHER: Duration = Duration::from_millis(8);
/// A session that is told to end has much to clear away.
const END_WAIT: Duration = Duration::from_secs(30);

pub struct FaceSettings<'a> {
    pub door: PathBuf,
    pub guard: Guard,
    /// This very program, which the word `lab` starts.
    pub program: PathBuf,
    /// By which the session tells its terminals apart.
    pub name: String,
    /// The terminal that the session ends with: it shows the lab's first page, and asks whether to keep the session.
    pub is_first: bool,
    pub screen: Screen,
    pub load: &'a dyn Fn(&Path) -> Result<Lab, String>,
    pub cancel: CancellationToken,
}

/// How a terminal was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// The session goes on without it.
    Alone,
    /// The session has ended, and is kept or not.
    Ended {
        kept: bool,
    },
    /// The session ended without a word.
    Lost,
    Cancelled,
}

/// Runs a terminal until its shell or its session ends.
pub async fn face(settings: FaceSettings<'_>) -> io::Result<Left> {
    let link = Link::connect(&settings.door)?;
    let mut view = shown(&link).await?;
    let lab = (settings.load)(Path::new(&view.lab.file)).map_err(io::Error::other)?;
    let words = InWords::of(&lab, &view.values());
    let Ok(Answer::Environment { environment }) = link.ask(Request::Environment).await else { return Err(gone()) };
    let dir = settings.guard.folder(&format!("terminal-{}", std::process::id()))?;
    let look = look_of(settings.screen);
    let page = Page { lab: &lab, view: &view, look };
    greet(&page, settings.is_first)?;
    if view.step.preparing {
        view = until_open(&settings).await?.unwrap_or(view);
    }
    let style = WordStyle { is_plain: settings.screen.is_plain, is_attended: settings.screen.is_terminal };
    let outfit = Outfit::make(&environment, &settings.program, &dir, style)?;
    let shell = LearnerShell::start(LearnerSettings {
        shell: outfit.shell(settings.guard.clone(), &environment, &dir, &view),
        screen: settings.screen,
        cancel: settings.cancel.clone(),
    })?;
    let named_step = view.step.number;
    let face = Face {
        link,
        shell,
        view,
        words,
        dir,
        settings,
        news: Vec::new(),
        tell_at: None,
        showing: None,
        replies: Vec::new(),
        has_run: false,
        is_own_word: false,
        named_step,
        is_quitting: false,
        ended: None,
        summary: None,
    };
    Box::pin(face.run()).await
}

struct Face<'a> {
    link: Link,
    shell: LearnerShell,
    view: View,
    words: InWords,
    dir: PathBuf,
    settings: FaceSettings<'a>,
    /// What is to be shown with the next status.
    news: Vec<SessionEvent>,
    tell_at: Option<Instant>,
    /// How things stand now, on its way.
    showing: Option<Reply>,
    /// Answers to what was reported of commands.
    replies: Vec<Reply>,
    /// A command has run since the last prompt.
    has_run: bool,
    /// It was the word `lab`, which prints its own answers.
    is_own_word: bool,
    /// The number of the step that was shown or named here last.
    named_step: usize,
    /// The session was told to end, and there is no next prompt.
    is_quitting: bool,
    ended: Option<bool>,
    summary: Option<Summary>,
}

impl Face<'_> {
    async fn run(mut self) -> io::Result<Left> {
        let left = loop {
            let tell_at = self.tell_at.unwrap_or_else(Instant::now);
            tokio::select! {
                happened = self.shell.next() => match happened? {
                    Happened::Began(began) => self.began(began),
                    Happened::Finished(finished) => self.finished(finished),
                    Happened::Printed(printed) => self.printed(printed),
                    Happened::Prompt => self.prompt().await?,
                    Happened::Left => break Left::Alone,
                    Happened::Cancelled => break Left::Cancelled,
                },
                event = self.link.events.recv() => match event {
                    Some(event) => self.hear(event),
                    None => break self.ended.map_or(Left::Lost, |kept| Left::Ended { kept }),
                },
                // While a command runs, and where nothing may be put above a prompt, news wait for the next one.
                () = sleep_until(tell_at), if self.tell_at.is_some() => {
                    self.tell_at = None;
                    if self.shell.takes_lines() {
                        self.showing = Some(self.link.ask(Request::Show));
                    }
                }
                Some(answer) = shown_now(&mut self.showing) => {
                    self.showing = None;
                    if self.shell.takes_lines() {
                        self.tell(answer)?;
                    }
                }
            }
            if let Some(kept) = self.ended {
                break Left::Ended { kept };
            }
        };
        self.leave(left).await
    }

    fn finished(&mut self, finished: Finished) {
        self.has_run = true;
        let words: Vec<&str> = finished.text.split_whitespace().take(2).collect();
        self.is_own_word = words.first() == Some(&"lab");
        self.is_quitting |= words == ["lab", "quit"] && finished.status == 0;
        if self.is_own_word && finished.block.is_none() {
            return;
        }
        let command = Command::of(&self.settings.name, finished);
        self.replies.push(self.link.ask(Request::Finished { command }));
    }

    fn began(&mut self, began: Began) {
        // Nothing waits for the answer.
        drop(self.link.ask(Request::began(&self.settings.name, began)));
    }

    fn printed(&mut self, printed: Finished) {
        let printing = Printing::of(&self.settings.name, printed);
        // Nothing waits for the answer.
        drop(self.link.ask(Request::Printed { printing }));
    }

    fn hear(&mut self, event: SessionEvent) {
        match &event {
            SessionEvent::Ended { kept } => self.ended = Some(*kept),
            SessionEvent::Finished { summary } => self.summary = Some(summary.clone()),
            // The next prompt reads it before all else.
            SessionEvent::StepOpened { number, .. } | SessionEvent::StepShown { number, .. } => {
                self.view.step.number = *number;
                // A prompt with an older number is no loss.
                drop(self.set_label());
            }
            _ => {}
        }
        self.news.push(event);
        self.tell_at.get_or_insert_with(|| Instant::now() + TOGETHER);
    }

    /// Before the next prompt: what the command has brought about.
    async fn prompt(&mut self) -> io::Result<()> {
        if self.is_quitting {
            return Ok(());
        }
        if std::mem::take(&mut self.has_run) {
            let latest = Instant::now() + LONGEST_WAIT;
            for reply in std::mem::take(&mut self.replies) {
                drop(timeout_at(latest, reply).await);
            }
            let mut until = latest.min(Instant::now() + NEWS_WAIT);
            while let Ok(Some(event)) = timeout_at(until, self.link.events.recv()).await {
                self.hear(event);
                until = latest.min(Instant::now() + NEWS_WAIT / 2);
                if self.ended.is_some() {
                    return Ok(());
                }
            }
        }
        if !self.news.is_empty() {
            self.showing = None;
            let answer = timeout(LONGEST_WAIT, self.link.ask(Request::Show)).await;
            self.tell(answer.ok().and_then(Result::ok))?;
        }
        if let Some((name, text)) = to_type(&self.dir)? {
            self.shell.type_block(name, text);
        }
        self.is_own_word = false;
        self.shell.go_on()
    }

    /// One line for each thing that turned, then where the learner stands.
    fn tell(&mut self, answer: Option<Answer>) -> io::Result<()> {
        self.tell_at = None;
        let news = std::mem::take(&mut self.news);
        if let Some(Answer::View { view }) = answer {
            self.view = *view;
            self.set_label()?;
        }
        let look = Look { columns: self.shell.columns(), ..look_of(self.settings.screen) };
        let teller = Teller { look, words: &self.words };
        let mut lines: Vec<String> = Vec::new();
        for event in &news {
            lines.extend(teller.event(event));
            if let SessionEvent::StepOpened { number, of, title, .. } = event
                && std::mem::replace(&mut self.named_step, *number) != *number
                && !self.is_own_word
            {
                let text = format!("  Step {number} of {of}: {title}. {} shows it.", look.quoted("lab"));
                lines.extend(wrapped(&text, look.width()));
            }
        }
        let has_turned = news.iter().any(|event| match event {
            SessionEvent::CheckTurned { .. } => !lines.is_empty(),
            SessionEvent::QuestionAnswered { right, .. } => *right,
            SessionEvent::StepGreen { .. } => true,
            _ => false,
        });
        if has_turned {
            lines.extend(wrapped(&teller.status(&self.view), look.width()));
        }
        if let Some(summary) = self.summary.take() {
            lines.push(String::new());
            lines.extend(teller.summary(&summary));
        }
        self.shell.show_lines(lines);
        Ok(())
    }

    fn set_label(&self) -> io::Result<()> {
        self.shell.set_label(&label(&self.view))
    }

    /// Gives the terminal back, and the session its end where it ends with this terminal.
    async fn leave(self, left: Left) -> io::Result<Left> {
        let Self { mut link, shell, settings, summary, words, .. } = self;
        let mut keys = shell.end().await;
        drop(link.ask(Request::Left { terminal: settings.name.clone() }));
        let look = look_of(settings.screen);
        let left = match left {
            Left::Alone if settings.is_first => {
                if let Some(summary) = so_far(&link).await {
                    let mut lines = vec![String::new()];
                    lines.extend(Teller { look, words: &words }.summary(&summary));
                    print(lines)?;
                }
                let keep = if settings.screen.is_terminal { ask_keep(&mut keys).await? } else { true };
                drop(link.ask(Request::Quit { keep }));
                Left::Ended { kept: keep }
            }
            Left::Cancelled if settings.is_first => {
                drop(link.ask(Request::Quit { keep: true }));
                Left::Cancelled
            }
            other => other,
        };
        let mut summary = summary;
        if settings.is_first {
            let end = Instant::now() + END_WAIT;
            while let Ok(Some(event)) = timeout_at(end, link.events.recv()).await {
                match event {
                    SessionEvent::Finished { summary: last } => summary = Some(last),
                    SessionEvent::Ended { .. } => break,
                    _ => {}
                }
            }
        }
        let teller = Teller { look, words: &words };
        if let Some(summary) = summary {
            let mut lines = vec![String::new()];
            lines.extend(teller.summary(&summary));
            print(lines)?;
        }
        Ok(left)
    }
}

/// Never where nothing was asked; nothing inside where the session is gone.
async fn shown_now(showing: &mut Option<Reply>) -> Option<Option<Answer>> {
    match showing {
        Some(reply) => Some(reply.await.ok()),
        None => std::future::pending().await,
    }
}
