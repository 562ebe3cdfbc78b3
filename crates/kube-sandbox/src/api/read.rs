//! get and list.

use std::sync::Arc;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::negotiate::Form;
use super::stream::{as_item, frame, stream, whole};
use super::{Api, SharedApi, answer, syntax};
use crate::object::field_error::FieldError;
use crate::objects::selector::Selector;
use crate::objects::{self, Pages};
use crate::request::Call;
use crate::resource::Resource;
use crate::status::{ApiError, json_text};

/// After so many bytes an answer ends, and says where it goes on, where the client reads by parts.
const PART_BYTES: usize = 8 << 20;

pub(super) async fn one(api: &Api, resource: &Resource, call: &Call) -> Result<Response, ApiError> {
    call.query.get("resourceVersion").map(number).transpose().map_err(ApiError::plain)?;
    let name = call.path.name.as_deref().unwrap_or_default();
    let stored = api.objects.stored(resource, call.path.namespace.as_deref(), name).await?;
    if super::negotiate::form(&call.headers) == Form::Object
        && let Some(printer) = objects::printer(resource)
    {
        let mut text = Vec::with_capacity(2 * stored.value.len());
        if printer.print(&stored.value, stored.revision, false, &mut text) {
            return Ok(json_text(StatusCode::OK, text));
        }
    }
    let object = api.objects.read(resource, &stored).await?;
    Ok(answer::shown(resource, call, StatusCode::OK, object))
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
        let invalid =
            |why: &str| ApiError::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).map_err(|error| invalid(&error.to_string()))?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| invalid(&syntax::error(&bytes).unwrap_or_else(|| error.to_string())))?;
        let missing = || invalid("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
        Ok(Self {
            revision: value["rv"].as_i64().ok_or_else(missing)?,
            start: value["start"].as_str().ok_or_else(missing)?.to_owned(),
        })
    }
}

pub(super) async fn list(
    api: SharedApi,
    resource: Arc<Resource>,
    call: &Call,
    form: Form,
    internal: bool,
) -> Result<Response, ApiError> {
    let place = api.limits.list(internal).await?;
    let mut listing = Listing::begin(&api, &resource, call, form)?;
    if listing.limit == 0 && matches!(form, Form::Object | Form::Protobuf) && listing.selector.name().is_none() {
        let Listing { pages, selector, .. } = listing;
        return stream(api, resource, pages, selector, place).await;
    }
    while let Some(items) = listing.next(&api).await? {
        listing.show(items);
    }
    listing.answer(place)
}

/// A list that is made whole before it is sent, page by page.
pub(super) struct Listing {
    resource: Arc<Resource>,
    form: Form,
    include: String,
    selector: Selector,
    limit: i64,
    pages: Pages,
    ended: bool,
    more: Option<(Continue, i64)>,
    found: i64,
    bytes: usize,
    /// Of a table, all but its rows.
    head: Option<Value>,
    shown: Vec<Value>,
}

impl Listing {
    pub(super) fn begin(api: &Api, resource: &Arc<Resource>, call: &Call, form: Form) -> Result<Self, ApiError> {
        let selector = Selector::parse(resource, call.query.get("labelSelector"), call.query.get("fieldSelector"))?;
        let limit = call.query.number("limit")?.unwrap_or(0);
        call.query.number("timeoutSeconds")?;
        check_options(call)?;
        let mut pages = Pages::new(&api.objects, resource, call.path.namespace.as_deref(), wanted_revision(call)?);
        if let Some(token) = call.query.get("continue") {
            let token = Continue::decode(token)?;
            if call.query.get("resourceVersion").is_some_and(|revision| revision != "0") {
                return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
            }
            if !token.start.starts_with(&pages.prefix) {
                return Err(ApiError::bad_request("continue key is not valid: it belongs to another list"));
            }
            pages.revision = token.revision;
            pages.start = token.start;
        }
        Ok(Self {
            resource: Arc::clone(resource),
            form,
            include: call.query.get("includeObject").unwrap_or("Metadata").to_owned(),
            selector,
            limit,
            pages,
            ended: false,
            more: None,
            found: 0,
            bytes: 0,
            head: None,
            shown: Vec::new(),
        })
    }

    /// The objects of the next page that the selector leaves.
    pub(super) async fn next(&mut self, api: &Api) -> Result<Option<Vec<Value>>, ApiError> {
        if self.ended {
            return Ok(None);
        }
        let Some(page) = self.pages.next(&api.objects).await.map_err(too_old)? else { return Ok(None) };
        let mut items = Vec::new();
        for (at, shown_now) in api.objects.shown(&self.resource, &page.items).await?.enumerate() {
            let (stored, object) = shown_now?;
            if !self.selector.matches(&object) {
                continue;
            }
            items.push(object);
            self.found += 1;
            self.bytes += stored.value.len();
            self.ended = self.limit > 0 && (self.found >= self.limit || self.bytes >= PART_BYTES);
            if self.ended {
                let left = page.count - i64::try_from(at + 1).unwrap_or(i64::MAX);
                let next = Continue { revision: self.pages.revision, start: format!("{}\0", stored.key) };
                self.more = Some((next, left)).filter(|_| left > 0);
                break;
            }
        }
        Ok(Some(items))
    }

    /// Takes objects into the answer. Of what is not shown nothing is kept.
    pub(super) fn show(&mut self, items: Vec<Value>) {
        match self.form {
            Form::Table => {
                let mut part = answer::table(&self.resource, &items, &self.include, true);
                if let Value::Array(rows) = part["rows"].take() {
                    self.shown.extend(rows);
                }
                self.head.get_or_insert(part);
            }
            Form::Metadata => self.shown.extend(items.iter().map(objects::partial)),
            Form::Object | Form::Protobuf => {
                self.shown.extend(items.into_iter().map(|item| as_item(&self.resource, item)));
            }
        }
    }

    pub(super) fn answer(self, place: Option<OwnedSemaphorePermit>) -> Result<Response, ApiError> {
        let Self { resource, form, include, selector, pages, more, head, shown, .. } = self;
        let mut metadata = json!({"resourceVersion": pages.revision.to_string()});
        if let Some((next, left)) = more {
            metadata["continue"] = json!(next.encode());
            // With a selector nobody knows how many are left that match.
            if selector.is_everything() {
                metadata["remainingItemCount"] = json!(left);
            }
        }
        let list = match form {
            Form::Table => {
                let mut table = head.unwrap_or_else(|| answer::table(&resource, &[], &include, true));
                table["rows"] = shown.into();
                table["metadata"] = metadata;
                table
            }
            Form::Metadata => json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": shown,
            }),
            Form::Object | Form::Protobuf => {
                let (head, tail) = frame(&resource, &metadata);
                let message = kube_etcd_codec::message_of(&resource.api_version(), &resource.kind);
                let mut text = head.into_bytes();
                for (at, item) in shown.iter().enumerate() {
                    if at > 0 {
                        text.push(b',');
                    }
                    serde_json::to_writer(&mut text, &kube_etcd_codec::ordered_as(message, item))
                        .map_err(ApiError::internal)?;
                }
                text.extend_from_slice(tail.as_bytes());
                return Ok(whole(text, place));
            }
        };
        let mut text = serde_json::to_vec(&kube_etcd_codec::Ordered(&list)).map_err(ApiError::internal)?;
        text.push(b'\n');
        drop(list);
        Ok(whole(text, place))
    }
}

fn too_old(error: ApiError) -> ApiError {
    if error.reason == "Expired" {
        return ApiError::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
        );
    }
    error
}

/// What no list can be asked for.
fn check_options(call: &Call) -> Result<(), ApiError> {
    let (how, revision) = (call.query.get("resourceVersionMatch"), call.query.get("resourceVersion"));
    let field = "resourceVersionMatch";
    let mut wrong = Vec::new();
    if let Some(how) = how {
        if revision.is_none() {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            wrong.push(FieldError::forbidden(field, why));
        }
        if call.query.get("continue").is_some() {
            let why = "resourceVersionMatch is forbidden when continue is provided";
            wrong.push(FieldError::forbidden(field, why));
        }
        if !["Exact", "NotOlderThan"].contains(&how) {
            wrong.push(FieldError::unsupported(field, &json!(how), &["Exact", "NotOlderThan", ""]));
        }
        if how == "Exact" && revision == Some("0") {
            let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            wrong.push(FieldError::forbidden(field, why));
        }
    }
    if call.query.get("sendInitialEvents").is_some() {
        wrong.push(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::invalid_options("ListOptions", &wrong)) }
}

/// The revision to read at; 0 is the newest, which is at least as new as any that was given out.
fn wanted_revision(call: &Call) -> Result<i64, ApiError> {
    let Some(given) = call.query.get("resourceVersion") else { return Ok(0) };
    let revision = number(given).map_err(|why| ApiError::bad_request(format!("invalid resource version: {why}")))?;
    Ok(if call.query.get("resourceVersionMatch") == Some("Exact") { revision } else { 0 })
}

pub(super) fn number(revision: &str) -> Result<i64, String> {
    revision.parse::<u64>().ok().and_then(|number| i64::try_from(number).ok()).ok_or_else(|| {
        format!("resourceVersion: Invalid value: {0}: strconv.ParseUint: parsing {0}: invalid syntax", json!(revision))
    })
}
