//! What a pod's spec must keep, in a pod and in the template of one.

mod affinity;
pub(super) mod claim;
mod container;
mod env;
mod limits;
mod probe;
mod security;
mod volume;

use serde_json::{Value, json};

use super::errors::{Errors, is_empty};
use super::meta;
use crate::object::{list, names, text};
pub(super) use affinity::{node_selector, taint_effect};
pub(super) use limits::{is_counted, quantity as amount, resource_name, shown};
pub(super) use volume::{host_path, nfs};

pub(super) fn check(template: &Value, field: &str, errors: &mut Errors) {
    let metadata = &template["metadata"];
    meta::labels(metadata.get("labels"), &format!("{field}.labels"), errors);
    meta::annotations(metadata.get("annotations"), &format!("{field}.annotations"), errors);
    spec(&template["spec"], &format!("{field}.spec"), false, errors);
    if !list(&template["spec"], "ephemeralContainers").is_empty() {
        let why = "ephemeral containers not allowed in pod template";
        errors.forbidden(format!("{field}.spec.ephemeralContainers"), why);
    }
}

/// Some rules are for pods alone: templates that break them have been stored for years.
pub(super) fn spec(spec: &Value, field: &str, is_pod: bool, errors: &mut Errors) {
    let volumes = volume::check(list(spec, "volumes"), &format!("{field}.volumes"), errors);
    let pod = container::Pod { spec, field, volumes: &volumes };
    container::all(&pod, errors);
    host_ports(spec, field, is_pod, errors);
    errors.one_of(format!("{field}.restartPolicy"), &spec["restartPolicy"], &["Always", "OnFailure", "Never"]);
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    errors.one_of(format!("{field}.dnsPolicy"), &spec["dnsPolicy"], &dns);
    meta::labels(spec.get("nodeSelector"), &format!("{field}.nodeSelector"), errors);
    security::pod(&spec["securityContext"], &format!("{field}.securityContext"), errors);
    affinity::check(&spec["affinity"], &format!("{field}.affinity"), errors);
    dns_config(spec, &format!("{field}.dnsConfig"), errors);
    for (at, gate) in list(spec, "readinessGates").iter().enumerate() {
        let kind = text(gate, "conditionType");
        let here = format!("{field}.readinessGates[{at}].conditionType");
        errors.all_invalid(&here, kind, names::qualified_name(kind));
    }
    gates(list(spec, "schedulingGates"), &format!("{field}.schedulingGates"), errors);
    affinity::spread(list(spec, "topologySpreadConstraints"), &format!("{field}.topologySpreadConstraints"), errors);
    for part in ["serviceAccountName", "nodeName"] {
        let name = text(spec, part);
        if !name.is_empty() {
            errors.all_invalid(&format!("{field}.{part}"), name, names::dns_subdomain(name));
        }
    }
    if let Some(deadline) = spec.get("activeDeadlineSeconds").filter(|one| !one.is_null())
        && !(1..=i64::from(i32::MAX)).contains(&deadline.as_i64().unwrap_or_default())
    {
        errors.invalid(format!("{field}.activeDeadlineSeconds"), deadline, &names::between(1, i64::from(i32::MAX)));
    }
    for part in ["hostname", "subdomain"] {
        let name = text(spec, part);
        if !name.is_empty() {
            errors.all_invalid(&format!("{field}.{part}"), name, names::dns_label(name));
        }
    }
    affinity::tolerations(list(spec, "tolerations"), &format!("{field}.tolerations"), errors);
    for (at, alias) in list(spec, "hostAliases").iter().enumerate() {
        let here = format!("{field}.hostAliases[{at}]");
        errors.all_invalid(&format!("{here}.ip"), text(alias, "ip"), names::ip(text(alias, "ip")));
        for (at, name) in list(alias, "hostnames").iter().filter_map(Value::as_str).enumerate() {
            errors.all_invalid(&format!("{here}.hostnames[{at}]"), name, names::dns_subdomain(name));
        }
    }
    for part in ["priorityClassName", "runtimeClassName"] {
        let name = text(spec, part);
        if !name.is_empty() {
            errors.all_invalid(&format!("{field}.{part}"), name, names::dns_subdomain(name));
        }
    }
    if spec["os"].is_object() {
        let os = text(&spec["os"], "name");
        if os.is_empty() {
            errors.required(format!("{field}.os.name"), "");
        } else {
            errors.one_of(format!("{field}.os"), &json!(os), &["linux", "windows"]);
        }
    }
    errors.one_of(format!("{field}.preemptionPolicy"), &spec["preemptionPolicy"], &["PreemptLowerPriority", "Never"]);
    if is_pod {
        container::only_in_pods(spec, field, errors);
    }
}

fn host_ports(spec: &Value, field: &str, is_pod: bool, errors: &mut Errors) {
    if spec["hostNetwork"] != true {
        return;
    }
    for (at, container) in list(spec, "containers").iter().enumerate() {
        for (port_at, port) in list(container, "ports").iter().enumerate() {
            let number = |field: &str| port[field].as_i64().unwrap_or_default();
            let (host, own) = (number("hostPort"), number("containerPort"));
            if (is_pod || host != 0) && host != own {
                let why = "must match `containerPort` when `hostNetwork` is true";
                errors.invalid(format!("{field}.containers[{at}].ports[{port_at}].hostPort"), &host.into(), why);
            }
        }
    }
}

fn dns_config(spec: &Value, field: &str, errors: &mut Errors) {
    let config = &spec["dnsConfig"];
    let servers = list(config, "nameservers");
    if spec["dnsPolicy"] == "None" {
        if is_empty(Some(config)) {
            return errors.required(field, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return errors.required(format!("{field}.nameservers"), why);
        }
    }
    if servers.len() > 3 {
        errors.invalid(format!("{field}.nameservers"), &config["nameservers"], "must not have more than 3 nameservers");
    }
    for (at, server) in servers.iter().filter_map(Value::as_str).enumerate() {
        errors.all_invalid(&format!("{field}.nameservers[{at}]"), server, names::ip(server));
    }
    for (at, option) in list(config, "options").iter().enumerate() {
        if text(option, "name").is_empty() {
            errors.required(format!("{field}.options[{at}]"), "must not be empty");
        }
    }
}

fn gates(gates: &[Value], field: &str, errors: &mut Errors) {
    let mut seen: Vec<&str> = Vec::new();
    for (at, gate) in gates.iter().enumerate() {
        let name = text(gate, "name");
        errors.all_invalid(&format!("{field}[{at}]"), name, names::qualified_name(name));
        if seen.contains(&name) {
            errors.duplicate(format!("{field}[{at}]"), &gate["name"]);
        }
        seen.push(name);
    }
}
