//! Requests as any client would make them, in JSON.

use http::Request;
use serde_json::{Value, json};

use super::ApiResource;

/// The API, under the name that this component writes as.
#[derive(Clone)]
pub(crate) struct Rest {
    client: kube::Client,
    manager: &'static str,
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Kube(#[from] kube::Error),
    #[error("{0}")]
    Request(#[from] http::Error),
    /// The work is not done yet and is to be taken up again.
    #[error("{0}")]
    Again(String),
}

impl Error {
    fn reason(&self) -> &str {
        match self {
            Self::Kube(kube::Error::Api(status)) => &status.reason,
            _ => "",
        }
    }

    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Kube(kube::Error::Api(status)) => status.code,
            _ => 0,
        }
    }

    /// The server's words, without the client's wrapping.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Kube(kube::Error::Api(status)) => status.message.clone(),
            other => other.to_string(),
        }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.code() == 404
    }

    pub(crate) fn is_conflict(&self) -> bool {
        self.reason() == "Conflict"
    }

    pub(crate) fn already_exists(&self) -> bool {
        self.reason() == "AlreadyExists"
    }

    /// Refused for what it is: to ask again changes nothing by itself.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.code(), 400 | 403 | 422)
    }

    /// Nothing can be created any more in a namespace that is being deleted.
    pub(crate) fn is_terminating(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.code == 403 && status.message.contains("being terminated"))
    }
}

/// What a deletion left behind.
pub(crate) enum Deleted {
    /// Still there, waiting for its grace period or finalizers.
    Pending(Value),
    Gone,
    /// It was not there, or not the one that was meant.
    Absent,
}

impl Rest {
    pub(crate) fn new(client: kube::Client, manager: &'static str) -> Self {
        Self { client, manager }
    }

    pub(crate) fn client(&self) -> &kube::Client {
        &self.client
    }

    pub(crate) fn as_manager(&self, manager: &'static str) -> Self {
        Self { client: self.client.clone(), manager }
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: Option<&Value>) -> Result<Value, Error> {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", "application/json")
            .header("content-type", kind)
            .body(body)?;
        Ok(self.client.request(request).await?)
    }

    pub(crate) async fn read(&self, path: &str) -> Result<Value, Error> {
        self.send("GET", path, "application/json", None).await
    }

    pub(crate) async fn get(
        &self,
        resource: &ApiResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, Error> {
        match self.read(&format!("{}/{name}", resource.path(namespace))).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn create(&self, resource: &ApiResource, namespace: &str, object: &Value) -> Result<Value, Error> {
        let path = format!("{}?fieldManager={}", resource.path(namespace), self.manager);
        self.send("POST", &path, "application/json", Some(object)).await
    }

    /// `part` is a subresource such as `binding`.
    pub(crate) async fn create_part(
        &self,
        resource: &ApiResource,
        namespace: &str,
        name: &str,
        part: &str,
        object: &Value,
    ) -> Result<Value, Error> {
        let path = format!("{}/{name}/{part}?fieldManager={}", resource.path(namespace), self.manager);
        self.send("POST", &path, "application/json", Some(object)).await
    }

    /// Replaces an object, or its `status` or another part of it, where `object` names both.
    pub(crate) async fn replace(&self, resource: &ApiResource, part: &str, object: &Value) -> Result<Value, Error> {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let slash = if part.is_empty() { "" } else { "/" };
        let path = format!("{}/{name}{slash}{part}?fieldManager={}", resource.path(namespace), self.manager);
        self.send("PUT", &path, "application/json", Some(object)).await
    }

    pub(crate) async fn merge(
        &self,
        resource: &ApiResource,
        namespace: &str,
        name: &str,
        part: &str,
        patch: &Value,
    ) -> Result<Value, Error> {
        let slash = if part.is_empty() { "" } else { "/" };
        let path = format!("{}/{name}{slash}{part}?fieldManager={}", resource.path(namespace), self.manager);
        self.send("PATCH", &path, "application/merge-patch+json", Some(patch)).await
    }

    /// Deletes the object with this uid; one of the same name that came after it stays.
    pub(crate) async fn delete(
        &self,
        resource: &ApiResource,
        namespace: &str,
        name: &str,
        uid: &str,
        options: Value,
    ) -> Result<Deleted, Error> {
        let mut body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}});
        if let (Some(body), Value::Object(options)) = (body.as_object_mut(), options) {
            body.extend(options);
        }
        let path = format!("{}/{name}", resource.path(namespace));
        match self.send("DELETE", &path, "application/json", Some(&body)).await {
            Ok(answer) if answer["kind"] == "Status" => Ok(Deleted::Gone),
            Ok(object) if object["metadata"].get("deletionTimestamp").is_some() => Ok(Deleted::Pending(object)),
            Ok(_) => Ok(Deleted::Gone),
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(Deleted::Absent),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn delete_collection(&self, resource: &ApiResource, namespace: &str) -> Result<(), Error> {
        let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        self.send("DELETE", &resource.path(namespace), "application/json", Some(&body)).await.map(drop)
    }
}
