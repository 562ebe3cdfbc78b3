//! Ingresses and their classes, network policies, endpoints.

use serde_json::{Value, json};

use super::errors::{Errors, IMMUTABLE, is_empty};
use super::rules::{self, label_selector};
use crate::object::{list, names, text};

pub(super) fn ingress(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let given = spec.get("defaultBackend").filter(|one| !one.is_null());
    if is_empty(spec.get("rules")) && given.is_none() {
        errors.invalid("spec", &spec["rules"], "either `defaultBackend` or `rules` must be specified");
    }
    if let Some(given) = given {
        backend(given, "spec.defaultBackend", errors);
    }
    for (at, rule) in list(spec, "rules").iter().enumerate() {
        let here = format!("spec.rules[{at}]");
        let host = text(rule, "host");
        if !host.is_empty() {
            if host.parse::<std::net::IpAddr>().is_ok() {
                errors.invalid(format!("{here}.host"), &rule["host"], "must be a DNS name, not an IP address");
            }
            errors.all_invalid(&format!("{here}.host"), host, names::host(host));
        }
        let paths = rule.get("http").map_or(&[][..], |http| list(http, "paths"));
        if rule.get("http").is_some_and(Value::is_object) && paths.is_empty() {
            errors.required(format!("{here}.http.paths"), "");
        }
        for (at, path) in paths.iter().enumerate() {
            http_path(path, &format!("{here}.http.paths[{at}]"), errors);
        }
    }
    for (at, tls) in list(spec, "tls").iter().enumerate() {
        let here = format!("spec.tls[{at}]");
        for (at, host) in list(tls, "hosts").iter().filter_map(Value::as_str).enumerate() {
            errors.all_invalid(&format!("{here}.hosts[{at}]"), host, names::host(host));
        }
        let secret = text(tls, "secretName");
        if !secret.is_empty() {
            errors.all_invalid(&format!("{here}.secretName"), secret, names::dns_subdomain(secret));
        }
    }
    if let Some(class) = spec.get("ingressClassName").and_then(Value::as_str) {
        errors.all_invalid("spec.ingressClassName", class, names::dns_subdomain(class));
    }
}

fn http_path(path: &Value, field: &str, errors: &mut Errors) {
    if is_empty(path.get("pathType")) {
        return errors.required(format!("{field}.pathType"), "pathType must be specified");
    }
    let (here, given) = (format!("{field}.path"), text(path, "path"));
    let mut claim = |holds: bool, why: &str| {
        if !holds {
            errors.invalid(here.as_str(), &json!(given), why);
        }
    };
    match text(path, "pathType") {
        "Exact" | "Prefix" => {
            claim(given.starts_with('/'), "must be an absolute path");
            for part in ["//", "/./", "/../", "%2f", "%2F"] {
                claim(!given.contains(part), &format!("must not contain '{part}'"));
            }
            for end in ["/..", "/."] {
                claim(!given.ends_with(end), &format!("cannot end with '{end}'"));
            }
        }
        "ImplementationSpecific" => claim(given.is_empty() || given.starts_with('/'), "must be an absolute path"),
        _ => {
            let known = ["Exact", "ImplementationSpecific", "Prefix"];
            errors.unsupported(format!("{field}.pathType"), &path["pathType"], &known);
        }
    }
    backend(&path["backend"], &format!("{field}.backend"), errors);
}

fn backend(backend: &Value, field: &str, errors: &mut Errors) {
    let part = |name: &str| backend.get(name).filter(|one| one.is_object());
    let service = match (part("service"), part("resource")) {
        (Some(_), Some(_)) => {
            return errors.invalid(field, &json!(""), "cannot set both resource and service backends");
        }
        (None, None) => return errors.invalid(field, &json!(""), "resource or service backend is required"),
        (None, Some(resource)) => {
            for part in ["kind", "name"] {
                if text(resource, part).is_empty() {
                    errors.required(format!("{field}.resource.{part}"), "");
                }
            }
            return;
        }
        (Some(service), None) => service,
    };
    let name = text(service, "name");
    if name.is_empty() {
        errors.required(format!("{field}.service.name"), "");
    } else {
        errors.all_invalid(&format!("{field}.service.name"), name, names::dns_label(name));
    }
    let (port_name, number) = (text(&service["port"], "name"), service["port"]["number"].as_i64().unwrap_or(0));
    match (port_name.is_empty(), number == 0) {
        (false, false) => errors.invalid(field, &json!(""), "cannot set both port name & port number"),
        (false, true) => {
            errors.all_invalid(&format!("{field}.service.port.name"), port_name, names::port_name(port_name));
        }
        (true, false) => rules::port(&format!("{field}.service.port.number"), &json!(number), errors),
        (true, true) => errors.required(field, "port name or number is required"),
    }
}

pub(super) fn ingress_class(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    if text(spec, "controller").is_empty() {
        errors.required("spec.controller", "");
    }
    if let Some(parameters) = spec.get("parameters").filter(|one| one.is_object()) {
        for part in ["kind", "name"] {
            if text(parameters, part).is_empty() {
                errors.required(format!("spec.parameters.{part}"), "");
            }
        }
    }
    if let Some(old) = old
        && old["spec"]["controller"] != spec["controller"]
    {
        errors.invalid("spec.controller", &spec["controller"], IMMUTABLE);
    }
}

pub(super) fn policy(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    label_selector(&spec["podSelector"], "spec.podSelector", errors);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (at, rule) in list(spec, direction).iter().enumerate() {
            let here = format!("spec.{direction}[{at}]");
            for (at, port) in list(rule, "ports").iter().enumerate() {
                policy_port(port, &format!("{here}.ports[{at}]"), errors);
            }
            for (at, one) in list(rule, peers).iter().enumerate() {
                peer(one, &format!("{here}.{peers}[{at}]"), errors);
            }
        }
    }
    for (at, one) in list(spec, "policyTypes").iter().enumerate() {
        errors.one_of(format!("spec.policyTypes[{at}]"), one, &["Ingress", "Egress"]);
    }
}

fn policy_port(port: &Value, field: &str, errors: &mut Errors) {
    errors.one_of(format!("{field}.protocol"), &port["protocol"], &["TCP", "UDP", "SCTP"]);
    let (number, end) = (&port["port"], port["endPort"].as_i64());
    let last = format!("{field}.endPort");
    match (number, end) {
        (Value::Null, Some(end)) => {
            errors.invalid(last, &json!(end), "may not be specified when `port` is not specified");
        }
        (Value::String(_), Some(end)) => {
            errors.invalid(last, &json!(end), "may not be specified when `port` is non-numeric");
            rules::port(&format!("{field}.port"), number, errors);
        }
        (Value::Null, None) => {}
        (number, end) => {
            rules::port(&format!("{field}.port"), number, errors);
            if let Some(end) = end {
                if number.as_i64().is_some_and(|number| end < number) {
                    errors.invalid(last.as_str(), number, "must be greater than or equal to `port`");
                }
                rules::port(&last, &json!(end), errors);
            }
        }
    }
}

fn peer(peer: &Value, field: &str, errors: &mut Errors) {
    let mut given = 0;
    for part in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = peer.get(part).filter(|one| one.is_object()) {
            given += 1;
            label_selector(selector, &format!("{field}.{part}"), errors);
        }
    }
    let Some(block) = peer.get("ipBlock").filter(|one| one.is_object()) else {
        if given == 0 {
            errors.required(field, "must specify a peer");
        }
        return;
    };
    let range = text(block, "cidr");
    let here = format!("{field}.ipBlock");
    if range.is_empty() {
        errors.required(format!("{here}.cidr"), "");
    } else {
        errors.all_invalid(&format!("{here}.cidr"), range, names::cidr(range));
    }
    for (at, part) in list(block, "except").iter().filter_map(Value::as_str).enumerate() {
        let wrong = names::cidr(part);
        let outside = wrong.is_empty() && names::cidr(range).is_empty() && !names::is_within(part, range);
        errors.all_invalid(&format!("{here}.except[{at}]"), part, wrong);
        if outside {
            errors.invalid(format!("{here}.except[{at}]"), &json!(part), "must be a strict subset of `cidr`");
        }
    }
    if given > 0 {
        errors.forbidden(field, "may not specify both ipBlock and another peer");
    }
}

pub(super) fn slice(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    for (at, port) in list(object, "ports").iter().enumerate() {
        let name = text(port, "name");
        if !name.is_empty() {
            errors.all_invalid(&format!("ports[{at}].name"), name, names::dns_label(name));
        }
        errors.one_of(format!("ports[{at}].protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
    }
    let kind = text(object, "addressType");
    for (at, endpoint) in list(object, "endpoints").iter().enumerate() {
        let here = format!("endpoints[{at}]");
        let addresses = list(endpoint, "addresses");
        if addresses.is_empty() {
            errors.required(format!("{here}.addresses"), "must contain at least 1 address");
        }
        for (at, address) in addresses.iter().filter_map(Value::as_str).enumerate() {
            let here = format!("{here}.addresses[{at}]");
            if kind == "FQDN" {
                errors.all_invalid(&here, address, names::dns_subdomain(address));
            } else {
                rules::endpoint_ip(&here, address, errors);
            }
        }
        let host = text(endpoint, "hostname");
        if !host.is_empty() {
            errors.all_invalid(&format!("{here}.hostname"), host, names::dns_label(host));
        }
    }
    if kind.is_empty() {
        errors.required("addressType", "");
    } else {
        errors.one_of("addressType", &object["addressType"], &["FQDN", "IPv4", "IPv6"]);
    }
    if let Some(old) = old {
        errors.unchanged("addressType", "/addressType", old, object);
    }
}

pub(super) fn endpoints(object: &Value, errors: &mut Errors) {
    for (at, subset) in list(object, "subsets").iter().enumerate() {
        let here = format!("subsets[{at}]");
        let all = ["addresses", "notReadyAddresses"];
        if all.iter().all(|part| list(subset, part).is_empty()) {
            errors.required(here.as_str(), "must specify `addresses` or `notReadyAddresses`");
        }
        for part in all {
            for (at, address) in list(subset, part).iter().enumerate() {
                let hostname = text(address, "hostname");
                if !hostname.is_empty() {
                    let here = format!("{here}.{part}[{at}].hostname");
                    errors.all_invalid(&here, hostname, names::dns_label(hostname));
                }
                if let Some(node) = address["nodeName"].as_str() {
                    let here = format!("{here}.{part}[{at}].nodeName");
                    errors.all_invalid(&here, node, names::dns_subdomain(node));
                }
                rules::endpoint_ip(&format!("{here}.{part}[{at}].ip"), text(address, "ip"), errors);
            }
        }
        let ports = list(subset, "ports");
        for (at, port) in ports.iter().enumerate() {
            let (here, name) = (format!("{here}.ports[{at}]"), text(port, "name"));
            if !name.is_empty() {
                errors.all_invalid(&format!("{here}.name"), name, names::dns_label(name));
            } else if ports.len() > 1 {
                errors.required(format!("{here}.name"), "");
            }
            rules::port(&format!("{here}.port"), &port["port"], errors);
            let protocol = &port["protocol"];
            if text(port, "protocol").is_empty() {
                errors.required(format!("{here}.protocol"), "");
            } else {
                errors.one_of(format!("{here}.protocol"), protocol, &["SCTP", "TCP", "UDP"]);
            }
            let protocol = text(port, "appProtocol");
            if !protocol.is_empty() {
                errors.all_invalid(&format!("{here}.appProtocol"), protocol, names::qualified_name(protocol));
            }
        }
    }
}
