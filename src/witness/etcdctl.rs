//! etcd by way of etcdctl where it runs: inside the etcd pod, which has the certificates.

use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

use super::metrics::{self, Watching};
use super::status::{self, Answer, Asked, Counts, MemberInfo, Members};
use super::store::{Delivery, Feed, Head, Listing, Store, StoreError};
use crate::journal::{Change, Clock, Entry, Revision, Stored};
use owned_processes::{Guard, Process};

/// Each call goes through the API server and starts a process in the pod.
const PATIENCE: Duration = Duration::from_secs(10);
/// Keys a page; pages overlap by one key, since the argument cannot hold the byte after a key.
const PAGE: usize = 200;

pub(super) struct Etcdctl {
    guard: Guard,
    /// etcdctl's arguments are appended.
    command: Vec<String>,
    metrics: Option<String>,
    members: Mutex<Members>,
}

#[derive(Debug, Deserialize)]
struct Header {
    #[serde(default)]
    cluster_id: u64,
    #[serde(default)]
    revision: Revision,
    #[serde(default)]
    raft_term: u64,
}

#[derive(Debug, Deserialize)]
struct Range {
    header: Header,
    #[serde(default)]
    kvs: Vec<KeyValue>,
    #[serde(default)]
    more: bool,
}

/// As Go writes it: what is zero or empty is left out.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct KeyValue {
    key: String,
    value: String,
    create_revision: Revision,
    mod_revision: Revision,
    version: i64,
    lease: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Watched {
    header: Header,
    #[serde(default)]
    events: Option<Vec<Event>>,
    #[serde(default)]
    compact_revision: Revision,
    #[serde(default)]
    canceled: bool,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default, rename = "type")]
    kind: i32,
    kv: KeyValue,
    prev_kv: Option<KeyValue>,
}

impl Etcdctl {
    pub(super) fn new(guard: Guard, command: Vec<String>, metrics: Option<String>) -> Self {
        Self { guard, command, metrics, members: Mutex::new(Members::new()) }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.command.first().map_or("etcdctl", String::as_str));
        command.args(self.command.iter().skip(1)).args(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it printed; with it whether it ended well, since `endpoint status` prints what it knows and fails.
    async fn output(&self, args: &[&str]) -> Result<(String, Result<(), StoreError>), StoreError> {
        let mut command = self.command(args);
        command.stdin(Stdio::null());
        let mut process = self.guard.spawn(&mut command).map_err(|error| StoreError::chain(&error))?;
        let (stdout, stderr) = (process.take_stdout(), process.take_stderr());
        let whole = async { tokio::join!(read(stdout), read(stderr), process.wait()) };
        let Ok((stdout, stderr, status)) = tokio::time::timeout(PATIENCE, whole).await else {
            return Err(StoreError::new(format!("etcdctl {} did not end within {PATIENCE:?}", args.join(" "))));
        };
        let status = status.map_err(|error| StoreError::chain(&error))?;
        let ended = if status.success() {
            Ok(())
        } else {
            let words = stderr.trim().lines().last().unwrap_or("no word why").to_owned();
            Err(StoreError::new(format!("etcdctl {}: {words}", args.join(" "))))
        };
        Ok((stdout, ended))
    }

    async fn json<T: for<'de> Deserialize<'de>>(&self, args: &[&str]) -> Result<T, StoreError> {
        let (stdout, ended) = self.output(args).await?;
        ended?;
        serde_json::from_str(&stdout).map_err(|error| {
            StoreError::new(format!("etcdctl {} printed JSON of another form: {error}", args.join(" ")))
        })
    }

    async fn members(&self) -> Option<Members> {
        let list: Value = self.json(&["member", "list", "-w", "json"]).await.ok()?;
        let member = |member: &Value| {
            let id = member["ID"].as_u64()?;
            let name = member["name"].as_str().filter(|name| !name.is_empty());
            let urls = member["clientURLs"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let client_urls = urls.map(str::to_owned).collect();
            let name = name.map_or_else(|| format!("{id:x}"), str::to_owned);
            Some((id, MemberInfo { name, learner: member["isLearner"].as_bool().unwrap_or(false), client_urls }))
        };
        Some(list["members"].as_array()?.iter().filter_map(member).collect())
    }

    async fn counts(&self) -> Counts {
        let (count, alarms) = tokio::join!(
            self.output(&["get", "", "--from-key", "--count-only", "-w", "fields"]),
            self.json::<Value>(&["alarm", "list", "-w", "json"]),
        );
        let keys = count.ok().and_then(|(text, _)| {
            text.lines().find_map(|line| line.strip_prefix("\"Count\" : ")).and_then(|count| count.trim().parse().ok())
        });
        let alarms = alarms.ok().and_then(|list| list["alarms"].as_array().cloned()).unwrap_or_default();
        let name = |alarm: &Value| match alarm["alarm"].as_i64() {
            Some(1) => Some("NOSPACE".to_owned()),
            Some(2) => Some("CORRUPT".to_owned()),
            _ => None,
        };
        Counts { keys: keys.unwrap_or(0), alarms: alarms.iter().filter_map(name).collect() }
    }
}

#[async_trait]
impl Store for Etcdctl {
    async fn head(&self) -> Result<Head, StoreError> {
        let range: Range = self.json(&["get", "/", "--keys-only", "-w", "json"]).await?;
        let Header { cluster_id: cluster, raft_term: term, revision, .. } = range.header;
        Ok(Head { cluster, term, revision })
    }

    async fn list(&self, scope: &str, at: Option<Revision>) -> Result<Listing, StoreError> {
        let end = range_end(scope);
        let limit = (PAGE + 1).to_string();
        let mut state: Vec<Change> = Vec::new();
        let mut revision = at.unwrap_or(0);
        loop {
            let last = state.last().map(|change| change.key.to_string());
            let from = last.as_deref().unwrap_or(scope);
            let at = revision.to_string();
            let mut args = vec!["get", from, &end, "--limit", &limit, "-w", "json"];
            if revision != 0 {
                args.extend(["--rev", &at]);
            }
            let page: Range = self.json(&args).await?;
            if revision == 0 {
                revision = page.header.revision;
            }
            let now = Clock::now();
            for kv in page.kvs {
                let (change, value) = changed(&kv, now)?;
                if last.as_deref() != Some(&*change.key) {
                    state.push(change.value(value));
                }
            }
            if !page.more {
                return Ok(Listing { revision, state });
            }
        }
    }

    async fn get(&self, key: &str, at: Option<Revision>) -> Result<(Revision, Option<Change>), StoreError> {
        let revision = at.map(|revision| revision.to_string());
        let mut args = vec!["get", key, "-w", "json"];
        if let Some(revision) = &revision {
            args.extend(["--rev", revision]);
        }
        let range: Range = self.json(&args).await?;
        let now = Clock::now();
        let found = range.kvs.first().map(|kv| changed(kv, now)).transpose()?;
        Ok((range.header.revision, found.map(|(change, value)| change.value(value))))
    }

    async fn changed_at(&self, key: &str) -> Result<Option<Revision>, StoreError> {
        let range: Range = self.json(&["get", key, "--keys-only", "-w", "json"]).await?;
        Ok(range.kvs.first().map(|kv| kv.mod_revision))
    }

    async fn watch(&self, scope: &str, from: Revision) -> Result<Box<dyn Feed>, StoreError> {
        // Only its interactive mode takes progress requests.
        let mut command = self.command(&["watch", "-i", "-w", "json"]);
        command.stdin(Stdio::piped());
        let mut process = self.guard.spawn(&mut command).map_err(|error| StoreError::chain(&error))?;
        let parts = (process.take_stdin(), process.take_stdout(), process.take_stderr());
        let (Some(stdin), Some(stdout), Some(stderr)) = parts else {
            return Err(StoreError::new("etcdctl has no pipes"));
        };
        let lines = BufReader::new(stdout).lines();
        let mut feed = EtcdctlFeed { _process: process, stdin, lines, stderr, started: false, held: None };
        feed.say(&format!("watch --prefix --prev-kv --progress-notify --rev {from} {scope}\n")).await?;
        feed.ask_progress().await?;
        Ok(Box::new(feed))
    }

    async fn status(&self, member: Option<&str>) -> Result<Value, StoreError> {
        let (status, health, members, counts) = tokio::join!(
            self.output(&["endpoint", "status", "-w", "json"]),
            self.output(&["endpoint", "health", "-w", "json"]),
            self.members(),
            self.counts(),
        );
        let first = |output: Result<(String, _), StoreError>| -> Option<Value> {
            let list: Value = serde_json::from_str(&output.ok()?.0).ok()?;
            list.get(0).cloned()
        };
        let healthy = first(health).is_some_and(|endpoint| endpoint["health"] == true);
        let endpoint = first(status).unwrap_or_default();
        let answer = endpoint.get("Status").map(|status| Answer {
            id: status["header"]["member_id"].as_u64().unwrap_or(0),
            leader: status["leader"].as_u64().unwrap_or(0),
            term: status["raftTerm"].as_u64().unwrap_or(0),
            revision: status["header"]["revision"].as_i64().unwrap_or(0),
            db_size: status["dbSize"].as_i64().unwrap_or(0),
            db_size_in_use: status["dbSizeInUse"].as_i64().unwrap_or(0),
            version: status["version"].as_str().unwrap_or_default().to_owned(),
            learner: status["isLearner"].as_bool().unwrap_or(false),
            healthy,
        });
        let url = endpoint["Endpoint"].as_str().unwrap_or_default().to_owned();
        let known = {
            let mut known = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(members) = members {
                *known = members;
            }
            known.clone()
        };
        status::compose(&[Asked { url, name: None, answer }], &known, counts, member)
    }

    async fn watching(&self) -> Result<Watching, StoreError> {
        let Some(metrics) = &self.metrics else {
            return Err(StoreError::new(
                "etcd is reached through etcdctl in its pod, which cannot read etcd's metrics, and etcd tells them \
                 nowhere else (it has no --listen-metrics-urls)",
            ));
        };
        tokio::time::timeout(PATIENCE, metrics::watching(metrics, None))
            .await
            .unwrap_or_else(|_| Err(StoreError::new(format!("{metrics}/metrics did not answer within {PATIENCE:?}"))))
            .map_err(|error| StoreError::new(format!("etcd's metrics, forwarded through the API: {error}")))
    }
}

struct EtcdctlFeed {
    /// Ends with the feed.
    _process: Process,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    stderr: ChildStderr,
    started: bool,
    /// What came with the first sign of life.
    held: Option<Delivery>,
}

impl EtcdctlFeed {
    async fn say(&mut self, line: &str) -> Result<(), StoreError> {
        self.stdin.write_all(line.as_bytes()).await.map_err(|error| StoreError::chain(&error))
    }

    async fn last_words(&mut self) -> StoreError {
        let mut bytes = Vec::new();
        let mut stderr = (&mut self.stderr).take(1 << 16);
        let reading = stderr.read_to_end(&mut bytes);
        // The pipe is closed or will say nothing more.
        let _ = tokio::time::timeout(Duration::from_millis(300), reading).await;
        let text = String::from_utf8_lossy(&bytes);
        StoreError::new(format!("etcdctl watch ended: {}", text.trim().lines().last().unwrap_or("no word why")))
    }
}

#[async_trait]
impl Feed for EtcdctlFeed {
    async fn next(&mut self) -> Result<Delivery, StoreError> {
        if let Some(held) = self.held.take() {
            return Ok(held);
        }
        loop {
            let line = self.lines.next_line().await.map_err(|error| StoreError::chain(&error))?;
            let Some(line) = line else { return Err(self.last_words().await) };
            // Between the JSON it prints sentences such as "progress notify: 7".
            let Some(json) = line.find('{').map(|start| &line[start..]) else { continue };
            let watched: Watched = serde_json::from_str(json)
                .map_err(|error| StoreError::new(format!("etcdctl watch printed JSON of another form: {error}")))?;
            let delivery = delivered(watched)?;
            if std::mem::replace(&mut self.started, true) {
                return Ok(delivery);
            }
            self.held = Some(delivery);
            return Ok(Delivery::Started);
        }
    }

    async fn ask_progress(&mut self) -> Result<(), StoreError> {
        self.say("progress\n").await
    }
}

fn delivered(watched: Watched) -> Result<Delivery, StoreError> {
    if watched.compact_revision != 0 {
        return Ok(Delivery::Compacted(watched.compact_revision));
    }
    if watched.canceled {
        return Err(StoreError::new("etcd cancelled the watch"));
    }
    let events = watched.events.unwrap_or_default();
    if events.is_empty() {
        return Ok(Delivery::Progress(watched.header.revision));
    }
    let at = Clock::now();
    let entry = |event: Event| {
        let (mut change, value) = changed(&event.kv, at)?;
        if let Some(previous) = &event.prev_kv {
            change.previous = Some(Stored::new(decoded(&previous.value)?));
            if event.kind == 1 {
                change = change.created(previous.create_revision, previous.version);
                change.lease = previous.lease;
            }
        }
        Ok(if event.kind == 1 { Entry::Delete(change) } else { Entry::Put(change.value(value)) })
    };
    events.into_iter().map(entry).collect::<Result<_, _>>().map(Delivery::Events)
}

fn changed(kv: &KeyValue, at: SystemTime) -> Result<(Change, Vec<u8>), StoreError> {
    let key = decoded(&kv.key)?;
    let mut change = Change::new(String::from_utf8_lossy(&key), kv.mod_revision, at);
    change = change.created(kv.create_revision, kv.version);
    change.lease = kv.lease;
    Ok((change, decoded(&kv.value)?))
}

fn decoded(text: &str) -> Result<Vec<u8>, StoreError> {
    STANDARD.decode(text).map_err(|error| StoreError::new(format!("etcdctl printed no base64: {error}")))
}

/// The end of the range of a folder, as text: a folder ends in a slash.
fn range_end(scope: &str) -> String {
    format!("{}0", scope.trim_end_matches('/'))
}

async fn read(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What was read until a pipe broke is what was printed.
        let _ = stream.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
