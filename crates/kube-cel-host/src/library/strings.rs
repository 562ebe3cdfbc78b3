//! Texts: the strings extension, regular expressions, and what CEL itself has.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

use super::{Function, Given, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::{List, Text, Value};

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("contains", contains, Cost::Contains),
    ("startsWith", starts_with, Cost::Tenths(1)),
    ("endsWith", ends_with, Cost::Tenths(1)),
    ("matches", matches, Cost::Regex),
    ("find", find, Cost::Regex),
    ("findAll", find_all, Cost::Regex),
    ("charAt", char_at, Cost::One),
    ("indexOf", index_of, Cost::Elements),
    ("lastIndexOf", last_index_of, Cost::Elements),
    ("lowerAscii", lower, Cost::Tenths(1)),
    ("upperAscii", upper, Cost::Tenths(1)),
    ("replace", replace, Cost::Tenths(2)),
    ("split", split, Cost::Tenths(2)),
    ("substring", substring, Cost::Tenths(1)),
    ("trim", trim, Cost::Tenths(1)),
    ("format", super::format::format, Cost::Tenths(1)),
    ("strings.quote", quote, Cost::Tenths(1)),
    ("join", join, Cost::ResultTenths(2)),
    ("jsonpatch.escapeKey", escape_key, Cost::Tenths(1)),
];

fn contains<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.contains(part.as_str()))),
        _ => Err(mismatch()),
    }
}

fn starts_with<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.starts_with(part.as_str()))),
        _ => Err(mismatch()),
    }
}

fn ends_with<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text), Value::String(part)] => Ok(Value::Bool(text.ends_with(part.as_str()))),
        _ => Err(mismatch()),
    }
}

/// How many compiled expressions a thread keeps.
const KEPT: usize = 64;

/// A pattern's size in memory, which the time that matching takes grows with.
const COMPILED: usize = 1 << 20;

/// Compiles a pattern within bounds.
pub fn compiled(pattern: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(pattern).size_limit(COMPILED).dfa_size_limit(COMPILED).build()
}

/// Works with a compiled pattern, which is compiled once a thread.
fn with_regex<T>(pattern: &str, work: impl FnOnce(&Regex) -> T) -> Result<T, Error> {
    thread_local! {
        static COMPILED_HERE: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
    }
    COMPILED_HERE.with_borrow_mut(|kept| {
        if let Some(regex) = kept.get(pattern) {
            return Ok(work(regex));
        }
        let regex = compiled(pattern).map_err(|error| Error::BadRegex(complaint(&error).into()))?;
        let done = work(&regex);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pattern.to_owned(), regex);
        Ok(done)
    })
}

/// The last line of the regex crate's drawing is what is wrong.
pub fn complaint(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

fn matches<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::String(text), Value::String(pattern)] = args else { return Err(mismatch()) };
    with_regex(pattern, |regex| Value::Bool(regex.is_match(text)))
}

fn find<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::String(text), Value::String(pattern)] = args else { return Err(mismatch()) };
    with_regex(pattern, |regex| {
        Value::from(regex.find(text).map_or_else(String::new, |found| found.as_str().to_owned()))
    })
}

fn find_all<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (text, pattern, most) = match args {
        [Value::String(text), Value::String(pattern)] => (text, pattern, usize::MAX),
        [Value::String(text), Value::String(pattern), Value::Int(most)] => {
            (text, pattern, usize::try_from(*most).unwrap_or(usize::MAX))
        }
        _ => return Err(mismatch()),
    };
    with_regex(pattern, |regex| {
        let found = regex.find_iter(text).take(most).map(|found| Value::from(found.as_str().to_owned()));
        Value::from(found.collect::<Vec<_>>())
    })
}

fn out_of_range(index: i64) -> Error {
    Error::other(format!("index out of range: {index}"))
}

/// Where in the text its character of this number begins; its end for the number after the last.
fn offset(text: &str, index: i64) -> Option<usize> {
    let index = usize::try_from(index).ok()?;
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(index)
}

fn char_at<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::String(text), Value::Int(index)] = args else { return Err(mismatch()) };
    let at = offset(text, *index).ok_or_else(|| out_of_range(*index))?;
    Ok(Value::from(text[at..].chars().next().map_or_else(String::new, String::from)))
}

fn count(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

fn index_of<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let (text, part, from) = match args {
        [Value::List(list), item] => return super::lists::position(list, item, false, budget),
        [Value::String(text), Value::String(part)] => (text, part, 0),
        [Value::String(text), Value::String(part), Value::Int(from)] => (text, part, *from),
        _ => return Err(mismatch()),
    };
    if part.is_empty() {
        return Ok(Value::Int(from));
    }
    if from < 0 {
        return Err(out_of_range(from));
    }
    let Some(start) = offset(text, from) else { return Ok(Value::Int(-1)) };
    Ok(Value::Int(text[start..].find(part.as_str()).map_or(-1, |found| from + count(&text[start..start + found]))))
}

fn last_index_of<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let (text, part, until) = match args {
        [Value::List(list), item] => return super::lists::position(list, item, true, budget),
        [Value::String(text), Value::String(part)] => (text, part, None),
        [Value::String(text), Value::String(part), Value::Int(until)] => (text, part, Some(*until)),
        _ => return Err(mismatch()),
    };
    let length = count(text);
    if part.is_empty() {
        return Ok(Value::Int(until.unwrap_or(length)));
    }
    let until = match until {
        Some(until) if until < 0 => return Err(out_of_range(until)),
        Some(until) if until >= length => return Ok(Value::Int(-1)),
        Some(until) => until,
        None => length,
    };
    // The match may begin at `until` at the latest.
    let end = offset(text, until + count(part)).unwrap_or(text.len());
    Ok(Value::Int(text[..end].rfind(part.as_str()).map_or(-1, |found| count(&text[..found]))))
}

fn changed<'a>(args: &[Value<'a>], change: impl Fn(&str) -> String) -> Given<'a> {
    match args {
        [Value::String(text)] => Ok(Value::from(change(text))),
        _ => Err(mismatch()),
    }
}

fn lower<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    changed(args, str::to_ascii_lowercase)
}

fn upper<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    changed(args, str::to_ascii_uppercase)
}

fn trim<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    changed(args, |text| text.trim().to_owned())
}

fn replace<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let (text, old, new, most) = match args {
        [Value::String(text), Value::String(old), Value::String(new)] => (text, old, new, usize::MAX),
        [Value::String(text), Value::String(old), Value::String(new), Value::Int(most)] => {
            (text, old, new, usize::try_from(*most).unwrap_or(usize::MAX))
        }
        _ => return Err(mismatch()),
    };
    let found = text.matches(old.as_str()).count().min(most);
    budget.copy((text.len() + found.saturating_mul(new.len())) / 16)?;
    Ok(Value::from(text.replacen(old.as_str(), new, most)))
}

fn split<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let (text, by, most) = match args {
        [Value::String(text), Value::String(by)] => (text, by, usize::MAX),
        [Value::String(text), Value::String(by), Value::Int(most)] => {
            (text, by, usize::try_from(*most).unwrap_or(usize::MAX))
        }
        _ => return Err(mismatch()),
    };
    budget.copy(text.len() / 4 + 1)?;
    let parts: Vec<String> = match most {
        0 => Vec::new(),
        // Go splits at nothing into characters, without empty ends.
        _ if by.is_empty() => {
            let mut parts: Vec<String> = text.chars().map(String::from).collect();
            if parts.len() > most {
                let rest = parts.split_off(most - 1).concat();
                parts.push(rest);
            }
            parts
        }
        _ => text.splitn(most, by.as_str()).map(str::to_owned).collect(),
    };
    Ok(Value::from(parts.into_iter().map(Value::from).collect::<Vec<_>>()))
}

fn substring<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (text, start, end) = match args {
        [Value::String(text), Value::Int(start)] => (text, *start, None),
        [Value::String(text), Value::Int(start), Value::Int(end)] => (text, *start, Some(*end)),
        _ => return Err(mismatch()),
    };
    if let Some(end) = end
        && start > end
    {
        return Err(Error::other(format!("invalid substring range. start: {start}, end: {end}")));
    }
    let from = offset(text, start).ok_or_else(|| out_of_range(start))?;
    let to = match end {
        Some(end) => offset(text, end).ok_or_else(|| out_of_range(end))?,
        None => text.len(),
    };
    Ok(Value::from(text[from..to].to_owned()))
}

/// Quoted, with the escapes that CEL has.
fn quote<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    changed(args, |text| {
        let mut out = String::with_capacity(text.len() + 2);
        out.push('"');
        for c in text.chars() {
            match c {
                '\x07' => out.push_str("\\a"),
                '\x08' => out.push_str("\\b"),
                '\x0c' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\x0b' => out.push_str("\\v"),
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                c => out.push(c),
            }
        }
        out.push('"');
        out
    })
}

fn join<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let nothing = Text::Borrowed("");
    let (list, by): (&List<'a>, &Text<'a>) = match args {
        [Value::List(list)] => (list, &nothing),
        [Value::List(list), Value::String(by)] => (list, by),
        _ => return Err(mismatch()),
    };
    let mut out = String::new();
    for (index, item) in list.iter().enumerate() {
        let Value::String(text) = &item else {
            return Err(Error::other(format!("join: invalid input: {}", item.json())));
        };
        budget.copy((by.len() + text.len()) / 16 + 1)?;
        if index > 0 {
            out.push_str(by);
        }
        out.push_str(text);
    }
    Ok(Value::from(out))
}

fn escape_key<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    changed(args, |text| text.replace('~', "~0").replace('/', "~1"))
}
