//! Words become what they stand for.

use std::cell::RefCell;
use std::rc::Rc;

use super::run::{Shell, Sink, Stop, Streams, Went};
use super::text::LONGEST;
use super::tree::{Form, Part, Word};
use super::{Found, sums, text};

impl Shell<'_> {
    pub(super) fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            "?" => self.status.to_string(),
            "#" => self.given.len().to_string(),
            "@" | "*" => self.given.join(" "),
            "$" => "1".to_owned(),
            "!" => "7".to_owned(),
            "-" => String::new(),
            "0" => "sh".to_owned(),
            "PWD" => self.folder.clone(),
            "SECONDS" => ((self.time - self.world.start) / 1000).to_string(),
            _ if name.parse::<usize>().is_ok() => {
                let at = name.parse::<usize>().unwrap_or(1).saturating_sub(1);
                return self.given.get(at).cloned();
            }
            _ => return self.vars.get(name).cloned(),
        })
    }

    /// The next of a row that is the same each time this start is looked at.
    pub(super) fn random(&mut self) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed = self.seed.max(1);
        self.seed >> 16
    }

    fn part(&mut self, part: &Part, streams: &Streams) -> Result<String, Stop> {
        match part {
            Part::Text { text, .. } => Ok(text.clone()),
            Part::Number { text } => {
                let text = self.single(text, streams)?;
                let random = i64::try_from(self.random() % 32768).unwrap_or_default();
                let value = |name: &str| match name {
                    "RANDOM" => random,
                    name => self.value(name).and_then(|value| value.trim().parse().ok()).unwrap_or_default(),
                };
                match sums::sum(&text, &value) {
                    Some(Ok(number)) => Ok(number.to_string()),
                    Some(Err(why)) => {
                        self.print(&streams.err, &format!("sh: {why}\n"));
                        Err(Stop::Exit(2))
                    }
                    None => {
                        self.unknown(&format!("$(({text}))"));
                        Ok("0".to_owned())
                    }
                }
            }
            Part::Output { script, .. } => {
                let held = Rc::new(RefCell::new(String::new()));
                let inner = Streams { out: Sink::Held(Rc::clone(&held)), ..streams.clone() };
                let went: Went = self.apart(|shell| shell.listed(script, &inner));
                self.status = match went {
                    Ok(code) | Err(Stop::Exit(code)) => code,
                    Err(stop) => return Err(stop),
                };
                let text = held.borrow().trim_end_matches('\n').to_owned();
                Ok(text)
            }
            Part::Variable { name, form, .. } if name == "RANDOM" && *form == Form::Plain => {
                Ok((self.random() % 32768).to_string())
            }
            Part::Variable { name, form, .. } => {
                let held = self.value(name);
                match form {
                    Form::Plain => Ok(held.unwrap_or_default()),
                    Form::Length => Ok(held.unwrap_or_default().chars().count().to_string()),
                    Form::Else { mark, also_empty, word } => {
                        let there = held.as_ref().is_some_and(|held| !(*also_empty && held.is_empty()));
                        match mark {
                            '+' if there => self.single(word, streams),
                            '+' => Ok(String::new()),
                            _ if there => Ok(held.unwrap_or_default()),
                            '?' => {
                                let why = self.single(word, streams)?;
                                let why = if why.is_empty() { "parameter not set".to_owned() } else { why };
                                self.print(&streams.err, &format!("sh: {name}: {why}\n"));
                                Err(Stop::Exit(2))
                            }
                            mark => {
                                let value = self.single(word, streams)?;
                                if *mark == '=' {
                                    self.vars.insert(name.clone(), value.clone());
                                }
                                Ok(value)
                            }
                        }
                    }
                    Form::Cut { mark, longest, word } => {
                        let pattern = self.pattern(word, streams)?;
                        Ok(text::cut(&held.unwrap_or_default(), &pattern, *mark == '#', *longest))
                    }
                }
            }
        }
    }

    /// A word as one text.
    pub(super) fn single(&mut self, word: &Word, streams: &Streams) -> Result<String, Stop> {
        let mut whole = String::new();
        for part in word {
            whole.push_str(&self.part(part, streams)?);
            if whole.len() > LONGEST {
                whole.truncate(0);
                self.unknown("a text of more than 256 KiB");
            }
        }
        Ok(whole)
    }

    /// A word as a pattern: what is quoted stands for itself.
    pub(super) fn pattern(&mut self, word: &Word, streams: &Streams) -> Result<String, Stop> {
        let mut whole = String::new();
        for part in word {
            let value = self.part(part, streams)?;
            if is_quoted(part) {
                for letter in value.chars() {
                    if "*?[\\".contains(letter) {
                        whole.push('\\');
                    }
                    whole.push(letter);
                }
            } else {
                whole.push_str(&value);
            }
        }
        Ok(whole)
    }

    /// Words as the fields of a command: split at blanks where nothing is quoted, patterns made into names of files.
    pub(super) fn fields(&mut self, words: &[Word], streams: &Streams) -> Result<Vec<String>, Stop> {
        let mut fields = Vec::new();
        for word in words {
            let (mut field, mut begun, mut wild) = (String::new(), false, false);
            for part in word {
                if let Part::Variable { name, quoted: true, form: Form::Plain } = part
                    && name == "@"
                {
                    for (at, value) in self.given.clone().iter().enumerate() {
                        if at > 0 {
                            fields.push(std::mem::take(&mut field));
                        }
                        field.push_str(value);
                        begun = true;
                    }
                    continue;
                }
                let value = self.part(part, streams)?;
                let plain = matches!(part, Part::Text { .. });
                wild |= !is_quoted(part) && value.contains(['*', '?']);
                if is_quoted(part) || plain {
                    field.push_str(&value);
                    begun = true;
                    continue;
                }
                let mut pieces = value.split([' ', '\t', '\n']);
                if let Some(first) = pieces.next() {
                    field.push_str(first);
                    begun |= !first.is_empty();
                }
                for piece in pieces {
                    if begun {
                        fields.push(std::mem::take(&mut field));
                    }
                    field.push_str(piece);
                    begun = !piece.is_empty();
                }
            }
            if begun {
                if wild {
                    fields.extend(self.names(&field)?);
                } else {
                    fields.push(field);
                }
            }
            if fields.len() > 20_000 {
                self.unknown("a command of so many words");
                fields.truncate(100);
            }
        }
        Ok(fields)
    }

    /// The files whose path fits, or the pattern itself.
    fn names(&mut self, pattern: &str) -> Result<Vec<String>, Stop> {
        let (folder, last) = pattern.rsplit_once('/').map_or(("", pattern), |(folder, last)| (folder, last));
        let place = self.path(if folder.is_empty() && pattern.starts_with('/') { "/" } else { folder });
        if folder.contains(['*', '?']) || !self.files.lists(&place) {
            self.unknown(&format!("the files of {pattern}"));
            return Ok(vec![pattern.to_owned()]);
        }
        if self.files.is_shared(&place) {
            self.elsewhere()?;
        }
        let start = pattern.strip_suffix(last).unwrap_or_default();
        let found: Vec<String> = self
            .files
            .list(&place, self.time)
            .into_iter()
            .filter(|name| !name.starts_with('.') && text::fits(last, name))
            .map(|name| format!("{start}{name}"))
            .collect();
        Ok(if found.is_empty() { vec![pattern.to_owned()] } else { found })
    }

    /// The text of a file; `None` where it is not there. What is not known reads as nothing.
    pub(super) fn read(&mut self, path: &str) -> Result<Option<String>, Stop> {
        let path = self.path(path);
        if self.files.is_shared(&path) {
            self.elsewhere()?;
        }
        self.work += self.files.changes.len();
        Ok(match self.files.find(&path, self.time) {
            Found::Text(text) => {
                self.work += text.len();
                Some(text)
            }
            Found::No | Found::Folder => None,
            Found::There if path == "/dev/null" => Some(String::new()),
            Found::There if path == "/etc/hostname" => Some(format!("{}\n", self.world.host)),
            Found::There | Found::Unknown => {
                self.unknown(&format!("what is in {path}"));
                Some(String::new())
            }
        })
    }
}

fn is_quoted(part: &Part) -> bool {
    match part {
        Part::Text { quoted, .. } | Part::Variable { quoted, .. } | Part::Output { quoted, .. } => *quoted,
        Part::Number { .. } => true,
    }
}
