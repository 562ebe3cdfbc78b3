//! Learners on a cluster in containers.

use keywitness::session::{Answer, Request};

use super::STORY;
use super::helper::{Learner, Settings, lab_of_course, lab_text};
use crate::containers::{need_engine, traces};

#[tokio::test(flavor = "multi_thread")]
async fn first_look_is_walked_on_kind() {
    let image = need_engine!();
    let (points, of) = super::labs::walk(Settings::of(lab_of_course("first-look")).on_kind(image)).await;
    assert_eq!(points, of);
    assert!(of >= 10, "{of}");
    assert_eq!(traces("keywitness-first-look"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_kind_a_reset_undoes_what_was_created_and_names_the_rest() {
    let image = need_engine!();
    let text = STORY.replace("title: A story", "title: A story of kind").replace("[sandbox, attach]", "[kind]");
    let mut learner = Learner::begin(Settings::of(lab_text(&text)).on_kind(image)).await;
    learner.until_open("tell-it").await;
    learner.types("kubectl create configmap tale; echo mine >mine").await;
    learner.types("kubectl create namespace extra; kubectl label namespace default theirs=changed").await;
    let back = learner.ask(Request::Reset { step: None }).await;
    let Answer::WentBack { step, left } = &back else { panic!("{back:?}") };
    assert_eq!(step, "tell-it");
    assert!(left.iter().any(|line| line == "/registry/namespaces/default: it was changed"), "{left:?}");
    assert!(!left.iter().any(|line| line.contains("tale") || line.contains("extra")), "{left:?}");
    learner.until_open("tell-it").await;
    for gone in ["kubectl get configmap tale", "kubectl get namespace extra", "cat mine"] {
        assert_ne!(learner.runs(gone).await.0, 0, "{gone}");
    }
    learner.types("kubectl create configmap tale").await;
    learner.types("kubectl patch configmap tale --type merge -p '{\"data\":{\"chapter\":\"one\"}}'").await;
    learner.types("kubectl delete configmap tale").await;
    learner.until_green("tell-it").await;
    assert!(learner.quit(false).await.is_empty());
}
