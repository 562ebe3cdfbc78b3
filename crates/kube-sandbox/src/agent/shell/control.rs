//! Follows the commands of a script in their order: lists, pipes, conditions, loops and functions.

use std::cell::RefCell;
use std::rc::Rc;

use super::files::What;
use super::run::{MOST_WORK, Shell, Sink, Stop, Streams, Went};
use super::tree::{Command, Join, Part, Pipe, Placed, Redirect, Script, Target, Word};

impl Shell<'_> {
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
        if went.is_ok() { self.run_stop_trap(&streams, went) } else { went }
    }

    /// What a trap does once the shell is told to stop: after the command that it waits for.
    fn run_stop_trap(&mut self, streams: &Streams, went: Went) -> Went {
        if self.trapped_at.is_some() || self.world.stopped.is_none_or(|at| self.time < at) {
            return went;
        }
        let Some(script) = self.at_stop.clone().filter(|script| !script.is_empty()) else { return went };
        self.trapped_at = Some(self.time);
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
