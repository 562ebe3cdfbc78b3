//! The controllers as their clients see them: what they make of objects, waited for by the API's own watches.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use http::{Method, Request};
use kube::core::WatchEvent;
use kube_sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const DEFAULT: &str = "/api/v1/namespaces/default";
const APPS: &str = "/apis/apps/v1/namespaces/default";
const BATCH: &str = "/apis/batch/v1/namespaces/default";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const SIGNING: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

struct Cluster {
    client: kube::Client,
    sandbox: Sandbox,
}

impl Cluster {
    async fn start(nodes: u32) -> Self {
        let mut options = SandboxOptions::temporary().expect("a folder");
        options.nodes = nodes;
        let sandbox = Sandbox::start(options).await.expect("a sandbox");
        Self { client: sandbox.client().await.expect("a client"), sandbox }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Result<Value, kube::Error> {
        let media = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).header("content-type", media).body(body);
        self.client.request(request.expect("a request")).await
    }

    async fn create(&self, collection: &str, object: Value) -> Value {
        self.ask(Method::POST, collection, object).await.unwrap_or_else(|error| panic!("POST {collection}: {error}"))
    }

    async fn patch(&self, path: &str, patch: Value) -> Value {
        self.ask(Method::PATCH, path, patch).await.unwrap_or_else(|error| panic!("PATCH {path}: {error}"))
    }

    async fn delete(&self, path: &str, options: Value) {
        self.ask(Method::DELETE, path, options).await.unwrap_or_else(|error| panic!("DELETE {path}: {error}"));
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, Value::Null).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Waits for an object that the selector leaves and that `holds`.
    async fn until(&self, collection: &str, selector: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let request = Request::get(format!("{collection}?watch=1&{selector}")).body(Vec::new()).expect("a request");
        let mut events = pin!(self.client.request_events::<Value>(request).await.expect("a watch begins"));
        let mut last = Value::Null;
        let found = async {
            while let Some(event) = events.next().await {
                match event.expect("an event") {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) if holds(&object) => return object,
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => last = object,
                    WatchEvent::Error(error) => panic!("{collection}: {error:?}"),
                    WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => {}
                }
            }
            panic!("{collection}: the watch ended")
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(object) => object,
            Err(elapsed) => panic!("{collection}?{selector}: {elapsed}; the last was {last:#}"),
        }
    }

    async fn until_named(&self, collection: &str, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.until(collection, &format!("fieldSelector=metadata.name%3D{name}"), holds).await
    }

    /// Waits until no object of this name is there.
    async fn gone(&self, collection: &str, name: &str) {
        let named = format!("{collection}?fieldSelector=metadata.name%3D{name}");
        let list = self.get(&named).await;
        if list["items"].as_array().is_none_or(Vec::is_empty) {
            return;
        }
        let revision = list["metadata"]["resourceVersion"].as_str().expect("a revision");
        let request = Request::get(format!("{named}&watch=1&resourceVersion={revision}")).body(Vec::new());
        let request = request.expect("a request");
        let mut events = pin!(self.client.request_events::<Value>(request).await.expect("a watch begins"));
        let deleted = async {
            while let Some(event) = events.next().await {
                if matches!(event.expect("an event"), WatchEvent::Deleted(_)) {
                    return;
                }
            }
            panic!("{named}: the watch ended")
        };
        let waited = tokio::time::timeout(PATIENCE, deleted).await;
        assert!(waited.is_ok(), "{named} is still there: {list:#}");
    }

    async fn stop(self) {
        self.sandbox.stop().await;
    }
}

fn pod(name: &str, spec: &Value) -> Value {
    let mut pod = json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]},
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    pod
}

fn template(command: &Value, restart: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "s"}},
        "spec": {"restartPolicy": restart, "containers": [{"name": "c", "image": "busybox", "command": command}]},
    })
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == kind)
}

fn holds(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|one| one["status"] == "True")
}

fn owned_by(owner: &Value, kind: &str, api_version: &str) -> Value {
    json!([{
        "apiVersion": api_version, "kind": kind, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    }])
}

/// Scheduler and preemption: two pods want one port of the node, and the more important one gets it.
#[tokio::test(flavor = "multi_thread")]
async fn a_more_important_pod_takes_the_place_of_another() {
    let cluster = Cluster::start(1).await;
    let port = json!([{"name": "c", "image": "nginx", "ports": [{"containerPort": 80, "hostPort": 4444}]}]);
    let pods = format!("{DEFAULT}/pods");
    let class = json!({"metadata": {"name": "high"}, "value": 1000});
    cluster.create("/apis/scheduling.k8s.io/v1/priorityclasses", class).await;
    cluster.create(&pods, pod("low", &json!({"containers": port, "terminationGracePeriodSeconds": 0}))).await;
    cluster.until_named(&pods, "low", |pod| pod["spec"]["nodeName"].is_string()).await;
    cluster.create(&pods, pod("equal", &json!({"containers": port}))).await;
    let equal = cluster.until_named(&pods, "equal", |pod| condition(pod, "PodScheduled").is_some()).await;
    assert_eq!(condition(&equal, "PodScheduled").map(|one| &one["reason"]), Some(&json!("Unschedulable")));
    cluster.delete(&format!("{pods}/equal"), Value::Null).await;
    cluster.create(&pods, pod("high", &json!({"containers": port, "priorityClassName": "high"}))).await;
    cluster.gone(&pods, "low").await;
    cluster.until_named(&pods, "high", |pod| pod["spec"]["nodeName"].is_string()).await;
    cluster.stop().await;
}

/// One pod a node, on the nodes that the template allows.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_set_has_a_pod_on_each_of_its_nodes() {
    let cluster = Cluster::start(2).await;
    let sets = format!("{APPS}/daemonsets");
    let mut everywhere = template(&json!(["sleep", "infinity"]), "Always");
    everywhere["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    let spec = json!({"selector": {"matchLabels": {"app": "s"}}, "template": everywhere});
    cluster.create(&sets, json!({"metadata": {"name": "d"}, "spec": spec})).await;
    cluster.until_named(&sets, "d", |set| set["status"]["numberReady"] == 2).await;
    let list = cluster.get(&format!("{DEFAULT}/pods?labelSelector=app%3Ds")).await;
    let mut nodes: Vec<&str> =
        list["items"].as_array().into_iter().flatten().filter_map(|pod| pod["spec"]["nodeName"].as_str()).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["sandbox-control-plane", "sandbox-worker"]);
    let one = json!({"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "sandbox-worker"}}}}});
    cluster.patch(&format!("{sets}/d"), one).await;
    cluster
        .until_named(&sets, "d", |set| {
            set["status"]["desiredNumberScheduled"] == 1
                && set["status"]["currentNumberScheduled"] == 1
                && set["status"]["numberMisscheduled"] == 0
        })
        .await;
    cluster.stop().await;
}

/// Pods in order with claims of their own; the last goes first; a new template is a new revision.
#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_keeps_its_order_its_claims_and_its_revisions() {
    let cluster = Cluster::start(1).await;
    let (sets, pods) = (format!("{APPS}/statefulsets"), format!("{DEFAULT}/pods"));
    let claim = json!({"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let spec = json!({
        "replicas": 2, "serviceName": "s", "selector": {"matchLabels": {"app": "s"}},
        "template": template(&json!(["sleep", "infinity"]), "Always"), "volumeClaimTemplates": [claim],
    });
    cluster.create(&sets, json!({"metadata": {"name": "s"}, "spec": spec})).await;
    let second = cluster.until_named(&pods, "s-1", |_| true).await;
    let first = cluster.get(&format!("{pods}/s-0")).await;
    assert!(holds(&first, "Ready"), "s-1 came before s-0 was ready: {first:#}");
    cluster.until_named(&sets, "s", |set| set["status"]["readyReplicas"] == 2).await;
    cluster.get(&format!("{DEFAULT}/persistentvolumeclaims/data-s-1")).await;
    cluster.patch(&format!("{sets}/s"), json!({"spec": {"replicas": 1}})).await;
    cluster.gone(&pods, "s-1").await;
    assert_eq!(cluster.get(&format!("{pods}/s-0")).await["metadata"]["uid"], first["metadata"]["uid"]);
    assert_ne!(second["metadata"]["uid"], first["metadata"]["uid"]);
    let labels = json!({"spec": {"template": {"metadata": {"labels": {"version": "2"}}}}});
    cluster.patch(&format!("{sets}/s"), labels).await;
    cluster.until_named(&pods, "s-0", |pod| pod["metadata"]["labels"]["version"] == "2").await;
    let done = cluster
        .until_named(&sets, "s", |set| set["status"]["currentRevision"] == set["status"]["updateRevision"])
        .await;
    let revisions = cluster.get(&format!("{APPS}/controllerrevisions?labelSelector=app%3Ds")).await;
    let names: Vec<&Value> =
        revisions["items"].as_array().into_iter().flatten().map(|one| &one["metadata"]["name"]).collect();
    assert_eq!(names.len(), 2, "{revisions:#}");
    assert!(names.contains(&&done["status"]["currentRevision"]));
    cluster.stop().await;
}

/// A job ends as its pods do, and a cron job keeps no more ended jobs than it says.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_end_as_their_pods_do() {
    let cluster = Cluster::start(1).await;
    let jobs = format!("{BATCH}/jobs");
    let spec = json!({"completions": 3, "parallelism": 2, "template": template(&json!(["true"]), "Never")});
    cluster.create(&jobs, json!({"metadata": {"name": "good"}, "spec": spec})).await;
    let good = cluster.until_named(&jobs, "good", |job| holds(job, "Complete")).await;
    assert_eq!((&good["status"]["succeeded"], &good["status"]["failed"]), (&json!(3), &Value::Null));
    let spec = json!({"backoffLimit": 0, "template": template(&json!(["sh", "-c", "exit 3"]), "Never")});
    cluster.create(&jobs, json!({"metadata": {"name": "bad"}, "spec": spec})).await;
    let bad = cluster.until_named(&jobs, "bad", |job| holds(job, "Failed")).await;
    assert_eq!(condition(&bad, "Failed").map(|one| &one["reason"]), Some(&json!("BackoffLimitExceeded")));
    assert_eq!(bad["status"]["failed"], 1);
    let spec = json!({
        "schedule": "0 0 1 1 *", "suspend": true, "successfulJobsHistoryLimit": 0,
        "jobTemplate": {"spec": {"template": template(&json!(["true"]), "Never")}},
    });
    let cron = cluster.create(&format!("{BATCH}/cronjobs"), json!({"metadata": {"name": "c"}, "spec": spec})).await;
    let owners = owned_by(&cron, "CronJob", "batch/v1");
    let spec = json!({"template": template(&json!(["true"]), "Never")});
    cluster.create(&jobs, json!({"metadata": {"name": "kept", "ownerReferences": owners}, "spec": spec})).await;
    cluster.gone(&jobs, "kept").await;
    cluster.get(&format!("{jobs}/good")).await;
    cluster.stop().await;
}

/// What an owner's deletion does to its dependents, in each of the three ways.
#[tokio::test(flavor = "multi_thread")]
async fn dependents_go_with_their_owner_or_are_left() {
    let cluster = Cluster::start(1).await;
    let maps = format!("{DEFAULT}/configmaps");
    for (name, policy) in [("back", "Background"), ("left", "Orphan"), ("front", "Foreground")] {
        let owner = cluster.create(&maps, json!({"metadata": {"name": name}})).await;
        let mut dependent = json!({"metadata": {"name": format!("of-{name}")}});
        dependent["metadata"]["ownerReferences"] = owned_by(&owner, "ConfigMap", "v1");
        if policy == "Foreground" {
            dependent["metadata"]["finalizers"] = json!(["example.com/wait"]);
        }
        cluster.create(&maps, dependent).await;
        cluster.delete(&format!("{maps}/{name}"), json!({"propagationPolicy": policy})).await;
    }
    cluster.gone(&maps, "of-back").await;
    cluster.gone(&maps, "left").await;
    cluster.until_named(&maps, "of-left", |map| map["metadata"].get("ownerReferences").is_none()).await;
    cluster.until_named(&maps, "of-front", |map| map["metadata"]["deletionTimestamp"].is_string()).await;
    let owner = cluster.get(&format!("{maps}/front")).await;
    assert_eq!(owner["metadata"]["finalizers"], json!(["foregroundDeletion"]), "it waits for its dependent");
    cluster.patch(&format!("{maps}/of-front"), json!({"metadata": {"finalizers": null}})).await;
    cluster.gone(&maps, "front").await;
    cluster.stop().await;
}

/// A namespace is furnished when it is made, and ends only when the last of its objects did.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_ends_after_all_that_is_in_it() {
    let cluster = Cluster::start(1).await;
    cluster.create("/api/v1/namespaces", json!({"metadata": {"name": "team"}})).await;
    let inside = "/api/v1/namespaces/team";
    cluster.until_named(&format!("{inside}/serviceaccounts"), "default", |_| true).await;
    let maps = format!("{inside}/configmaps");
    let authority = cluster.until_named(&maps, "kube-root-ca.crt", |_| true).await;
    assert!(authority["data"]["ca.crt"].as_str().is_some_and(|text| text.contains("BEGIN CERTIFICATE")));
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/wait"]}});
    cluster.create(&maps, held).await;
    cluster.delete(inside, Value::Null).await;
    let ending =
        cluster.until_named("/api/v1/namespaces", "team", |space| holds(space, "NamespaceFinalizersRemaining")).await;
    let said = condition(&ending, "NamespaceFinalizersRemaining").and_then(|one| one["message"].as_str());
    assert!(said.is_some_and(|said| said.contains("example.com/wait")), "{ending:#}");
    cluster.patch(&format!("{maps}/held"), json!({"metadata": {"finalizers": null}})).await;
    cluster.gone("/api/v1/namespaces", "team").await;
    cluster.stop().await;
}

/// A service leads to the pods that its selector chooses, and to those only.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_follows_the_labels_of_its_pods() {
    let cluster = Cluster::start(1).await;
    let pods = format!("{DEFAULT}/pods");
    let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
    cluster.create(&format!("{DEFAULT}/services"), json!({"metadata": {"name": "web"}, "spec": spec})).await;
    cluster.create(&pods, pod("web", &json!({}))).await;
    cluster.create(&pods, pod("other", &json!({}))).await;
    let (slices, of_web) = (
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        "labelSelector=kubernetes.io/service-name%3Dweb",
    );
    let targets = |slice: &Value| -> Vec<String> {
        let endpoints = slice["endpoints"].as_array().into_iter().flatten();
        endpoints.filter_map(|one| one["targetRef"]["name"].as_str()).map(str::to_owned).collect()
    };
    let ready = |slice: &Value| slice["endpoints"][0]["conditions"]["ready"] == true;
    let slice = cluster.until(slices, of_web, |slice| targets(slice) == ["web"] && ready(slice)).await;
    assert_eq!(slice["ports"][0]["port"], 80);
    cluster
        .until_named(&format!("{DEFAULT}/endpoints"), "web", |own| {
            own["subsets"][0]["addresses"][0]["targetRef"]["name"] == "web"
        })
        .await;
    cluster.patch(&format!("{pods}/web"), json!({"metadata": {"labels": {"app": "away"}}})).await;
    cluster.until(slices, of_web, |slice| targets(slice).is_empty()).await;
    cluster.stop().await;
}

/// A claim is bound to a volume of its class that is large enough, and to no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_bound_to_a_volume_that_fits() {
    let cluster = Cluster::start(1).await;
    let (volumes, claims) = ("/api/v1/persistentvolumes", format!("{DEFAULT}/persistentvolumeclaims"));
    for (name, size, class) in [("small", "1Gi", "manual"), ("other", "9Gi", "else"), ("large", "5Gi", "manual")] {
        let spec = json!({
            "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "hostPath": {"path": "/data"}, "persistentVolumeReclaimPolicy": "Retain",
        });
        cluster.create(volumes, json!({"metadata": {"name": name}, "spec": spec})).await;
    }
    let spec = json!({
        "accessModes": ["ReadWriteOnce"], "storageClassName": "manual", "resources": {"requests": {"storage": "2Gi"}},
    });
    let created = cluster.create(&claims, json!({"metadata": {"name": "claim"}, "spec": spec})).await;
    assert_eq!(created["status"]["phase"], "Pending", "the default of a claim that etcd holds without a phase");
    let bound = cluster.until_named(&claims, "claim", |claim| claim["status"]["phase"] == "Bound").await;
    assert_eq!(bound["spec"]["volumeName"], "large");
    cluster.until_named(volumes, "large", |volume| volume["status"]["phase"] == "Bound").await;
    cluster.delete(&format!("{claims}/claim"), Value::Null).await;
    cluster.until_named(volumes, "large", |volume| volume["status"]["phase"] == "Released").await;
    assert_eq!(cluster.get(&format!("{volumes}/small")).await["status"]["phase"], "Available");
    cluster.stop().await;
}

/// Whoever watches sees a new claim as whoever reads it: with the phase that is its default.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_shows_a_claim_with_its_default_phase() {
    let cluster = Cluster::start(1).await;
    let claims = format!("{DEFAULT}/persistentvolumeclaims");
    let list = cluster.get(&claims).await;
    let revision = list["metadata"]["resourceVersion"].as_str().expect("a revision").to_owned();
    let spec = json!({
        "accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "2Gi"}},
    });
    cluster.create(&claims, json!({"metadata": {"name": "claim"}, "spec": spec})).await;
    let first = cluster.until(&claims, &format!("resourceVersion={revision}"), |_| true).await;
    assert_eq!(first["status"]["phase"], "Pending");
    cluster.stop().await;
}

/// Quotas are counted up and down; a token's secret goes with its account; a role gathers others' rules.
#[tokio::test(flavor = "multi_thread")]
async fn quotas_tokens_and_roles_follow_what_they_are_about() {
    let cluster = Cluster::start(1).await;
    let (quotas, pods) = (format!("{DEFAULT}/resourcequotas"), format!("{DEFAULT}/pods"));
    cluster.create(&quotas, json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})).await;
    cluster.until_named(&quotas, "q", |quota| quota["status"]["used"]["pods"] == "0").await;
    cluster.create(&pods, pod("one", &json!({}))).await;
    let refused = cluster.ask(Method::POST, &pods, pod("two", &json!({}))).await.expect_err("it is one too many");
    assert!(refused.to_string().contains("exceeded quota"), "{refused}");
    cluster.delete(&format!("{pods}/one"), json!({"gracePeriodSeconds": 0})).await;
    cluster.until_named(&quotas, "q", |quota| quota["status"]["used"]["pods"] == "0").await;

    let (accounts, secrets) = (format!("{DEFAULT}/serviceaccounts"), format!("{DEFAULT}/secrets"));
    cluster.create(&accounts, json!({"metadata": {"name": "robot"}})).await;
    let named = json!({"kubernetes.io/service-account.name": "robot"});
    let secret =
        json!({"metadata": {"name": "token", "annotations": named}, "type": "kubernetes.io/service-account-token"});
    cluster.create(&secrets, secret).await;
    cluster.until_named(&secrets, "token", |secret| secret["data"]["token"].is_string()).await;
    cluster.delete(&format!("{accounts}/robot"), Value::Null).await;
    cluster.gone(&secrets, "token").await;

    let gathers = json!({"clusterRoleSelectors": [{"matchLabels": {"gather": "yes"}}]});
    cluster.create(ROLES, json!({"metadata": {"name": "all"}, "aggregationRule": gathers, "rules": []})).await;
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let part = json!({"metadata": {"name": "part", "labels": {"gather": "yes"}}, "rules": rules});
    cluster.create(ROLES, part).await;
    cluster.until_named(ROLES, "all", |role| role["rules"] == rules).await;
    cluster.delete(&format!("{ROLES}/part"), Value::Null).await;
    let none = |role: &Value| role["rules"].as_array().is_none_or(Vec::is_empty);
    cluster.until_named(ROLES, "all", none).await;
    cluster.stop().await;
}

/// What is approved is signed by the cluster's authority, what is denied never.
#[tokio::test(flavor = "multi_thread")]
async fn only_an_approved_request_is_signed() {
    use base64::Engine as _;
    let cluster = Cluster::start(1).await;
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "jane");
    let request = params.serialize_request(&key).expect("a request").pem().expect("PEM");
    let spec = json!({
        "request": base64::engine::general_purpose::STANDARD.encode(request),
        "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"],
    });
    for (name, kind) in [("no", "Denied"), ("yes", "Approved")] {
        let mut made = cluster.create(SIGNING, json!({"metadata": {"name": name}, "spec": spec})).await;
        made["status"]["conditions"] =
            json!([{"type": kind, "status": "True", "reason": "Test", "message": "by a test"}]);
        cluster.ask(Method::PUT, &format!("{SIGNING}/{name}/approval"), made).await.expect("a decision");
    }
    let signed = cluster.until_named(SIGNING, "yes", |one| one["status"]["certificate"].is_string()).await;
    let certificate = signed["status"]["certificate"].as_str().expect("a certificate");
    let pem = base64::engine::general_purpose::STANDARD.decode(certificate).expect("base64");
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).expect("PEM");
    let certificate = pem.parse_x509().expect("a certificate");
    assert!(certificate.subject().to_string().contains("CN=jane"), "{}", certificate.subject());
    assert_eq!(cluster.get(&format!("{SIGNING}/no")).await["status"].get("certificate"), None);
    cluster.stop().await;
}
