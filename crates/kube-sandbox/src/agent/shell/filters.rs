//! Tools that read text and print some of it.

use std::rc::Rc;

use super::run::{Shell, Stop, Streams, Went};

impl Shell<'_> {
    /// The text that a filter reads: of its files, or of what is piped in.
    fn fed(&mut self, name: &str, files: &[String], streams: &Streams) -> Result<Result<String, i32>, Stop> {
        if files.is_empty() {
            return match &streams.input {
                Some(text) => Ok(Ok(Rc::clone(text).to_string())),
                None if self.world.open => Err(Stop::Never),
                None => Ok(Ok(String::new())),
            };
        }
        let mut whole = String::new();
        for path in files {
            match self.read(path)? {
                Some(text) => whole.push_str(&text),
                None => {
                    let words = if self.world.programs.busybox && name != "grep" {
                        format!("{name}: can't open '{path}': No such file or directory\n")
                    } else {
                        format!("{name}: {path}: No such file or directory\n")
                    };
                    self.print(&streams.err, &words);
                    return Ok(Err(if name == "grep" || name == "sed" { 2 } else { 1 }));
                }
            }
        }
        Ok(Ok(whole))
    }

    pub(super) fn filter(&mut self, name: &str, arguments: &[String], streams: &Streams) -> Option<Went> {
        let (flags, rest): (Vec<String>, Vec<String>) =
            arguments.iter().cloned().partition(|word| word.starts_with('-') && word.len() > 1);
        let has = |letter: char| flags.iter().any(|flag| !flag.starts_with("--") && flag.contains(letter));
        if name == "tail" && (has('f') || has('F')) {
            let path = rest.last()?;
            let whole = self.path(path);
            if whole != "/dev/null" && self.files.find(&whole, self.time) == super::Found::No && !has('F') {
                self.print(
                    &streams.err,
                    &format!("tail: cannot open '{path}' for reading: No such file or directory\n"),
                );
                return Some(Ok(1));
            }
            // What others add to it shows in time; what is there already shows at once.
            match self.read(path) {
                Ok(Some(text)) => self.print(&streams.out, &text),
                Ok(None) => {}
                Err(stop) => return Some(Err(stop)),
            }
            return Some(Err(Stop::Never));
        }
        if matches!(name, "tail" | "sort")
            && rest.iter().any(|path| matches!(path.as_str(), "/dev/zero" | "/dev/urandom"))
        {
            return Some(self.takes(i64::MAX));
        }
        if name == "head" && rest.iter().any(|path| path.starts_with("/dev/")) {
            return None;
        }
        macro_rules! fed {
            ($files:expr) => {
                match self.fed(name, $files, streams) {
                    Ok(Ok(text)) => text,
                    Ok(Err(code)) => return Some(Ok(code)),
                    Err(stop) => return Some(Err(stop)),
                }
            };
        }
        let (out, code) = match name {
            "head" | "tail" => {
                let inline = flags
                    .iter()
                    .find_map(|flag| flag.trim_start_matches("-n").trim_start_matches('-').parse::<usize>().ok());
                let apart =
                    rest.iter().find_map(|word| word.parse::<usize>().ok()).filter(|_| flags.iter().any(|f| f == "-n"));
                if has('c') {
                    return None;
                }
                let count = inline.or(apart).unwrap_or(10);
                // In `-n 5` the number stands alone.
                let files: Vec<String> =
                    rest.iter().filter(|word| flags.is_empty() || word.parse::<i64>().is_err()).cloned().collect();
                let text = fed!(&files);
                let lines: Vec<&str> = text.split_inclusive('\n').collect();
                let shown = if name == "head" {
                    &lines[..count.min(lines.len())]
                } else {
                    &lines[lines.len().saturating_sub(count)..]
                };
                (shown.concat(), 0)
            }
            "wc" => {
                let text = fed!(&rest);
                let counts =
                    [('l', text.matches('\n').count()), ('w', text.split_whitespace().count()), ('c', text.len())];
                let shown: Vec<String> = counts
                    .iter()
                    .filter(|(letter, _)| flags.is_empty() || has(*letter))
                    .map(|(_, count)| count.to_string())
                    .collect();
                let names = if rest.is_empty() { String::new() } else { format!(" {}", rest.join(" ")) };
                (format!("{}{names}\n", shown.join(" ")), 0)
            }
            "grep" | "egrep" | "fgrep" => {
                let (pattern, files) = rest.split_first()?;
                let pattern = if name == "fgrep" || has('F') {
                    regex::escape(pattern)
                } else {
                    basic(pattern, name == "egrep" || has('E'))
                };
                let pattern = if has('w') { format!(r"\b(?:{pattern})\b") } else { pattern };
                let pattern =
                    regex::RegexBuilder::new(&pattern).case_insensitive(has('i')).size_limit(1 << 20).build().ok()?;
                let text = fed!(files);
                let found: Vec<&str> = text.lines().filter(|line| pattern.is_match(line) != has('v')).collect();
                let code = i32::from(found.is_empty());
                let out = if has('q') {
                    String::new()
                } else if has('c') {
                    format!("{}\n", found.len())
                } else if has('o') {
                    super::lines(pattern.find_iter(&text).map(|found| found.as_str()))
                } else {
                    super::lines(found)
                };
                (out, code)
            }
            "sort" => {
                let text = fed!(&rest);
                let mut lines: Vec<&str> = text.lines().collect();
                if has('n') {
                    lines.sort_by_key(|line| line.trim().parse::<i64>().unwrap_or_default());
                } else {
                    lines.sort_unstable();
                }
                if has('r') {
                    lines.reverse();
                }
                if has('u') {
                    lines.dedup();
                }
                (super::lines(lines), 0)
            }
            "uniq" if !has('c') => {
                let text = fed!(&rest);
                let mut lines: Vec<&str> = text.lines().collect();
                lines.dedup();
                (super::lines(lines), 0)
            }
            "rev" => {
                let text = fed!(&rest);
                (text.lines().map(|line| line.chars().rev().collect::<String>() + "\n").collect(), 0)
            }
            "nl" => {
                let text = fed!(&rest);
                (super::lines(text.lines().enumerate().map(|(at, line)| format!("{:6}\t{line}", at + 1))), 0)
            }
            "tr" => {
                let text = fed!(&[]);
                let delete = has('d');
                let from = range(rest.first()?)?;
                let to = if delete { Vec::new() } else { range(rest.get(1)?)? };
                let out = text
                    .chars()
                    .filter_map(|letter| match from.iter().position(|found| *found == letter) {
                        Some(_) if delete => None,
                        Some(at) => to.get(at).or(to.last()).copied(),
                        None => Some(letter),
                    })
                    .collect();
                (out, 0)
            }
            "cut" => {
                let value = |name: &str| {
                    let at = arguments.iter().position(|word| word.starts_with(name))?;
                    let inline = &arguments[at][2..];
                    Some(if inline.is_empty() { arguments.get(at + 1)?.clone() } else { inline.to_owned() })
                };
                let (sign, field) = (value("-d").unwrap_or_else(|| "\t".to_owned()), value("-f")?);
                let field: usize = field.parse().ok().filter(|field| *field > 0)?;
                let text = fed!(&[]);
                let one = |line: &str| {
                    let mut parts = line.split(sign.as_str());
                    if line.contains(&sign) {
                        parts.nth(field - 1).unwrap_or_default().to_owned()
                    } else {
                        line.to_owned()
                    }
                };
                (text.lines().map(|line| one(line) + "\n").collect(), 0)
            }
            "sed" => {
                let (script, files) = rest.split_first()?;
                if flags.iter().any(|flag| flag != "-e") {
                    return None;
                }
                let (pattern, with, all) = substitution(script)?;
                let text = fed!(files);
                let one = |line: &str| {
                    if all { pattern.replace_all(line, with.as_str()) } else { pattern.replace(line, with.as_str()) }
                        .into_owned()
                };
                (text.lines().map(|line| one(line) + "\n").collect(), 0)
            }
            "awk" => {
                // `{print $2}` and the like.
                let script = rest.first()?.trim();
                let field: usize = script.strip_prefix("{print $")?.strip_suffix('}')?.trim().parse().ok()?;
                if !flags.is_empty() {
                    return None;
                }
                let text = fed!(&rest[1..]);
                let one = |line: &str| match field {
                    0 => line.to_owned(),
                    field => line.split_whitespace().nth(field - 1).unwrap_or_default().to_owned(),
                };
                (text.lines().map(|line| one(line) + "\n").collect(), 0)
            }
            "base64" => {
                use base64::Engine as _;
                let engine = base64::engine::general_purpose::STANDARD;
                let text = fed!(&rest);
                if has('d') || flags.iter().any(|flag| flag == "--decode") {
                    let bytes = engine.decode(text.split_whitespace().collect::<String>()).ok()?;
                    (String::from_utf8(bytes).ok()?, 0)
                } else {
                    (engine.encode(text) + "\n", 0)
                }
            }
            "shuf" => {
                let ends = arguments.iter().position(|word| word.starts_with("-i"))?;
                let span = arguments[ends]
                    .strip_prefix("-i")
                    .filter(|span| !span.is_empty())
                    .or_else(|| arguments.get(ends + 1).map(String::as_str))?;
                let (low, high) = span.split_once('-')?;
                let (low, high): (u64, u64) = (low.parse().ok()?, high.parse().ok()?);
                let width = high.checked_sub(low)?.checked_add(1)?;
                (format!("{}\n", low + self.random() % width), 0)
            }
            _ => return None,
        };
        self.print(&streams.out, &out);
        Some(Ok(code))
    }
}

/// A basic pattern as the regex crate reads it: there `+`, `?`, `|` and braces are signs without a backslash.
fn basic(pattern: &str, extended: bool) -> String {
    if extended {
        return pattern.to_owned();
    }
    let mut out = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(sign @ ('+' | '?' | '|' | '(' | ')' | '{' | '}')) => out.push(sign),
                Some(other) => out.extend(['\\', other]),
                None => out.push_str("\\\\"),
            },
            '+' | '?' | '|' | '(' | ')' | '{' | '}' => out.extend(['\\', letter]),
            other => out.push(other),
        }
    }
    out
}

/// The letters of a `tr` set.
fn range(text: &str) -> Option<Vec<char>> {
    let text = match text {
        "[:lower:]" => "a-z".to_owned(),
        "[:upper:]" => "A-Z".to_owned(),
        "[:digit:]" => "0-9".to_owned(),
        text if text.starts_with("[:") => return None,
        text => super::text::unescaped(text),
    };
    let letters: Vec<char> = text.chars().collect();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < letters.len() {
        if at + 2 < letters.len() && letters[at + 1] == '-' {
            out.extend((letters[at]..=letters[at + 2]).take(256));
            at += 3;
        } else {
            out.push(letters[at]);
            at += 1;
        }
    }
    Some(out)
}

/// `s/a/b/` and `s/a/b/g`, with any sign for the slash.
fn substitution(script: &str) -> Option<(regex::Regex, String, bool)> {
    let rest = script.strip_prefix('s')?;
    let sign = rest.chars().next()?;
    let parts: Vec<&str> = rest[sign.len_utf8()..].split(sign).collect();
    let [from, to, flags] = parts.as_slice() else { return None };
    if from.contains('\\') || to.contains(['\\', '&']) || !matches!(*flags, "" | "g") {
        return None;
    }
    let pattern = regex::RegexBuilder::new(&basic(from, false)).size_limit(1 << 20).build().ok()?;
    Some((pattern, to.replace('$', "$$"), *flags == "g"))
}
