//! Objects in etcd under Kubernetes' own keys: reads, and writes as transactions on the revision that the
//! caller read.

mod change;
mod compact;
mod hub;
mod resume;
mod ring;
mod stream;
mod watch;

use std::time::Duration;

use etcd_client::{
    Certificate, Client, Compare, CompareOp, ConnectOptions, DeleteOptions, GetOptions, GetResponse, Identity,
    KeyValue, PutOptions, ResponseHeader, TlsOptions, Txn, TxnOp, TxnOpResponse,
};

pub use change::{Change, ChangeKind, FeedItem};
pub use compact::keep_short;
pub use hub::Hub;
pub use watch::Feed;

use crate::error::SandboxError;
use crate::pki::Pki;
use kube_etcd_codec::prefix_end;

/// Of one answer or of what a watch sends at a time: an event is an object and what it was before, each as large as
/// etcd's own limit of a request allows.
const LARGEST_ANSWER: usize = 16 << 20;
/// Of a page of keys. A longer one is refused before it is read, and is to be asked for in parts.
const LARGEST_PAGE: usize = 4 << 20;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// One key as etcd holds it.
#[derive(Debug, Clone)]
pub struct Stored {
    pub key: String,
    pub value: Vec<u8>,
    pub revision: i64,
    pub lease: i64,
}

impl From<KeyValue> for Stored {
    fn from(kv: KeyValue) -> Self {
        let (revision, lease) = (kv.mod_revision(), kv.lease());
        let (key, value) = kv.into_key_value();
        Self { key: String::from_utf8_lossy(&key).into_owned(), value, revision, lease }
    }
}

/// What a conditional write came to.
#[derive(Debug)]
pub enum Written {
    At(i64),
    /// The key is not as the caller read it; this is what it holds now.
    Stale(Option<Stored>),
}

/// Which etcd has answered: revisions of another one, or of one that was started anew, say nothing of what was read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    cluster: u64,
    member: u64,
    term: u64,
}

impl Origin {
    fn of(header: Option<&ResponseHeader>) -> Self {
        header.map_or_else(Self::default, |header| Self {
            cluster: header.cluster_id(),
            member: header.member_id(),
            term: header.raft_term(),
        })
    }
}

/// A page of keys in order, read at one revision.
#[derive(Debug)]
pub struct Page {
    pub items: Vec<Stored>,
    pub more: bool,
    /// Keys from the first of this page to the end of the range.
    pub count: i64,
    /// The store's revision when this was read.
    pub revision: i64,
    pub origin: Origin,
}

impl Page {
    fn of(mut answer: GetResponse) -> Self {
        Self {
            revision: answer.header().map_or(0, ResponseHeader::revision),
            origin: Origin::of(answer.header()),
            more: answer.more(),
            count: answer.count(),
            items: answer.take_kvs().into_iter().map(Stored::from).collect(),
        }
    }

    /// Of the values, as etcd holds them.
    pub fn bytes(&self) -> usize {
        self.items.iter().map(|item| item.value.len()).sum()
    }
}

/// What a write rests on besides its own key. It holds only while this is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// The key is at this revision.
    At(String, i64),
    /// No key has this prefix.
    Empty(String),
}

impl Ground {
    fn compare(&self) -> Compare {
        match self {
            Self::At(key, revision) => Compare::mod_revision(key.as_str(), CompareOp::Equal, *revision),
            // etcd takes an empty range for a key that was never written.
            Self::Empty(prefix) => Compare::mod_revision(prefix.as_str(), CompareOp::Equal, 0).with_prefix(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the revision was compacted")]
    Compacted,
    #[error("the revision is in the future")]
    Future,
    #[error("request is too large")]
    TooLarge,
    #[error("the page is too long: ask for fewer keys")]
    TooLong,
    #[error("etcd: {0}")]
    Etcd(String),
}

impl From<etcd_client::Error> for StoreError {
    fn from(error: etcd_client::Error) -> Self {
        let text = match &error {
            etcd_client::Error::GRpcStatus(status) => status.message().to_owned(),
            other => other.to_string(),
        };
        if text.contains("required revision has been compacted") {
            Self::Compacted
        } else if text.contains("is a future revision") {
            Self::Future
        } else if text.contains("request is too large") {
            Self::TooLarge
        } else if text.contains("decoded message length too large") {
            Self::TooLong
        } else {
            Self::Etcd(text)
        }
    }
}

/// Opens a connection; etcd itself need not be up yet.
pub async fn connect(endpoints: &[String], pki: &Pki) -> Result<Client, SandboxError> {
    let read = |name: &str| {
        let path = pki.file(name);
        std::fs::read(&path).map_err(|error| SandboxError::io("a certificate", &path, &error))
    };
    let tls = TlsOptions::new()
        .ca_certificate(Certificate::from_pem(read("etcd/ca.crt")?))
        .identity(Identity::from_pem(read("apiserver-etcd-client.crt")?, read("apiserver-etcd-client.key")?));
    let options = ConnectOptions::new().with_tls(tls).with_connect_timeout(Duration::from_secs(2));
    Client::connect(endpoints, Some(options))
        .await
        .map_err(|error| SandboxError::new(format!("no connection to etcd can be made: {error}")))
}

#[derive(Clone)]
pub struct Store {
    client: Client,
    prefix: String,
}

impl Store {
    pub fn new(client: Client) -> Self {
        Self { client, prefix: "/registry/".into() }
    }

    /// The key of an object, or the folder of a kind where nothing follows `resource`.
    pub fn key(&self, resource: &str, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut key = format!("{}{resource}/", self.prefix);
        if let Some(namespace) = namespace {
            key.push_str(namespace);
            key.push('/');
        }
        if let Some(name) = name {
            key.push_str(name);
        }
        key
    }

    pub async fn get(&self, key: &str) -> Result<(Option<Stored>, i64), StoreError> {
        let mut answer = timely(self.kv().get(key, None)).await?;
        let revision = answer.header().map_or(0, ResponseHeader::revision);
        Ok((answer.take_kvs().pop().map(Stored::from), revision))
    }

    /// How many keys there are under a prefix.
    pub async fn count(&self, prefix: &str) -> Result<i64, StoreError> {
        let options = GetOptions::new().with_prefix().with_count_only();
        Ok(timely(self.kv().get(prefix, Some(options))).await?.count())
    }

    /// Keys of `[start, end of prefix)`; `revision` 0 reads the newest.
    pub async fn page(&self, prefix: &str, start: &str, limit: i64, revision: i64) -> Result<Page, StoreError> {
        let options = GetOptions::new().with_range(prefix_end(prefix)).with_limit(limit).with_revision(revision);
        let mut kv = self.client.kv_client().max_decoding_message_size(LARGEST_PAGE);
        Ok(Page::of(timely(kv.get(start, Some(options))).await?))
    }

    /// What is below a prefix and was written after a revision; its `count` is that of all that is below the prefix.
    pub async fn since(&self, prefix: &str, revision: i64) -> Result<Page, StoreError> {
        let options = GetOptions::new().with_prefix().with_min_mod_revision(revision + 1);
        let mut kv = self.client.kv_client().max_decoding_message_size(LARGEST_PAGE);
        Ok(Page::of(timely(kv.get(prefix, Some(options))).await?))
    }

    /// The keys below a prefix at a revision.
    pub async fn keys(&self, prefix: &str, revision: i64) -> Result<Vec<String>, StoreError> {
        let options = GetOptions::new().with_prefix().with_keys_only().with_revision(revision);
        let mut kv = self.client.kv_client().max_decoding_message_size(LARGEST_PAGE);
        let page = Page::of(timely(kv.get(prefix, Some(options))).await?);
        Ok(page.items.into_iter().map(|item| item.key).collect())
    }

    /// The newest revision, and whose it is: while both are the same nothing has changed.
    pub async fn newest(&self) -> Result<(i64, Origin), StoreError> {
        let answer = timely(self.kv().get("\0", Some(GetOptions::new().with_count_only()))).await?;
        Ok((answer.header().map_or(0, ResponseHeader::revision), Origin::of(answer.header())))
    }

    pub async fn create(&self, key: &str, value: Vec<u8>, lease: i64) -> Result<Written, StoreError> {
        self.put_if(key, 0, value, lease).await
    }

    /// The same where more has to be as it was read; `Stale(None)` where only that is not.
    pub async fn create_on(
        &self,
        key: &str,
        value: Vec<u8>,
        lease: i64,
        ground: &[Ground],
    ) -> Result<Written, StoreError> {
        let options = (lease != 0).then(|| PutOptions::new().with_lease(lease));
        self.if_at(key, 0, ground, TxnOp::put(key, value, options)).await
    }

    /// Writes `value` if the key is still at `revision`.
    pub async fn put_if(&self, key: &str, revision: i64, value: Vec<u8>, lease: i64) -> Result<Written, StoreError> {
        let options = (lease != 0).then(|| PutOptions::new().with_lease(lease));
        self.if_at(key, revision, &[], TxnOp::put(key, value, options)).await
    }

    pub async fn delete_if(&self, key: &str, revision: i64) -> Result<Written, StoreError> {
        self.if_at(key, revision, &[], TxnOp::delete(key, None::<DeleteOptions>)).await
    }

    async fn if_at(&self, key: &str, revision: i64, ground: &[Ground], write: TxnOp) -> Result<Written, StoreError> {
        let own = Compare::mod_revision(key, CompareOp::Equal, revision);
        let txn = Txn::new()
            .when(std::iter::once(own).chain(ground.iter().map(Ground::compare)).collect::<Vec<Compare>>())
            .and_then([write])
            .or_else([TxnOp::get(key, None)]);
        let answer = timely(self.kv().txn(txn)).await?;
        if answer.succeeded() {
            return Ok(Written::At(answer.header().map_or(0, ResponseHeader::revision)));
        }
        let current = answer.op_responses().into_iter().find_map(|one| match one {
            TxnOpResponse::Get(mut get) => get.take_kvs().pop(),
            _ => None,
        });
        Ok(Written::Stale(current.map(Stored::from)))
    }

    /// Creates what is not there yet, many keys to a transaction.
    pub async fn create_all(&self, objects: Vec<(String, Vec<u8>)>, at_once: usize) -> Result<(), StoreError> {
        let mut rest = objects.into_iter().peekable();
        while rest.peek().is_some() {
            let ops: Vec<TxnOp> = rest
                .by_ref()
                .take(at_once)
                .map(|(key, value)| {
                    TxnOp::txn(
                        Txn::new()
                            .when([Compare::mod_revision(key.as_str(), CompareOp::Equal, 0)])
                            .and_then([TxnOp::put(key.as_str(), value, None)]),
                    )
                })
                .collect();
            timely(self.kv().txn(Txn::new().and_then(ops))).await?;
        }
        Ok(())
    }

    /// A lease of so many seconds, for Events.
    pub async fn lease(&self, seconds: i64) -> Result<i64, StoreError> {
        Ok(timely(self.client.lease_client().grant(seconds, None)).await?.id())
    }

    fn kv(&self) -> etcd_client::KvClient {
        self.client.kv_client().max_decoding_message_size(LARGEST_ANSWER)
    }

    fn watches(&self) -> etcd_client::WatchClient {
        self.client.watch_client().max_decoding_message_size(LARGEST_ANSWER)
    }
}

/// An etcd that is gone must not hold a client's request for ever.
async fn timely<T>(call: impl Future<Output = Result<T, etcd_client::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(REQUEST_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Etcd(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))),
    }
}

#[cfg(test)]
mod tests;
