//! Services, ingresses, network policies.

use serde_json::{Value, json};

use super::errors::{Errors, is_empty, list, text};
use super::workloads::label_selector;
use super::{meta, rules};

pub(super) fn service(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    let kind = text(spec, "type");
    let headless = spec["clusterIP"] == "None";
    let ports = list(spec, "ports");
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.required("spec.ports", "");
    }
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    errors.one_of("spec.type", &spec["type"], &types);
    if kind == "ExternalName" {
        let name = text(spec, "externalName");
        if name.is_empty() {
            errors.required("spec.externalName", "");
        } else {
            errors.all_invalid("spec.externalName", name, rules::dns_subdomain(name.trim_end_matches('.')));
        }
        if !is_empty(spec.get("clusterIP")) && !headless {
            errors.forbidden("spec.clusterIPs[0]", "may not be set when `type` is 'ExternalName'");
        }
    }
    if headless && ["NodePort", "LoadBalancer"].contains(&kind) {
        let why = format!("may not be set to 'None' for {kind} services");
        errors.invalid("spec.clusterIPs[0]", &spec["clusterIP"], &why);
    }
    meta::labels(spec.get("selector"), "spec.selector", errors);
    errors.one_of("spec.sessionAffinity", &spec["sessionAffinity"], &["ClientIP", "None"]);
    check_ports(ports, errors);
    let Some(old) = old else { return };
    let (before, after) = (text(&old["spec"], "clusterIP"), text(spec, "clusterIP"));
    let was = text(&old["spec"], "type");
    if was != "ExternalName" && kind != "ExternalName" && !before.is_empty() && before != after {
        errors.invalid("spec.clusterIPs[0]", &json!([after]), "may not change once set");
    }
}

fn check_ports(ports: &[Value], errors: &mut Errors) {
    let (mut names, mut pairs): (Vec<&str>, Vec<(i64, &str)>) = (Vec::new(), Vec::new());
    for (at, port) in ports.iter().enumerate() {
        let here = format!("spec.ports[{at}]");
        let name = text(port, "name");
        if name.is_empty() {
            if ports.len() > 1 {
                errors.required(format!("{here}.name"), "");
            }
        } else {
            errors.all_invalid(&format!("{here}.name"), name, rules::dns_label(name));
            if names.contains(&name) {
                errors.duplicate(format!("{here}.name"), &port["name"]);
            }
        }
        names.push(name);
        let number = port["port"].as_i64().unwrap_or_default();
        for why in rules::port_number(number) {
            errors.invalid(format!("{here}.port"), &json!(number), &why);
        }
        let protocol = text(port, "protocol");
        errors.one_of(format!("{here}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
        match &port["targetPort"] {
            Value::Number(target) => {
                for why in rules::port_number(target.as_i64().unwrap_or_default()) {
                    errors.invalid(format!("{here}.targetPort"), &port["targetPort"], &why);
                }
            }
            Value::String(target) => {
                errors.all_invalid(&format!("{here}.targetPort"), target, rules::port_name(target));
            }
            _ => {}
        }
        if pairs.contains(&(number, protocol)) {
            errors.duplicate(here, &json!({"port": number, "protocol": protocol}));
        }
        pairs.push((number, protocol));
    }
}

pub(super) fn ingress(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let backend = spec.get("defaultBackend").filter(|one| !one.is_null());
    if is_empty(spec.get("rules")) && backend.is_none() {
        errors.invalid("spec", &json!([]), "either `defaultBackend` or `rules` must be specified");
    }
    if let Some(backend) = backend {
        check_backend(backend, "spec.defaultBackend", errors);
    }
    for (at, rule) in list(spec, "rules").iter().enumerate() {
        let here = format!("spec.rules[{at}]");
        let host = text(rule, "host");
        if !host.is_empty() && !host.starts_with("*.") {
            errors.all_invalid(&format!("{here}.host"), host, rules::dns_subdomain(host));
        }
        let paths = rule.get("http").map_or(&[][..], |http| list(http, "paths"));
        if rule.get("http").is_some_and(Value::is_object) && paths.is_empty() {
            errors.required(format!("{here}.http.paths"), "");
        }
        for (at, path) in paths.iter().enumerate() {
            let here = format!("{here}.http.paths[{at}]");
            let known = ["Exact", "ImplementationSpecific", "Prefix"];
            if is_empty(path.get("pathType")) {
                errors.required(format!("{here}.pathType"), "pathType must be specified");
            } else {
                errors.one_of(format!("{here}.pathType"), &path["pathType"], &known);
                if path["pathType"] != "ImplementationSpecific" && !text(path, "path").starts_with('/') {
                    errors.invalid(format!("{here}.path"), &json!(text(path, "path")), "must be an absolute path");
                }
            }
            check_backend(&path["backend"], &format!("{here}.backend"), errors);
        }
    }
}

fn check_backend(backend: &Value, field: &str, errors: &mut Errors) {
    let (service, resource) = (backend.get("service"), backend.get("resource"));
    match (service.filter(|one| one.is_object()), resource.filter(|one| one.is_object())) {
        (Some(_), Some(_)) => {
            errors.invalid(field, &json!(""), "cannot set both resource and service backends");
        }
        (None, None) => errors.invalid(field, &json!(""), "resource or service backend is required"),
        (Some(service), None) => {
            let name = text(service, "name");
            if name.is_empty() {
                errors.required(format!("{field}.service.name"), "");
            } else {
                errors.all_invalid(&format!("{field}.service.name"), name, rules::dns_1035_label(name));
            }
            let port = &service["port"];
            if text(port, "name").is_empty() && port["number"].as_i64().unwrap_or_default() == 0 {
                errors.required(format!("{field}.service.port"), "port name or number is required");
            }
        }
        (None, Some(_)) => {}
    }
}

pub(super) fn policy(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    label_selector(&spec["podSelector"], "spec.podSelector", errors);
    for (at, one) in list(spec, "policyTypes").iter().enumerate() {
        errors.one_of(format!("spec.policyTypes[{at}]"), one, &["Egress", "Ingress"]);
    }
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (at, rule) in list(spec, direction).iter().enumerate() {
            for (peer_at, peer) in list(rule, peers).iter().enumerate() {
                if is_empty(Some(peer)) {
                    let why = "must specify a peer";
                    errors.required(format!("spec.{direction}[{at}].{peers}[{peer_at}]"), why);
                }
            }
        }
    }
}
