//! Versions by the rules of semver.org, and the comparisons that versions and quantities share.

use std::cmp::Ordering;
use std::fmt;

use super::{Function, Given, Opaque, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::Value;

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("semver", semver, Cost::Tenths(1)),
    ("isSemver", is_semver, Cost::Tenths(1)),
    ("major", major, Cost::One),
    ("minor", minor, Cost::One),
    ("patch", patch, Cost::One),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Semver {
    numbers: [u64; 3],
    before: Vec<Part>,
    build: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Text(String),
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        for (index, part) in self.before.iter().enumerate() {
            f.write_str(if index == 0 { "-" } else { "." })?;
            match part {
                Part::Number(number) => write!(f, "{number}")?,
                Part::Text(text) => f.write_str(text)?,
            }
        }
        if self.build.is_empty() { Ok(()) } else { write!(f, "+{}", self.build.join(".")) }
    }
}

impl Semver {
    /// The order of versions: builds do not count, and what comes before a release is smaller than it.
    fn order(&self, other: &Self) -> Ordering {
        let numbers = self.numbers.cmp(&other.numbers);
        numbers.then_with(|| match (self.before.is_empty(), other.before.is_empty()) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => self.before.cmp(&other.before),
        })
    }
}

fn parse(text: &str) -> Result<Semver, String> {
    if text.is_empty() {
        return Err("Version string empty".to_owned());
    }
    let parts: Vec<&str> = text.splitn(3, '.').collect();
    let [major, minor, rest] = parts[..] else { return Err("No Major.Minor.Patch elements found".to_owned()) };
    let (rest, build) = rest.split_once('+').map_or((rest, None), |(rest, build)| (rest, Some(build)));
    let (patch, before) = rest.split_once('-').map_or((rest, None), |(patch, before)| (patch, Some(before)));
    let number = |name: &str, text: &str| -> Result<u64, String> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("Invalid character(s) found in {name} number {text:?}"));
        }
        if text.len() > 1 && text.starts_with('0') {
            return Err(format!("{} number must not contain leading zeroes {text:?}", capital(name)));
        }
        text.parse().map_err(|_| format!("strconv.ParseUint: parsing {text:?}: invalid syntax"))
    };
    let numbers = [number("major", major)?, number("minor", minor)?, number("patch", patch)?];
    let allowed = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let mut parts = Vec::new();
    for part in before.into_iter().flat_map(|before| before.split('.')) {
        if part.is_empty() {
            return Err("Prerelease is empty".to_owned());
        }
        if !allowed(part) {
            return Err(format!("Invalid character(s) found in prerelease {part:?}"));
        }
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        if digits && part.len() > 1 && part.starts_with('0') {
            return Err(format!("Numeric PreRelease version must not contain leading zeroes {part:?}"));
        }
        parts.push(match part.parse() {
            Ok(number) if digits => Part::Number(number),
            _ => Part::Text(part.to_owned()),
        });
    }
    let mut builds = Vec::new();
    for part in build.into_iter().flat_map(|build| build.split('.')) {
        if part.is_empty() {
            return Err("Build meta data is empty".to_owned());
        }
        if !allowed(part) {
            return Err(format!("Invalid character(s) found in build meta data {part:?}"));
        }
        builds.push(part.to_owned());
    }
    Ok(Semver { numbers, before: parts, build: builds })
}

fn capital(name: &str) -> String {
    name[..1].to_ascii_uppercase() + &name[1..]
}

/// Reads shorter and looser ways to write a version too, as Kubernetes does when it is asked to.
fn normalized(text: &str) -> Result<Semver, String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text
        .splitn(3, '.')
        .map(|part| {
            let stripped = part.trim_start_matches('0');
            match part.len() {
                0 | 1 => part.to_owned(),
                _ if stripped.starts_with(|c: char| c.is_ascii_digit()) => stripped.to_owned(),
                _ => format!("0{stripped}"),
            }
        })
        .collect();
    // What had no zeros to lose is not given one.
    for (part, given) in parts.iter_mut().zip(text.splitn(3, '.')) {
        if !given.starts_with('0') && !given.starts_with(|c: char| c.is_ascii_digit()) {
            given.clone_into(part);
        }
    }
    if parts.len() < 3 {
        if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
            return Err("short version cannot contain PreRelease/Build meta data".to_owned());
        }
        parts.resize(3, "0".to_owned());
    }
    parse(&parts.join("."))
}

fn read(args: &[Value<'_>]) -> Result<Result<Semver, String>, Error> {
    match args {
        [Value::String(text)] | [Value::String(text), Value::Bool(false)] => Ok(parse(text)),
        [Value::String(text), Value::Bool(true)] => Ok(normalized(text)),
        _ => Err(mismatch()),
    }
}

fn semver<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    read(args)?.map(|version| Opaque::Semver(version).into()).map_err(Error::other)
}

fn is_semver<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(read(args)?.is_ok()))
}

fn number<'a>(args: &[Value<'a>], which: usize) -> Given<'a> {
    match args {
        [Value::Opaque(opaque)] => match &**opaque {
            Opaque::Semver(version) => Ok(Value::Int(i64::try_from(version.numbers[which]).unwrap_or(i64::MAX))),
            _ => Err(mismatch()),
        },
        _ => Err(mismatch()),
    }
}

fn major<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    number(args, 0)
}

fn minor<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    number(args, 1)
}

fn patch<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    number(args, 2)
}

fn order(args: &[Value<'_>]) -> Result<Ordering, Error> {
    let [Value::Opaque(one), Value::Opaque(other)] = args else { return Err(mismatch()) };
    match (&**one, &**other) {
        (Opaque::Quantity(one), Opaque::Quantity(other)) => Ok(one.order(*other)),
        (Opaque::Semver(one), Opaque::Semver(other)) => Ok(one.order(other)),
        _ => Err(mismatch()),
    }
}

pub(super) fn is_greater<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(order(args)?.is_gt()))
}

pub(super) fn is_less<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(order(args)?.is_lt()))
}

pub(super) fn compare_to<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Int(order(args)? as i64))
}
