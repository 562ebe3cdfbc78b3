//! A Service's `EndpointSlices`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    Cache, Context, Controller, ENDPOINT_SLICES, Error, HEADLESS, Key, Next, Object, PODS, Rest, SERVICES, Source,
    Triggers, backends, drop_slices, has_selector, held_slices, is_headless, moves, new_slice, owe, slice_labels,
    source, store_slice,
};
use crate::runtime::meta;

const MANAGER: &str = "endpointslice-controller.k8s.io";
/// As many addresses as one slice holds.
const SLICE: usize = 100;

pub(crate) struct Slices {
    rest: Rest,
    services: Arc<Cache>,
    pods: Arc<Cache>,
    slices: Arc<Cache>,
    triggers: Triggers,
}

impl Slices {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            services: context.cache(&SERVICES),
            pods: context.cache(&PODS),
            slices: context.cache(&ENDPOINT_SLICES),
            triggers: Triggers::default(),
        }
    }

    async fn write(
        &self,
        service: &Value,
        held: Option<&Object>,
        endpoints: &[Value],
        ports: &[Value],
        trigger: Option<String>,
    ) -> Result<(), Error> {
        let mut labels = slice_labels(service, MANAGER);
        if is_headless(service) {
            labels.insert(HEADLESS.into(), "".into());
        }
        let family = service["spec"]["ipFamilies"].get(0).cloned().unwrap_or_else(|| "IPv4".into());
        let mut slice = held.map_or_else(|| new_slice(service, &family), Object::value);
        let empty = json!([]);
        let is = |field: &str, wanted: &[Value]| {
            slice.get(field).filter(|held| !held.is_null()).unwrap_or(&empty) == &Value::from(wanted.to_vec())
        };
        if held.is_some()
            && is("endpoints", endpoints)
            && is("ports", ports)
            && slice["metadata"]["labels"] == Value::from(labels.clone())
        {
            return Ok(());
        }
        slice["metadata"]["labels"] = labels.into();
        owe(&mut slice, trigger);
        slice["endpoints"] = endpoints.into();
        slice["ports"] = ports.into();
        store_slice(&self.rest, &self.slices, held.is_some(), &slice).await
    }
}

#[async_trait]
impl Controller for Slices {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        vec![
            Source::of(Arc::clone(&self.services)),
            source(&self.pods, &self.services),
            Source::owned(Arc::clone(&self.slices), "Service"),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        // The slices of a Service that is gone are garbage.
        let Some(service) = self.services.get(key).filter(|service| !service.deleting) else {
            self.triggers.forget(key);
            return Ok(Next::Change);
        };
        let service = service.value();
        if !has_selector(&service) || service["spec"]["type"] == "ExternalName" {
            return Ok(Next::Change);
        }
        let mut by_ports: BTreeMap<String, (Vec<Value>, Vec<Value>)> = BTreeMap::new();
        for backend in backends(&service, &self.pods) {
            let mut endpoint = json!({
                "addresses": [backend.address],
                "conditions": {"ready": backend.ready, "serving": backend.serving, "terminating": backend.terminating},
                "targetRef": backend.target,
            });
            if let Some(node) = backend.node {
                endpoint["nodeName"] = node.into();
            }
            if let Some(hostname) = backend.hostname {
                endpoint["hostname"] = hostname.into();
            }
            let ports = backend.ports;
            by_ports
                .entry(Value::from(ports.clone()).to_string())
                .or_insert_with(|| (Vec::new(), ports))
                .0
                .push(endpoint);
        }
        let mut wanted: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
        for (endpoints, ports) in by_ports.into_values() {
            wanted.extend(endpoints.chunks(SLICE).map(|chunk| (chunk.to_vec(), ports.clone())));
        }
        if wanted.is_empty() {
            wanted.push((Vec::new(), Vec::new()));
        }
        let held = held_slices(&self.slices, key, MANAGER);
        let made = meta::text(&service, "/metadata/creationTimestamp");
        let trigger = self.triggers.changed(key, made, moves(&service, &self.pods));
        for (at, (endpoints, ports)) in wanted.iter().enumerate() {
            self.write(&service, held.get(at).map(|held| &**held), endpoints, ports, trigger.clone()).await?;
        }
        drop_slices(&self.rest, &self.slices, held.iter().skip(wanted.len())).await?;
        Ok(Next::Change)
    }
}
