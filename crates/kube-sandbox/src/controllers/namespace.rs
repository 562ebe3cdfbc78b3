//! Namespaces: what every one gets when it is made, and how everything in one goes when it is deleted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::discovery;
use crate::object::conditions::set_condition;
use crate::runtime::{
    ApiResource, CONFIGMAPS, Cache, Context, Controller, Error, Key, NAMESPACES, Next, PODS, Rest, SERVICEACCOUNTS,
    Source,
};

const ROOT_CA: &str = "kube-root-ca.crt";
pub(crate) const ROOT_CA_IS: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints \
     such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of \
     Kubernetes clusters.";

/// Empties a namespace that is being deleted, then lets it go.
pub(crate) struct Namespaces {
    rest: Rest,
    namespaces: Arc<Cache>,
    pods: Arc<Cache>,
}

impl Namespaces {
    pub(crate) fn new(context: &Context) -> Self {
        Self { rest: context.rest.clone(), namespaces: context.cache(&NAMESPACES), pods: context.cache(&PODS) }
    }

    /// What is left of one resource: how many, and which finalizers hold how many of them.
    async fn remaining(&self, resource: &ApiResource, namespace: &str) -> Result<(usize, Map<String, Value>), Error> {
        let list = match self.rest.read(&format!("{}?limit=500", resource.path(namespace))).await {
            Ok(list) => list,
            Err(error) if error.is_not_found() => return Ok((0, Map::new())),
            Err(error) => return Err(error),
        };
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let mut finalizers = Map::new();
        for item in &items {
            for name in item["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let count = finalizers.get(name).and_then(Value::as_u64).unwrap_or_default() + 1;
                finalizers.insert(name.to_owned(), count.into());
            }
        }
        Ok((items.len(), finalizers))
    }

    async fn empty(&self, resource: &ApiResource, namespace: &str, found: &mut Findings) -> Result<(), Error> {
        match self.remaining(resource, namespace).await {
            Ok((0, _)) => return Ok(()),
            Ok(_) => {}
            Err(error) => {
                found.failures.push(error.message());
                return Ok(());
            }
        }
        if let Err(error) = self.rest.delete_collection(resource, namespace).await
            && !error.is_not_found()
        {
            found.failures.push(error.message());
        }
        let (count, finalizers) = self.remaining(resource, namespace).await?;
        if count > 0 {
            // Kubernetes writes the dot even where no group follows it.
            found.remaining.push(format!("{}.{}", resource.plural, resource.group), count);
            for (name, held) in finalizers {
                found.finalizers.push(name, usize::try_from(held.as_u64().unwrap_or_default()).unwrap_or_default());
            }
        }
        Ok(())
    }

    async fn write(&self, namespace: &Value, found: &Findings) -> Result<(), Error> {
        let mut conditions = namespace["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let mut changed = false;
        for condition in found.conditions() {
            changed |= set_condition(&mut conditions, condition);
        }
        if changed {
            let mut namespace = namespace.clone();
            namespace["status"]["conditions"] = conditions.into();
            self.namespaces.wrote(&self.rest.replace(&NAMESPACES, "status", &namespace).await?);
        }
        Ok(())
    }

    async fn finalize(&self, name: &str) -> Result<(), Error> {
        let Some(mut namespace) = self.rest.get(&NAMESPACES, "", name).await? else { return Ok(()) };
        let kept: Vec<Value> = namespace["spec"]["finalizers"].as_array().cloned().unwrap_or_default();
        namespace["spec"]["finalizers"] = kept.into_iter().filter(|held| held != "kubernetes").collect();
        match self.rest.replace(&NAMESPACES, "finalize", &namespace).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Names with how many of each, in the order of their names.
#[derive(Default)]
struct Counts(std::collections::BTreeMap<String, usize>);

impl Counts {
    fn push(&mut self, name: String, count: usize) {
        *self.0.entry(name).or_default() += count;
    }

    fn each(&self, format: impl Fn(&str, usize) -> String) -> String {
        self.0.iter().map(|(name, count)| format(name, *count)).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Default)]
struct Findings {
    undiscovered: Option<String>,
    failures: Vec<String>,
    remaining: Counts,
    finalizers: Counts,
}

impl Findings {
    /// As Kubernetes words them, bad news or good.
    fn conditions(&self) -> Vec<Value> {
        let condition = |kind: &str, bad: Option<(&str, String)>, good: (&str, &str)| {
            let status = if bad.is_some() { "True" } else { "False" };
            let (reason, message) = bad.unwrap_or((good.0, good.1.to_owned()));
            json!({"type": kind, "status": status, "reason": reason, "message": message})
        };
        let undiscovered = self.undiscovered.as_ref().map(|error| {
            ("DiscoveryFailed", format!("Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: {error}"))
        });
        let failed = (!self.failures.is_empty()).then(|| {
            let failures = self.failures.join(", ");
            (
                "ContentDeletionFailed",
                format!("Failed to delete all resource types, {} remaining: {failures}", self.failures.len()),
            )
        });
        let remaining = (!self.remaining.0.is_empty()).then(|| {
            let each = self.remaining.each(|name, count| format!("{name} has {count} resource instances"));
            ("SomeResourcesRemain", format!("Some resources are remaining: {each}"))
        });
        let finalizers = (!self.finalizers.0.is_empty()).then(|| {
            let each = self.finalizers.each(|name, count| format!("{name} in {count} resource instances"));
            ("SomeFinalizersRemain", format!("Some content in the namespace has finalizers remaining: {each}"))
        });
        vec![
            condition(
                "NamespaceDeletionDiscoveryFailure",
                undiscovered,
                ("ResourcesDiscovered", "All resources successfully discovered"),
            ),
            condition(
                "NamespaceDeletionGroupVersionParsingFailure",
                None,
                ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
            ),
            condition(
                "NamespaceDeletionContentFailure",
                failed,
                ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
            ),
            condition("NamespaceContentRemaining", remaining, ("ContentRemoved", "All content successfully removed")),
            condition(
                "NamespaceFinalizersRemaining",
                finalizers,
                ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
            ),
        ]
    }
}

#[async_trait]
impl Controller for Namespaces {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let namespaces = Arc::clone(&self.namespaces);
        vec![
            Source::of(Arc::clone(&self.namespaces)),
            // The last pod to go lets the rest follow at once.
            Source::new(Arc::clone(&self.pods), move |change| {
                let gone = change.old.as_ref().filter(|_| change.new.is_none());
                let key = gone.map(|pod| Key::new("", &pod.key.namespace));
                key.filter(|key| namespaces.get(key).is_some_and(|namespace| namespace.deleting)).into_iter().collect()
            }),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.namespaces.get(key).filter(|namespace| namespace.deleting) else {
            return Ok(Next::Change);
        };
        let namespace = object.value();
        let name = &*key.name;
        if !namespace["spec"]["finalizers"].as_array().is_some_and(|held| held.iter().any(|held| held == "kubernetes"))
        {
            return Ok(Next::Change);
        }
        let mut found = Findings::default();
        // Pods go first, so that nothing they need goes before them.
        self.empty(&PODS, name, &mut found).await?;
        if found.remaining.0.contains_key("pods.") {
            if found.finalizers.0.is_empty() {
                found.remaining = Counts::default();
            }
            self.write(&namespace, &found).await?;
            return Ok(Next::After(Duration::from_millis(250)));
        }
        let resources = match discovery::deletable(&self.rest).await {
            Ok(resources) => resources,
            Err(error) => {
                found.undiscovered = Some(error.message());
                Vec::new()
            }
        };
        for resource in resources.iter().filter(|resource| resource.namespaced) {
            self.empty(resource, name, &mut found).await?;
        }
        self.write(&namespace, &found).await?;
        if found.undiscovered.is_none() && found.failures.is_empty() && found.remaining.0.is_empty() {
            self.finalize(name).await?;
            return Ok(Next::Change);
        }
        Ok(Next::After(Duration::from_millis(500)))
    }
}

/// Gives each namespace its `default` service account and the certificate of the API.
pub(crate) struct Furnishings {
    rest: Rest,
    ca: Arc<str>,
    namespaces: Arc<Cache>,
    accounts: Arc<Cache>,
    configs: Arc<Cache>,
}

impl Furnishings {
    pub(crate) fn new(context: &Context, ca: &str) -> Self {
        Self {
            rest: context.rest.clone(),
            ca: ca.into(),
            namespaces: context.cache(&NAMESPACES),
            accounts: context.cache(&SERVICEACCOUNTS),
            configs: context.cache(&CONFIGMAPS),
        }
    }

    async fn put(&self, store: &Cache, namespace: &str, object: &Value) -> Result<(), Error> {
        match self.rest.create(&store.resource, namespace, object).await {
            Ok(made) => {
                store.wrote(&made);
                Ok(())
            }
            Err(error) if error.already_exists() || error.is_terminating() || error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Controller for Furnishings {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let part = |name: &'static str| {
            move |change: &crate::runtime::Change| {
                let object = change.either().find(|object| &*object.key.name == name);
                object.map(|object| Key::new("", &object.key.namespace)).into_iter().collect()
            }
        };
        vec![
            Source::of(Arc::clone(&self.namespaces)),
            Source::new(Arc::clone(&self.accounts), part("default")),
            Source::new(Arc::clone(&self.configs), part(ROOT_CA)),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(namespace) = self.namespaces.get(key).filter(|namespace| !namespace.deleting) else {
            return Ok(Next::Change);
        };
        let name = &*namespace.key.name;
        if self.accounts.find(name, "default").is_none() {
            let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}});
            self.put(&self.accounts, name, &account).await?;
        }
        let held = self.configs.find(name, ROOT_CA);
        let config = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": ROOT_CA, "namespace": name, "annotations": {"kubernetes.io/description": ROOT_CA_IS}},
            "data": {"ca.crt": &*self.ca},
        });
        match held {
            None => self.put(&self.configs, name, &config).await?,
            Some(held) if held.value()["data"] != config["data"] => {
                let patch = json!({"data": config["data"]});
                self.configs.wrote(&self.rest.merge(&CONFIGMAPS, name, ROOT_CA, "", &patch).await?);
            }
            Some(_) => {}
        }
        Ok(Next::Change)
    }

    fn workers(&self) -> usize {
        2
    }
}
