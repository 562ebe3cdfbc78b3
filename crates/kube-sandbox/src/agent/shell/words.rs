//! Reads a script's words: quotes, what stands for a value, where streams lead.

use super::syntax::{Read, Reader, Unread};
use super::tree::{Form, Part, Redirect, Target, Word};

/// The text of a here-document or of an arithmetic expression.
fn text_parts(reader: &mut Reader, until: impl Fn(&Reader) -> bool) -> Read<Word> {
    let mut parts = Vec::new();
    while !until(reader) {
        match reader.peek() {
            None => return Err(Unread::Wrong("syntax error: unterminated expression".to_owned())),
            Some('$') => parts.extend(reader.dollar(true)?),
            Some(found) => {
                reader.at += 1;
                push(&mut parts, found, true);
            }
        }
    }
    Ok(parts)
}

fn push(parts: &mut Word, letter: char, quoted: bool) {
    if let Some(Part::Text { text, quoted: held }) = parts.last_mut()
        && *held == quoted
    {
        text.push(letter);
        return;
    }
    parts.push(Part::Text { text: letter.to_string(), quoted });
}

impl Reader {
    pub(super) fn redirect(&mut self) -> Read<Option<Redirect>> {
        self.blanks();
        let start = self.at;
        let both = self.peek() == Some('&') && self.ahead(1) == Some('>');
        let digit =
            self.peek().and_then(|letter| letter.to_digit(10)).filter(|_| matches!(self.ahead(1), Some('<' | '>')));
        if both || digit.is_some() {
            self.at += 1;
        }
        let from = digit.and_then(|digit| u8::try_from(digit).ok());
        let to = if self.takes("<<<") {
            Target::Text(self.word()?.unwrap_or_default())
        } else if self.takes("<<") {
            return self.document().map(Some);
        } else if self.takes("<") {
            Target::Read(self.word()?.unwrap_or_default())
        } else if self.takes(">>") {
            Target::File { path: self.word()?.unwrap_or_default(), append: true }
        } else if self.takes(">&") {
            let same = self.peek().and_then(|letter| letter.to_digit(10)).and_then(|digit| u8::try_from(digit).ok());
            let Some(same) = same else { return Err(Unread::Beyond("this redirection")) };
            self.at += 1;
            Target::Same(same)
        } else if self.takes(">") {
            self.takes("|");
            Target::File { path: self.word()?.unwrap_or_default(), append: false }
        } else {
            self.at = start;
            return Ok(None);
        };
        let standard = u8::from(!matches!(to, Target::Read(_) | Target::Text(_)));
        // Both streams: the second follows the first.
        Ok(Some(Redirect { from: if both { 9 } else { from.unwrap_or(standard) }, to }))
    }

    /// What stands on the lines up to the word.
    fn document(&mut self) -> Read<Redirect> {
        let strip = self.takes("-");
        let start = self.at;
        let quoted = {
            self.blanks();
            matches!(self.peek(), Some('\'' | '"' | '\\'))
        };
        self.at = start;
        let end: String = self
            .word()?
            .unwrap_or_default()
            .into_iter()
            .filter_map(|part| match part {
                Part::Text { text, .. } => Some(text),
                _ => None,
            })
            .collect();
        let rest: String = self.text[self.at..].iter().collect();
        let (line, body) = rest.split_once('\n').unwrap_or((&rest, ""));
        let (mut held, mut taken) = (String::new(), 0);
        for each in body.split_inclusive('\n') {
            taken += each.chars().count();
            let plain = if strip { each.trim_start_matches('\t') } else { each };
            if plain.trim_end_matches('\n') == end {
                break;
            }
            held.push_str(plain);
        }
        // The document is cut out, so that the rest of its line goes on.
        let from = self.at + line.chars().count() + 1;
        let upto = (from + taken).min(self.text.len());
        if from < upto {
            self.text.drain(from..upto);
        }
        let word = if quoted {
            vec![Part::Text { text: held, quoted: true }]
        } else {
            let mut inner = Reader { text: held.chars().collect(), at: 0, depth: self.depth + 1 };
            text_parts(&mut inner, |reader| reader.at >= reader.text.len())?
        };
        Ok(Redirect { from: 0, to: Target::Text(word) })
    }

    pub(super) fn word(&mut self) -> Read<Option<Word>> {
        self.blanks();
        let (mut parts, start) = (Vec::new(), self.at);
        while let Some(letter) = self.peek() {
            match letter {
                '\\' => {
                    self.at += 1;
                    if let Some(next) = self.peek() {
                        self.at += 1;
                        if next != '\n' {
                            push(&mut parts, next, true);
                        }
                    }
                }
                '\'' => {
                    self.at += 1;
                    parts.push(Part::Text { text: String::new(), quoted: true });
                    loop {
                        match self.peek() {
                            None => return Err(Unread::Wrong("syntax error: unterminated quoted string".to_owned())),
                            Some('\'') => break self.at += 1,
                            Some(inner) => {
                                self.at += 1;
                                push(&mut parts, inner, true);
                            }
                        }
                    }
                }
                '"' => {
                    self.at += 1;
                    self.double(&mut parts)?;
                }
                '$' | '`' => parts.extend(self.dollar(false)?),
                letter if letter.is_whitespace() || ";&|()<>".contains(letter) => break,
                letter => {
                    self.at += 1;
                    push(&mut parts, letter, false);
                }
            }
        }
        Ok((self.at > start).then_some(parts))
    }

    fn double(&mut self, parts: &mut Word) -> Read<()> {
        parts.push(Part::Text { text: String::new(), quoted: true });
        loop {
            match self.peek() {
                None => return Err(Unread::Wrong("syntax error: unterminated quoted string".to_owned())),
                Some('"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some('\\') if matches!(self.ahead(1), Some('$' | '`' | '"' | '\\' | '\n')) => {
                    if let Some(next) = self.ahead(1).filter(|next| *next != '\n') {
                        push(parts, next, true);
                    }
                    self.at += 2;
                }
                Some('$' | '`') => parts.extend(self.dollar(true)?),
                Some(letter) => {
                    self.at += 1;
                    push(parts, letter, true);
                }
            }
        }
    }

    /// What stands for a value: a variable, a command's output, a sum.
    fn dollar(&mut self, quoted: bool) -> Read<Option<Part>> {
        let text = |text: &str| Some(Part::Text { text: text.to_owned(), quoted });
        if self.takes("`") {
            let mut inner = String::new();
            loop {
                match self.peek() {
                    None => return Err(Unread::Wrong("syntax error: EOF in backquote substitution".to_owned())),
                    Some('`') => break self.at += 1,
                    Some('\\') if matches!(self.ahead(1), Some('`' | '\\' | '$')) => {
                        inner.extend(self.ahead(1));
                        self.at += 2;
                    }
                    Some(letter) => {
                        inner.push(letter);
                        self.at += 1;
                    }
                }
            }
            let mut reader = Self { text: inner.chars().collect(), at: 0, depth: self.depth + 1 };
            return Ok(Some(Part::Output { script: reader.script(&[])?, quoted }));
        }
        self.at += 1;
        if self.takes("((") {
            return self.deeper(|reader| {
                let mut open = std::cell::Cell::new(0_i32);
                let parts = text_parts(reader, |reader| {
                    let level = open.get();
                    match reader.peek() {
                        Some(')') if level == 0 => return reader.ahead(1) == Some(')'),
                        Some(')') => open.set(level - 1),
                        Some('(') => open.set(level + 1),
                        _ => {}
                    }
                    false
                })?;
                *open.get_mut() = 0;
                reader.at += 2;
                Ok(Some(Part::Number { text: parts }))
            });
        }
        if self.takes("(") {
            let script = self.script(&[")"])?;
            self.lines();
            if !self.takes(")") {
                return Err(Unread::Wrong("syntax error: unexpected end of file (expecting \")\")".to_owned()));
            }
            return Ok(Some(Part::Output { script, quoted }));
        }
        if self.takes("{") {
            return self.deeper(|reader| reader.braces(quoted)).map(Some);
        }
        if let Some(special @ ('?' | '#' | '$' | '!' | '@' | '*' | '-' | '0'..='9')) = self.peek() {
            self.at += 1;
            return Ok(Some(Part::Variable { name: special.to_string(), form: Form::Plain, quoted }));
        }
        let name = self.name();
        if name.is_empty() {
            return Ok(text("$"));
        }
        Ok(Some(Part::Variable { name, form: Form::Plain, quoted }))
    }

    fn braces(&mut self, quoted: bool) -> Read<Part> {
        let length = self.peek() == Some('#') && self.ahead(1) != Some('}');
        if length {
            self.at += 1;
        }
        let mut name = self.name();
        if name.is_empty()
            && let Some(special) = self.peek()
        {
            self.at += 1;
            name.push(special);
        }
        if length || self.peek() == Some('}') {
            let form = if length { Form::Length } else { Form::Plain };
            return if self.takes("}") {
                Ok(Part::Variable { name, form, quoted })
            } else {
                Err(Unread::Beyond("this form of ${…}"))
            };
        }
        let also_empty = self.takes(":");
        let mark = self.peek().unwrap_or('}');
        if !("-=+?".contains(mark) || !also_empty && "#%".contains(mark)) {
            return Err(Unread::Beyond("this form of ${…}"));
        }
        self.at += 1;
        let longest = "#%".contains(mark) && self.takes(&mark.to_string());
        let mut word = Vec::new();
        loop {
            match self.peek() {
                None => return Err(Unread::Wrong("syntax error: missing '}'".to_owned())),
                Some('}') => break self.at += 1,
                Some('$' | '`') => word.extend(self.dollar(true)?),
                Some('"') => {
                    self.at += 1;
                    self.double(&mut word)?;
                }
                Some('\'') if !quoted => {
                    self.at += 1;
                    while let Some(letter) = self.peek() {
                        self.at += 1;
                        if letter == '\'' {
                            break;
                        }
                        push(&mut word, letter, true);
                    }
                }
                Some('\\') => {
                    self.at += 1;
                    if let Some(letter) = self.peek() {
                        self.at += 1;
                        push(&mut word, letter, true);
                    }
                }
                Some(letter) => {
                    self.at += 1;
                    push(&mut word, letter, false);
                }
            }
        }
        let form =
            if "#%".contains(mark) { Form::Cut { mark, longest, word } } else { Form::Else { mark, also_empty, word } };
        Ok(Part::Variable { name, form, quoted })
    }
}
