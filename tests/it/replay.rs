//! Every recorded scenario of a real cluster, replayed in a sandbox with the real kubectl.
//! `KEYWITNESS_REPLAY=name` replays one of them, `KEYWITNESS_TRACES=folder` replays your own recordings.

mod accepted;
mod cluster;
mod compare;
mod normal;
mod reading;
mod recording;

use std::collections::HashSet;
use std::io::Write;
use std::time::Duration;

use futures::StreamExt;

use self::accepted::reason;
use self::cluster::{Ran, Watched};
use self::compare::{Stream, compare};
use self::normal::Names;
use self::recording::{Step, Trace};
use crate::harness::need;

/// How long a sandbox may take to come to the state that the real cluster came to.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
/// Two cores: more at once would only wait for each other.
const AT_ONCE: usize = 2;

fn wanted(name: &str) -> bool {
    let fits = |only: String| match only.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => only == name,
    };
    std::env::var("KEYWITNESS_REPLAY").map_or(true, fits)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_scenario() {
    need!("etcd", "kubectl");
    let traces = recording::traces().into_iter().filter(|trace| wanted(&trace.scenario));
    let mut results: Vec<(String, Vec<String>)> =
        futures::stream::iter(traces).map(|trace| Box::pin(replay(trace))).buffer_unordered(AT_ONCE).collect().await;
    results.sort();
    report(&results);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_read() {
    need!("etcd", "kubectl");
    if wanted("reads") {
        report(&[("reads".to_owned(), Box::pin(reading::read()).await)]);
    }
}

/// The table, written past the test harness so that it is seen when all is well too, and a failure if any
/// difference has no reason.
fn report(results: &[(String, Vec<String>)]) {
    let mut unexplained = 0;
    let mut table = format!("\n{:<34} {:<8} differs where\n", "scenario", "agrees");
    for (scenario, differences) in results {
        let (known, new): (Vec<_>, Vec<_>) =
            differences.iter().partition(|difference| reason(scenario, difference).is_some());
        let agrees = if !new.is_empty() {
            "NO"
        } else if known.is_empty() {
            "yes"
        } else {
            "but for"
        };
        let mut where_: Vec<String> =
            known.iter().filter_map(|difference| reason(scenario, difference)).map(str::to_owned).collect();
        where_.sort_unstable();
        where_.dedup();
        where_.extend(new.iter().map(|difference| format!("! {difference}")));
        let mut lines = where_.into_iter();
        let first = lines.next().unwrap_or_default();
        table.push_str(format!("{scenario:<34} {agrees:<8} {first}").trim_end());
        table.push('\n');
        table.extend(lines.map(|line| format!("{:<34} {:<8} {line}\n", "", "")));
        unexplained += new.len();
    }
    std::io::stderr().write_all(table.as_bytes()).expect("the table is written");
    assert_eq!(unexplained, 0, "differences that nothing explains; the table above names them");
}

async fn replay(trace: Trace) -> (String, Vec<String>) {
    let mut cluster = Box::pin(Watched::start()).await;
    let mut found = Vec::new();
    let (mut recorded_names, mut names) = (Names::new(&trace.node, &trace.address), cluster.names());
    let recorded = Stream::of(&trace.events, &mut recorded_names);
    let mut ours = Stream::default();
    let mut told = HashSet::new();
    for step in &trace.commands {
        let ran = cluster.run(step, &trace.node).await;
        let wanted = recorded.state(step.rev_settled);
        cluster
            .until(SETTLES_WITHIN.max(Duration::from_secs_f64(step.seconds)), |events| {
                ours.extend(&events, &mut names);
                let state = ours.state(i64::MAX);
                state == wanted
                    || wanted.differences(&state).iter().all(|difference| reason(&trace.scenario, difference).is_some())
            })
            .await;
        // What is told once stays so in the states after.
        let differences = wanted.differences(&ours.state(i64::MAX));
        for difference in differences.into_iter().filter(|difference| told.insert(difference.clone())) {
            found.push(format!("after `{}`: {difference}", step.command));
        }
        found.extend(said(step, &ran, &mut recorded_names, &mut names));
    }
    found.extend(compare(&recorded, &ours).into_iter().filter(|difference| {
        !difference.strip_prefix("first value: ").is_some_and(|difference| told.contains(difference))
    }));
    cluster.stop().await;
    found.dedup();
    (trace.scenario, found)
}

/// Exit status and words.
fn said(step: &Step, ran: &Ran, recorded_names: &mut Names, names: &mut Names) -> Vec<String> {
    let mut found = Vec::new();
    if ran.exit != step.exit {
        found.push(format!("`{}` ended with {}, recorded {}", step.command, ran.exit, step.exit));
    }
    for (what, recorded, ours) in [("printed", &step.stdout, &ran.stdout), ("warned", &step.stderr, &ran.stderr)] {
        found.extend(reading::part(&step.command, what, recorded, ours, recorded_names, names));
    }
    found
}
