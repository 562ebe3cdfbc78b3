//! `make-it-so`: three ways to do each task, all accepted; three wrong ones, refused with a reason that names the cause.

use keywitness::learn::Standing;
use keywitness::session::{Answer, Request};

use super::helper::{Learner, Settings, lab_of_course};
use crate::harness::need;

const VAULT: [&str; 3] = [
    "kubectl create ns vault && kubectl label ns vault tier=gold && \
     kubectl -n vault create secret generic safe --from-literal=pin=4711",
    "kubectl apply -f - <<'EOF'\napiVersion: v1\nkind: Namespace\nmetadata: {name: vault, labels: {tier: gold}}\n---\n\
     apiVersion: v1\nkind: Secret\nmetadata: {name: safe, namespace: vault}\nstringData: {pin: \"4711\"}\nEOF",
    "printf 4711 > pin; kubectl create -f - <<'EOF'\n{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":\
     {\"name\":\"vault\",\"labels\":{\"tier\":\"gold\"}}}\nEOF\nkubectl create secret generic safe -n vault --from-file=pin",
];

const STORY: [&str; 3] = [
    "kubectl create ns story; kubectl -n story create cm tale; \
     kubectl -n story patch cm tale --type merge -p '{\"data\":{\"chapter\":\"one\"}}'; \
     kubectl -n story patch cm tale --type merge -p '{\"data\":{\"chapter\":\"two\"}}'; kubectl -n story delete cm tale",
    "kubectl create ns story; kubectl -n story create cm tale; for c in one two; do kubectl -n story get cm tale -o json | \
     sed 's/\"kind\"/\"data\":{\"chapter\":\"'$c'\"},\"kind\"/; s/\"data\": {[^}]*},//' | kubectl replace -f - ; done; \
     kubectl -n story delete cm/tale",
    "kubectl create ns story; kubectl -n story create cm tale; \
     kubectl -n story patch cm tale --type json -p '[{\"op\":\"add\",\"path\":\"/data\",\"value\":{\"chapter\":\"one\"}}]'; \
     kubectl -n story patch cm tale --type json -p '[{\"op\":\"replace\",\"path\":\"/data/chapter\",\"value\":\"two\"}]'; \
     kubectl -n story delete cm tale --now",
];

const STATEFUL: &str = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: member}\nspec:\n  serviceName: member\n  \
     replicas: REPLICAS\n  selector: {matchLabels: {app: member}}\n  template:\n    metadata: {labels: {app: member}}\n    \
     spec: {containers: [{name: web, image: nginx}]}\n";

fn trio() -> [String; 3] {
    let set = |replicas: &str| STATEFUL.replace("REPLICAS", replicas);
    [
        format!("kubectl create ns trio; kubectl -n trio apply -f - <<'EOF'\n{}EOF", set("3")),
        format!(
            "kubectl create ns trio; kubectl -n trio create -f - <<'EOF'\n{}EOF\nkubectl -n trio scale sts member --replicas=3",
            set("1")
        ),
        // Its name and its revision are its own; two of the three pods are lost on the way, and come back.
        format!(
            "kubectl create ns trio; kubectl -n trio apply -f - <<'EOF'\n{}EOF\n\
             kubectl -n trio rollout status sts/member --timeout=60s; kubectl -n trio delete pod member-1 member-2",
            set("3")
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn three_ways_to_make_it_so_are_accepted() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    for (way, trio) in trio().iter().enumerate() {
        let mut learner = Learner::begin(Settings::of(lab_of_course("make-it-so"))).await;
        for (step, text) in [("the-vault", VAULT[way]), ("the-trio", trio), ("the-story", STORY[way])] {
            learner.until_open(step).await;
            let (_, output) = learner.types(text).await;
            eprintln!("way {way}, {step}: {}", output.lines().last().unwrap_or_default());
            learner.until_green(step).await;
            learner.ask(Request::Next).await;
        }
        let view = learner.view().await;
        assert_eq!((view.points, view.max_points), (15, 15), "way {way}");
        learner.quit(false).await;
    }
}

/// Of the step's checks that do not hold, everything that is said.
async fn told(learner: &Learner) -> String {
    let Answer::Why { checks, notes } = learner.ask(Request::Why).await else { panic!("why is answered") };
    let of = |why: &keywitness::session::Why| {
        let reason = why.check.reason.clone().unwrap_or_default();
        format!("{}\n{reason}\n{}\n{}", why.check.text, why.causes.join("\n"), why.explanation.join("\n"))
    };
    format!("{}\n{}", notes.join("\n"), checks.iter().map(of).collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_ways_are_refused_with_the_cause() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let mut learner = Learner::begin(Settings::of(lab_of_course("make-it-so"))).await;
    learner.until_open("the-vault").await;
    // `echo` adds a line end.
    learner.types("kubectl create ns vault; kubectl label ns vault tier=gold; echo 4711 > pin; kubectl -n vault create secret generic safe --from-file=pin").await;
    learner.settles(|view| view.step.checks[0].standing == Standing::Holds).await;
    let why = told(&learner).await;
    assert!(why.contains("object.data.pin"), "{why}");
    assert!(!why.contains("NDcxMQo"), "the value of a Secret is not shown: {why}");
    learner.ask(Request::Reset { step: None }).await;
    learner.until_open("the-vault").await;

    // It was silver first, and etcd does not forget.
    learner.types("kubectl create ns vault; kubectl label ns vault tier=silver; kubectl label ns vault tier=gold --overwrite; kubectl -n vault create secret generic safe --from-literal=pin=4711").await;
    let view = learner.settles(|view| view.step.checks[3].standing == Standing::Broken).await;
    assert!(!view.step.green);
    let why = told(&learner).await;
    assert!(why.contains("silver"), "{why}");
    learner.ask(Request::Reset { step: None }).await;
    learner.until_open("the-vault").await;

    // The pods of a deployment have random names.
    learner.types(VAULT[0]).await;
    learner.until_green("the-vault").await;
    learner.ask(Request::Next).await;
    learner.until_open("the-trio").await;
    learner.types("kubectl create ns trio; kubectl -n trio create deployment web --image=nginx --replicas=3").await;
    learner.settles(|view| view.step.checks[0].standing == Standing::Holds).await;
    let why = told(&learner).await;
    assert!(why.contains("no key matches") && why.contains("/registry/pods/trio/web-"), "{why}");

    // Three lone pods have the right names and came in the right order, and nothing keeps them.
    learner.ask(Request::Reset { step: None }).await;
    learner.until_open("the-trio").await;
    let pods: Vec<String> = (0..3)
        .map(|n| {
            format!(
                "; kubectl -n trio run web-{n} --image=nginx; \
                 kubectl -n trio wait --for=condition=Ready pod/web-{n} --timeout=60s"
            )
        })
        .collect();
    learner.types(&format!("kubectl create ns trio{}", pods.concat())).await;
    learner.settles(|view| view.step.checks[4].standing == Standing::Holds).await;
    let view = learner.view().await;
    assert!(!view.step.green, "nothing keeps them");
    let why = told(&learner).await;
    assert!(why.contains("/registry/statefulsets/trio/"), "{why}");

    // Another cluster than the lab's.
    learner.ask(Request::Reset { step: None }).await;
    learner.until_open("the-trio").await;
    learner.reports("kubectl create ns trio", 0, "namespace/trio created\n").await;
    let why = told(&learner).await;
    assert!(why.contains("another cluster"), "{why}");
    learner.quit(false).await;
}
