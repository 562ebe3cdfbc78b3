//! Ports of the node that pods take.

use serde_json::Value;

/// A port, its protocol, and the address of the node at which it is taken; empty for all of them.
fn of(pod: &Value) -> impl Iterator<Item = (i64, &str, &str)> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers.flat_map(|container| container["ports"].as_array().into_iter().flatten()).filter_map(|port| {
        let number = port["hostPort"].as_i64().filter(|number| *number > 0)?;
        let address = port["hostIP"].as_str().filter(|address| *address != "0.0.0.0").unwrap_or_default();
        Some((number, port["protocol"].as_str().unwrap_or("TCP"), address))
    })
}

pub(crate) fn wants_any(pod: &Value) -> bool {
    of(pod).next().is_some()
}

/// Whether two pods want the same port of one node.
pub(crate) fn conflict(one: &Value, other: &Value) -> bool {
    of(one).any(|(port, protocol, address)| {
        of(other).any(|(other, its, at)| {
            port == other && protocol == its && (address == at || address.is_empty() || at.is_empty())
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_port_is_taken_at_an_address_or_at_all() {
        let pod = |port: Value| json!({"spec": {"containers": [{"ports": [{"containerPort": 1}, port]}]}});
        let all = pod(json!({"hostPort": 80}));
        let one = pod(json!({"hostPort": 80, "hostIP": "10.0.0.1"}));
        assert!(conflict(&all, &all) && conflict(&all, &one) && conflict(&one, &one));
        assert!(!conflict(&one, &pod(json!({"hostPort": 80, "hostIP": "10.0.0.2"}))));
        assert!(!conflict(&all, &pod(json!({"hostPort": 80, "protocol": "UDP"}))));
        assert!(!conflict(&all, &pod(json!({"hostPort": 81}))) && !wants_any(&pod(json!({}))));
        assert!(conflict(&all, &pod(json!({"hostPort": 80, "hostIP": "0.0.0.0"}))));
    }
}
