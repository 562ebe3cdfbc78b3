//! Front matter as a tree in which every value keeps its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::text::{Span, Spanned};

#[derive(Debug, Clone)]
pub(super) struct Yaml {
    pub(super) node: Node,
    pub(super) span: Span,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Null,
    Bool,
    Number,
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(Spanned<String>, Yaml)>),
}

impl Node {
    /// As a message says it.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Node::Null => "nothing",
            Node::Bool => "a boolean",
            Node::Number => "a number",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
        }
    }
}

/// Why the text is no YAML, and where.
pub(super) struct Broken {
    pub(super) at: usize,
    pub(super) message: String,
    /// It is YAML but for a key that is given twice.
    pub(super) doubled: bool,
}

/// Reads `text`, which begins at `from` in its file.
pub(super) fn read(text: &str, from: usize) -> Result<Yaml, Broken> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let raw: serde_saphyr::Spanned<Raw> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = from + error.location().map_or(0, |location| place(text, &location));
        let message = complaint(&error);
        Broken { at, doubled: message.ends_with(" is given twice"), message }
    })?;
    Ok(raw_to_yaml(raw, from))
}

fn count(from_one: u64) -> usize {
    usize::try_from(from_one.saturating_sub(1)).unwrap_or(0)
}

/// Some errors know their line and column only.
fn place(text: &str, location: &serde_saphyr::Location) -> usize {
    if let Some(at) = location.span().byte_offset().filter(|at| *at > 0) {
        return usize::try_from(at).unwrap_or(0).min(text.len());
    }
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines.by_ref().take(count(location.line())).map(str::len).sum();
    let line = lines.next().unwrap_or("");
    let column = count(location.column());
    before + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
}

fn complaint(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    // The place is drawn by us.
    let line = line.strip_prefix("error: ").unwrap_or(line);
    if let Some(key) = line.strip_prefix("duplicate mapping key: ") {
        return format!("the key `{}` is given twice", key.split(", set ").next().unwrap_or(key));
    }
    match line.find(" at line ") {
        Some(at) => line[..at].trim_end_matches(':').to_owned(),
        None => line
            .split_once(": ")
            .filter(|(head, _)| head.starts_with("line "))
            .map_or(line, |(_, tail)| tail)
            .to_owned(),
    }
}

enum Raw {
    Null,
    Bool,
    Number,
    Text(String),
    List(Vec<serde_saphyr::Spanned<Raw>>),
    Map(Vec<(serde_saphyr::Spanned<String>, serde_saphyr::Spanned<Raw>)>),
}

fn raw_to_yaml(raw: serde_saphyr::Spanned<Raw>, from: usize) -> Yaml {
    let span = span(&raw.referenced, from);
    let node = match raw.value {
        Raw::Null => Node::Null,
        Raw::Bool => Node::Bool,
        Raw::Number => Node::Number,
        Raw::Text(text) => Node::Text(text),
        Raw::List(items) => Node::List(items.into_iter().map(|item| raw_to_yaml(item, from)).collect()),
        Raw::Map(entries) => Node::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let at = span_of_key(&key, from);
                    (Spanned::new(key.value, at), raw_to_yaml(value, from))
                })
                .collect(),
        ),
    };
    Yaml { node, span }
}

fn span_of_key(key: &serde_saphyr::Spanned<String>, from: usize) -> Span {
    span(&key.referenced, from)
}

fn span(location: &serde_saphyr::Location, from: usize) -> Span {
    let of = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let start = from + of(location.span().byte_offset());
    Span::new(start, start + of(location.span().byte_len()))
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Bool)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(yaml: &Yaml, text: &str) -> String {
        let at = &text[yaml.span.start..yaml.span.end];
        match &yaml.node {
            Node::List(items) => format!("[{}]", items.iter().map(|i| show(i, text)).collect::<Vec<_>>().join(" ")),
            Node::Map(entries) => {
                let inner: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| {
                        assert_eq!(&text[key.span.start..key.span.end], key.value);
                        format!("{}:{}", key.value, show(value, text))
                    })
                    .collect();
                format!("{{{}}}", inner.join(" "))
            }
            Node::Text(value) => format!("{value}<{at}>"),
            other => format!("{}<{at}>", other.noun()),
        }
    }

    #[test]
    fn values_keep_their_place() {
        let text = "title: é x\nversion: 1.30\nlist: [a, \"2\", 3]\nmap:\n  A: { b: 'c', d: true, e: no }\nnone:\n";
        let yaml = read(text, 0).map_err(|b| b.message).expect("YAML");
        assert_eq!(
            show(&yaml, text),
            "{title:é x<é x> version:a number<1.30> list:[a<a> 2<\"2\"> a number<3>] map:{A:{b:c<'c'> d:a boolean<true> e:no<no>}} none:nothing<>}"
        );
    }

    #[test]
    fn broken_yaml_says_where() {
        let broken = read("a: 1\nb: [1, 2\nc: 3\n", 100).map(|_| ()).expect_err("no YAML");
        assert!(broken.at >= 105, "{} {}", broken.at, broken.message);
        assert!(!broken.message.contains("line"), "{}", broken.message);
        let doubled = read("a: 1\na: 2\n", 0).map(|_| ()).expect_err("a doubled key");
        assert_eq!((doubled.at, doubled.message.as_str()), (5, "the key `a` is given twice"));
    }
}
