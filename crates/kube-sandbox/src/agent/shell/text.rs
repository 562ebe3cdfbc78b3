//! Patterns, and the forms of printf and date.

/// What one variable, file or stream may come to.
pub(super) const LONGEST: usize = 256 * 1024;

/// Whether a text fits a shell's pattern, all of it.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where the last star stood, and what it took so far.
    let mut back: Option<(usize, usize)> = None;
    while of < text.len() {
        let single = match pattern.get(at) {
            Some('*') => {
                back = Some((at, of));
                at += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => set(&pattern[at..], text[of]),
            Some('\\') if pattern.get(at + 1) == Some(&text[of]) => Some(2),
            Some('\\') => None,
            Some(letter) if *letter == text[of] => Some(1),
            _ => None,
        };
        if let Some(width) = single {
            at += width;
            of += 1;
        } else if let Some((star, taken)) = back {
            at = star + 1;
            of = taken + 1;
            back = Some((star, of));
        } else {
            return false;
        }
    }
    pattern[at.min(pattern.len())..].iter().all(|letter| *letter == '*')
}

/// The width of a `[…]` that the letter is in.
fn set(pattern: &[char], letter: char) -> Option<usize> {
    let Some(end) = pattern.iter().skip(2).position(|found| *found == ']').map(|at| at + 2) else {
        return (letter == '[').then_some(1);
    };
    let inner = &pattern[1..end];
    let (not, inner) = match inner.first() {
        Some('!' | '^') => (true, &inner[1..]),
        _ => (false, inner),
    };
    let mut found = false;
    let mut at = 0;
    while at < inner.len() {
        if at + 2 < inner.len() && inner[at + 1] == '-' {
            found |= (inner[at]..=inner[at + 2]).contains(&letter);
            at += 3;
        } else {
            found |= inner[at] == letter;
            at += 1;
        }
    }
    (found != not).then_some(end + 1)
}

/// The text without the beginning, or the end, that fits.
pub(super) fn cut(text: &str, pattern: &str, start: bool, longest: bool) -> String {
    let mut places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    if start == longest {
        places.reverse();
    }
    for at in places {
        let (head, tail) = text.split_at(at);
        if start && fits(pattern, head) {
            return tail.to_owned();
        }
        if !start && fits(pattern, tail) {
            return head.to_owned();
        }
    }
    text.to_owned()
}

/// Backslashes as `echo -e` and printf read them.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('e' | 'E') => out.push('\u{1b}'),
            Some('0') => {
                let digits: String = letters.clone().take_while(|c| ('0'..='7').contains(c)).take(3).collect();
                for _ in 0..digits.len() {
                    letters.next();
                }
                let code = u32::from_str_radix(&digits, 8).unwrap_or(0);
                out.extend(char::from_u32(code));
            }
            Some('\\') => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

/// printf, as often as there are arguments.
pub(super) fn formatted(format: &str, arguments: &[String]) -> String {
    let format = unescaped(format);
    let mut out = String::new();
    let mut rest = arguments.iter();
    loop {
        let before = rest.len();
        let mut letters = format.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            if letters.peek() == Some(&'%') {
                letters.next();
                out.push('%');
                continue;
            }
            let mut form = String::new();
            while letters.peek().is_some_and(|c| "-+ 0123456789.#".contains(*c)) {
                form.extend(letters.next());
            }
            let kind = letters.next().unwrap_or('s');
            let value = rest.next().cloned().unwrap_or_default();
            out.push_str(&one(&form, kind, &value));
        }
        if rest.len() == 0 || rest.len() == before || out.len() > LONGEST {
            return out;
        }
    }
}

fn one(form: &str, kind: char, value: &str) -> String {
    let left = form.contains('-');
    let digits = form.trim_start_matches(['-', '+', ' ', '#']);
    let zero = digits.starts_with('0') && !left;
    let (width, precision) = digits.split_once('.').unwrap_or((digits, ""));
    let width = width.parse::<usize>().unwrap_or(0).min(1000);
    let whole = value.trim().parse::<i64>().unwrap_or_default();
    let text = match kind {
        'd' | 'i' | 'u' => whole.to_string(),
        'x' => format!("{whole:x}"),
        'X' => format!("{whole:X}"),
        'o' => format!("{whole:o}"),
        'f' => {
            let precision = precision.parse::<usize>().unwrap_or(6).min(30);
            format!("{:.precision$}", value.trim().parse::<f64>().unwrap_or_default())
        }
        'c' => value.chars().take(1).collect(),
        'b' => unescaped(value),
        _ => match precision.parse::<usize>() {
            Ok(most) => value.chars().take(most).collect(),
            Err(_) => value.to_owned(),
        },
    };
    let missing = width.saturating_sub(text.chars().count());
    match (left, zero && kind != 's') {
        (true, _) => text + &" ".repeat(missing),
        (false, true) => "0".repeat(missing) + &text,
        (false, false) => " ".repeat(missing) + &text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, text, fit) in [
            ("*.txt", "a.txt", true),
            ("a*b*c", "aXbYc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a]x", "ax", false),
            ("\\*", "x", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
        assert_eq!(cut("pod-name-3", "*-", true, true), "3");
        assert_eq!(cut("a.tar.gz", ".*", false, false), "a.tar");
    }

    #[test]
    fn printf_repeats_its_form() {
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(formatted("%s=%03d\\n", &words(&["a", "1", "b", "22"])), "a=001\nb=022\n");
        assert_eq!(formatted("100%%\\n", &[]), "100%\n");
        assert_eq!(formatted("%-4s|", &words(&["x"])), "x   |");
    }
}
