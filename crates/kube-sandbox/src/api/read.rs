//! get and list.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::negotiate::Form;
use super::request::Call;
use super::resource::Resource;
use super::selector::Selector;
use super::status::{ApiError, json_response};
use super::{Api, SharedApi, objects};
use crate::print;
use crate::store::{Page, Stored};
use kube_etcd_codec as codec;

/// Keys read from etcd at a time, so that a long list is never held whole.
const PAGE: i64 = 500;

impl Api {
    pub async fn get(&self, resource: &Resource, namespace: Option<&str>, name: &str) -> Result<Value, ApiError> {
        let key = self.store.key(&resource.folder, namespace, Some(name));
        let (stored, _) = self.store.get(&key).await?;
        objects::read(resource, &stored.ok_or_else(|| ApiError::not_found(resource, name))?)
    }

    /// Every object of a kind that the selector leaves, and the revision at which they were read.
    pub async fn list_all(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Result<(Vec<Value>, i64), ApiError> {
        let mut pages = Pages::new(self, resource, namespace, 0);
        let mut objects = Vec::new();
        while let Some(page) = pages.next(self).await? {
            for stored in &page.items {
                let object = objects::read(resource, stored)?;
                if selector.matches(&object) {
                    objects.push(object);
                }
            }
        }
        Ok((objects, pages.revision))
    }
}

/// A range read page by page, all at the revision of its first.
struct Pages {
    prefix: String,
    start: String,
    revision: i64,
    done: bool,
}

impl Pages {
    fn new(api: &Api, resource: &Resource, namespace: Option<&str>, revision: i64) -> Self {
        let prefix = api.store.key(&resource.folder, namespace, None);
        Self { start: prefix.clone(), prefix, revision, done: false }
    }

    async fn next(&mut self, api: &Api) -> Result<Option<Page>, ApiError> {
        if self.done {
            return Ok(None);
        }
        let page = api.store.page(&self.prefix, &self.start, PAGE, self.revision).await?;
        if self.revision == 0 {
            self.revision = page.revision;
        }
        self.done = !page.more;
        if let Some(last) = page.items.last() {
            self.start = format!("{}\0", last.key);
        }
        Ok(Some(page))
    }
}

/// Where a list goes on: a revision and the key after the last one given.
struct Continue {
    revision: i64,
    start: String,
}

impl Continue {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": self.start}).to_string())
    }

    fn decode(token: &str) -> Result<Self, ApiError> {
        let invalid = || ApiError::bad_request("continue key is not valid: it was not made by this server");
        let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).map_err(|_| invalid())?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        Ok(Self {
            revision: value["rv"].as_i64().ok_or_else(invalid)?,
            start: value["start"].as_str().ok_or_else(invalid)?.to_owned(),
        })
    }
}

pub(super) async fn list(
    api: SharedApi,
    resource: Arc<Resource>,
    call: &Call,
    form: Form,
) -> Result<Response, ApiError> {
    let namespace = call.path.namespace.clone();
    let selector = Selector::parse(&resource, call.query.get("labelSelector"), call.query.get("fieldSelector"))?;
    let limit = call.query.number("limit").unwrap_or(0);
    let revision = wanted_revision(call)?;

    let mut pages = Pages::new(&api, &resource, namespace.as_deref(), revision);
    if let Some(token) = call.query.get("continue") {
        if call.query.get("resourceVersion").is_some_and(|revision| revision != "0") {
            return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
        }
        let token = Continue::decode(token)?;
        if !token.start.starts_with(&pages.prefix) {
            return Err(ApiError::bad_request("continue key is not valid: it belongs to another list"));
        }
        pages.revision = token.revision;
        pages.start = token.start;
    }
    if limit == 0 && matches!(form, Form::Object | Form::Protobuf) && selector.name().is_none() {
        return stream(api, resource, pages, selector).await;
    }

    let mut items = Vec::new();
    let mut more = None;
    let first_key = pages.start.clone();
    'pages: while let Some(page) = pages.next(&api).await.map_err(|error| too_old(error, &first_key))? {
        for (at, stored) in page.items.iter().enumerate() {
            let object = objects::read(&resource, stored)?;
            if !selector.matches(&object) {
                continue;
            }
            items.push(object);
            if limit > 0 && i64::try_from(items.len()).is_ok_and(|count| count == limit) {
                let left = page.count - i64::try_from(at + 1).unwrap_or(i64::MAX);
                if left > 0 {
                    let next = Continue { revision: pages.revision, start: format!("{}\0", stored.key) };
                    more = Some((next, left));
                }
                break 'pages;
            }
        }
    }
    let mut metadata = json!({"resourceVersion": pages.revision.to_string()});
    if let Some((next, left)) = more {
        metadata["continue"] = json!(next.encode());
        // With a selector nobody knows how many are left that match.
        if selector.is_everything() {
            metadata["remainingItemCount"] = json!(left);
        }
    }
    let include = call.query.get("includeObject").unwrap_or("Metadata").to_owned();
    let answer = match form {
        Form::Table => {
            let mut table = table(&resource, &items, &include, true);
            table["metadata"] = metadata;
            table
        }
        Form::Metadata => json!({
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "items": items.iter().map(objects::partial).collect::<Vec<_>>(),
        }),
        Form::Object | Form::Protobuf => json!({
            "kind": resource.list_kind,
            "apiVersion": resource.api_version(),
            "metadata": metadata,
            "items": items.into_iter().map(|item| as_item(&resource, item)).collect::<Vec<_>>(),
        }),
    };
    Ok(json_response(StatusCode::OK, &answer))
}

fn too_old(error: ApiError, _start: &str) -> ApiError {
    if error.reason == "Expired" {
        return ApiError::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
        );
    }
    error
}

/// Items of a list do not repeat their kind, those of custom resources do.
fn as_item(resource: &Resource, mut item: Value) -> Value {
    if resource.custom.is_none()
        && let Some(map) = item.as_object_mut()
    {
        map.remove("kind");
        map.remove("apiVersion");
    }
    item
}

/// The revision to read at; 0 is the newest, which is at least as new as any that was given out.
fn wanted_revision(call: &Call) -> Result<i64, ApiError> {
    let given = call.query.get("resourceVersion");
    let how = call.query.get("resourceVersionMatch");
    match (given, how) {
        (None, Some(_)) => Err(ApiError::list_options(
            "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        )),
        (Some(_), Some(how)) if !["Exact", "NotOlderThan", ""].contains(&how) => Err(ApiError::list_options(&format!(
            "Unsupported value: \"{how}\": supported values: \"Exact\", \"NotOlderThan\", \"\""
        ))),
        (Some(given), Some("Exact")) if given != "0" => number(given),
        (Some(given), _) => number(given).map(|_| 0),
        (None, None) => Ok(0),
    }
}

pub(super) fn number(revision: &str) -> Result<i64, ApiError> {
    revision.parse::<i64>().map_err(|_| {
        ApiError::bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: \"{revision}\": strconv.ParseUint: parsing \"{revision}\": invalid syntax"
        ))
    })
}

/// A long list goes out page by page as it is read.
async fn stream(
    api: SharedApi,
    resource: Arc<Resource>,
    mut pages: Pages,
    selector: Selector,
) -> Result<Response, ApiError> {
    // The first page is read before the answer begins, so that its failure is a proper one.
    let first = pages.next(&api).await?;
    let head = format!(
        "{{\"kind\":{},\"apiVersion\":{},\"metadata\":{{\"resourceVersion\":\"{}\"}},\"items\":[",
        json!(resource.list_kind),
        json!(resource.api_version()),
        pages.revision
    );
    let mut any = false;
    let message = codec::message_of(&resource.api_version(), &resource.kind);
    let mut chunk_of = move |page: &Page, mut out: Vec<u8>| -> std::io::Result<Bytes> {
        for stored in &page.items {
            let Some(item) = item_of(&resource, &selector, stored).map_err(std::io::Error::other)? else { continue };
            if std::mem::replace(&mut any, true) {
                out.push(b',');
            }
            serde_json::to_writer(&mut out, &codec::ordered_as(message, &item))?;
        }
        Ok(Bytes::from(out))
    };
    let mut start = head.into_bytes();
    if let Some(page) = &first {
        start = chunk_of(page, start).map_err(ApiError::internal)?.into();
    }
    drop(first);
    if pages.done {
        start.extend_from_slice(b"]}\n");
        return Ok(json_body(Body::from(start)));
    }
    let rest = futures::stream::try_unfold((api, pages, chunk_of), |(api, mut pages, mut chunk_of)| async move {
        let page = pages.next(&api).await.map_err(|error| std::io::Error::other(error.message))?;
        let Some(page) = page else { return Ok::<_, std::io::Error>(None) };
        let chunk = chunk_of(&page, Vec::new())?;
        Ok(Some((chunk, (api, pages, chunk_of))))
    });
    let all = futures::stream::once(async move { Ok(Bytes::from(start)) })
        .chain(rest)
        .chain(futures::stream::once(async { Ok(Bytes::from_static(b"]}\n")) }));
    Ok(json_body(Body::from_stream(all)))
}

fn item_of(resource: &Resource, selector: &Selector, stored: &Stored) -> Result<Option<Value>, String> {
    let object = objects::read(resource, stored).map_err(|error| error.message)?;
    Ok(selector.matches(&object).then(|| as_item(resource, object)))
}

fn json_body(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn precedence(schema: &Value) -> Option<i64> {
    schema.pointer("/spec/matchingPrecedence").and_then(Value::as_i64)
}

/// A server-side table; `include` says how much of each object goes along.
pub(super) fn table(resource: &Resource, items: &[Value], include: &str, columns: bool) -> Value {
    if resource.plural == "flowschemas" && !items.is_sorted_by_key(precedence) {
        // The one that is asked first comes first.
        let mut sorted = items.to_vec();
        sorted.sort_by_key(precedence);
        return table(resource, &sorted, include, columns);
    }
    let now = jiff::Timestamp::now();
    let mut table = match (resource.builtin, &resource.custom) {
        (Some(kind), _) => print::table(kind, items, now),
        (None, Some(custom)) => print::custom_table(&custom.columns, items, now),
        (None, None) => print::custom_table(&[], items, now),
    };
    table["kind"] = json!("Table");
    table["apiVersion"] = json!("meta.k8s.io/v1");
    if table.get("metadata").is_none() {
        let revision = items.first().map(|item| item["metadata"]["resourceVersion"].clone());
        table["metadata"] = json!({"resourceVersion": revision.unwrap_or_else(|| json!(""))});
    }
    if !columns {
        table["columnDefinitions"] = Value::Null;
    }
    if let Some(rows) = table.get_mut("rows").and_then(Value::as_array_mut) {
        for (row, item) in rows.iter_mut().zip(items) {
            match include {
                "None" => {}
                "Object" => row["object"] = item.clone(),
                _ => row["object"] = objects::partial(item),
            }
        }
    }
    table
}
