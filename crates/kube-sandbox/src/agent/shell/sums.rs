//! Whole numbers as a shell reckons with them.

/// `None` where it is no sum. Division by nothing is an `Err` as a shell says it.
pub(super) fn sum(text: &str, value: &impl Fn(&str) -> i64) -> Option<Result<i64, String>> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, at: 0, depth: 0, wrong: None, value };
    let found = reader.level(0)?;
    if reader.at != tokens.len() {
        return None;
    }
    Some(reader.wrong.map_or(Ok(found), Err))
}

fn tokens(text: &str) -> Option<Vec<String>> {
    let letters: Vec<char> = text.chars().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < letters.len() {
        let start = at;
        let letter = letters[at];
        if letter.is_whitespace() {
            at += 1;
            continue;
        }
        if letter.is_ascii_alphanumeric() || letter == '_' {
            while at < letters.len() && (letters[at].is_ascii_alphanumeric() || letters[at] == '_') {
                at += 1;
            }
        } else {
            let two: String = letters[at..].iter().take(2).collect();
            let double = ["<=", ">=", "==", "!=", "&&", "||", "<<", ">>", "**"].contains(&two.as_str());
            if !double && !"+-*/%<>!()?:&|^~".contains(letter) {
                return None;
            }
            at += if double { 2 } else { 1 };
        }
        found.push(letters[start..at].iter().collect());
    }
    Some(found)
}

struct Reader<'a, V> {
    tokens: &'a [String],
    at: usize,
    depth: u32,
    wrong: Option<String>,
    value: &'a V,
}

const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<", "<=", ">", ">="],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl<V: Fn(&str) -> i64> Reader<'_, V> {
    fn level(&mut self, level: usize) -> Option<i64> {
        let Some(signs) = LEVELS.get(level) else { return self.single() };
        let mut left = self.level(level + 1)?;
        while let Some(sign) = self.tokens.get(self.at).filter(|token| signs.contains(&token.as_str())) {
            self.at += 1;
            let right = self.level(level + 1)?;
            left = self.apply(sign, left, right);
        }
        if level == 0 && self.tokens.get(self.at).is_some_and(|token| token == "?") {
            self.at += 1;
            let yes = self.level(0)?;
            if self.tokens.get(self.at).is_none_or(|token| token != ":") {
                return None;
            }
            self.at += 1;
            let no = self.level(0)?;
            left = if left != 0 { yes } else { no };
        }
        Some(left)
    }

    fn apply(&mut self, sign: &str, left: i64, right: i64) -> i64 {
        match sign {
            "||" => i64::from(left != 0 || right != 0),
            "&&" => i64::from(left != 0 && right != 0),
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<" => i64::from(left < right),
            "<=" => i64::from(left <= right),
            ">" => i64::from(left > right),
            ">=" => i64::from(left >= right),
            "<<" => left.wrapping_shl(u32::try_from(right & 63).unwrap_or(0)),
            ">>" => left.wrapping_shr(u32::try_from(right & 63).unwrap_or(0)),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            _ if right == 0 => {
                self.wrong = Some("divide by zero".to_owned());
                0
            }
            "/" => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        }
    }

    fn single(&mut self) -> Option<i64> {
        self.depth += 1;
        if self.depth > 64 {
            return None;
        }
        let token = self.tokens.get(self.at)?.as_str();
        self.at += 1;
        let found = match token {
            "-" => self.single()?.wrapping_neg(),
            "+" => self.single()?,
            "!" => i64::from(self.single()? == 0),
            "~" => !self.single()?,
            "(" => {
                let inner = self.level(0)?;
                if self.tokens.get(self.at).is_none_or(|token| token != ")") {
                    return None;
                }
                self.at += 1;
                inner
            }
            _ if token.starts_with(|letter: char| letter.is_ascii_digit()) => token.parse().ok()?,
            _ if token.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_') => (self.value)(token),
            _ => return None,
        };
        self.depth -= 1;
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sums_come_out_as_in_a_shell() {
        let of = |text: &str| super::sum(text, &|name| if name == "i" { 4 } else { 0 });
        assert_eq!(of("1 + 2 * 3"), Some(Ok(7)));
        assert_eq!(of("(1+2)*i % 5"), Some(Ok(2)));
        assert_eq!(of("i > 3 && i != 5 ? 10 : 20"), Some(Ok(10)));
        assert_eq!(of("1 / 0"), Some(Err("divide by zero".to_owned())));
        assert_eq!(of("1 +"), None);
        assert_eq!(of(&"(".repeat(5000)), None);
    }
}
