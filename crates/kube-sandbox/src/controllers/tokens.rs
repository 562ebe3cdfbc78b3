//! Token Secrets of service accounts that are gone go as well.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use crate::runtime::{Cache, Context, Controller, Error, Key, Next, Rest, SECRETS, SERVICEACCOUNTS, Source, meta};

const ACCOUNT: &str = "/metadata/annotations/kubernetes.io~1service-account.name";

pub(crate) struct Tokens {
    rest: Rest,
    accounts: Arc<Cache>,
}

impl Tokens {
    pub(crate) fn new(context: &Context) -> Self {
        Self { rest: context.rest.clone(), accounts: context.cache(&SERVICEACCOUNTS) }
    }
}

#[async_trait]
impl Controller for Tokens {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        vec![Source::new(Arc::clone(&self.accounts), |change| match (&change.old, &change.new) {
            (Some(old), None) => vec![old.key.clone()],
            _ => Vec::new(),
        })]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        if self.accounts.get(key).is_some() {
            return Ok(Next::Change);
        }
        let kind = "fieldSelector=type%3Dkubernetes.io%2Fservice-account-token";
        let list = self.rest.read(&format!("{}?{kind}", SECRETS.path(&key.namespace))).await?;
        for secret in list["items"].as_array().into_iter().flatten() {
            if meta::text(secret, ACCOUNT) == &*key.name {
                let (name, uid) = (meta::text(secret, "/metadata/name"), meta::text(secret, "/metadata/uid"));
                self.rest.delete(&SECRETS, &key.namespace, name, uid, json!({})).await?;
            }
        }
        Ok(Next::Change)
    }

    fn workers(&self) -> usize {
        1
    }
}
