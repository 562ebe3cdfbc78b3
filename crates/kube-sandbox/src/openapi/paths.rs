//! What can be asked of a kind: its paths, with an operation for each verb, in the words of apiserver's installer.

use serde_json::{Map, Value, json};

use super::custom;
use super::definitions::{self, component_of, refer};
use crate::discovery;
use crate::resource::Resource;

pub(super) const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
pub(super) const JSON: &str = "application/json";
pub(super) const YAML: &str = "application/yaml";
pub(super) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const STREAMS: [&str; 2] = ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];

const WRITE: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];
const DELETE: [&str; 5] = [
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
];
const SELECT: [&str; 9] = [
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "shardSelector",
    "timeoutSeconds",
];
const WATCH: [&str; 2] = ["allowWatchBookmarks", "watch"];

/// Kinds whose objects a DELETE answers with; for the others it is a Status.
const ANSWERED_WHOLE: [&str; 16] = [
    "PersistentVolumeClaim",
    "Pod",
    "PodTemplate",
    "ResourceQuota",
    "ServiceAccount",
    "Service",
    "PersistentVolume",
    "DeviceClass",
    "ResourceClaim",
    "ResourceClaimTemplate",
    "ResourceSlice",
    "CSIDriver",
    "CSINode",
    "StorageClass",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// One resource, as its operations name it.
struct Named<'r> {
    resource: &'r Resource,
    /// `AppsV1`.
    group: String,
    tag: String,
    component: String,
    list: String,
}

/// `rbac.authorization.k8s.io` is `RbacAuthorization` in names.
pub(super) fn group_name(group: &str) -> String {
    let bare = group.strip_suffix(".k8s.io").unwrap_or(group);
    if bare.is_empty() { "Core".to_owned() } else { bare.split('.').map(capital).collect() }
}

pub(super) fn tag_of(group: &str, version: &str) -> String {
    let name = group_name(group);
    let mut chars = name.chars();
    let small: String = chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default();
    format!("{small}_{version}")
}

fn component_of_kind(group: &str, version: &str, kind: &str) -> String {
    let folder = group.split('.').next().filter(|folder| !folder.is_empty()).unwrap_or("core");
    component_of(&format!("{folder}/{version}.{kind}"))
}

/// The group version of a part, where it has one of its own.
fn kind_of(api_version: &str) -> Option<(&str, &str)> {
    (!api_version.is_empty()).then(|| kube_etcd_codec::split_group(api_version))
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// One operation before what all of a path share is taken out of it.
struct Operation {
    method: &'static str,
    value: Value,
    parameters: Vec<Value>,
}

pub(super) fn add(resource: &Resource, all: &mut Map<String, Value>) {
    let [component, list] = if resource.custom.is_some() {
        custom::names(resource)
    } else {
        let name = component_of_kind(&resource.group, &resource.version, &resource.kind);
        [name.clone(), format!("{name}List")]
    };
    let group = format!("{}{}", group_name(&resource.group), capital(&resource.version));
    let tag = tag_of(&resource.group, &resource.version);
    let named = Named { resource, group, tag, component, list };
    let root = kube_etcd_codec::api_root(&resource.group, &resource.version);
    let (plural, below) = (&resource.plural, if resource.namespaced { "/namespaces/{namespace}" } else { "" });
    let (many, one) = (format!("{root}{below}/{plural}"), format!("{root}{below}/{plural}/{{name}}"));
    let verbs = |known: &[(&str, &'static str)]| -> Vec<Operation> {
        known
            .iter()
            .filter(|(verb, _)| resource.allows(verb))
            .map(|(_, action)| named.operation(action, resource.namespaced))
            .collect()
    };
    let of_many = verbs(&[("list", "list"), ("create", "post"), ("deletecollection", "deletecollection")]);
    let of_one = verbs(&[("get", "get"), ("update", "put"), ("delete", "delete"), ("patch", "patch")]);
    let mut put = |path: String, operations: Vec<Operation>| {
        if !operations.is_empty() {
            let item = item(&path, &resource.kind, operations);
            all.insert(path, item);
        }
    };
    put(many.clone(), of_many);
    put(one.clone(), of_one);
    if resource.namespaced && resource.allows("list") {
        put(format!("{root}/{plural}"), vec![named.operation("list", false)]);
    }
    if resource.custom.is_none() && resource.allows("watch") {
        put(many.replacen(&root, &format!("{root}/watch"), 1), vec![named.operation("watchlist", resource.namespaced)]);
        put(one.replacen(&root, &format!("{root}/watch"), 1), vec![named.operation("watch", resource.namespaced)]);
        if resource.namespaced {
            put(format!("{root}/watch/{plural}"), vec![named.operation("watchlist", false)]);
        }
    }
    for (name, api_version, kind, verbs) in discovery::subresources(resource) {
        let kind = if kind.is_empty() { &*resource.kind } else { kind };
        let path = format!("{one}/{name}");
        if kind.ends_with("Options") {
            put(path.clone(), named.connects(name, api_version, kind, verbs, ""));
            if name == "proxy" {
                put(format!("{path}/{{path}}"), named.connects(name, api_version, kind, verbs, "WithPath"));
            }
        } else {
            let order = [("get", "get"), ("update", "put"), ("create", "post"), ("patch", "patch")];
            let known = order.into_iter().filter(|(verb, _)| verbs.contains(verb));
            put(path, known.map(|(_, action)| named.part(name, api_version, kind, action)).collect());
        }
    }
}

impl Named<'_> {
    fn media(&self, schema: &Value, streams: bool) -> Value {
        let custom = self.resource.custom.is_some();
        let forms = [JSON, YAML].into_iter().chain((!custom).then_some(PROTOBUF));
        let streams = STREAMS.into_iter().filter(|_| streams && !custom);
        forms.chain(streams).map(|form| (form.to_owned(), json!({"schema": schema}))).collect::<Map<_, _>>().into()
    }

    fn body(&self, schema: &Value, action: &str, required: bool) -> Value {
        let strategic = "application/strategic-merge-patch+json";
        let custom = self.resource.custom.is_some();
        let forms: Vec<&str> = match action {
            "patch" => [
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
                strategic,
            ]
            .into_iter()
            .filter(|form| !custom || *form != strategic)
            .collect(),
            _ if custom => vec![JSON, YAML],
            _ => vec!["*/*"],
        };
        let media: Map<_, _> = forms.into_iter().map(|form| (form.to_owned(), json!({"schema": schema}))).collect();
        let mut body = json!({"content": media});
        if required {
            body["required"] = true.into();
        }
        body
    }

    fn kind(&self, api_version: &str, kind: &str) -> Value {
        let (group, version) = match api_version {
            // A custom kind's scale goes by the name of the kind itself.
            _ if self.resource.custom.is_some() => {
                return json!({"group": self.resource.group, "version": self.resource.version, "kind": self.resource.kind});
            }
            "" => (&*self.resource.group, &*self.resource.version),
            own => kube_etcd_codec::split_group(own),
        };
        json!({"group": group, "version": version, "kind": kind})
    }

    /// An operation on objects of the kind itself.
    fn operation(&self, action: &'static str, namespaced: bool) -> Operation {
        let Resource { kind, .. } = self.resource;
        let custom = self.resource.custom.is_some();
        let own = refer(&self.component);
        let deprecated = "deprecated: use the 'watch' parameter with a list operation instead";
        let (verb, text, schema) = match action {
            "get" => ("read", format!("read the specified {kind}"), own.clone()),
            "list" if custom => ("list", format!("list objects of kind {kind}"), refer(&self.list)),
            "list" => ("list", format!("list or watch objects of kind {kind}"), refer(&self.list)),
            "post" => ("create", format!("create {} {kind}", article(kind)), own.clone()),
            "put" => ("replace", format!("replace the specified {kind}"), own.clone()),
            "patch" => ("patch", format!("partially update the specified {kind}"), own.clone()),
            "delete" if ANSWERED_WHOLE.contains(&&**kind) && !custom => {
                ("delete", format!("delete {} {kind}", article(kind)), own.clone())
            }
            "delete" => ("delete", format!("delete {} {kind}", article(kind)), refer(&format!("{META}.Status"))),
            "deletecollection" => ("delete", format!("delete collection of {kind}"), refer(&format!("{META}.Status"))),
            "watchlist" => (
                "watch",
                format!("watch individual changes to a list of {kind}. {deprecated}."),
                refer(&format!("{META}.WatchEvent")),
            ),
            _ => (
                "watch",
                format!(
                    "watch changes to an object of kind {kind}. {deprecated}, filtered to a single item with the 'fieldSelector' parameter."
                ),
                refer(&format!("{META}.WatchEvent")),
            ),
        };
        let collection = if action == "deletecollection" { "Collection" } else { "" };
        let scope = if namespaced { "Namespaced" } else { "" };
        let list = if action == "watchlist" { "List" } else { "" };
        let everywhere = self.resource.namespaced && !namespaced && ["list", "watchlist"].contains(&action);
        let all = if everywhere { "ForAllNamespaces" } else { "" };
        let id = format!("{verb}{}{collection}{scope}{kind}{list}{all}", self.group);
        let streams = ["list", "watch", "watchlist"].contains(&action);
        let mut value = self.described(&id, text, action, self.kind("", kind));
        value["responses"] = responses(action, custom, &self.media(&schema, streams));
        match action {
            "post" | "put" => value["requestBody"] = self.body(&own, action, true),
            "patch" => value["requestBody"] = self.body(&refer(&format!("{META}.Patch")), action, true),
            "delete" => value["requestBody"] = self.body(&refer(&format!("{META}.DeleteOptions")), action, false),
            "deletecollection" if !custom => {
                value["requestBody"] = self.body(&refer(&format!("{META}.DeleteOptions")), action, false);
            }
            _ => {}
        }
        Operation { method: method(action), value, parameters: self.query(action) }
    }

    /// An operation on a part of an object, or on what is made of it.
    fn part(&self, name: &str, api_version: &str, kind: &str, action: &'static str) -> Operation {
        let of = &self.resource.kind;
        let schema = match kind_of(api_version) {
            _ if name == "log" => json!({"type": "string"}),
            Some((group, version)) if kind != of => refer(&component_of_kind(group, version, kind)),
            _ => refer(&self.component),
        };
        let (verb, text) = match action {
            "get" => ("read", format!("read {name} of the specified {of}")),
            "put" => ("replace", format!("replace {name} of the specified {of}")),
            "patch" => ("patch", format!("partially update {name} of the specified {of}")),
            _ => ("create", format!("create {name} of {} {of}", article(of))),
        };
        let scope = if self.resource.namespaced { "Namespaced" } else { "" };
        let id = format!("{verb}{}{scope}{of}{}", self.group, capital(name));
        let mut value = self.described(&id, text, action, self.kind(api_version, kind));
        let mut media = self.media(&schema, false);
        if name == "log" {
            media["text/plain"] = json!({"schema": schema});
        }
        value["responses"] = responses(action, self.resource.custom.is_some(), &media);
        match action {
            "post" | "put" => value["requestBody"] = self.body(&schema, action, true),
            "patch" => value["requestBody"] = self.body(&refer(&format!("{META}.Patch")), action, true),
            _ => {}
        }
        let parameters = if name == "log" { definitions::options("PodLogOptions") } else { self.query(action) };
        Operation { method: method(action), value, parameters }
    }

    /// What goes through to a container or a server: by every method that its verbs stand for.
    fn connects(&self, name: &str, api_version: &str, kind: &str, verbs: &[&str], path: &str) -> Vec<Operation> {
        let of = &self.resource.kind;
        let known = [
            ("get", "get"),
            ("update", "put"),
            ("create", "post"),
            ("delete", "delete"),
            ("get", "options"),
            ("get", "head"),
            ("patch", "patch"),
        ];
        // What takes no DELETE takes no more than a stream needs.
        let whole = verbs.contains(&"delete");
        let methods = known
            .into_iter()
            .filter(|(verb, method)| verbs.contains(verb) && (whole || !["options", "head"].contains(method)));
        let scope = if self.resource.namespaced { "Namespaced" } else { "" };
        let media = json!({"*/*": {"schema": {"type": "string"}}});
        methods
            .map(|(_, method)| {
                let id = format!("connect{}{}{scope}{of}{}{path}", self.group, capital(method), capital(name));
                let text = format!("connect {} requests to {name} of {of}", method.to_uppercase());
                let mut value = self.described(&id, text, "connect", self.kind(api_version, kind));
                value["responses"] = responses("connect", false, &media);
                Operation { method, value, parameters: definitions::options(kind) }
            })
            .collect()
    }

    fn described(&self, id: &str, text: String, action: &str, kind: Value) -> Value {
        json!({
            "tags": [self.tag], "description": text, "operationId": id, "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind,
        })
    }

    fn query(&self, action: &str) -> Vec<Value> {
        let custom = self.resource.custom.is_some();
        let mut names: Vec<&str> = match action {
            "post" | "put" => WRITE.to_vec(),
            "patch" => WRITE.into_iter().chain(["force"]).collect(),
            "delete" => DELETE.to_vec(),
            "list" | "watch" | "watchlist" => SELECT.into_iter().chain(WATCH).collect(),
            "deletecollection" if custom => SELECT.into_iter().chain(WATCH).collect(),
            "deletecollection" => SELECT.into_iter().chain(DELETE).collect(),
            "get" if custom => vec!["resourceVersion"],
            _ => Vec::new(),
        };
        names.push("pretty");
        names.sort_unstable();
        names.into_iter().filter_map(|name| definitions::parameter(action, name)).collect()
    }
}

fn method(action: &'static str) -> &'static str {
    match action {
        "list" | "watch" | "watchlist" => "get",
        "deletecollection" => "delete",
        own => own,
    }
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" }
}

pub(super) fn responses(action: &str, custom: bool, media: &Value) -> Value {
    let codes: &[(&str, &str)] = match action {
        "post" => &[("200", "OK"), ("201", "Created"), ("202", "Accepted")],
        "patch" if custom => &[("200", "OK")],
        "put" | "patch" => &[("200", "OK"), ("201", "Created")],
        "delete" => &[("200", "OK"), ("202", "Accepted")],
        _ => &[("200", "OK")],
    };
    let mut all: Map<String, Value> =
        codes.iter().map(|(code, text)| ((*code).to_owned(), json!({"description": text, "content": media}))).collect();
    all.insert("401".to_owned(), json!({"description": "Unauthorized"}));
    all.into()
}

/// A path's item: what all of its operations take stands once.
fn item(path: &str, kind: &str, operations: Vec<Operation>) -> Value {
    let place = |name: &str, text: &str| {
        let own = path.contains(&format!("{{{name}}}"));
        own.then(|| json!({"name": name, "in": "path", "description": text, "required": true, "schema": {"type": "string", "uniqueItems": true}}))
    };
    let options = operations.first().map(|first| &first.value["x-kubernetes-group-version-kind"]["kind"]);
    let named =
        options.and_then(Value::as_str).filter(|named| named.ends_with("Options") || is_made(named)).unwrap_or(kind);
    let mut shared: Vec<Value> = [
        place("name", &format!("name of the {named}")),
        place("namespace", "object name and auth scope, such as for teams and projects"),
        place("path", "path to the resource"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let common = |one: &Value| operations.iter().all(|of| of.parameters.contains(one));
    let first = operations.first().map(|first| first.parameters.clone()).unwrap_or_default();
    let lifted: Vec<Value> = first.into_iter().filter(|one| common(one)).collect();
    let mut item = Map::new();
    for Operation { method, mut value, parameters } in operations {
        let own: Vec<Value> = parameters.into_iter().filter(|one| !lifted.contains(one)).collect();
        if !own.is_empty() {
            value["parameters"] = own.into();
        }
        item.insert(method.to_owned(), value);
    }
    shared.extend(lifted);
    shared.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
    if !shared.is_empty() {
        item.insert("parameters".to_owned(), shared.into());
    }
    item.into()
}

/// Kinds that are made of another object, by whose name they go.
fn is_made(kind: &str) -> bool {
    ["Scale", "Eviction", "TokenRequest", "Binding"].contains(&kind)
}
