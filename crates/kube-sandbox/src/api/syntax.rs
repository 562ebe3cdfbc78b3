//! What is wrong with a text that is no JSON, in the words of Go's reader.

/// What a value may be followed by.
enum Within {
    Object,
    Array,
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

type Scanned = Result<(), String>;

/// What Go says of the first byte that cannot stand where it does; `None` where it would read the text.
pub fn error(text: &[u8]) -> Option<String> {
    Scanner { text, at: 0 }.document().err()
}

fn end() -> String {
    "unexpected end of JSON input".to_owned()
}

fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => r#"'"'"#.to_owned(),
        b'\\' => r"'\\'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        7 => r"'\a'".to_owned(),
        8 => r"'\b'".to_owned(),
        11 => r"'\v'".to_owned(),
        12 => r"'\f'".to_owned(),
        0..=31 | 127 => format!(r"'\x{byte:02x}'"),
        // A byte is taken for the character of its number.
        128..=160 | 173 => format!(r"'\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte that is no white space.
    fn next_token(&mut self) -> Result<u8, String> {
        while let Some(byte) = self.peek() {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(end())
    }

    fn wrong(byte: u8, context: &str) -> Scanned {
        Err(format!("invalid character {} {context}", quoted(byte)))
    }

    fn document(mut self) -> Scanned {
        let mut open: Vec<Within> = Vec::new();
        loop {
            // A value begins here.
            match self.next_token()? {
                b'{' => {
                    self.at += 1;
                    if self.next_token()? == b'}' {
                        self.at += 1;
                    } else {
                        self.key()?;
                        open.push(Within::Object);
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    if self.next_token()? == b']' {
                        self.at += 1;
                    } else {
                        open.push(Within::Array);
                        continue;
                    }
                }
                first => self.scalar(first)?,
            }
            // It has ended, and perhaps what it stands in.
            loop {
                let Some(within) = open.last() else {
                    return match self.next_token() {
                        Ok(byte) => Self::wrong(byte, "after top-level value"),
                        Err(_) => Ok(()),
                    };
                };
                match (within, self.next_token()?) {
                    (Within::Object, b',') => {
                        self.at += 1;
                        self.key()?;
                        break;
                    }
                    (Within::Array, b',') => {
                        self.at += 1;
                        break;
                    }
                    (Within::Object, b'}') | (Within::Array, b']') => {
                        self.at += 1;
                        open.pop();
                    }
                    (Within::Object, byte) => return Self::wrong(byte, "after object key:value pair"),
                    (Within::Array, byte) => return Self::wrong(byte, "after array element"),
                }
            }
        }
    }

    /// A key and its colon.
    fn key(&mut self) -> Scanned {
        match self.next_token()? {
            b'"' => self.string()?,
            byte => return Self::wrong(byte, "looking for beginning of object key string"),
        }
        match self.next_token()? {
            b':' => self.at += 1,
            byte => return Self::wrong(byte, "after object key"),
        }
        Ok(())
    }

    fn scalar(&mut self, first: u8) -> Scanned {
        match first {
            b'"' => self.string(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.number(),
            byte => Self::wrong(byte, "looking for beginning of value"),
        }
    }

    fn literal(&mut self, word: &str) -> Scanned {
        for expected in word.bytes() {
            // Go puts a space behind the text to find its end.
            let byte = self.peek().unwrap_or(b' ');
            if byte != expected {
                return Self::wrong(byte, &format!("in literal {word} (expecting '{}')", char::from(expected)));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Scanned {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                0..=31 => return Self::wrong(byte, "in string literal"),
                _ => {}
            }
        }
        Err(end())
    }

    fn escape(&mut self) -> Scanned {
        let byte = self.peek().ok_or_else(end)?;
        self.at += 1;
        match byte {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    let byte = self.peek().ok_or_else(end)?;
                    if !byte.is_ascii_hexdigit() {
                        return Self::wrong(byte, r"in \u hexadecimal character escape");
                    }
                    self.at += 1;
                }
                Ok(())
            }
            byte => Self::wrong(byte, "in string escape code"),
        }
    }

    fn digits(&mut self, context: &str) -> Scanned {
        match self.peek() {
            Some(byte) if byte.is_ascii_digit() => {}
            byte => return Self::wrong(byte.unwrap_or(b' '), context),
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Scanned {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        // Nothing follows a leading zero.
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::error;

    /// Each as kube-apiserver 1.36.2 says it.
    #[test]
    fn the_words_are_gos() {
        for (text, said) in [
            ("", "unexpected end of JSON input"),
            ("   ", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            (r#"{"a""#, "unexpected end of JSON input"),
            (r#"{"a":"#, "unexpected end of JSON input"),
            ("[1,", "unexpected end of JSON input"),
            (r#"{"metadata":{"name":"x"}"#, "unexpected end of JSON input"),
            (r#"{"a":}"#, "invalid character '}' looking for beginning of value"),
            (r#"{"a":1,}"#, "invalid character '}' looking for beginning of object key string"),
            ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
            ("{'a':1}", r"invalid character '\'' looking for beginning of object key string"),
            (r#"{"a":tru}"#, "invalid character '}' in literal true (expecting 'e')"),
            ("nul", "invalid character ' ' in literal null (expecting 'l')"),
            (r#"{"a":01}"#, "invalid character '1' after object key:value pair"),
            (r#"{"a":1.}"#, "invalid character '}' after decimal point in numeric literal"),
            (r#"{"a":1e}"#, "invalid character '}' in exponent of numeric literal"),
            (r#"{"a":-}"#, "invalid character '}' in numeric literal"),
            (r#"{"a":"\x"}"#, "invalid character 'x' in string escape code"),
            (r#"{"a":"\u12"}"#, r#"invalid character '"' in \u hexadecimal character escape"#),
            ("{\"a\":\"\n\"}", r"invalid character '\n' in string literal"),
            (r#"{"a":1} x"#, "invalid character 'x' after top-level value"),
            ("x", "invalid character 'x' looking for beginning of value"),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (r#"{"a":1 "b":2}"#, r#"invalid character '"' after object key:value pair"#),
            ("[1 2]", "invalid character '2' after array element"),
        ] {
            assert_eq!(error(text.as_bytes()).as_deref(), Some(said), "{text}");
        }
    }

    #[test]
    fn what_can_be_read_is_not_wrong() {
        for text in ["0", "-0.5e+3", r#" {"a": [1, {}, [], "\u00e4\n", null, true, false], "b": {"c": 1E9}} "#, "\"ä\""]
        {
            assert_eq!(error(text.as_bytes()), None, "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
    }
}
