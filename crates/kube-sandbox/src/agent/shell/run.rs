//! A shell that follows a script: its variables, its streams, its clock, and how far it is followed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::files::{Files, What, absolute};
use super::syntax::{self, Unread};
use super::text::LONGEST;
use super::tree::Script;
use super::world::World;
use super::{End, Piece, Played};

/// Why a script does not go on with its next command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    Exit(i32),
    Break(u32),
    Continue(u32),
    Return(i32),
    Never,
    OutOfMemory,
    /// It depends on what happens elsewhere later on, or is too long to be followed at once.
    Open,
}

pub(super) type Went = Result<i32, Stop>;

#[derive(Debug, Clone)]
pub(super) enum Sink {
    Log { error: bool },
    Held(Rc<RefCell<String>>),
    File(String),
    Nothing,
}

/// Where a command's streams lead.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub(super) input: Option<Rc<str>>,
    pub(super) out: Sink,
    pub(super) err: Sink,
}

const FIRST_STEPS: u32 = 500;
const MOST_STEPS: u32 = 32_000;
const MOST_PRINTED: usize = 512 * 1024;
/// What all that is read and printed may come to before nobody follows it any further.
pub(super) const MOST_WORK: usize = 8 << 20;
const DEEPEST: u32 = 12;
/// What a shell does itself, whatever its image has.
pub(super) const BUILT_IN: [&str; 9] = ["echo", "printf", "test", "[", "[[", "true", "false", "pwd", "kill"];
/// A sleep of more than a century is one for ever.
pub(super) const FOR_EVER: i64 = 4_000_000_000_000;

pub(super) struct Shell<'w> {
    pub(super) world: &'w World,
    pub(super) files: Files,
    pub(super) before: usize,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) given: Vec<String>,
    pub(super) folder: String,
    pub(super) time: i64,
    pub(super) status: i32,
    pub(super) seed: u64,
    pub(super) unknown: Option<String>,
    pub(super) serves: Option<Vec<String>>,
    pub(super) functions: BTreeMap<String, Rc<Script>>,
    printed: Vec<Piece>,
    length: usize,
    pub(super) work: usize,
    pub(super) steps: u32,
    pub(super) most: u32,
    pub(super) depth: u32,
    pub(super) strict: bool,
    pub(super) traced: bool,
    pub(super) tested: u32,
    /// When the last of what was left to run beside the script ends.
    pub(super) aside: i64,
    pub(super) at_exit: Option<String>,
    /// What to do when it is told to stop; nothing at all, where that is empty.
    pub(super) at_stop: Option<String>,
    /// Whether anything ever did something about being told to stop.
    pub(super) traps: bool,
    /// When it did something about it.
    pub(super) trapped_at: Option<i64>,
}

/// How a shell stood when what it was given was through.
pub(super) struct Left {
    pub(super) vars: BTreeMap<String, String>,
    pub(super) folder: String,
    pub(super) status: i32,
    /// Whether it was told to end.
    pub(super) exits: bool,
}

/// `line` is a program and its arguments, as a container or a probe has it.
pub(crate) fn play(world: &World, line: &[String]) -> Played {
    followed(world, true, |_| {}, |shell, streams| shell.program(line, streams)).0
}

/// `whole`: the shell ends with it.
pub(super) fn followed(
    world: &World,
    whole: bool,
    begin: impl Fn(&mut Shell<'_>),
    work: impl Fn(&mut Shell<'_>, &Streams) -> Went,
) -> (Played, Left) {
    let mut most = FIRST_STEPS;
    loop {
        let mut shell = Shell::new(world, most);
        begin(&mut shell);
        let streams = Streams { input: None, out: Sink::Log { error: false }, err: Sink::Log { error: true } };
        let went = work(&mut shell, &streams);
        let exits = matches!(went, Err(Stop::Exit(_)));
        let went = if whole || exits { shell.leave(went, &streams) } else { went };
        let endless = shell.work > MOST_WORK;
        let spent = shell.steps >= shell.most || endless;
        // A script that is not through is followed further, as long as it lags behind the clock.
        if spent && !endless && most < MOST_STEPS && shell.time <= world.now + 60_000 {
            most *= 4;
            continue;
        }
        let at = shell.time;
        let end = match went {
            Ok(code) | Err(Stop::Exit(code) | Stop::Return(code)) => End::At { at, code: code & 0xff },
            Err(Stop::Break(_) | Stop::Continue(_)) => End::At { at, code: 0 },
            Err(Stop::Never) => End::Never,
            Err(Stop::OutOfMemory) => End::OutOfMemory { at },
            Err(Stop::Open) if endless || spent && most >= MOST_STEPS => End::Never,
            Err(Stop::Open) => End::Open { at },
        };
        let changes = shell.files.changes.split_off(shell.before);
        let status = if let End::At { code, .. } = end { code } else { shell.status };
        let left =
            Left { vars: std::mem::take(&mut shell.vars), folder: std::mem::take(&mut shell.folder), status, exits };
        let Shell { printed, unknown, serves, traps, .. } = shell;
        let played = Played { printed, changes, end, unknown, serves, traps };
        return (played, left);
    }
}

impl<'w> Shell<'w> {
    pub(super) fn new(world: &'w World, most: u32) -> Self {
        let mut vars = world.env.clone();
        for (name, value) in [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOSTNAME", &world.host),
            ("HOME", if world.user == 0 { "/root" } else { "/" }),
        ] {
            vars.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        Self {
            world,
            files: world.files.clone(),
            before: world.files.changes.len(),
            vars,
            given: Vec::new(),
            folder: if world.folder.is_empty() { "/".to_owned() } else { world.folder.clone() },
            time: world.start,
            status: 0,
            seed: world.seed,
            unknown: None,
            serves: None,
            functions: BTreeMap::new(),
            printed: Vec::new(),
            length: 0,
            work: 0,
            steps: 0,
            most,
            depth: 0,
            strict: false,
            traced: false,
            tested: 0,
            aside: 0,
            at_exit: None,
            at_stop: None,
            traps: false,
            trapped_at: None,
        }
    }

    pub(super) fn leave(&mut self, went: Went, streams: &Streams) -> Went {
        let over = matches!(went, Ok(_) | Err(Stop::Exit(_)));
        let Some(script) = self.at_exit.take().filter(|_| over) else { return went };
        let code = match went {
            Ok(code) | Err(Stop::Exit(code)) => code,
            Err(_) => 0,
        };
        match self.text(&script, streams) {
            Ok(_) => Ok(code),
            other => other,
        }
    }

    pub(super) fn print(&mut self, to: &Sink, text: &str) {
        if text.is_empty() {
            return;
        }
        self.work += text.len() + self.files.changes.len();
        match to {
            Sink::Nothing => {}
            Sink::Held(held) => {
                let mut held = held.borrow_mut();
                if held.len() + text.len() <= LONGEST {
                    held.push_str(text);
                }
            }
            Sink::Log { error } => {
                self.length += text.len();
                if self.length <= MOST_PRINTED {
                    self.printed.push(Piece { at: self.time, error: *error, text: text.to_owned() });
                }
            }
            Sink::File(path) => self.files.set(self.time, path, What::More(text.to_owned())),
        }
    }

    /// What cannot be followed is named once, and taken to go as meant.
    pub(super) fn unknown(&mut self, what: &str) {
        if self.unknown.is_none() {
            let short: String = what.chars().take(80).collect();
            self.unknown = Some(if short.len() < what.len() { format!("{short}…") } else { short });
        }
    }

    /// What happens elsewhere is known up to now only.
    pub(super) fn elsewhere(&self) -> Result<(), Stop> {
        if self.time > self.world.now { Err(Stop::Open) } else { Ok(()) }
    }

    pub(super) fn path(&self, path: &str) -> String {
        absolute(path, &self.folder)
    }

    pub(super) fn text(&mut self, text: &str, streams: &Streams) -> Went {
        if self.depth >= DEEPEST {
            self.unknown("a script that calls itself so deeply");
            return Ok(0);
        }
        let script = match syntax::script(text) {
            Ok(script) => script,
            Err(Unread::Wrong(why)) => {
                self.print(&streams.err, &format!("sh: {why}\n"));
                return Ok(2);
            }
            Err(Unread::Beyond(what)) => {
                self.unknown(what);
                return if self.world.once { Ok(0) } else { Err(Stop::Never) };
            }
        };
        self.depth += 1;
        let went = self.listed(&script, streams);
        self.depth -= 1;
        went
    }
}
