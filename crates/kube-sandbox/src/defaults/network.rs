//! Services and what leads to them.

use serde_json::{Value, json};

use super::{each, inside, set, set_pointer, within};

pub(super) fn service(object: &mut Value) {
    within(object, "spec", |spec| {
        set(spec, "sessionAffinity", json!("None"));
        set(spec, "type", json!("ClusterIP"));
        if spec["sessionAffinity"] == "None" {
            spec.as_object_mut().map(|map| map.remove("sessionAffinityConfig"));
        } else {
            within(spec, "sessionAffinityConfig", |config| {
                within(config, "clientIP", |client| set(client, "timeoutSeconds", json!(10_800)));
            });
        }
        each(spec, "ports", |port| {
            set(port, "protocol", json!("TCP"));
            let number = port.get("port").cloned().unwrap_or(json!(0));
            if port.get("targetPort") == Some(&json!(0)) {
                port["targetPort"] = number.clone();
            }
            set(port, "targetPort", number);
        });
        let kind = spec["type"].as_str().unwrap_or_default().to_owned();
        let outside = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty());
        if ["NodePort", "LoadBalancer"].contains(&kind.as_str()) || kind == "ClusterIP" && outside {
            set(spec, "externalTrafficPolicy", json!("Cluster"));
        }
        if kind != "ExternalName" {
            set_pointer(spec, "internalTrafficPolicy", json!("Cluster"));
        }
        if kind == "LoadBalancer" {
            set(spec, "allocateLoadBalancerNodePorts", json!(true));
        }
    });
    inside(object, "status", |status| {
        inside(status, "loadBalancer", |balancer| {
            each(balancer, "ingress", |point| {
                if point.get("ip").is_some() {
                    set_pointer(point, "ipMode", json!("VIP"));
                }
            });
        });
    });
}

pub(super) fn endpoints(object: &mut Value) {
    each(object, "subsets", |subset| each(subset, "ports", |port| set(port, "protocol", json!("TCP"))));
}

pub(super) fn endpoint_slice(object: &mut Value) {
    each(object, "ports", |port| {
        set_pointer(port, "name", json!(""));
        set_pointer(port, "protocol", json!("TCP"));
    });
}

pub(super) fn policy(object: &mut Value) {
    within(object, "spec", |spec| {
        within(spec, "podSelector", |_| ());
        let leaving = spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
        let types = if leaving { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        set(spec, "policyTypes", types);
        for direction in ["ingress", "egress"] {
            each(spec, direction, |rule| each(rule, "ports", |port| set_pointer(port, "protocol", json!("TCP"))));
        }
    });
}

pub(super) fn ingress_class(object: &mut Value) {
    within(object, "spec", |spec| {
        inside(spec, "parameters", |parameters| set_pointer(parameters, "scope", json!("Cluster")));
    });
}
