//! A container that is played, and what is sent to whoever listens to it.

use jiff::Timestamp;
use serde_json::Value;

use super::channels::Channels;
use crate::agent::Runs;
use crate::agent::shell::{Asks, Change, End, Page, Piece};
use crate::object::meta;
use crate::runtime::Key;

/// A container's run, by what its pod says of it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    runs: Runs,
    uid: String,
    pub(super) name: String,
    id: String,
    pod: Key,
    /// Whether its first process reads from one client only, and to the end of that.
    pub(super) reads_once: bool,
    /// Why there is no run, in the server's words.
    pub(super) lacks: Option<String>,
}

fn status<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let all = lists.iter().flat_map(|list| pod["status"][*list].as_array().into_iter().flatten());
    all.into_iter().find(|status| status["name"] == name)
}

impl Place {
    pub(super) fn of(runs: &Runs, pod: &Value, name: &str, previous: bool) -> Self {
        let status = status(pod, name).unwrap_or(&Value::Null);
        let at = if previous { "/lastState/terminated/containerID" } else { "/containerID" };
        let id = status.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let reason = status.pointer("/state/waiting/reason").and_then(Value::as_str).unwrap_or("ContainerCreating");
        let pod_name = meta::name(pod);
        let lacks = id.is_empty().then(|| {
            if previous {
                format!("previous terminated container \"{name}\" in pod \"{pod_name}\" not found")
            } else {
                format!("container \"{name}\" in pod \"{pod_name}\" is waiting to start: {reason}")
            }
        });
        let uid = pod.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let spec = ["containers", "initContainers", "ephemeralContainers"]
            .iter()
            .flat_map(|list| pod["spec"][*list].as_array().into_iter().flatten())
            .find(|spec| spec["name"] == name);
        let reads_once = spec.is_some_and(|spec| spec["stdinOnce"] == true);
        let pod = Key::new(meta::namespace(pod), pod_name);
        Self { runs: runs.clone(), uid, name: name.to_owned(), id, pod, reads_once, lacks }
    }

    /// What somebody's command did to its files.
    pub(super) fn did(&self, changes: Vec<Change>) {
        self.runs.change(&self.uid, &self.name, &self.id, |run| run.besides.extend(changes));
    }

    /// Its first process ends now.
    pub(super) fn end(&self, code: i32) {
        self.runs.end(&self.pod, &self.uid, &self.name, &self.id, End::At { at: now(), code });
    }

    pub(super) fn run(&self) -> Option<crate::agent::Run> {
        let mut run = self.runs.current(&self.uid, &self.name, &self.id)?;
        run.follow(now());
        Some(run)
    }

    /// Whether all that it prints is known: of a server that runs by itself it is not.
    pub(super) fn speaks(&self) -> bool {
        self.run().is_some_and(|run| run.speaks())
    }

    /// Whether anything is known of what it answers over HTTP.
    pub(super) fn says_pages(&self) -> bool {
        self.run().is_some_and(|run| run.ended.is_none() && run.is_known_server())
    }

    pub(super) fn listens(&self, port: i64) -> bool {
        self.run().and_then(|run| run.listens()).is_some_and(|ports| ports.contains(&port))
    }

    /// What it answers to somebody who has its port before him.
    pub(super) fn page(&self, asks: &Asks<'_>, pod: &Value, at: i64) -> Option<Page> {
        let (page, line) = self.run()?.page(asks, pod, "127.0.0.1", at)?;
        if let Some(line) = line {
            self.runs.heard(&self.uid, &self.name, &self.id, line);
        }
        Some(page)
    }

    /// What it printed between two moments, and whether it goes on.
    pub(super) fn printed(&self, after: i64, upto: i64) -> (Vec<Piece>, bool) {
        let Some(run) = self.run() else { return (Vec::new(), false) };
        let pieces = run.printed(upto).into_iter().filter(|piece| piece.at > after).collect();
        let over = match run.end() {
            End::At { at, .. } | End::OutOfMemory { at } => *at <= upto,
            End::Never | End::Open { .. } => false,
        };
        (pieces, run.ended.is_none() && !over)
    }
}

pub(super) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

pub(super) async fn send(channels: &mut Channels, pieces: &[Piece], tty: bool) -> bool {
    for piece in pieces {
        let text = if tty { piece.text.replace('\n', "\r\n") } else { piece.text.clone() };
        let sent = if piece.error && !tty {
            channels.to.stderr(text.as_bytes()).await
        } else {
            channels.to.stdout(text.as_bytes()).await
        };
        if !sent {
            return false;
        }
    }
    true
}
