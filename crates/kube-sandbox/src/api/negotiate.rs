//! What form the client wants: the object, a table for people, or its metadata alone.

use http::{HeaderMap, header};

use crate::status::ApiError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Object,
    Table,
    /// `PartialObjectMetadata`, of a list too.
    Metadata,
    /// Kubernetes' protobuf, of single objects only.
    Protobuf,
}

/// The first form of the Accept header that can be had; what is not known falls back to JSON.
pub fn form(headers: &HeaderMap) -> Form {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for part in accept.split(',') {
        let mut pieces = part.split(';').map(str::trim);
        let media = pieces.next().unwrap_or_default();
        let wanted = pieces.find_map(|piece| piece.strip_prefix("as="));
        match (media, wanted) {
            ("application/json" | "*/*" | "application/*", None) => return Form::Object,
            ("application/json", Some("Table")) => return Form::Table,
            ("application/json", Some("PartialObjectMetadata" | "PartialObjectMetadataList")) => return Form::Metadata,
            _ => {}
        }
    }
    if accept.contains("application/vnd.kubernetes.protobuf") { Form::Protobuf } else { Form::Object }
}

/// Refuses where only forms are wanted that this kind does not have: a review is no row of a table.
pub fn plain_only(headers: &HeaderMap) -> Result<(), ApiError> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.is_empty() || !accept.split(',').all(|part| part.split(';').any(|piece| piece.trim().starts_with("as=")))
    {
        return Ok(());
    }
    let why = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    Err(ApiError::new(406, "NotAcceptable", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_gets_a_table_and_a_protobuf_client_falls_back_to_json() {
        let of = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            form(&headers)
        };
        assert_eq!(
            of(
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
            ),
            Form::Table
        );
        assert_eq!(of("application/vnd.kubernetes.protobuf,application/json"), Form::Object);
        assert_eq!(of("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"), Form::Metadata);
        assert_eq!(of("application/vnd.kubernetes.protobuf"), Form::Protobuf);
        assert_eq!(of("*/*"), Form::Object);
    }

    #[test]
    fn a_review_is_no_table() {
        let of = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            plain_only(&headers).map_err(|error| error.code)
        };
        assert_eq!(of("application/json;as=Table;v=v1;g=meta.k8s.io"), Err(406));
        assert_eq!(of("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"), Ok(()));
        assert_eq!(of("*/*"), Ok(()));
    }
}
