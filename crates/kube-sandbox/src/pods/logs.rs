//! logs: of etcd its real log, whole, its end, since a moment, or as it grows.

use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::Behind;
use super::channels::{Channels, Sent};
use crate::object::meta;
use crate::request::Query;
use crate::status::ApiError;

const FOLLOW_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn serve(behind: &Behind<'_>, pod: &Value, query: &Query) -> Result<Response, ApiError> {
    super::container(pod, query.get("container")).map_err(ApiError::bad_request)?;
    let etcd = match behind {
        Behind::Etcd(etcd) => *etcd,
        Behind::ControlPlane => return Ok(text(Body::empty())),
        Behind::Nothing => return Err(ApiError::bad_request(super::no_container("log", meta::name(pod)))),
    };
    if query.flag("previous") {
        return Err(ApiError::bad_request(format!(
            "previous terminated container \"etcd\" in pod \"{}\" not found",
            meta::name(pod)
        )));
    }
    let whole = tokio::fs::read(&etcd.log).await.map_err(ApiError::internal)?;
    let end = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let wanted = Wanted::of(query)?;
    let shown = wanted.cut(&timed(&String::from_utf8_lossy(&whole[..end])));
    if !query.flag("follow") {
        return Ok(text(Body::from(shown)));
    }
    let follow = Follow { path: etcd.log.clone(), at: end as u64, first: Some(shown), timestamps: wanted.timestamps };
    let stream = futures::stream::unfold(follow, |mut follow| async move {
        let chunk = follow.next().await;
        Some((Ok::<_, std::io::Error>(chunk), follow))
    });
    Ok(text(Body::from_stream(stream)))
}

/// attach to etcd: what it prints from now on.
pub(super) async fn follow_into(channels: &mut Channels, log: &Path) {
    let at = tokio::fs::metadata(log).await.map_or(0, |meta| meta.len());
    let Channels { to, from } = channels;
    let mut follow = Follow { path: log.to_owned(), at, first: None, timestamps: false };
    loop {
        tokio::select! {
            chunk = follow.next() => {
                if !to.stderr(&chunk).await {
                    return;
                }
            }
            sent = from.receive() => {
                if matches!(sent, Sent::Gone) {
                    return;
                }
            }
        }
    }
}

pub(super) fn text(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) tail: Option<usize>,
    pub(super) since: Option<Timestamp>,
    pub(super) limit: Option<usize>,
    pub(super) timestamps: bool,
}

impl Wanted {
    pub(super) fn of(query: &Query) -> Result<Self, ApiError> {
        let since = match (query.number("sinceSeconds")?, query.get("sinceTime")) {
            (Some(seconds), _) => Some(meta::from_now(seconds.saturating_neg())),
            (None, Some(time)) => Some(time.parse().map_err(|_| {
                ApiError::bad_request(format!("sinceTime: Invalid value: \"{time}\": it is no RFC 3339 time"))
            })?),
            (None, None) => None,
        };
        let number = |name: &str| -> Result<Option<usize>, ApiError> {
            Ok(query.number(name)?.and_then(|number| usize::try_from(number).ok()))
        };
        let (tail, limit) = (number("tailLines")?, number("limitBytes")?);
        Ok(Self { tail, since, limit, timestamps: query.flag("timestamps") })
    }

    /// Lines with the time at which each was written, where that is known.
    pub(super) fn cut(&self, log: &[(Option<Timestamp>, String)]) -> String {
        let lines: Vec<&(Option<Timestamp>, String)> =
            log.iter().filter(|(at, _)| self.since.is_none_or(|since| at.is_none_or(|at| at >= since))).collect();
        let first = self.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
        let mut out = String::new();
        for (at, line) in &lines[first..] {
            out.push_str(&stamped(line, at.filter(|_| self.timestamps)));
            out.push('\n');
        }
        if let Some(limit) = self.limit {
            let limit = (0..=limit.min(out.len())).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
            out.truncate(limit);
        }
        out
    }
}

/// The time that etcd itself put into the line.
fn written_at(line: &str) -> Option<Timestamp> {
    serde_json::from_str::<Value>(line).ok()?.get("ts")?.as_str()?.parse().ok()
}

fn timed(log: &str) -> Vec<(Option<Timestamp>, String)> {
    log.lines().map(|line| (written_at(line), line.to_owned())).collect()
}

fn stamped(line: &str, at: Option<Timestamp>) -> String {
    match at {
        Some(at) => format!("{} {line}", meta::nano_text(at)),
        None => line.to_owned(),
    }
}

struct Follow {
    path: std::path::PathBuf,
    at: u64,
    first: Option<String>,
    timestamps: bool,
}

impl Follow {
    /// What came since; waits for something to come.
    async fn next(&mut self) -> Bytes {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Bytes::from(first);
        }
        loop {
            if let Ok(Some(new)) = self.read().await {
                return new;
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
    }

    async fn read(&mut self) -> std::io::Result<Option<Bytes>> {
        let mut file = tokio::fs::File::open(&self.path).await?;
        let length = file.metadata().await?.len();
        if length < self.at {
            // It was cut: what is left was told already.
            self.at = length;
        }
        if length == self.at {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(self.at)).await?;
        let mut new = Vec::new();
        file.read_to_end(&mut new).await?;
        let Some(end) = new.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
        new.truncate(end + 1);
        self.at += new.len() as u64;
        let lines: String = String::from_utf8_lossy(&new)
            .lines()
            .map(|line| stamped(line, written_at(line).filter(|_| self.timestamps)) + "\n")
            .collect();
        Ok(Some(Bytes::from(lines)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "{\"level\":\"info\",\"ts\":\"2026-11-21T10:00:00.5Z\",\"msg\":\"a\"}\n{\"level\":\"info\",\"ts\":\"2026-11-21T10:00:09Z\",\"msg\":\"b\"}\n";

    fn wanted(tail: Option<usize>, since: Option<&str>) -> Wanted {
        let since = since.map(|since| since.parse().expect("a time"));
        Wanted { tail, since, limit: None, timestamps: false }
    }

    #[test]
    fn a_log_is_cut_by_lines_and_by_time() {
        assert_eq!(wanted(None, None).cut(&timed(LOG)), LOG);
        assert_eq!(wanted(Some(1), None).cut(&timed(LOG)).lines().count(), 1);
        assert!(wanted(None, Some("2026-11-21T10:00:05Z")).cut(&timed(LOG)).contains("\"b\""));
        assert!(!wanted(None, Some("2026-11-21T10:00:05Z")).cut(&timed(LOG)).contains("\"a\""));
        let stamped = Wanted { timestamps: true, ..wanted(Some(1), None) }.cut(&timed(LOG));
        assert!(stamped.starts_with("2026-11-21T10:00:09.000000000Z {"), "{stamped}");
    }
}
