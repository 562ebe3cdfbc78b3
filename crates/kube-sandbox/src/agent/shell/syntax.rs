//! Reads shell scripts as lessons have them. A parser of our own rather than a crate's: what a pod's command holds
//! comes from anybody, so that its depth and size must be bounded, and what is not read is reported, never guessed.

use std::rc::Rc;

use super::tree::{Command, Form, Join, Part, Pipe, Placed, Script};

const LONGEST: usize = 32 * 1024;
const DEEPEST: u32 = 24;

/// Why a script is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is no shell script: a shell ends with status 2 and these words.
    Wrong(String),
    /// It may well be one, of a kind that is not read here.
    Beyond(&'static str),
}

pub(super) type Read<T> = Result<T, Unread>;

pub(super) fn script(text: &str) -> Read<Rc<Script>> {
    if text.len() > LONGEST {
        return Err(Unread::Beyond("a script of more than 32 KiB"));
    }
    let mut reader = Reader { text: text.chars().collect(), at: 0, depth: 0 };
    let script = reader.script(&[])?;
    reader.blanks();
    match reader.peek() {
        None => Ok(script),
        Some(found) => Err(unexpected(found)),
    }
}

fn unexpected(found: char) -> Unread {
    Unread::Wrong(format!("syntax error: unexpected \"{found}\""))
}

pub(super) struct Reader {
    pub(super) text: Vec<char>,
    pub(super) at: usize,
    pub(super) depth: u32,
}

const ENDS: [&str; 8] = ["then", "else", "elif", "fi", "do", "done", "esac", "}"];

impl Reader {
    pub(super) fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    pub(super) fn ahead(&self, by: usize) -> Option<char> {
        self.text.get(self.at + by).copied()
    }

    pub(super) fn takes(&mut self, wanted: &str) -> bool {
        let fits = wanted.chars().enumerate().all(|(by, letter)| self.ahead(by) == Some(letter));
        if fits {
            self.at += wanted.chars().count();
        }
        fits
    }

    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEEPEST {
            return Err(Unread::Beyond("a script that is nested so deeply"));
        }
        self.depth += 1;
        let done = read(self);
        self.depth -= 1;
        done
    }

    /// Blanks, comments and escaped line ends.
    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('\\') if self.ahead(1) == Some('\n') => self.at += 2,
                Some('#') => {
                    while self.peek().is_some_and(|letter| letter != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    pub(super) fn lines(&mut self) {
        loop {
            self.blanks();
            if self.peek() != Some('\n') {
                return;
            }
            self.at += 1;
        }
    }

    /// The plain word that comes next, not taken.
    fn next_word(&self) -> String {
        self.text[self.at..].iter().take_while(|c| !c.is_whitespace() && !";&|()<>".contains(**c)).collect()
    }

    fn keyword(&mut self, wanted: &str) -> bool {
        self.lines();
        self.next_word() == wanted && self.takes(wanted)
    }

    fn demand(&mut self, wanted: &str) -> Read<()> {
        if self.keyword(wanted) {
            return Ok(());
        }
        let found = self.next_word();
        Err(Unread::Wrong(if self.peek().is_none() {
            format!("syntax error: unexpected end of file (expecting \"{wanted}\")")
        } else {
            format!("syntax error: unexpected \"{found}\" (expecting \"{wanted}\")")
        }))
    }

    pub(super) fn script(&mut self, ends: &[&str]) -> Read<Rc<Script>> {
        self.deeper(|reader| reader.commands(ends))
    }

    fn commands(&mut self, ends: &[&str]) -> Read<Rc<Script>> {
        let mut found = Vec::new();
        let mut join = Join::Always;
        loop {
            self.lines();
            let next = self.next_word();
            match self.peek() {
                None => break,
                Some(')') if ends.contains(&")") => break,
                Some(';') if ends.contains(&";;") && self.ahead(1) == Some(';') => break,
                _ if ends.contains(&next.as_str()) => break,
                _ if ENDS.contains(&next.as_str()) => {
                    return Err(Unread::Wrong(format!("syntax error: unexpected \"{next}\"")));
                }
                Some(letter @ (';' | '&' | '|' | ')')) => return Err(unexpected(letter)),
                _ => {}
            }
            let pipe = self.pipe()?;
            self.blanks();
            let behind = self.peek() == Some('&') && self.ahead(1) != Some('&');
            found.push((join, pipe, behind));
            join = Join::Always;
            match (self.peek(), self.ahead(1)) {
                (Some('&'), Some('&')) => {
                    self.at += 2;
                    join = Join::IfGood;
                }
                (Some('|'), Some('|')) => {
                    self.at += 2;
                    join = Join::IfBad;
                }
                (Some(';'), Some(';')) if ends.contains(&";;") => break,
                (Some(';' | '&' | '\n'), _) => self.at += 1,
                (Some(')'), _) if ends.contains(&")") => break,
                (None, _) => break,
                (Some(letter), _) => return Err(unexpected(letter)),
            }
        }
        if join != Join::Always {
            return Err(Unread::Wrong("syntax error: unexpected end of file".to_owned()));
        }
        Ok(Rc::new(Script(found)))
    }

    fn pipe(&mut self) -> Read<Pipe> {
        let mut not = false;
        while self.keyword("!") {
            not = !not;
        }
        let mut commands = vec![self.command()?];
        loop {
            self.blanks();
            if self.peek() != Some('|') || self.ahead(1) == Some('|') {
                return Ok(Pipe { not, commands });
            }
            self.at += 1;
            commands.push(self.command()?);
        }
    }

    fn command(&mut self) -> Read<Placed> {
        self.lines();
        let word = self.next_word();
        let command = match word.as_str() {
            "if" => self.deeper(Self::choice)?,
            "while" | "until" => self.deeper(|reader| {
                reader.takes(&word);
                let test = reader.script(&["do"])?;
                reader.demand("do")?;
                let body = reader.script(&["done"])?;
                reader.demand("done")?;
                Ok(Command::Loop { test, until: word == "until", body })
            })?,
            "for" => self.deeper(Self::each)?,
            "case" => self.deeper(Self::case)?,
            "{" => {
                self.at += 1;
                let body = self.script(&["}"])?;
                self.demand("}")?;
                Command::Group(body)
            }
            "[[" => self.brackets()?,
            "function" | "select" | "coproc" => return Err(Unread::Beyond("bash's own syntax")),
            _ if self.peek() == Some('(') && self.ahead(1) == Some('(') => {
                return Err(Unread::Beyond("bash's own syntax"));
            }
            _ if self.peek() == Some('(') => {
                self.at += 1;
                let body = self.script(&[")"])?;
                if !self.takes(")") {
                    return Err(Unread::Wrong("syntax error: unexpected end of file (expecting \")\")".to_owned()));
                }
                Command::Shell(body)
            }
            _ => return self.simple(),
        };
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(Placed { command, redirects })
    }

    fn brackets(&mut self) -> Read<Command> {
        self.takes("[[");
        let mut words = Vec::new();
        let sign = |sign: &str| vec![Part::Text { text: sign.to_owned(), quoted: false }];
        loop {
            self.lines();
            if self.next_word() == "]]" {
                self.takes("]]");
                return Ok(Command::Test(words));
            }
            if let Some(found) = ["&&", "||", "(", ")"].into_iter().find(|sign| self.takes(sign)) {
                words.push(sign(found));
            } else if matches!(self.peek(), Some('<' | '>')) || self.next_word() == "=~" {
                return Err(Unread::Beyond("bash's own syntax"));
            } else {
                let word = self.word()?;
                words.push(word.ok_or_else(|| Unread::Wrong("syntax error: expecting \"]]\"".to_owned()))?);
            }
        }
    }

    fn choice(&mut self) -> Read<Command> {
        self.takes("if");
        let mut arms = Vec::new();
        loop {
            let test = self.script(&["then"])?;
            self.demand("then")?;
            arms.push((test, self.script(&["elif", "else", "fi"])?));
            if self.keyword("elif") {
                continue;
            }
            let or = if self.keyword("else") { Some(self.script(&["fi"])?) } else { None };
            self.demand("fi")?;
            return Ok(Command::If { arms, or });
        }
    }

    fn each(&mut self) -> Read<Command> {
        self.takes("for");
        self.blanks();
        if self.peek() == Some('(') {
            return Err(Unread::Beyond("bash's own syntax"));
        }
        let name = self.name();
        if name.is_empty() {
            return Err(Unread::Wrong("syntax error: bad for loop variable".to_owned()));
        }
        let mut words = Vec::new();
        if self.keyword("in") {
            while let Some(word) = self.word()? {
                words.push(word);
            }
        } else {
            words.push(vec![Part::Variable { name: "@".to_owned(), form: Form::Plain, quoted: true }]);
        }
        self.blanks();
        self.takes(";");
        self.demand("do")?;
        let body = self.script(&["done"])?;
        self.demand("done")?;
        Ok(Command::For { name, words, body })
    }

    fn case(&mut self) -> Read<Command> {
        self.takes("case");
        let word = self.word()?.unwrap_or_default();
        self.demand("in")?;
        let mut arms = Vec::new();
        while !self.keyword("esac") {
            self.takes("(");
            let mut patterns = Vec::new();
            loop {
                let Some(pattern) = self.word()? else {
                    return Err(Unread::Wrong("syntax error: bad case pattern".to_owned()));
                };
                patterns.push(pattern);
                self.blanks();
                if !self.takes("|") {
                    break;
                }
            }
            if !self.takes(")") {
                return Err(Unread::Wrong("syntax error: expecting \")\"".to_owned()));
            }
            arms.push((patterns, self.script(&[";;", "esac"])?));
            self.lines();
            self.takes(";;");
        }
        Ok(Command::Case { word, arms })
    }

    pub(super) fn name(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| c == '_' || c.is_ascii_alphabetic() || c.is_ascii_digit() && self.at > start)
        {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect()
    }

    fn simple(&mut self) -> Read<Placed> {
        let (mut set, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if words.is_empty() {
                let start = self.at;
                let name = self.name();
                if !name.is_empty() && self.peek() == Some('=') {
                    self.at += 1;
                    let glued = self.peek().is_some_and(|c| !c.is_whitespace() && !";&|()<>".contains(c));
                    set.push((name, if glued { self.word()?.unwrap_or_default() } else { Vec::new() }));
                    continue;
                }
                if !name.is_empty() && self.takes("()") {
                    self.lines();
                    let body = self.command()?;
                    let pipe = Pipe { not: false, commands: vec![body] };
                    let body = Rc::new(Script(vec![(Join::Always, pipe, false)]));
                    return Ok(Placed { command: Command::Function { name, body }, redirects });
                }
                self.at = start;
            }
            match self.word()? {
                Some(word) => words.push(word),
                None => break,
            }
        }
        if set.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(match self.peek() {
                Some(found) => unexpected(found),
                None => Unread::Wrong("syntax error: unexpected end of file".to_owned()),
            });
        }
        Ok(Placed { command: Command::Simple { set, words }, redirects })
    }
}
