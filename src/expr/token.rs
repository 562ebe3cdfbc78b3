use std::ops::Range;

/// A CEL token, as far as splitting needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ident,
    /// A number, a string, or one of `true`, `false`, `null`.
    Literal,
    /// `in` stands between operands.
    In,
    Open,
    Close,
    /// An operator, a comma, a dot.
    Other,
}

/// What the text has instead of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoToken {
    /// A string without its closing quote on the line.
    OpenString,
    Comment,
    /// `${` outside a string.
    Variable,
    /// A lone `=`, `&` or `|`.
    Half(char),
    Unknown(char),
}

const TWO: [&str; 6] = ["==", "!=", "<=", ">=", "&&", "||"];

/// The longest token at `at`, which must not be a blank.
pub(super) fn token(text: &str, at: usize) -> Result<(Kind, Range<usize>), NoToken> {
    let rest = &text[at..];
    let first = rest.chars().next().ok_or(NoToken::Unknown('\0'))?;
    if let Some(found) = literal(rest) {
        return match found {
            Literal::Closed(length) => Ok((Kind::Literal, at..at + length)),
            Literal::Open => Err(NoToken::OpenString),
        };
    }
    if rest.starts_with("//") {
        return Err(NoToken::Comment);
    }
    if rest.starts_with("${") || rest.starts_with("$${") {
        return Err(NoToken::Variable);
    }
    let length = match first {
        'a'..='z' | 'A'..='Z' | '_' => {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let kind = match &rest[..length] {
                "true" | "false" | "null" => Kind::Literal,
                "in" => Kind::In,
                _ => Kind::Ident,
            };
            return Ok((kind, at..at + length));
        }
        '0'..='9' => return Ok((Kind::Literal, at..at + number(rest))),
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            return Ok((Kind::Literal, at..at + number(rest)));
        }
        '(' | '[' | '{' => return Ok((Kind::Open, at..at + 1)),
        ')' | ']' | '}' => return Ok((Kind::Close, at..at + 1)),
        _ if TWO.iter().any(|two| rest.starts_with(two)) => 2,
        '<' | '>' | '!' | '-' | '+' | '*' | '/' | '%' | '?' | ':' | ',' | '.' => 1,
        '=' | '&' | '|' => return Err(NoToken::Half(first)),
        _ => return Err(NoToken::Unknown(first)),
    };
    Ok((Kind::Other, at..at + length))
}

fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    if rest.starts_with("0x") || rest.starts_with("0X") {
        let digits = bytes[2..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let suffix = usize::from(matches!(bytes.get(2 + digits), Some(b'u' | b'U')));
        return 2 + digits + suffix;
    }
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = digits(0);
    let mut float = false;
    if bytes.get(at) == Some(&b'.') && digits(at + 1) > 0 {
        at += 1 + digits(at + 1);
        float = true;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if digits(at + 1 + sign) > 0 {
            at += 1 + sign + digits(at + 1 + sign);
            float = true;
        }
    }
    if !float && matches!(bytes.get(at), Some(b'u' | b'U')) {
        at += 1;
    }
    at
}

/// A quoted literal at the beginning of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal {
    /// So many bytes long.
    Closed(usize),
    /// Its line ends before its closing quote.
    Open,
}

/// Reads a CEL string on one line, with its prefix (`r`, `b`), if one begins here.
pub fn literal(rest: &str) -> Option<Literal> {
    let bytes = rest.as_bytes();
    let prefix = bytes.iter().take(2).take_while(|b| matches!(b, b'r' | b'R' | b'b' | b'B')).count();
    let quote = *bytes.get(prefix)?;
    if quote != b'"' && quote != b'\'' {
        return None;
    }
    let raw = bytes[..prefix].iter().any(|b| matches!(b, b'r' | b'R'));
    let triple = bytes[prefix..].starts_with(&[quote, quote, quote]);
    let width = if triple { 3 } else { 1 };
    let mut at = prefix + width;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' => return Some(Literal::Open),
            b'\\' if !raw => at += 2,
            _ if byte == quote && (!triple || bytes[at..].starts_with(&[quote, quote, quote])) => {
                return Some(Literal::Closed(at + width));
            }
            _ => at += 1,
        }
    }
    Some(Literal::Open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(text: &str) -> Option<usize> {
        token(text, 0).ok().map(|(_, range)| range.end)
    }

    #[test]
    fn the_longest_token_wins() {
        assert_eq!(length("object.kind"), Some(6));
        assert_eq!(length("0x1Fu]"), Some(5));
        assert_eq!(length("1.5e-3 "), Some(6));
        assert_eq!(length("1.size()"), Some(1));
        assert_eq!(length("12u"), Some(3));
        assert_eq!(length(r#""a\"b" c"#), Some(6));
        assert_eq!(length(r#"r"a\" b"#), Some(5));
        assert_eq!(length("'''it's'''"), Some(10));
        assert_eq!(length("<=3"), Some(2));
    }

    #[test]
    fn what_is_no_token_is_named() {
        assert_eq!(token("// x", 0), Err(NoToken::Comment));
        assert_eq!(token("${X}", 0), Err(NoToken::Variable));
        assert_eq!(token("= 3", 0), Err(NoToken::Half('=')));
        assert_eq!(token("\"abc\n\"", 0), Err(NoToken::OpenString));
        assert_eq!(token("\"abc\\", 0), Err(NoToken::OpenString));
        assert_eq!(token("é", 0), Err(NoToken::Unknown('é')));
    }
}
