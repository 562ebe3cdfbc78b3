//! What the client is sent: an object in the form that it wants, or rows for people, with what it is warned of.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::negotiate;
use crate::request::Call;
use crate::resource::Resource;
use crate::status::{ApiError, json_response};
use crate::{objects, print};

pub(super) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// An object in the form that the client wants.
pub(super) fn shown(resource: &Resource, call: &Call, status: StatusCode, object: Value) -> Response {
    match negotiate::form(&call.headers) {
        negotiate::Form::Object => json_response(status, &object),
        negotiate::Form::Metadata => json_response(status, &objects::partial(&object)),
        negotiate::Form::Table => {
            let include = call.query.get("includeObject").unwrap_or("Metadata").to_owned();
            json_response(status, &table(resource, &[object], &include, true))
        }
        negotiate::Form::Protobuf => match kube_etcd_codec::encode_protobuf(&object) {
            Ok(None) => json_response(status, &object),
            Ok(Some(bytes)) => {
                let mut response = Response::new(Body::from(bytes));
                *response.status_mut() = status;
                let media = HeaderValue::from_static(PROTOBUF);
                response.headers_mut().insert(header::CONTENT_TYPE, media);
                response
            }
            Err(error) => ApiError::internal(error).into_response(),
        },
    }
}

/// The response with what the client is warned of.
pub(super) fn warned(mut response: Response, warnings: &[String]) -> Response {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(http::header::WARNING, value);
        }
    }
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
