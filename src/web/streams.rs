//! What happens, as it happens: server-sent events, read by the page with its secret in a header.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt as _};
use http::HeaderMap;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::answer::Answered;
use super::feed::{Hearing, Item};
use super::gate::Access;
use super::hosted_session::Looking;
use super::sessions::Shared;

/// A proxy closes what says nothing for long.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
const MISSED: &str = r#"{"event":"missed"}"#;

/// Until the server ends, whoever still listens.
pub(super) fn sent(events: impl Stream<Item = Event> + Send + 'static, cancel: CancellationToken) -> Response {
    let events = events.take_until(async move { cancel.cancelled().await }).map(Ok::<_, Infallible>);
    let mut answer = Sse::new(events).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE).text("alive")).into_response();
    // nginx and its like hold streams back otherwise.
    answer.headers_mut().insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    answer
}

/// Where a page that comes back had got to.
pub(super) fn last_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

struct Listener {
    news: tokio::sync::broadcast::Receiver<Item>,
    waiting: VecDeque<(u64, Arc<str>)>,
    last: u64,
    looks_on: bool,
    _looking: Looking,
}

pub(super) async fn events(
    State(state): Shared,
    Path(id): Path<String>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
) -> Answered {
    let room = state.hosted.get(&id)?;
    let Hearing { before, missed, news, last } = room.feed.hear(last_id(&headers));
    let looks_on = access == Access::Present;
    let mut waiting: VecDeque<(u64, Arc<str>)> =
        before.into_iter().filter(|item| !(looks_on && item.is_private)).map(|item| (item.number, item.text)).collect();
    if missed {
        waiting.clear();
        waiting.push_back((last, MISSED.into()));
    }
    let listener = Listener { news, waiting, last, looks_on, _looking: room.look() };
    let events = futures::stream::unfold(listener, |mut listener| async move {
        let (number, text) = listener.next().await?;
        listener.last = number;
        Some((Event::default().id(number.to_string()).data(&text), listener))
    });
    Ok(sent(events, state.hosted.cancel.clone()))
}

impl Listener {
    async fn next(&mut self) -> Option<(u64, Arc<str>)> {
        if let Some(item) = self.waiting.pop_front() {
            return Some(item);
        }
        loop {
            match self.news.recv().await {
                Ok(item) if self.looks_on && item.is_private => {}
                Ok(item) => return Some((item.number, item.text)),
                Err(RecvError::Lagged(_)) => return Some((self.last, MISSED.into())),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
