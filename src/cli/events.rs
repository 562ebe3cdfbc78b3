//! `keywitness events`: the changes of a cluster as etcd's watch delivers them, a line each.

use std::io::Write;

use clap::Args;
use serde_json::{Value, json};

use super::args::{Format, LookFlags};
use super::error::CliError;
use super::object::{ANSWERS, Named, Stored};
use super::place::{self, Place};
use crate::journal::{Change, Entry, Heartbeat, JournalView, KeyGlob, Piece, Recorded, Revision, Seq, printable};
use crate::outcome::Exit;
use crate::run::keep_secrets;
use crate::text::redact;
use crate::text::wrapped;
use crate::witness::{Reader, Witness, WitnessError};

/// Show the changes of a cluster as etcd's watch delivers them, until Ctrl-C
///
/// One line per change: its revision, PUT or DELETE, the key, what changed, and who wrote it, if the object says so.
/// Nothing is written to the cluster; texts of Secrets are hidden.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keywitness events                             all but leases and Events\n  \
    keywitness events '/registry/configmaps/**'   keys: * within a segment, ** across\n  \
    keywitness events pods deploy/web -n demo     kinds and objects\n  \
    keywitness events --from 1200 --no-follow     what has happened since a revision")]
pub(super) struct EventsArgs {
    /// Keys (`/registry/pods/**`), kinds (`pods`) or objects (`deploy/web`) [default: all]
    #[arg(value_name = "GLOB")]
    globs: Vec<String>,
    /// The namespace of kinds and objects [default: any for kinds, `default` for objects]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// Start with the changes of this revision, as far back as etcd keeps its history
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<Revision>,
    /// End after the changes up to now
    #[arg(long, requires = "from")]
    no_follow: bool,
    /// End after N changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Show leases and Events too
    #[arg(short, long)]
    all: bool,
    /// Number of changed fields shown per line
    #[arg(long, value_name = "N", default_value_t = 3)]
    fields: usize,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    #[command(flatten)]
    look: LookFlags,
}

/// Changes that were shown and are still kept.
const FORGOTTEN_AT_ONCE: Seq = 1000;

pub(super) fn main(args: &EventsArgs) -> Result<Exit, CliError> {
    place::with(&args.look.flags(), async |place| follow(args, place).await)
}

async fn follow(args: &EventsArgs, place: &Place) -> Result<Exit, CliError> {
    let prefix = place.prefix();
    let globs = globs(args, place, &prefix).await?;
    let witness = Witness::open_from(place.request(), args.from).await.map_err(cli_error)?;
    // Nothing may happen for long: that it watches is said, and that what is done now is not missed.
    if !args.no_follow && args.format == Format::Human {
        eprintln!("{}", console::style("watching etcd; Ctrl-C ends it").for_stderr().dim());
    }
    let mut shower = Shower {
        args,
        globs,
        prefix,
        folded: Folded::default(),
        shown: 0,
        live: !args.no_follow && args.from.is_none(),
    };
    let mut seen: Seq = if args.from.is_some() { 0 } else { witness.journal().end() };
    let mut secrets: Seq = 0;
    let mut forgotten = seen;
    let ended = loop {
        if args.no_follow {
            witness.progress().await.map_err(cli_error)?;
        }
        let view = witness.journal();
        keep_secrets(&view, &mut secrets, &shower.prefix);
        if !shower.show(&view, seen)? {
            break Exit::Passed;
        }
        seen = view.end();
        // A watch of days stays small.
        if seen - forgotten >= FORGOTTEN_AT_ONCE {
            forgotten = seen;
            witness.forget(forgotten);
        }
        if args.no_follow {
            break Exit::Passed;
        }
        shower.live = true;
        tokio::select! {
            () = witness.grown(seen) => {}
            () = place.interrupt.cancelled() => break Exit::Interrupted,
        }
    };
    shower.fold()?;
    witness.close().await;
    Ok(ended)
}

fn cli_error(error: WitnessError) -> CliError {
    match error {
        WitnessError::Compacted { oldest: Some(oldest), .. } => {
            CliError::wrong_call(error.to_string(), format!("--from {oldest}"))
        }
        WitnessError::Compacted { .. } | WitnessError::Future { .. } => {
            CliError::wrong_call(error.to_string(), "without --from it begins with the next change")
        }
        WitnessError::Unreachable(_) | WitnessError::Silent(_) => CliError::unavailable(error.to_string(), ANSWERS),
    }
}

async fn globs(args: &EventsArgs, place: &Place, prefix: &str) -> Result<Vec<KeyGlob>, CliError> {
    let reader = Reader::open(&place.request()).await.map_err(cli_error)?;
    let mut globs = Vec::new();
    for text in &args.globs {
        let namespace = args.namespace.as_deref();
        globs.push(match Named::parse(text) {
            Some(Named { kind, name }) => {
                let stored = Stored::find(kind, prefix, &reader).await?;
                match name {
                    Some(name) => KeyGlob::from_pieces(&[
                        Piece::Data(&stored.folder_of(prefix, namespace)?),
                        Piece::Pattern(name),
                    ]),
                    None => {
                        KeyGlob::from_pieces(&[Piece::Data(&stored.folder(prefix, namespace)), Piece::Pattern("**")])
                    }
                }
            }
            None => KeyGlob::in_cluster(text, prefix),
        });
    }
    Ok(globs)
}

#[derive(Debug, Default)]
struct Folded {
    leases: u64,
    events: u64,
}

struct Shower<'a> {
    args: &'a EventsArgs,
    globs: Vec<KeyGlob>,
    prefix: String,
    folded: Folded,
    shown: u64,
    /// What comes now has just been written; before, it is history.
    live: bool,
}

impl Shower<'_> {
    /// Shows what came after `seen`; false when that is enough.
    fn show(&mut self, view: &JournalView, seen: Seq) -> Result<bool, CliError> {
        for recorded in view.entries(seen, |entry| entry.change().is_none_or(|change| self.is_wanted(&change.key))) {
            if let Some(heartbeat) = self.folds(&recorded.entry) {
                match heartbeat {
                    Heartbeat::Lease => self.folded.leases += 1,
                    Heartbeat::Event => self.folded.events += 1,
                }
                continue;
            }
            let line = match self.args.format {
                Format::Human => self.human(&recorded),
                Format::Json => self.json(&recorded).to_string(),
            };
            if !write(&line)? {
                return Ok(false);
            }
            self.shown += u64::from(recorded.entry.change().is_some());
            if self.args.count.is_some_and(|count| self.shown >= count) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_wanted(&self, key: &str) -> bool {
        self.globs.is_empty() || self.globs.iter().any(|glob| glob.matches(key))
    }

    /// Heartbeats are counted, unless they were asked for by name.
    fn folds(&self, entry: &Entry) -> Option<Heartbeat> {
        let key = &entry.change().filter(|_| !self.args.all)?.key;
        let by_name = |glob: &KeyGlob| Heartbeat::of(&self.prefix, glob.prefix()).is_some() && glob.matches(key);
        Heartbeat::of(&self.prefix, key).filter(|_| !self.globs.iter().any(by_name))
    }

    /// Tells of what was left out.
    fn fold(&mut self) -> Result<(), CliError> {
        let Folded { leases, events } = std::mem::take(&mut self.folded);
        let line = match (self.args.format, leases + events) {
            (_, 0) => return Ok(()),
            (Format::Json, _) => json!({"type": "FOLDED", "leases": leases, "events": events}).to_string(),
            (Format::Human, _) => {
                let count = |count: u64, one: &str| match count {
                    0 => None,
                    1 => Some(format!("1 {one}")),
                    _ => Some(format!("{count} {one}s")),
                };
                let parts: Vec<String> =
                    [count(leases, "lease renewal"), count(events, "Event")].into_iter().flatten().collect();
                console::style(format!("and {} (--all shows them)", parts.join(" and "))).dim().to_string()
            }
        };
        write(&line).map(drop)
    }

    fn human(&self, recorded: &Recorded) -> String {
        let line = match recorded.entry.as_ref() {
            Entry::Put(change) | Entry::Delete(change) => {
                let name = console::style(format!("{:<6}", recorded.entry.name()));
                let name = if change.value.is_some() { name.green() } else { name.red() };
                format!("{:>6} {name}  {}  {}", change.revision, printable(&change.key), self.what(change))
            }
            Entry::Gap { from, to, reason, .. } => {
                format!("       GAP     revisions {from} to {to} were not delivered: {reason}")
            }
            Entry::Epoch { reason, .. } => format!("       EPOCH   from here on another etcd store answers: {reason}"),
        };
        // What is secret is looked for before the line is folded.
        let line = redact(&line).into_owned();
        match console::Term::stdout().size_checked() {
            Some((_, columns)) => wrapped(&line, usize::from(columns)).join("\n"),
            None => line,
        }
    }

    fn what(&self, change: &Change) -> String {
        if change.value.is_none() {
            return "deleted".to_owned();
        }
        let difference = match change.difference() {
            Ok(difference) => difference,
            Err(error) => return error.to_string(),
        };
        let by = if difference.writers.is_empty() {
            String::new()
        } else {
            format!(", by {}", difference.writers.join(", "))
        };
        if change.creates() {
            return format!("created{by}");
        }
        if change.previous.is_none() {
            return format!("written; what was there before is not known{by}");
        }
        let fields = &difference.fields;
        let shown = fields.len().min(self.args.fields.max(1));
        let mut parts: Vec<String> = fields[..shown].iter().map(|field| printable(&field.to_string())).collect();
        if fields.len() > shown {
            parts.push(format!("{} more", fields.len() - shown));
        }
        if parts.is_empty() {
            parts.push("no field changed".to_owned());
        }
        format!("{}{by}", parts.join("; "))
    }

    fn json(&self, recorded: &Recorded) -> Value {
        let entry = recorded.entry.as_ref();
        let mut line = match entry {
            Entry::Put(change) | Entry::Delete(change) => {
                let mut line = json!({
                    "type": entry.name(), "revision": change.revision, "key": change.key.as_ref(),
                    "createRevision": change.create_revision, "version": change.version, "created": change.creates(),
                });
                match change.difference() {
                    Ok(difference) => {
                        let fields = difference
                            .fields
                            .iter()
                            .map(|field| json!({"path": field.path, "before": field.before, "after": field.after}));
                        line["fields"] = fields.collect();
                        line["writers"] = difference.writers.into();
                    }
                    Err(error) => line["undecodable"] = error.to_string().into(),
                }
                if change.lease != 0 {
                    line["lease"] = format!("{:x}", change.lease).into();
                }
                line
            }
            Entry::Gap { from, to, reason, .. } => json!({"type": "GAP", "from": from, "to": to, "reason": reason}),
            Entry::Epoch { reason, .. } => json!({"type": "EPOCH", "reason": reason}),
        };
        if self.live
            && let Ok(at) = jiff::Timestamp::try_from(entry.at())
        {
            line["at"] = at.to_string().into();
        }
        line
    }
}

/// False where nobody reads any more.
fn write(line: &str) -> Result<bool, CliError> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{}", redact(line)).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        written => {
            written.map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
            Ok(true)
        }
    }
}
