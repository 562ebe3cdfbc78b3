//! The loop of somebody who writes a lab: one step, what goes on after a failure, and a lab that is looked at each time
//! it is saved.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Done, Test, need};

const LAB: &str = r#"---
title: Three maps
clusters: [sandbox]
---
# Three maps

## One

```bash
kubectl create configmap alpha-map --from-literal=a=1
```

```check
key /registry/configmaps/default/alpha-map where object.data.a == "1" within 300s
```

## Two

```bash
kubectl create configmap beta-map --from-literal=b=1
```

```check
key /registry/configmaps/default/beta-map where object.data.b == "1"
```

## Three

```bash
kubectl label configmap alpha-map kind-of=thing
```

```check
key /registry/configmaps/default/alpha-map where object.metadata.labels["kind-of"] == "thing"
```

## Clean up

```bash {cleanup}
kubectl delete configmap alpha-map beta-map --ignore-not-found
```
"#;

fn run(args: &[&str], lab: &str) -> Done {
    Test::new(args).file("maps/README.md", lab).run()
}

/// Of each step: its verdict and its reason.
fn steps(done: &Done) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&done.stdout()).expect("standard output is JSON");
    let steps = report["labs"][0]["steps"].as_array().expect("steps");
    let text = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    steps.iter().map(|step| (text(step, "verdict"), text(step, "reason"))).collect()
}

#[test]
fn after_a_failure_goes_on_what_does_not_build_on_it_and_no_check_is_waited_for_longer_than_asked() {
    need!("etcd", "kubectl", "etcdctl");
    // Without --max-wait the first check alone is waited for five minutes.
    let broken = LAB.replace("object.data.a == \"1\"", "object.data.a == \"2\"");
    let done =
        run(&["test", "maps", "--keep-going", "--max-wait", "200ms", "--format", "json"], &broken).expect_exit(1);
    let found = steps(&done);
    let verdicts: Vec<&str> = found.iter().map(|(verdict, _)| verdict.as_str()).collect();
    assert_eq!(verdicts[..3], ["fail", "pass", "skipped"], "{found:?}");
    assert!(found[2].1.contains("it builds on “One”, which failed"), "{found:?}");
    let done = run(&["test", "maps", "--max-wait", "200ms", "--format", "json"], &broken).expect_exit(1);
    assert_eq!(steps(&done)[1].0, "skipped");
}

#[test]
fn one_step_runs_with_what_it_needs() {
    need!("etcd", "kubectl", "etcdctl");
    let done = run(&["test", "maps#three", "--format", "json"], LAB).expect_exit(0);
    let found = steps(&done);
    let verdicts: Vec<&str> = found.iter().map(|(verdict, _)| verdict.as_str()).collect();
    assert_eq!(verdicts[..3], ["pass", "skipped", "pass"], "{found:?}");
    assert!(found[1].1.contains("only `three` and what it needs were asked for"), "{found:?}");
    let wrong = run(&["test", "maps#thre"], LAB).expect_exit(2);
    assert!(wrong.stdout().contains("it has no step `thre`; did you mean `three`?"), "{}", wrong.stdout());
}

#[test]
fn a_lab_that_is_saved_is_judged_by_the_last_run() {
    need!("etcd", "kubectl", "etcdctl");
    let saved = run(&["test", "maps", "--save", "runs"], LAB).expect_exit(0);
    let folder = saved.dir().join("runs/maps").display().to_string();
    let watch = Test::new(&["watch", "maps", "--run", &folder, "--no-run"]).file("maps/README.md", LAB);
    let mut child = watch.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let (told, lines) = mpsc::channel();
    let hear = |from: Box<dyn std::io::Read + Send>| {
        let told = told.clone();
        std::thread::spawn(move || {
            BufReader::new(from).lines().map_while(Result::ok).for_each(|line| drop(told.send(line)));
        });
    };
    hear(Box::new(child.stdout.take().expect("a pipe")));
    hear(Box::new(child.stderr.take().expect("a pipe")));
    let mut heard = Vec::new();
    // Lines of standard error may come before what was printed earlier.
    let mut until = |wanted: &[&str]| {
        let from = heard.len();
        while !wanted.iter().all(|text| heard[from..].iter().any(|line: &String| line.contains(text))) {
            match lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => heard.push(line),
                Err(why) => panic!("not all of {wanted:?} came: {why}: {}", heard.join("\n")),
            }
        }
    };
    until(&["judged by the last run"]);
    let file = watch.dir().join("maps/README.md");
    fs::write(&file, LAB.replace("object.data.b == \"1\"", "object.data.b == \"2\" within 1ms")).expect("it is saved");
    until(&["object.data.b = \"1\"", "judged by the last run"]);
    fs::write(&file, LAB.replace("where object.data.b", "were object.data.b")).expect("it is saved");
    until(&["has errors"]);
    // As many editors do it.
    let new = watch.dir().join("maps/.new");
    fs::write(&new, LAB).expect("it is written");
    fs::rename(&new, &file).expect("it takes the place of the old one");
    until(&["judged by the last run"]);
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("it is told to end");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_lab_whose_need_has_not_passed_is_skipped_with_the_reason() {
    need!("etcd", "kubectl", "etcdctl");
    let lab = |needs: &str, command: &str| {
        format!("---\ntitle: A lab\nneeds: [{needs}]\nclusters: [sandbox]\n---\n## Do it\n\n```bash\n{command}\n```\n")
    };
    let done = Test::new(&["test", "course", "--jobs", "4", "--format", "json"])
        .file("course/a/README.md", &lab("", "false"))
        .file("course/b/README.md", &lab("a", "true"))
        .file("course/c/README.md", &lab("b", "true"))
        .file("course/d/README.md", &lab("", "true"))
        .file("course/e/README.md", &lab("d", "true"))
        .run()
        .expect_exit(1);
    let report: Value = serde_json::from_str(&done.stdout()).expect("standard output is JSON");
    let mut labs: Vec<_> = report["labs"].as_array().expect("labs").iter().collect();
    labs.sort_by_key(|lab| lab["id"].as_str());
    let found: Vec<_> = labs.iter().map(|lab| (lab["verdict"].as_str(), lab["reason"].as_str())).collect();
    assert_eq!(found[0].0, Some("fail"));
    assert_eq!(found[1], (Some("skipped"), Some("not begun: it needs a, which has not passed")));
    assert_eq!(found[2], (Some("skipped"), Some("not begun: it needs b, which has not passed")));
    assert_eq!((found[3].0, found[4].0), (Some("pass"), Some("pass")));
}

/// Where somebody watches, a shell opens on what is kept, before the clean-up.
#[test]
fn a_kept_cluster_is_looked_at_in_a_shell() {
    need!("etcd", "kubectl", "etcdctl");
    let test = Test::new(&["test", "maps", "--keep"]).file("maps/README.md", LAB);
    let pty = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default()).expect("a PTY");
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_keywitness"));
    command.args(["test", "maps", "--keep"]);
    command.cwd(test.dir());
    command.env("XDG_CACHE_HOME", test.dir().join("cache"));
    for name in ["CI", "GITHUB_ACTIONS", "NO_COLOR"] {
        command.env_remove(name);
    }
    let mut child = pty.slave.spawn_command(command).expect("the binary starts");
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().expect("a reader");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let screen = std::sync::Arc::clone(&seen);
    let reading = std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        // The end of a PTY is an error on Linux.
        while let Ok(read @ 1..) = reader.read(&mut chunk) {
            screen.lock().expect("no reader panics").extend_from_slice(&chunk[..read]);
        }
    });
    let shown = || String::from_utf8_lossy(&seen.lock().expect("no reader panics")).into_owned();
    let until = |wanted: &str| {
        let began = std::time::Instant::now();
        while !shown().contains(wanted) {
            assert!(began.elapsed() < Duration::from_secs(120), "no {wanted:?} in:\n{}", shown());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    };
    let mut keys = pty.master.take_writer().expect("a writer");
    until("(maps, kept)");
    // The quotes are not in the answer.
    keys.write_all(b"kubectl get configmap beta-map -o name && etcdctl get --keys-only /registry/configmaps/default/beta-map && echo se''en\n")
        .expect("typed");
    until("seen");
    assert!(shown().contains("configmap/beta-map\r\n/registry/configmaps/default/beta-map"), "{}", shown());
    keys.write_all(b"exit\n").expect("typed");
    let status = child.wait().expect("it ends");
    drop((keys, pty.master));
    reading.join().expect("the reader ends");
    assert_eq!(status.exit_code(), 0, "{}", shown());
}

/// What `watch` says, on both streams, line by line.
struct Heard {
    child: std::process::Child,
    lines: mpsc::Receiver<String>,
    heard: Vec<String>,
}

impl Heard {
    fn of(watch: &Test) -> Self {
        let mut child =
            watch.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let (told, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        for from in streams {
            let told = told.clone();
            std::thread::spawn(move || {
                BufReader::new(from).lines().map_while(Result::ok).for_each(|line| drop(told.send(line)));
            });
        }
        Self { child, lines, heard: Vec::new() }
    }

    /// Until all of these have come since the last call, in whatever order; the lines since then.
    fn until(&mut self, wanted: &[&str]) -> String {
        let from = self.heard.len();
        while !wanted.iter().all(|text| self.heard[from..].iter().any(|line| line.contains(text))) {
            match self.lines.recv_timeout(Duration::from_secs(120)) {
                Ok(line) => self.heard.push(line),
                Err(why) => panic!("not all of {wanted:?} came: {why}: {}", self.heard.join("\n")),
            }
        }
        self.heard[from..].join("\n")
    }

    fn end(mut self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")), Signal::SIGINT).expect("it is told to end");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0), "{}", self.heard.join("\n"));
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Each step rests on what the one before left in the store, in the files and in the shell; each adds to what must be
/// there once only.
const SHELLS: &str = r#"---
title: Three steps
clusters: [sandbox]
vars:
  NAME: { random: "map-????" }
---
# Three steps

## First

```bash
kubectl create configmap "$NAME" --from-literal=a=1
kubectl config set-context --current --namespace=kube-public
echo first >>"$LAB_WORK/ran"
mkdir -p "$HOME/there" && cd "$HOME/there"
COUNT=7; export SHOWN="a  b"; declare -A ages=([x]="1 2")
greet() { echo "hello $1 $COUNT"; }
```

```check
key /registry/configmaps/default/${NAME} where object.data.a == "1"
```

## Second

```bash {name=second}
echo second >>"$LAB_WORK/ran"
greet you; echo "$SHOWN ${ages[x]} ${PWD##*/}"; tr '\n' ' ' <"$LAB_WORK/ran"; kubectl config view --minify | grep namespace
kubectl label configmap "$NAME" -n default step=two
```

```check
key /registry/configmaps/default/${NAME} where object.metadata.labels.step == "two"
events /registry/configmaps/default/${NAME} strict
  PUT where object.metadata.labels.step == "two"
output second contains "hello you 7"
output second contains "a  b 1 2 there"
output second contains "first second "
output second contains "namespace: kube-public"
```

## Third

```bash
kubectl annotate configmap "$NAME" -n default step=three
```

```check
key /registry/configmaps/default/${NAME} where object.metadata.annotations.step == "three"
never /registry/configmaps/default/${NAME} DELETE for 200ms
```

## Clean up

```bash {cleanup}
kubectl delete configmap "$NAME" -n default --ignore-not-found
```
"#;

#[test]
fn a_step_whose_commands_changed_runs_from_its_beginning() {
    need!("etcd", "etcdutl", "kubectl", "etcdctl");
    let test = Test::new(&["watch", "maps"]).file("maps/README.md", SHELLS);
    let mut watch = Heard::of(&test);
    let first = watch.until(&["  passed  ", "watching maps/README.md"]);
    assert!(first.contains("runs the whole lab"), "{first}");
    let file = test.dir().join("maps/README.md");
    let save = |text: &str| fs::write(&file, text).expect("it is saved");
    // The second step again: what the first left is there, and what the second and the third did is not.
    let second = SHELLS.replace("greet you;", "greet you; echo again;");
    save(&second);
    let said = watch.until(&["  passed  ", "watching maps/README.md"]);
    assert!(said.contains("runs from “Second”") && !said.contains("whole lab"), "{said}");
    // What is judged by it is judged by what the two runs saw together.
    let judged = second.replace("object.data.a == \"1\"", "object.data.a == \"2\" within 1ms");
    save(&judged);
    let said = watch.until(&["object.data.a = \"1\"", "judged by the last run"]);
    assert!(!said.contains("runs from"), "{said}");
    // A command that is wrong fails its step, and the mended one goes on from there.
    save(&second.replace("kubectl annotate configmap", "kubectl annotate confgimap"));
    let said = watch.until(&["  failed  ", "watching maps/README.md"]);
    assert!(said.contains("runs from “Third”"), "{said}");
    save(&second);
    let said = watch.until(&["  passed  ", "watching maps/README.md"]);
    assert!(said.contains("runs from “Third”"), "{said}");
    // The clean-up alone, which is judged by what it leaves.
    save(&second.replace("delete configmap \"$NAME\"", "get configmap \"$NAME\""));
    let said = watch.until(&["the clean-up left 1 key", "watching maps/README.md"]);
    assert!(said.contains("runs from “Clean up”") || said.contains("runs from “the clean-up”"), "{said}");
    // Another variable is another lab.
    save(&SHELLS.replace("map-????", "maps-????"));
    let said = watch.until(&["  passed  ", "watching maps/README.md"]);
    assert!(said.contains("runs the whole lab"), "{said}");
    watch.end();
}

#[test]
fn what_cannot_be_put_back_is_run_again_with_what_comes_before_it() {
    need!("etcd", "etcdutl", "kubectl", "etcdctl");
    let lab = SHELLS.replace("greet() {", "sleep 600 &\ngreet() {");
    let test = Test::new(&["watch", "maps"]).file("maps/README.md", &lab);
    let mut watch = Heard::of(&test);
    watch.until(&["  passed  ", "watching maps/README.md"]);
    let file = test.dir().join("maps/README.md");
    fs::write(&file, lab.replace("greet you;", "greet you; echo again;")).expect("it is saved");
    let said = watch.until(&["  passed  ", "watching maps/README.md"]);
    assert!(said.contains("runs from “First”") && said.contains("a job that a block started runs on"), "{said}");
    // A file beside the lab is read by its commands.
    fs::write(test.dir().join("maps/more.yaml"), "a: 1\n").expect("it is saved");
    let said = watch.until(&["  passed  ", "watching maps/README.md"]);
    assert!(said.contains("files beside the lab have changed since"), "{said}");
    watch.end();
}

#[test]
fn a_bare_lab_is_run_again_whole() {
    need!("etcd", "etcdctl");
    let lab = "---\ntitle: A lab\nclusters: [bare]\netcd:\n  e1: \"http://127.0.0.1:${CLIENT}\"\nvars:\n  CLIENT: { port: true }\n  \
               PEER: { port: true }\n---\n## Start\n\n```bash {name=etcd terminal=2 background ready=port:$CLIENT}\netcd --name e1 \
               --data-dir \"$LAB_WORK/e1\" --listen-client-urls \"http://127.0.0.1:$CLIENT\" --advertise-client-urls \
               \"http://127.0.0.1:$CLIENT\" --listen-peer-urls \"http://127.0.0.1:$PEER\" --initial-advertise-peer-urls \
               \"http://127.0.0.1:$PEER\" --initial-cluster \"e1=http://127.0.0.1:$PEER\"\n```\n\n## Put\n\n```bash\netcdctl put a \
               1\n```\n\n```check\nkey a where value == \"1\"\n```\n";
    let test = Test::new(&["watch", "one"]).file("one/README.md", lab);
    let mut watch = Heard::of(&test);
    let said = watch.until(&["  passed  ", "watching one/README.md"]);
    assert!(said.contains("the next run begins anew: "), "{said}");
    fs::write(test.dir().join("one/README.md"), lab.replace("put a 1", "put a 1 && etcdctl get a"))
        .expect("it is saved");
    let said = watch.until(&["  passed  ", "watching one/README.md"]);
    assert!(said.contains("runs the whole lab on a fresh bare cluster"), "{said}");
    watch.end();
}

/// It would be waited for five minutes.
#[test]
fn a_wait_for_a_field_that_a_custom_resource_does_not_have_ends() {
    need!("etcd", "kubectl", "etcdctl");
    let lab = |check: &str| {
        format!(
            r"---
title: A lab
clusters: [sandbox]
---
## Do it

```bash
kind=CustomResourceDefinition
kubectl apply -f - <<EOF
apiVersion: apiextensions.k8s.io/v1
kind: $kind
metadata: {{ name: widgets.example.com }}
spec:
  group: example.com
  scope: Namespaced
  names: {{ plural: widgets, singular: widget, kind: Widget }}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                size: {{ type: integer }}
EOF
kubectl wait --for=condition=established crd/widgets.example.com
printf 'apiVersion: example.com/v1
kind: Widget
metadata: {{ name: one }}
spec: {{ size: 3 }}
' >one.yaml
kubectl apply -f one.yaml
```

```check
{check} where object.spec.sise == 3 within 300s
```

```bash {{cleanup}}
kubectl delete crd widgets.example.com --ignore-not-found
```
"
        )
    };
    for check in ["key /registry/example.com/widgets/default/one", "resource widgets.example.com/one"] {
        let done = run(&["test", "maps"], &lab(check)).expect_exit(1);
        assert!(done.stdout().contains("a Widget has no field object.spec.sise"), "{}", done.stdout());
    }
}

/// It would be waited for five minutes.
#[test]
fn a_wait_ends_when_its_answer_cannot_change_any_more() {
    need!("etcd", "kubectl", "etcdctl");
    let head = "---\ntitle: A lab\nclusters: [sandbox]\n---\n## Do it\n\n";
    let strict = format!(
        "{head}```bash\nkubectl create configmap one --from-literal=a=1\nkubectl label configmap one x=y\n\
         kubectl annotate configmap one z=w\n```\n\n```check\nevents /registry/configmaps/default/one strict within 300s\n  \
         PUT where oldObject == null\n  PUT where object.metadata.annotations.z == \"w\"\n```\n\n\
         ```bash {{cleanup}}\nkubectl delete configmap one\n```\n"
    );
    let done = run(&["test", "maps"], &strict).expect_exit(1);
    let said = done.stdout();
    assert!(said.contains("what came in place of event 2 is revision"), "{said}");
    assert!(said.contains("/registry/configmaps/default/one is not created again"), "{said}");
}
