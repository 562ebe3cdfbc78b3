//! `break-it`: faults mended in other ways than its solutions', and what only looks like mending, refused.

use keywitness::learn::Standing;
use keywitness::session::{Answer, Request};

use super::helper::{Learner, Settings, lab_of_course};
use crate::harness::need;

/// Types what the page shows.
async fn shown(learner: &Learner, block: &str) {
    let Answer::Block { block } = learner.ask(Request::Block { block: Some(block.to_owned()) }).await else {
        panic!("the text of {block}")
    };
    learner.types(&block.text).await;
}

async fn begin() -> Learner {
    Learner::begin(Settings::of(lab_of_course("break-it"))).await
}

/// Each has to show what it broke before anything is judged that mends it.
async fn broken(learner: &mut Learner, step: &str, block: &str, checks: usize) {
    learner.until_open(step).await;
    shown(learner, block).await;
    learner.settles(|view| view.step.checks[..checks].iter().all(|check| check.standing == Standing::Holds)).await;
}

const NAMESPACE: (&str, &str) = ("a-namespace-that-does-not-go", "break-namespace");
const BEHIND: (&str, &str) = ("behind-the-apis-back", "break-behind");

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_mended_in_other_ways_than_the_solutions() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    for (namespace, behind) in [
        (
            "KUBE_EDITOR='sed -i /harbour-master/d' kubectl -n stuck edit configmap anchor",
            "kubectl apply -f - <<'EOF'\napiVersion: v1\nkind: Namespace\nmetadata: {name: lost}\nEOF\n\
             for n in $(seq 200); do kubectl -n lost create configmap proof --from-literal=a=b && break; done",
        ),
        (
            "kubectl -n stuck patch configmap anchor --type json -p '[{\"op\":\"remove\",\"path\":\"/metadata/finalizers\"}]'",
            "kubectl create ns lost --dry-run=client -o json | kubectl create -f -\n\
             for n in $(seq 200); do kubectl -n lost create configmap proof --dry-run=client -o yaml | kubectl create -f - && break; done",
        ),
    ] {
        let mut learner = begin().await;
        broken(&mut learner, NAMESPACE.0, NAMESPACE.1, 2).await;
        learner.types(namespace).await;
        learner.until_green(NAMESPACE.0).await;
        learner.goes_on_to(BEHIND.0).await;
        broken(&mut learner, BEHIND.0, BEHIND.1, 2).await;
        learner.types(behind).await;
        learner.until_green(BEHIND.0).await;
        learner.quit(false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_went_by_force_left_things_behind() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let mut learner = begin().await;
    broken(&mut learner, NAMESPACE.0, NAMESPACE.1, 2).await;
    learner
        .types(
            // The namespace's controller writes its conditions meanwhile: what was read may be too old by then.
            "for n in $(seq 200); do kubectl get ns stuck -o json | sed 's/\"kubernetes\"//' | \
             kubectl replace --raw /api/v1/namespaces/stuck/finalize -f - && break; done",
        )
        .await;
    learner.settles(|view| view.step.checks[3].standing == Standing::Holds).await;
    let view = learner.view().await;
    assert!(!view.step.green, "what was in it is still there");
    learner.quit(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_heirloom_that_was_made_anew_is_another() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let mut learner = begin().await;
    learner.until_open(NAMESPACE.0).await;
    learner.agrees(Request::Skip).await;
    broken(&mut learner, BEHIND.0, BEHIND.1, 2).await;
    learner
        .types(
            "kubectl create ns lost; kubectl -n lost delete configmap heirloom; \
             kubectl -n lost create configmap heirloom --from-literal=ring=gold; kubectl -n lost create configmap proof",
        )
        .await;
    let view = learner.settles(|view| view.step.checks.iter().any(|check| check.standing == Standing::Broken)).await;
    assert!(!view.step.green);
    learner.quit(false).await;
}
