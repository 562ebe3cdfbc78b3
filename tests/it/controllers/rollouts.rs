//! How new templates reach the pods.

use serde_json::json;

use super::{condition, each, name, pods_of, text};
use crate::harness::need;
use crate::live::Live;

fn images(live: &Live, app: &str) -> Vec<String> {
    let pods = live.get(&["pods", "-l", &format!("app={app}")]);
    each(&pods, |pod| format!("{} {}", name(pod), text(&pod["spec"]["containers"][0]["image"])))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_rolls_from_its_end_down_to_its_partition() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    live.apply(&pods_of("db", "redis:6", "StatefulSet", &json!({"replicas": 3, "serviceName": "db"})));
    live.kubectl(&["rollout", "status", "statefulset/db", "--timeout=60s"]);
    let partition = |number: u8| {
        let patch = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": number}}}});
        live.kubectl(&["patch", "statefulset", "db", "-p", &patch.to_string()]);
    };
    partition(2);
    live.kubectl(&["set", "image", "statefulset/db", "c=redis:7"]);
    live.kubectl(&["rollout", "status", "statefulset/db", "--timeout=60s"]);
    assert_eq!(images(&live, "db"), ["db-0 redis:6", "db-1 redis:6", "db-2 redis:7"]);
    let set = live.get(&["statefulset", "db"]);
    assert_eq!(set["status"]["updatedReplicas"], 1, "{set:#}");
    assert_ne!(set["status"]["currentRevision"], set["status"]["updateRevision"]);

    partition(0);
    live.until(&["statefulset", "db"], |set| set["status"]["currentRevision"] == set["status"]["updateRevision"]);
    assert_eq!(images(&live, "db"), ["db-0 redis:7", "db-1 redis:7", "db-2 redis:7"]);

    let patch = r#"{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}"#;
    live.kubectl(&["patch", "statefulset", "db", "-p", patch]);
    live.kubectl(&["set", "image", "statefulset/db", "c=redis:8"]);
    live.until(&["statefulset", "db"], |set| set["status"]["observedGeneration"] == set["metadata"]["generation"]);
    live.kubectl(&["delete", "pod", "db-1"]);
    live.until(&["statefulset", "db"], |set| set["status"]["readyReplicas"] == 3);
    assert_eq!(images(&live, "db"), ["db-0 redis:7", "db-1 redis:8", "db-2 redis:7"]);

    live.apply(&pods_of("each", "redis:6", "DaemonSet", &json!({})));
    live.kubectl(&["rollout", "status", "daemonset/each", "--timeout=60s"]);
    live.kubectl(&["set", "image", "daemonset/each", "c=redis:7"]);
    live.kubectl(&["rollout", "status", "daemonset/each", "--timeout=60s"]);
    live.kubectl(&["rollout", "undo", "daemonset/each"]);
    live.kubectl(&["rollout", "status", "daemonset/each", "--timeout=60s"]);
    let pods = live.get(&["pods", "-l", "app=each"]);
    assert_eq!(each(&pods, |pod| text(&pod["spec"]["containers"][0]["image"])), ["redis:6"]);
    let history = live.kubectl(&["rollout", "history", "daemonset/each"]);
    let revisions: Vec<&str> = history.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(revisions, ["daemonset.apps/each", "REVISION", "2", "3"], "{history}");
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_pauses_goes_back_and_gives_up_in_time() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    live.apply(&pods_of("web", "redis:6", "Deployment", &json!({"replicas": 2})));
    live.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    live.kubectl(&["rollout", "pause", "deployment/web"]);
    live.kubectl(&["set", "image", "deployment/web", "c=redis:7"]);
    let paused =
        live.until(&["deployment", "web"], |web| web["status"]["observedGeneration"] == web["metadata"]["generation"]);
    assert_eq!(condition(&paused, "Progressing")["reason"], "DeploymentPaused", "{paused:#}");
    assert_eq!(live.get(&["replicasets"])["items"].as_array().map(Vec::len), Some(1));
    live.kubectl(&["rollout", "resume", "deployment/web"]);
    live.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    live.kubectl(&["rollout", "undo", "deployment/web"]);
    live.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let history = live.kubectl(&["rollout", "history", "deployment/web"]);
    assert!(history.contains("\n2 ") && history.contains("\n3 ") && !history.contains("\n1 "), "{history}");

    live.kubectl(&["patch", "deployment", "web", "-p", r#"{"spec":{"progressDeadlineSeconds":1}}"#]);
    live.kubectl(&["set", "image", "deployment/web", "c=no.such.registry/none:1"]);
    let late =
        live.until(&["deployment", "web"], |web| condition(web, "Progressing")["reason"] == "ProgressDeadlineExceeded");
    assert_eq!(condition(&late, "Progressing")["status"], "False");
    assert_eq!(condition(&late, "Available")["status"], "True", "the old pods still serve");
    let (told, succeeded) = live.try_kubectl(&["rollout", "status", "deployment/web"], "");
    assert!(!succeeded && told.contains("exceeded its progress deadline"), "{told}");
    live.kubectl(&["rollout", "undo", "deployment/web"]);

    let recreate = r#"{"spec":{"progressDeadlineSeconds":600,"strategy":{"type":"Recreate","rollingUpdate":null}}}"#;
    live.kubectl(&["patch", "deployment", "web", "-p", recreate]);
    live.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    live.kubectl(&["set", "image", "deployment/web", "c=redis:8"]);
    live.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let pods = live.until(&["pods"], |pods| pods["items"].as_array().is_some_and(|pods| pods.len() == 2));
    assert_eq!(each(&pods, |pod| text(&pod["spec"]["containers"][0]["image"])), ["redis:8", "redis:8"]);

    // Without metrics the bounds are kept, and the conditions say what is lacking.
    let autoscaler = |name: &str| {
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": 3, "maxReplicas": 5,
                "metrics": [{"type": "Resource", "resource": {
                    "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50},
                }}],
            },
        })
    };
    live.apply(&autoscaler("web"));
    live.apply(&autoscaler("nobody"));
    live.until(&["deployment", "web"], |web| web["spec"]["replicas"] == 3);
    // Within the bounds, metrics are needed.
    let stuck = live.until(&["hpa", "web"], |hpa| !condition(hpa, "ScalingActive").is_null());
    assert_eq!(condition(&stuck, "ScalingActive")["reason"], "FailedGetResourceMetric", "{stuck:#}");
    assert_eq!(condition(&stuck, "AbleToScale")["status"], "True");
    let lost = live.until(&["hpa", "nobody"], |hpa| !condition(hpa, "AbleToScale").is_null());
    assert_eq!(condition(&lost, "AbleToScale")["reason"], "FailedGetScale");
    assert!(text(&condition(&lost, "AbleToScale")["message"]).contains("\"nobody\" not found"), "{lost:#}");
    live.stop().await;
}
