//! What all requests share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::known::{KnownNamespaces, KnownPolicies};
use super::limits::Limits;
use super::lists::KnownLists;
use crate::objects::Objects;
use crate::pods::PodAccess;
use crate::token::Tokens;

/// All that a request needs.
pub struct Api {
    pub objects: Arc<Objects>,
    pub tokens: Tokens,
    pub pods: PodAccess,
    /// What `/api` tells clients to connect to.
    pub address: String,
    pub counters: Counters,
    pub limits: Limits,
    /// Service addresses are given out one at a time.
    pub addresses: tokio::sync::Mutex<()>,
    pub policies: KnownPolicies,
    pub namespaces: KnownNamespaces,
    pub lists: KnownLists,
    pub events_lease: tokio::sync::Mutex<Option<(i64, std::time::Instant)>>,
}

/// What `/metrics` counts.
#[derive(Debug, Default)]
pub struct Counters {
    requests: Mutex<BTreeMap<(String, String, u16), u64>>,
    pub(super) watches: std::sync::atomic::AtomicI64,
}

impl Counters {
    pub(super) fn answered(&self, verb: &str, resource: &str, code: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((verb.to_owned(), resource.to_owned(), code)).or_default() += 1;
    }

    /// Prometheus' text, under kube-apiserver's own names.
    pub(super) fn text(&self) -> String {
        use std::fmt::Write;
        let mut text = String::from(
            "# HELP apiserver_request_total Counter of apiserver requests broken out for each verb, resource and code.\n# TYPE apiserver_request_total counter\n",
        );
        for ((verb, resource, code), count) in &*self.requests.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(
                text,
                "apiserver_request_total{{code=\"{code}\",resource=\"{resource}\",verb=\"{verb}\"}} {count}"
            );
        }
        let watches = self.watches.load(std::sync::atomic::Ordering::Relaxed);
        let _ = writeln!(
            text,
            "# HELP apiserver_longrunning_requests Gauge of all active long-running apiserver requests.\n# TYPE apiserver_longrunning_requests gauge\napiserver_longrunning_requests{{verb=\"WATCH\"}} {watches}"
        );
        text
    }
}

pub type SharedApi = Arc<Api>;
