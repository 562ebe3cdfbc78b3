//! watch: what happens to a kind from a revision on, as a stream of lines.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use rand::Rng;
use serde_json::{Value, json};

use super::SharedApi;
use super::negotiate::Form;
use super::read::number;
use crate::object::field_error::FieldError;
use crate::objects::selector::Selector;
use crate::objects::{self, Pages, convert};
use crate::request::Call;
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::{Change, ChangeKind, Feed, FeedItem};
use kube_etcd_codec::{Ordered, Printer};

/// Lines that are ready go out together up to about this size.
const FRAME: usize = 16 << 10;
const BOOKMARKS: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) async fn serve(
    api: SharedApi,
    resource: Arc<Resource>,
    call: &Call,
    form: Form,
) -> Result<Response, ApiError> {
    let namespace = call.path.namespace.clone();
    let mut selector = Selector::parse(&resource, call.query.get("labelSelector"), call.query.get("fieldSelector"))?;
    if let Some(name) = &call.path.name {
        selector = Selector::parse(&resource, None, Some(&format!("metadata.name={name}")))?;
    }
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let (seconds, _) = (call.query.number("timeoutSeconds")?, call.query.number("limit")?);
    check_options(call)?;
    let initial = call.query.get("sendInitialEvents").map(|_| call.query.flag("sendInitialEvents"));
    let revision = call.query.get("resourceVersion").map(number).transpose().map_err(ApiError::plain)?.unwrap_or(0);
    let view = View {
        include: call.query.get("includeObject").unwrap_or("Metadata").to_owned(),
        printer: objects::printer(&resource),
        resource: resource.clone(),
        selector,
        form,
    };

    // Without a revision a client is shown what there is first, then what happens to it.
    let is_shown = initial == Some(true) || (revision == 0 && initial.is_none());
    let start = if is_shown || revision == 0 {
        let (_, at) =
            api.objects.store.get(&api.objects.store.key(&resource.folder, namespace.as_deref(), None)).await?;
        at
    } else {
        revision
    };
    let folder = api.objects.store.key(&resource.folder, None, None);
    let prefix = api.objects.store.key(&resource.folder, namespace.as_deref(), None);
    let feed = api.objects.hub.feed(&api.objects.store, &folder, &prefix, start).await?;
    // As kube-apiserver does, so that clients do not all come back at one moment.
    let timeout = match seconds {
        Some(seconds) if seconds > 0 => Duration::from_secs(u64::try_from(seconds).unwrap_or(1)).min(LONGEST),
        _ => Duration::from_secs(rand::rng().random_range(1800..3600)),
    };
    let present = is_shown.then(|| Present {
        pages: Pages::small(&api.objects, &resource, namespace.as_deref(), start),
        ends_with_bookmark: initial == Some(true) && bookmarks,
        is_first: true,
    });
    let watch = Watch {
        api: api.clone(),
        view,
        feed,
        present,
        pending: Vec::new(),
        bookmarks,
        bookmarked: Instant::now(),
        deadline: tokio::time::Instant::now() + timeout,
        ended: false,
        _open: Open::new(api),
    };
    let stream = futures::stream::unfold(watch, |mut watch| async move {
        let chunk = watch.next().await?;
        Some((Ok::<_, std::io::Error>(chunk), watch))
    });
    let mut response = Response::new(Body::from_stream(stream));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// What no watch can be asked for.
fn check_options(call: &Call) -> Result<(), ApiError> {
    let (how, initial) = (call.query.get("resourceVersionMatch"), call.query.get("sendInitialEvents"));
    let field = "resourceVersionMatch";
    let mut wrong = Vec::new();
    if initial.is_some() && how != Some("NotOlderThan") {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        wrong.push(FieldError::forbidden(field, why));
    }
    if let Some(how) = how {
        if initial.is_none() {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            wrong.push(FieldError::forbidden(field, why));
        }
        if how != "NotOlderThan" {
            wrong.push(FieldError::unsupported(field, &json!(how), &["NotOlderThan"]));
        }
        if call.query.get("continue").is_some() {
            let why = "resourceVersionMatch is forbidden when continue is provided";
            wrong.push(FieldError::forbidden(field, why));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::invalid_options("ListOptions", &wrong)) }
}

/// How one client sees the changes.
struct View {
    resource: Arc<Resource>,
    printer: Option<Printer>,
    selector: Selector,
    form: Form,
    include: String,
}

impl View {
    fn line(&self, kind: &str, object: &Value, first: bool) -> Bytes {
        let shown = match self.form {
            Form::Object | Form::Protobuf => return line(kind, object),
            Form::Metadata => objects::partial(object),
            Form::Table => super::answer::table(&self.resource, std::slice::from_ref(object), &self.include, first),
        };
        line(kind, &shown)
    }

    fn bookmark(&self, revision: i64, initial_end: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.form {
            Form::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Form::Table => json!({
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": {"resourceVersion": revision.to_string()},
                "columnDefinitions": null,
                "rows": [{"cells": [], "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}}],
            }),
            Form::Object | Form::Protobuf => {
                json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata})
            }
        };
        line("BOOKMARK", &object)
    }

    /// The line of a client that sees everything as it is stored; `None` where that is of another version.
    fn frame(&self, kind: &str, change: &Change) -> Option<Bytes> {
        if let (Some(printer), Some(stored)) = (&self.printer, change.bytes()) {
            let mut out = begun(kind, 2 * stored.len());
            if printer.print(stored, change.revision, false, &mut out) {
                return Some(ended(out));
            }
        }
        let object = change.object()?;
        let is_own = object["apiVersion"] == *self.resource.api_version();
        is_own.then(|| line(kind, &convert::from_stored(&self.resource, (*object).clone())))
    }

    /// What this change is to a client that sees only what its selector leaves.
    async fn change(&self, api: &SharedApi, change: &Change) -> Result<Option<Bytes>, ApiError> {
        let plain = self.selector.is_everything() && matches!(self.form, Form::Object | Form::Protobuf);
        let direct = match change.kind {
            ChangeKind::Created => "ADDED",
            ChangeKind::Changed => "MODIFIED",
            ChangeKind::Deleted => "DELETED",
        };
        if plain && self.resource.stored == self.resource.version {
            let frame = change.frame(&self.resource.api_version(), || self.frame(direct, change));
            if frame.is_some() {
                return Ok(frame);
            }
        }
        let Some(object) = change.object() else { return Ok(None) };
        let object = api.objects.in_version(&self.resource, (*object).clone()).await?;
        let now = self.selector.matches(&object);
        if self.selector.is_everything() || (change.kind != ChangeKind::Changed) {
            return Ok(now.then(|| self.line(direct, &object, false)));
        }
        let before = match change.old_object() {
            Some(old) => Some(api.objects.in_version(&self.resource, (*old).clone()).await?),
            None => None,
        };
        Ok(match (before.filter(|old| self.selector.matches(old)), now) {
            (Some(_), true) => Some(self.line("MODIFIED", &object, false)),
            (None, true) => Some(self.line("ADDED", &object, false)),
            (Some(old), false) => Some(self.line("DELETED", &old, false)),
            (None, false) => None,
        })
    }
}

fn begun(kind: &str, room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(room);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    out
}

fn ended(mut out: Vec<u8>) -> Bytes {
    out.extend_from_slice(b"}\n");
    // It is kept for a while.
    out.shrink_to_fit();
    Bytes::from(out)
}

fn line(kind: &str, object: &Value) -> Bytes {
    let mut out = begun(kind, 0);
    if serde_json::to_writer(&mut out, &Ordered(object)).is_err() {
        return Bytes::new();
    }
    ended(out)
}

/// What there was when the watch began, read as the client reads it.
struct Present {
    pages: Pages,
    /// Whether a bookmark marks its end.
    ends_with_bookmark: bool,
    is_first: bool,
}

struct Watch {
    api: SharedApi,
    view: View,
    feed: Feed,
    present: Option<Present>,
    pending: Vec<u8>,
    bookmarks: bool,
    bookmarked: Instant,
    deadline: tokio::time::Instant,
    ended: bool,
    _open: Open,
}

impl Present {
    /// A page of it, which may hold nothing that the client is to see; `None` after the last.
    async fn next(&mut self, api: &SharedApi, view: &View) -> Result<Option<Bytes>, ApiError> {
        let Some(page) = self.pages.next(&api.objects).await? else {
            let ends_with_bookmark = std::mem::take(&mut self.ends_with_bookmark);
            return Ok(ends_with_bookmark.then(|| view.bookmark(self.pages.revision, true)));
        };
        let mut lines = Vec::new();
        for shown in api.objects.shown(&view.resource, &page.items).await? {
            let (_, object) = shown?;
            if view.selector.matches(&object) {
                lines.extend_from_slice(&view.line("ADDED", &object, std::mem::take(&mut self.is_first)));
            }
        }
        Ok(Some(lines.into()))
    }
}

impl Watch {
    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        while let Some(present) = &mut self.present {
            match present.next(&self.api, &self.view).await {
                Ok(Some(lines)) if lines.is_empty() => {}
                Ok(Some(lines)) => return Some(lines),
                Ok(None) => self.present = None,
                Err(error) => {
                    self.ended = true;
                    return Some(line("ERROR", &error.to_status()));
                }
            }
        }
        loop {
            let item = match tokio::time::timeout_at(self.deadline, self.feed.next()).await {
                Err(_) => return None,
                Ok(Ok(item)) => item,
                Ok(Err(error)) => {
                    self.ended = true;
                    return Some(line("ERROR", &ApiError::from(error).to_status()));
                }
            };
            self.take(&item).await;
            while self.pending.len() < FRAME
                && !self.ended
                && let Some(item) = self.feed.ready()
            {
                self.take(&item).await;
            }
            if !self.pending.is_empty() {
                return Some(Bytes::from(std::mem::take(&mut self.pending)));
            }
            if self.ended {
                return None;
            }
        }
    }

    async fn take(&mut self, item: &FeedItem) {
        match item {
            FeedItem::Change(change) => match self.view.change(&self.api, change).await {
                Ok(line) => self.pending.extend(line.into_iter().flatten()),
                // What cannot be told must not be left out.
                Err(error) => {
                    self.ended = true;
                    self.pending.extend_from_slice(&line("ERROR", &error.to_status()));
                }
            },
            FeedItem::Progress(revision) => {
                if self.bookmarks && self.bookmarked.elapsed() >= BOOKMARKS {
                    self.bookmarked = Instant::now();
                    self.pending.extend_from_slice(&self.view.bookmark(*revision, false));
                }
            }
            // Without a word, as kube-apiserver ends a watch that is not read.
            FeedItem::Lagged => self.ended = true,
            FeedItem::Compacted => {
                self.ended = true;
                let gone = ApiError::expired("The resourceVersion for the provided watch is too old.");
                self.pending.extend_from_slice(&line("ERROR", &gone.to_status()));
            }
        }
    }
}

/// Counts a watch for as long as it is open.
struct Open(SharedApi);

impl Open {
    fn new(api: SharedApi) -> Self {
        api.counters.watches.fetch_add(1, Ordering::Relaxed);
        Self(api)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counters.watches.fetch_sub(1, Ordering::Relaxed);
    }
}
