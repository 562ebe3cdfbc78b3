//! A sandbox that stays, and what is looked at in it: `cluster up --on sandbox`, `events`, `get`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Done, Test, need};

/// A sandbox that stays until the test is over, in a state folder of its own.
pub(crate) struct Kept {
    state: tempfile::TempDir,
    name: &'static str,
}

impl Kept {
    pub(crate) fn up(name: &'static str, more: &[&str]) -> Self {
        let kept = Self { state: tempfile::tempdir().expect("a folder"), name };
        kept.test(&[&["cluster", "up", "--on", "sandbox", name], more].concat()).run().expect_exit(0);
        kept
    }

    pub(crate) fn test(&self, args: &[&str]) -> Test {
        Test::new(args).env("XDG_STATE_HOME", &self.state.path().display().to_string())
    }

    /// With `--cluster` and the name.
    pub(crate) fn look(&self, args: &[&str]) -> Done {
        self.test(&[args, &["--cluster", self.name]].concat()).run()
    }

    fn record(&self) -> (PathBuf, Value) {
        let clusters = self.state.path().join("keywitness/clusters");
        let dir = fs::read_dir(clusters)
            .expect("the folder of clusters")
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.join("sandbox.json").is_file())
            .expect("a record");
        let record = fs::read(dir.join("sandbox.json")).expect("a record");
        (dir, serde_json::from_slice(&record).expect("JSON"))
    }

    /// A command with the sandbox's kubeconfig, and its etcdctl first on PATH.
    pub(crate) fn sh(&self, script: &str) -> String {
        let (_, record) = self.record();
        let up = &record["up"];
        let path = format!(
            "{}:{}:{}",
            up["bin"].as_str().expect("a path"),
            crate::harness::tool("kubectl")
                .and_then(|path| path.parent().map(|dir| dir.display().to_string()))
                .unwrap_or_default(),
            std::env::var("PATH").unwrap_or_default()
        );
        let output = Command::new("bash")
            .args(["-ec", script])
            .env("PATH", path)
            .env("KUBECONFIG", up["kubeconfig"].as_str().expect("a path"))
            .output()
            .expect("bash runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{script}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.test(&["cluster", "down", self.name]).run());
    }
}

/// Numbers as zeros, and what else differs from run to run as its name.
fn plain(text: &str) -> String {
    let times = regex::Regex::new(r"\d{4}-\d\d-\d\dT[\d:]+Z").expect("it compiles");
    let uids = regex::Regex::new(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").expect("it compiles");
    uids.replace_all(&times.replace_all(text, "TIME"), "UID").into_owned()
}

fn is_alive(process: i64) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

#[test]
fn a_sandbox_stays_until_it_is_told_to_go() {
    need!("etcd", "kubectl", "etcdctl");
    let state = tempfile::tempdir().expect("a folder");
    let copy = state.path().join("my.kubeconfig");
    let kept = Kept { state, name: "dev" };
    let copy_text = copy.display().to_string();
    let up = ["cluster", "up", "--on", "sandbox", "dev", "--nodes", "2", "--kubeconfig", &copy_text];
    let said = kept.test(&up).run().expect_exit(0).stdout();
    assert!(said.contains("sandbox dev is ready after") && said.contains(&copy_text), "{said}");
    assert_eq!(kept.sh("kubectl get nodes -o name"), "node/sandbox-control-plane\nnode/sandbox-worker\n");
    assert!(kept.sh("etcdctl get /registry/namespaces/ --prefix --keys-only").contains("/registry/namespaces/default"));
    let again = kept.test(&up).run().expect_exit(3).stderr();
    assert!(again.contains("there is a sandbox dev already"), "{again}");
    let other = kept.test(&["cluster", "up", "--on", "sandbox", "other", "--kubeconfig", &copy_text]).run();
    assert!(other.expect_exit(3).stderr().contains("keywitness changes no existing kubeconfig"));
    let status = kept.test(&["cluster", "status", "dev"]).run().expect_exit(0).stdout();
    for wanted in
        ["dev (sandbox, ", "API         https://127.0.0.1:", "etcd        https://127.0.0.1:", "etcdctl     /"]
    {
        assert!(status.contains(wanted), "{wanted} in {status}");
    }
    let (dir, record) = kept.record();
    kept.test(&["cluster", "down", "dev"]).run().expect_exit(0);
    assert!(!dir.exists() && !copy.exists());
    for process in [&record["process"], &record["up"]["etcd_process"]] {
        assert!(!is_alive(process.as_i64().expect("a number")), "{record}");
    }
}

#[test]
fn a_sandbox_whose_process_is_killed_leaves_nothing() {
    need!("etcd", "kubectl");
    let kept = Kept::up("killed", &[]);
    let (dir, record) = kept.record();
    let process = record["process"].as_i64().and_then(|process| i32::try_from(process).ok()).expect("a number");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), nix::sys::signal::Signal::SIGKILL).expect("it lives");
    let etcd = record["up"]["etcd_process"].as_i64().expect("a number");
    crate::containers::eventually("the watchdog has removed everything", std::time::Duration::from_secs(60), || {
        !dir.exists() && !is_alive(etcd)
    });
    let up = kept.test(&["cluster", "up", "--on", "sandbox", "killed"]).run();
    up.expect_exit(0);
}

#[test]
fn a_lab_runs_on_a_sandbox_that_stays_and_leaves_it_as_it_was() {
    need!("etcd", "kubectl");
    let kept = Kept::up("labs", &[]);
    let lab = "---\ntitle: A lab\n---\n## Make\n\n```bash\nkubectl create namespace mine\n```\n\n```check\nkey /registry/namespaces/mine exists\n```\n";
    let done = kept.test(&["run", "--cluster", "labs", "lab.md"]).file("lab.md", lab).run().expect_exit(0);
    assert!(done.stdout().contains("removed what the lab left"), "{}{}", done.stdout(), done.stderr());
    let missing = kept.test(&["run", "--on", "sandbox", "--cluster", "nope", "lab.md"]).file("lab.md", lab).run();
    let said = missing.expect_exit(3).stdout();
    assert!(said.contains("there is no sandbox nope") && said.contains("there is labs"), "{said}");
}

const CHANGES: &str = "kubectl create namespace demo
kubectl label namespace demo purpose=demo
kubectl create secret generic vault -n demo --from-literal=door=open-sesame-42
kubectl patch secret vault -n demo -p '{\"stringData\":{\"door\":\"open-sesame-43\"}}'
kubectl create configmap copy -n demo --from-literal=door=open-sesame-43
kubectl delete configmap copy -n demo
kubectl label namespace demo purpose-";

#[test]
fn changes_are_told_line_by_line_and_secrets_are_not() {
    need!("etcd", "kubectl", "etcdctl");
    let kept = Kept::up("changes", &[]);
    let from =
        kept.sh("etcdctl get / -w fields | sed -n 's/\"Revision\" : //p'").trim().parse::<i64>().expect("a revision")
            + 1;
    kept.sh(CHANGES);
    let from = from.to_string();
    let args = ["events", "--from", &from, "--no-follow"];
    let said =
        kept.look(&[&args[..], &["/registry/namespaces/demo", "secret/vault", "cm/copy", "-n", "demo"]].concat());
    let said = said.expect_exit(0).stdout();
    let told: Vec<&str> = said.lines().map(|line| line[6..].trim()).collect();
    assert_eq!(
        told,
        [
            "PUT     /registry/namespaces/demo  created, by kubectl-create",
            "PUT     /registry/namespaces/demo  metadata.labels.purpose: demo added, by kubectl-label",
            "PUT     /registry/secrets/demo/vault  created, by kubectl-create",
            "PUT     /registry/secrets/demo/vault  data.door: changed, <14 bytes, hidden>, by kubectl-patch",
            "PUT     /registry/configmaps/demo/copy  created, by kubectl-create",
            "DELETE  /registry/configmaps/demo/copy  deleted",
            "PUT     /registry/namespaces/demo  metadata.labels.purpose: demo removed",
        ]
    );
    let json = kept.look(&[&args[..], &["--format", "json", "--all"]].concat()).expect_exit(0).stdout();
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let label = lines.iter().find(|line| line["fields"][0]["path"] == "metadata.labels.purpose").expect("the label");
    assert_eq!((&label["type"], &label["key"]), (&"PUT".into(), &"/registry/namespaces/demo".into()));
    assert_eq!(label["fields"][0]["after"], "demo");
    assert!(label.get("at").is_none(), "history has no times of its own: {label}");
    for secret in ["open-sesame", "b3Blbi1zZXNhbWU"] {
        assert!(!json.contains(secret), "{json}");
    }
    let compacted = kept
        .sh("r=$(etcdctl get / -w fields | sed -n 's/\"Revision\" : //p'); etcdctl compaction $r >/dev/null; echo $r");
    let oldest = compacted.trim().parse::<i64>().expect("a revision") + 1;
    let said = kept.look(&args).expect_exit(2).stderr();
    assert!(said.contains(&format!("revision {from} is gone, {oldest} is the oldest that it keeps")), "{said}");
    assert!(said.contains(&format!("hint: --from {oldest}")), "{said}");
    let said = kept.look(&["events", "--from", "1000000", "--no-follow"]).expect_exit(2).stderr();
    assert!(said.contains("has not come to revision 1000000 yet"), "{said}");
}

#[test]
fn events_stream_as_they_come_and_heartbeats_are_counted() {
    need!("etcd", "kubectl", "etcdctl");
    let kept = Kept::up("stream", &[]);
    let test = kept.test(&["events", "--cluster", "stream", "--count", "2", "/registry/configmaps/default/*"]);
    let piped = std::process::Stdio::piped;
    let child = test.command().stdout(piped()).stderr(piped()).spawn().expect("it starts");
    crate::containers::eventually("it has seen a change", std::time::Duration::from_secs(30), || {
        kept.sh("kubectl create configmap a >/dev/null 2>&1 || kubectl delete configmap a >/dev/null");
        fs::read_to_string(format!("/proc/{}/stat", child.id())).is_ok_and(|stat| stat.contains(") Z "))
    });
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(0), 2), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "watching etcd; Ctrl-C ends it\n");
    let all = kept.look(&["events", "--from", "2", "--no-follow", "leases"]).expect_exit(0).stdout();
    assert!(all.contains("/registry/leases/"), "asked for by name: {all}");
    let folded = kept.look(&["events", "--from", "2", "--no-follow"]).expect_exit(0).stdout();
    assert!(!folded.contains("/registry/leases/") && folded.contains("--all shows them"), "{folded}");
}

#[test]
fn an_object_is_shown_as_etcd_holds_it() {
    need!("etcd", "kubectl", "etcdctl");
    let kept = Kept::up("object", &[]);
    kept.sh("kubectl create namespace demo");
    let revision = kept.sh("etcdctl get /registry/namespaces/demo -w fields | sed -n 's/\"ModRevision\" : //p'");
    let revision = revision.trim();
    kept.sh("kubectl label namespace demo purpose=demo; kubectl create secret generic vault --from-literal=door=open-sesame-42");
    let yaml = kept.look(&["get", "ns/demo", "--hide-managed-fields"]).expect_exit(0).stdout();
    assert!(yaml.contains("purpose: demo") && yaml.contains(&format!("created at {revision}, version 2")), "{yaml}");
    let before = kept.look(&["get", "ns/demo", "--at", revision]).expect_exit(0).stdout();
    assert!(!before.contains("purpose"), "{before}");
    let diff = kept.look(&["get", "/registry/namespaces/demo", "--diff", revision]).expect_exit(0).stdout();
    assert!(diff.ends_with("\nmetadata.labels.purpose: demo added\n# by kubectl-label\n"), "{diff}");
    let raw = plain(&kept.look(&["get", "ns/demo", "-o", "raw"]).expect_exit(0).stdout());
    for wanted in [
        "0000  6b 38 73 00          \"k8s\\0\": a Kubernetes object in protobuf\n",
        "0006  0a 02 76 31            field 1, apiVersion: \"v1\"\n",
        "field 5, uid: \"UID\"\n",
        "field 11, labels: \"purpose\" = \"demo\"\n",
    ] {
        assert!(raw.contains(wanted), "{wanted} in {raw}");
    }
    let json = kept.look(&["get", "ns/demo", "-o", "json"]).expect_exit(0).stdout();
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["version"], &json["object"]["metadata"]["labels"]["purpose"]), (&2.into(), &"demo".into()));
    for output in ["yaml", "json", "raw"] {
        let hidden = kept.look(&["get", "secret/vault", "-o", output]).expect_exit(0).stdout();
        assert!(
            hidden.contains("hidden") && !hidden.contains("open-sesame") && !hidden.contains("b3Blbi1zZXNhbWU"),
            "{hidden}"
        );
    }
    assert!(kept.look(&["get", "secret/vault", "-o", "hex"]).expect_exit(2).stderr().contains("--show-secrets"));
    assert!(
        kept.look(&["get", "secret/vault", "--show-secrets"]).expect_exit(0).stdout().contains("b3Blbi1zZXNhbWUtNDI=")
    );
    let missing = kept.look(&["get", "ns/dem"]).expect_exit(2).stderr();
    assert!(missing.contains("etcd holds no key /registry/namespaces/dem\n"), "{missing}");
    let unknown = kept.look(&["get", "namespace/x", "-n", "demo"]).expect_exit(2).stderr();
    assert!(unknown.contains("namespaces are in no namespace"), "{unknown}");
    let kind = kept.look(&["get", "namespac/x"]).expect_exit(2).stderr();
    assert!(
        kind.contains("this cluster stores no kind namespac") && kind.contains("did you mean `namespaces`?"),
        "{kind}"
    );
}

#[test]
fn a_custom_resource_is_found_by_its_definition() {
    need!("etcd", "kubectl", "etcdctl");
    let kept = Kept::up("custom", &[]);
    kept.sh(
        "kubectl create -f - <<'END'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wd]}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
END
kubectl wait --for=condition=Established crd/widgets.example.com
kubectl create -f - <<'END'
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
spec: {size: 3}
END",
    );
    let yaml = kept.look(&["get", "wd/one", "--hide-managed-fields"]).expect_exit(0).stdout();
    assert!(yaml.starts_with("# /registry/example.com/widgets/default/one (") && yaml.contains("size: 3"), "{yaml}");
    let events = kept.look(&["events", "widgets", "--from", "2", "--no-follow"]).expect_exit(0).stdout();
    assert!(events.contains("/registry/example.com/widgets/default/one  created"), "{events}");
}

#[test]
fn which_cluster_is_meant_must_be_told() {
    let empty = tempfile::tempdir().expect("a folder");
    let state = empty.path().display().to_string();
    let said = |args: &[&str]| Test::new(args).env("XDG_STATE_HOME", &state).run().expect_exit(2).stderr();
    assert!(said(&["get", "ns/a"]).contains("no cluster is named, and there is no sandbox that stays"));
    assert!(said(&["events", "--on", "kind"]).contains("which kind cluster is meant?"));
    assert!(
        said(&["cluster", "up", "--on", "sandbox", "--kubernetes", "1.20"])
            .contains("the sandbox follows Kubernetes v1.36")
    );
    assert!(said(&["get", "ns/a", "--diff", "3", "-o", "hex"]).contains("bytes are not compared field by field"));
}

#[test]
fn the_doctor_says_what_is_missing_what_for_and_what_to_do() {
    need!("etcd", "kubectl");
    let done = Test::new(&["doctor", "--format", "json"]).run().expect_exit(0);
    let said: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    let names: Vec<&str> =
        said["findings"].as_array().expect("findings").iter().filter_map(|f| f["name"].as_str()).collect();
    for wanted in
        ["bash", "kubectl", "etcd", "etcdctl", "etcdutl", "kind", "engine", "work folder", "state folder", "proxy"]
    {
        assert!(names.contains(&wanted), "{wanted} in {names:?}");
    }
    assert_eq!((&said["clusters"][0]["cluster"], &said["clusters"][0]["usable"]), (&"sandbox".into(), &true.into()));
    let broken = Test::new(&["doctor"])
        .env("KEYWITNESS_ETCD", "/nowhere/etcd")
        .env("KEYWITNESS_KUBECTL", "/bin/false")
        .env("KEYWITNESS_KIND", "/nowhere/kind")
        .env("https_proxy", "http://me:hunter2@proxy:3128")
        .run()
        .expect_exit(3)
        .stdout();
    for wanted in [
        "✗ sandbox     etcd is not installed",
        "✗ etcd          KEYWITNESS_ETCD names /nowhere/etcd, where there is no program\n    prevents: --on sandbox and --on bare\n    to fix: unset KEYWITNESS_ETCD, or correct it\n",
        "✗ kubectl       /bin/false does not run:",
        "! kind          KEYWITNESS_KIND names /nowhere/kind",
        "https_proxy set",
    ] {
        assert!(broken.contains(wanted), "{wanted:?} in {broken}");
    }
    assert!(!broken.contains("hunter2"), "{broken}");
}

const SOLVED: &str = r#"---
title: A task
clusters: [sandbox]
---
## Prepare

```bash
kubectl create namespace demo
```

```check
key /registry/namespaces/demo exists
```

## Do it

Label it.

<details><summary>Solution</summary>

```bash
kubectl label namespace demo done=yes
```

</details>

```check {points=3}
key /registry/namespaces/demo where object.metadata.labels.done == "yes"
```

## Build on it

```bash
until kubectl get namespace demo -o jsonpath={.metadata.labels.done} | grep yes; do :; done
```

```check
key /registry/namespaces/demo exists
```

```question
Which?
= yes
```

## Something else

```bash
kubectl create namespace apart
```

```check
key /registry/namespaces/apart exists
```

## Words

Only prose.

## Clean up

```bash {cleanup}
kubectl delete namespace demo apart --ignore-not-found
```
"#;

#[test]
fn run_says_what_it_leaves_out_and_waits_for_nothing_that_cannot_come() {
    need!("etcd", "kubectl");
    let run =
        |args: &[&str]| Test::new(&[&["run", "lab.md"], args].concat()).file("lab.md", SOLVED).run().expect_exit(0);
    let said = run(&[]).stdout();
    let first = said.lines().nth(1).unwrap_or_default();
    assert_eq!(
        first.trim(),
        "note: `run` leaves out solutions, the first in “Do it”, and what builds on them: 2 steps of 5; `run --solve` runs everything"
    );
    assert!(said.contains("it builds on the solution of “Do it”, which `run` leaves out"), "{said}");
    assert!(said.contains("2/7 points") && said.contains("✓ Something else") && said.contains("✓ Clean up"), "{said}");
    let solved = run(&["--solve"]).stdout();
    assert!(solved.contains("6/7 points") && !solved.contains("leaves out"), "{solved}");
    let json: Value = serde_json::from_str(&run(&["--format", "json"]).stdout()).expect("JSON");
    assert_eq!((&json["labs"][0]["points"], &json["labs"][0]["max_points"]), (&2.into(), &7.into()), "{json:#}");
}

const TASK: &str = r#"---
title: A task
clusters: [sandbox]
---
## Label it

```bash
kubectl create namespace demo
kubectl label namespace demo purpose=demo
```

```check {points=2}
key /registry/namespaces/demo where object.metadata.labels.purpose == "demo"
```

```check
events /registry/namespaces/demo
  PUT where object.metadata.labels.purpose == "demo"
never /registry/namespaces/demo DELETE for 100ms
resource namespace/demo exists
run "test -f answer.txt"
resource node/${LAB_NODE} exists
```
"#;

/// A recording that ends once the script has run.
fn recorded(kept: &Kept, name: &str, script: &str, file: &str, learner: &str) -> Done {
    let args = ["grade", "lab.md", "--cluster", name, "--record", "--hand-in", file, "--learner", learner];
    let test = kept.test(&args).file("lab.md", TASK).file("answer.txt", "42\n");
    let mut command = test.command();
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stderr = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut line).expect("it says that it records");
    assert!(line.contains("recording"), "{line}");
    kept.sh(script);
    std::io::Write::write_all(child.stdin.as_mut().expect("a pipe"), b"\n").expect("Enter");
    let rest = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
    let mut output = child.wait_with_output().expect("it ends");
    output.stderr = rest.join().expect("read").into_bytes();
    test.done(output)
}

#[test]
fn what_somebody_did_is_graded_recorded_and_handed_in() {
    need!("etcd", "kubectl", "etcdctl");
    let kept = Kept::up("grade", &[]);
    let make = "kubectl create namespace demo; kubectl label namespace demo purpose=demo";
    let done = recorded(&kept, "grade", make, "anna.handin", "Anna").expect_exit(0);
    assert!(done.stdout().contains("7/7 points"), "{}", done.stdout());
    let anna = fs::read_to_string(done.dir().join("anna.handin")).expect("the file");
    let present =
        kept.test(&["grade", "lab.md", "--cluster", "grade"]).file("lab.md", TASK).file("answer.txt", "").run();
    let said = present.expect_exit(3).stdout();
    assert!(said.contains("what happened before is not known; `grade --record` watches"), "{said}");
    assert!(said.contains("5/7 points"), "{said}");
    kept.sh("kubectl delete namespace demo");
    let wrong =
        "kubectl create namespace demo; kubectl label namespace demo purpose=other; kubectl delete namespace demo";
    let done = recorded(&kept, "grade", wrong, "ben.handin", "Ben").expect_exit(1);
    assert!(done.stdout().contains("2/7 points"), "{}", done.stdout());
    let ben = fs::read_to_string(done.dir().join("ben.handin")).expect("the file");
    let verify = |args: &[&str]| {
        Test::new(&[&["verify", "--lab", "lab.md"], args].concat())
            .file("lab.md", TASK)
            .file("anna.handin", &anna)
            .file("ben.handin", &ben)
            .file("copy.handin", &anna.replace("\"name\":\"Anna\"", "\"name\":\"Carl\""))
            .file("more.handin", &ben.replace("\"points\":2,", "\"points\":6,"))
            .file("no.handin", "hello\n")
            .run()
    };
    let said = verify(&["anna.handin", "ben.handin"]).expect_exit(0).stdout();
    assert_eq!(
        said,
        "anna.handin  Anna  7/7  6 of 6 checks  as handed in\nben.handin   Ben   2/7  2 of 6 checks  as handed in\n"
    );
    let said = verify(&["anna.handin", "copy.handin", "more.handin", "--csv"]).expect_exit(1).stdout();
    let rows: Vec<&str> = said.lines().collect();
    assert_eq!(
        rows[0],
        "file,learner,lab,points,max_points,checks_passed,checks,hidden,hints,solutions,result,details,private_passed,private"
    );
    assert_eq!(rows[1], "anna.handin,Anna,lab,7,7,6,6,0,0,0,as handed in,,0,0");
    assert!(rows[2].starts_with("copy.handin,Carl,lab,7,7,6,6,0,0,0,\"changed value, doubled file\","), "{said}");
    assert!(rows[3].starts_with("more.handin,Ben,lab,2,7,2,6,0,0,0,edited points,"), "{said}");
    let whole = Test::new(&["verify", "--lab", "lab.md", "anna.handin", "ben.handin"])
        .file("lab.md", TASK)
        .file("lab.private.md", "## Label it\n\n```check\nkey /registry/namespaces/demo where object.metadata.labels.size() == 2\nkey /registry/pods/demo/x absent\n```\n")
        .file("anna.handin", &anna)
        .file("ben.handin", &ben)
        .run()
        .expect_exit(0)
        .stdout();
    assert!(whole.contains("Anna  7/7  6 of 6 checks  as handed in\n    private part: 1 of 2 checks\n"), "{whole}");
    assert!(whole.contains("    private part: 0 of 2 checks\n    fail lab.private.md:4 `key"), "{whole}");
    assert!(
        whole.contains("cannot judge lab.private.md:5 `key /registry/pods/demo/x absent`: no check of the lab"),
        "{whole}"
    );
    let other = Test::new(&["verify", "--lab", "lab.md", "anna.handin"])
        .file("lab.md", &TASK.replace("Label it", "Label it, please"))
        .file("anna.handin", &anna)
        .run();
    assert!(other.expect_exit(1).stdout().contains("other lab text"));
    assert!(verify(&["no.handin"]).expect_exit(2).stderr().contains("it is not a hand-in of keywitness"));
    let refused =
        kept.test(&["grade", "lab.md", "--cluster", "grade", "--hand-in", "lab.md"]).file("lab.md", TASK).run();
    assert!(refused.expect_exit(2).stderr().contains("lab.md exists already"));
}

#[test]
fn in_a_labs_own_shell_its_cluster_is_meant() {
    need!("etcd", "kubectl", "etcdctl");
    let lab = "---\ntitle: A lab\nclusters: [sandbox]\n---\n## Look\n\n```bash {name=look}\nkubectl create namespace mine\n\
        keywitness get ns/mine --hide-managed-fields\nkeywitness events ns/mine --from 2 --no-follow\n```\n\n```check\n\
        output look contains \"kubernetes.io/metadata.name: mine\"\noutput look contains \"created, by kubectl-create\"\n```\n\n\
        ## Clean up\n\n```bash {cleanup}\nkubectl delete namespace mine\n```\n";
    Test::new(&["run", "lab.md"]).file("lab.md", lab).run().expect_exit(0);
}

/// A class hands in files that are cut, renamed and doubled: what is alike is told once.
#[test]
fn what_is_alike_is_told_once() {
    let line = |n: usize| {
        format!(
            "{{\"n\":{n},\"prev\":\"\",\"hash\":\"\",\"body\":{{\"type\":\"points\",\"points\":1,\"max_points\":1}}}}\n"
        )
    };
    let text: String = (0..5).map(line).collect();
    let done = Test::new(&["verify", "--lab", "lab.md", "x.handin"]).file("lab.md", TASK).file("x.handin", &text).run();
    let said = done.expect_exit(1).stdout();
    assert!(said.contains("    edited points in 5 lines from 1 on: the points were changed\n"), "{said}");
    assert!(said.contains("    cut file: its end is missing\n"), "{said}");
}
