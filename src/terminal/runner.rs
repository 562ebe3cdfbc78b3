//! A block, command by command, in one shell.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::block::{Block, BlockResult, CommandResult, Ended};
use super::listener::Listener;
use super::shell::{Outcome, Shell, Ways};
use super::split::{ShellCommand, split};
use super::tidy::{tidy, tidy_opening, without_break};

/// What became of the block, and of its shell.
pub(super) struct Finished {
    pub(super) result: BlockResult,
    /// The shell can take another block.
    pub(super) is_usable: bool,
}

/// Runs the block; `is_endless` takes the time limit from its last command, `running` gets each that begins.
pub(super) async fn run_block(
    shell: &mut Shell,
    block: &Block,
    ways: &Ways,
    is_endless: bool,
    running: &watch::Sender<String>,
) -> Finished {
    let began = Instant::now();
    let deadline = began + block.timeout;
    let commands = split(&block.lines).await;
    {
        let mut recorder = shell.tape().recorder();
        recorder.restart();
        recorder.screen().listen(Listener::of(block, shell.dir()));
    }
    let mut run = Run { commands: Vec::new(), output: String::new(), truncated: false };
    let mut ended = Ended::AsWanted;
    let mut is_usable = true;
    for (index, command) in commands.iter().enumerate() {
        let is_last = index + 1 == commands.len();
        let opens = is_last && block.opens;
        let from = shell.tape().recorder().screen().freeze();
        running.send_replace(command.text.clone());
        shell.tape().recorder().command(&command.text);
        let limit = if is_last && is_endless { None } else { Some(deadline) };
        let outcome =
            if opens { shell.open(command, limit, ways).await } else { shell.run(command, limit, ways).await };
        let exit = match outcome {
            Outcome::Exited(exit) | Outcome::NotOpened(exit) => Some(exit),
            Outcome::Opened => Some(0),
            _ => None,
        };
        run.add(shell, command, from, exit, outcome);
        let (line, text) = (command.line, command.text.clone());
        ended = match outcome {
            Outcome::Exited(_) | Outcome::Opened => {
                let wanted = if is_last { block.last } else { super::block::Last::Succeeds };
                if exit.is_some_and(|exit| wanted.is_met_by(exit)) {
                    continue;
                }
                Ended::Failed { line, command: text }
            }
            Outcome::NotOpened(_) => Ended::Failed { line, command: text },
            Outcome::TimedOut { back, is_same } => {
                is_usable = back;
                let awaited = shell.awaited().map(str::to_owned);
                Ended::TimedOut { line, command: text, awaited, shell_replaced: !is_same }
            }
            Outcome::Stopped { killed, back } => {
                is_usable = back;
                Ended::Stopped { killed }
            }
            Outcome::Died => {
                is_usable = false;
                let last_words = shell.tape().recorder().last_words();
                let by_errexit = shell.stops_at_failures() || sets_errexit(&text);
                Ended::ShellDied { line, command: text, status: shell.ended_with().await, by_errexit, last_words }
            }
            Outcome::Changed(why) => {
                is_usable = false;
                Ended::ShellChanged { line, command: text, why }
            }
            Outcome::Cancelled => {
                is_usable = false;
                Ended::Interrupted
            }
        };
        break;
    }
    let result = BlockResult {
        ended,
        exit: run.commands.last().map_or(Some(0), |command| command.exit),
        output: run.output,
        truncated: run.truncated,
        found: shell.tape().recorder().screen().found(),
        commands: run.commands,
        took: began.elapsed(),
    };
    Finished { result, is_usable }
}

struct Run {
    commands: Vec<CommandResult>,
    output: String,
    truncated: bool,
}

impl Run {
    fn add(&mut self, shell: &Shell, command: &ShellCommand, from: u64, exit: Option<i32>, outcome: Outcome) {
        let (raw, truncated) = {
            let mut recorder = shell.tape().recorder();
            let to = recorder.screen().freeze();
            recorder.screen().slice(from, to)
        };
        let mut output = tidy(&raw, &command.text, shell.dir());
        match outcome {
            Outcome::Opened => output = tidy_opening(&output, shell.tape().recorder().prompt()),
            Outcome::TimedOut { .. } | Outcome::Stopped { .. } => output.truncate(without_break(&output).len()),
            _ => {}
        }
        self.truncated |= truncated;
        self.output.push_str(&output);
        self.commands.push(CommandResult { line: command.line, exit, output, truncated });
    }
}

/// The command itself turns `set -e` on.
fn sets_errexit(text: &str) -> bool {
    static ERREXIT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\bset\s+(?:-[a-zA-Z]*e|-o\s+errexit\b)").expect("a regular expression"));
    ERREXIT.is_match(text)
}

/// For a block that never came to its shell.
pub(super) fn interrupted() -> BlockResult {
    BlockResult {
        ended: Ended::Interrupted,
        exit: None,
        output: String::new(),
        truncated: false,
        found: BTreeMap::new(),
        commands: Vec::new(),
        took: Duration::ZERO,
    }
}

/// What a background block printed, whose commands are not told apart.
pub(super) fn tidy_live(text: &str, block: &Block, dir: &Path) -> String {
    let all = block.lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
    tidy(text, &all, dir)
}
