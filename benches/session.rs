//! How long after a commit in etcd a session tells of it: 200 changes, each of which turns a check.
//!
//! `cargo bench --bench session`. The clock starts when the write has been answered, so that what the API takes for it
//! does not count; a session that hears of it before the writer does is 0 ms late.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keywitness::cluster::{SandboxProvider, StageSink};
use keywitness::lab::ClusterKind;
use keywitness::learn::Standing;
use keywitness::parse::parse;
use keywitness::run::resolve;
use keywitness::session::{Answer, Request, SessionEvent, SessionRequest, start};
use keywitness::text::SourceFile;
use owned_processes::{Guard, GuardSettings};
use tokio_util::sync::CancellationToken;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CHANGES: usize = 200;
const LAB: &str = "---
title: Turn
clusters: [sandbox]
---
# Turn

## Turn

<details><summary>Solution</summary>

```bash
kubectl create configmap turn --from-literal=n=on
```

</details>

```check
key /registry/configmaps/default/turn where object.data.n == \"on\"
key /registry/configmaps/default/never exists
```
";

struct Quiet;

impl StageSink for Quiet {
    fn passed(&self, _: &str, _: Option<&str>, _: Duration) {}
}

fn main() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> Result<()> {
    let guard = Guard::start(GuardSettings::default())?;
    let file = guard.dir().join("turn.md");
    let lab = parse(&SourceFile::new("turn.md", &file, LAB)).lab.ok_or("the lab has errors")?;
    let request = SessionRequest {
        vars: resolve(&lab, 1, &std::collections::BTreeMap::new(), None).map_err(|problems| problems.join("; "))?,
        lab: Arc::new(lab),
        kind: ClusterKind::Sandbox,
        seed: 1,
        provider: Box::new(SandboxProvider { guard: guard.clone(), apiserver: None }),
        state: guard.dir().join("state"),
        guard,
        learner: None,
        fresh: true,
        interrupt: CancellationToken::new(),
    };
    let session = start(request, &Quiet).await?;
    let mut events = session.handle.subscribe();
    let Answer::Environment { environment } = session.handle.request(Request::Environment).await? else {
        return Err("no environment".into());
    };
    let kubeconfig = environment.vars.iter().find(|(name, _)| name == "KUBECONFIG").ok_or("no kubeconfig")?;
    let client = keywitness::cluster::api_client(&PathBuf::from(&kubeconfig.1)).await?;
    let url = "/api/v1/namespaces/default/configmaps";
    let send = |request: http::Request<Vec<u8>>| client.request::<serde_json::Value>(request);
    let body = |n: &str| {
        serde_json::to_vec(
            &serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "turn"}, "data": {"n": n}}),
        )
    };
    // Its stretch is open once the view says so.
    loop {
        match session.handle.request(Request::Show).await? {
            Answer::View { view } if !view.step.preparing => break,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    send(http::Request::post(url).header("content-type", "application/json").body(body("off")?)?).await?;
    let mut late = Vec::new();
    for change in 0..CHANGES {
        let on = change % 2 == 0;
        let request = http::Request::put(format!("{url}/turn")).header("content-type", "application/json");
        let answered = async {
            send(request.body(body(if on { "on" } else { "off" })?)?).await?;
            Ok::<Instant, Box<dyn Error + Send + Sync>>(Instant::now())
        };
        let told = async {
            while let Some(event) = events.next().await {
                if matches!(event, SessionEvent::CheckTurned { now, .. } if (now == Standing::Holds) == on) {
                    return Ok(Instant::now());
                }
            }
            Err::<Instant, Box<dyn Error + Send + Sync>>("the session has ended".into())
        };
        let (answered, told) = tokio::try_join!(answered, told)?;
        late.push(told.saturating_duration_since(answered));
    }
    late.sort_unstable();
    let at = |part: usize| late[(late.len() * part / 100).min(late.len() - 1)].as_secs_f64() * 1000.0;
    println!(
        "commit to event, {CHANGES} changes: median {:.1} ms, p99 {:.1} ms, most {:.1} ms",
        at(50),
        at(99),
        at(100)
    );
    session.handle.request(Request::Quit { keep: false }).await?;
    session.ended().await;
    Ok(())
}
