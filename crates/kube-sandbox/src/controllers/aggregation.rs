//! Cluster roles that gather the rules of others, chosen by their labels.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::object::labels;
use crate::runtime::{CLUSTER_ROLES, Cache, Context, Controller, Error, Key, Next, Rest, Source, meta};

pub(crate) struct Aggregation {
    rest: Rest,
    roles: Arc<Cache>,
}

impl Aggregation {
    pub(crate) fn new(context: &Context) -> Self {
        Self { rest: context.rest.clone(), roles: context.cache(&CLUSTER_ROLES) }
    }

    /// The rules of all that the selectors choose, by name, each once.
    fn gathered(&self, role: &Value) -> Vec<Value> {
        let mut others: Vec<Value> = self.roles.all().iter().map(|other| other.value()).collect();
        others.retain(|other| other["metadata"]["name"] != role["metadata"]["name"]);
        others.sort_by(|one, other| meta::text(one, "/metadata/name").cmp(meta::text(other, "/metadata/name")));
        let mut rules: Vec<Value> = Vec::new();
        for selector in role["aggregationRule"]["clusterRoleSelectors"].as_array().into_iter().flatten() {
            for other in others.iter().filter(|other| chosen(selector, other)) {
                for rule in other["rules"].as_array().into_iter().flatten() {
                    if !rules.contains(rule) {
                        rules.push(rule.clone());
                    }
                }
            }
        }
        rules
    }
}

fn chosen(selector: &Value, role: &Value) -> bool {
    labels::selects(selector, |key| role["metadata"]["labels"].get(key)?.as_str())
}

#[async_trait]
impl Controller for Aggregation {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let roles = Arc::clone(&self.roles);
        vec![Source::new(Arc::clone(&self.roles), move |change| {
            // Only a role that is labelled can be gathered, and only one with a rule gathers.
            let gathers = |value: &Value| value.get("aggregationRule").is_some();
            let concerns = change.either().any(|role| {
                let value = role.value();
                gathers(&value) || value["metadata"].get("labels").is_some()
            });
            if !concerns {
                return Vec::new();
            }
            roles.all().iter().filter(|role| gathers(&role.value())).map(|role| role.key.clone()).collect()
        })]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.roles.get(key).filter(|role| !role.deleting) else { return Ok(Next::Change) };
        let mut role = object.value();
        if role.get("aggregationRule").is_none() {
            return Ok(Next::Change);
        }
        let rules = json!(self.gathered(&role));
        let held = role.get("rules").cloned().unwrap_or_else(|| json!([]));
        if rules != held {
            role["rules"] = rules;
            self.roles.wrote(&self.rest.replace(&CLUSTER_ROLES, "", &role).await?);
        }
        Ok(Next::Change)
    }
}
