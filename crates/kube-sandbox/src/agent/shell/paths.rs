//! Tools that look at files and change them.

use std::rc::Rc;

use super::run::{Shell, Stop, Streams, Went};
use super::{Found, What, name_of};

impl Shell<'_> {
    pub(super) fn cat(&mut self, name: &str, words: &[&str], streams: &Streams) -> Went {
        let files: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-') || **word == "-").collect();
        let mut code = 0;
        if files.is_empty() {
            return match &streams.input {
                Some(text) => {
                    let text = Rc::clone(text);
                    self.print(&streams.out, &text);
                    Ok(0)
                }
                None if self.world.open => Err(Stop::Never),
                None => Ok(0),
            };
        }
        for path in files {
            let whole = self.path(path);
            if matches!(whole.as_str(), "/dev/zero" | "/dev/urandom" | "/dev/random") {
                return Err(Stop::Never);
            }
            match self.read(path)? {
                Some(text) => self.print(&streams.out, &text),
                None => {
                    code = 1;
                    let folder = self.files.find(&whole, self.time) == Found::Folder;
                    let why = match (self.world.programs.busybox, folder) {
                        (true, true) => format!("{name}: read error: Is a directory"),
                        (true, false) => format!("{name}: can't open '{path}': No such file or directory"),
                        (false, true) => format!("{name}: {path}: Is a directory"),
                        (false, false) => format!("{name}: {path}: No such file or directory"),
                    };
                    self.print(&streams.err, &format!("{why}\n"));
                }
            }
        }
        Ok(code)
    }

    pub(super) fn ls(&mut self, words: &[&str], streams: &Streams) -> Option<Went> {
        let long = words.iter().any(|word| word.starts_with('-') && word.contains('l'));
        let all = words.iter().any(|word| word.starts_with('-') && word.contains(['a', 'A']));
        let mut paths: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
        if paths.is_empty() {
            paths.push(".");
        }
        let (mut code, several) = (0, paths.len() > 1);
        for path in paths {
            let whole = self.path(path);
            if self.files.is_shared(&whole)
                && let Err(stop) = self.elsewhere()
            {
                return Some(Err(stop));
            }
            let found = self.files.find(&whole, self.time);
            match found {
                Found::No if self.world.programs.busybox => {
                    code = 1;
                    self.print(&streams.err, &format!("ls: {path}: No such file or directory\n"));
                }
                Found::No => {
                    code = 2;
                    self.print(&streams.err, &format!("ls: cannot access '{path}': No such file or directory\n"));
                }
                Found::Folder if self.files.lists(&whole) && !long => {
                    let names = self.files.list(&whole, self.time);
                    let shown = names.into_iter().filter(|name| all || !name.starts_with('.'));
                    let head = if several { format!("{path}:\n") } else { String::new() };
                    self.print(&streams.out, &(head + &shown.map(|name| name + "\n").collect::<String>()));
                }
                Found::Text(_) | Found::There if !long => self.print(&streams.out, &format!("{path}\n")),
                _ => self.unknown(&format!("`ls {}`", words.join(" "))),
            }
        }
        Some(Ok(code))
    }

    pub(super) fn is_there(&mut self, name: &str, words: &[&str], streams: &Streams) -> Option<Went> {
        let path = words.iter().copied().find(|word| !word.starts_with('-'))?;
        let whole = self.path(path);
        if self.files.find(&whole, self.time) == Found::No {
            return Some(self.complains(
                streams,
                1,
                &format!("{name}: can't stat '{path}': No such file or directory"),
            ));
        }
        if name == "realpath" {
            return Some(self.says(streams, &whole));
        }
        self.unknown(&format!("`{name} {}`", words.join(" ")));
        Some(Ok(0))
    }

    pub(super) fn change(&mut self, name: &str, words: &[&str], streams: &Streams) -> Option<Went> {
        let flag = |letter: char| words.iter().any(|word| word.starts_with('-') && word.contains(letter));
        let paths: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
        let mut code = 0;
        match name {
            "tee" => {
                let text = streams.input.clone().unwrap_or_default();
                for path in &paths {
                    let path = self.path(path);
                    let what = if flag('a') { What::More(text.to_string()) } else { What::Text(text.to_string()) };
                    self.files.set(self.time, &path, what);
                }
                self.print(&streams.out, &text);
            }
            "mktemp" => {
                let number = self.random() % 1_000_000;
                let path = format!("/tmp/tmp.{number:06}");
                self.files.set(self.time, &path, if flag('d') { What::Folder } else { What::Text(String::new()) });
                return Some(self.says(streams, &path));
            }
            "cp" | "mv" | "ln" => {
                let (to, from) = paths.split_last()?;
                let target = self.path(to);
                let into = self.files.find(&target, self.time) == Found::Folder;
                for path in from {
                    let whole = self.path(path);
                    let what = match self.files.find(&whole, self.time) {
                        Found::Text(text) => What::Text(text),
                        Found::There | Found::Unknown => What::There,
                        Found::Folder => What::Folder,
                        Found::No if name == "ln" => What::There,
                        Found::No => {
                            code = 1;
                            let why = if self.world.programs.busybox {
                                format!("{name}: can't stat '{path}': No such file or directory\n")
                            } else {
                                format!("{name}: cannot stat '{path}': No such file or directory\n")
                            };
                            self.print(&streams.err, &why);
                            continue;
                        }
                    };
                    if what == What::Folder {
                        self.unknown(&format!("`{name} {}`", words.join(" ")));
                    }
                    let place = if into { format!("{target}/{}", name_of(path)) } else { target.clone() };
                    self.files.set(self.time, &place, what);
                    if name == "mv" {
                        self.files.remove(self.time, &whole);
                    }
                }
            }
            _ => {
                for path in &paths {
                    let whole = self.path(path);
                    let found = self.files.find(&whole, self.time);
                    let parent =
                        whole.rsplit_once('/').map_or("/", |(parent, _)| if parent.is_empty() { "/" } else { parent });
                    let orphan = self.files.find(parent, self.time) == Found::No;
                    let why = match (name, &found) {
                        ("touch", Found::No | Found::Unknown) if !orphan => {
                            self.files.set(self.time, &whole, What::Text(String::new()));
                            continue;
                        }
                        ("mkdir", Found::No | Found::Unknown) if flag('p') || !orphan => {
                            self.files.set(self.time, &whole, What::Folder);
                            continue;
                        }
                        ("rm" | "rmdir", Found::Text(_) | Found::There | Found::Unknown) => {
                            self.files.remove(self.time, &whole);
                            continue;
                        }
                        ("rm", Found::Folder) if flag('r') || flag('R') => {
                            self.files.remove(self.time, &whole);
                            continue;
                        }
                        ("rmdir", Found::Folder) => {
                            self.files.remove(self.time, &whole);
                            continue;
                        }
                        ("rm", Found::No) if flag('f') => continue,
                        ("touch", Found::Text(_) | Found::There | Found::Folder) => continue,
                        ("mkdir", Found::Folder) if flag('p') => continue,
                        ("mkdir", Found::Folder | Found::Text(_) | Found::There) => "File exists",
                        ("rm", Found::Folder) => "Is a directory",
                        _ => "No such file or directory",
                    };
                    code = 1;
                    let words = match (self.world.programs.busybox, name) {
                        (true, "rm") => format!("rm: can't remove '{path}': {why}\n"),
                        (true, "mkdir") => format!("mkdir: can't create directory '{path}': {why}\n"),
                        (true, _) => format!("{name}: {path}: {why}\n"),
                        (false, "rm") => format!("rm: cannot remove '{path}': {why}\n"),
                        (false, "mkdir") => format!("mkdir: cannot create directory '{path}': {why}\n"),
                        (false, _) => format!("{name}: cannot touch '{path}': {why}\n"),
                    };
                    self.print(&streams.err, &words);
                }
            }
        }
        Some(Ok(code))
    }
}
