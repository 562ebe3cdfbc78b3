//! Objects as the command line names them: a key of etcd, or KIND/NAME as kubectl takes it.

use crate::cli::error::CliError;
use crate::journal::Change;
use crate::text::did_you_mean;
use crate::witness::Reader;
use kube_etcd_codec::{KINDS, Kind};

const DEFAULT_NAMESPACE: &str = "default";
const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions/";

/// A kind with keys in etcd.
pub(super) struct Stored {
    folder: String,
    namespaced: bool,
}

/// The keys of a kind, or of one object.
pub(super) struct Named<'a> {
    pub(super) kind: &'a str,
    pub(super) name: Option<&'a str>,
}

impl<'a> Named<'a> {
    /// `None` where it is a key.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.starts_with('/') {
            return None;
        }
        let (kind, name) = text.split_once('/').map_or((text, None), |(kind, name)| (kind, Some(name)));
        Some(Self { kind, name: name.filter(|name| !name.is_empty()) })
    }
}

impl Stored {
    /// What the cluster stores under this name, its own definitions included.
    pub(super) async fn find(kind: &str, prefix: &str, reader: &Reader) -> Result<Self, CliError> {
        if let Some(row) = KINDS.iter().filter(|row| row.is_stored()).find(|row| is_called(row, kind)) {
            return Ok(Self { folder: row.folder.to_owned(), namespaced: row.namespaced });
        }
        let definitions = reader.below(&format!("{prefix}/{DEFINITIONS}"), None).await;
        let definitions = definitions.map_err(|error| CliError::unavailable(error.to_string(), ANSWERS))?;
        let mut names = Vec::new();
        for definition in definitions.iter().filter_map(defined) {
            if definition.names.iter().any(|name| name.eq_ignore_ascii_case(kind)) {
                return Ok(Self { folder: definition.folder, namespaced: definition.namespaced });
            }
            names.extend(definition.names);
        }
        let known = KINDS.iter().filter(|row| row.is_stored()).map(|row| row.plural);
        let near = did_you_mean(kind, known.chain(names.iter().map(String::as_str)));
        let hint = near.unwrap_or_else(|| "a kind as kubectl takes it, or a key: /registry/…".to_owned());
        Err(CliError::wrong_call(format!("this cluster stores no kind {kind}"), hint))
    }

    /// Of one object.
    pub(super) fn key(&self, prefix: &str, namespace: Option<&str>, name: &str) -> Result<String, CliError> {
        Ok(format!("{}{name}", self.folder_of(prefix, namespace)?))
    }

    /// Where one object lies.
    pub(super) fn folder_of(&self, prefix: &str, namespace: Option<&str>) -> Result<String, CliError> {
        Ok(self.folder(prefix, self.within(namespace)?))
    }

    /// Of all objects, or of those in a namespace.
    pub(super) fn folder(&self, prefix: &str, namespace: Option<&str>) -> String {
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{prefix}/{}/{namespace}/", self.folder),
            None => format!("{prefix}/{}/", self.folder),
        }
    }

    fn within<'a>(&self, namespace: Option<&'a str>) -> Result<Option<&'a str>, CliError> {
        match (self.namespaced, namespace) {
            (true, namespace) => Ok(Some(namespace.unwrap_or(DEFAULT_NAMESPACE))),
            (false, None) => Ok(None),
            (false, Some(_)) => {
                Err(CliError::wrong_call(format!("{} are in no namespace", self.folder), "leave out --namespace"))
            }
        }
    }
}

pub(super) const ANSWERS: &str = "does the cluster still answer? `keywitness cluster status` shows it";

/// `deploy`, `deployment`, `Deployment`, `deployments` or `deployments.apps`.
fn is_called(row: &Kind, name: &str) -> bool {
    let (name, group) = name.split_once('.').map_or((name, None), |(name, group)| (name, Some(group)));
    row.is_called(name) && group.is_none_or(|group| group == row.group)
}

struct Defined {
    names: Vec<String>,
    folder: String,
    namespaced: bool,
}

/// What a `CustomResourceDefinition` says of its kind.
fn defined(change: &Change) -> Option<Defined> {
    let object = change.value.as_ref()?.object().ok()?;
    let spec = &object["spec"];
    let group = spec["group"].as_str()?;
    let text = |field: &str| spec["names"][field].as_str().map(str::to_owned);
    let plural = text("plural")?;
    let short = spec["names"]["shortNames"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
    let mut names: Vec<String> = short.map(str::to_owned).collect();
    names.extend(
        [text("singular"), text("kind"), Some(plural.clone()), Some(format!("{plural}.{group}"))].into_iter().flatten(),
    );
    Some(Defined { names, folder: format!("{group}/{plural}"), namespaced: spec["scope"] == "Namespaced" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_as_kubectl_takes_them() {
        let row = KINDS.iter().find(|row| row.kind == "Deployment").expect("the row");
        for name in ["deploy", "deployment", "Deployment", "deployments", "deployments.apps"] {
            assert!(is_called(row, name), "{name}");
        }
        for name in ["deployments.extensions", "dep", "pods"] {
            assert!(!is_called(row, name), "{name}");
        }
    }

    #[test]
    fn a_key_is_no_kind() {
        assert!(Named::parse("/registry/pods/a/b").is_none());
        let named = Named::parse("pod/web").expect("a kind");
        assert_eq!((named.kind, named.name), ("pod", Some("web")));
        assert_eq!(Named::parse("pods").expect("a kind").name, None);
    }
}
