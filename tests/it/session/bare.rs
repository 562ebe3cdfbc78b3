//! A lab that brings its own etcd: a reset begins it again as a whole.

use keywitness::session::{Answer, Request};

use super::helper::{Learner, Settings, lab_text};
use crate::harness::need;

const LAB: &str = r#"---
title: Alone
clusters: [bare]
etcd: { solo: "http://127.0.0.1:${CLIENT}" }
vars:
  CLIENT: { port: true }
  PEER: { port: true }
---
# Alone

## Start it

```bash {name=server terminal=2 background ready="ready to serve client requests"}
etcd --name solo --data-dir "$LAB_WORK/solo" --listen-client-urls "http://127.0.0.1:$CLIENT" \
  --advertise-client-urls "http://127.0.0.1:$CLIENT" --listen-peer-urls "http://127.0.0.1:$PEER" \
  --initial-advertise-peer-urls "http://127.0.0.1:$PEER" --initial-cluster "solo=http://127.0.0.1:$PEER"
```

```check
etcd where healthy
```

## Write

```bash {name=write}
etcdctl put color blue
touch written
```

```check
etcd where revision == 2
run "test -f written"
```

## Read

The end.
"#;

async fn starts_it(learner: &mut Learner) {
    learner.until_open("start-it").await;
    let ran = learner.ask(Request::Run { block: Some("server".to_owned()) }).await;
    assert!(matches!(ran, Answer::Ran { passed: true, .. }), "{ran:?}");
    learner.until_green("start-it").await;
    learner.goes_on_to("write").await;
    learner.types("etcdctl put color blue; touch written").await;
    learner.until_green("write").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_in_a_bare_lab_begins_it_again() {
    need!("etcd", "etcdctl", "etcdutl");
    let mut learner = Learner::begin(Settings::of(lab_text(LAB)).bare()).await;
    starts_it(&mut learner).await;
    let before = learner.view().await;
    assert!(before.open == 2 && before.points > 0, "{before:?}");

    let back = learner.ask(Request::Reset { step: None }).await;
    let Answer::WentBack { step, left } = &back else { panic!("{back:?}") };
    assert_eq!(step, "start-it", "as a whole");
    assert!(left.iter().any(|line| line.contains("in your own shells still runs")), "{left:?}");
    learner.until_open("start-it").await;
    let view = learner.view().await;
    assert_eq!((view.open, view.points, view.max_points), (1, 0, before.max_points));
    assert_ne!(learner.runs("etcdctl --command-timeout 1s endpoint health").await.0, 0, "its etcd is gone");
    assert_eq!(learner.runs("ls").await.1, "", "and so are its files");

    // It can be done again, by the same names and ports.
    starts_it(&mut learner).await;
    assert_eq!(learner.view().await.points, before.points);
    assert!(learner.quit(false).await.is_empty());
}
