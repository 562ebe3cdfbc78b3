//! An etcd that is away for a time while a lab goes on.

use keywitness::session::{Answer, Request, SessionEvent};

use super::STORY;
use super::helper::{Learner, Settings, lab_text};
use crate::harness::need;

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_cannot_begin_says_why_and_begins_when_etcd_is_back() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let mut learner = Learner::begin(Settings::of(lab_text(STORY))).await;
    learner.until_open("tell-it").await;
    let Some(etcd) = learner.etcd() else {
        return crate::harness::record_skip(module_path!(), "/proc", "processes are found there");
    };
    learner.types("kubectl create configmap tale").await;
    learner.types("kubectl patch configmap tale --type merge -p '{\"data\":{\"chapter\":\"one\"}}'").await;
    learner.types("kubectl delete configmap tale").await;
    learner.until_green("tell-it").await;

    etcd.stops();
    learner.until(|event| matches!(event, SessionEvent::ClusterLost { .. })).await;
    let next = learner.ask(Request::Next).await;
    assert!(matches!(&next, Answer::View { view } if view.step.preparing && view.cluster.lost.is_some()), "{next:?}");
    let again = learner.ask(Request::Next).await;
    let Answer::Refused { reason, hint } = &again else { panic!("{again:?}") };
    assert!(reason.contains("the step cannot begin: etcd does not answer"), "{again:?}");
    assert!(hint.as_deref().is_some_and(|hint| hint.contains("begins as soon as etcd answers")), "{again:?}");
    let Answer::Why { notes, .. } = learner.ask(Request::Why).await else { panic!("why is answered") };
    assert!(notes.iter().any(|note| note.contains("etcd does not answer")), "{notes:?}");

    etcd.goes_on();
    learner.until(|event| matches!(event, SessionEvent::ClusterBack)).await;
    learner.until_open("and-another").await;
    learner.settles(|view| view.cluster.lost.is_none()).await;
    learner.types("kubectl create configmap other --from-literal=a=b").await;
    learner.until_green("and-another").await;
    // Its beginning was kept, although etcd was away when it was to be.
    let back = learner.ask(Request::Reset { step: None }).await;
    assert!(matches!(&back, Answer::WentBack { left, .. } if left.is_empty()), "{back:?}");
    learner.quit(false).await;
}
