//! Paths that are no resource: what the server says of itself, of its groups and of what each of them has.

use serde_json::{Map, Value, json};

use super::definitions::refer;
use super::paths::{JSON, META, PROTOBUF, YAML, capital, group_name, responses, tag_of};

/// A path that is no resource: what it answers, by the name of the component.
fn plain(path: &str, tag: &str, id: &str, text: &str, schema: &Value, forms: &[&str]) -> (String, Value) {
    let media: Map<_, _> = forms.iter().map(|form| ((*form).to_owned(), json!({"schema": schema}))).collect();
    let get = json!({"tags": [tag], "description": text, "operationId": id, "responses": responses("get", false, &media.into())});
    (path.to_owned(), json!({"get": get}))
}

pub(super) fn of_group_version(group: &str, version: &str) -> (String, Value) {
    let id = format!("get{}{}APIResources", group_name(group), capital(version));
    let path = format!("{}/", kube_etcd_codec::api_root(group, version));
    let schema = refer(&format!("{META}.APIResourceList"));
    plain(&path, &tag_of(group, version), &id, "get available resources", &schema, &[JSON, YAML, PROTOBUF])
}

/// Documents of what is no group version, by their places: the lists of groups, a group's versions, and what the
/// server says of itself.
pub(super) fn others<'g>(groups: impl Iterator<Item = &'g str>) -> Vec<(String, (String, Value))> {
    let meta = |name: &str| refer(&format!("{META}.{name}"));
    let (forms, text) = (&[JSON, YAML, PROTOBUF][..], json!({"type": "string"}));
    let versions = "get available API versions";
    let mut all = vec![
        ("api", plain("/api/", "core", "getCoreAPIVersions", versions, &meta("APIVersions"), forms)),
        ("apis", plain("/apis/", "apis", "getAPIVersions", versions, &meta("APIGroupList"), forms)),
        (
            "version",
            plain(
                "/version/",
                "version",
                "getCodeVersion",
                "get the version information for this server",
                &refer("io.k8s.apimachinery.pkg.version.Info"),
                &[JSON],
            ),
        ),
        (
            ".well-known/openid-configuration",
            plain(
                "/.well-known/openid-configuration/",
                "WellKnown",
                "getServiceAccountIssuerOpenIDConfiguration",
                "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
                &text,
                &[JSON],
            ),
        ),
        (
            "openid/v1/jwks",
            plain(
                "/openid/v1/jwks/",
                "openid",
                "getServiceAccountIssuerOpenIDKeyset",
                "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)",
                &text,
                &["application/jwk-set+json"],
            ),
        ),
    ]
    .into_iter()
    .map(|(place, path)| (place.to_owned(), path))
    .collect::<Vec<_>>();
    all.extend(groups.filter(|group| !group.is_empty()).map(|group| {
        let name = group_name(group);
        let tag = tag_of(group, "");
        let path = plain(
            &format!("/apis/{group}/"),
            tag.trim_end_matches('_'),
            &format!("get{name}APIGroup"),
            "get information of a group",
            &meta("APIGroup"),
            forms,
        );
        (format!("apis/{group}"), path)
    }));
    all
}
