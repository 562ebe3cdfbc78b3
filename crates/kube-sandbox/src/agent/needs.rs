//! What a pod's containers need of `ConfigMaps` and `Secrets` before they can start, in a kubelet's words.

use std::collections::HashMap;

use serde_json::Value;

use super::{Agent, Work};
use crate::runtime::{ApiResource, CONFIGMAPS, Error, SECRETS, meta};

/// A kind that environments and volumes are filled from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    ConfigMap,
    Secret,
}

impl Kind {
    fn resource(self) -> ApiResource {
        match self {
            Self::ConfigMap => CONFIGMAPS,
            Self::Secret => SECRETS,
        }
    }

    fn missing(self, name: &str) -> String {
        match self {
            Self::ConfigMap => format!("configmap \"{name}\" not found"),
            Self::Secret => format!("secret \"{name}\" not found"),
        }
    }

    fn lacks_variable(self, namespace: &str, name: &str, key: &str) -> String {
        let kind = match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        };
        format!("couldn't find key {key} in {kind} {namespace}/{name}")
    }

    fn lacks_file(self, key: &str) -> String {
        match self {
            Self::ConfigMap => format!("configmap references non-existent config key: {key}"),
            Self::Secret => format!("references non-existent secret key: {key}"),
        }
    }
}

/// One thing that must be there: an object, and keys of it.
struct Need<'a> {
    kind: Kind,
    name: &'a str,
    keys: Vec<&'a str>,
}

impl<'a> Need<'a> {
    /// `reference` names the object in its field `name`; what is optional is no need.
    fn of(kind: Kind, reference: Option<&'a Value>, name: &str, keys: Vec<&'a str>) -> Option<Self> {
        let reference = reference.filter(|reference| reference["optional"] != true)?;
        Some(Self { kind, name: reference[name].as_str()?, keys })
    }
}

fn of_environment(container: &Value) -> Vec<Need<'_>> {
    let list = |field: &str| container[field].as_array().map_or(&[][..], Vec::as_slice);
    let whole = list("envFrom").iter().flat_map(|from| {
        [
            Need::of(Kind::ConfigMap, from.get("configMapRef"), "name", Vec::new()),
            Need::of(Kind::Secret, from.get("secretRef"), "name", Vec::new()),
        ]
    });
    let single = list("env").iter().flat_map(|variable| {
        [(Kind::ConfigMap, "configMapKeyRef"), (Kind::Secret, "secretKeyRef")].map(|(kind, field)| {
            let reference = variable["valueFrom"].get(field);
            let key = reference.and_then(|reference| reference["key"].as_str());
            Need::of(kind, reference, "name", key.into_iter().collect())
        })
    });
    whole.chain(single).flatten().collect()
}

fn items(source: Option<&Value>) -> Vec<&str> {
    let items = source.and_then(|source| source["items"].as_array()).map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(|item| item["key"].as_str()).collect()
}

fn of_volume(volume: &Value) -> Vec<Need<'_>> {
    let sources = volume["projected"]["sources"].as_array().map_or(&[][..], Vec::as_slice);
    std::iter::once(volume)
        .chain(sources)
        .flat_map(|source| {
            let (config, secret) = (source.get("configMap"), source.get("secret"));
            let name = if std::ptr::eq(source, volume) { "secretName" } else { "name" };
            [
                Need::of(Kind::ConfigMap, config, "name", items(config)),
                Need::of(Kind::Secret, secret, name, items(secret)),
            ]
        })
        .flatten()
        .collect()
}

/// What was asked for already: one answer serves all containers of a pod.
#[derive(Default)]
struct Answers(HashMap<(Kind, String), Option<Value>>);

impl Agent {
    async fn lacking<'a>(
        &self,
        answers: &mut Answers,
        namespace: &str,
        need: &Need<'a>,
    ) -> Result<Option<Lack<'a>>, Error> {
        let asked = (need.kind, need.name.to_owned());
        if !answers.0.contains_key(&asked) {
            let found = self.rest.get(&need.kind.resource(), namespace, need.name).await?;
            answers.0.insert(asked.clone(), found);
        }
        let Some(Some(object)) = answers.0.get(&asked) else { return Ok(Some(Lack::Object)) };
        let holds = |key: &&str| ["data", "binaryData"].iter().any(|part| object[*part].get(*key).is_some());
        Ok(need.keys.iter().find(|key| !holds(key)).map(|key| Lack::Key(key)))
    }

    /// The volumes that cannot be mounted, each with the reason why.
    pub(super) async fn unmounted(&self, work: &Work<'_>) -> Result<Vec<String>, Error> {
        let (mut answers, mut found) = (Answers::default(), Vec::new());
        for volume in work.pod["spec"]["volumes"].as_array().into_iter().flatten() {
            for need in of_volume(volume) {
                let why = match self.lacking(&mut answers, &work.object.key.namespace, &need).await? {
                    None => continue,
                    Some(Lack::Object) => need.kind.missing(need.name),
                    Some(Lack::Key(key)) => need.kind.lacks_file(key),
                };
                let name = meta::text(volume, "/name");
                found.push(format!("MountVolume.SetUp failed for volume \"{name}\" : {why}"));
                break;
            }
        }
        Ok(found)
    }

    /// Why this container cannot be made of what is there.
    pub(super) async fn unconfigured(&self, work: &Work<'_>, container: &Value) -> Result<Option<String>, Error> {
        let mut answers = Answers::default();
        let namespace = &*work.object.key.namespace;
        for need in of_environment(container) {
            match self.lacking(&mut answers, namespace, &need).await? {
                None => {}
                Some(Lack::Object) => return Ok(Some(need.kind.missing(need.name))),
                Some(Lack::Key(key)) => return Ok(Some(need.kind.lacks_variable(namespace, need.name, key))),
            }
        }
        Ok(None)
    }
}

enum Lack<'a> {
    Object,
    Key(&'a str),
}
