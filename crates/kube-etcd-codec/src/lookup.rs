//! From names and keys to the rows of the table of kinds, and between the spellings of a group and its version.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::kinds::{KINDS, Kind};

/// What an etcd key names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// `None` for a custom resource: its schema is the cluster's own.
    pub kind: Option<&'static Kind>,
    /// Empty for the core group.
    pub group: String,
    /// The resource's plural.
    pub plural: String,
    /// Of an object that lies in one.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
}

type Index<K> = LazyLock<HashMap<K, &'static Kind>>;

// The first row wins, so that `events` is the core group's and `Endpoints` the one that is served.
fn index<K: std::hash::Hash + Eq>(key: impl Fn(&'static Kind) -> K) -> HashMap<K, &'static Kind> {
    let mut map = HashMap::new();
    for kind in KINDS {
        map.entry(key(kind)).or_insert(kind);
    }
    map
}

static BY_KIND: Index<(&str, &str)> = LazyLock::new(|| index(|kind| (kind.group, kind.kind)));
static BY_PLURAL: Index<(&str, &str)> = LazyLock::new(|| index(|kind| (kind.group, kind.plural)));
static BY_FOLDER: Index<&str> =
    LazyLock::new(|| index(|kind| kind.folder).into_iter().filter(|(_, kind)| kind.is_stored()).collect());

/// The row of `group` (empty for core) and `kind` (`Deployment`).
pub fn kind_by_kind(group: &str, kind: &str) -> Option<&'static Kind> {
    BY_KIND.get(&(group, kind)).copied()
}

/// The row of `group` (empty for core) and `plural` (`deployments`).
pub fn kind_by_plural(group: &str, plural: &str) -> Option<&'static Kind> {
    BY_PLURAL.get(&(group, plural)).copied()
}

/// The first row that kubectl takes the word for: `pods`, `pod`, `Pod` or `po`.
pub fn kind_called(word: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.is_called(word))
}

/// The row that an object's own `apiVersion` and `kind` name, whatever the version.
pub fn kind_by_api_version(api_version: &str, kind: &str) -> Option<&'static Kind> {
    kind_by_kind(split_group(api_version).0, kind)
}

/// The row of the folder that a path under the prefix starts with (`minions/n1`,
/// `services/specs/default/web`), and what of the path is left.
pub fn kind_by_folder(path: &str) -> Option<(&'static Kind, &str)> {
    let path = path.trim_start_matches('/');
    let mut segments = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let first = segments.next()?;
    let second = segments.next();
    [Some(first), second].into_iter().flatten().find_map(|end| {
        let kind = BY_FOLDER.get(&path[..end])?;
        Some((*kind, path[end..].trim_start_matches('/')))
    })
}

/// Whether Kubernetes itself keeps keys whose first segment after `/registry/` is this one.
/// Custom resources lie under their group, which has a dot.
pub fn known_folder(segment: &str) -> bool {
    first_folders().any(|folder| folder == segment)
}

/// The first segments that [`known_folder`] knows, for suggestions.
pub fn first_folders() -> impl Iterator<Item = &'static str> {
    KINDS.iter().filter(|kind| kind.is_stored()).filter_map(|kind| kind.folder.split('/').next())
}

/// What a key under `prefix` (`/registry`) names; `None` for a folder or a foreign key.
pub fn by_key(prefix: &str, key: &str) -> Option<ObjectRef> {
    let path = key.strip_prefix(prefix)?.strip_prefix('/')?;
    if let Some((kind, rest)) = kind_by_folder(path) {
        let (namespace, name) = match rest.split_once('/') {
            Some((namespace, name)) if kind.namespaced => (Some(namespace), name),
            None if !kind.namespaced => (None, rest),
            _ => return None,
        };
        let resource = |namespace: Option<&str>, name: &str| ObjectRef {
            kind: Some(kind),
            group: kind.group.to_owned(),
            plural: kind.plural.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        return (!name.is_empty() && !name.contains('/')).then(|| resource(namespace, name));
    }
    let mut segments = path.split('/');
    let group = segments.next().filter(|group| group.contains('.'))?;
    let plural = segments.next()?;
    let rest: Vec<&str> = segments.collect();
    let (namespace, name) = match rest[..] {
        [namespace, name] => (Some(namespace), name),
        [name] => (None, name),
        _ => return None,
    };
    (!name.is_empty()).then(|| ObjectRef {
        kind: None,
        group: group.to_owned(),
        plural: plural.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    })
}

/// `apps/v1` into its group and version; the core group's is empty.
pub fn split_group(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// `/api/v1`, `/apis/apps/v1`: where the resources of a group's version are served.
pub fn api_root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

/// The end of the range of all keys that begin with `prefix`; of all keys where it is empty.
pub fn prefix_end(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

/// A group and version as `apiVersion` has them.
pub fn join_group(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
