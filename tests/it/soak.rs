//! Random creates, patches and deletes by eight clients while etcd is killed twice: afterwards no object is lost
//! or doubled. `scripts/soak` runs it for ten minutes; as a test of every day it takes seconds.

mod client;
mod follower;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::need;
use crate::live::Live;
use client::{Kind, Soaker, list};

const CLIENTS: u64 = 8;
const EVERY_DAY: u64 = 12;

/// What all clients count together.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    /// Writes of which a failed request left open whether they came about, and which of them did.
    pub(super) open: AtomicU64,
    pub(super) came_about: AtomicU64,
    /// The longest that a client waited for any answer, in milliseconds.
    pub(super) longest: AtomicU64,
    pub(super) stop: AtomicBool,
}

impl Counts {
    fn line(&self) -> String {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        format!(
            "{} answers, {} errors, {} writes in doubt of which {} had come about, longest wait {} ms",
            of(&self.answered),
            of(&self.failed),
            of(&self.open),
            of(&self.came_about),
            of(&self.longest)
        )
    }
}

fn seconds() -> u64 {
    std::env::var("KEYWITNESS_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(EVERY_DAY)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_etcd_dies_twice() {
    need!("etcd", "kubectl");
    let whole = Duration::from_secs(seconds());
    let mut live = Live::start(&[]).await;
    let counts = Arc::new(Counts::default());
    let follower = follower::Follower::start(live.client().await, Kind::ConfigMap).await;
    let seed: u64 = std::env::var("KEYWITNESS_SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    println!("soak of {} s, seed {seed}", whole.as_secs());
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(Soaker::new(number, seed, live.client().await, Arc::clone(&counts)).run());
    }

    let began = Instant::now();
    let outages = [whole / 3, whole * 2 / 3];
    let away = (whole / 20).clamp(Duration::from_millis(1500), Duration::from_secs(10));
    let report_every = (whole / 4).min(Duration::from_secs(60));
    let (mut outage, mut reports, mut memory) = (0, 1, Vec::new());
    while began.elapsed() < whole {
        let next_outage = outages.get(outage).copied().unwrap_or(whole);
        let next_report = report_every * reports;
        tokio::time::sleep_until((began + next_outage.min(next_report).min(whole)).into()).await;
        if began.elapsed() >= next_report {
            memory.push(live.memory("SANDBOX_API_PID"));
            println!(
                "{:>4} s: API {} MiB, etcd {} MiB; {}",
                began.elapsed().as_secs(),
                live.memory("SANDBOX_API_PID"),
                live.memory("SANDBOX_ETCD_PID"),
                counts.line()
            );
            reports += 1;
        }
        if outage < outages.len() && began.elapsed() >= outages[outage] {
            let failed = counts.failed.load(Ordering::Relaxed);
            live.kill_etcd().await;
            tokio::time::sleep(away).await;
            let while_away = counts.failed.load(Ordering::Relaxed) - failed;
            assert!(while_away > 0, "no client was told that etcd is away");
            let answered = counts.answered.load(Ordering::Relaxed);
            live.start_etcd().await;
            let back = Instant::now();
            while counts.answered.load(Ordering::Relaxed) == answered {
                assert!(back.elapsed() < Duration::from_secs(60), "no write succeeds after etcd is back");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            println!(
                "{:>4} s: etcd was away for {} ms, {while_away} errors meanwhile, first success {} ms after it was back",
                began.elapsed().as_secs(),
                away.as_millis(),
                back.elapsed().as_millis()
            );
            outage += 1;
        }
    }
    counts.stop.store(true, Ordering::Relaxed);
    let mut ledger = BTreeMap::new();
    while let Some(held) = clients.join_next().await {
        ledger.extend(held.expect("a client's own account holds"));
    }
    println!("ledger: {} objects; {}", ledger.len(), counts.line());

    let client = live.client().await;
    for kind in [Kind::ConfigMap, Kind::Secret, Kind::Deployment] {
        let found = list(&client, kind).await;
        let wanted: BTreeMap<&String, i64> =
            ledger.iter().filter(|((held, _), _)| *held == kind).map(|((_, name), value)| (name, *value)).collect();
        let names: Vec<&String> = found.iter().map(|(name, _)| name).collect();
        let lost: Vec<_> = wanted.keys().filter(|name| !names.contains(*name)).collect();
        assert!(lost.is_empty(), "{kind:?} lost: {lost:?}");
        assert_eq!(found.len(), wanted.len(), "{kind:?}: objects that nobody made, or made twice: {names:?}");
        for (name, object) in &found {
            assert_eq!(kind.value(object), Some(wanted[name]), "{kind:?} {name}:\n{object:#}");
        }
    }
    follower.agrees_with(&list(&client, Kind::ConfigMap).await).await;
    settled(&live, &ledger);
    if whole >= Duration::from_secs(300) {
        let (half, last) = (memory[memory.len() / 2], *memory.last().expect("a report"));
        assert!(last <= half * 5 / 4 + 16, "memory grows without end: {memory:?} MiB");
    }
    live.stop().await;
}

/// The controllers have come to rest: one replica set for each deployment, and as many pods as it asks for.
fn settled(live: &Live, ledger: &BTreeMap<(Kind, String), i64>) {
    let deployments: BTreeMap<&str, i64> = ledger
        .iter()
        .filter(|((kind, _), _)| *kind == Kind::Deployment)
        .map(|((_, name), replicas)| (name.as_str(), *replicas))
        .collect();
    let wanted: i64 = deployments.values().sum();
    let app = |object: &Value| object["metadata"]["labels"]["app"].as_str().unwrap_or_default().to_owned();
    let items = |list: &Value| list["items"].as_array().cloned().unwrap_or_default();
    let sets = live.until(&["replicasets"], |list| items(list).len() == deployments.len());
    for set in items(&sets) {
        assert!(deployments.contains_key(app(&set).as_str()), "a replica set of nobody:\n{set:#}");
    }
    let pods = live.until(&["pods"], |list| {
        let pods = items(list);
        pods.len() == usize::try_from(wanted).expect("a count")
            && pods.iter().all(|pod| pod["status"]["phase"] == "Running")
    });
    let mut running: BTreeMap<String, i64> = BTreeMap::new();
    for pod in items(&pods) {
        *running.entry(app(&pod)).or_default() += 1;
    }
    let asked: BTreeMap<String, i64> = deployments
        .iter()
        .filter(|(_, replicas)| **replicas > 0)
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect();
    assert_eq!(running, asked);
}
