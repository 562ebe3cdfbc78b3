//! Quantities of resources, in thousandths so that `100m` and `1` can be added.

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) type Amounts = BTreeMap<String, i128>;

/// Thousandths; what cannot be read counts nothing, since the API has checked it.
pub(crate) fn parse(value: &Value) -> i128 {
    kube_etcd_codec::thousandths(value).unwrap_or_default()
}

/// An amount as Kubernetes would write it: memory in the largest binary unit that divides it.
pub(crate) fn format(resource: &str, milli: i128) -> String {
    if milli % 1000 != 0 {
        return format!("{milli}m");
    }
    let whole = milli / 1000;
    let binary = kube_etcd_codec::BINARY.iter().rev().map(|(suffix, power)| (suffix, 1024_i128.pow(*power)));
    let fitting =
        (resource != "cpu" && whole != 0).then(|| { binary }.find(|(_, factor)| whole % factor == 0)).flatten();
    fitting.map_or_else(|| whole.to_string(), |(suffix, factor)| format!("{}{suffix}", whole / factor))
}

/// What a pod asks for.
pub(crate) fn requests(spec: &Value) -> Amounts {
    total(spec, "requests")
}

/// The `requests` or the `limits` of a pod: its containers and sidecars together, or the most that is needed while one
/// of its init containers runs, whichever is more; what the pod itself says counts in place of its containers'.
pub(crate) fn total(spec: &Value, part: &str) -> Amounts {
    let of = |holder: &Value| -> Amounts {
        let amounts = holder["resources"][part].as_object().into_iter().flatten();
        amounts.map(|(name, amount)| (name.clone(), parse(amount))).collect()
    };
    let add = |sum: &mut Amounts, more: &Amounts| {
        for (name, amount) in more {
            *sum.entry(name.clone()).or_default() += amount;
        }
    };
    let mut total = Amounts::new();
    for container in spec["containers"].as_array().into_iter().flatten() {
        add(&mut total, &of(container));
    }
    // A sidecar starts before the init containers that follow it, and stays.
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for container in spec["initContainers"].as_array().into_iter().flatten() {
        let own = of(container);
        let needed = if container["restartPolicy"] == "Always" {
            add(&mut total, &own);
            add(&mut sidecars, &own);
            sidecars.clone()
        } else {
            let mut needed = own;
            add(&mut needed, &sidecars);
            needed
        };
        for (name, amount) in needed {
            let held = most.entry(name).or_default();
            *held = (*held).max(amount);
        }
    }
    for (name, amount) in most {
        let held = total.entry(name).or_default();
        *held = (*held).max(amount);
    }
    total.extend(of(spec));
    for (name, amount) in spec["overhead"].as_object().into_iter().flatten() {
        // A limit that is not there is not made by what the pod's runtime takes.
        if part == "requests" || total.contains_key(name) {
            *total.entry(name.clone()).or_default() += parse(amount);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, milli) in [
            ("100m", 100),
            ("1", 1000),
            ("0.5", 500),
            ("1Ki", 1_024_000),
            ("2k", 2_000_000),
            ("1.5Gi", 1_610_612_736_000),
            ("1e3", 1_000_000),
            ("250u", 1),
            ("-1.5", -1500),
        ] {
            assert_eq!(parse(&json!(text)), milli, "{text}");
        }
        assert_eq!(parse(&json!(2)), 2000);
    }

    #[test]
    fn amounts_are_written_as_kubernetes_would() {
        for (resource, text) in [("cpu", "500m"), ("cpu", "2"), ("memory", "256Mi"), ("memory", "1Gi"), ("memory", "0")]
        {
            assert_eq!(format(resource, parse(&json!(text))), text);
        }
    }

    #[test]
    fn a_large_init_container_sets_the_request() {
        let cpu = |amount: &str| json!({"resources": {"requests": {"cpu": amount}}});
        let spec = json!({"containers": [cpu("100m"), cpu("200m")], "initContainers": [cpu("1")]});
        assert_eq!(requests(&spec), Amounts::from([("cpu".to_owned(), 1000)]));
    }

    #[test]
    fn sidecars_are_added_and_run_beside_later_init_containers() {
        let cpu = |amount: &str| json!({"resources": {"requests": {"cpu": amount}}});
        let side = |amount: &str| {
            let mut container = cpu(amount);
            container["restartPolicy"] = json!("Always");
            container
        };
        let all = |spec: Value| requests(&spec).get("cpu").copied().unwrap_or_default();
        assert_eq!(all(json!({"containers": [cpu("700m")], "initContainers": [side("700m")]})), 1400);
        assert_eq!(all(json!({"containers": [cpu("100m")], "initContainers": [side("200m"), cpu("1")]})), 1200);
        assert_eq!(all(json!({"containers": [cpu("100m")], "initContainers": [cpu("1"), side("200m")]})), 1000);
        let whole =
            json!({"containers": [cpu("100m")], "resources": {"requests": {"cpu": "2"}}, "overhead": {"cpu": "50m"}});
        assert_eq!(all(whole), 2050);
    }
}
