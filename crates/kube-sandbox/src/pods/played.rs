//! Logs of containers that are played, and commands in them: what can be followed is answered as a real one would,
//! of everything else is said that nothing runs here.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;

use super::channels::{Channels, Sent};
use super::exec::{Asked, not_found};
use super::logs::{self, Wanted};
use super::place::{Place, now, send};
use super::typing;
use crate::agent::shell::{End, Piece};
use crate::request::Query;
use crate::status::ApiError;

const FOLLOW_EVERY: Duration = Duration::from_millis(200);

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

/// What it prints from now on, until it ends. Who wants to type finds a reader where its first process is a shell.
pub(super) async fn attach(channels: &mut Channels, place: &Place, sentence: &str, asked: &Asked) {
    let shell = place.run().filter(|run| run.ended.is_none() && run.world.open && typing::is_shell(&run.line));
    if let Some(run) = shell.filter(|_| asked.stdin) {
        match typing::session(channels, place, &run.line[0], asked.tty).await {
            Some(code) => {
                place.end(code);
                channels.to.success().await;
            }
            None if place.reads_once => place.end(0),
            None => {}
        }
        return;
    }
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
    if asked.stdin && typing::is_shell(&asked.command) {
        if let Some(code) = typing::session(channels, place, program, asked.tty).await {
            channels.to.exited(code).await;
        }
        return;
    }
    let begun = now();
    let played = run.beside(&asked.command, begun);
    if let Some(unknown) = played.unknown {
        return channels.to.fail("BadRequest", 400, &format!("{sentence} ({unknown} is not known)")).await;
    }
    let ends = match played.end {
        End::At { at, code } => Some((at, code)),
        End::OutOfMemory { at } => Some((at, 137)),
        End::Never => None,
        End::Open { .. } => return channels.to.fail("BadRequest", 400, sentence).await,
    };
    place.did(played.changes);
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
