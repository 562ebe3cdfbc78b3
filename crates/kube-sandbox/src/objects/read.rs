//! What is stored, one object or a kind's, with what a request needs to find it.

use serde_json::Value;

use super::conversion::{to_version, webhook};
use super::selector::Selector;
use super::{convert, decoded, encoded, read, stored_bytes};
use crate::resource::Resource;
use crate::resource::registry::Registry;
use crate::status::ApiError;
use crate::store::{Hub, Page, Store, StoreError, Stored};

/// The store, the watches on it, and the resources that are served from it.
pub struct Objects {
    pub store: Store,
    pub hub: Hub,
    pub registry: Registry,
}

/// Keys read from etcd at a time, so that a long list is never held whole; fewer where they are large.
const PAGE: i64 = 500;
const FEW: i64 = 8;
/// As many bytes as a page is to have, as etcd holds them.
const PAGE_BYTES: usize = 1 << 20;
const FEW_BYTES: usize = 64 << 10;

impl Objects {
    pub async fn get(&self, resource: &Resource, namespace: Option<&str>, name: &str) -> Result<Value, ApiError> {
        self.read(resource, &self.stored(resource, namespace, name).await?).await
    }

    pub async fn stored(&self, resource: &Resource, namespace: Option<&str>, name: &str) -> Result<Stored, ApiError> {
        let key = self.store.key(&resource.folder, namespace, Some(name));
        self.store.get(&key).await?.0.ok_or_else(|| ApiError::not_found(resource, name))
    }

    /// The object as this endpoint's version shows it, its revision in it.
    pub async fn read(&self, resource: &Resource, stored: &Stored) -> Result<Value, ApiError> {
        self.in_version(resource, decoded(stored)?).await
    }

    /// The same of many at once.
    pub async fn shown<'a>(&self, resource: &'a Resource, items: &'a [Stored]) -> Result<Shown<'a>, ApiError> {
        let converted = match webhook(resource) {
            None => None,
            Some(webhook) => {
                let objects = items.iter().map(decoded).collect::<Result<Vec<Value>, ApiError>>()?;
                Some(
                    Box::pin(to_version((&self.store, &self.registry), webhook, &resource.api_version(), objects))
                        .await?,
                )
            }
        };
        Ok(Shown { resource, items: items.iter(), converted: converted.map(Vec::into_iter) })
    }

    /// An object of the kind, in whatever version, as this endpoint's version shows it.
    pub async fn in_version(&self, resource: &Resource, object: Value) -> Result<Value, ApiError> {
        let Some(webhook) = webhook(resource) else { return Ok(convert::from_stored(resource, object)) };
        let version = resource.api_version();
        let mut all = Box::pin(to_version((&self.store, &self.registry), webhook, &version, vec![object])).await?;
        Ok(all.pop().unwrap_or_default())
    }

    /// The bytes that kube-apiserver would store.
    pub async fn bytes(&self, resource: &Resource, object: &Value) -> Result<Vec<u8>, ApiError> {
        let Some(webhook) = webhook(resource) else { return stored_bytes(resource, object) };
        let version = resource.stored_api_version();
        let mut all =
            Box::pin(to_version((&self.store, &self.registry), webhook, &version, vec![object.clone()])).await?;
        encoded(resource, all.pop().unwrap_or_default())
    }

    /// Every object of a kind that the selector leaves, and the revision at which they were read.
    pub async fn list_all(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Result<(Vec<Value>, i64), ApiError> {
        let mut pages = Pages::new(self, resource, namespace, 0);
        let mut objects = Vec::new();
        while let Some(page) = pages.next(self).await? {
            for shown in self.shown(resource, &page.items).await? {
                let (_, object) = shown?;
                if selector.matches(&object) {
                    objects.push(object);
                }
            }
        }
        Ok((objects, pages.revision))
    }
}

/// Objects of a page, each with what is stored.
pub struct Shown<'a> {
    resource: &'a Resource,
    items: std::slice::Iter<'a, Stored>,
    /// Where a webhook was asked for all of them at once; else each is read when its turn comes.
    converted: Option<std::vec::IntoIter<Value>>,
}

impl<'a> Iterator for Shown<'a> {
    type Item = Result<(&'a Stored, Value), ApiError>;

    fn next(&mut self) -> Option<Self::Item> {
        let stored = self.items.next()?;
        let object = match &mut self.converted {
            None => read(self.resource, stored),
            Some(converted) => Ok(converted.next()?),
        };
        Some(object.map(|object| (stored, object)))
    }
}

/// A range read page by page, all at the revision of its first.
pub struct Pages {
    pub prefix: String,
    pub start: String,
    pub revision: i64,
    pub done: bool,
    /// Keys of the next page, and as many bytes as it is to have.
    limit: i64,
    bytes: usize,
}

impl Pages {
    pub fn new(objects: &Objects, resource: &Resource, namespace: Option<&str>, revision: i64) -> Self {
        let prefix = objects.store.key(&resource.folder, namespace, None);
        Self { start: prefix.clone(), prefix, revision, done: false, limit: PAGE, bytes: PAGE_BYTES }
    }

    /// The same in pages that hardly take memory, for a client that may not read them.
    pub fn small(objects: &Objects, resource: &Resource, namespace: Option<&str>, revision: i64) -> Self {
        Self { limit: FEW, bytes: FEW_BYTES, ..Self::new(objects, resource, namespace, revision) }
    }

    pub async fn next(&mut self, objects: &Objects) -> Result<Option<Page>, ApiError> {
        if self.done {
            return Ok(None);
        }
        let page = loop {
            match objects.store.page(&self.prefix, &self.start, self.limit, self.revision).await {
                Err(StoreError::TooLong) if self.limit > 1 => self.limit = (self.limit / 4).max(1),
                answer => break answer?,
            }
        };
        if self.revision == 0 {
            self.revision = page.revision;
        }
        self.limit = next_limit(self.limit, page.bytes(), self.bytes);
        self.done = !page.more;
        if let Some(last) = page.items.last() {
            self.start = format!("{}\0", last.key);
        }
        Ok(Some(page))
    }
}

/// Keys of the page after one of so many keys and bytes: at most twice as many, for what comes may be larger.
fn next_limit(limit: i64, bytes: usize, wanted: usize) -> i64 {
    let number = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    let fits = limit.saturating_mul(number(wanted)) / number(bytes.max(1));
    fits.min(limit * 2).clamp(1, PAGE)
}
