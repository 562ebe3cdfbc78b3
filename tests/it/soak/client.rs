//! One client with its own account of what it made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::Request;
use kube::Client;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::Counts;

/// So many objects of a kind at once, for each client.
const MOST: usize = 60;
const MOST_DEPLOYMENTS: usize = 3;
const LONGEST_PAUSE: u64 = 40;
/// An error that lasts longer than this is a defect.
const DOUBT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    ConfigMap,
    Secret,
    Deployment,
}

impl Kind {
    pub(super) fn collection(self) -> &'static str {
        match self {
            Self::ConfigMap => "/api/v1/namespaces/default/configmaps",
            Self::Secret => "/api/v1/namespaces/default/secrets",
            Self::Deployment => "/apis/apps/v1/namespaces/default/deployments",
        }
    }

    fn object(self, name: &str, value: i64) -> Value {
        let metadata = json!({"name": name, "labels": {"soak": "yes"}});
        match self {
            Self::ConfigMap => {
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"n": value.to_string()}})
            }
            Self::Secret => {
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"n": value.to_string()}, "immutable": false})
            }
            Self::Deployment => json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                "spec": {
                    "replicas": value, "selector": {"matchLabels": {"app": name}},
                    "template": {
                        "metadata": {"labels": {"app": name}},
                        "spec": {"containers": [{"name": "web", "image": "nginx"}], "terminationGracePeriodSeconds": 0},
                    },
                },
            }),
        }
    }

    fn patch(self, value: i64) -> Value {
        match self {
            Self::ConfigMap => json!({"data": {"n": value.to_string()}}),
            Self::Secret => json!({"stringData": {"n": value.to_string()}}),
            Self::Deployment => json!({"spec": {"replicas": value}}),
        }
    }

    /// What an object of this kind holds.
    pub(super) fn value(self, object: &Value) -> Option<i64> {
        use base64::Engine as _;
        match self {
            Self::ConfigMap => object["data"]["n"].as_str()?.parse().ok(),
            Self::Secret => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(object["data"]["n"].as_str()?).ok()?;
                String::from_utf8(bytes).ok()?.parse().ok()
            }
            Self::Deployment => object["spec"]["replicas"].as_i64(),
        }
    }
}

/// Every object of the soak, by name; one that is being deleted is not there any more.
pub(super) async fn list(client: &Client, kind: Kind) -> Vec<(String, Value)> {
    let path = format!("{}?labelSelector=soak%3Dyes", kind.collection());
    let list: Value = client.request(Request::get(path).body(Vec::new()).expect("a request")).await.expect("a list");
    let items = list["items"].as_array().expect("items");
    items.iter().map(|item| (item["metadata"]["name"].as_str().expect("a name").to_owned(), item.clone())).collect()
}

pub(super) struct Soaker {
    number: u64,
    made: u64,
    random: StdRng,
    client: Client,
    counts: Arc<Counts>,
    held: BTreeMap<(Kind, String), i64>,
}

/// What a request came to.
enum Came {
    Done,
    /// Nobody knows.
    Doubt,
}

impl Soaker {
    pub(super) fn new(number: u64, seed: u64, client: Client, counts: Arc<Counts>) -> Self {
        let random = StdRng::seed_from_u64(seed * 1000 + number);
        Self { number, made: 0, random, client, counts, held: BTreeMap::new() }
    }

    pub(super) async fn run(mut self) -> BTreeMap<(Kind, String), i64> {
        while !self.counts.stop.load(Ordering::Relaxed) {
            match self.random.random_range(0..10) {
                0..4 => self.create().await,
                4..7 => self.change().await,
                _ => self.delete().await,
            }
            let pause = self.random.random_range(0..LONGEST_PAUSE);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.held
    }

    async fn create(&mut self) {
        let kind = match self.random.random_range(0..10) {
            0..6 => Kind::ConfigMap,
            6..9 => Kind::Secret,
            _ => Kind::Deployment,
        };
        let most = if kind == Kind::Deployment { MOST_DEPLOYMENTS } else { MOST };
        if self.held.keys().filter(|(held, _)| *held == kind).count() >= most {
            return;
        }
        self.made += 1;
        let name = format!("soak-{}-{}", self.number, self.made);
        let value = self.random.random_range(0..3);
        let came = self.send("POST", kind.collection(), "application/json", &kind.object(&name, value)).await;
        self.account(kind, name, None, Some(value), came).await;
    }

    fn any(&mut self) -> Option<(Kind, String)> {
        if self.held.is_empty() {
            return None;
        }
        let at = self.random.random_range(0..self.held.len());
        self.held.keys().nth(at).cloned()
    }

    async fn change(&mut self) {
        let Some((kind, name)) = self.any() else { return };
        let before = self.held.get(&(kind, name.clone())).copied();
        let value = match kind {
            Kind::Deployment => self.random.random_range(0..3),
            _ => before.unwrap_or_default() + 1,
        };
        let path = format!("{}/{name}", kind.collection());
        let came = self.send("PATCH", &path, "application/merge-patch+json", &kind.patch(value)).await;
        self.account(kind, name, before, Some(value), came).await;
    }

    async fn delete(&mut self) {
        let Some((kind, name)) = self.any() else { return };
        let before = self.held.get(&(kind, name.clone())).copied();
        let path = format!("{}/{name}", kind.collection());
        let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        let came = self.send("DELETE", &path, "application/json", &options).await;
        self.account(kind, name, before, None, came).await;
    }

    /// Enters what is there now: as wanted, or where that is in doubt, what the API says once it can.
    async fn account(&mut self, kind: Kind, name: String, before: Option<i64>, wanted: Option<i64>, came: Came) {
        let now = match came {
            Came::Done => wanted,
            Came::Doubt => {
                let found = self.look(kind, &name).await;
                assert!(
                    found == wanted || found == before,
                    "{kind:?} {name} held {before:?}, was to hold {wanted:?}, and holds {found:?}"
                );
                self.counts.open.fetch_add(1, Ordering::Relaxed);
                if found == wanted {
                    self.counts.came_about.fetch_add(1, Ordering::Relaxed);
                }
                found
            }
        };
        match now {
            Some(value) => self.held.insert((kind, name), value),
            None => self.held.remove(&(kind, name)),
        };
    }

    async fn look(&self, kind: Kind, name: &str) -> Option<i64> {
        let began = Instant::now();
        loop {
            let request = Request::get(format!("{}/{name}", kind.collection())).body(Vec::new()).expect("a request");
            match self.client.request::<Value>(request).await {
                Ok(object) => return kind.value(&object),
                Err(kube::Error::Api(status)) if status.code == 404 => return None,
                Err(error) => assert!(began.elapsed() < DOUBT, "no answer after {DOUBT:?}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An error of the server's own leaves it open what came of it; any other means that an object is not as it
    /// was left, and that is what this test is for.
    async fn send(&self, method: &str, path: &str, content: &str, body: &Value) -> Came {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content)
            .body(body.to_string().into_bytes())
            .expect("a request");
        let began = Instant::now();
        let answer = self.client.request::<Value>(request).await;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.counts.longest.fetch_max(took, Ordering::Relaxed);
        match answer {
            Ok(_) => {
                self.counts.answered.fetch_add(1, Ordering::Relaxed);
                Came::Done
            }
            Err(kube::Error::Api(status)) if status.code >= 500 || status.code == 429 => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                Came::Doubt
            }
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }
}
