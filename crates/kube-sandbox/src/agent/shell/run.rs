//! Follows a script command by command.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::files::{Files, What, absolute};
use super::syntax::{self, Command, Join, Part, Pipe, Placed, Redirect, Script, Target, Unread, Word};
use super::text::LONGEST;
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
const MOST_WORK: usize = 8 << 20;
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
    steps: u32,
    most: u32,
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
    told: Option<i64>,
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
            told: None,
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

    pub(super) fn listed(&mut self, script: &Script, streams: &Streams) -> Went {
        let mut code = self.status;
        for (at, (join, pipe, aside)) in script.0.iter().enumerate() {
            let skip = match join {
                Join::Always => false,
                Join::IfGood => code != 0,
                Join::IfBad => code == 0,
            };
            if skip {
                continue;
            }
            if *aside {
                // What is left to run beside the script takes none of its time.
                let time = self.time;
                match self.apart(|shell| shell.pipe(pipe, streams)) {
                    Err(Stop::OutOfMemory) => return Err(Stop::OutOfMemory),
                    Err(Stop::Never | Stop::Open) => self.aside = i64::MAX,
                    _ => self.aside = self.aside.max(self.time),
                }
                self.time = time;
                code = 0;
                continue;
            }
            let guarded = script.0.get(at + 1).is_some_and(|(next, ..)| *next != Join::Always) || pipe.not;
            self.tested += u32::from(guarded);
            let went = self.pipe(pipe, streams);
            self.tested -= u32::from(guarded);
            code = went?;
            self.status = code;
            if code != 0 && self.strict && self.tested == 0 && !guarded {
                return Err(Stop::Exit(code));
            }
        }
        self.status = code;
        Ok(code)
    }

    fn pipe(&mut self, pipe: &Pipe, streams: &Streams) -> Went {
        let Some((last, first)) = pipe.commands.split_last() else { return Ok(0) };
        let mut input = streams.input.clone();
        for command in first {
            let held = Rc::new(RefCell::new(String::new()));
            let streams = Streams { input, out: Sink::Held(Rc::clone(&held)), err: streams.err.clone() };
            match self.apart(|shell| shell.command(command, &streams)) {
                Ok(_) | Err(Stop::Exit(_)) => {}
                Err(stop) => {
                    // What reads from it may print all the same; nobody knows when.
                    return Err(stop);
                }
            }
            input = Some(Rc::from(held.borrow().as_str()));
        }
        let streams = Streams { input, ..streams.clone() };
        let code = if first.is_empty() {
            self.command(last, &streams)?
        } else {
            match self.apart(|shell| shell.command(last, &streams)) {
                Err(Stop::Exit(code)) => code,
                went => went?,
            }
        };
        Ok(if pipe.not { i32::from(code == 0) } else { code })
    }

    /// In a shell of its own: what it sets is gone afterwards.
    pub(super) fn apart(&mut self, work: impl FnOnce(&mut Self) -> Went) -> Went {
        let (vars, folder, given) = (self.vars.clone(), self.folder.clone(), self.given.clone());
        // What its parent does when it is told to stop is the parent's.
        let at_stop = self.at_stop.take();
        let went = work(self);
        (self.vars, self.folder, self.given, self.at_stop) = (vars, folder, given, at_stop);
        went
    }

    fn command(&mut self, placed: &Placed, streams: &Streams) -> Went {
        self.steps += 1;
        if self.steps > self.most || self.work > MOST_WORK {
            self.steps = self.steps.min(self.most);
            return Err(Stop::Open);
        }
        if self.depth >= 200 {
            self.unknown("a script that calls itself so deeply");
            return Ok(0);
        }
        let streams = match self.redirected(&placed.redirects, streams)? {
            Ok(streams) => streams,
            Err(code) => return Ok(code),
        };
        self.depth += 1;
        let went = self.kind(&placed.command, &streams);
        self.depth -= 1;
        if went.is_ok() { self.heed(&streams, went) } else { went }
    }

    /// What a trap does once the shell is told to stop: after the command that it waits for.
    fn heed(&mut self, streams: &Streams, went: Went) -> Went {
        if self.told.is_some() || self.world.stopped.is_none_or(|at| self.time < at) {
            return went;
        }
        let Some(script) = self.at_stop.clone().filter(|script| !script.is_empty()) else { return went };
        self.told = Some(self.time);
        self.text(&script, streams)?;
        went
    }

    fn kind(&mut self, command: &Command, streams: &Streams) -> Went {
        match command {
            Command::Simple { set, words } => self.simple(set, words, streams),
            Command::Group(body) => self.listed(body, streams),
            Command::Shell(body) => match self.apart(|shell| shell.listed(body, streams)) {
                Err(Stop::Exit(code)) => Ok(code),
                went => went,
            },
            Command::If { arms, or } => {
                for (test, body) in arms {
                    if self.test(test, streams)? == 0 {
                        return self.listed(body, streams);
                    }
                }
                match or {
                    Some(body) => self.listed(body, streams),
                    None => Ok(0),
                }
            }
            Command::Loop { test, until, body } => {
                let mut code = 0;
                while (self.test(test, streams)? == 0) != *until {
                    match self.turn(body, streams)? {
                        Some(went) => code = went,
                        None => break,
                    }
                }
                Ok(code)
            }
            Command::For { name, words, body } => {
                let mut code = 0;
                for value in self.fields(words, streams)? {
                    self.vars.insert(name.clone(), value);
                    match self.turn(body, streams)? {
                        Some(went) => code = went,
                        None => break,
                    }
                }
                Ok(code)
            }
            Command::Case { word, arms } => {
                let value = self.single(word, streams)?;
                for (patterns, body) in arms {
                    for pattern in patterns {
                        if super::text::fits(&self.pattern(pattern, streams)?, &value) {
                            return self.listed(body, streams);
                        }
                    }
                }
                Ok(0)
            }
            Command::Test(words) => {
                let is = |word: &Word, signs: &[&str]| match word.as_slice() {
                    [Part::Text { text, quoted: false }] => signs.contains(&text.as_str()),
                    _ => false,
                };
                let (mut line, mut rest) = (vec!["[[".to_owned()], words.as_slice());
                while let Some((word, behind)) = rest.split_first() {
                    // What stands right of an equals sign is a pattern.
                    if let [sign, right, behind @ ..] = behind
                        && is(sign, &["=", "==", "!="])
                    {
                        let fits = super::text::fits(&self.pattern(right, streams)?, &self.single(word, streams)?);
                        line.push(if fits == is(sign, &["=", "=="]) { "yes".to_owned() } else { String::new() });
                        rest = behind;
                        continue;
                    }
                    line.push(self.single(word, streams)?);
                    rest = behind;
                }
                line.push("]]".to_owned());
                self.program(&line, streams)
            }
            Command::Function { name, body } => {
                self.functions.insert(name.clone(), Rc::clone(body));
                Ok(0)
            }
        }
    }

    fn test(&mut self, test: &Script, streams: &Streams) -> Went {
        self.tested += 1;
        let went = self.listed(test, streams);
        self.tested -= 1;
        // A turn of a loop costs a step even where it holds no command.
        self.steps += 1;
        if self.steps > self.most {
            return Err(Stop::Open);
        }
        went
    }

    /// One turn of a loop; `None` ends it.
    fn turn(&mut self, body: &Script, streams: &Streams) -> Result<Option<i32>, Stop> {
        match self.listed(body, streams) {
            Err(Stop::Break(1)) => Ok(None),
            Err(Stop::Continue(1)) => Ok(Some(0)),
            Err(Stop::Break(more)) => Err(Stop::Break(more - 1)),
            Err(Stop::Continue(more)) => Err(Stop::Continue(more - 1)),
            went => went.map(Some),
        }
    }

    fn redirected(&mut self, redirects: &[Redirect], streams: &Streams) -> Result<Result<Streams, i32>, Stop> {
        let mut streams = streams.clone();
        for redirect in redirects {
            match &redirect.to {
                Target::Same(2) => streams.out = streams.err.clone(),
                Target::Same(_) => streams.err = streams.out.clone(),
                Target::Text(word) => {
                    let text = self.single(word, &streams)?;
                    streams.input = Some(Rc::from(format!("{}\n", text.trim_end_matches('\n')).as_str()));
                }
                Target::Read(word) => {
                    let path = self.single(word, &streams)?;
                    match self.read(&path)? {
                        Some(text) => streams.input = Some(Rc::from(text.as_str())),
                        None => {
                            self.print(&streams.err, &format!("sh: can't open {path}: no such file\n"));
                            return Ok(Err(1));
                        }
                    }
                }
                Target::File { path, append } => {
                    let path = self.single(path, &streams)?;
                    let sink = match path.as_str() {
                        "/dev/null" => Sink::Nothing,
                        "/dev/stdout" | "/proc/1/fd/1" | "/proc/self/fd/1" => Sink::Log { error: false },
                        "/dev/stderr" | "/proc/1/fd/2" => Sink::Log { error: true },
                        _ => {
                            let path = self.path(&path);
                            let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
                            let folder = if folder.is_empty() { "/" } else { folder };
                            if self.files.find(folder, self.time) == super::Found::No {
                                self.print(&streams.err, &format!("sh: can't create {path}: nonexistent directory\n"));
                                return Ok(Err(1));
                            }
                            let new =
                                matches!(self.files.find(&path, self.time), super::Found::No | super::Found::Unknown);
                            if !append || new {
                                self.files.set(self.time, &path, What::Text(String::new()));
                            }
                            Sink::File(path)
                        }
                    };
                    match redirect.from {
                        2 => streams.err = sink,
                        9 => (streams.out, streams.err) = (sink.clone(), sink),
                        _ => streams.out = sink,
                    }
                }
            }
        }
        Ok(Ok(streams))
    }

    fn simple(&mut self, set: &[(String, Word)], words: &[Word], streams: &Streams) -> Went {
        let before = self.status;
        self.status = 0;
        let mut values = Vec::new();
        for (name, word) in set {
            values.push((name.clone(), self.single(word, streams)?));
        }
        let line = {
            let outcome = std::mem::replace(&mut self.status, before);
            let line = self.fields(words, streams)?;
            if line.is_empty() {
                self.vars.extend(values);
                // Of a bare assignment the status is that of the command in it.
                return Ok(if set.is_empty() { self.status } else { outcome });
            }
            line
        };
        if self.traced {
            self.print(&streams.err, &format!("+ {}\n", line.join(" ")));
        }
        if let Some(body) = self.functions.get(&line[0]).map(Rc::clone) {
            let given = std::mem::replace(&mut self.given, line[1..].to_vec());
            let went = self.listed(&body, streams);
            self.given = given;
            return match went {
                Err(Stop::Return(code)) => Ok(code),
                went => went,
            };
        }
        if let Some(went) = self.own(&line, streams) {
            self.vars.extend(values);
            return went;
        }
        if values.is_empty() {
            return self.program(&line, streams);
        }
        let vars = self.vars.clone();
        self.vars.extend(values);
        let went = self.program(&line, streams);
        self.vars = vars;
        went
    }
}
