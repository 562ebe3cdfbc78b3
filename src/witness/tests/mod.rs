mod cluster;
mod etcd;

use std::time::{Duration, SystemTime};

use etcd_client::{Client, CompactionOptions, Txn, TxnOp};

use super::Witness;
use crate::cluster::EtcdAccess;
use crate::journal::{KeyGlob, Recorded};
use etcd::{Etcd, tool};

const SOON: Duration = Duration::from_secs(60);

/// Waits until the journal satisfies `wanted`, driven by its growth.
async fn until(witness: &Witness, what: &str, wanted: impl Fn(&Witness) -> bool) {
    let waiting = async {
        while !wanted(witness) {
            witness.grown(witness.journal().end()).await;
        }
    };
    if tokio::time::timeout(SOON, waiting).await.is_err() {
        let entries = witness.journal().entries(0, |_| true);
        panic!("not within {SOON:?}: {what}; the journal has {entries:#?}");
    }
}

/// Waits until etcd answers, then puts.
async fn put(client: &mut Client, key: &str, value: impl Into<Vec<u8>>) -> i64 {
    let value = value.into();
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let put = tokio::time::timeout(Duration::from_secs(2), client.put(key, value.clone(), None)).await;
        match put {
            Ok(Ok(response)) => return response.header().expect("a header").revision(),
            failed if tokio::time::Instant::now() > deadline => panic!("etcd takes no put: {failed:?}"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn all(witness: &Witness) -> Vec<(String, i64, String)> {
    let recorded_changes = |recorded: Recorded| {
        let change = recorded.entry.change().expect("only changes are asked for");
        (recorded.entry.name().to_owned(), change.revision, change.key.to_string())
    };
    witness.journal().changes(&KeyGlob::new("**"), 0).into_iter().map(recorded_changes).collect()
}

#[tokio::test]
async fn an_etcd_that_never_answered_is_an_empty_store_and_its_first_put_is_witnessed() {
    let Some(mut etcd) = Etcd::new() else { return };
    let witness = etcd.witness().await;
    let delivered = witness.progress().await.expect("an empty store answers");
    assert_eq!(delivered.revision, 0);
    let mark = witness.mark().await;
    assert_eq!((mark.revision, mark.read), (0, false));
    let down = witness.etcd(Some("e1")).await.expect("a named member can be down");
    assert_eq!((&down["up"], &down["healthy"]), (&false.into(), &false.into()));
    etcd.start();
    let revision = put(&mut etcd.client().await, "/a", "1").await;
    until(&witness, "the first put", |witness| all(witness) == [("PUT".to_owned(), revision, "/a".to_owned())]).await;
    let up = witness.etcd(Some("e1")).await.expect("it answers");
    assert_eq!(
        (&up["up"], &up["healthy"], &up["leader"], &up["keys"]),
        (&true.into(), &true.into(), &"e1".into(), &1.into())
    );
    assert!(witness.etcd(Some("e9")).await.expect_err("no such member").contains("the members are e1"));
    witness.close().await;
}

#[tokio::test]
async fn the_watch_resumes_after_kill_9_and_misses_nothing() {
    let Some(mut etcd) = Etcd::new() else { return };
    etcd.start();
    let witness = etcd.witness().await;
    let mut client = etcd.client().await;
    let first = put(&mut client, "/a", "1").await;
    until(&witness, "the first put", |witness| all(witness).len() == 1).await;
    etcd.kill();
    assert!(witness.progress().await.is_err(), "nothing is proved while etcd is down");
    assert!(!witness.mark().await.read);
    etcd.start();
    let second = put(&mut client, "/a", "2").await;
    client.delete("/a", None).await.expect("a delete");
    until(&witness, "what came after the restart", |witness| all(witness).len() == 3).await;
    assert_eq!(all(&witness)[1], ("PUT".to_owned(), second, "/a".to_owned()));
    assert!(second > first);
    assert!(witness.journal().holes(0).is_empty(), "the same store with all its history");
    let delivered = witness.progress().await.expect("it answers again");
    assert_eq!(delivered.revision, second + 1);
    let last = witness.journal().entries(0, |_| true).pop().expect("an entry");
    let previous = last.entry.change().and_then(|change| change.previous.clone()).expect("the deleted value");
    assert_eq!(previous.text(), "2");
    witness.close().await;
}

#[tokio::test]
async fn compaction_while_the_watch_is_down_becomes_a_gap_and_the_present_is_known_again() {
    let Some(mut etcd) = Etcd::new() else { return };
    etcd.start();
    let mut client = etcd.client().await;
    put(&mut client, "/gone", "x").await;
    let mut last = 0;
    for value in 0..5 {
        last = put(&mut client, "/a", value.to_string()).await;
    }
    client.delete("/gone", None).await.expect("a delete");
    client.compact(last, Some(CompactionOptions::new().with_physical())).await.expect("a compaction");
    // A bare witness starts at revision 1, which is gone: the same as a break that lasted too long.
    let witness = etcd.witness().await;
    until(&witness, "the gap", |witness| !witness.journal().holes(0).is_empty()).await;
    let delivered = witness.progress().await.expect("it answers");
    let view = witness.journal();
    let hole = &view.holes(0)[0];
    assert!(hole.reason.contains("compacted") && !hole.new_store, "{}", hole.reason);
    let at = view.at_revision(0, delivered.revision).expect("the present is known");
    assert_eq!(view.state("/a", at).and_then(|change| change.value.clone()).expect("a value").text(), "4");
    assert!(view.state("/gone", at).is_none());
    let next = put(&mut client, "/a", "after").await;
    until(&witness, "what came after the gap", |witness| {
        all(witness).last() == Some(&("PUT".to_owned(), next, "/a".to_owned()))
    })
    .await;
    witness.close().await;
}

#[tokio::test]
async fn six_megabytes_of_history_and_state_are_read() {
    let Some(mut etcd) = Etcd::new() else { return };
    etcd.start();
    let mut client = etcd.client().await;
    for number in 0..600 {
        put(&mut client, &format!("/registry/big/{number:03}"), vec![b'x'; 10_000]).await;
    }
    // Replayed by the watch, from revision 1.
    let witness = etcd.witness().await;
    until(&witness, "the replay", |witness| all(witness).len() == 600).await;
    witness.close().await;
    // Listed page by page.
    let witness = Witness::open(super::WitnessRequest { bare: false, ..etcd.request() }).await.expect("it opens");
    let mark = witness.mark().await;
    let view = witness.journal();
    let at = view.at(&mark).expect("the mark is in the journal");
    assert_eq!(view.states(&KeyGlob::new("/registry/big/*"), at).len(), 600);
    assert!(all(&witness).is_empty(), "what was there before is not an event");
    witness.close().await;
}

#[tokio::test]
async fn a_restored_store_starts_a_new_epoch() {
    let Some(mut etcd) = Etcd::new() else { return };
    let Some(etcdutl) = tool("etcdutl") else { return };
    let Some(etcdctl) = tool("etcdctl") else { return };
    etcd.start();
    let witness = etcd.witness().await;
    let mut client = etcd.client().await;
    put(&mut client, "/kept", "1").await;
    let snapshot = etcd.dir.path().join("snapshot.db");
    let run = |command: &mut std::process::Command| {
        let output = command.env("ETCDCTL_API", "3").output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(std::process::Command::new(etcdctl).args(["--endpoints", &etcd.url, "snapshot", "save"]).arg(&snapshot));
    let lost = put(&mut client, "/lost", "1").await;
    until(&witness, "both puts", |witness| all(witness).len() == 2).await;
    let before = witness.mark().await;
    etcd.kill();
    etcd.move_to("restored");
    let (cluster, peer) = etcd.initial_cluster();
    run(std::process::Command::new(etcdutl)
        .args(["snapshot", "restore", "--name", "e1", "--initial-cluster", &cluster])
        .args(["--initial-advertise-peer-urls", &peer, "--data-dir"])
        .arg(etcd.data_dir())
        .arg(&snapshot));
    etcd.start();
    until(&witness, "the epoch", |witness| witness.journal().holes(0).iter().any(|hole| hole.new_store)).await;
    let after = witness.mark().await;
    assert_eq!((before.epoch, after.epoch), (0, 1));
    assert!(after.revision < lost);
    let view = witness.journal();
    let now = view.at(&after).expect("the new store is listed");
    assert!(view.state("/kept", now).is_some() && view.state("/lost", now).is_none());
    let then = view.at(&before).expect("the old store stays known");
    assert!(view.state("/lost", then).is_some());
    let again = put(&mut client, "/kept", "2").await;
    until(&witness, "events of the new store", |witness| {
        all(witness).last() == Some(&("PUT".to_owned(), again, "/kept".to_owned()))
    })
    .await;
    witness.close().await;
}

#[tokio::test]
async fn progress_proves_that_nothing_else_happened_and_a_transaction_stays_whole() {
    let Some(mut etcd) = Etcd::new() else { return };
    etcd.start();
    let witness = etcd.witness().await;
    let mut client = etcd.client().await;
    put(&mut client, "/a", "1").await;
    let before = witness.mark().await;
    let puts = [TxnOp::put("/b", "1", None), TxnOp::put("/c", "1", None)];
    let revision =
        client.txn(Txn::new().and_then(puts)).await.expect("a transaction").header().expect("one").revision();
    let asked = SystemTime::now();
    let delivered = witness.progress().await.expect("an answer");
    assert!(delivered.revision >= revision && delivered.at >= asked);
    // No waiting here: what is not in the journal now did not happen.
    let view = witness.journal();
    let since = view.at(&before).expect("the mark is in the journal");
    let keys: Vec<String> = view
        .changes(&KeyGlob::new("/*"), since)
        .iter()
        .map(|r| r.entry.change().expect("one").key.to_string())
        .collect();
    assert_eq!(keys, ["/b", "/c"]);
    assert!(view.state("/b", since).is_none() && view.state("/a", since).is_some());
    witness.close().await;
}

#[tokio::test]
async fn etcds_own_count_of_watchers_grows_with_each_watch() {
    let Some(mut etcd) = Etcd::new() else { return };
    etcd.start();
    let witness = etcd.witness().await;
    let mut client = etcd.client().await;
    put(&mut client, "/a", "1").await;
    until(&witness, "the put", |witness| all(witness).len() == 1).await;
    let before = witness.watching().await.expect("etcd counts");
    let mut stream = client.watch("/a", None).await.expect("a watch");
    stream.message().await.expect("it is created");
    assert!(witness.watching().await.expect("etcd counts").has_one_more_than(before));
    witness.close().await;
}

#[tokio::test]
async fn keys_that_keep_moving_are_named_and_keys_at_rest_are_not_waited_for_long() {
    let Some(mut etcd) = Etcd::new() else { return };
    etcd.start();
    let witness = etcd.witness().await;
    put(&mut etcd.client().await, "/a", "1").await;
    until(&witness, "the put", |witness| all(witness).len() == 1).await;
    let started = std::time::Instant::now();
    witness.quiet(&[KeyGlob::new("/a")]).await.expect("it rests");
    assert!(started.elapsed() >= Duration::from_millis(400));
    let mut client = etcd.client().await;
    let moving = tokio::spawn(async move {
        loop {
            put(&mut client, "/moving", "x").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(witness.quiet(&[KeyGlob::new("/a")]).await, Ok(()), "the other key does not matter");
    assert_eq!(witness.quiet(&[KeyGlob::new("/mov*")]).await, Err(vec!["/moving".to_owned()]));
    moving.abort();
    witness.close().await;
}

/// As in a pod: nothing but etcdctl's own output.
#[tokio::test]
async fn etcdctl_alone_is_enough_to_witness() {
    let Some(mut etcd) = Etcd::new() else { return };
    let Some(etcdctl) = tool("etcdctl") else { return };
    etcd.start();
    let mut client = etcd.client().await;
    for number in 0..450 {
        put(&mut client, &format!("/registry/many/{number:03}"), number.to_string()).await;
    }
    put(&mut client, "/registry0/not-below", "1").await;
    let command = vec![etcdctl.display().to_string(), "--endpoints".to_owned(), etcd.url.clone()];
    let request = super::WitnessRequest {
        access: EtcdAccess::Command { argv: command, metrics: None },
        bare: false,
        ..etcd.request()
    };
    let witness = Witness::open(request).await.expect("it opens");
    let before = witness.mark().await;
    assert!(before.read);
    let view = witness.journal();
    let listed = view.states(&KeyGlob::new("**"), view.at(&before).expect("the mark"));
    assert_eq!(listed.len(), 450, "three pages without doubles");
    put(&mut client, "/registry/a", "one").await;
    client.delete("/registry/many/000", None).await.expect("a delete");
    witness.progress().await.expect("an answer");
    let recorded_changes: Vec<(String, String)> = all(&witness).into_iter().map(|(kind, _, key)| (kind, key)).collect();
    assert_eq!(
        recorded_changes,
        [("PUT".into(), "/registry/a".into()), ("DELETE".into(), "/registry/many/000".into())]
    );
    let state = witness.etcd(None).await.expect("a state");
    assert_eq!((&state["up"], &state["healthy"], &state["leader"]), (&true.into(), &true.into(), &"e1".into()));
    assert_eq!((&state["keys"], &state["version"].is_string()), (&451.into(), &true));
    etcd.kill();
    assert!(witness.progress().await.is_err());
    etcd.start();
    put(&mut client, "/registry/b", "two").await;
    until(&witness, "what came after the restart", |witness| all(witness).len() == 3).await;
    assert!(witness.journal().holes(0).is_empty());
    witness.close().await;
}

mod looking {
    use serde_json::{Value, json};

    use super::super::Observer;
    use super::*;
    use crate::journal::Seen;
    use owned_processes::{Guard, GuardSettings};

    fn observer(work: &std::path::Path) -> Observer {
        let settings =
            GuardSettings { parents: vec![work.to_path_buf()], watchdog: None, grace: Duration::from_secs(1) };
        Observer::new(Guard::start(settings).expect("a guard"), None, work.to_path_buf())
    }

    async fn snapshot(observer: &Observer, file: &str) -> Value {
        match observer.snapshot(file).await {
            Seen::Snapshot(fields) => fields,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_snapshot_is_valid_whole_and_its_live_keys_are_counted_without_its_history() {
        let Some(mut etcd) = Etcd::new() else { return };
        let Some(etcdctl) = tool("etcdctl") else { return };
        etcd.start();
        let mut client = etcd.client().await;
        for number in 0..300 {
            put(&mut client, &format!("/k/{number}"), "x".repeat(100)).await;
        }
        for number in 0..100 {
            client.delete(format!("/k/{number}"), None).await.expect("a delete");
        }
        let revision = put(&mut client, "/k/0", "back again").await;
        let work = etcd.dir.path().to_path_buf();
        let saved = std::process::Command::new(etcdctl)
            .args(["--endpoints", &etcd.url, "snapshot", "save", "good.db"])
            .current_dir(&work)
            .output()
            .expect("etcdctl runs");
        assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
        let mut bytes = std::fs::read(work.join("good.db")).expect("the snapshot");
        let observer = observer(&work);
        let good = snapshot(&observer, "good.db").await;
        assert_eq!(good, json!({"valid": true, "revision": revision, "keys": 201, "size": bytes.len()}));
        std::fs::write(work.join("copied.db"), &bytes[..bytes.len() - 32]).expect("it is written");
        let copied = snapshot(&observer, "copied.db").await;
        assert_eq!((&copied["valid"], &copied["keys"]), (&false.into(), &201.into()), "a copy of the file has no sum");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(work.join("flipped.db"), &bytes).expect("it is written");
        assert_eq!(snapshot(&observer, "flipped.db").await["valid"], false);
        std::fs::write(work.join("text.db"), "not a database").expect("it is written");
        let text = snapshot(&observer, "text.db").await;
        assert_eq!(text, json!({"valid": false, "revision": 0, "keys": 0, "size": 14}));
        let none = observer.snapshot("none.db").await;
        let folder = work.display().to_string();
        assert!(matches!(none, Seen::Nothing(reason) if reason.contains("none.db") && reason.ends_with(&folder)));
        assert!(matches!(observer.resource("pods", "x", None).await, Seen::Unavailable(_)), "no Kubernetes here");
    }
}
