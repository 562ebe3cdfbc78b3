//! `OpenAPI` v3, and v2 for clients that know no other, by which kubectl merges, validates and
//! explains. Types are those that Kubernetes publishes, paths follow from the table of kinds; custom resources come
//! from their definitions.

mod custom;
mod definitions;
mod document;
mod paths;
mod plain;
mod second;

pub use definitions::description;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::resource::Resource;
use crate::resource::registry::Served;
use crate::status::{ApiError, json_response};

/// Documents of Kubernetes' own groups are the same for every sandbox of this process.
static BUILT: LazyLock<Mutex<HashMap<String, Arc<str>>>> = LazyLock::new(Mutex::default);

pub(super) fn answer(served: &Served, path: &str, accept: &str) -> Response {
    match path.trim_start_matches("/openapi/").trim_end_matches('/') {
        "v3" => json_response(StatusCode::OK, &index(served)),
        "v2" => second::answer(served, accept),
        path => {
            let place = path.strip_prefix("v3/").unwrap_or_default();
            let resources: Vec<&Arc<Resource>> = served.all.iter().filter(|one| place_of(one) == place).collect();
            if !resources.is_empty() {
                return document_of(place, &resources);
            }
            let other = others(served).into_iter().find(|(known, _)| known == place);
            match other {
                Some((_, path)) => text(&document::whole([path].into_iter().collect(), Map::new(), None).to_string()),
                None => ApiError::no_path().into_response(),
            }
        }
    }
}

/// What is no group version, by its place.
fn others(served: &Served) -> Vec<(String, (String, Value))> {
    let own = served.all.iter().filter(|one| one.custom.is_none());
    let groups: BTreeSet<&str> = own.map(|one| &*one.group).collect();
    plain::others(groups.into_iter())
}

/// `api/v1`, `apis/apps/v1`.
fn place_of(resource: &Resource) -> String {
    kube_etcd_codec::api_root(&resource.group, &resource.version).trim_start_matches('/').to_owned()
}

fn index(served: &Served) -> Value {
    let mut paths = Map::new();
    let own = fingerprint(concat!(env!("CARGO_PKG_VERSION"), "-2"));
    let url = |place: &str, hash: u64| json!({"serverRelativeURL": format!("/openapi/v3/{place}?hash={hash:016X}")});
    for (place, _) in others(served) {
        let url = url(&place, own);
        paths.insert(place, url);
    }
    for one in &served.all {
        let place = place_of(one);
        // Clients keep a document until its hash changes, which one of a definition may do.
        let hash = match &one.custom {
            Some(custom) => fingerprint(&custom.schema.to_string()),
            None => own,
        };
        let url = url(&place, hash);
        paths.entry(place).or_insert(url);
    }
    json!({"paths": paths})
}

fn fingerprint(text: &str) -> u64 {
    // FNV-1a: the same in every process, unlike the standard library's hashes.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn document_of(place: &str, resources: &[&Arc<Resource>]) -> Response {
    if resources.iter().any(|one| one.custom.is_some()) {
        return text(&document::build(resources).to_string());
    }
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = built.entry(place.to_owned()).or_insert_with(|| document::build(resources).to_string().into());
    text(known)
}

fn text(text: &str) -> Response {
    let mut response = Response::new(Body::from(text.as_bytes().to_vec()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
