//! What is typed while a step is being prepared: nobody who waits for the step loses it, and who does not is told.

use keywitness::learn::Standing;
use keywitness::session::{Answer, Request, SessionEvent};

use super::helper::{Learner, Settings, lab_text};
use crate::harness::need;

/// The second step is being prepared until there is a file.
const GATE: &str = r#"---
title: A gate
clusters: [sandbox]
---
# A gate

## First

```bash {name=first}
echo first
```

```check
output first contains "first"
```

## Second

```bash {setup}
until [ -e "$LAB_WORK/go" ]; do sleep 0.05; done
```

```bash {name=second}
echo second
```

```check
output second contains "second"
```
"#;

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_step_loses_nothing_and_who_does_not_is_told() {
    need!("etcd", "etcdctl", "kubectl");
    let mut learner = Learner::begin(Settings::of(lab_text(GATE))).await;
    let Answer::View { view } = learner.ask(Request::Opened).await else { panic!("the step is shown") };
    assert!(!view.step.preparing, "{:#?}", view.step);
    learner.types("echo first").await;
    learner.until_green("first").await;
    let Answer::View { view } = learner.ask(Request::Next).await else { panic!("the step is shown") };
    assert!(view.step.id == "second" && view.step.preparing, "{:#?}", view.step);

    learner.types("echo second").await;
    let (answer, ()) = tokio::join!(learner.ask(Request::Opened), async {
        // The session hears both, and must not have answered the first by then.
        assert!(learner.view().await.step.preparing);
        learner.runs("touch go").await;
    });
    let Answer::View { view } = answer else { panic!("{answer:?}") };
    assert!(!view.step.preparing, "{:#?}", view.step);
    assert_eq!(view.step.checks[0].standing, Standing::NotYet);
    let told = learner.until(|event| matches!(event, SessionEvent::Noticed { .. })).await;
    let SessionEvent::Noticed { message } = told else { unreachable!() };
    assert!(message.contains("You ran the block `second` before this step was open"), "{message}");

    learner.types("echo second").await;
    learner.until_green("second").await;
    learner.quit(false).await;
}
