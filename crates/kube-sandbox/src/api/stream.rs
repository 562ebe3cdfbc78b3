//! A list as it goes out: item by item, page by page, or as it was sent before.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use http::{HeaderValue, header};
use kube_etcd_codec::{Message, Printer};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::lists::{Items, KnownList, KnownLists};
use super::{Api, SharedApi};
use crate::objects::selector::Selector;
use crate::objects::{self, Pages};
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::{Origin, Page};

/// An answer up to this size is sent and forgotten; who does not read a longer one holds a place meanwhile.
const SHORT: usize = 256 << 10;
/// As much of a long answer as is handed over for sending at a time.
const PIECE: usize = 64 << 10;

/// Writes the items of a list, one after another.
struct Writer {
    resource: Arc<Resource>,
    selector: Selector,
    printer: Option<Printer>,
    message: Option<&'static Message>,
    any: bool,
}

impl Writer {
    fn new(resource: &Arc<Resource>, selector: Selector) -> Self {
        let printer = selector.is_everything().then(|| objects::printer(resource)).flatten();
        let message = kube_etcd_codec::message_of(&resource.api_version(), &resource.kind);
        Self { resource: Arc::clone(resource), selector, printer, message, any: false }
    }

    /// Where in `out` each ends.
    async fn add(&mut self, api: &Api, page: &Page, out: &mut Vec<u8>) -> Result<Vec<usize>, ApiError> {
        let mut ends = Vec::with_capacity(page.items.len());
        let mut rest = &page.items[..];
        while let (Some(printer), Some((stored, others))) = (&self.printer, rest.split_first()) {
            let before = out.len();
            self.comma(out);
            if !printer.print(&stored.value, stored.revision, true, out) {
                out.truncate(before);
                break;
            }
            self.any = true;
            ends.push(out.len());
            rest = others;
        }
        for shown in api.objects.shown(&self.resource, rest).await? {
            let (_, object) = shown?;
            if self.selector.matches(&object) {
                self.comma(out);
                let item = as_item(&self.resource, object);
                serde_json::to_writer(&mut *out, &kube_etcd_codec::ordered_as(self.message, &item))
                    .map_err(ApiError::internal)?;
                self.any = true;
                ends.push(out.len());
            }
        }
        Ok(ends)
    }

    fn comma(&self, out: &mut Vec<u8>) {
        if self.any {
            out.push(b',');
        }
    }
}

/// What was written so far of a list that may be asked for again.
struct Kept {
    text: Vec<u8>,
    ends: Vec<(Box<str>, usize)>,
    revision: i64,
    origin: Origin,
}

impl Kept {
    fn of(page: &Page) -> Self {
        Self { text: Vec::new(), ends: Vec::new(), revision: page.revision, origin: page.origin }
    }

    /// What was just written of a page, and where in it each item ends.
    fn add(&mut self, page: &Page, written: &[u8], ends: impl Iterator<Item = usize>) {
        let keys = page.items.iter().map(|item| item.key.as_str().into());
        self.ends.extend(keys.zip(ends.map(|end| self.text.len() + end)));
        self.text.extend_from_slice(written);
    }

    fn list(self) -> KnownList {
        KnownList { items: Items::new(self.text, self.ends), revision: self.revision, origin: self.origin }
    }
}

/// The pages of a list, the next one read while the last is written.
struct Reading {
    api: SharedApi,
    pages: Pages,
    page: Option<Page>,
    writer: Writer,
    kept: Option<Kept>,
}

impl Reading {
    async fn next(&mut self, mut out: Vec<u8>) -> Result<Option<Bytes>, ApiError> {
        let Some(page) = self.page.take() else { return Ok(None) };
        let before = out.len();
        out.reserve(3 * page.bytes());
        let (next, added) =
            tokio::join!(self.pages.next(&self.api.objects), self.writer.add(&self.api, &page, &mut out));
        let ends = added?;
        self.page = next?;
        if let Some(kept) = &mut self.kept {
            kept.add(&page, &out[before..], ends.into_iter().map(|end| end - before));
        }
        if self.kept.as_ref().is_some_and(|kept| !KnownLists::may_keep(kept.text.len())) {
            self.kept = None;
        } else if self.page.is_none()
            && let Some(kept) = self.kept.take()
        {
            self.api.lists.keep(&self.pages.prefix, kept.list());
        }
        Ok(Some(out.into()))
    }
}

/// What is known of the list, with what was written since. Nothing where it has to be read anew.
async fn known(api: &Api, folder: &str, resource: &Arc<Resource>) -> Option<KnownList> {
    let known = api.lists.get(folder)?;
    let store = &api.objects.store;
    if store.newest().await.ok()? == (known.revision, known.origin) {
        return Some(known);
    }
    let page = store.since(folder, known.revision).await.ok()?;
    if page.origin != known.origin || page.revision < known.revision {
        return None;
    }
    let mut written = Kept::of(&page);
    let mut text = Vec::new();
    let ends = Writer::new(resource, Selector::default()).add(api, &page, &mut text).await.ok()?;
    written.add(&page, &text, ends.into_iter());
    let newer = written.list();
    let expected = known.items.count_with(&newer.items);
    let items = if usize::try_from(page.count) == Ok(expected) {
        known.items.renewed(&newer.items, |_| true)
    } else {
        // What is no longer there leaves no other trace.
        let keys: HashSet<String> = store.keys(folder, page.revision).await.ok()?.into_iter().collect();
        known.items.renewed(&newer.items, |key| keys.contains(key))
    };
    let list = KnownList { items, ..newer };
    api.lists.keep(folder, list.clone());
    Some(list)
}

/// A long list goes out page by page as it is read.
pub(super) async fn stream(
    api: SharedApi,
    resource: Arc<Resource>,
    mut pages: Pages,
    selector: Selector,
    place: Option<OwnedSemaphorePermit>,
) -> Result<Response, ApiError> {
    let writer = Writer::new(&resource, selector);
    let may_be_known = writer.printer.is_some() && pages.revision == 0 && pages.start == pages.prefix;
    let around = |revision: i64| frame(&resource, &json!({"resourceVersion": revision.to_string()}));
    if may_be_known && let Some(known) = known(&api, &pages.prefix, &resource).await {
        let (head, tail) = around(known.revision);
        let all = [head.into(), known.items.text, tail.into()].map(Ok);
        return Ok(json_body(unhurried(futures::stream::iter(all), place)));
    }
    // The first page is read before the answer begins, so that its failure is a proper one.
    let page = pages.next(&api.objects).await?;
    let (head, tail) = around(pages.revision);
    let kept = page.as_ref().filter(|_| may_be_known).map(Kept::of);
    let mut reading = Reading { api, pages, page, writer, kept };
    let start = reading.next(head.into_bytes()).await?.unwrap_or_default();
    if reading.page.is_none() && start.len() <= SHORT {
        return Ok(json_body(Body::from([&start[..], tail.as_bytes()].concat())));
    }
    let rest = futures::stream::try_unfold(reading, |mut reading| async move {
        let failed = |error: ApiError| std::io::Error::other(error.message);
        let chunk = reading.next(Vec::new()).await.map_err(failed)?;
        Ok::<_, std::io::Error>(chunk.map(|chunk| (chunk, reading)))
    });
    let all = futures::stream::once(async move { Ok(start) })
        .chain(rest)
        .chain(futures::stream::once(async move { Ok(Bytes::from(tail)) }));
    Ok(json_body(unhurried(all, place)))
}

pub(super) fn whole(text: Vec<u8>, place: Option<OwnedSemaphorePermit>) -> Response {
    if text.len() <= SHORT {
        return json_body(Body::from(text));
    }
    json_body(unhurried(futures::stream::once(async { Ok(Bytes::from(text)) }), place))
}

/// What stands before and after the items of a list. Custom resources have their fields in the order of their names.
pub(super) fn frame(resource: &Resource, metadata: &Value) -> (String, String) {
    let (kind, version) = (json!(resource.list_kind), json!(resource.api_version()));
    if resource.custom.is_none() {
        let metadata = kube_etcd_codec::Ordered(metadata);
        let metadata = serde_json::to_string(&metadata).unwrap_or_default();
        return (
            format!("{{\"kind\":{kind},\"apiVersion\":{version},\"metadata\":{metadata},\"items\":["),
            "]}\n".to_owned(),
        );
    }
    let mut sorted: BTreeMap<&str, &Value> = BTreeMap::new();
    let none = json!("");
    sorted.insert("continue", &none);
    sorted.extend(metadata.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)));
    let sorted = serde_json::to_string(&sorted).unwrap_or_default();
    (format!("{{\"apiVersion\":{version},\"items\":["), format!("],\"kind\":{kind},\"metadata\":{sorted}}}\n"))
}

/// A long body, which holds a place among those until the client has read it.
fn unhurried(
    chunks: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    place: Option<OwnedSemaphorePermit>,
) -> Body {
    let pieces = |mut chunk: Bytes| {
        std::iter::from_fn(move || (!chunk.is_empty()).then(|| chunk.split_to(chunk.len().min(PIECE))))
            .map(Ok::<_, std::io::Error>)
    };
    Body::from_stream(chunks.map_ok(move |chunk| futures::stream::iter(pieces(chunk))).try_flatten().inspect(
        move |_| {
            let _ = &place;
        },
    ))
}

/// Items of a list do not repeat their kind, those of custom resources do.
pub(super) fn as_item(resource: &Resource, mut item: Value) -> Value {
    if resource.custom.is_none()
        && let Some(map) = item.as_object_mut()
    {
        map.remove("kind");
        map.remove("apiVersion");
    }
    item
}

fn json_body(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
