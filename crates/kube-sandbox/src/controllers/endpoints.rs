//! Where a Service's pods answer: its Endpoints, and its `EndpointSlices`.

mod mirror;
mod slices;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

pub(crate) use mirror::Mirror;
pub(crate) use slices::Slices;

use super::trigger::{TRIGGER, Triggers};
use crate::object::labels;
use crate::runtime::{
    Cache, Context, Controller, ENDPOINT_SLICES, ENDPOINTS, Error, Key, Next, Object, PODS, Phase, Rest, SERVICES,
    Source, meta,
};

const SERVICE: &str = "kubernetes.io/service-name";
const MANAGED: &str = "endpointslice.kubernetes.io/managed-by";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// One pod behind a Service.
struct Backend {
    address: String,
    ready: bool,
    serving: bool,
    terminating: bool,
    node: Option<String>,
    hostname: Option<String>,
    target: Value,
    ports: Vec<Value>,
}

fn backends(service: &Value, pods: &Cache) -> Vec<Backend> {
    let namespace = meta::text(service, "/metadata/namespace");
    let selector = &service["spec"]["selector"];
    let eager = service["spec"]["publishNotReadyAddresses"] == true;
    let name = meta::text(service, "/metadata/name");
    let behind =
        pods.in_namespace(namespace).into_iter().filter(|pod| labels::selects_map(selector, |key| pod.label(key)));
    behind
        .filter_map(|pod| {
            let facts = pod.pod.as_ref().filter(|facts| !facts.phase.over())?;
            let value = pod.value();
            let address = meta::text(&value, "/status/podIP").to_owned();
            if address.is_empty() {
                return None;
            }
            let ports = service["spec"]["ports"].as_array().into_iter().flatten();
            let ports: Vec<Value> = ports.filter_map(|port| target_port(port, &value)).collect();
            let in_domain = value["spec"]["subdomain"] == name && !meta::text(&value, "/spec/hostname").is_empty();
            let serving = facts.ready && facts.phase == Phase::Running;
            Some(Backend {
                address,
                ready: eager || serving && !pod.deleting,
                serving,
                terminating: pod.deleting,
                node: facts.node.as_deref().map(str::to_owned),
                hostname: in_domain.then(|| meta::text(&value, "/spec/hostname").to_owned()),
                target: json!({
                    "kind": "Pod", "namespace": &*pod.key.namespace, "name": &*pod.key.name, "uid": &*pod.uid,
                }),
                ports,
            })
        })
        .collect()
}

/// The port of a pod that a Service's port leads to; a name is looked up among its containers' ports.
fn target_port(port: &Value, pod: &Value) -> Option<Value> {
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    let number = match &port["targetPort"] {
        Value::Number(number) => number.as_i64().filter(|number| *number > 0).or_else(|| port["port"].as_i64())?,
        Value::String(name) => {
            let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
            let mut named = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
            named
                .find(|held| held["name"] == **name && held["protocol"].as_str().unwrap_or("TCP") == protocol)?["containerPort"]
                .as_i64()?
        }
        _ => port["port"].as_i64()?,
    };
    let mut found = json!({"name": port["name"].as_str().unwrap_or_default(), "protocol": protocol, "port": number});
    if let Some(application) = port.get("appProtocol") {
        found["appProtocol"] = application.clone();
    }
    Some(found)
}

fn is_headless(service: &Value) -> bool {
    service["spec"]["clusterIP"] == "None"
}

/// Since when each pod behind the Service is as ready as it is.
fn moves(service: &Value, pods: &Cache) -> BTreeMap<String, String> {
    let selector = &service["spec"]["selector"];
    let behind = pods.in_namespace(meta::text(service, "/metadata/namespace")).into_iter();
    behind
        .filter(|pod| labels::selects_map(selector, |key| pod.label(key)))
        .filter_map(|pod| {
            let value = pod.value();
            let ready = value["status"]["conditions"].as_array()?.iter().find(|held| held["type"] == "Ready")?;
            let since = meta::text(ready, "/lastTransitionTime");
            // Here a pod may become ready within the second in which it was told not to be: `True` sorts last.
            Some((pod.key.name.to_string(), format!("{since}|{}", meta::text(ready, "/status"))))
        })
        .collect()
}

/// Notes what the change goes back to; one that goes back to nothing known says so.
fn owe(object: &mut Value, trigger: Option<String>) {
    let metadata = &mut object["metadata"];
    if let Some(trigger) = trigger {
        metadata["annotations"][TRIGGER] = trigger.into();
        return;
    }
    let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
    let empty = annotations.is_some_and(|annotations| {
        annotations.remove(TRIGGER);
        annotations.is_empty()
    });
    if empty && let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("annotations");
    }
}

fn has_selector(service: &Value) -> bool {
    service["spec"]["selector"].as_object().is_some_and(|selector| !selector.is_empty())
}

fn source(pods: &Arc<Cache>, services: &Arc<Cache>) -> Source<Key> {
    let services = Arc::clone(services);
    Source::new(Arc::clone(pods), move |change| {
        let Some(pod) = change.either().next() else { return Vec::new() };
        let candidates = services.in_namespace(&pod.key.namespace);
        let selects = |service: &&Arc<Object>| {
            let value = service.value();
            change.either().any(|pod| labels::selects_map(&value["spec"]["selector"], |key| pod.label(key)))
        };
        candidates.iter().filter(selects).map(|service| service.key.clone()).collect()
    })
}

pub(crate) struct Endpoints {
    rest: Rest,
    services: Arc<Cache>,
    pods: Arc<Cache>,
    endpoints: Arc<Cache>,
    triggers: Triggers,
    /// Services that were deleted: their Endpoints go with them, whoever wrote those.
    deleted: Arc<Mutex<HashSet<Key>>>,
}

impl Endpoints {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            services: context.cache(&SERVICES),
            pods: context.cache(&PODS),
            endpoints: context.cache(&ENDPOINTS),
            triggers: Triggers::default(),
            deleted: Arc::default(),
        }
    }
}

/// Addresses with the same ports are one subset.
fn subsets(backends: &[Backend], service: &Value) -> Vec<Value> {
    /// Ready addresses, others, and their ports.
    type Group = (Vec<Value>, Vec<Value>, Vec<Value>);
    let mut by_ports: BTreeMap<String, Group> = BTreeMap::new();
    let eager = service["spec"]["publishNotReadyAddresses"] == true;
    for backend in backends.iter().filter(|backend| eager || !backend.terminating) {
        let ports: Vec<Value> = backend
            .ports
            .iter()
            .map(|port| {
                let mut port = port.clone();
                if port["name"] == ""
                    && let Some(port) = port.as_object_mut()
                {
                    port.remove("name");
                }
                port
            })
            .collect();
        if ports.is_empty() && !is_headless(service) {
            continue;
        }
        let mut address = json!({"ip": backend.address, "targetRef": backend.target});
        if let Some(node) = &backend.node {
            address["nodeName"] = node.as_str().into();
        }
        if let Some(hostname) = &backend.hostname {
            address["hostname"] = hostname.as_str().into();
        }
        let group =
            by_ports.entry(Value::from(ports.clone()).to_string()).or_insert_with(|| (Vec::new(), Vec::new(), ports));
        if backend.ready { group.0.push(address) } else { group.1.push(address) }
    }
    let by_address = |mut addresses: Vec<Value>| {
        addresses.sort_by(|a, b| meta::text(a, "/ip").cmp(meta::text(b, "/ip")));
        addresses
    };
    by_ports
        .into_values()
        .map(|(ready, unready, ports)| {
            let mut subset = Map::new();
            for (field, list) in
                [("addresses", by_address(ready)), ("notReadyAddresses", by_address(unready)), ("ports", ports)]
            {
                if !list.is_empty() {
                    subset.insert(field.into(), list.into());
                }
            }
            subset.into()
        })
        .collect()
}

/// The slices of a Service that this controller made.
fn held_slices(slices: &Cache, service: &Key, manager: &str) -> Vec<Arc<Object>> {
    let mut held = slices.in_namespace(&service.namespace);
    held.retain(|slice| {
        slice.label(SERVICE) == Some(&service.name) && slice.label(MANAGED) == Some(manager) && !slice.deleting
    });
    held
}

/// A slice that is not there yet, of the Service or the Endpoints that it shows.
fn new_slice(from: &Value, family: &Value) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": format!("{}-", meta::text(from, "/metadata/name")),
            "namespace": from["metadata"]["namespace"],
            "ownerReferences": [meta::controller_of(from)],
        },
        "addressType": family,
    })
}

/// The labels of what it shows, and those that say whose slice it is.
fn slice_labels(from: &Value, manager: &str) -> Map<String, Value> {
    let mut labels = from["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.insert(MANAGED.into(), manager.into());
    labels.insert(SERVICE.into(), from["metadata"]["name"].clone());
    labels
}

/// Writes a slice, a new one or in place of the one that is there; a namespace that is ending takes none.
async fn store_slice(rest: &Rest, slices: &Cache, is_there: bool, slice: &Value) -> Result<(), Error> {
    let written = if is_there {
        rest.replace(&ENDPOINT_SLICES, "", slice).await
    } else {
        rest.create(&ENDPOINT_SLICES, meta::text(slice, "/metadata/namespace"), slice).await
    };
    match written {
        Ok(written) => slices.wrote(&written),
        Err(error) if error.is_terminating() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn drop_slices(rest: &Rest, slices: &Cache, surplus: impl Iterator<Item = &Arc<Object>>) -> Result<(), Error> {
    for slice in surplus {
        rest.delete(&ENDPOINT_SLICES, &slice.key.namespace, &slice.key.name, &slice.uid, json!({})).await?;
        slices.forgot(&slice.key, &slice.uid);
    }
    Ok(())
}

#[async_trait]
impl Controller for Endpoints {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let deleted = Arc::clone(&self.deleted);
        let services = Source::new(Arc::clone(&self.services), move |change| {
            let mut deleted = deleted.lock().unwrap_or_else(PoisonError::into_inner);
            match (&change.old, &change.new) {
                (_, Some(service)) => {
                    deleted.remove(&service.key);
                    vec![service.key.clone()]
                }
                (Some(service), None) => {
                    deleted.insert(service.key.clone());
                    vec![service.key.clone()]
                }
                (None, None) => Vec::new(),
            }
        });
        vec![services, source(&self.pods, &self.services), Source::of(Arc::clone(&self.endpoints))]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let held = self.endpoints.get(key);
        let Some(service) = self.services.get(key) else {
            self.triggers.forget(key);
            let with_it = self.deleted.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            let ours = held.filter(|held| with_it || held.label("endpoints.kubernetes.io/managed-by").is_some());
            if let Some(held) = ours {
                self.rest.delete(&ENDPOINTS, &key.namespace, &key.name, &held.uid, json!({})).await?;
                self.endpoints.forgot(key, &held.uid);
            }
            return Ok(Next::Change);
        };
        let service = service.value();
        if !has_selector(&service) || service["spec"]["type"] == "ExternalName" {
            return Ok(Next::Change);
        }
        let trigger = self.triggers.changed(
            key,
            meta::text(&service, "/metadata/creationTimestamp"),
            moves(&service, &self.pods),
        );
        let subsets = subsets(&backends(&service, &self.pods), &service);
        let mut labels = service["metadata"]["labels"].as_object().cloned().unwrap_or_default();
        labels.insert("endpoints.kubernetes.io/managed-by".into(), "endpoint-controller".into());
        if is_headless(&service) {
            labels.insert(HEADLESS.into(), "".into());
        }
        let before = held.map(|held| held.value());
        let mut object = before.clone().unwrap_or_else(|| {
            json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": &*key.name, "namespace": &*key.namespace}})
        });
        let none = json!([]);
        let unchanged = before.is_some()
            && object["metadata"]["labels"] == Value::from(labels.clone())
            && object.get("subsets").filter(|held| !held.is_null()).unwrap_or(&none) == &Value::from(subsets.clone());
        if unchanged {
            return Ok(Next::Change);
        }
        object["metadata"]["labels"] = labels.into();
        owe(&mut object, trigger);
        if subsets.is_empty() {
            drop(object.as_object_mut().and_then(|object| object.remove("subsets")));
        } else {
            object["subsets"] = subsets.into();
        }
        let written = if before.is_some() {
            self.rest.replace(&ENDPOINTS, "", &object).await
        } else {
            self.rest.create(&ENDPOINTS, &key.namespace, &object).await
        };
        match written {
            Ok(written) => self.endpoints.wrote(&written),
            Err(error) if error.is_terminating() => {}
            Err(error) => return Err(error),
        }
        Ok(Next::Change)
    }
}
