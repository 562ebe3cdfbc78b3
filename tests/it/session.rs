//! Learners on the real sandbox: what is witnessed, judged and told while somebody works.

mod away;
mod bare;
mod early;
mod faults;
mod handin;
mod helper;
mod killed;
mod kind;
mod labs;
mod ways;

use keywitness::learn::{Standing, StepState};
use keywitness::session::{Answer, Request, SessionEvent};
use kube_sandbox::{Sandbox, SandboxOptions};

use crate::harness::need;
use helper::{Learner, Settings, lab_text};

/// A namespace, its label, and a question; then its end.
const LABEL: &str = r#"---
title: Label it
clusters: [sandbox]
vars:
  NS: { random: "team-????" }
---
# Label it

## Make it

```bash {setup}
kubectl create configmap prepared
```

```bash {name=create}
kubectl create namespace "$NS"
```

<details><summary>Hint: the verb</summary>

`kubectl create namespace`, and the name is ${NS}.

</details>
<details><summary>Hint: really</summary>

Look at the block above.

</details>

```check {points=2}
key /registry/namespaces/${NS} exists
never /registry/namespaces/${NS} DELETE for 100ms
```

```question {name=kind}
What is it?

( ) a pod
(x) a namespace
```

```question {name=phase}
Its phase?

= $(kubectl get namespace "$NS" -o jsonpath={.status.phase})
```

## Label it

<details><summary>Solution</summary>

```bash {name=label}
kubectl label namespace "$NS" tier=gold
```

</details>

```check
key /registry/namespaces/${NS} where object.metadata.labels.tier == "gold"
events /registry/namespaces/${NS}
  PUT where object.metadata.labels.tier == "gold"
```

## Look at it

```bash {name=look}
kubectl get namespace "$NS" --show-labels
```

```check
output look contains "tier=gold"
```

## Read

Well done.
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_is_walked_and_what_breaks_turns_back() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let mut learner = Learner::begin(Settings::of(lab_text(LABEL))).await;
    learner.until_open("make-it").await;
    let view = learner.view().await;
    assert_eq!((view.open, view.of, view.step.checks.len(), view.max_points), (1, 4, 2, 7), "{view:?}");
    assert!(view.step.blocks.iter().all(|block| block.role != "setup"), "what runs unseen is not shown");
    let next = learner.ask(Request::Next).await;
    assert!(matches!(&next, Answer::Refused { reason, .. } if reason.contains("0 of 2")), "{next:?}");

    let Answer::Why { checks, notes } = learner.ask(Request::Why).await else { panic!("why is answered") };
    assert!(notes.iter().any(|note| note.contains("nothing was written")), "{notes:?}");
    assert_eq!(checks.len(), 2);

    // Another name: the near one is named.
    let ns = learner.var("NS");
    learner.types(&format!("kubectl create namespace {ns}x")).await;
    let Answer::Why { checks, .. } = learner.ask(Request::Why).await else { panic!("why is answered") };
    assert!(checks[0].causes.iter().any(|cause| cause.contains(&format!("{ns}x"))), "{checks:?}");

    for (number, of) in [(1, 2), (2, 2)] {
        let Answer::Hint { hint } = learner.ask(Request::Hint).await else { panic!("a hint") };
        assert_eq!((hint.number, hint.of), (number, of));
        assert!(number == 2 || hint.markdown.contains(&ns), "{hint:?}");
    }
    let more = learner.ask(Request::Hint).await;
    assert!(matches!(more, Answer::Refused { .. }), "{more:?}");

    learner.types("kubectl create namespace \"$NS\"").await;
    learner.until(|event| matches!(event, SessionEvent::StepGreen { step, .. } if step == "make-it")).await;

    let answer =
        |text: &str, question: &str| Request::Answer { question: Some(question.to_owned()), text: text.to_owned() };
    let wrong = learner.ask(answer("1", "kind")).await;
    assert!(matches!(wrong, Answer::Answered { right: false, attempts: 1, .. }), "{wrong:?}");
    let right = learner.ask(answer("a namespace", "kind")).await;
    assert!(matches!(right, Answer::Answered { right: true, attempts: 2, .. }), "{right:?}");
    let once = learner.ask(Request::Next).await;
    assert!(matches!(&once, Answer::AskAgain { reason, .. } if reason.contains("1 question")), "{once:?}");
    let right = learner.ask(answer("Active", "phase")).await;
    assert!(matches!(right, Answer::Answered { right: true, attempts: 1, .. }), "{right:?}");
    learner.goes_on_to("label-it").await;

    let once = learner.ask(Request::Solution).await;
    assert!(matches!(once, Answer::AskAgain { .. }), "{once:?}");
    let Answer::Solution { blocks } = learner.agrees(Request::Solution).await else { panic!("the solution") };
    assert!(blocks[0].text.contains("tier=gold"), "{blocks:?}");
    learner.types(&blocks[0].text).await;
    learner.until(|event| matches!(event, SessionEvent::StepGreen { .. })).await;

    // What is about the present turns back, what happened stays.
    learner.types("kubectl label namespace \"$NS\" tier-").await;
    learner.until(|event| matches!(event, SessionEvent::StepBroke { .. })).await;
    let view = learner.view().await;
    let standings: Vec<Standing> = view.step.checks.iter().map(|check| check.standing).collect();
    assert_eq!(standings, [Standing::NotYet, Standing::Holds], "{:?}", view.step.checks);
    learner.types("kubectl label namespace \"$NS\" tier=gold").await;
    learner.until(|event| matches!(event, SessionEvent::StepGreen { .. })).await;
    learner.goes_on_to("look-at-it").await;

    // Another command than the block's does as well; one of the session's own does not.
    learner.reports("lab why", 0, "tier=gold").await;
    assert!(!learner.view().await.step.green);
    learner.types("kubectl get ns --show-labels").await;
    learner.until(|event| matches!(event, SessionEvent::StepGreen { .. })).await;
    learner.goes_on_to("read").await;
    learner.ask(Request::Next).await;
    let finished = learner.until(|event| matches!(event, SessionEvent::Finished { .. })).await;
    let SessionEvent::Finished { summary } = finished else { unreachable!("it was waited for") };
    assert_eq!((summary.points, summary.max_points, summary.hints, summary.wrong_answers), (7, 7, 2, 1), "{summary:?}");
    assert!(learner.quit(false).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_reset_and_a_session_resumed_with_the_same_names() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let settings = Settings::of(lab_text(LABEL));
    let mut learner = Learner::begin(settings.clone()).await;
    let ns = learner.var("NS");
    learner.until_open("make-it").await;
    learner.types("kubectl create namespace \"$NS\"; echo prepared >prepared").await;
    learner.until(|event| matches!(event, SessionEvent::StepGreen { .. })).await;
    learner.ask(Request::Next).await;
    learner.goes_on_to("label-it").await;
    learner.types("kubectl create configmap mine; echo mine >mine; echo changed >prepared").await;

    let began = std::time::Instant::now();
    let back = learner.ask(Request::Reset { step: None }).await;
    eprintln!("reset took {:?}", began.elapsed());
    assert!(matches!(&back, Answer::WentBack { step, left } if step == "label-it" && left.is_empty()), "{back:?}");
    learner.until_open("label-it").await;
    assert_ne!(learner.runs("kubectl get configmap mine").await.0, 0, "what was made in the step is gone");
    assert_eq!(learner.runs("kubectl get namespace \"$NS\"").await.0, 0, "what was made before it is there");
    assert_eq!(learner.runs("kubectl get configmap prepared").await.0, 0);
    // And so are the learner's files.
    assert_eq!(learner.runs("cat prepared; ls mine 2>/dev/null").await.1, "prepared\n");
    // What it forbids or wants is judged anew, on the other store.
    learner.types("kubectl label namespace \"$NS\" tier=gold").await;
    learner.until(|event| matches!(event, SessionEvent::StepGreen { .. })).await;

    assert!(learner.quit(true).await.is_empty());
    let mut learner = Learner::begin(settings.clone()).await;
    assert!(learner.resumed);
    assert_eq!(learner.var("NS"), ns, "the names are the same");
    let view = learner.until_green("label-it").await;
    assert_eq!(view.step.state, StepState::Open);
    assert_eq!(learner.runs("kubectl get namespace \"$NS\" -L tier").await.0, 0, "and so are the objects");
    // To an earlier step, which was begun in the session before.
    let back = learner.ask(Request::Reset { step: Some("1".to_owned()) }).await;
    assert!(matches!(&back, Answer::WentBack { step, .. } if step == "make-it"), "{back:?}");
    learner.until_open("make-it").await;
    assert_ne!(learner.runs("kubectl get namespace \"$NS\"").await.0, 0);
    let ahead = learner.ask(Request::Reset { step: Some("read".to_owned()) }).await;
    assert!(matches!(ahead, Answer::Refused { .. }), "{ahead:?}");
    let none = learner.ask(Request::Reset { step: Some("make-itt".to_owned()) }).await;
    assert!(matches!(&none, Answer::Refused { hint: Some(hint), .. } if hint.contains("make-it")), "{none:?}");

    // A second window cannot take the same session, and is told who has it.
    let second = Learner::try_begin(settings.clone()).await;
    assert!(second.err().is_some_and(|error| error.contains("goes on already")));
    learner.quit(false).await;
    let again = Learner::begin(settings).await;
    assert!(!again.resumed, "what was not kept begins again");
    again.quit(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_solved_or_skipped_and_the_maximum_stays() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let mut learner = Learner::begin(Settings::of(lab_text(LABEL))).await;
    learner.until_open("make-it").await;
    let cost = learner.ask(Request::Skip).await;
    assert!(matches!(&cost, Answer::AskAgain { reason, .. } if reason.contains("4 points")), "{cost:?}");
    let solved = learner.ask(Request::Solve).await;
    assert!(matches!(solved, Answer::View { .. }), "{solved:?}");
    let view = learner.until_green("make-it").await;
    assert_eq!((view.points, view.max_points), (0, 7), "what the session did earns nothing");
    learner.ask(Request::Next).await;
    learner.goes_on_to("label-it").await;
    // What another face asks for takes back what this one has asked about.
    let Answer::AskAgain { number, .. } = learner.ask(Request::Skip).await else { panic!("it is asked about") };
    learner.ask(Request::Hint).await;
    let stale = learner.ask(Request::Agree { number }).await;
    assert!(matches!(&stale, Answer::Refused { reason, .. } if reason.contains("came between")), "{stale:?}");
    let view = learner.agrees(Request::Skip).await;
    assert!(matches!(&view, Answer::View { view } if view.max_points == 7), "{view:?}");
    let Answer::Steps { steps, max_points, .. } = learner.ask(Request::List).await else { panic!("the steps") };
    assert_eq!((steps[1].state, steps[0].solved, max_points), (StepState::Skipped, true, 7));
    learner.quit(false).await;
}

/// Four changes of one key, in order.
const STORY: &str = r#"---
title: A story
clusters: [sandbox, attach]
---
# A story

## Tell it

```bash {name=begin}
kubectl create configmap tale
```

```check
events /registry/configmaps/default/tale strict
  PUT where oldObject == null
  PUT where object.data.chapter == "one"
  DELETE
```

## And another

```bash
kubectl create configmap other --from-literal=a=b
```

```check
key /registry/configmaps/default/other exists
```
"#;

/// Two parts of a step: what the second block prints counts once the first check holds.
const PARTS: &str = r#"---
title: Parts
clusters: [sandbox]
---
# Parts

## Make and look

```bash {name=make}
kubectl create configmap made
```

```check
key /registry/configmaps/default/made exists
```

```bash {name=look}
echo looked
```

```check
output look contains "looked"
```
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_printed_too_early_is_named() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let mut learner = Learner::begin(Settings::of(lab_text(PARTS))).await;
    learner.until_open("make-and-look").await;
    // A question to the API that is answered with no is no other cluster.
    learner.reports("kubectl auth can-i create pods", 1, "no\n").await;
    learner.reports("kubectl create configmap made --dry-run=client", 0, "configmap/made created (dry run)\n").await;
    let Answer::Why { notes, .. } = learner.ask(Request::Why).await else { panic!("why is answered") };
    assert!(!notes.iter().any(|note| note.contains("another cluster")), "{notes:?}");
    learner.types("echo looked").await;
    learner.types("kubectl create configmap made").await;
    let early =
        |event: &SessionEvent| matches!(event, SessionEvent::Noticed { message } if message.contains("`lab run look`"));
    learner.until(early).await;
    let Answer::Why { checks, .. } = learner.ask(Request::Why).await else { panic!("why is answered") };
    let causes: Vec<&String> = checks.iter().flat_map(|why| &why.causes).collect();
    assert!(causes.iter().any(|cause| cause.contains("before this part of the step began")), "{checks:?}");
    learner.types("echo looked").await;
    learner.until_green("make-and-look").await;
    learner.quit(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_break_counts_after_it() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let settings = Settings::of(lab_text(STORY));
    let mut learner = Learner::begin(settings.clone()).await;
    learner.until_open("tell-it").await;
    learner.types("kubectl create configmap tale").await;
    learner.types("kubectl patch configmap tale --type merge -p '{\"data\":{\"chapter\":\"one\"}}'").await;
    let view =
        learner.settles(|view| view.step.checks[0].reason.as_ref().is_some_and(|why| why.contains("event 3"))).await;
    assert!(!view.step.green);
    learner.quit(true).await;
    let mut learner = Learner::begin(settings).await;
    assert!(learner.resumed);
    learner.until_open("tell-it").await;
    learner.types("kubectl delete configmap tale").await;
    learner.until_green("tell-it").await;
    assert!(learner.quit(false).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_somebodys_own_cluster_a_reset_undoes_what_it_can_and_names_the_rest() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let own = Sandbox::start(SandboxOptions::temporary().expect("a guard")).await.expect("a sandbox");
    // A session that nobody works in leaves their store as it was.
    let idle = Learner::begin(Settings::of(lab_text(STORY)).on(&own)).await;
    let keys = "etcdctl get /registry/ --prefix --keys-only | grep -vE '^$|/(leases|events|masterleases)/'";
    let before = idle.runs(keys).await;
    assert!(before.1.contains("/registry/namespaces/default"), "{before:?}");
    assert!(idle.quit(false).await.is_empty());
    let mut learner = Learner::begin(Settings::of(lab_text(STORY)).on(&own)).await;
    learner.until_open("tell-it").await;
    assert_eq!(learner.runs(keys).await, before);
    learner.runs("kubectl create namespace theirs").await;
    learner.types("kubectl create configmap tale").await;
    learner.types("kubectl label namespace default theirs=changed").await;
    let back = learner.ask(Request::Reset { step: None }).await;
    let Answer::WentBack { step, left } = &back else { panic!("{back:?}") };
    assert_eq!(step, "tell-it");
    assert!(left.iter().any(|line| line == "/registry/namespaces/default: it was changed"), "{left:?}");
    assert!(left.iter().any(|line| line.contains("/registry/namespaces/theirs: it was created")), "{left:?}");
    assert_eq!(learner.runs("kubectl get namespace theirs").await.0, 0, "what somebody else made stays");
    learner.until_open("tell-it").await;
    assert_ne!(learner.runs("kubectl get configmap tale").await.0, 0, "what was created is gone");
    learner.types("kubectl create configmap tale").await;
    learner.types("kubectl patch configmap tale --type merge -p '{\"data\":{\"chapter\":\"one\"}}'").await;
    learner.types("kubectl delete configmap tale").await;
    learner.until_green("tell-it").await;
    assert!(learner.quit(false).await.is_empty());
    own.stop().await;
}
