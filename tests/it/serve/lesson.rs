//! A lab from its first step to green, by what a page sends.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::client::Serving;
use crate::harness::need;

const LAB: &str = r#"---
title: Label it
clusters: [sandbox]
vars:
  NS: { ask: "A name", pattern: "[a-z-]+", default: demo }
  TOKEN: { default: "swordfish-swordfish", secret: true }
---
# Label it

Use ${NS}.

## Make it

```bash {name=create}
kubectl create namespace "$NS"
```

<details><summary>Hint</summary>

It is the block above.

</details>
<details><summary>Solution</summary>

```bash {name=other}
kubectl create namespace "$NS"
```

</details>

```check
key /registry/namespaces/${NS} exists
```

```question
Which kind?

( ) a pod
( ) a namespace
```

<details><summary>Answer</summary>

```answer
B
```

A pod would have a node.

</details>

## Watch it

```bash {name=watcher terminal=2 background ready=none}
kubectl create secret generic s --from-literal=p="$TOKEN" -n "$NS"; sleep 1000
```

```check
key /registry/secrets/${NS}/s exists
```

```bash {name=end stop=watcher}
kubectl delete namespace "$NS" --wait=false
```

```check
events /registry/namespaces/${NS}
  DELETE
```
"#;

fn lab(home: &Path) {
    std::fs::create_dir_all(home.join("course")).expect("a folder");
    std::fs::write(home.join("course/label.md"), LAB).expect("written");
}

#[test]
fn a_lab_is_done_in_the_page() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let home = tempfile::tempdir().expect("a folder");
    lab(home.path());
    let serving = Serving::at(home.path(), &["course", "--present"]);
    let course = serving.get("/api/course").json();
    assert_eq!(course["title"], "course");
    assert_eq!(course["labs"][0]["asks"], json!([{"name": "NS", "question": "A name", "default": "demo"}]));
    assert_eq!((&course["labs"][0]["state"], &course["labs"][0]["session"]), (&json!("new"), &Value::Null));

    // A value that does not fit is said; the right one begins.
    let opened = serving.post("/api/open", &json!({"lab": "label", "vars": {"NS": "NOT/fit"}}));
    assert_eq!(opened.status, 200);
    let failed = serving.until("label", |page| !page["failed"].is_null());
    assert!(failed["failed"]["reason"].as_str().is_some_and(|why| why.contains("NS")), "{failed:#}");
    assert_eq!(serving.post("/api/open", &json!({"lab": "label", "vars": {"NS": "team"}})).status, 200);
    let page = serving.until("label", |page| page["view"]["step"]["preparing"] == false);
    assert_eq!(page["view"]["step"]["id"], "make-it");
    assert!(page["intro_html"].as_str().is_some_and(|html| html.contains("Use team.")), "{page:#}");
    let html = page["step"]["html"].as_str().expect("html");
    assert!(html.contains("data-block=\"create\"") && !html.contains("It is the block"), "{html}");

    let mut events = serving.stream("/api/sessions/label/events", None);
    let mut changes = serving.stream("/api/sessions/label/changes", None);
    let mut terminal = serving.terminal("label", "main", 0);
    terminal.until("(label 1/2)");

    // A wrong answer, a hint, and why.
    assert!(!serving.page("label").to_string().contains("would have a node"));
    let wrong = serving.ask("label", &json!({"request": "answer", "question": "1", "text": "1"}));
    assert_eq!(wrong["right"], false, "{wrong}");
    assert_eq!(wrong["explanation"], "The answer: a namespace\n\nA pod would have a node.");
    assert_eq!(serving.ask("label", &json!({"request": "hint"}))["hint"]["number"], 1);
    let html = serving.page("label")["step"]["html"].to_string();
    assert!(html.contains("It is the block above") && !html.contains("data-block=\\\"other\\\""), "{html}");
    let on = serving.send(
        "GET",
        "/api/sessions/label/page",
        &[("Host", &serving.host()), ("Authorization", &format!("Bearer {}", serving.present.as_ref().expect("one")))],
        "",
    );
    assert!(html.contains("A pod would have a node"), "{html}");
    assert!(on.json()["present"] == true && !on.body.contains("It is the block above"), "{}", on.body);
    assert!(!on.body.contains("would have a node"), "{}", on.body);
    for forged in ["began", "finished", "printed", "left", "environment"] {
        let command = json!({"terminal": "main", "text": "x", "status": 0, "output": "", "began": "2026-01-01T00:00:00Z",
            "ended": "2026-01-01T00:00:01Z"});
        let request = json!({"request": forged, "terminal": "main", "text": "x", "began": command["began"],
            "command": command, "printing": command});
        let reply = serving.post("/api/sessions/label/ask", &request);
        assert!(reply.status == 400 && reply.body.contains("a page does not ask this"), "{forged}: {}", reply.body);
    }

    // Run from the page, seen in the terminal, green without being asked for.
    let ran = serving.post("/api/sessions/label/run", &json!({"block": "create"})).json();
    assert_eq!((&ran["typed"]["terminal"], &ran["typed"]["block"]), (&json!("main"), &json!("create")), "{ran}");
    let (last, _) = events.until(|event| event["event"] == "step_green" && event["step"] == "make-it");
    terminal.until("namespace/team created");
    events.until(|event| event["event"] == "command_finished" && event["status"] == 0);
    let (_, change) = changes.until(|change| change["key"] == "/registry/namespaces/team");
    assert_eq!((&change["type"], &change["created"], &change["noise"]), (&json!("PUT"), &json!(true), &json!(false)));
    let object = serving
        .get(&format!("/api/sessions/label/object?key=/registry/namespaces/team&revision={}", change["revision"]));
    let object = object.json();
    assert!(object["yaml"].as_str().is_some_and(|yaml| yaml.contains("name: team")), "{object:#}");
    assert_eq!(object["path"], json!(["registry", "namespaces", "team"]));
    assert_eq!(serving.get("/api/sessions/label/object?key=/registry/namespaces/no&revision=1").status, 404);

    // Typed by hand, in the same terminal.
    terminal.types("kubectl label namespace \"$NS\" by=hand\r");
    terminal.until("namespace/team labeled");
    let (_, change) = changes.until(|change| change["what"] == json!(["metadata.labels.by: hand added"]));
    assert_eq!(change["by"], "kubectl-label", "{change}");

    let right = serving.ask("label", &json!({"request": "answer", "question": "1", "text": "2"}));
    assert_eq!(right["right"], true, "{right}");
    let next = serving.ask("label", &json!({"request": "next"}));
    assert_eq!(next["view"]["step"]["id"], "watch-it", "{next}");

    // A block that is left running has a terminal of its own, and the one that stops it ends it there.
    serving.until("label", |page| page["view"]["step"]["preparing"] == false);
    let ran = serving.post("/api/sessions/label/run", &json!({"block": "watcher"})).json();
    assert_eq!(ran["typed"]["terminal"], "watcher", "{ran}");
    events.until(|event| event["event"] == "terminal_opened" && event["name"] == "watcher");
    // The time line has it while it runs.
    let (_, began) = events.until(|event| event["event"] == "command_began" && event["terminal"] == "watcher");
    let of_watcher = || {
        let line = serving.get("/api/sessions/label/timeline").json();
        let commands = line["commands"].as_array().expect("commands").iter();
        commands.filter(|command| command["terminal"] == "watcher").cloned().collect::<Vec<Value>>()
    };
    let running = of_watcher();
    assert!(running.len() == 1 && running[0]["began"] == began["began"], "{running:?}");
    assert_eq!(running[0]["ended"], Value::Null);
    events.until(|event| event["event"] == "check_turned" && event["step"] == "watch-it" && event["now"] == "holds");
    let ran = serving.post("/api/sessions/label/run", &json!({"block": "end"})).json();
    assert_eq!(ran["typed"]["terminal"], "main", "{ran}");
    let (_, ended) = events.until(|event| event["event"] == "command_finished" && event["terminal"] == "watcher");
    assert_eq!(ended["began"], began["began"], "it is known again at its end");
    let finished = of_watcher();
    assert!(finished.len() == 1 && finished[0]["ended"] == ended["ended"], "{finished:?}");
    events.until(|event| event["event"] == "step_green" && event["step"] == "watch-it");
    let (_, secret) = changes.until(|change| change["key"] == "/registry/secrets/team/s");
    let object = serving
        .get(&format!("/api/sessions/label/object?key=/registry/secrets/team/s&revision={}", secret["revision"]));
    assert!(object.json()["secret"] == true && object.body.contains("hidden"), "{}", object.body);
    let line = serving.get("/api/sessions/label/timeline");
    let all = format!("{}{secret}{}{}", object.body, line.body, serving.page("label"));
    assert!(!all.contains("swordfish") && !all.contains("c3dvcmRmaXNo"), "a secret is shown: {all}");
    let line = line.json();
    let texts: Vec<&str> =
        line["commands"].as_array().expect("commands").iter().filter_map(|command| command["text"].as_str()).collect();
    assert!(texts.iter().any(|text| text.contains("by=hand")), "{texts:?}");
    let holds = |mark: &Value| mark["standing"] == "holds" && mark["step"] == "make-it";
    assert!(line["marks"].as_array().expect("marks").iter().any(holds), "{line:#}");
    assert!(line["changes"].as_array().expect("changes").iter().any(|change| change["type"] == "DELETE"), "{line:#}");

    // Who was away hears what came meanwhile, from the number on that it heard last.
    let mut again = serving.stream("/api/sessions/label/events", Some(&last));
    let (_, first) = again.next().expect("an event");
    assert_ne!(first["event"], "missed", "{first}");
    let mut again = serving.stream("/api/sessions/label/events", Some("99999999"));
    assert_eq!(again.next().expect("an event").1["event"], "missed");

    let next = serving.ask("label", &json!({"request": "next"}));
    assert_eq!(next["view"]["finished"], true, "{next}");
    assert_eq!(serving.get("/api/course").json()["labs"][0]["state"], "finished");
    let closed = serving.post("/api/sessions/label/close", &json!({"keep": false})).json();
    assert_eq!(closed, json!({"kept": false, "left": []}));
    events.until(|event| event["event"] == "ended");
    assert_eq!(serving.post("/api/sessions/label/ask", &json!({"request": "show"})).status, 410);
    assert_eq!(serving.page("label")["ended"]["kept"], false);
}

#[test]
fn a_step_is_reset_and_a_session_resumed() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let home = tempfile::tempdir().expect("a folder");
    lab(home.path());
    let serving = Serving::at(home.path(), &["course"]);
    serving.open("label");
    let mut changes = serving.stream("/api/sessions/label/changes", None);
    serving.post("/api/sessions/label/run", &json!({"block": "create"}));
    serving.until("label", |page| page["view"]["step"]["green"] == true);
    let back = serving.ask("label", &json!({"request": "reset", "step": null}));
    assert_eq!(back["answer"], "went_back", "{back}");
    changes.until(|change| change["type"] == "EPOCH");
    serving.until("label", |page| {
        page["view"]["step"]["preparing"] == false && page["view"]["step"]["checks"][0]["standing"] == "not_yet"
    });
    serving.post("/api/sessions/label/run", &json!({"block": "create"}));
    serving.until("label", |page| page["view"]["step"]["green"] == true);
    let began = Instant::now();
    let closed = serving.post("/api/sessions/label/close", &json!({"keep": true})).json();
    assert_eq!(closed, json!({"kept": true, "left": []}), "after {:?}", began.elapsed());
    assert_eq!(serving.get("/api/course").json()["labs"][0]["state"], "started");
    let page = serving.open("label");
    assert_eq!(page["resumed"], true);
    serving.until("label", |page| page["view"]["step"]["green"] == true);
}
