//! The API face: Kubernetes' REST verbs over the store, the same router for HTTPS and for clients in
//! this process.

pub mod admission;
mod body;
pub mod convert;
mod delete;
mod dispatch;
mod eviction;
mod fields;
mod keep;
pub mod limits;
pub mod managed;
pub mod meta;
mod negotiate;
pub mod objects;
pub mod patch;
mod plain;
mod read;
pub mod registry;
pub mod request;
pub mod resource;
mod reviews;
pub mod selector;
pub mod shape;
pub mod status;
mod strict;
mod subresource;
mod watch;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::pods::PodAccess;
use super::store::{Hub, Store};
use super::token::Tokens;
pub use dispatch::router;
pub use plain::{go_arch, paths};
use registry::Registry;

/// All that a request needs.
pub struct Api {
    pub store: Store,
    pub hub: Hub,
    pub registry: Registry,
    pub tokens: Tokens,
    pub pods: PodAccess,
    /// What `/api` tells clients to connect to.
    pub address: String,
    pub counters: Counters,
    pub limits: limits::Limits,
    /// Service addresses are given out one at a time.
    pub addresses: tokio::sync::Mutex<()>,
    pub policies: admission::policies::Bound,
    pub events_lease: tokio::sync::Mutex<Option<(i64, std::time::Instant)>>,
}

/// What `/metrics` counts.
#[derive(Debug, Default)]
pub struct Counters {
    requests: Mutex<BTreeMap<(String, String, u16), u64>>,
    watches: std::sync::atomic::AtomicI64,
}

impl Counters {
    fn answered(&self, verb: &str, resource: &str, code: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((verb.to_owned(), resource.to_owned(), code)).or_default() += 1;
    }

    /// Prometheus' text, under kube-apiserver's own names.
    fn text(&self) -> String {
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
