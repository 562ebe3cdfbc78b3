//! Kubernetes' own types and parameters, as kube-apiserver defines them in its documents; see NOTICE.

use std::collections::HashMap;
use std::io::Read;
use std::sync::LazyLock;

use serde_json::{Value, json};

pub(super) const PREFIX: &str = "#/components/schemas/";
pub(super) const KINDS: &str = "x-kubernetes-group-version-kind";

static PACKED: &[u8] = include_bytes!("definitions.gz");

/// Unpacked when the first document is asked for; read as JSON where one is needed.
static TEXTS: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut text = String::new();
    flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text).expect("the definitions in the binary unpack");
    let text: &'static str = Box::leak(text.into_boxed_str());
    text.lines().filter_map(|line| line.split_once(' ')).collect()
});

pub(super) fn refer(component: &str) -> Value {
    json!({"$ref": format!("{PREFIX}{component}")})
}

/// The schema of a component, as the third version has it.
pub(super) fn component(name: &str) -> Option<Value> {
    serde_json::from_str(TEXTS.get(name)?).ok()
}

/// The names of all components.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TEXTS.keys().copied().filter(|name| !name.starts_with('?'))
}

/// A parameter of a request: of one kind of options, or of all that have one of this name.
pub(super) fn parameter(of: &str, name: &str) -> Option<Value> {
    let text = TEXTS.get(&*format!("?{of}.{name}")).or_else(|| TEXTS.get(&*format!("?{name}")))?;
    serde_json::from_str(text).ok()
}

/// The parameters that one kind of options has, by name.
pub(super) fn options(kind: &str) -> Vec<Value> {
    let start = format!("?{kind}.");
    let mut found: Vec<_> = TEXTS.iter().filter(|(name, _)| name.starts_with(&start)).collect();
    found.sort_unstable();
    found.into_iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect()
}

/// Types whose fields stand in another's: they have no definition of their own.
const INLINED: [(&str, &str); 7] = [
    ("admissionregistration/v1.Rule", "admissionregistration/v1.RuleWithOperations"),
    ("core/v1.EphemeralContainerCommon", "core/v1.EphemeralContainer"),
    ("core/v1.PersistentVolumeSource", "core/v1.PersistentVolumeSpec"),
    ("core/v1.ProbeHandler", "core/v1.Probe"),
    ("core/v1.VolumeSource", "core/v1.Volume"),
    ("networking/v1.IngressRuleValue", "networking/v1.IngressRule"),
    ("resource/v1.DeviceConfiguration", "resource/v1.DeviceClaimConfiguration"),
];

/// `core/v1.Pod` is `io.k8s.api.core.v1.Pod` there.
pub(super) fn component_of(message: &str) -> String {
    let message = INLINED.iter().find(|(inner, _)| *inner == message).map_or(message, |(_, outer)| outer);
    let name = message.replace('/', ".");
    match message.split('/').next() {
        Some("meta") => format!("io.k8s.apimachinery.pkg.apis.{name}"),
        Some("apiextensions") => format!("io.k8s.apiextensions-apiserver.pkg.apis.{name}"),
        Some("apiregistration") => format!("io.k8s.kube-aggregator.pkg.apis.{name}"),
        _ => match &*name {
            "Quantity" => "io.k8s.apimachinery.pkg.api.resource.Quantity".to_owned(),
            "IntOrString" => "io.k8s.apimachinery.pkg.util.intstr.IntOrString".to_owned(),
            "RawExtension" => "io.k8s.apimachinery.pkg.runtime.RawExtension".to_owned(),
            "Time" | "MicroTime" | "Duration" | "FieldsV1" => format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}"),
            _ => format!("io.k8s.api.{name}"),
        },
    }
}

/// What Kubernetes says of `core/v1.Pod`, `core/v1.Pod.spec` or `Quantity`.
pub fn description(name: &str) -> Option<String> {
    // The dot before the type belongs to the version.
    let mut dots = name.match_indices('.').map(|(at, _)| at).skip(1);
    let (message, field) = match dots.next() {
        Some(at) => (&name[..at], Some(&name[at + 1..])),
        None => (name, None),
    };
    let schema = component(&component_of(message))?;
    let of = field.map_or(&schema, |field| &schema["properties"][field]);
    of["description"].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_described_by_their_messages_and_those_that_stand_in_another() {
        let starts = |name: &str, with: &str| {
            let text = description(name).unwrap_or_else(|| panic!("{name} is described"));
            assert!(text.starts_with(with), "{name}: {text}");
        };
        starts("core/v1.Pod", "Pod is a collection of containers");
        starts("core/v1.PodSpec.nodeName", "NodeName indicates in which node this pod is scheduled.");
        starts("core/v1.VolumeSource.emptyDir", "emptyDir represents a temporary directory");
        starts("meta/v1.ObjectMeta.labels", "Map of string keys and values");
        starts("apiextensions/v1.CustomResourceDefinitionSpec.group", "group is the API group");
        starts("Quantity", "Quantity is a fixed-point representation of a number.");
        assert_eq!(description("core/v1.Pod.nothing"), None);
        assert_eq!(description("nothing"), None);
    }
}
