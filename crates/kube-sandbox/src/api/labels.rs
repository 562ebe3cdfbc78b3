//! The text of a label selector: `a=b, c!=d, e in (f, g), h notin (i), j, !k, l>1`.

use crate::validate::{label_key, label_value};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    More(String, i64),
    Less(String, i64),
}

/// What is wrong is told in the words of Kubernetes' own parser.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            "" => return Ok(requirements),
            first if first == "!" || is_word(first) => {
                let one = parser.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?;
                requirements.push(one);
                match parser.next() {
                    "" => return Ok(requirements),
                    "," => {
                        let next = parser.peek();
                        if next != "!" && !is_word(next) {
                            return Err(format!("found '{next}', expected: identifier after ','"));
                        }
                    }
                    other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
                }
            }
            other => return Err(format!("found '{other}', expected: !, identifier, or 'end of string'")),
        }
    }
}

fn is_special(letter: char) -> bool {
    matches!(letter, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn is_word(token: &str) -> bool {
    token.chars().next().is_some_and(|first| !is_special(first))
}

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_special(first) {
            ["==", "!="].iter().find(|two| rest.starts_with(**two)).map_or(1, |two| two.len())
        } else {
            rest.find(|letter: char| is_special(letter) || letter.is_whitespace()).unwrap_or(rest.len())
        };
        let (token, more) = rest.split_at(length);
        tokens.push(token);
        rest = more.trim_start();
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    /// Empty at the end.
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or_default()
    }

    fn next(&mut self) -> &'a str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == "!";
        if absent {
            self.next();
        }
        let key = self.next();
        if !is_word(key) {
            return Err(format!("found '{key}', expected: identifier"));
        }
        if let Some(wrong) = joined(label_key(key)) {
            return Err(format!("<nil>: Invalid value: \"{key}\": {wrong}"));
        }
        let key = key.to_owned();
        if absent {
            return Ok(Requirement::Absent(key));
        }
        if matches!(self.peek(), "" | ",") {
            return Ok(Requirement::Exists(key));
        }
        match self.next() {
            "in" => Ok(Requirement::In(key, self.values()?)),
            "notin" => Ok(Requirement::NotIn(key, self.values()?)),
            "=" | "==" => Ok(Requirement::In(key, vec![self.value()?])),
            "!=" => Ok(Requirement::NotIn(key, vec![self.value()?])),
            ">" => Ok(Requirement::More(key, self.number()?)),
            "<" => Ok(Requirement::Less(key, self.number()?)),
            other => Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
        }
    }

    fn value(&mut self) -> Result<String, String> {
        if matches!(self.peek(), "" | ",") {
            return Ok(String::new());
        }
        let value = self.next();
        if !is_word(value) {
            return Err(format!("found '{value}', expected: identifier"));
        }
        checked(value)
    }

    fn number(&mut self) -> Result<i64, String> {
        let value = self.value()?;
        value.parse().map_err(|_| {
            format!("values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer")
        })
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != "(" {
            return Err(format!("found '{open}' expected: '('"));
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                ")" => break,
                "," if matches!(self.peek(), "," | ")") => values.push(String::new()),
                "," => {}
                word if is_word(word) => {
                    values.push(checked(word)?);
                    let next = self.peek();
                    if !matches!(next, "," | ")") {
                        return Err(format!("found '{next}', expected: ',' or ')'"));
                    }
                }
                other => return Err(format!("found '{other}', expected: ',', ')' or identifier")),
            }
        }
        if values.is_empty() {
            return Err("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty".to_owned());
        }
        Ok(values)
    }
}

fn checked(value: &str) -> Result<String, String> {
    match joined(label_value(value)) {
        Some(wrong) => Err(format!("values[0]: Invalid value: \"{value}\": {wrong}")),
        None => Ok(value.to_owned()),
    }
}

fn joined(wrong: Vec<String>) -> Option<String> {
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_as_kubernetes_tells_it() {
        for (text, why) in [
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("app in web", "unable to parse requirement: found 'web' expected: '('"),
            ("app=bad value", "found 'value', expected: ',' or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
            ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn all_operators_are_read() {
        let all = parse("a, !b, c=d, e==f, g!=h, i in (j,k), l notin (m), n>1, o<2, p=").expect("a selector");
        assert_eq!(all.len(), 10);
        assert_eq!(all[5], Requirement::In("i".into(), vec!["j".into(), "k".into()]));
        assert_eq!(all[7], Requirement::More("n".into(), 1));
        assert_eq!(all[9], Requirement::In("p".into(), vec![String::new()]));
    }
}
