//! Containers of all three kinds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::errors::Errors;
use super::super::rules;
use super::{env, limits, probe, security};
use crate::object::{list, names, text};

pub(super) struct Pod<'a> {
    pub(super) spec: &'a Value,
    pub(super) field: &'a str,
    /// Their names, and what each is.
    pub(super) volumes: &'a BTreeMap<&'a str, &'a Value>,
}

pub(super) fn all(pod: &Pod, errors: &mut Errors) {
    let (spec, field) = (pod.spec, pod.field);
    let containers = list(spec, "containers");
    if containers.is_empty() {
        errors.required(format!("{field}.containers"), "");
    }
    let mut names: Vec<&str> = Vec::new();
    for (at, one) in containers.iter().enumerate() {
        let here = format!("{field}.containers[{at}]");
        common(one, &here, pod, errors);
        unique(one, &here, &mut names, errors);
        probe::lifecycle(one, spec, &here, errors);
        probe::all(one, &here, errors);
        let policies = ["Always", "Never", "OnFailure"];
        errors.one_of(format!("{here}.restartPolicy"), &one["restartPolicy"], &policies);
    }
    host_port_conflicts(containers, &format!("{field}.containers"), errors);
    for (at, one) in list(spec, "initContainers").iter().enumerate() {
        let here = format!("{field}.initContainers[{at}]");
        common(one, &here, pod, errors);
        let policies = ["Always", "Never", "OnFailure"];
        errors.one_of(format!("{here}.restartPolicy"), &one["restartPolicy"], &policies);
        unique(one, &here, &mut names, errors);
        if one["restartPolicy"] == "Always" {
            probe::lifecycle(one, spec, &here, errors);
            probe::all(one, &here, errors);
            continue;
        }
        for part in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if one.get(part).is_some_and(|given| !given.is_null()) {
                let why = "may not be set for init containers without restartPolicy=Always";
                errors.forbidden(format!("{here}.{part}"), why);
            }
        }
    }
    ephemeral(pod, &names, errors);
}

fn ephemeral(pod: &Pod, others: &[&str], errors: &mut Errors) {
    let mut names = others.to_vec();
    for (at, one) in list(pod.spec, "ephemeralContainers").iter().enumerate() {
        let here = format!("{}.ephemeralContainers[{at}]", pod.field);
        common(one, &here, pod, errors);
        trimmed_image(one, &here, errors);
        unique(one, &here, &mut names, errors);
        let target = text(one, "targetContainerName");
        if !target.is_empty() && !others.contains(&target) {
            errors.not_found(format!("{here}.targetContainerName"), &json!(target));
        }
        for part in ["ports", "resources", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] {
            if !super::is_empty(one.get(part)) {
                errors.forbidden(format!("{here}.{part}"), "cannot be set for an Ephemeral Container");
            }
        }
    }
}

pub(super) fn only_in_pods(spec: &Value, field: &str, errors: &mut Errors) {
    for kind in ["containers", "initContainers"] {
        for (at, one) in list(spec, kind).iter().enumerate() {
            trimmed_image(one, &format!("{field}.{kind}[{at}]"), errors);
        }
    }
}

fn trimmed_image(one: &Value, field: &str, errors: &mut Errors) {
    let image = text(one, "image");
    if image.trim() != image {
        errors.invalid(format!("{field}.image"), &one["image"], "must not have leading or trailing whitespace");
    }
}

fn unique<'a>(one: &'a Value, field: &str, names: &mut Vec<&'a str>, errors: &mut Errors) {
    let name = text(one, "name");
    if names.contains(&name) {
        errors.duplicate(format!("{field}.name"), &json!(name));
    } else if !name.is_empty() {
        names.push(name);
    }
}

fn common(one: &Value, field: &str, pod: &Pod, errors: &mut Errors) {
    let name = text(one, "name");
    if name.is_empty() {
        errors.required(format!("{field}.name"), "");
    } else {
        errors.all_invalid(&format!("{field}.name"), name, names::dns_label(name));
    }
    if text(one, "image").is_empty() {
        errors.required(format!("{field}.image"), "");
    }
    let policies = ["File", "FallbackToLogsOnError"];
    errors.one_of(format!("{field}.terminationMessagePolicy"), &one["terminationMessagePolicy"], &policies);
    ports(list(one, "ports"), &format!("{field}.ports"), errors);
    env::check(list(one, "env"), &format!("{field}.env"), errors);
    env::from(list(one, "envFrom"), &format!("{field}.envFrom"), errors);
    mounts(one, field, pod.volumes, errors);
    devices(one, field, pod.volumes, errors);
    errors.one_of(format!("{field}.imagePullPolicy"), &one["imagePullPolicy"], &["Always", "IfNotPresent", "Never"]);
    limits::check(&one["resources"], &format!("{field}.resources"), errors);
    security::container(&one["securityContext"], &format!("{field}.securityContext"), errors);
}

fn ports(ports: &[Value], field: &str, errors: &mut Errors) {
    let mut names: Vec<&str> = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let here = format!("{field}[{at}]");
        let name = text(port, "name");
        if !name.is_empty() {
            let wrong = names::port_name(name);
            if wrong.is_empty() && names.contains(&name) {
                errors.duplicate(format!("{here}.name"), &port["name"]);
            }
            errors.all_invalid(&format!("{here}.name"), name, wrong);
            names.push(name);
        }
        match port["containerPort"].as_i64() {
            None | Some(0) => errors.required(format!("{here}.containerPort"), ""),
            Some(number) => {
                for why in names::port_number(number) {
                    errors.invalid(format!("{here}.containerPort"), &port["containerPort"], &why);
                }
            }
        }
        if let Some(number) = port["hostPort"].as_i64().filter(|number| *number != 0) {
            for why in names::port_number(number) {
                errors.invalid(format!("{here}.hostPort"), &port["hostPort"], &why);
            }
        }
        errors.one_of(format!("{here}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
    }
}

fn host_port_conflicts(containers: &[Value], field: &str, errors: &mut Errors) {
    let mut taken: Vec<String> = Vec::new();
    for (at, container) in containers.iter().enumerate() {
        for (port_at, port) in list(container, "ports").iter().enumerate() {
            let Some(number) = port["hostPort"].as_i64().filter(|number| *number != 0) else { continue };
            let claim = format!("{}/{}/{number}", text(port, "protocol"), text(port, "hostIP"));
            if taken.contains(&claim) {
                errors.duplicate(format!("{field}[{at}].ports[{port_at}].hostPort"), &json!(claim));
            } else {
                taken.push(claim);
            }
        }
    }
}

fn mounts(container: &Value, field: &str, volumes: &BTreeMap<&str, &Value>, errors: &mut Errors) {
    let mut paths: Vec<&str> = Vec::new();
    let field = format!("{field}.volumeMounts");
    for (at, mount) in list(container, "volumeMounts").iter().enumerate() {
        let here = format!("{field}[{at}]");
        let (name, path) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            errors.required(format!("{here}.name"), "");
        }
        if !volumes.contains_key(name) {
            errors.not_found(format!("{here}.name"), &json!(name));
        }
        if path.is_empty() {
            errors.required(format!("{here}.mountPath"), "");
        }
        if paths.contains(&path) {
            errors.invalid(format!("{here}.mountPath"), &json!(path), "must be unique");
        }
        paths.push(path);
        // The place in the list is left out by Kubernetes itself.
        for part in ["subPath", "subPathExpr"] {
            rules::local_path(&format!("{field}.{part}"), text(mount, part), errors);
        }
        let propagation = ["Bidirectional", "HostToContainer", "None"];
        errors.one_of(format!("{field}.mountPropagation"), &mount["mountPropagation"], &propagation);
        let privileged = container["securityContext"]["privileged"] == true;
        if mount["mountPropagation"] == "Bidirectional" && !privileged {
            let why = "Bidirectional mount propagation is available only to privileged containers";
            errors.forbidden(format!("{field}.mountPropagation"), why);
        }
    }
}

fn devices(container: &Value, field: &str, volumes: &BTreeMap<&str, &Value>, errors: &mut Errors) {
    for (at, device) in list(container, "volumeDevices").iter().enumerate() {
        let here = format!("{field}.volumeDevices[{at}]");
        let name = text(device, "name");
        if name.is_empty() {
            errors.required(format!("{here}.name"), "");
        }
        match volumes.get(name).and_then(|one| one.as_object()) {
            None => errors.not_found(format!("{here}.name"), &json!(name)),
            Some(volume) if !is_claim(volume) => {
                let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.invalid(format!("{here}.name"), &json!(name), why);
            }
            Some(_) => {}
        }
        if text(device, "devicePath").is_empty() {
            errors.required(format!("{here}.devicePath"), "");
        }
    }
}

fn is_claim(volume: &Map<String, Value>) -> bool {
    volume.contains_key("persistentVolumeClaim") || volume.contains_key("ephemeral")
}
