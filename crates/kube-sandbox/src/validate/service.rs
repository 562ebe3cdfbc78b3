//! Services.

use serde_json::{Value, json};

use super::errors::{Errors, is_empty};
use super::{meta, rules};
use crate::object::{list, names, text};

pub(super) fn service(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    let kind = text(spec, "type");
    let headless = spec["clusterIP"] == "None";
    let ports = list(spec, "ports");
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.required("spec.ports", "");
    }
    if headless && ["NodePort", "LoadBalancer"].contains(&kind) {
        let why = format!("may not be set to 'None' for {kind} services");
        errors.invalid("spec.clusterIPs[0]", &spec["clusterIP"], &why);
    }
    if kind == "ExternalName" {
        external_name(spec, errors);
    }
    each_port(ports, errors);
    meta::labels(spec.get("selector"), "spec.selector", errors);
    errors.one_of("spec.sessionAffinity", &spec["sessionAffinity"], &["ClientIP", "None"]);
    if spec["sessionAffinity"] == "None" && !is_empty(spec.get("sessionAffinityConfig")) {
        errors.forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None");
    }
    let timeout = &spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"];
    if timeout.as_i64().is_some_and(|seconds| !(1..=86_400).contains(&seconds)) {
        let field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
        errors.invalid(field, timeout, "must be greater than 0 and less than 86400");
    }
    addresses(spec, kind, old, errors);
    for (at, ip) in list(spec, "externalIPs").iter().filter_map(Value::as_str).enumerate() {
        rules::endpoint_ip(&format!("spec.externalIPs[{at}]"), ip, errors);
    }
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    errors.one_of("spec.type", &spec["type"], &types);
    if kind == "ClusterIP" {
        for (at, _) in ports.iter().enumerate().filter(|(_, port)| port["nodePort"].as_i64().unwrap_or(0) != 0) {
            let why = "may not be used when `type` is 'ClusterIP'";
            errors.forbidden(format!("spec.ports[{at}].nodePort"), why);
        }
    }
    twice(ports, errors);
    let ranges = list(spec, "loadBalancerSourceRanges");
    if !ranges.is_empty() && kind != "LoadBalancer" {
        errors.forbidden("spec.LoadBalancerSourceRanges", "may only be used when `type` is 'LoadBalancer'");
    }
    for (at, range) in ranges.iter().filter_map(Value::as_str).map(str::trim).enumerate() {
        errors.all_invalid(&format!("spec.LoadBalancerSourceRanges[{at}]"), range, names::cidr(range));
    }
    if kind != "LoadBalancer" && !spec["allocateLoadBalancerNodePorts"].is_null() {
        errors.forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'");
    }
    let class = &spec["loadBalancerClass"];
    if let Some(old) = old
        && kind == "LoadBalancer"
        && old["spec"]["type"] == kind
        && old["spec"]["loadBalancerClass"] != *class
    {
        errors.invalid("spec.loadBalancerClass", class, "may not change once set");
    }
    match class.as_str() {
        Some(name) if kind == "LoadBalancer" => {
            errors.all_invalid("spec.loadBalancerClass", name, names::qualified_name(name));
        }
        Some(_) => errors.forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'"),
        None => {}
    }
    traffic(spec, kind, errors);
}

fn external_name(spec: &Value, errors: &mut Errors) {
    for part in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let given = spec.get(part).or_else(|| spec.get("clusterIP").filter(|_| part == "clusterIPs"));
        if !is_empty(given) {
            errors.forbidden(format!("spec.{part}"), "may not be set for ExternalName services");
        }
    }
    let name = text(spec, "externalName").trim_end_matches('.');
    if name.is_empty() {
        errors.required("spec.externalName", "");
    } else {
        errors.all_invalid("spec.externalName", name, names::dns_subdomain(name));
    }
}

fn each_port(ports: &[Value], errors: &mut Errors) {
    let mut names: Vec<&str> = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let here = format!("spec.ports[{at}]");
        let name = text(port, "name");
        if !name.is_empty() {
            errors.all_invalid(&format!("{here}.name"), name, names::dns_label(name));
            if names.contains(&name) {
                errors.duplicate(format!("{here}.name"), &port["name"]);
            }
            names.push(name);
        } else if ports.len() > 1 {
            errors.required(format!("{here}.name"), "");
        }
        let number = port["port"].as_i64().unwrap_or_default();
        for why in &names::port_number(number) {
            errors.invalid(format!("{here}.port"), &json!(number), why);
        }
        errors.one_of(format!("{here}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
        if !port["targetPort"].is_null() {
            rules::port(&format!("{here}.targetPort"), &port["targetPort"], errors);
        }
        let protocol = text(port, "appProtocol");
        if !protocol.is_empty() {
            errors.all_invalid(&format!("{here}.appProtocol"), protocol, names::qualified_name(protocol));
        }
    }
}

/// The same number may serve two protocols, but not one of them twice.
fn twice(ports: &[Value], errors: &mut Errors) {
    let same = |at: usize, field: &str| {
        let one = &ports[at];
        ports[..at].iter().any(|other| other["protocol"] == one["protocol"] && other[field] == one[field])
    };
    for (at, port) in ports.iter().enumerate() {
        if port["nodePort"].as_i64().unwrap_or(0) != 0 && same(at, "nodePort") {
            errors.duplicate(format!("spec.ports[{at}].nodePort"), &port["nodePort"]);
        }
    }
    for (at, port) in ports.iter().enumerate().filter(|(at, _)| same(*at, "port")) {
        let key = json!({"protocol": port["protocol"], "port": port["port"]});
        errors.duplicate_text(format!("spec.ports[{at}]"), super::internal::text("ServicePort", &key));
    }
}

/// Without an address and a selector: whoever writes its endpoints may have addresses of both families.
pub(crate) fn is_by_name_alone(spec: &Value) -> bool {
    let selects = spec["selector"].as_object().is_some_and(|selector| !selector.is_empty());
    spec["clusterIP"] == "None" && !selects
}

fn addresses(spec: &Value, kind: &str, old: Option<&Value>, errors: &mut Errors) {
    if kind == "ExternalName" {
        return;
    }
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    errors.one_of("spec.ipFamilyPolicy", &spec["ipFamilyPolicy"], &policies);
    if spec["ipFamilyPolicy"] == "RequireDualStack" && !is_by_name_alone(spec) {
        let why = "this cluster is not configured for dual-stack services";
        errors.invalid("spec.ipFamilyPolicy", &spec["ipFamilyPolicy"], why);
    }
    for (at, family) in list(spec, "ipFamilies").iter().enumerate().filter(|(_, family)| *family != "IPv4") {
        if is_by_name_alone(spec) && *family == "IPv6" {
            continue;
        }
        errors.invalid(format!("spec.ipFamilies[{at}]"), family, "not configured on this cluster");
    }
    let given = text(spec, "clusterIP");
    if !given.is_empty() && given != "None" {
        errors.all_invalid("spec.clusterIPs[0]", given, names::ip(given));
    }
    if let Some(old) = old
        && old["spec"]["type"] != "ExternalName"
        && !text(&old["spec"], "clusterIP").is_empty()
        && text(&old["spec"], "clusterIP") != given
    {
        errors.invalid("spec.clusterIPs[0]", &json!([given]), "may not change once set");
    }
}

fn traffic(spec: &Value, kind: &str, errors: &mut Errors) {
    let outside = matches!(kind, "LoadBalancer" | "NodePort") || !list(spec, "externalIPs").is_empty();
    let field = "spec.externalTrafficPolicy";
    if outside {
        errors.one_of(field, &spec["externalTrafficPolicy"], &["Cluster", "Local"]);
    } else if !text(spec, "externalTrafficPolicy").is_empty() {
        errors.invalid(field, &spec["externalTrafficPolicy"], "may only be set for externally-accessible services");
    }
    errors.one_of("spec.internalTrafficPolicy", &spec["internalTrafficPolicy"], &["Cluster", "Local"]);
    let preferences = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    errors.one_of("spec.trafficDistribution", &spec["trafficDistribution"], &preferences);
}
