//! `keywitness decode`: what `etcdctl get` printed, as YAML or JSON.

mod input;

use std::fmt::Write as _;
use std::io::{IsTerminal, Read, Write};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::error::CliError;
use crate::codec::{self, DecodeError, Decoded, Encoding};
use crate::outcome::Exit;
use input::{Event, Item};

/// Decode etcd values that lie on standard input
///
/// Standard input is what `etcdctl get` or `etcdctl watch` printed, raw (with the keys or with
/// --print-value-only) or with `-w json`, or lines of base64. Standard output is one document a value.
#[derive(Debug, Args)]
#[command(after_help = "Example: etcdctl get --prefix /registry/pods/ | keywitness decode")]
pub(super) struct DecodeArgs {
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
    /// Show the text of Secrets instead of its size
    #[arg(long)]
    show_secrets: bool,
    /// Leave out who manages which field
    #[arg(long)]
    hide_managed_fields: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Yaml,
    /// A line a value
    Json,
}

const HINT: &str = "try `etcdctl get --prefix /registry/namespaces/ | keywitness decode`";

pub(super) fn main(args: &DecodeArgs) -> Result<Exit, CliError> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        return Err(CliError::wrong_call("decode reads etcd values from standard input", HINT));
    }
    let mut bytes = Vec::new();
    stdin
        .read_to_end(&mut bytes)
        .map_err(|error| CliError::unavailable(format!("cannot read standard input: {error}"), HINT))?;
    let items = input::read(&bytes).map_err(|wrong| CliError::wrong_call(wrong.message, wrong.hint))?;
    let (mut exit, mut out, mut notes) = (Exit::Passed, String::new(), String::new());
    for (at, item) in items.iter().enumerate() {
        if !document(args, item, at, &mut out, &mut notes) {
            exit = Exit::CannotJudge;
        }
    }
    let failed = |source| CliError::Output { what: "standard output".to_owned(), source };
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush()) {
        // Who reads on has seen enough (`| head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        result => result.map_err(failed)?,
    }
    // With stderr gone the documents have still been written.
    drop(std::io::stderr().write_all(notes.as_bytes()));
    Ok(exit)
}

/// Writes one value; false where it did not decode.
fn document(args: &DecodeArgs, item: &Item, at: usize, out: &mut String, notes: &mut String) -> bool {
    let place = item.key.clone().unwrap_or_else(|| format!("value {}", at + 1));
    let yaml = args.output == Output::Yaml;
    if yaml && at > 0 {
        out.push_str("---\n");
    }
    let event = match item.event {
        Some(Event::Put) => "PUT ",
        Some(Event::Delete) => "DELETE ",
        None => "",
    };
    if item.event == Some(Event::Delete) {
        line(yaml, out, notes, &format!("{event}{place}"));
        return true;
    }
    let decoded = match codec::decode(&item.value) {
        Ok(decoded) => decoded,
        Err(error) => {
            let _ = writeln!(notes, "{place}: {error}{}", hint(&item.value, &error));
            if yaml {
                let _ = writeln!(out, "# {event}{place}: {error}");
            } else {
                let size = item.value.len();
                let object = json!({"undecodable": {"key": item.key, "size": size, "reason": error.to_string()}});
                let _ = writeln!(out, "{object}");
            }
            return false;
        }
    };
    let Decoded { mut object, encoding, unknown } = decoded;
    let hidden = if args.show_secrets { 0 } else { codec::conceal(&mut object) };
    if args.hide_managed_fields
        && let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("managedFields");
    }
    if yaml {
        let encoding = match encoding {
            Encoding::Protobuf => "protobuf",
            Encoding::Json => "JSON",
            Encoding::Plain => "text",
        };
        let _ = writeln!(out, "# {event}{place} ({} bytes, {encoding})", item.value.len());
    }
    if hidden > 0 {
        let text = format!("{place}: {hidden} secret {} hidden; --show-secrets shows", count(hidden, "text"));
        let them = if hidden == 1 { "it" } else { "them" };
        line(yaml, out, notes, &format!("{text} {them}"));
    }
    if !unknown.is_empty() {
        let fields = unknown.iter().map(|field| {
            let dot = if field.within.is_empty() { "" } else { "." };
            format!("{}{dot}#{} ({} bytes)", field.within, field.number, field.size)
        });
        let fields: Vec<_> = fields.collect();
        let text = format!(
            "{place}: {} {} that this build's schema does not know: {}",
            fields.len(),
            count(fields.len(), "field"),
            fields.join(", ")
        );
        line(yaml, out, notes, &text);
    }
    if yaml {
        let text = serde_saphyr::to_string(&object).unwrap_or_else(|_| object.to_string());
        let _ = writeln!(out, "{}", text.trim_end_matches('\n'));
    } else {
        let _ = writeln!(out, "{object}");
    }
    true
}

/// A remark: a comment in YAML, on standard error beside JSON.
fn line(yaml: bool, out: &mut String, notes: &mut String, text: &str) {
    let _ = if yaml { writeln!(out, "# {text}") } else { writeln!(notes, "{text}") };
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { what.to_owned() } else { format!("{what}s") }
}

fn hint(value: &[u8], error: &DecodeError) -> &'static str {
    let undecodable = matches!(error, DecodeError::Undecodable { .. });
    if undecodable && value.windows(2).any(|pair| pair == b"\r\n") {
        return "\n  hint: line ends were changed on the way; run kubectl exec and docker exec without -t";
    }
    if undecodable && value.windows(3).any(|bytes| bytes == "\u{fffd}".as_bytes()) {
        return "\n  hint: the bytes were read as text on the way (copied from a screen?); pipe them instead";
    }
    ""
}
