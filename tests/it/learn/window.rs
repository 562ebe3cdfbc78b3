//! A terminal window with a person before it: tmux, its keys and its screen.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A cluster comes up, a step opens, a command ends: all of it long before this.
pub(crate) const SOON: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(15);

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A window of a tmux server of its own, with a plain bash in a home and a state folder of its own.
pub(crate) struct Window {
    server: String,
    home: PathBuf,
    /// The folders, where this window was the first to use them.
    own: Option<tempfile::TempDir>,
}

impl Window {
    pub(crate) fn open(columns: u16, rows: u16) -> Self {
        let own = tempfile::tempdir().expect("a temp folder");
        let mut window = Self::beside(own.path(), columns, rows);
        window.own = Some(own);
        window
    }

    /// One more of the same person's.
    pub(crate) fn beside(home: &Path, columns: u16, rows: u16) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let window = Self { server: format!("kw-{}-{number}", std::process::id()), home: home.to_owned(), own: None };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let shell = "PS1='outer$ ' exec bash --norc --noprofile";
        let mut start = window.tmux();
        start.args(["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows, shell]);
        // What tmux hands on to its windows.
        start.env("HOME", home).env("XDG_STATE_HOME", home.join("state")).env("LC_ALL", "C.UTF-8");
        for name in ["CI", "NO_COLOR", "TMUX", "KUBECONFIG", "PROMPT_COMMAND", "ACCESSIBLE", "KUBEBUILDER_ASSETS"] {
            start.env_remove(name);
        }
        assert!(start.status().expect("tmux starts").success());
        window.run(&["set", "-g", "window-size", "manual"]);
        window.wait("outer$");
        window
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", &self.server]);
        tmux
    }

    fn run(&self, args: &[&str]) -> String {
        let output = self.tmux().args(args).output().expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The number of a process, by tmux' name for it.
    pub(crate) fn process(&self, format: &str) -> u32 {
        self.run(&["display-message", "-p", format]).trim().parse().expect("a number")
    }

    /// Waits until the window is split into so many panes.
    #[track_caller]
    pub(crate) fn wait_for_panes(&self, count: usize) {
        let end = Instant::now() + SOON;
        while self.run(&["list-panes", "-F", "#{pane_id}"]).lines().count() != count {
            assert!(Instant::now() < end, "there are not {count} panes:\n{}", self.everything());
            std::thread::park_timeout(LOOK);
        }
    }

    /// Names of keys as tmux has them: `C-c`, `Enter`, `Up`.
    pub(crate) fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    pub(crate) fn text(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
    }

    pub(crate) fn line(&self, text: &str) {
        self.text(text);
        self.keys(&["Enter"]);
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.run(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    pub(crate) fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// With all that has scrolled away, folded lines joined.
    pub(crate) fn everything(&self) -> String {
        self.run(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    /// The same with what colours it, line by line as the screen folds it.
    pub(crate) fn everything_in_colour(&self) -> String {
        self.run(&["capture-pane", "-p", "-e", "-J", "-S", "-"])
    }

    pub(crate) fn clear_history(&self) {
        self.run(&["clear-history"]);
    }

    /// Waits until the screen shows the text.
    #[track_caller]
    pub(crate) fn wait(&self, text: &str) -> String {
        self.wait_until(&format!("{text:?}"), |screen| screen.contains(text))
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + SOON;
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "{what} does not come:\n{}", self.everything());
            std::thread::park_timeout(LOOK);
        }
    }

    /// Types a command at a prompt of the lab, and waits for the next prompt: what stands between them.
    #[track_caller]
    pub(crate) fn command(&self, text: &str) -> String {
        let before = prompts(&self.everything());
        self.line(text);
        let end = Instant::now() + SOON;
        loop {
            let all = self.everything();
            if prompts(&all) > before && all.trim_end().ends_with('$') {
                return since_prompt(&all, before);
            }
            assert!(Instant::now() < end, "`{text}` does not come back:\n{all}");
            std::thread::park_timeout(LOOK);
        }
    }

    /// Pastes several lines at once, as from a browser, runs them, and waits for the next prompt.
    #[track_caller]
    pub(crate) fn paste(&self, text: &str) {
        let before = prompts(&self.everything());
        self.run(&["set-buffer", text]);
        self.run(&["paste-buffer", "-p"]);
        self.keys(&["Enter"]);
        let end = Instant::now() + SOON;
        loop {
            let all = self.everything();
            if prompts(&all) > before && all.trim_end().ends_with('$') {
                return;
            }
            assert!(Instant::now() < end, "what was pasted does not come back:\n{all}");
            std::thread::park_timeout(LOOK);
        }
    }

    /// The settings of the terminal, as its outer shell has them.
    pub(crate) fn settings(&self) -> String {
        let file = self.home.join(format!("stty-{}", self.server));
        drop(std::fs::remove_file(&file));
        self.line(&format!("stty -g >{0}.new; mv {0}.new {0}", file.display()));
        let end = Instant::now() + SOON;
        loop {
            if let Ok(text) = std::fs::read_to_string(&file) {
                return text;
            }
            assert!(Instant::now() < end, "the terminal does not answer:\n{}", self.everything());
            std::thread::park_timeout(LOOK);
        }
    }
}

/// How often the prompt of a lab's shell stands there.
fn prompts(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with('(') && line.contains(") lab$")).count()
}

/// From the prompt of this number on, which is where the command was typed.
fn since_prompt(text: &str, number: usize) -> String {
    let mut seen = 0;
    let mut kept = String::new();
    for line in text.lines() {
        seen += usize::from(line.starts_with('(') && line.contains(") lab$"));
        if seen >= number {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

impl Drop for Window {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
        drop(self.own.take());
    }
}
