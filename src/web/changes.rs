//! What etcd sees: its changes as they come, an object as a revision left it, and the time line.

use std::collections::VecDeque;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use axum::response::sse::Event;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answered, Failure};
use super::hosted_session::Looking;
use super::sessions::Shared;
use super::streams::{last_id, sent};
use crate::journal::KeyGlob;
use crate::session::{Watched, Witnessed};

/// Changes that are read at once.
const AT_ONCE: usize = 100;
/// Of the time line, the last so many.
const OF_TIMELINE: usize = 5000;
/// Keys and patterns are no longer.
const LONGEST: usize = 1024;

#[derive(Deserialize)]
pub(super) struct Wanted {
    glob: Option<String>,
    /// `1`: leases and Events too.
    noise: Option<String>,
    /// Leaves out what is before this revision.
    from: Option<i64>,
}

struct Follower {
    watched: Watched,
    glob: Option<KeyGlob>,
    with_noise: bool,
    from: i64,
    seq: u64,
    waiting: VecDeque<Witnessed>,
    _looking: Looking,
}

pub(super) async fn changes(
    State(state): Shared,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Answered {
    let hosted = state.hosted.get(&id)?;
    let live = hosted.live()?;
    let pattern = wanted.glob.filter(|pattern| !pattern.is_empty());
    if pattern.as_ref().is_some_and(|pattern| pattern.len() > LONGEST) {
        return Err(Failure::wrong(format!("a pattern has at most {LONGEST} bytes")));
    }
    let follower = Follower {
        glob: pattern.map(|pattern| live.watched.glob(&pattern)),
        watched: live.watched.clone(),
        with_noise: wanted.noise.is_some_and(|noise| noise == "1"),
        from: wanted.from.unwrap_or(0),
        seq: last_id(&headers).unwrap_or(0),
        waiting: VecDeque::new(),
        _looking: hosted.look(),
    };
    let events = futures::stream::unfold(follower, |mut follower| async move {
        let change = follower.next().await?;
        let event = Event::default().id(change.seq.to_string()).data(json!(change).to_string());
        Some((event, follower))
    });
    Ok(sent(events, state.hosted.cancel.clone()))
}

impl Follower {
    /// `None` once the session has ended.
    async fn next(&mut self) -> Option<Witnessed> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                return Some(change);
            }
            let (watched, glob, seq) = (self.watched.clone(), self.glob.clone(), self.seq);
            // Decoding takes its time.
            let read = tokio::task::spawn_blocking(move || watched.changes(seq, glob.as_ref(), AT_ONCE)).await;
            let (found, end) = read.ok()?;
            if end < self.seq {
                // Its last number was one of a session before.
                self.seq = 0;
                continue;
            }
            let is_news = end > self.seq;
            self.seq = end;
            let wanted = |change: &Witnessed| {
                let is_hole = change.reason.is_some();
                is_hole || (self.with_noise || !change.noise) && change.revision >= self.from
            };
            self.waiting.extend(found.into_iter().filter(wanted));
            if !is_news && !self.watched.grown(self.seq).await {
                return None;
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Which {
    key: String,
    revision: i64,
    seq: Option<u64>,
}

pub(super) async fn object(
    State(state): Shared,
    Path(id): Path<String>,
    Query(Which { key, revision, seq }): Query<Which>,
) -> Answered {
    let live = state.hosted.get(&id)?.live()?;
    let watched = live.watched.clone();
    let found = tokio::task::spawn_blocking(move || watched.object(&key, revision, seq)).await;
    match found.ok().flatten() {
        Some(object) => Ok(Json(object).into_response()),
        None => Err(Failure::missing("object at that revision: the watch has delivered none")),
    }
}

pub(super) async fn timeline(State(state): Shared, Path(id): Path<String>) -> Answered {
    let hosted = state.hosted.get(&id)?;
    let live = hosted.live()?;
    let watched = live.watched.clone();
    let changes = tokio::task::spawn_blocking(move || watched.outline(OF_TIMELINE)).await.unwrap_or_default();
    let changes: Vec<_> = changes
        .iter()
        .map(|change| {
            json!({
                "seq": change.seq, "revision": change.revision, "type": change.kind, "key": change.key,
                "at": change.at, "noise": change.noise, "created": change.created, "reason": change.reason,
            })
        })
        .collect();
    let (commands, marks) = hosted.noted(|noted| (noted.commands.clone(), noted.marks.clone()));
    Ok(Json(json!({
        "began": live.began, "now": Timestamp::now(), "commands": commands, "changes": changes, "marks": marks,
    }))
    .into_response())
}
