//! What a request's path and query ask for.

use std::num::{IntErrorKind, ParseIntError};

use http::{HeaderMap, Method, Uri, header};
use serde_json::json;

use crate::object::field_error::{FieldError, FieldErrorKind};
use crate::status::ApiError;
use crate::user::User;

/// A path below `/api` or `/apis/GROUP`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourcePath {
    pub group: String,
    pub version: String,
    pub namespace: Option<String>,
    pub plural: String,
    pub name: Option<String>,
    pub subresource: Option<String>,
    /// What follows the subresource (of a proxy).
    pub rest: String,
    /// The old form, `/api/v1/watch/...`.
    pub watch: bool,
}

impl ResourcePath {
    /// `None` where the path names no resource.
    pub fn parse(path: &str) -> Option<Self> {
        let decoded = path.split('/').filter(|part| !part.is_empty()).map(percent_decoded);
        let parts: Vec<String> = decoded.collect();
        let mut parts = parts.iter().map(String::as_str);
        let (group, version) = match parts.next()? {
            "api" => ("", parts.next()?),
            "apis" => (parts.next()?, parts.next()?),
            _ => return None,
        };
        let mut this = Self { group: group.to_owned(), version: version.to_owned(), ..Self::default() };
        let mut next = parts.next()?;
        if next == "watch" {
            this.watch = true;
            next = parts.next()?;
        }
        let rest: Vec<&str> = parts.collect();
        let (plural, rest) = match (next, &rest[..]) {
            // The namespace itself and its own subresources, else something within it.
            ("namespaces", [] | [_] | [_, "status" | "finalize"]) => (next, &rest[..]),
            ("namespaces", [namespace, plural, rest @ ..]) => {
                this.namespace = Some((*namespace).to_owned());
                (*plural, rest)
            }
            _ => (next, &rest[..]),
        };
        plural.clone_into(&mut this.plural);
        if let [name, ..] = rest {
            this.name = Some((*name).to_owned());
        }
        if let [_, subresource, rest @ ..] = rest {
            this.subresource = Some((*subresource).to_owned());
            this.rest = rest.join("/");
        }
        Some(this)
    }
}

fn percent_decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// The query's pairs, in order.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(uri: &Uri) -> Self {
        Self(axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).map(|query| query.0).unwrap_or_default())
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first value of this name that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// As Go's reader of parameters has it: whatever is not `0` or `false`.
    pub fn flag(&self, name: &str) -> bool {
        let given = self.0.iter().find(|(key, _)| key == name);
        given.is_some_and(|(_, value)| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    pub fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(given) = self.get(name) else { return Ok(None) };
        given.parse().map(Some).map_err(|error: ParseIntError| {
            let out = matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow);
            let why = if out { "value out of range" } else { "invalid syntax" };
            ApiError::bad_request(format!("strconv.ParseInt: parsing {}: {why}", json!(given)))
        })
    }
}

impl FromIterator<(String, String)> for Query {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// What a request does, as Kubernetes knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
    /// A method that no resource has.
    Other,
}

impl Verb {
    pub fn of(call: &Call) -> Self {
        let named = call.path.name.is_some();
        match call.method {
            Method::GET | Method::HEAD if call.path.watch => Verb::Watch,
            Method::GET | Method::HEAD if named => Verb::Get,
            Method::GET | Method::HEAD => Verb::List,
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE if named => Verb::Delete,
            Method::DELETE => Verb::DeleteCollection,
            _ => Verb::Other,
        }
    }

    /// As discovery, rules and counters name it.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
            Verb::Other => "other",
        }
    }
}

/// Whether the answer goes on for as long as the client likes: a watch, or a stream of a pod.
pub fn is_long_running(uri: &Uri) -> bool {
    let of_a_kubelet = ["/exec/", "/attach/", "/portForward/", "/containerLogs/"];
    let Some(path) = ResourcePath::parse(uri.path()) else {
        return of_a_kubelet.iter().any(|start| uri.path().starts_with(start));
    };
    let streams = matches!(path.subresource.as_deref(), Some("exec" | "attach" | "portforward" | "log" | "proxy"));
    path.watch || streams || Query::of(uri).flag("watch")
}

/// One request for a resource, its body aside.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub path: ResourcePath,
    pub query: Query,
    pub headers: HeaderMap,
    pub user: User,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// What every write takes.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    pub dry_run: bool,
    pub manager: String,
    pub validation: FieldValidation,
    pub force: bool,
}

impl Call {
    pub fn header(&self, name: &header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn write_options(&self) -> Result<WriteOptions, ApiError> {
        let wrong = self.wrong_options();
        if !wrong.is_empty() {
            let kind = match self.method {
                Method::PUT => "UpdateOptions",
                Method::PATCH => "PatchOptions",
                _ => "CreateOptions",
            };
            return Err(ApiError::invalid_options(kind, &wrong));
        }
        let dry_run = self.query.get("dryRun").is_some();
        let agent = self.header(&header::USER_AGENT).split('/').next().unwrap_or_default();
        let manager = self.query.get("fieldManager").unwrap_or(if agent.is_empty() { "unknown" } else { agent });
        let validation = match self.query.get("fieldValidation") {
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            _ => FieldValidation::Warn,
        };
        Ok(WriteOptions { dry_run, manager: manager.to_owned(), validation, force: self.query.flag("force") })
    }

    fn wrong_options(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let applies = self.header(&header::CONTENT_TYPE).starts_with("application/apply-patch+");
        if self.method == Method::PATCH && !applies && self.query.get("force").is_some() {
            wrong.push(FieldError::forbidden("force", "may not be specified for non-apply patch"));
        }
        let manager = self.query.get("fieldManager").unwrap_or_default();
        if self.method == Method::PATCH && applies && manager.is_empty() {
            wrong.push(FieldError::required("fieldManager", "is required for apply patch"));
        }
        if manager.len() > LONGEST_MANAGER {
            let why = format!("may not be more than {LONGEST_MANAGER} bytes");
            wrong.push(FieldError::new("fieldManager", FieldErrorKind::TooLong, why));
        }
        for (at, one) in manager.char_indices().filter(|(_, one)| one.is_control()) {
            let why = format!("invalid character U+{:04X} (at position {at})", u32::from(one));
            wrong.push(FieldError::invalid("fieldManager", &json!(manager), &why));
        }
        wrong.extend(wrong_dry_run(&self.query.all("dryRun").collect::<Vec<_>>()));
        let validation = self.query.get("fieldValidation").unwrap_or_default();
        let known = ["", "Ignore", "Strict", "Warn"];
        if !known.contains(&validation) {
            wrong.push(FieldError::unsupported("fieldValidation", &json!(validation), &known));
        }
        wrong
    }
}

const LONGEST_MANAGER: usize = 128;

/// What is wrong with the stages that a request is not to reach; there is one word for it.
pub fn wrong_dry_run(stages: &[&str]) -> Option<FieldError> {
    let known = stages.iter().all(|stage| *stage == "All");
    (!known).then(|| FieldError::unsupported("dryRun", &json!(stages), &["All"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> (String, Option<String>, Option<String>, Option<String>) {
        let path = ResourcePath::parse(path).expect("a resource");
        (path.plural, path.namespace, path.name, path.subresource)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the expected parts read as the parsed ones")]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn paths_name_their_parts() {
        assert_eq!(parsed("/api/v1/pods"), ("pods".into(), None, None, None));
        assert_eq!(parsed("/api/v1/namespaces/a"), ("namespaces".into(), None, some("a"), None));
        assert_eq!(parsed("/api/v1/namespaces/a/finalize"), ("namespaces".into(), None, some("a"), some("finalize")));
        assert_eq!(parsed("/api/v1/namespaces/a/pods"), ("pods".into(), some("a"), None, None));
        assert_eq!(
            parsed("/apis/apps/v1/namespaces/a/deployments/d/scale"),
            ("deployments".into(), some("a"), some("d"), some("scale"))
        );
        assert_eq!(
            parsed("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode").2,
            some("system:node"),
            "names are decoded"
        );
        assert_eq!(ResourcePath::parse("/apis/apps"), None);
        assert_eq!(ResourcePath::parse("/healthz"), None);
    }

    #[test]
    fn watches_and_streams_take_as_long_as_they_take() {
        let endless = |uri: &str| is_long_running(&uri.parse().expect("a path"));
        let query = |query: &str| Query::of(&format!("/a?{query}").parse().expect("a path"));
        assert!(query("watch").flag("watch") && query("watch=yes").flag("watch") && query("watch=").flag("watch"));
        assert!(!query("watch=False").flag("watch") && !query("a=1").flag("watch"));
        assert_eq!(query("limit=5").number("limit").expect("a number"), Some(5));
        let refused = |text: &str| query(text).number("limit").expect_err("no number").message;
        assert_eq!(refused("limit=x"), "strconv.ParseInt: parsing \"x\": invalid syntax");
        assert_eq!(
            refused("limit=99999999999999999999"),
            "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"
        );
        assert!(endless("/api/v1/pods?watch=1") && endless("/api/v1/watch/pods"));
        assert!(endless("/api/v1/namespaces/a/pods/p/log?follow=true") && endless("/exec/a/p/c?command=sh"));
        assert!(!endless("/api/v1/pods?watch=0") && !endless("/api/v1/namespaces/a/pods/p") && !endless("/readyz"));
    }
}
