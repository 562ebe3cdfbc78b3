//! What the shells of a lab hold, so that fresh ones can take it over: as bash itself writes it. Whether a shell that
//! took it over holds the same is asked of that shell.

use std::path::{Path, PathBuf};

use super::settings::TerminalId;
use super::shell::Shell;
use super::terminals::Terminals;

/// Variables that bash sets by itself, or that are ours.
const NOT_STATE: &str = "BASHPID|BASH_ALIASES|BASH_ARGC|BASH_ARGV|BASH_ARGV0|BASH_CMDS|BASH_COMMAND|BASH_LINENO|\
    BASH_MONOSECONDS|BASH_SOURCE|BASH_SUBSHELL|DIRSTACK|EPOCHREALTIME|EPOCHSECONDS|FUNCNAME|HISTCMD|LINENO|PIPESTATUS|\
    PPID|PROMPT_COMMAND|PS0|PS1|PS2|RANDOM|SECONDS|SRANDOM|_|__lab_name";

/// What one shell held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellState {
    terminal: TerminalId,
    /// Commands that make it, and comments on what no command makes.
    text: String,
    /// Of its last command.
    last_exit: i32,
}

/// The line that has a shell write what it holds, from within a subshell so that nothing of it stays.
fn dump(file: &Path) -> String {
    let file = shell_words::quote(&file.to_string_lossy()).into_owned();
    // Commands travel in variables of ours.
    let ours = format!("k{}*", "[0-9a-f]".repeat(32));
    // First what the rest would change.
    format!(
        "( {{ \\builtin set +o; \\builtin set +eux; \\builtin trap -p; \\builtin shopt -p; \\builtin umask -p; \
         \\builtin declare -f; \\builtin printf 'cd -- %q\\n' \"$PWD\"; \
         [ $# -eq 0 ] || {{ \\builtin printf 'set --'; \\builtin printf ' %q' \"$@\"; \\builtin echo; }}; \
         \\builtin compgen -v | while IFS= \\builtin read -r __lab_name; do case $__lab_name in {NOT_STATE}|{ours}) ;; \
         *) \\builtin declare -p \"$__lab_name\" ;; esac; done; \
         \\builtin alias -p; \\builtin ulimit -a | while IFS= \\builtin read -r __lab_name; do \\builtin printf '# %s\\n' \"$__lab_name\"; done; \
         \\builtin dirs -p -l | while IFS= \\builtin read -r __lab_name; do \\builtin printf '# %s\\n' \"$__lab_name\"; done; \
         \\builtin printf '# fd %s\\n' /proc/$$/fd/*; \\builtin printf '# last job %s\\n' \"$!\"; \
         }} >| {file} ) 2>/dev/null || :; "
    )
}

impl Terminals {
    /// What the shells hold. `Err`: why no other shells could take it over.
    pub async fn states(&self) -> Result<Vec<ShellState>, String> {
        if let Some(name) = self.running() {
            return Err(format!("the background block `{name}` runs"));
        }
        let mut states = Vec::new();
        for (terminal, slot) in self.slots() {
            let mut slot = slot.lock().await;
            let Some(shell) = slot.as_mut() else { continue };
            let text = told(shell).await.ok_or_else(|| format!("what the shell of {terminal} holds cannot be told"))?;
            states.push(ShellState { terminal, text, last_exit: shell.last_exit() });
        }
        states.sort_by(|one, other| one.terminal.cmp(&other.terminal));
        Ok(states)
    }

    /// Starts shells that hold it. `Err`: one of them does not hold the same.
    pub async fn take_over(&self, states: &[ShellState]) -> Result<(), String> {
        for state in states {
            let differs = || format!("a fresh shell of {} does not hold what the old one held", state.terminal);
            let mut slot =
                self.claim(&state.terminal).await.map_err(|error| error.to_string())?.ok_or("interrupted")?;
            let shell = slot.as_mut().ok_or("interrupted")?;
            let text = told(shell).await.ok_or_else(differs)?;
            if text != state.text {
                let file = self.private().join(format!("state-{}", uuid::Uuid::new_v4().simple()));
                let written = tokio::fs::write(&file, unset(&text, &state.text) + &options_last(&state.text)).await;
                written.map_err(|error| error.to_string())?;
                let quoted = shell_words::quote(&file.to_string_lossy()).into_owned();
                shell.tell(&format!("\\. {quoted} 2>/dev/null; ")).await;
                drop(tokio::fs::remove_file(&file).await);
                let text = told(shell).await.ok_or_else(differs)?;
                if text != state.text {
                    let line = text.lines().zip(state.text.lines()).find(|(one, other)| one != other);
                    tracing::debug!(terminal = %state.terminal, ?line, "the state of a shell was not taken over");
                    return Err(differs());
                }
            }
            shell.has_ended_with(state.last_exit);
        }
        Ok(())
    }
}

/// `set -e` and the like would end the shell half-way.
fn options_last(text: &str) -> String {
    let lines = || text.split_inclusive('\n');
    let is_option = |line: &&str| line.starts_with("set -o ") || line.starts_with("set +o ");
    let options: String = lines().take_while(is_option).collect();
    let rest: String = lines().skip_while(is_option).collect();
    rest + &options
}

/// Takes away what a fresh shell has and the old one had not.
fn unset(fresh: &str, old: &str) -> String {
    let known: std::collections::BTreeSet<&str> = old.lines().filter_map(variable).collect();
    let gone = fresh.lines().filter_map(variable).filter(|name| !known.contains(name));
    gone.fold(String::new(), |all, name| all + "unset -v " + name + "\n")
}

/// The name in a line of `declare -p`.
fn variable(line: &str) -> Option<&str> {
    let (_, rest) = line.strip_prefix("declare -")?.split_once(' ')?;
    let name = rest.split_once('=').map_or(rest, |(name, _)| name);
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)
}

/// What the shell holds, where it is one of ours at its prompt.
async fn told(shell: &mut Shell) -> Option<String> {
    if !shell.is_plain() {
        return None;
    }
    let file: PathBuf = shell.dir().join(format!("state-{}", uuid::Uuid::new_v4().simple()));
    let is_told = shell.tell(&dump(&file)).await;
    let text = tokio::fs::read_to_string(&file).await.ok();
    drop(tokio::fs::remove_file(&file).await);
    let own = shell.dir().to_string_lossy().into_owned();
    // Where its own files lie no two shells have in common.
    let pid = shell.process()?;
    let text = text.filter(|text| is_told && !text.is_empty())?;
    // Setting one of these, to off too, makes a variable, in which the same stands.
    let is_compat = |line: &&str| line.starts_with("shopt -u compat") || line.starts_with("shopt -s compat");
    let text: String = text.split_inclusive('\n').filter(|line| !is_compat(line)).collect();
    Some(text.replace(&own, "").replace(&format!("/proc/{pid}/"), "/proc/self/"))
}
