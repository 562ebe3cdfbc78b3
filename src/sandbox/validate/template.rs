//! The part of a pod that is shared with its templates: containers, volumes, ports.

use serde_json::{Map, Value, json};

use super::errors::{Errors, is_empty, list, text};
use super::{meta, rules};
use crate::codec::quantity;

pub(super) fn check(template: &Value, field: &str, errors: &mut Errors) {
    meta::labels(template.pointer("/metadata/labels"), &format!("{field}.labels"), errors);
    spec(&template["spec"], &format!("{field}.spec"), errors);
}

pub(super) fn spec(spec: &Value, field: &str, errors: &mut Errors) {
    let volumes = volumes(list(spec, "volumes"), &format!("{field}.volumes"), errors);
    let containers = list(spec, "containers");
    if containers.is_empty() {
        errors.required(format!("{field}.containers"), "");
    }
    let mut names: Vec<&str> = Vec::new();
    for (name, required) in [("containers", true), ("initContainers", false), ("ephemeralContainers", false)] {
        for (at, one) in list(spec, name).iter().enumerate() {
            let here = format!("{field}.{name}[{at}]");
            container(one, &here, &volumes, required, errors);
            let name = text(one, "name");
            if !name.is_empty() && names.contains(&name) {
                errors.duplicate(format!("{here}.name"), &one["name"]);
            }
            names.push(name);
        }
    }
    errors.one_of(format!("{field}.restartPolicy"), &spec["restartPolicy"], &["Always", "OnFailure", "Never"]);
    let dns = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
    errors.one_of(format!("{field}.dnsPolicy"), &spec["dnsPolicy"], &dns);
    if let Some(grace) = spec.get("terminationGracePeriodSeconds") {
        errors.not_negative(format!("{field}.terminationGracePeriodSeconds"), Some(grace));
    }
    if let Some(deadline) = spec.get("activeDeadlineSeconds").filter(|one| !one.is_null())
        && !(1..=i64::from(i32::MAX)).contains(&deadline.as_i64().unwrap_or_default())
    {
        errors.invalid(format!("{field}.activeDeadlineSeconds"), deadline, &rules::between(1, i64::from(i32::MAX)));
    }
    meta::labels(spec.get("nodeSelector"), &format!("{field}.nodeSelector"), errors);
    for part in ["serviceAccountName", "nodeName"] {
        let name = text(spec, part);
        if !name.is_empty() {
            errors.all_invalid(&format!("{field}.{part}"), name, rules::dns_subdomain(name));
        }
    }
    for part in ["hostname", "subdomain"] {
        let name = text(spec, part);
        if !name.is_empty() {
            errors.all_invalid(&format!("{field}.{part}"), name, rules::dns_label(name));
        }
    }
    tolerations(list(spec, "tolerations"), &format!("{field}.tolerations"), errors);
}

fn volumes<'a>(volumes: &'a [Value], field: &str, errors: &mut Errors) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (at, volume) in volumes.iter().enumerate() {
        let here = format!("{field}[{at}]");
        let name = text(volume, "name");
        if name.is_empty() {
            errors.required(format!("{here}.name"), "");
        } else {
            errors.all_invalid(&format!("{here}.name"), name, rules::dns_label(name));
        }
        if !name.is_empty() && names.contains(&name) {
            errors.duplicate(format!("{here}.name"), &volume["name"]);
        }
        names.push(name);
        let sources: Vec<&String> =
            volume.as_object().into_iter().flat_map(Map::keys).filter(|key| *key != "name").collect();
        match sources[..] {
            [] => errors.required(here.clone(), "must specify a volume type"),
            [source] => volume_source(source, &volume[source], &format!("{here}.{source}"), errors),
            [_, second, ..] => {
                errors.forbidden(format!("{here}.{second}"), "may not specify more than 1 volume type");
            }
        }
    }
    names
}

fn volume_source(source: &str, value: &Value, field: &str, errors: &mut Errors) {
    let needs = match source {
        "hostPath" => "path",
        "secret" => "secretName",
        "configMap" => "name",
        "persistentVolumeClaim" => "claimName",
        "nfs" => "server",
        "csi" => "driver",
        _ => return,
    };
    if text(value, needs).is_empty() {
        errors.required(format!("{field}.{needs}"), "");
    }
}

fn container(one: &Value, field: &str, volumes: &[&str], required: bool, errors: &mut Errors) {
    let name = text(one, "name");
    if name.is_empty() {
        errors.required(format!("{field}.name"), "");
    } else {
        errors.all_invalid(&format!("{field}.name"), name, rules::dns_label(name));
    }
    let image = text(one, "image");
    if image.is_empty() {
        errors.required(format!("{field}.image"), "");
    } else if image.trim() != image {
        errors.invalid(format!("{field}.image"), &one["image"], "must not have leading or trailing whitespace");
    }
    if required && let Some(lifecycle) = one.get("lifecycle").filter(|one| one.is_object()) {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = lifecycle.get(hook).filter(|hook| is_empty(Some(hook))) {
                errors.required(format!("{field}.lifecycle.{hook}"), "must specify a handler type");
            }
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(given) = one.get(probe).filter(|given| given.is_object()) {
            check_probe(probe, given, &format!("{field}.{probe}"), errors);
        }
    }
    ports(list(one, "ports"), &format!("{field}.ports"), errors);
    for (at, variable) in list(one, "env").iter().enumerate() {
        let here = format!("{field}.env[{at}]");
        let name = text(variable, "name");
        if name.is_empty() {
            errors.required(format!("{here}.name"), "");
        } else {
            errors.all_invalid(&format!("{here}.name"), name, rules::environment_name(name));
        }
        if let Some(from) = variable.get("valueFrom").filter(|from| !from.is_null()) {
            if is_empty(Some(from)) {
                let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
                errors.invalid(format!("{here}.valueFrom"), &json!(""), why);
            } else if !text(variable, "value").is_empty() {
                errors.invalid(
                    format!("{here}.valueFrom"),
                    &json!(""),
                    "may not be specified when `value` is not empty",
                );
            }
        }
    }
    mounts(one, field, volumes, errors);
    errors.one_of(format!("{field}.imagePullPolicy"), &one["imagePullPolicy"], &["Always", "IfNotPresent", "Never"]);
    resources(&one["resources"], &format!("{field}.resources"), errors);
}

fn check_probe(name: &str, probe: &Value, field: &str, errors: &mut Errors) {
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
    let given: Vec<&str> =
        handlers.into_iter().filter(|one| probe.get(one).is_some_and(|one| !one.is_null())).collect();
    match given[..] {
        [] => errors.required(field, "must specify a handler type"),
        [_, second, ..] => {
            errors.forbidden(format!("{field}.{second}"), "may not specify more than 1 handler type");
        }
        [_] => {}
    }
    for count in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        errors.not_negative(format!("{field}.{count}"), probe.get(count));
    }
    if name != "readinessProbe" && probe["successThreshold"].as_i64().is_some_and(|count| count > 1) {
        errors.invalid(format!("{field}.successThreshold"), &probe["successThreshold"], "must be 1");
    }
}

fn ports(ports: &[Value], field: &str, errors: &mut Errors) {
    let mut names: Vec<&str> = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let here = format!("{field}[{at}]");
        let name = text(port, "name");
        if !name.is_empty() {
            errors.all_invalid(&format!("{here}.name"), name, rules::port_name(name));
            if names.contains(&name) {
                errors.duplicate(format!("{here}.name"), &port["name"]);
            }
            names.push(name);
        }
        match port["containerPort"].as_i64() {
            None | Some(0) => errors.required(format!("{here}.containerPort"), ""),
            Some(number) => {
                for why in rules::port_number(number) {
                    errors.invalid(format!("{here}.containerPort"), &port["containerPort"], &why);
                }
            }
        }
        if let Some(number) = port["hostPort"].as_i64().filter(|number| *number != 0) {
            for why in rules::port_number(number) {
                errors.invalid(format!("{here}.hostPort"), &port["hostPort"], &why);
            }
        }
        errors.one_of(format!("{here}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
    }
}

fn mounts(container: &Value, field: &str, volumes: &[&str], errors: &mut Errors) {
    let mut paths: Vec<&str> = Vec::new();
    for (at, mount) in list(container, "volumeMounts").iter().enumerate() {
        let here = format!("{field}.volumeMounts[{at}]");
        let (name, path) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            errors.required(format!("{here}.name"), "");
        }
        if !volumes.contains(&name) {
            errors.not_found(format!("{here}.name"), &json!(name));
        }
        if path.is_empty() {
            errors.required(format!("{here}.mountPath"), "");
        } else if paths.contains(&path) {
            errors.invalid(format!("{here}.mountPath"), &mount["mountPath"], "must be unique");
        }
        paths.push(path);
    }
}

fn resources(resources: &Value, field: &str, errors: &mut Errors) {
    let limits = resources.get("limits");
    for (name, asked) in resources.get("requests").and_then(Value::as_object).into_iter().flatten() {
        let Some(limit) = limits.and_then(|limits| limits.get(name)) else { continue };
        let (Some(more), Some(most)) = (quantity(asked), quantity(limit)) else { continue };
        if more > most {
            let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let why = format!("must be less than or equal to {name} limit of {}", shown(limit));
            errors.invalid(format!("{field}.requests"), &json!(shown(asked)), &why);
        }
    }
    for side in ["limits", "requests"] {
        for (name, amount) in resources.get(side).and_then(Value::as_object).into_iter().flatten() {
            if quantity(amount).is_some_and(|amount| amount < 0.0) {
                errors.invalid(format!("{field}.{side}[{name}]"), amount, "must be greater than or equal to 0");
            }
        }
    }
}

fn tolerations(tolerations: &[Value], field: &str, errors: &mut Errors) {
    for (at, one) in tolerations.iter().enumerate() {
        let here = format!("{field}[{at}]");
        let key = text(one, "key");
        if !key.is_empty() {
            errors.all_invalid(&format!("{here}.key"), key, rules::qualified_name(key));
        } else if text(one, "operator") != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(format!("{here}.operator"), &json!(text(one, "operator")), why);
        }
        if text(one, "operator") == "Exists" && !text(one, "value").is_empty() {
            let why = "value must be empty when `operator` is 'Exists'";
            errors.invalid(format!("{here}.operator"), &one["value"], why);
        }
        let effect = &one["effect"];
        if !text(one, "effect").is_empty() {
            errors.one_of(format!("{here}.effect"), effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        }
    }
}
