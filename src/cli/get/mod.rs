//! `keywitness get`: one object as etcd holds it, now or at a revision.

mod raw;

use std::fmt::Write as _;
use std::io::Write;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::args::{DecodedFlags, LookFlags};
use super::error::CliError;
use super::object::{ANSWERS, Named, Stored};
use super::place::{self, Place};
use crate::journal::{Change, Reading, Revision, difference, in_a_word, printable, read, yaml_text};
use crate::outcome::Exit;
use crate::text::{did_you_mean, redact};
use crate::witness::{Reader, WitnessError};

/// Show one object as etcd holds it, now or at a revision
///
/// Now, or as an earlier revision left it, as far back as etcd keeps its history. Texts of Secrets are hidden.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keywitness get ns/demo\n  keywitness get deploy/web -n demo --diff 1200\n  \
    keywitness get /registry/minions/sandbox-control-plane -o raw")]
pub(super) struct GetArgs {
    /// A key (`/registry/namespaces/demo`), or an object (`pod/web`)
    #[arg(value_name = "KEY|KIND/NAME")]
    target: String,
    /// The namespace of an object [default: default]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// As this revision left it [default: now]
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(i64).range(1..))]
    at: Option<Revision>,
    /// Show what changed since this revision, field by field
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(i64).range(1..))]
    diff: Option<Revision>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
    #[command(flatten)]
    decoded: DecodedFlags,
    #[command(flatten)]
    look: LookFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Yaml,
    Json,
    /// Its bytes, each explained
    Raw,
    /// Its bytes
    Hex,
}

pub(super) fn main(args: &GetArgs) -> Result<Exit, CliError> {
    if args.diff.is_some() && matches!(args.output, Output::Raw | Output::Hex) {
        return Err(CliError::wrong_call("bytes are not compared field by field", "--diff goes with -o yaml or json"));
    }
    let text = place::with(&args.look.flags(), async |place| found(args, place).await)?;
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::Output { what: "standard output".to_owned(), source: error })
        }
        _ => Ok(Exit::Passed),
    }
}

fn cli_error(error: WitnessError) -> CliError {
    match error {
        WitnessError::Compacted { .. } | WitnessError::Future { .. } => {
            CliError::wrong_call(error.to_string(), "the revision of each change stands in `keywitness events`")
        }
        WitnessError::Unreachable(_) | WitnessError::Silent(_) => CliError::unavailable(error.to_string(), ANSWERS),
    }
}

async fn found(args: &GetArgs, place: &Place) -> Result<String, CliError> {
    let reader = Reader::open(&place.request()).await.map_err(cli_error)?;
    let key = key(args, &place.prefix(), &reader).await?;
    let (newest, change) = reader.get(&key, args.at).await.map_err(cli_error)?;
    if let Some(since) = args.diff {
        let (_, before) = reader.get(&key, Some(since)).await.map_err(cli_error)?;
        if before.is_none() && change.is_none() {
            return Err(missing(args, &key, &reader).await);
        }
        return compared(args, &key, (since, before.as_ref()), (args.at.unwrap_or(newest), change.as_ref()));
    }
    let Some(change) = change else { return Err(missing(args, &key, &reader).await) };
    shown(args, &change)
}

async fn key(args: &GetArgs, prefix: &str, reader: &Reader) -> Result<String, CliError> {
    match Named::parse(&args.target) {
        None => {
            let below = args.target.strip_prefix("/registry/").map(|rest| format!("{prefix}/{rest}"));
            Ok(below.unwrap_or_else(|| args.target.clone()))
        }
        Some(Named { kind, name: Some(name) }) => {
            Stored::find(kind, prefix, reader).await?.key(prefix, args.namespace.as_deref(), name)
        }
        Some(Named { kind, name: None }) => Err(CliError::wrong_call(
            format!("which {kind} is meant?"),
            format!("name one object: {kind}/NAME, or its key; `keywitness events {kind}` follows all"),
        )),
    }
}

async fn missing(args: &GetArgs, key: &str, reader: &Reader) -> CliError {
    let when = args.at.map(|at| format!(" at revision {at}")).unwrap_or_default();
    let message = format!("etcd holds no key {key}{when}");
    let folder = key.rfind('/').map_or("", |end| &key[..=end]);
    let near = reader.below(folder, args.at).await.unwrap_or_default();
    let hint = did_you_mean(key, near.iter().map(|change| change.key.as_ref())).unwrap_or_else(|| match near.len() {
        0 => format!("nothing lies in {folder}"),
        1 => format!("in {folder} lies {}", near[0].key),
        count => format!("{count} keys lie in {folder}, such as {}", near[0].key),
    });
    CliError::wrong_call(message, hint)
}

fn shown(args: &GetArgs, change: &Change) -> Result<String, CliError> {
    let value = change.value.as_ref().map(|stored| stored.bytes().clone()).unwrap_or_default();
    let read = read(args.decoded.into(), Some(&change.key), &value);
    if let Output::Raw | Output::Hex = args.output {
        let whole = args.decoded.show_secrets || !raw::may_be_secret(&change.key, &read);
        let head = format!("# {}, revision {}, {} bytes\n", printable(&change.key), change.revision, value.len());
        return match args.output {
            Output::Raw => Ok(head + &raw::explained(&value, &change.key, args.decoded.show_secrets)),
            _ if whole => Ok(head + &raw::hex(&value)),
            _ => Err(CliError::wrong_call("its bytes hold a secret", "--show-secrets shows them")),
        };
    }
    match read {
        Reading::Not { reason, hint } => Err(CliError::unavailable(
            format!("{}: {reason}", printable(&change.key)),
            if hint.is_empty() {
                "-o raw explains the bytes as far as they decode"
            } else {
                hint.trim_start_matches("\n  hint: ")
            },
        )),
        Reading::Object { object, remarks, .. } if args.output == Output::Json => {
            for remark in remarks {
                super::screen::note(&remark);
            }
            let mut line = json!({
                "key": change.key.as_ref(), "revision": change.revision, "createRevision": change.create_revision,
                "version": change.version, "object": object,
            });
            if change.lease != 0 {
                line["lease"] = format!("{:x}", change.lease).into();
            }
            Ok(format!("{}\n", serde_json::to_string_pretty(&line).unwrap_or_default()))
        }
        Reading::Object { object, encoding, remarks, .. } => {
            let mut out = format!("# {} ({} bytes, {})\n", printable(&change.key), value.len(), in_a_word(encoding));
            let _ = write!(
                out,
                "# revision {}, created at {}, version {}",
                change.revision, change.create_revision, change.version
            );
            if change.lease != 0 {
                let _ = write!(out, ", lease {:x}", change.lease);
            }
            out.push('\n');
            for remark in remarks {
                let _ = writeln!(out, "# {remark}");
            }
            Ok(out + &yaml_text(&object))
        }
    }
}

fn compared(
    args: &GetArgs,
    key: &str,
    (since, before): (Revision, Option<&Change>),
    (until, after): (Revision, Option<&Change>),
) -> Result<String, CliError> {
    let value = |change: Option<&Change>| change.and_then(|change| change.value.clone());
    let (old, new) = (value(before), value(after));
    let difference = difference(old.as_deref(), new.as_deref()).map_err(|error| {
        CliError::unavailable(format!("{key}: {error}"), "-o raw explains the bytes as far as they decode")
    })?;
    if args.output == Output::Json {
        let fields = difference.fields.iter();
        let fields: Vec<_> =
            fields.map(|field| json!({"path": field.path, "before": field.before, "after": field.after})).collect();
        let whole = json!({"key": key, "from": since, "to": until, "writers": difference.writers, "fields": fields});
        return Ok(format!("{}\n", redact(&serde_json::to_string_pretty(&whole).unwrap_or_default())));
    }
    let mut out = format!("# {}, revision {since} to {until}\n", printable(key));
    match (before, after) {
        (None, Some(after)) => drop(writeln!(out, "created at revision {}", after.create_revision)),
        (Some(_), None) => out.push_str("deleted\n"),
        _ => {}
    }
    for field in difference.fields.iter().filter(|_| after.is_some()) {
        let _ = writeln!(out, "{}", printable(&field.to_string()));
    }
    if difference.fields.is_empty() {
        out.push_str("no field changed\n");
    }
    if !difference.writers.is_empty() {
        let _ = writeln!(out, "# by {}", difference.writers.join(", "));
    }
    Ok(redact(&out).into_owned())
}
