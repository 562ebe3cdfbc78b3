//! Services: the cluster address, whose holder is an `IPAddress` object of its own, and node ports.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use base64::Engine;
use rand::Rng;
use serde_json::{Value, json};

use crate::api::SharedApi;
use crate::object::field_error::FieldError;
use crate::object::meta;
use crate::objects::selector::Selector;
use crate::status::ApiError;
use crate::store::Written;
use crate::{addresses, objects, validate};
use kube_etcd_codec::names;

const FIRST_PORT: u16 = 30000;
const LAST_PORT: u16 = 32767;
const TRIES: usize = 64;

/// What to give back when the object could not be stored.
#[must_use]
pub struct Reserved(Option<String>);

impl Reserved {
    pub fn nothing() -> Self {
        Self(None)
    }

    pub async fn release(self, api: &SharedApi) {
        if let Some(address) = self.0 {
            // A reservation that stays costs one address of 65,000.
            let _ = free(api, &address).await;
        }
    }
}

fn set_policy(service: &mut Value, policy: &str) {
    if service["spec"]["ipFamilyPolicy"].is_null() {
        service["spec"]["ipFamilyPolicy"] = json!(policy);
    }
}

pub(super) async fn reserve(api: &SharedApi, service: &mut Value, dry_run: bool) -> Result<Reserved, ApiError> {
    let kind = service.pointer("/spec/type").and_then(Value::as_str).unwrap_or("ClusterIP").to_owned();
    if kind == "ExternalName" {
        return Ok(Reserved::nothing());
    }
    let _one_at_a_time = api.addresses.lock().await;
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        node_ports(api, service).await?;
    }
    service["spec"]["ipFamilies"] = json!(["IPv4"]);
    if validate::is_by_name_alone(&service["spec"]) && service["spec"]["ipFamilyPolicy"] != "SingleStack" {
        service["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
        set_policy(service, "RequireDualStack");
    }
    set_policy(service, "SingleStack");
    let given = service.pointer("/spec/clusterIP").and_then(Value::as_str).unwrap_or_default().to_owned();
    if given == "None" {
        service["spec"]["clusterIPs"] = json!(["None"]);
        return Ok(Reserved::nothing());
    }
    if !given.is_empty() && !in_range(&given) {
        let why = format!(
            "failed to allocate IP {given}: the provided IP ({given}) is not in the valid range. The range of valid IPs is {}",
            addresses::SERVICES
        );
        return Err(invalid(api, service, &[FieldError::invalid("spec.clusterIPs", &json!([given]), &why)]));
    }
    let mut address = given.clone();
    for _ in 0..TRIES {
        if given.is_empty() {
            // The low addresses are left for those who ask for one.
            let mut random = rand::rng();
            address = addresses::service(random.random_range(1..=254), random.random_range(1..=254));
        }
        if dry_run || take(api, &address, service).await? {
            service["spec"]["clusterIP"] = json!(address);
            service["spec"]["clusterIPs"] = json!([address]);
            return Ok(Reserved((!dry_run).then_some(address)));
        }
        if !given.is_empty() {
            let why = "failed to allocate IP ".to_owned() + &given + ": provided IP is already allocated";
            let errors = [FieldError::invalid("spec.clusterIPs", &json!([given]), &why)];
            return Err(invalid(api, service, &errors));
        }
    }
    Err(ApiError::internal("failed to allocate a serviceIP: range is full"))
}

/// The range of services, which kubeadm gives as well.
fn in_range(address: &str) -> bool {
    address.parse::<Ipv4Addr>().is_ok_and(|address| address.octets()[..2] == [10, 96])
}

fn invalid(api: &SharedApi, service: &Value, errors: &[FieldError]) -> ApiError {
    match api.objects.registry.served().known(names::SERVICES) {
        Some(services) => ApiError::invalid(&services, meta::name(service), errors),
        None => ApiError::no_path(),
    }
}

async fn take(api: &SharedApi, address: &str, service: &Value) -> Result<bool, ApiError> {
    let served = api.objects.registry.served();
    let Some(addresses) = served.known(names::ADDRESSES) else { return Ok(true) };
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {
            "name": address,
            "uid": uuid::Uuid::new_v4().to_string(),
            "creationTimestamp": meta::now_text(),
            "labels": {
                "ipaddress.kubernetes.io/ip-family": "IPv4",
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {"parentRef": {
            "resource": "services", "namespace": meta::namespace(service), "name": meta::name(service),
        }},
    });
    let key = api.objects.store.key(&addresses.folder, None, Some(address));
    let bytes = objects::stored_bytes(&addresses, &object)?;
    Ok(matches!(api.objects.store.create(&key, bytes, 0).await?, Written::At(_)))
}

async fn free(api: &SharedApi, address: &str) -> Result<(), ApiError> {
    let key = api.objects.store.key("ipaddresses", None, Some(address));
    if let (Some(stored), _) = api.objects.store.get(&key).await? {
        api.objects.store.delete_if(&key, stored.revision).await?;
    }
    Ok(())
}

pub(super) async fn release(api: &SharedApi, service: &Value) -> Result<(), ApiError> {
    match service.pointer("/spec/clusterIP").and_then(Value::as_str) {
        Some(address) if !address.is_empty() && address != "None" => free(api, address).await,
        _ => Ok(()),
    }
}

async fn node_ports(api: &SharedApi, service: &mut Value) -> Result<(), ApiError> {
    let served = api.objects.registry.served();
    let Some(services) = served.known(names::SERVICES) else { return Ok(()) };
    let (all, _) = api.objects.list_all(&services, None, &Selector::default()).await?;
    let own = service["metadata"]["uid"].clone();
    let mut taken: HashSet<u64> = all.iter().filter(|one| one["metadata"]["uid"] != own).flat_map(held_ports).collect();
    let mut errors = Vec::new();
    for (at, port) in service["spec"].get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
        let field = format!("spec.ports[{at}].nodePort");
        match port.get("nodePort").and_then(Value::as_u64).filter(|port| *port != 0) {
            Some(wanted) if !(u64::from(FIRST_PORT)..=u64::from(LAST_PORT)).contains(&wanted) => {
                let why = format!(
                    "provided port is not in the valid range. The range of valid ports is {FIRST_PORT}-{LAST_PORT}"
                );
                errors.push(FieldError::invalid(field, &json!(wanted), &why));
            }
            Some(wanted) if !taken.insert(wanted) => {
                errors.push(FieldError::invalid(field, &json!(wanted), "provided port is already allocated"));
            }
            Some(_) => {}
            None => port["nodePort"] = json!(free_port(&mut taken)?),
        }
    }
    if is_checked(service) {
        match service["spec"]["healthCheckNodePort"].as_u64().filter(|port| *port != 0) {
            Some(wanted) if !taken.insert(wanted) => {
                let why = format!(
                    "failed to allocate requested HealthCheck NodePort {wanted}: provided port is already allocated"
                );
                return Err(ApiError::internal(why));
            }
            Some(_) => {}
            None => service["spec"]["healthCheckNodePort"] = json!(free_port(&mut taken)?),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(invalid(api, service, &errors)) }
}

/// Whether the nodes answer for the service's health, each for its own pods.
fn is_checked(service: &Value) -> bool {
    service["spec"]["type"] == "LoadBalancer" && service["spec"]["externalTrafficPolicy"] == "Local"
}

fn held_ports(service: &Value) -> Vec<u64> {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten();
    let ports = ports.filter_map(|port| port.get("nodePort")?.as_u64());
    ports.chain(service["spec"]["healthCheckNodePort"].as_u64().filter(|port| *port != 0)).collect()
}

fn free_port(taken: &mut HashSet<u64>) -> Result<u64, ApiError> {
    let drawn = (0..TRIES * 100).map(|_| u64::from(rand::rng().random_range(FIRST_PORT..=LAST_PORT)));
    let free = drawn.into_iter().find(|port| taken.insert(*port));
    free.ok_or_else(|| ApiError::internal("failed to allocate a nodePort: range is full"))
}

/// What a change of the type takes away, and what it needs.
pub(super) async fn on_update(
    api: &SharedApi,
    old: &Value,
    new: &mut Value,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let kind = |service: &Value| service.pointer("/spec/type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (before, after) = (kind(old), kind(new));
    let unchanged = |field: &str, new: &Value| old["spec"].get(field) == new["spec"].get(field);
    if after == "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
            if before != after && (unchanged(field, new) || field == "internalTrafficPolicy") {
                remove(&mut new["spec"], field);
            }
        }
    } else {
        keep_addresses(old, new);
        if !new["spec"]["externalName"].as_str().unwrap_or_default().is_empty() {
            warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
        }
    }
    let on_nodes = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    if is_checked(old) {
        let field = "healthCheckNodePort";
        if is_checked(new) {
            if new["spec"].get(field).is_none_or(|port| port.is_null() || port == 0) {
                new["spec"][field] = old["spec"][field].clone();
            }
        } else if unchanged(field, new) {
            remove(&mut new["spec"], field);
        }
    }
    if on_nodes(&before) {
        keep_node_ports(old, new, on_nodes(&after));
    }
    if !on_nodes(&after) && on_nodes(&before) && unchanged("externalTrafficPolicy", new) {
        remove(&mut new["spec"], "externalTrafficPolicy");
    }
    if before == "LoadBalancer" && after != before {
        remove(&mut new["spec"], "allocateLoadBalancerNodePorts");
    }
    if before == "ExternalName" && after != before {
        let _ = reserve(api, new, false).await?;
    } else if on_nodes(&after) {
        node_ports(api, new).await?;
    }
    Ok(())
}

fn remove(spec: &mut Value, field: &str) {
    spec.as_object_mut().map(|spec| spec.remove(field));
}

/// A port that stays keeps its number on the nodes; a service that leaves them gives its numbers back.
fn keep_node_ports(old: &Value, new: &mut Value, stays: bool) {
    let held: Vec<Value> = old.pointer("/spec/ports").and_then(Value::as_array).cloned().unwrap_or_default();
    for port in new["spec"].get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let same = |one: &&Value| one["port"] == port["port"] && one["protocol"] == port["protocol"];
        let Some(number) = held.iter().find(same).and_then(|one| one.get("nodePort")).cloned() else { continue };
        if stays && port.get("nodePort").is_none() {
            port["nodePort"] = number;
        } else if !stays && port.get("nodePort") == Some(&number) {
            remove(port, "nodePort");
        }
    }
}

/// A client that sends the service without its addresses does not mean to lose them.
fn keep_addresses(old: &Value, new: &mut Value) {
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if new["spec"].get(field).is_none_or(|value| value.is_null() || value == "")
            && let Some(value) = old["spec"].get(field)
        {
            new["spec"][field] = value.clone();
        }
    }
}

async fn ports_of(api: &SharedApi) -> Result<HashSet<u64>, ApiError> {
    let served = api.objects.registry.served();
    let Some(services) = served.known(names::SERVICES) else { return Ok(HashSet::new()) };
    let (all, _) = api.objects.list_all(&services, None, &Selector::default()).await?;
    Ok(all.iter().flat_map(held_ports).collect())
}

/// Kubernetes keeps the ports that are given out as bits of one object, and so do we for whoever looks there.
pub(super) async fn note_ports(api: &SharedApi) -> Result<(), ApiError> {
    let _one_at_a_time = api.addresses.lock().await;
    let taken = ports_of(api).await?;
    let key = api.objects.store.key("ranges", None, Some("servicenodeports"));
    let Some(stored) = api.objects.store.get(&key).await?.0 else { return Ok(()) };
    let data = base64::engine::general_purpose::STANDARD.encode(bits(&taken));
    let object = json!({
        "apiVersion": "v1", "kind": "RangeAllocation", "metadata": {},
        "range": format!("{FIRST_PORT}-{LAST_PORT}"), "data": data,
    });
    let bytes = kube_etcd_codec::encode(&object).map_err(|error| ApiError::internal(error.to_string()))?;
    if bytes == stored.value {
        return Ok(());
    }
    // Whoever was faster has noted the same ports and more.
    api.objects.store.put_if(&key, stored.revision, bytes, stored.lease).await.map(drop).map_err(ApiError::from)
}

/// The number whose bits are the ports, its highest byte first.
fn bits(taken: &HashSet<u64>) -> Vec<u8> {
    let offsets = || taken.iter().filter_map(|port| usize::try_from(port.checked_sub(u64::from(FIRST_PORT))?).ok());
    let Some(highest) = offsets().max() else { return Vec::new() };
    let mut bytes = vec![0; highest / 8 + 1];
    let last = bytes.len() - 1;
    for offset in offsets() {
        bytes[last - offset / 8] |= 1 << (offset % 8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_bits_with_the_highest_byte_first() {
        assert_eq!(bits(&HashSet::new()), Vec::<u8>::new());
        assert_eq!(bits(&HashSet::from([30000])), [1]);
        assert_eq!(bits(&HashSet::from([30000, 30009])), [2, 1]);
    }
}
