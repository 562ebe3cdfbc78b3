//! Logs of containers that are played, and commands in them: what can be followed is answered as a real one would,
//! of everything else is said that nothing runs here.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::channels::{Channels, Sent};
use super::exec::{Asked, not_found};
use super::logs::{self, Wanted};
use crate::agent::Runs;
use crate::agent::shell::{End, Piece, name_of};
use crate::object::meta;
use crate::request::Query;
use crate::status::ApiError;

const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// A container's run, by what its pod says of it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    runs: Runs,
    uid: String,
    name: String,
    id: String,
    /// Why there is no run, in the server's words.
    lacks: Option<String>,
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
        Self { runs: runs.clone(), uid, name: name.to_owned(), id, lacks }
    }

    fn run(&self) -> Option<crate::agent::Run> {
        let mut run = self.runs.current(&self.uid, &self.name, &self.id)?;
        run.follow(now());
        Some(run)
    }

    /// Whether all that it prints is known: of a server that runs by itself it is not.
    fn speaks(&self) -> bool {
        self.run().is_some_and(|run| !run.played.printed.is_empty() || run.played.serves.is_none())
    }

    /// What it printed between two moments, and whether it goes on.
    fn printed(&self, after: i64, upto: i64) -> (Vec<Piece>, bool) {
        let Some(run) = self.run() else { return (Vec::new(), false) };
        let pieces = run.printed(upto).filter(|piece| piece.at > after).cloned().collect();
        let over = match run.end() {
            End::At { at, .. } | End::OutOfMemory { at } => *at <= upto,
            End::Never | End::Open { .. } => false,
        };
        (pieces, run.ended.is_none() && !over)
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn lines(pieces: &[Piece]) -> Vec<(Option<Timestamp>, String)> {
    let mut lines: Vec<(Option<Timestamp>, String)> = Vec::new();
    let mut open = false;
    for piece in pieces {
        for part in piece.text.split_inclusive('\n') {
            let text = part.trim_end_matches('\n');
            match lines.last_mut().filter(|_| open) {
                Some((_, line)) => line.push_str(text),
                None => lines.push((Timestamp::from_millisecond(piece.at).ok(), text.to_owned())),
            }
            open = !part.ends_with('\n');
        }
    }
    lines
}

pub(super) fn log(place: Place, sentence: String, query: &Query) -> Result<Response, ApiError> {
    if let Some(lacks) = &place.lacks {
        return Err(ApiError::bad_request(lacks.clone()));
    }
    if !place.speaks() {
        return Err(ApiError::bad_request(sentence));
    }
    let wanted = Wanted::of(query)?;
    let until = now();
    let (pieces, goes_on) = place.printed(0, until);
    let first = wanted.cut(&lines(&pieces));
    if !query.flag("follow") || !goes_on {
        return Ok(logs::text(Body::from(first)));
    }
    let begin = (place, until, Some(first), true);
    let stream = futures::stream::unfold(begin, move |(place, mut from, first, mut more)| {
        let wanted = Wanted { tail: None, since: None, ..wanted };
        async move {
            if let Some(first) = first.filter(|first| !first.is_empty()) {
                return Some((Ok::<_, std::io::Error>(Bytes::from(first)), (place, from, None, more)));
            }
            while more {
                tokio::time::sleep(FOLLOW_EVERY).await;
                let upto = now();
                let (pieces, goes_on) = place.printed(from, upto);
                (from, more) = (upto, goes_on);
                if !pieces.is_empty() {
                    let text = wanted.cut(&lines(&pieces));
                    return Some((Ok(Bytes::from(text)), (place, from, None, more)));
                }
            }
            None
        }
    });
    Ok(logs::text(Body::from_stream(stream)))
}

/// What it prints from now on, until it ends. Who wants to type finds nobody who would read it.
pub(super) async fn attach(channels: &mut Channels, place: &Place, sentence: &str, asked: &Asked) {
    let ends = place.run().is_some_and(|run| matches!(run.end(), End::At { .. }));
    if !place.speaks() || asked.stdin && !ends {
        return channels.to.fail("BadRequest", 400, sentence).await;
    }
    let (mut from, mut more) = (0, true);
    while more {
        let upto = now();
        let (pieces, goes_on) = place.printed(from, upto);
        (from, more) = (upto, goes_on);
        if !send(channels, &pieces, asked.tty).await {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
            sent = channels.from.receive() => if matches!(sent, Sent::Gone) { return },
        }
    }
    channels.to.success().await;
}

async fn send(channels: &mut Channels, pieces: &[Piece], tty: bool) -> bool {
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

/// A command in a container that runs.
pub(super) async fn exec(channels: &mut Channels, place: &Place, sentence: &str, asked: &Asked) {
    let Some(run) = place.run().filter(|run| run.ended.is_none()) else {
        let why = match &place.lacks {
            Some(_) => format!("unable to upgrade connection: container not found (\"{}\")", place.name),
            None => sentence.to_owned(),
        };
        return channels.to.fail("BadRequest", 400, &why).await;
    };
    let Some(program) = asked.command.first() else {
        return channels.to.fail("BadRequest", 400, "you must specify at least one command for the container").await;
    };
    if run.world.programs.has(program) == Some(false) {
        return channels.to.fail("InternalError", 500, &not_found(program)).await;
    }
    let begun = now();
    let played = run.beside(&asked.command, begun);
    let types = asked.stdin && asked.command.len() == 1 && ["sh", "bash", "ash"].contains(&name_of(program));
    if let Some(unknown) = played.unknown.filter(|_| !types) {
        return channels.to.fail("BadRequest", 400, &format!("{sentence} ({unknown} is not known)")).await;
    }
    let ends = match played.end {
        End::At { at, code } if !types => Some((at, code)),
        End::OutOfMemory { at } => Some((at, 137)),
        End::Never if !types => None,
        _ => return channels.to.fail("BadRequest", 400, sentence).await,
    };
    place.runs.change(&place.uid, &place.name, &place.id, |run| run.besides.extend(played.changes));
    let mut rest = played.printed.as_slice();
    loop {
        let moment = now();
        let (due, later) = rest.split_at(rest.iter().take_while(|piece| piece.at <= moment).count());
        rest = later;
        if !send(channels, due, asked.tty).await {
            return;
        }
        if let Some((at, code)) = ends
            && at <= moment
        {
            return channels.to.exited(code).await;
        }
        tokio::select! {
            () = tokio::time::sleep(FOLLOW_EVERY / 4) => {}
            sent = channels.from.receive() => if matches!(sent, Sent::Gone) { return },
        }
    }
}
