//! etcd by gRPC: one client an endpoint, so that each member can be asked by itself.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use etcd_client::{
    Client, ConnectOptions, Error, EventType, GetOptions, KeyValue, ResponseHeader, WatchOptions, WatchStream,
};

use super::metrics::Watching;
use super::status::{self, Members};
use super::store::{Delivery, Feed, Head, Listing, Store, StoreError};
use super::{PATIENCE, ask, metrics, patience, tls};
use crate::cluster::EtcdTls;
use crate::journal::{Change, Clock, Entry, Revision, Stored};
use kube_etcd_codec::prefix_end;

/// Keys a page: a page of large objects still fits into memory many times over.
const PAGE: i64 = 500;
/// Longer than the patience with any answer: that is to end first, which heeds how busy the machine is.
const CONNECT: Duration = Duration::from_secs(10);
/// etcd refuses pings more often than each 5 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

pub(super) struct Direct {
    pub(super) endpoints: Vec<Endpoint>,
    tls: Option<Arc<rustls::ClientConfig>>,
    /// The endpoint that answered last.
    preferred: AtomicUsize,
    /// As last reported: a member that is down no longer reports.
    members: Mutex<Members>,
}

pub(super) struct Endpoint {
    pub(super) url: String,
    /// The name that the lab gives it.
    pub(super) name: Option<String>,
    pub(super) client: Client,
    /// Ends its watches when its member has lost the leader.
    watching: Client,
}

impl Direct {
    pub(super) async fn new(
        urls: &[String],
        etcd_tls: Option<&EtcdTls>,
        names: &[(String, String)],
    ) -> Result<Self, StoreError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT)
            .with_keep_alive(KEEP_ALIVE, KEEP_ALIVE / 2)
            .with_keep_alive_while_idle(true);
        if let Some(etcd_tls) = etcd_tls {
            options = options.with_tls(tls::grpc(etcd_tls)?);
        }
        let mut endpoints = Vec::new();
        for url in urls {
            let connect = |options: ConnectOptions| async move {
                Client::connect([url], Some(options)).await.map_err(|error| StoreError::chain(&error))
            };
            endpoints.push(Endpoint {
                url: url.clone(),
                name: names.iter().find(|(_, endpoint)| endpoint == url).map(|(name, _)| name.clone()),
                client: connect(options.clone()).await?,
                watching: connect(options.clone().with_require_leader(true)).await?,
            });
        }
        if endpoints.is_empty() {
            return Err(StoreError::new("no endpoint is known"));
        }
        let tls = etcd_tls.map(tls::https).transpose()?;
        Ok(Self { endpoints, tls, preferred: AtomicUsize::new(0), members: Mutex::new(Members::new()) })
    }

    /// The first answer of any endpoint, the one that answered last asked first.
    async fn any<'a, T, F>(&'a self, call: impl Fn(&'a Endpoint) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last = StoreError::new("no endpoint is known");
        for turn in 0..self.endpoints.len() {
            let index = (first + turn) % self.endpoints.len();
            let endpoint = &self.endpoints[index];
            match patience::within(PATIENCE, call(endpoint)).await {
                Ok(Ok(answer)) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Ok(Err(error)) => {
                    let cause = StoreError::chain(&error);
                    last = StoreError::new(format!("{}: {cause}", endpoint.url));
                }
                Err(_) => last = StoreError::late(&endpoint.url, PATIENCE),
            }
        }
        Err(last)
    }
}

/// A read that a quorum confirms, of one endpoint.
pub(super) async fn head(client: &Client) -> Result<Head, Error> {
    let options = GetOptions::new().with_count_only();
    let response = client.kv_client().get("\0", Some(options)).await?;
    Ok(response.header().map_or(Head { cluster: 0, term: 0, revision: 0 }, Head::of))
}

impl Head {
    fn of(header: &ResponseHeader) -> Self {
        Self { cluster: header.cluster_id(), term: header.raft_term(), revision: header.revision() }
    }
}

#[async_trait]
impl Store for Direct {
    async fn head(&self) -> Result<Head, StoreError> {
        self.any(|endpoint| head(&endpoint.client)).await
    }

    async fn list(&self, scope: &str, at: Option<Revision>) -> Result<Listing, StoreError> {
        let end = prefix_end(scope);
        let mut from: Vec<u8> = if scope.is_empty() { vec![0] } else { scope.into() };
        let mut revision = at.unwrap_or(0);
        let mut state = Vec::new();
        loop {
            let (page_from, page_end) = (&from, &end);
            let mut page = self
                .any(|endpoint| async move {
                    let mut options = GetOptions::new().with_range(page_end.clone()).with_limit(PAGE);
                    if revision != 0 {
                        options = options.with_revision(revision);
                    }
                    let mut client = endpoint.client.kv_client().max_decoding_message_size(usize::MAX);
                    client.get(page_from.clone(), Some(options)).await
                })
                .await?;
            if revision == 0 {
                revision = page.header().map_or(0, ResponseHeader::revision);
            }
            let kvs = page.take_kvs();
            let Some(last) = kvs.last() else { break };
            from = [last.key(), b"\0"].concat();
            let at = Clock::now();
            state.extend(kvs.into_iter().map(|kv| listed(kv, at)));
            if !page.more() {
                break;
            }
        }
        Ok(Listing { revision, state })
    }

    async fn get(&self, key: &str, at: Option<Revision>) -> Result<(Revision, Option<Change>), StoreError> {
        let mut response = self
            .any(|endpoint| async move {
                let options = at.map(|revision| GetOptions::new().with_revision(revision));
                let mut client = endpoint.client.kv_client().max_decoding_message_size(usize::MAX);
                client.get(key, options).await
            })
            .await?;
        let newest = response.header().map_or(0, ResponseHeader::revision);
        let now = Clock::now();
        Ok((newest, response.take_kvs().into_iter().next().map(|kv| listed(kv, now))))
    }

    async fn changed_at(&self, key: &str) -> Result<Option<Revision>, StoreError> {
        let response = self
            .any(|endpoint| async move {
                let options = GetOptions::new().with_keys_only();
                endpoint.client.kv_client().get(key, Some(options)).await
            })
            .await?;
        Ok(response.kvs().first().map(KeyValue::mod_revision))
    }

    async fn watch(&self, scope: &str, from: Revision) -> Result<Box<dyn Feed>, StoreError> {
        let stream = self
            .any(|endpoint| async move {
                let mut options = WatchOptions::new()
                    .with_start_revision(from)
                    .with_fragment()
                    .with_prev_key()
                    .with_progress_notify();
                options = if scope.is_empty() { options.with_all_keys() } else { options.with_prefix() };
                let mut client = endpoint.watching.watch_client().max_decoding_message_size(usize::MAX);
                client.watch(scope, Some(options)).await
            })
            .await?;
        Ok(Box::new(GrpcFeed { stream }))
    }

    async fn status(&self, member: Option<&str>) -> Result<serde_json::Value, StoreError> {
        let (asked, members, counts) = Box::pin(ask::all(self)).await;
        let known = {
            let mut known = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(members) = members {
                *known = members;
            }
            known.clone()
        };
        status::compose(&asked, &known, counts, member)
    }

    async fn watching(&self) -> Result<Watching, StoreError> {
        let counts = self.endpoints.iter().map(|endpoint| async {
            let count = metrics::watching(&endpoint.url, self.tls.clone());
            patience::within(PATIENCE, count)
                .await
                .unwrap_or_else(|_| Err(StoreError::new(format!("{}/metrics does not answer", endpoint.url))))
        });
        let counts = futures::future::join_all(counts).await;
        if counts.iter().all(Result::is_err) {
            return counts.into_iter().next().unwrap_or_else(|| Err(StoreError::new("no endpoint is known")));
        }
        Ok(counts.into_iter().flatten().sum())
    }
}

struct GrpcFeed {
    stream: WatchStream,
}

#[async_trait]
impl Feed for GrpcFeed {
    async fn next(&mut self) -> Result<Delivery, StoreError> {
        let message = self.stream.message().await.map_err(|error| StoreError::chain(&error))?;
        let Some(message) = message else { return Err(StoreError::new("etcd ended the watch")) };
        if message.compact_revision() != 0 {
            return Ok(Delivery::Compacted(message.compact_revision()));
        }
        if message.canceled() {
            return Err(StoreError::new(format!("etcd cancelled the watch: {}", message.cancel_reason())));
        }
        if message.created() {
            return Ok(Delivery::Started);
        }
        if message.events().is_empty() {
            return Ok(Delivery::Progress(message.header().map_or(0, ResponseHeader::revision)));
        }
        let at = Clock::now();
        let events = message.events().iter().filter_map(|event| {
            let change = witnessed(event.kv()?, event.prev_kv(), at);
            Some(match event.event_type() {
                EventType::Put => Entry::Put(change.value(event.kv()?.value().to_vec())),
                EventType::Delete => Entry::Delete(change),
            })
        });
        Ok(Delivery::Events(events.collect()))
    }

    async fn ask_progress(&mut self) -> Result<(), StoreError> {
        self.stream.request_progress().await.map_err(|error| StoreError::chain(&error))
    }
}

fn witnessed(kv: &KeyValue, previous: Option<&KeyValue>, at: SystemTime) -> Change {
    let mut change = Change::new(String::from_utf8_lossy(kv.key()), kv.mod_revision(), at);
    change = change.created(kv.create_revision(), kv.version());
    change.lease = kv.lease();
    if let Some(previous) = previous {
        change.previous = Some(Stored::new(previous.value().to_vec()));
        if kv.version() == 0 {
            change = change.created(previous.create_revision(), previous.version());
            change.lease = previous.lease();
        }
    }
    change
}

fn listed(kv: KeyValue, at: SystemTime) -> Change {
    let change = witnessed(&kv, None, at);
    let (_, value) = kv.into_key_value();
    change.value(value)
}
