//! Addresses of the web, read as Go's `net/url` reads them.

use std::collections::BTreeMap;
use std::fmt;

use super::{Function, Given, Opaque, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::{Key, Map, Text, Value};

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("url", url, Cost::Tenths(1)),
    ("isURL", is_url, Cost::One),
    ("getScheme", scheme, Cost::One),
    ("getHost", host, Cost::One),
    ("getHostname", hostname, Cost::One),
    ("getPort", port, Cost::One),
    ("getEscapedPath", path, Cost::One),
    ("getQuery", query, Cost::One),
];

/// An absolute address, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is wrong, as `url.ParseRequestURI` says it.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let wrong = |why: &str| format!("parse {text:?}: {why}");
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return Err(wrong("net/url: invalid control character in URL"));
    }
    if text.is_empty() {
        return Err(wrong("empty url"));
    }
    let (scheme, rest) = match text.split_once(':') {
        Some(("", _)) => return Err(wrong("missing protocol scheme")),
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        // A colon before the first slash without a scheme.
        _ => (String::new(), text),
    };
    let (rest, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !rest.starts_with('/') {
        return Err(wrong("invalid URI for request"));
    }
    let (host, path) = match rest.strip_prefix("//") {
        Some(rest) if !scheme.is_empty() => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            (authority.rsplit_once('@').map_or(authority, |(_, host)| host), path)
        }
        _ => ("", rest),
    };
    check_host(host).map_err(|why| wrong(&why))?;
    check_escapes(path).map_err(|why| wrong(&why))?;
    let (text, query) = (text.to_owned(), query.to_owned());
    Ok(Url { text, scheme, host: host.to_owned(), path: escaped(path), query })
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn check_host(host: &str) -> Result<(), String> {
    let port = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((_, port)) => port,
            None => return Err("missing ']' in host".to_owned()),
        },
        None => host.find(':').map_or("", |at| &host[at..]),
    };
    let digits = port.is_empty() || (port.starts_with(':') && port[1..].bytes().all(|byte| byte.is_ascii_digit()));
    if !digits {
        return Err(format!("invalid port {port:?} after host"));
    }
    if let Some(wrong) = host.chars().find(|c| " \"<>\\^`{|}".contains(*c)) {
        return Err(format!("invalid character {:?} in host name", wrong.to_string()));
    }
    Ok(())
}

fn check_escapes(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('%') {
        let escape: String = text[at..].chars().take(3).collect();
        let hex = escape.len() == 3 && escape[1..].bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex {
            return Err(format!("invalid URL escape {escape:?}"));
        }
    }
    Ok(())
}

/// The path as it stands where every byte of it may stand in one; else each that may not is escaped.
fn escaped(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:@/[]%".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn unescaped(text: &str) -> Option<String> {
    check_escapes(text).ok()?;
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let hex = [bytes.next()?, bytes.next()?];
                out.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
            }
            byte => out.push(byte),
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn url<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::String(text)] = args else { return Err(mismatch()) };
    let url =
        parse(text).map_err(|why| Error::other(format!("URL parse error during conversion from string: {why}")))?;
    Ok(Opaque::Url(url).into())
}

fn is_url<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text)] => Ok(Value::Bool(parse(text).is_ok())),
        _ => Err(mismatch()),
    }
}

fn part<'a>(args: &[Value<'a>], part: impl Fn(&Url) -> String) -> Given<'a> {
    match args {
        [Value::Opaque(opaque)] => match &**opaque {
            Opaque::Url(url) => Ok(Value::from(part(url))),
            _ => Err(mismatch()),
        },
        _ => Err(mismatch()),
    }
}

fn scheme<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    part(args, |url| url.scheme.clone())
}

fn host<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    part(args, |url| url.host.clone())
}

/// The name without brackets, and the port without its colon.
fn name_and_port(host: &str) -> (&str, &str) {
    match host.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']').unwrap_or((rest, ""));
            (name, port.strip_prefix(':').unwrap_or(port))
        }
        None => host.rsplit_once(':').unwrap_or((host, "")),
    }
}

fn hostname<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    part(args, |url| name_and_port(&url.host).0.to_owned())
}

fn port<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    part(args, |url| name_and_port(&url.host).1.to_owned())
}

fn path<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    part(args, |url| url.path.clone())
}

fn query<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::Opaque(opaque)] = args else { return Err(mismatch()) };
    let Opaque::Url(url) = &**opaque else { return Err(mismatch()) };
    let mut all: BTreeMap<String, Vec<Value<'a>>> = BTreeMap::new();
    // Go leaves out what it cannot read.
    for pair in url.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(name), Some(value)) = (unescaped(name), unescaped(value)) {
            all.entry(name).or_default().push(Value::from(value));
        }
    }
    let entries = all.into_iter().map(|(name, values)| (Key::String(Text::Shared(name.into())), Value::from(values)));
    Ok(Value::Map(Map::Owned(std::sync::Arc::new(entries.collect()))))
}
