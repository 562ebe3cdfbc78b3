//! The word `lab`, typed in a learner's shell: asks the session through its door, and prints what it answers.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use super::look::Look;
use super::outfit::{TERMINAL_VARIABLE, asked_about, forget_asked, leave_to_type, remember_asked};
use super::page::{Page, markdown, question_lines};
use super::said::{InWords, Teller};
use super::words::{WORDS, help};
use crate::lab::{Action, Item, Lab};
use crate::session::door::Caller;
use crate::session::{Answer, BlockText, Request, View};
use crate::text::{CROSS, TICK, did_you_mean};

/// Changes shown by `lab events`.
const EVENTS: usize = 40;

/// Words that may be asked about before they are done.
const ASKS: [&str; 3] = ["next", "solution", "skip"];

/// Other tools judge when they are told to.
const JUDGING: [&str; 5] = ["check", "checks", "grade", "test", "verify"];

/// What the command line knows and this does not: how a lab's file is read, and which program this is.
pub struct Setting<'a> {
    pub look: Look,
    pub load: &'a dyn Fn(&Path) -> Result<Lab, String>,
    pub program: PathBuf,
    pub door: PathBuf,
    /// There is somebody to ask.
    pub is_attended: bool,
}

/// How it ended: 0 done, 1 refused, 2 no such word, 3 no session.
pub fn lab(args: &[String], setting: &Setting<'_>) -> u8 {
    let word = args.first().map_or("", String::as_str);
    let known = word.is_empty() || word == "show" || WORDS.iter().any(|(name, ..)| *name == word);
    if !known {
        let hint = if JUDGING.contains(&word) {
            "checks are judged by themselves while you work: `lab` shows how each stands, `lab why` what one wants"
                .to_owned()
        } else {
            did_you_mean(word, WORDS.iter().map(|(name, ..)| *name))
                .unwrap_or_else(|| "`lab help` lists the words".to_owned())
        };
        eprintln!("lab: there is no word `{word}`; {hint}");
        return 2;
    }
    if word == "help" {
        print(help(setting.look));
        return 0;
    }
    let mut caller = match Caller::connect(&setting.door) {
        Ok(caller) => caller,
        Err(error) => {
            eprintln!(
                "lab: the session of this terminal does not answer ({error}); leave this shell, then `keywitness learn` takes the lab up again"
            );
            return 3;
        }
    };
    let mut desk = match Desk::new(&mut caller, setting) {
        Ok(desk) => desk,
        Err(error) => {
            eprintln!("lab: {error}");
            return 3;
        }
    };
    match desk.word(word, args.get(1..).unwrap_or_default()) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            eprintln!("lab: {error}");
            3
        }
    }
}

fn print(lines: impl IntoIterator<Item = String>) {
    let mut stdout = io::stdout().lock();
    for line in lines {
        // A reader that has gone away has what it wanted.
        if writeln!(stdout, "{line}").is_err() {
            return;
        }
    }
}

/// A connection, and what is needed to show its answers.
struct Desk<'a> {
    caller: &'a mut Caller,
    setting: &'a Setting<'a>,
    lab: Lab,
    view: View,
    words: InWords,
    /// The folder of the terminal that the word was typed in.
    terminal: Option<PathBuf>,
}

impl<'a> Desk<'a> {
    fn new(caller: &'a mut Caller, setting: &'a Setting<'a>) -> Result<Self, String> {
        let view = match caller.ask(Request::Show) {
            Ok(Answer::View { view }) => *view,
            Ok(other) => return Err(format!("the session answers otherwise than expected: {other:?}")),
            Err(error) => return Err(error.to_string()),
        };
        let lab = (setting.load)(Path::new(&view.lab.file))?;
        let words = InWords::of(&lab, &view.values());
        let terminal = std::env::var_os(TERMINAL_VARIABLE).map(PathBuf::from).filter(|dir| dir.is_dir());
        Ok(Self { caller, setting, lab, view, words, terminal })
    }

    fn look(&self) -> Look {
        self.setting.look
    }

    fn teller(&self) -> Teller<'_> {
        Teller { look: self.look(), words: &self.words }
    }

    /// Whether it was done.
    fn word(&mut self, word: &str, rest: &[String]) -> io::Result<bool> {
        let first = rest.first().cloned();
        if !ASKS.contains(&word) {
            self.forget_asked()?;
        }
        match word {
            "next" => self.agree_or_ask(word, Request::Next),
            "prev" => self.ask(Request::Prev),
            "run" => self.run(first),
            "hint" => self.ask(Request::Hint),
            "why" => self.ask(Request::Why),
            "answer" => self.answer(rest),
            "solution" => self.agree_or_ask(word, Request::Solution),
            "solve" => self.ask(Request::Solve),
            "skip" => self.agree_or_ask(word, Request::Skip),
            "events" => self.ask(Request::Events { limit: EVENTS }),
            "reset" => self.ask(Request::Reset { step: first }),
            "list" => self.ask(Request::List),
            "hand-in" => self.hand_in(first),
            "stop" => self.ask(Request::Stop { block: first }),
            "terminal" => Ok(self.split_window()),
            "quit" => self.quit(),
            _ => {
                self.show();
                Ok(true)
            }
        }
    }

    fn show(&self) {
        let page = Page { lab: &self.lab, view: &self.view, look: self.look() };
        let mut lines = vec![String::new()];
        lines.extend(page.step());
        lines.push(String::new());
        print(lines);
    }

    /// The step that is on the screen now.
    fn show_anew(&mut self) -> io::Result<()> {
        if let Answer::View { view } = self.caller.ask(Request::Show)? {
            self.view = *view;
        }
        self.show();
        self.until_open()
    }

    /// The word ends when the step is open: what is typed after it counts.
    fn until_open(&mut self) -> io::Result<()> {
        if self.view.step.preparing {
            self.caller.ask(Request::Opened)?;
        }
        Ok(())
    }

    fn ask(&mut self, request: Request) -> io::Result<bool> {
        let answer = self.caller.ask(request)?;
        self.say(answer)
    }

    /// The same word once more in this terminal agrees to what it asked about, unless anything came between.
    fn agree_or_ask(&mut self, word: &str, request: Request) -> io::Result<bool> {
        let asked = self.terminal.as_deref().and_then(|dir| asked_about(dir, word));
        self.forget_asked()?;
        if let Some(number) = asked {
            let answer = self.caller.ask(Request::Agree { number })?;
            if !matches!(answer, Answer::Refused { .. }) {
                return self.say(answer);
            }
        }
        let answer = self.caller.ask(request)?;
        if let (Answer::AskAgain { number, .. }, Some(dir)) = (&answer, &self.terminal) {
            remember_asked(dir, word, *number)?;
        }
        self.say(answer)
    }

    fn forget_asked(&self) -> io::Result<()> {
        self.terminal.as_deref().map_or(Ok(()), forget_asked)
    }

    fn say(&mut self, answer: Answer) -> io::Result<bool> {
        match answer {
            Answer::Done | Answer::Environment { .. } => {}
            Answer::View { view } if view.finished => {
                self.view = *view;
                print([format!("  That was the last step of {}.", self.view.lab.title)]);
            }
            Answer::View { view } => {
                self.view = *view;
                self.show();
                self.until_open()?;
            }
            Answer::Refused { reason, hint } => {
                let hint = hint.map_or(String::new(), |hint| format!("; {hint}"));
                let text = self.look().sentence(&format!("  {reason}{hint}"));
                print(crate::text::wrapped(&text, self.look().width()));
                return Ok(false);
            }
            Answer::AskAgain { reason, again, .. } => {
                let text = self.look().sentence(&format!("  {reason}; {again}"));
                print(crate::text::wrapped(&text, self.look().width()));
                return Ok(false);
            }
            Answer::Hint { hint } => print(self.teller().hint(&hint)),
            Answer::Solution { blocks } => self.solution(&blocks),
            Answer::Block { block } => self.solution(&[block]),
            Answer::Ran { passed, reason, output, cut } => {
                let lines = output.trim_end().lines().map(|line| crate::text::redact(line).into_owned());
                print(lines);
                if cut {
                    print(["  (some of what it printed is not kept)".to_owned()]);
                }
                if let Some(reason) = reason {
                    print([format!("  {reason}")]);
                }
                return Ok(passed);
            }
            Answer::Why { checks, notes } => print(self.teller().why(&checks, &notes)),
            Answer::Answered { right, words, explanation, .. } => {
                let look = self.look();
                let sign = match (look.plain, right) {
                    (true, true) => "Right: ".to_owned(),
                    (true, false) => "Not right: ".to_owned(),
                    (false, true) => format!("  {} ", look.good().apply_to(TICK)),
                    (false, false) => format!("  {} ", look.bad().apply_to(CROSS)),
                };
                print(crate::text::wrapped(&format!("{sign}{words}"), look.width()));
                if let Some(explanation) = explanation {
                    print(
                        markdown(&explanation, look).into_iter().map(|line| format!("  {line}").trim_end().to_owned()),
                    );
                }
                return Ok(right);
            }
            Answer::HandedIn { file, points, max_points, learner } => {
                print(self.teller().handed_in(&file, (points, max_points), learner.as_deref()));
            }
            Answer::Summary { summary } => print(self.teller().summary(&summary)),
            Answer::Events { events, left_out } => print(self.teller().events(&events, left_out)),
            Answer::Steps { steps, points, max_points } => print(self.teller().steps(&steps, points, max_points)),
            Answer::WentBack { left, .. } => {
                print(["  Back at the start of this step.".to_owned()]);
                print(left.iter().map(|what| format!("  Not undone: {what}")));
                self.show_anew()?;
            }
        }
        Ok(true)
    }

    fn solution(&self, blocks: &[BlockText]) {
        let look = self.look();
        for block in blocks {
            print(super::raw_text::code(&block.text, &look.code()));
        }
        if !blocks.is_empty() {
            print([format!("  {} types it for you.", look.quoted("lab run"))]);
        }
    }

    /// Typed into this very shell; what is left running, and what belongs on the node, the session runs elsewhere.
    fn run(&mut self, block: Option<String>) -> io::Result<bool> {
        let block = match self.caller.ask(Request::Block { block })? {
            Answer::Block { block } => block,
            other => return self.say(other),
        };
        let action = self.action(block.line);
        let starts = action.is_some_and(|action| action.start.is_some());
        let stops = action.and_then(|action| action.stop.as_ref()).map(|stop| stop.block.value.clone());
        match &self.terminal {
            Some(terminal) if !block.background && !block.on_node && !starts => {
                if stops.is_some() {
                    self.caller.ask(Request::Stop { block: stops })?;
                }
                leave_to_type(terminal, &block.id, &block.text)?;
                Ok(true)
            }
            _ => {
                print(super::raw_text::code(&block.text, &self.look().code()));
                let is_left_running = block.background;
                let done = self.ask(Request::Run { block: Some(block.id) })?;
                if done && is_left_running {
                    print([format!("  It runs on beside this shell; {} ends it.", self.look().quoted("lab stop"))]);
                }
                Ok(done)
            }
        }
    }

    fn action(&self, line: usize) -> Option<&Action> {
        let mut items = self.lab.steps.iter().flat_map(|step| &step.items);
        items.find_map(|item| match item {
            Item::Action(action) if self.lab.source.position(action.span.start).line == line => Some(action),
            _ => None,
        })
    }

    fn answer(&mut self, rest: &[String]) -> io::Result<bool> {
        let open: Vec<_> = self.view.step.questions.iter().filter(|question| question.left.is_none()).collect();
        let named = rest.first().and_then(|word| open.iter().find(|question| question.id == *word && rest.len() > 1));
        let asked = named.or_else(|| open.iter().find(|question| !question.right)).or(open.first());
        let Some(asked) = asked.map(|question| (*question).clone()) else {
            print(["  This step asks no question.".to_owned()]);
            return Ok(false);
        };
        let text = rest[usize::from(named.is_some())..].join(" ");
        let text = if text.trim().is_empty() {
            print(question_lines(self.look(), self.look().width(), &asked, true));
            match read_line("  > ")? {
                Some(text) => text,
                None => return Ok(false),
            }
        } else {
            text
        };
        self.ask(Request::Answer { question: Some(asked.id), text })
    }

    /// A name is one in the folder of this shell.
    fn hand_in(&mut self, file: Option<String>) -> io::Result<bool> {
        let file = file.map(std::path::absolute).transpose()?.map(|file| file.display().to_string());
        self.ask(Request::HandIn { file })
    }

    fn split_window(&self) -> bool {
        let program = self.setting.program.display().to_string();
        let door = self.setting.door.display().to_string();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let args: &[&str] = match () {
            () if set("TMUX") => &["tmux", "split-window", "--"],
            () if set("ZELLIJ") => &["zellij", "run", "--close-on-exit", "--"],
            () => {
                print([format!(
                    "  Open another terminal window, and type: {}",
                    self.look().quoted("keywitness shell")
                )]);
                return true;
            }
        };
        let split =
            std::process::Command::new(args[0]).args(&args[1..]).arg(program).args(["shell", "--door", &door]).status();
        match split {
            Ok(status) if status.success() => true,
            Ok(status) => {
                eprintln!("lab: {} did not split this window ({status})", args[0]);
                false
            }
            Err(error) => {
                eprintln!("lab: {} cannot be started: {error}", args[0]);
                false
            }
        }
    }

    fn quit(&mut self) -> io::Result<bool> {
        let mut keep = (!self.setting.is_attended).then_some(true);
        while keep.is_none() {
            // The input's end says nothing, and keeps.
            keep = keeps(&read_line(KEEP)?.unwrap_or_default());
        }
        let keep = keep.unwrap_or(true);
        if !self.view.finished {
            print([String::new()]);
            self.ask(Request::Summary)?;
        }
        self.ask(Request::Quit { keep })
    }
}

pub(super) const KEEP: &str = "Keep the session, to go on later where you are? [Y/n] ";

/// What an answer to it says; the one that is offered where it says nothing.
pub(super) fn keeps(answer: &str) -> Option<bool> {
    match answer.trim().to_lowercase().as_str() {
        "" | "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    }
}

fn read_line(prompt: &str) -> io::Result<Option<String>> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(prompt.as_bytes())?;
    stdout.flush()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned()))
}
