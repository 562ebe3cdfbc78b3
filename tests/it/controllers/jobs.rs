//! Work that ends, and containers that fail again and again.

use serde_json::{Value, json};

use super::{condition, text};
use crate::harness::need;
use crate::live::Live;

fn job(name: &str, command: &[&str], more: &Value) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "busybox", "command": command}],
        }}},
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        job["spec"][field] = value.clone();
    }
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_count_their_pods_and_give_up_and_go() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    live.apply(&job("fails", &["false"], &json!({"backoffLimit": 0})));
    live.apply(&job("many", &["sleep", "1"], &json!({"completions": 3, "parallelism": 2})));
    live.apply(&job("held", &["true"], &json!({"suspend": true})));
    live.apply(&job("long", &["sleep", "1000"], &json!({"activeDeadlineSeconds": 2})));

    let failed = live.until(&["job", "fails"], |job| condition(job, "Failed")["status"] == "True");
    assert_eq!(condition(&failed, "Failed")["reason"], "BackoffLimitExceeded");
    assert_eq!(condition(&failed, "Failed")["message"], "Job has reached the specified backoff limit");
    assert_eq!(failed["status"]["failed"], 1);

    let done = live.until(&["job", "many"], |job| condition(job, "Complete")["status"] == "True");
    assert_eq!(done["status"]["succeeded"], 3, "{done:#}");
    // One pod for each completion. Events are told after the deed.
    live.until(&["events", "--field-selector", "involvedObject.name=many,reason=SuccessfulCreate"], |events| {
        let items = events["items"].as_array().into_iter().flatten();
        items.filter_map(|event| event["count"].as_i64()).sum::<i64>() == 3
    });

    live.apply(&job("brief", &["true"], &json!({"ttlSecondsAfterFinished": 1})));
    live.until(&["events", "--field-selector", "involvedObject.name=brief,reason=Completed"], |events| {
        !events.is_null()
    });
    live.until(&["job", "brief"], Value::is_null);

    let late = live.until(&["job", "long"], |job| condition(job, "Failed")["status"] == "True");
    assert_eq!(condition(&late, "Failed")["reason"], "DeadlineExceeded");
    assert!(live.get(&["pods", "-l", "job-name=held"]).is_null());
    assert_eq!(condition(&live.get(&["job", "held"]), "Suspended")["status"], "True");
    live.kubectl(&["patch", "job", "held", "-p", r#"{"spec":{"suspend":false}}"#]);
    live.until(&["job", "held"], |job| condition(job, "Complete")["status"] == "True");

    // A job that is made from a cron job belongs to it; a suspended one makes none by itself.
    let schedule = ["create", "cronjob", "nightly", "--image=busybox", "--schedule=0 3 * * *", "--", "true"];
    live.kubectl(&schedule);
    live.kubectl(&["create", "job", "now", "--from=cronjob/nightly"]);
    let now = live.until(&["job", "now"], |job| condition(job, "Complete")["status"] == "True");
    assert_eq!(now["metadata"]["ownerReferences"][0]["name"], "nightly");
    live.kubectl(&["delete", "cronjob", "nightly"]);
    live.until(&["job", "now"], Value::is_null);
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_fails_is_started_ever_more_rarely() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    live.kubectl(&["run", "crash", "--image=busybox", "--command", "--", "sh", "-c", "exit 3"]);
    live.kubectl(&["run", "sleeper", "--image=busybox", "--restart=Never", "--command", "--", "sleep", "1000"]);
    // What fails shows its end until the node comes back to it; only from the second restart on is that before the next.
    let pod = live.until(&["pod", "crash"], |pod| {
        pod["status"]["containerStatuses"][0]["restartCount"] == 2
            && pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    });
    let container = &pod["status"]["containerStatuses"][0];
    assert_eq!(container["lastState"]["terminated"]["exitCode"], 3);
    assert!(text(&container["state"]["waiting"]["message"]).starts_with("back-off 20s restarting failed container"));
    assert_eq!(pod["status"]["phase"], "Running");
    live.until(&["events", "--field-selector", "involvedObject.name=crash,reason=BackOff"], |events| !events.is_null());

    // Nothing in that pod hears SIGTERM: whoever watches its end sees that it was killed.
    let pods = live.get(&["pod", "sleeper"]);
    assert_eq!(pods["status"]["phase"], "Running");
    let hold = r#"{"metadata":{"finalizers":["example.com/hold"]}}"#;
    live.kubectl(&["patch", "pod", "sleeper", "-p", hold]);
    live.kubectl(&["delete", "pod", "sleeper", "--grace-period=1", "--wait=false"]);
    let ended = live.until(&["pod", "sleeper"], |pod| pod["status"]["phase"] == "Failed");
    assert_eq!(ended["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 137, "{ended:#}");
    live.kubectl(&["patch", "pod", "sleeper", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
    live.until(&["pod", "sleeper"], Value::is_null);
    live.stop().await;
}
