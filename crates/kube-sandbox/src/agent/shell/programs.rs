//! What a line of a script names: a part of the shell itself, a program of the image, a file, another shell.

use std::rc::Rc;

use super::run::{BUILT_IN, Shell, Stop, Streams, Went};
use super::world::name_of;

impl Shell<'_> {
    /// What a shell does itself.
    pub(super) fn own(&mut self, line: &[String], streams: &Streams) -> Option<Went> {
        let number = |at: usize| line.get(at).and_then(|text| text.parse::<u32>().ok()).unwrap_or(1).max(1);
        let went = match line[0].as_str() {
            ":" => Ok(0),
            "exit" => {
                let code = line.get(1).map_or(Some(self.status), |code| code.parse().ok());
                if code.is_none() {
                    self.print(&streams.err, &format!("sh: exit: Illegal number: {}\n", line[1]));
                }
                Err(Stop::Exit(code.unwrap_or(2)))
            }
            "return" => Err(Stop::Return(line.get(1).and_then(|code| code.parse().ok()).unwrap_or(self.status))),
            "break" => Err(Stop::Break(number(1))),
            "continue" => Err(Stop::Continue(number(1))),
            "cd" => {
                let wanted = line.get(1).cloned().unwrap_or_else(|| self.vars.get("HOME").cloned().unwrap_or_default());
                let path = self.path(&wanted);
                if self.files.find(&path, self.time) == super::Found::No {
                    self.print(&streams.err, &format!("sh: cd: can't cd to {wanted}: No such file or directory\n"));
                    return Some(Ok(2));
                }
                self.folder = path;
                Ok(0)
            }
            "export" | "readonly" | "local" | "declare" => {
                for pair in &line[1..] {
                    if let Some((name, value)) = pair.split_once('=') {
                        self.vars.insert(name.to_owned(), value.to_owned());
                    }
                }
                Ok(0)
            }
            "unset" => {
                for name in &line[1..] {
                    self.vars.remove(name);
                }
                Ok(0)
            }
            "shift" => {
                let by = usize::try_from(number(1)).unwrap_or(1).min(self.given.len());
                self.given.drain(..by);
                Ok(0)
            }
            "set" => {
                for flags in &line[1..] {
                    match flags.split_at_checked(1) {
                        Some(("-", flags)) => {
                            self.strict |= flags.contains('e');
                            self.traced |= flags.contains('x');
                        }
                        Some(("+", flags)) => {
                            self.strict &= !flags.contains('e');
                            self.traced &= !flags.contains('x');
                        }
                        _ => {}
                    }
                }
                Ok(0)
            }
            "trap" => {
                let names: Vec<&str> = line[1..].iter().skip(1).map(String::as_str).collect();
                // A dash gives a signal its own meaning back.
                let script = line.get(1).filter(|script| *script != "-").cloned();
                for name in names {
                    match name.strip_prefix("SIG").unwrap_or(name) {
                        "EXIT" | "0" => self.at_exit.clone_from(&script),
                        "TERM" | "15" => {
                            self.at_stop.clone_from(&script);
                            self.traps = true;
                        }
                        _ => {}
                    }
                }
                Ok(0)
            }
            // A signal ends the wait, where something is to be done about it.
            "wait" => match self.world.stopped {
                Some(at)
                    if self.at_stop.as_ref().is_some_and(|script| !script.is_empty())
                        && self.aside > at.max(self.time) =>
                {
                    self.time = self.time.max(at);
                    Ok(143)
                }
                _ if self.aside == i64::MAX => Err(Stop::Never),
                _ => {
                    self.time = self.time.max(self.aside);
                    Ok(0)
                }
            },
            "umask" | "ulimit" | "hash" | "alias" | "jobs" | "fg" | "bg" | "times" => Ok(0),
            "eval" => self.text(&line[1..].join(" "), streams),
            "." | "source" => match line.get(1).map(|path| self.read(path)) {
                Some(Ok(Some(text))) => self.text(&text, streams),
                Some(Err(stop)) => Err(stop),
                _ => Ok(1),
            },
            "command" | "builtin" if line.get(1).is_some_and(|flag| flag == "-v" || flag == "-V") => {
                let name = line.get(2).cloned().unwrap_or_default();
                self.which(&name, streams)
            }
            "command" | "builtin" if line.len() > 1 => self.program(&line[1..], streams),
            "exec" if line.len() > 1 => match self.program(&line[1..], streams) {
                Ok(code) => Err(Stop::Exit(code)),
                went => went,
            },
            "exec" => Ok(0),
            "read" => {
                let Some(input) = &streams.input else {
                    return Some(if self.world.open { Err(Stop::Never) } else { Ok(1) });
                };
                let first = input.lines().next().unwrap_or_default().to_owned();
                let names: Vec<&String> = line[1..].iter().filter(|word| !word.starts_with('-')).collect();
                if names.len() == 1 {
                    self.vars.insert(names[0].clone(), first.trim().to_owned());
                    // Of more lines than one nobody keeps the place here.
                    if input.lines().count() > 1 {
                        self.unknown("read");
                    }
                } else {
                    self.unknown("read");
                }
                Ok(i32::from(input.is_empty()))
            }
            _ => return None,
        };
        Some(went)
    }

    pub(super) fn which(&mut self, name: &str, streams: &Streams) -> Went {
        let there = self.functions.contains_key(name) || self.world.programs.has(name).unwrap_or(true);
        if there {
            self.print(&streams.out, &format!("/usr/bin/{}\n", name_of(name)));
        }
        Ok(i32::from(!there))
    }

    /// A program by name, with its arguments.
    pub(super) fn program(&mut self, line: &[String], streams: &Streams) -> Went {
        let Some(name) = line.first() else { return Ok(0) };
        let made = name.contains('/').then(|| self.path(name)).map(|path| self.files.find(&path, self.time));
        if let Some(super::Found::Text(script)) = &made {
            let given = std::mem::replace(&mut self.given, line[1..].to_vec());
            let went = self.apart(|shell| shell.text(script, streams));
            self.given = given;
            return match went {
                Err(Stop::Exit(code)) => Ok(code),
                went => went,
            };
        }
        let built_in = self.depth > 0 && BUILT_IN.contains(&name.as_str());
        if self.world.programs.has(name) == Some(false) && !built_in && made != Some(super::Found::There) {
            let line = if self.world.programs.busybox { "" } else { " 1:" };
            let words = format!("sh:{line} {name}: not found\n");
            self.print(&streams.err, &words);
            return Ok(127);
        }
        if self.world.programs.serves(name) && !asks_only(line) {
            self.serves = Some(line.to_vec());
            return Err(Stop::Never);
        }
        if let "sh" | "bash" | "ash" | "dash" = name_of(name) {
            return self.shell(&line[1..], streams);
        }
        let time = self.time;
        match self.applet(name_of(name), &line[1..], streams) {
            Some(went) => went,
            None => {
                self.time = time;
                self.unknown(&format!("`{}`", line.join(" ")));
                let tool = self.world.programs.has(name) == Some(true);
                if self.world.once || tool {
                    return Ok(0);
                }
                self.serves = Some(line.to_vec());
                Err(Stop::Never)
            }
        }
    }

    fn shell(&mut self, arguments: &[String], streams: &Streams) -> Went {
        let mut strict = false;
        let mut traced = false;
        for (at, argument) in arguments.iter().enumerate() {
            let Some(flags) = argument.strip_prefix(['-', '+']) else {
                // A file to run.
                return match self.read(argument)? {
                    Some(text) => self.inner(&text, &arguments[at + 1..], streams, strict, traced),
                    None => {
                        self.print(&streams.err, &format!("sh: can't open '{argument}': No such file or directory\n"));
                        Ok(if self.world.programs.busybox { 2 } else { 127 })
                    }
                };
            };
            strict |= flags.contains('e') && !flags.starts_with('-');
            traced |= flags.contains('x') && !flags.starts_with('-');
            if flags.ends_with('c') && !flags.starts_with('-') {
                let Some(text) = arguments.get(at + 1) else {
                    self.print(&streams.err, "sh: -c requires an argument\n");
                    return Ok(2);
                };
                // The first word after the script is its name.
                let given = arguments.get(at + 3..).unwrap_or_default().to_vec();
                return self.inner(text, &given, streams, strict, traced);
            }
        }
        match &streams.input {
            Some(text) => {
                let text = Rc::clone(text);
                self.inner(&text, &[], streams, strict, traced)
            }
            // It waits for what is typed, or finds that nobody can.
            None if self.world.open => Err(Stop::Never),
            None => Ok(0),
        }
    }

    fn inner(&mut self, text: &str, given: &[String], streams: &Streams, strict: bool, traced: bool) -> Went {
        let (was_strict, was_traced, tested) = (self.strict, self.traced, self.tested);
        (self.strict, self.traced, self.tested, self.status) = (strict, traced, 0, 0);
        let given = given.to_vec();
        let went = self.apart(|shell| {
            shell.given = given;
            shell.text(text, streams)
        });
        let went = self.leave(went, streams);
        (self.strict, self.traced, self.tested) = (was_strict, was_traced, tested);
        match went {
            Err(Stop::Exit(code) | Stop::Return(code)) => Ok(code),
            went => went,
        }
    }
}

/// Whether a server is only to say something of itself, or of its settings.
fn asks_only(line: &[String]) -> bool {
    let flags: &[&str] = match name_of(&line[0]) {
        "nginx" | "nginx-debug" => &["-v", "-V", "-t", "-T", "-s", "-h", "-?"],
        "httpd" | "apache2" => &["-v", "-V", "-t", "-S", "-l", "-M", "-h"],
        "redis-server" => &["-v", "-h"],
        "postgres" => &["-V"],
        "java" => &["-version"],
        _ => &[],
    };
    line[1..].iter().any(|word| matches!(word.as_str(), "--version" | "--help") || flags.contains(&word.as_str()))
}
