//! Quantities of resources, in thousandths so that `100m` and `1` can be added.

use std::collections::BTreeMap;

use serde_json::Value;

use kube_etcd_codec as codec;

pub(crate) type Amounts = BTreeMap<String, i128>;

const BINARY: [(&str, i128); 6] =
    [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40), ("Pi", 1 << 50), ("Ei", 1 << 60)];

/// Thousandths; what cannot be read counts nothing, since the API has checked it.
pub(crate) fn parse(value: &Value) -> i128 {
    codec::thousandths(value).unwrap_or_default()
}

/// An amount as Kubernetes would write it: memory in the largest binary unit that divides it.
pub(crate) fn format(resource: &str, milli: i128) -> String {
    if milli % 1000 != 0 {
        return format!("{milli}m");
    }
    let whole = milli / 1000;
    let binary = BINARY.iter().rev();
    let fitting =
        (resource != "cpu" && whole != 0).then(|| binary.into_iter().find(|(_, factor)| whole % factor == 0)).flatten();
    fitting.map_or_else(|| whole.to_string(), |(suffix, factor)| format!("{}{suffix}", whole / factor))
}

/// What a pod asks for.
pub(crate) fn requests(spec: &Value) -> Amounts {
    total(spec, "requests")
}

/// The `requests` or the `limits` of a pod: its containers together, or its largest init container if that is more.
pub(crate) fn total(spec: &Value, part: &str) -> Amounts {
    let of = |container: &Value| -> Amounts {
        let amounts = container["resources"][part].as_object().into_iter().flatten();
        amounts.map(|(name, amount)| (name.clone(), parse(amount))).collect()
    };
    let mut total = Amounts::new();
    for container in spec["containers"].as_array().into_iter().flatten() {
        for (name, amount) in of(container) {
            *total.entry(name).or_default() += amount;
        }
    }
    for container in spec["initContainers"].as_array().into_iter().flatten() {
        for (name, amount) in of(container) {
            let most = total.entry(name).or_default();
            *most = (*most).max(amount);
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
}
