//! delete and deletecollection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::response::Response;
use futures::{StreamExt, future, stream};
use http::{Request, StatusCode};
use serde_json::Value;

use super::deletion::Wish;
use super::limits::Internal;
use super::read::Listing;
use super::{SharedApi, answer, body, negotiate};
use crate::object::meta;
use crate::request::Call;
use crate::resource::Resource;
use crate::status::{ApiError, json_response, success};

pub(super) async fn one(
    api: &SharedApi,
    resource: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let wish = Wish::of(call, &body::options(api, "DeleteOptions", request).await?)?;
    let name = call.path.name.as_deref().unwrap_or_default();
    let mut warnings = Vec::new();
    let (object, gone) = api.delete(resource, call, name, &wish, &mut warnings).await?;
    let response = if gone && !resource.builtin.is_some_and(|kind| kind.returned) {
        json_response(StatusCode::OK, &success(resource, name, &object["metadata"]["uid"]))
    } else {
        answer::shown(resource, call, StatusCode::OK, object)
    };
    Ok(answer::warned(response, &warnings))
}

/// How many objects of a collection are deleted side by side.
const AT_ONCE: usize = 8;

pub(super) async fn collection(
    api: &SharedApi,
    resource: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let internal = request.extensions().get::<Internal>().is_some();
    let wish = Wish::of(call, &body::options(api, "DeleteOptions", request).await?)?;
    let place = api.limits.list(internal).await?;
    let mut listing = Listing::begin(api, resource, call, negotiate::form(&call.headers))?;
    let mut warnings = Vec::new();
    while let Some(items) = listing.next(api).await? {
        all(api, resource, call, &items, &wish, &mut warnings).await?;
        // The answer is the list as it was, as kube-apiserver's is.
        listing.show(items);
    }
    Ok(answer::warned(listing.answer(place)?, &warnings))
}

/// Deletes in the order of the list. After a failure none is begun, as with the one worker of kube-apiserver, and those
/// that are under way come to their end.
async fn all(
    api: &SharedApi,
    resource: &Arc<Resource>,
    call: &Call,
    items: &[Value],
    wish: &Wish,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let failed = &AtomicBool::new(false);
    let names: Vec<String> = items.iter().map(|item| meta::name(item).to_owned()).collect();
    let ends: Vec<(Result<(), ApiError>, Vec<String>)> = stream::iter(names)
        .take_while(|_: &String| future::ready(!failed.load(Ordering::Relaxed)))
        .map(|name: String| {
            async move {
                let mut warnings = Vec::new();
                let end = match api.delete(resource, call, &name, wish, &mut warnings).await {
                    // Somebody else was faster.
                    Err(error) if error.code == 404 => Ok(()),
                    end => end.map(|_| ()),
                };
                failed.fetch_or(end.is_err(), Ordering::Relaxed);
                (end, warnings)
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    for (end, said) in ends {
        end?;
        warnings.extend(said);
    }
    Ok(())
}
