//! Every recorded read of a small populated cluster.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use super::accepted::client_words;
use super::cluster::Watched;
use super::normal::{Names, RECORDED_ADDRESS, RECORDED_NODE, differences};
use super::recording;

static AGE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:\d+d)?(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?m?s\b|\b\d+[hdm]\b").expect("a rule"));
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}").expect("a rule")
});
static RESTARTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b1 \([0-9hms]+ ago\)").expect("a rule"));
static SPACES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[ \t]{2,}").expect("a rule"));

/// Ages, dates and the widths of columns differ from run to run.
fn plain(text: &str, names: &mut Names) -> Vec<String> {
    let text = names.text(&client_words(text));
    let text = DATE.replace_all(&text, "<date>");
    let text = AGE.replace_all(&text, "<age>");
    let text = SPACES.replace_all(&text, "  ");
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Where two outputs part, line by line or, of JSON, field by field.
pub(crate) fn part(
    command: &str,
    what: &str,
    recorded: &str,
    ours: &str,
    recorded_names: &mut Names,
    names: &mut Names,
) -> Vec<String> {
    if let (Ok(recorded), Ok(ours)) = (serde_json::from_str::<Value>(recorded), serde_json::from_str::<Value>(ours))
        && recorded.is_object()
    {
        let (recorded, ours) = (recorded_names.value(&recorded), names.value(&ours));
        return differences(&recorded, &ours)
            .into_iter()
            .map(|difference| format!("`{command}`: {difference}"))
            .collect();
    }
    let (recorded, ours) = (plain(recorded, recorded_names), plain(ours, names));
    let lines = |lines: &[String]| {
        let mut lines = lines.to_vec();
        // Random names decide the order of rows.
        lines.sort();
        lines
    };
    if lines(&recorded) == lines(&ours) {
        return Vec::new();
    }
    let missing =
        recorded.iter().filter(|line| !ours.contains(line)).map(|line| format!("`{command}` {what} no {line:?}"));
    let extra = ours.iter().filter(|line| !recorded.contains(line)).map(|line| format!("`{command}` {what} {line:?}"));
    let mut found: Vec<String> = missing.chain(extra).collect();
    if found.is_empty() {
        found.push(format!("`{command}` {what} {} lines, recorded {}", ours.len(), recorded.len()));
    }
    found
}

pub(crate) async fn read() -> Vec<String> {
    let recording = recording::reads();
    let mut cluster = Box::pin(Watched::start()).await;
    let mut found = Vec::new();
    for step in &recording.setup {
        let ran = cluster.run(step, RECORDED_NODE).await;
        if ran.exit != step.exit {
            found.push(format!("`{}` ended with {}: {}", step.command, ran.exit, ran.stderr));
        }
    }
    let (mut web, mut solo, mut once) = (false, false, false);
    let settled = cluster
        .until(Duration::from_secs(60), |events| {
            for event in events {
                let status = &event.value["status"];
                match event.key.as_str() {
                    "/registry/deployments/shop/web" => web = status["availableReplicas"] == 2,
                    "/registry/pods/shop/solo" => solo = status["phase"] == "Running",
                    "/registry/jobs/shop/once" => {
                        once = status.get("startTime").is_some() && status.get("active").is_none();
                    }
                    _ => {}
                }
            }
            web && solo && once
        })
        .await;
    if !settled {
        found.push("the cluster of the reads did not come up".to_owned());
    }
    let (mut recorded_names, mut names) = (Names::new(RECORDED_NODE, RECORDED_ADDRESS), cluster.names());
    for step in &recording.reads {
        let ran = cluster.run(step, RECORDED_NODE).await;
        if ran.exit != step.exit {
            found.push(format!(
                "`{}` ended with {}, recorded {}: {}",
                step.command,
                ran.exit,
                step.exit,
                ran.stderr.trim_end()
            ));
            continue;
        }
        // The recorded rig was restarted once before it was read.
        let recorded = RESTARTED.replace_all(&step.stdout, "0");
        found.extend(part(&step.command, "printed", &recorded, &ran.stdout, &mut recorded_names, &mut names));
        found.extend(part(&step.command, "warned", &step.stderr, &ran.stderr, &mut recorded_names, &mut names));
    }
    cluster.stop().await;
    found
}
