//! `EndpointSlices` of those Endpoints that somebody wrote by hand, for a Service without a selector.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    Cache, Context, Controller, ENDPOINT_SLICES, ENDPOINTS, Error, Key, Next, Object, Rest, SERVICE, SERVICES, Source,
    TRIGGER, drop_slices, has_selector, held_slices, new_slice, slice_labels, store_slice,
};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// As many addresses as are mirrored of one subset.
const MOST: usize = 1000;

pub(crate) struct Mirror {
    rest: Rest,
    services: Arc<Cache>,
    endpoints: Arc<Cache>,
    slices: Arc<Cache>,
}

impl Mirror {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            services: context.cache(&SERVICES),
            endpoints: context.cache(&ENDPOINTS),
            slices: context.cache(&ENDPOINT_SLICES),
        }
    }

    /// What is to be mirrored: Endpoints by hand of a Service that has no selector.
    fn mirrored(&self, key: &Key) -> Option<Value> {
        let service = self.services.get(key).filter(|service| !service.deleting)?;
        let endpoints = self.endpoints.get(key).filter(|endpoints| !endpoints.deleting)?;
        let value = endpoints.value();
        let leads = value["metadata"]["annotations"].get(LEADER).is_some();
        let skipped = endpoints.label(SKIP) == Some("true");
        (!has_selector(&service.value()) && !skipped && !leads).then_some(value)
    }
}

/// The endpoints and the ports of each slice.
fn wanted(endpoints: &Value) -> Vec<(Value, Value)> {
    let subsets = endpoints["subsets"].as_array().into_iter().flatten();
    let slice = |subset: &Value| {
        let lists = [("addresses", true), ("notReadyAddresses", false)];
        let all = lists.into_iter().flat_map(|(list, ready)| {
            let addresses = subset[list].as_array().into_iter().flatten();
            addresses.map(move |address| endpoint(address, ready))
        });
        let ports = subset["ports"].as_array().into_iter().flatten().map(|port| {
            let mut port = port.clone();
            if port.get("name").is_none() {
                port["name"] = json!("");
            }
            port
        });
        (Value::from(all.take(MOST).collect::<Vec<_>>()), Value::from(ports.collect::<Vec<_>>()))
    };
    subsets.map(slice).collect()
}

fn endpoint(address: &Value, ready: bool) -> Value {
    let mut endpoint = json!({"addresses": [address["ip"]], "conditions": {"ready": ready}});
    for field in ["nodeName", "hostname", "targetRef"] {
        if let Some(value) = address.get(field).filter(|value| !value.is_null()) {
            endpoint[field] = value.clone();
        }
    }
    endpoint
}

#[async_trait]
impl Controller for Mirror {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let service = |slice: &Arc<Object>| Some(Key::new(&slice.key.namespace, slice.label(SERVICE)?));
        vec![
            Source::of(Arc::clone(&self.services)),
            Source::of(Arc::clone(&self.endpoints)),
            Source::new(Arc::clone(&self.slices), move |change| change.either().filter_map(service).collect()),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let endpoints = self.mirrored(key);
        let wanted = endpoints.as_ref().map(wanted).unwrap_or_default();
        let held = held_slices(&self.slices, key, MANAGER);
        if let Some(endpoints) = &endpoints {
            for (at, (list, ports)) in wanted.iter().enumerate() {
                self.write(endpoints, held.get(at).map(|held| &**held), list, ports).await?;
            }
        }
        drop_slices(&self.rest, &self.slices, held.iter().skip(wanted.len())).await?;
        Ok(Next::Change)
    }
}

impl Mirror {
    async fn write(&self, from: &Value, held: Option<&Object>, list: &Value, ports: &Value) -> Result<(), Error> {
        let six = list[0]["addresses"][0].as_str().is_some_and(|address| address.contains(':'));
        let family = if six { "IPv6" } else { "IPv4" };
        let mut slice = held.map_or_else(|| new_slice(from, &family.into()), Object::value);
        let before = slice.clone();
        slice["metadata"]["labels"] = slice_labels(from, MANAGER).into();
        let mut annotations = from["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        annotations.retain(|name, _| ![APPLIED, TRIGGER].contains(&name.as_str()));
        match slice["metadata"].as_object_mut() {
            Some(metadata) if annotations.is_empty() => drop(metadata.remove("annotations")),
            _ => slice["metadata"]["annotations"] = annotations.into(),
        }
        slice["endpoints"] = list.clone();
        slice["ports"] = ports.clone();
        if held.is_some() && slice == before {
            return Ok(());
        }
        store_slice(&self.rest, &self.slices, held.is_some(), &slice).await
    }
}
