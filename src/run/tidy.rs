//! A cluster that is kept for many labs is left as it was found.

use std::time::Duration;

use super::runner::Runner;
use crate::journal::Seq;
use kube_etcd_codec::{Kind, by_key};

/// What a clean-up has just deleted is given this long to go by itself.
const ON_ITS_WAY: Duration = Duration::from_secs(3);

/// What became of the keys that a lab left.
pub(super) struct Tidied {
    pub(super) removed: Vec<String>,
    pub(super) stayed: Vec<String>,
}

impl Runner<'_> {
    /// Deletes through the API what the lab created and left; the journal names it, and proves that it is gone.
    pub(super) async fn tidy(&self, start: Seq) -> Tidied {
        self.tidy_those(start, &|_| true).await
    }

    /// Of what was created, only that whose name is one of these; the rest stays.
    pub(super) async fn tidy_those(&self, start: Seq, is_ours: &(dyn Fn(&str) -> bool + Send + Sync)) -> Tidied {
        let left = self.keys_left_after(start, ON_ITS_WAY).await;
        if left.is_empty() {
            return Tidied { removed: Vec::new(), stayed: left };
        }
        let mut others = Vec::new();
        for key in &left {
            if let Some(resource) = by_key(&self.info.prefix, key) {
                if !is_ours(&resource.name) {
                    others.push(key.clone());
                    continue;
                }
                let kind =
                    resource.kind.map_or_else(|| format!("{}.{}", resource.plural, resource.group), Kind::resource);
                let mut words = vec!["kubectl", "delete", "--ignore-not-found", "--wait=false", &kind, &resource.name];
                if let Some(namespace) = &resource.namespace {
                    words.extend(["--namespace", namespace]);
                }
                // Whether it worked, the journal shows.
                drop(self.command(&shell_words::join(words)).await);
            }
        }
        // What is not ours is not waited for.
        let stayed =
            if others.is_empty() { self.keys_left(start).await } else { self.keys_left_after(start, ON_ITS_WAY).await };
        Tidied { removed: left.into_iter().filter(|key| !stayed.contains(key)).collect(), stayed }
    }
}
