//! A terminal's recording as asciicast v3: a head, then events that say how long after the one before they came.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::terminal::{Place, TerminalCast};
use crate::text::mask;

/// Nobody waits longer than this where nothing happens.
const LONGEST_PAUSE: f64 = 2.0;

/// A recording in its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    /// Of the file.
    pub name: String,
    pub head: CastHead,
    /// Seconds since the event before, its kind, and its text.
    pub events: Vec<(f64, String, String)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CastHead {
    pub version: u32,
    pub term: Term,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_time_limit: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    pub cols: u16,
    pub rows: u16,
}

impl Cast {
    /// What a terminal showed, with the marks of the lab.
    pub fn of(cast: &TerminalCast, title: &str) -> Self {
        let shown = cast.shown.iter().map(|(at, text)| (*at, "o", text.clone()));
        let marks = cast.marks.iter().map(|(at, label)| (*at, "m", label.clone()));
        let mut all: Vec<(Duration, &str, String)> = shown.chain(marks).collect();
        all.sort_by_key(|(at, ..)| *at);
        if cast.is_cut {
            let last = all.last().map_or(Duration::ZERO, |(at, ..)| *at);
            all.push((last, "o", "\r\n[what came after is not kept]\r\n".to_owned()));
        }
        let mut before = Duration::ZERO;
        let events = all.into_iter().map(|(at, kind, text)| {
            let pause = at.saturating_sub(before).as_secs_f64();
            before = at;
            ((pause * 1e6).round() / 1e6, kind.to_owned(), text)
        });
        let place = match cast.terminal.place {
            Place::Host => "terminal",
            Place::Node => "node",
        };
        let name: String =
            cast.terminal.name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
        let since = cast.began.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self {
            name: format!("{place}-{name}.cast"),
            head: CastHead {
                version: 3,
                term: Term { cols: cast.columns, rows: cast.rows },
                timestamp: Some(since.as_secs()),
                idle_time_limit: Some(LONGEST_PAUSE),
                title: Some(format!("{title}: {}", cast.terminal)),
            },
            events: events.collect(),
        }
    }

    /// The file, with a star for each byte of what is secret: a secret may come in several pieces.
    pub fn text(&self) -> String {
        let mut lines = vec![json!(self.head).to_string()];
        let hidden = self.hidden();
        for ((pause, kind, _), text) in self.events.iter().zip(hidden) {
            lines.push(json!([pause, kind, text]).to_string());
        }
        lines.join("\n") + "\n"
    }

    fn hidden(&self) -> Vec<String> {
        let shown: String =
            self.events.iter().filter(|(_, kind, _)| kind == "o").map(|(.., text)| text.as_str()).collect();
        let masked = mask_between_colours(&shown);
        let mut rest = masked.as_str();
        let piece = |(_, kind, text): &(f64, String, String)| {
            if kind != "o" {
                return mask(text).into_owned();
            }
            let (piece, after) = rest.split_at(text.len());
            rest = after;
            piece.to_owned()
        };
        self.events.iter().map(piece).collect()
    }

    pub fn read(name: &str, text: &str) -> Result<Self, String> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let head = lines.next().ok_or("it is empty")?;
        let head: CastHead = serde_json::from_str(head).map_err(|error| error.to_string())?;
        if head.version != 3 {
            return Err(format!("it is asciicast v{}, and not v3", head.version));
        }
        let event = |line: &str| match serde_json::from_str::<Value>(line).map_err(|error| error.to_string())? {
            Value::Array(parts) => match parts.as_slice() {
                [pause, Value::String(kind), Value::String(text)] => {
                    let pause = pause.as_f64().ok_or("an event without its time")?;
                    Ok((pause, kind.clone(), text.clone()))
                }
                _ => Err("an event that is not of three parts".to_owned()),
            },
            _ => Err("a line that is no event".to_owned()),
        };
        Ok(Self { name: name.to_owned(), head, events: lines.map(event).collect::<Result<_, String>>()? })
    }
}

/// Stars in place of what is secret, in a text in which control sequences may stand within it. Bytes keep their places.
fn mask_between_colours(text: &str) -> String {
    let masked = mask(text).into_owned();
    let mut plain = String::with_capacity(masked.len());
    let mut places = Vec::new();
    let mut chars = masked.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        if char == '\u{1b}' {
            if chars.next_if(|(_, next)| *next == '[').is_some() {
                while chars.next().is_some_and(|(_, next)| !('\u{40}'..='\u{7e}').contains(&next)) {}
            }
            continue;
        }
        places.extend(at..at + char.len_utf8());
        plain.push(char);
    }
    let hidden = mask(&plain);
    let mut bytes = masked.into_bytes();
    for (place, (before, after)) in places.into_iter().zip(plain.bytes().zip(hidden.bytes())) {
        if before != after {
            bytes[place] = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::TerminalId;
    use crate::text::keep_secret;

    fn cast() -> TerminalCast {
        let at = Duration::from_millis;
        TerminalCast {
            terminal: TerminalId::node("a b"),
            rows: 50,
            columns: 200,
            began: std::time::UNIX_EPOCH + Duration::from_secs(7),
            shown: vec![(at(10), "$ ls\r\n".to_owned()), (at(1500), "a\u{1b}[1mb\u{1b}[0m\r\n".to_owned())],
            marks: vec![(at(5), "step: One".to_owned()), (at(2000), "pass: key /a exists".to_owned())],
            is_cut: false,
        }
    }

    #[test]
    fn a_recording_is_asciicast_v3_and_reads_back() {
        let cast = Cast::of(&cast(), "Lab");
        assert_eq!(cast.name, "node-a-b.cast");
        let text = cast.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1..],
            [
                r#"[0.005,"m","step: One"]"#,
                r#"[0.005,"o","$ ls\r\n"]"#,
                r#"[1.49,"o","a\u001b[1mb\u001b[0m\r\n"]"#,
                r#"[0.5,"m","pass: key /a exists"]"#
            ]
        );
        let head: Value = serde_json::from_str(lines[0]).expect("a head");
        assert_eq!(head["term"], json!({"cols": 200, "rows": 50}));
        assert_eq!((&head["version"], &head["timestamp"]), (&json!(3), &json!(7)));
        assert_eq!(Cast::read(&cast.name, &text), Ok(cast));
        assert!(Cast::read("a", "{\"version\":2,\"term\":{\"cols\":1,\"rows\":1}}\n").is_err());
    }

    #[test]
    fn a_secret_that_comes_in_pieces_and_colours_is_hidden() {
        keep_secret(["kx93mmqpzzl40"]);
        let at = Duration::from_millis;
        let shown = vec![(at(1), "is kx93m".to_owned()), (at(2), "mq\u{1b}[31mpzz\u{1b}[0ml40 ok".to_owned())];
        let text = Cast::of(&TerminalCast { shown, marks: Vec::new(), ..cast() }, "Lab").text();
        let shown: String =
            Cast::read("c", &text).expect("it reads").events.into_iter().map(|(.., text)| text).collect();
        assert_eq!(shown, "is *******\u{1b}[31m***\u{1b}[0m*** ok");
    }
}
