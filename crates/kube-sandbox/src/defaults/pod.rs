//! Pods and the templates of pods.

use serde_json::{Value, json};

use super::{each, inside, set, set_pointer, within};

pub(super) fn pod(object: &mut Value) {
    within(object, "spec", |pod| {
        set(pod, "enableServiceLinks", json!(true));
        spec(pod);
        for list in ["containers", "initContainers"] {
            each(pod, list, requests_from_limits);
        }
    });
}

/// What is limited and not asked for is asked for up to its limit: in pods, not in templates.
fn requests_from_limits(container: &mut Value) {
    inside(container, "resources", |resources| {
        let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
        within(resources, "requests", |requests| {
            for (resource, limit) in limits {
                set(requests, &resource, limit);
            }
        });
    });
}

pub(super) fn spec(pod: &mut Value) {
    set(pod, "restartPolicy", json!("Always"));
    set(pod, "dnsPolicy", json!("ClusterFirst"));
    set(pod, "terminationGracePeriodSeconds", json!(30));
    set(pod, "schedulerName", json!("default-scheduler"));
    set(pod, "securityContext", json!({}));
    // The older name goes along.
    if let Some(account) = pod.get("serviceAccountName").cloned() {
        pod["serviceAccount"] = account;
    } else if let Some(account) = pod.get("serviceAccount").cloned() {
        pod["serviceAccountName"] = account;
    }
    let on_host = pod.get("hostNetwork") == Some(&json!(true));
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        each(pod, list, |one| {
            container(one);
            if on_host {
                each(one, "ports", |port| {
                    if let Some(number) = port.get("containerPort").cloned() {
                        set(port, "hostPort", number);
                    }
                });
            }
        });
    }
    each(pod, "volumes", volume);
}

fn container(container: &mut Value) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if takes_the_latest(image) { "Always" } else { "IfNotPresent" };
    set(container, "imagePullPolicy", json!(policy));
    set(container, "terminationMessagePath", json!("/dev/termination-log"));
    set(container, "terminationMessagePolicy", json!("File"));
    set(container, "resources", json!({}));
    each(container, "ports", |port| set(port, "protocol", json!("TCP")));
    each(container, "env", |variable| {
        inside(variable, "valueFrom", |from| inside(from, "fieldRef", field_reference));
    });
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        inside(container, name, probe);
    }
    inside(container, "lifecycle", |lifecycle| {
        for hook in ["postStart", "preStop"] {
            inside(lifecycle, hook, |hook| inside(hook, "httpGet", http_get));
        }
    });
}

/// An image without a tag or digest means `latest`.
fn takes_the_latest(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or(image);
    match (last.contains('@'), last.split_once(':')) {
        (true, _) => false,
        (false, Some((_, tag))) => tag == "latest",
        (false, None) => true,
    }
}

fn probe(probe: &mut Value) {
    for (count, usual) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        // No count at all and zero are the same to Go.
        if probe[count].as_i64().unwrap_or_default() == 0 {
            probe[count] = json!(usual);
        }
    }
    inside(probe, "httpGet", http_get);
    inside(probe, "grpc", |grpc| set_pointer(grpc, "service", json!("")));
}

fn http_get(get: &mut Value) {
    set(get, "path", json!("/"));
    set(get, "scheme", json!("HTTP"));
}

fn field_reference(reference: &mut Value) {
    set(reference, "apiVersion", json!("v1"));
}

pub(super) fn volume(volume: &mut Value) {
    const MODE: i64 = 0o644;
    if volume.as_object().is_some_and(|map| map.keys().all(|key| key == "name")) {
        set(volume, "emptyDir", json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        inside(volume, source, |source| {
            set(source, "defaultMode", json!(MODE));
        });
    }
    inside(volume, "downwardAPI", downward_items);
    inside(volume, "projected", |projected| {
        each(projected, "sources", |source| {
            inside(source, "serviceAccountToken", |token| set(token, "expirationSeconds", json!(3600)));
            inside(source, "downwardAPI", downward_items);
        });
    });
    inside(volume, "hostPath", |path| set_pointer(path, "type", json!("")));
    inside(volume, "iscsi", |iscsi| set(iscsi, "iscsiInterface", json!("default")));
    inside(volume, "ephemeral", |ephemeral| {
        inside(ephemeral, "volumeClaimTemplate", |template| {
            within(template, "spec", |spec| set_pointer(spec, "volumeMode", json!("Filesystem")));
        });
    });
}

fn downward_items(source: &mut Value) {
    each(source, "items", |item| inside(item, "fieldRef", field_reference));
}
