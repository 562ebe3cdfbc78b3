//! From a shell's stream to its commands: each one's text, status and output, by the marks around them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::SystemTime;

use super::above::Standing;
use super::marks::{Mark, Marks};
use super::rc::{Files, from_history};

/// More than this is reported only at the command's end.
const LONGEST_REPORT: usize = 256 << 10;

/// A command that has ended in the learner's shell, or that runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// As it was typed.
    pub text: String,
    /// 0 while it runs.
    pub status: i32,
    /// As a person saw it.
    pub output: String,
    /// Some of the output is not kept.
    pub is_cut: bool,
    pub began: SystemTime,
    pub ended: SystemTime,
    /// The block of the lab that was typed for the learner.
    pub block: Option<String>,
    /// The shell's KUBECONFIG when it had ended.
    pub kubeconfig: Option<String>,
}

/// A command that the learner's shell has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Began {
    /// As it was typed.
    pub text: String,
    pub at: SystemTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Start-up files, or what runs between a command and the prompt.
    Between,
    /// The prompt is being written.
    Prompting,
    /// The person types.
    Typing,
    Running,
}

/// What a mark in the stream means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Noted {
    Began(Began),
    Finished(Finished),
    /// The next prompt begins.
    Prompt,
}

/// One shell's stream, followed from its first byte on.
pub(super) struct Commands {
    files: Files,
    marks: Marks,
    phase: Phase,
    /// What is on the screen since the prompt began.
    standing: Standing,
    typed_from: (u16, u16),
    columns: u16,
    running: Option<(String, SystemTime)>,
    /// What the block that was typed has come to so far.
    typed: Option<Finished>,
    /// Its first command has begun.
    has_typed_begun: bool,
    /// The command that runs has printed something that was not reported yet.
    has_printed: bool,
}

impl Commands {
    /// `word` stands in each of the shell's marks.
    pub(super) fn new(dir: PathBuf, word: &str, rows: u16, columns: u16) -> Self {
        Self {
            files: Files::of(dir),
            marks: Marks::new(word, rows),
            phase: Phase::Between,
            standing: Standing::new(columns),
            typed_from: (0, 0),
            columns,
            running: None,
            typed: None,
            has_typed_begun: false,
            has_printed: false,
        }
    }

    /// Takes bytes up to and including the next mark: how many those were.
    pub(super) fn feed(&mut self, bytes: &[u8], noted: &mut VecDeque<Noted>) -> usize {
        let (taken, mark) = self.marks.feed(bytes);
        let bytes = &bytes[..taken];
        match self.phase {
            Phase::Prompting | Phase::Typing => self.standing.feed(bytes),
            Phase::Running => self.has_printed |= !bytes.is_empty(),
            Phase::Between => {}
        }
        if let Some(mark) = mark {
            self.marked(mark, noted);
        }
        taken
    }

    /// The prompt stands, and nothing of it is still to come.
    pub(super) fn is_typing(&self) -> bool {
        self.phase == Phase::Typing
    }

    pub(super) fn has_printed(&self) -> bool {
        self.has_printed && self.phase == Phase::Running
    }

    pub(super) fn is_full_screen(&self) -> bool {
        self.marks.is_full_screen()
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(super) fn resize(&mut self, columns: u16) {
        self.columns = columns;
        self.standing.resize(columns);
    }

    /// What comes next is a block of the lab, typed for the learner: its commands are one.
    pub(super) fn types_block(&mut self, name: String, text: String) {
        let now = SystemTime::now();
        self.has_typed_begun = false;
        self.typed = Some(Finished {
            text,
            status: 0,
            output: String::new(),
            is_cut: false,
            began: now,
            ended: now,
            block: Some(name),
            kubeconfig: None,
        });
    }

    /// The command that runs on, with all that it has printed so far; nothing where that is too much to report often.
    pub(super) fn printed(&mut self) -> Option<Finished> {
        self.has_printed = false;
        let (text, began) = self.running.clone()?;
        let (output, is_cut) = self.marks.recorded().filter(|(output, _)| output.len() <= LONGEST_REPORT)?;
        let block = self.typed.as_ref().and_then(|typed| typed.block.clone());
        let ended = SystemTime::now();
        Some(Finished { text, status: 0, output, is_cut, began, ended, block, kubeconfig: None })
    }

    fn marked(&mut self, mark: Mark, noted: &mut VecDeque<Noted>) {
        match (mark, self.phase) {
            (Mark::PromptBegins, Phase::Between) => {
                self.standing = Standing::new(self.columns);
                self.phase = Phase::Prompting;
                noted.extend(self.typed.take().map(Noted::Finished));
                noted.push_back(Noted::Prompt);
            }
            // Drawn again: after a list of completions, a cleared screen, a new size.
            (Mark::PromptBegins, _) => self.standing.begin(),
            (Mark::PromptEnds, Phase::Prompting | Phase::Typing) => {
                self.phase = Phase::Typing;
                self.typed_from = self.standing.place();
            }
            // The next command of several that were pasted: the prompt comes after the last.
            (Mark::CommandBegins, Phase::Running) => {
                let next = self.command_text(String::new());
                let is_new = |text: &str| !squeezed(text).contains(&squeezed(&next));
                if let Some((text, _)) = self.running.as_mut().filter(|(text, _)| is_new(text)) {
                    text.push('\n');
                    text.push_str(&next);
                }
            }
            (Mark::CommandBegins, _) => {
                let typed = self.standing.text_from(self.typed_from);
                self.running = Some((self.command_text(typed), SystemTime::now()));
                noted.extend(self.began().map(Noted::Began));
                self.marks.begin_recording();
                self.has_printed = false;
                self.phase = Phase::Running;
            }
            (Mark::CommandEnds(status), _) => {
                if let Some((text, began)) = self.running.take() {
                    noted.extend(self.finished(text, began, status).map(Noted::Finished));
                }
                self.phase = Phase::Between;
            }
            (Mark::PromptEnds, _) => {}
        }
    }

    /// The command that has begun just now; all commands of a block that was typed are one.
    fn began(&mut self) -> Option<Began> {
        match &self.typed {
            None => self.running.clone().map(|(text, at)| Began { text, at }),
            Some(_) if std::mem::replace(&mut self.has_typed_begun, true) => None,
            Some(typed) => Some(Began { text: typed.text.clone(), at: typed.began }),
        }
    }

    /// As it stands on the screen, where that begins with what the history has: the history joins the lines of one
    /// command. Else, where the person redraws the line or hides it, as the history has it.
    fn command_text(&self, on_screen: String) -> String {
        let history = std::fs::read_to_string(self.files.command()).ok().and_then(|text| from_history(&text));
        let Some(history) = history else { return on_screen };
        let without_ps2 = on_screen.replace("\n> ", "\n");
        let begins = |text: &&String| squeezed(text).starts_with(&squeezed(&history));
        let as_typed = [&on_screen, &without_ps2].into_iter().find(begins).cloned();
        match as_typed {
            Some(text) => text,
            None if on_screen.is_empty() || first_word(&on_screen) == first_word(&history) => history,
            // A command that is kept out of the history.
            None => on_screen,
        }
    }

    /// A command of a block that was typed adds to it; any other is finished by itself.
    fn finished(&mut self, text: String, began: SystemTime, status: i32) -> Option<Finished> {
        let (output, is_cut) = self.marks.end_recording();
        let ended = SystemTime::now();
        let kubeconfig = std::fs::read_to_string(self.files.kubeconfig()).ok();
        let Some(typed) = &mut self.typed else {
            return Some(Finished { text, status, output, is_cut, began, ended, block: None, kubeconfig });
        };
        typed.kubeconfig = kubeconfig;
        typed.output.push_str(&output);
        typed.is_cut |= is_cut;
        typed.ended = ended;
        if typed.status == 0 {
            typed.status = status;
        }
        None
    }
}

fn first_word(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

/// Without line ends, which the history leaves out where a line is continued, and puts other characters in their place
/// elsewhere.
fn squeezed(text: &str) -> String {
    text.replace("\\\n", "").chars().filter(|c| !c.is_whitespace() && *c != ';').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: &str = "w";

    fn commands(dir: &std::path::Path) -> Commands {
        Commands::new(dir.to_owned(), WORD, 24, 80)
    }

    fn mark(kind: &str) -> String {
        format!("\x1b]133;{kind};aid={WORD}\x07")
    }

    /// All that a stream says, in reads of a few bytes.
    fn all(commands: &mut Commands, text: &str) -> Vec<Noted> {
        let mut noted = VecDeque::new();
        for chunk in text.as_bytes().chunks(7) {
            let mut rest = chunk;
            while !rest.is_empty() {
                let taken = commands.feed(rest, &mut noted);
                rest = &rest[taken..];
            }
        }
        noted.into()
    }

    fn prompt() -> String {
        format!("{}{}$ {}", mark("D;0"), mark("A"), mark("B"))
    }

    #[test]
    fn a_command_is_noted_with_its_text_output_and_status() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut commands = commands(dir.path());
        assert_eq!(all(&mut commands, &prompt()), [Noted::Prompt], "a first prompt ends no command");
        assert!(commands.is_typing());
        let noted = all(&mut commands, &format!("ls x\r\n{}no x\r\n", mark("C")));
        let [Noted::Began(began)] = noted.as_slice() else { panic!("{noted:?}") };
        let (text, at) = (began.text.clone(), began.at);
        assert_eq!(commands.printed().map(|printed| printed.output), Some("no x\n".to_owned()));
        let noted = all(&mut commands, &format!("{}{}$ {}", mark("D;2"), mark("A"), mark("B")));
        let [Noted::Finished(finished), Noted::Prompt] = noted.as_slice() else { panic!("{noted:?}") };
        assert_eq!((finished.text.as_str(), finished.status, finished.output.as_str()), ("ls x", 2, "no x\n"));
        assert_eq!(finished.block, None);
        assert_eq!((text, at), (finished.text.clone(), finished.began), "it is known again at its end");
    }

    #[test]
    fn commands_that_are_pasted_are_one_also_where_a_line_is_continued() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut commands = commands(dir.path());
        all(&mut commands, &prompt());
        let history = |text: &str| std::fs::write(Files::of(dir.path().to_owned()).command(), text).expect("written");
        history("    1  S=1\n");
        all(&mut commands, &format!("S=1\r\netcdctl -x \\\r\n  get /a\r\n{}", mark("C")));
        history("    2  etcdctl -x   get /a\n");
        let noted = all(&mut commands, &format!("{}/a\r\n{}{}", mark("C"), mark("D;0"), mark("A")));
        let [Noted::Finished(finished), Noted::Prompt] = noted.as_slice() else { panic!("{noted:?}") };
        assert_eq!(finished.text, "S=1\netcdctl -x \\\n  get /a");
        assert_eq!(finished.output, "/a\n");
    }

    #[test]
    fn the_commands_of_a_typed_block_are_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut commands = commands(dir.path());
        all(&mut commands, &prompt());
        commands.types_block("make".to_owned(), "a\nb".to_owned());
        let pasted = format!("a\r\nb\r\n{}1\r\n{}{}2\r\n{}", mark("C"), mark("D;3"), mark("C"), mark("D;0"));
        let noted = all(&mut commands, &pasted);
        let [Noted::Began(began)] = noted.as_slice() else { panic!("{noted:?}") };
        let (text, at) = (began.text.clone(), began.at);
        let noted = all(&mut commands, &mark("A"));
        let [Noted::Finished(block), Noted::Prompt] = noted.as_slice() else { panic!("{noted:?}") };
        assert_eq!((text, at), (block.text.clone(), block.began));
        assert_eq!((block.block.as_deref(), block.status, block.output.as_str()), (Some("make"), 3, "1\n2\n"));
    }
}
