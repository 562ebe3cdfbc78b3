//! Clusters in containers: the real kind, the real engine, the real etcd. The node image is `KEYWITNESS_NODE_IMAGE`
//! or a stand-in.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::containers::{eventually, keywitness, lab, lines, need_engine, traces};
use crate::harness::Test;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn the_first_lab_passes_and_leaves_nothing() {
    let image = need_engine!();
    let home = home();
    let config = home.path().join(".kube/config");
    fs::create_dir_all(config.parent().expect("a folder")).expect("made");
    let before = "apiVersion: v1\nkind: Config\ncurrent-context: \"\" # mine\n";
    fs::write(&config, before).expect("written");
    let first_look = format!("{ROOT}/labs/first-look");
    let done = keywitness(&["run", "--on", "kind", "-v", &first_look], image, home.path()).run().expect_exit(0);
    let said = done.stdout();
    for stage in ["engine", "image", "nodes", "control plane", "network", "ready"] {
        assert!(said.lines().any(|line| line.trim_start().starts_with(stage)), "no stage {stage}:\n{said}");
    }
    assert!(said.contains("all proved"), "{said}");
    assert_eq!(fs::read_to_string(&config).expect("there"), before);
    assert_eq!(traces("keywitness-first-look"), [""; 0]);
}

/// Starts a run and reads until a line holds `until`.
pub(crate) fn started(test: &Test, until: &str) -> Child {
    let mut command = test.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut seen = String::new();
    loop {
        let line = lines.next().unwrap_or_else(|| panic!("no {until:?} in:\n{seen}")).expect("text");
        if line.contains(until) {
            break;
        }
        seen.push_str(&line);
        seen.push('\n');
    }
    // Whoever reads no longer must not make it end by a closed pipe.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

pub(crate) fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id"))
}

#[test]
fn an_interrupt_during_creation_leaves_nothing() {
    let image = need_engine!();
    let home = home();
    let test = keywitness(&["run", "--on", "kind", "-v", "interrupted.md"], image, home.path())
        .file("interrupted.md", &lab("", "```bash\ntrue\n```"));
    let mut child = started(&test, "nodes");
    kill(pid(&child), Signal::SIGINT).expect("it is there");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(traces("keywitness-interrupted"), [""; 0]);
}

/// What `kind_errors` plays, here by a real engine.
#[test]
fn a_port_that_is_really_taken_is_told_and_nothing_stays() {
    let image = need_engine!();
    let home = home();
    let name = "kw-test-port";
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let config = format!(
        "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- extraPortMappings:\n  \
         - {{containerPort: 30080, hostPort: {port}, listenAddress: 127.0.0.1}}\n"
    );
    let done = keywitness(&["cluster", "up", name, "--kind-config", "kind.yaml"], image, home.path())
        .file("kind.yaml", &config)
        .run()
        .expect_exit(3);
    let said = done.stderr();
    assert!(said.contains("hint: a port of the kind configuration is taken"), "{said}");
    assert!(said.contains(&port.to_string()), "{said}");
    assert_eq!(traces(name), [""; 0]);
}

/// kind makes all nodes at once and ends at the first that fails, while the engine goes on with the others: here a node
/// comes when the cluster has just been removed.
#[test]
fn what_a_failed_kind_still_makes_is_removed_too() {
    let image = need_engine!();
    let home = home();
    let name = "kw-test-late";
    let real = crate::harness::tool("kind").expect("asked for above");
    let engine = crate::containers::command();
    let node = format!("{engine} create --label io.x-k8s.kind.cluster={name} --name {name}-worker {image}");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = create ] || exec {} \"$@\"\n\
         env -i PATH=\"$PATH\" setsid sh -c 'while {engine} network inspect {name}; do :; done; {node}' >/dev/null 2>&1 &\n\
         echo 'ERROR: failed to create cluster' >&2\nexit 1\n",
        real.display()
    );
    let kind = home.path().join("kind");
    fs::write(&kind, script).expect("written");
    fs::set_permissions(&kind, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    keywitness(&["cluster", "up", name], image, home.path())
        .env("KEYWITNESS_KIND", &kind.display().to_string())
        .run()
        .expect_exit(3);
    assert_eq!(traces(name), [""; 0]);
}

#[test]
fn a_killed_run_is_cleared_away_and_one_whose_watchdog_died_too_is_found() {
    let image = need_engine!();
    let home = home();
    let test = |name: &str| {
        keywitness(&["run", "--on", "kind", "-v", &format!("{name}.md")], image, home.path())
            .file(&format!("{name}.md"), &lab("", "```bash {timeout=300s}\nsleep 300\n```"))
    };
    let killed = test("killed");
    let mut child = started(&killed, "kind ·");
    assert!(!traces("keywitness-killed").is_empty());
    kill(pid(&child), Signal::SIGKILL).expect("it is there");
    child.wait().expect("it ends");
    eventually("the watchdog clears away", Duration::from_secs(60), || traces("keywitness-killed").is_empty());

    let lost = test("lost");
    let mut child = started(&lost, "kind ·");
    let list = |args: &[&str]| {
        keywitness(&[&["cluster", "list"], args].concat(), image, home.path()).run().expect_exit(0).stdout()
    };
    let in_use = list(&[]);
    assert!(
        in_use.lines().any(|line| line.contains("keywitness-lost") && line.contains("in use by the run")),
        "{in_use}"
    );
    for watchdog in watchdogs_of(&child) {
        kill(watchdog, Signal::SIGKILL).expect("it is there");
    }
    kill(pid(&child), Signal::SIGKILL).expect("it is there");
    child.wait().expect("it ends");
    let left = list(&[]);
    assert!(
        left.lines().any(|line| line.contains("keywitness-lost") && line.contains("left by a killed run")),
        "{left}"
    );
    let removed = list(&["--remove-left"]);
    assert!(removed.contains("removed"), "{removed}");
    assert_eq!(traces("keywitness-lost"), [""; 0]);
}

/// Children of the run that are keywitness themselves.
fn watchdogs_of(child: &Child) -> Vec<Pid> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("a process table").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1).map(str::to_owned));
        let words = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if parent == Some(child.id().to_string()) && words.contains("watchdog") {
            found.push(Pid::from_raw(pid));
        }
    }
    assert!(!found.is_empty(), "the run has a watchdog");
    found
}

/// Removes a kept cluster, whatever became of the test.
struct Kept<'a> {
    name: &'a str,
    image: &'a str,
    home: &'a Path,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        let done = keywitness(&["cluster", "down", self.name], self.image, self.home).run();
        if !std::thread::panicking() {
            assert_eq!(done.exit(), Some(0), "{}", done.stderr());
            assert_eq!(traces(self.name), [""; 0]);
        }
    }
}

#[test]
fn a_kept_cluster_serves_many_labs_and_stays_as_it_was() {
    let image = need_engine!();
    let home = home();
    let name = "kw-test-kept";
    let copy = home.path().join("copy.kubeconfig");
    let copy_text = copy.display().to_string();
    let up = ["cluster", "up", name, "--nodes", "2", "--kubeconfig", &copy_text];
    let up = keywitness(&up, image, home.path()).run().expect_exit(0);
    let kept = Kept { name, image, home: home.path() };
    assert!(up.stdout().contains("is ready"), "{}", up.stdout());
    assert!(up.stdout().contains(&format!("export KUBECONFIG={copy_text}\n")), "{}", up.stdout());
    let written = fs::read_to_string(&copy).expect("the copy is there");
    assert!(written.contains(&format!("kind-{name}")) && written.contains("client-key-data"), "{written}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&copy).expect("it is there").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = keywitness(&["cluster", "up", name], image, home.path()).run().expect_exit(3);
    assert!(again.stderr().contains("already"), "{}", again.stderr());
    let listed = keywitness(&["cluster", "list"], image, home.path()).run().expect_exit(0).stdout();
    assert!(
        listed.lines().any(|line| line.starts_with(name) && line.contains("2 nodes") && line.contains("kept")),
        "{listed}"
    );
    let status = keywitness(&["cluster", "status", name], image, home.path()).run().expect_exit(0).stdout();
    assert!(status.contains(&format!("{name}-worker")) && status.contains("MB of memory"), "{status}");

    let one = "```bash\nkubectl create namespace one\n```\n```check\nkey /registry/namespaces/one exists\n```\n\n\
               ```bash {cleanup}\nkubectl delete namespace one\n```";
    let two = "```bash {name=nodes}\nkubectl get nodes -o name | wc -l\n```\n```check\noutput nodes contains \"2\"\n```\n\
               ```check {pre=pass}\nkey /registry/namespaces/one absent\n```";
    for (file, body) in [("one.md", one), ("two.md", two)] {
        keywitness(&["run", "--on", "kind", "--cluster", name, file], image, home.path())
            .file(file, &lab("", body))
            .run()
            .expect_exit(0);
    }

    if !std::env::var("KEYWITNESS_NODE_IMAGE").is_ok_and(|image| !image.is_empty()) {
        // On the stand-in no image is pulled, and each node of its runs pods.
        let spread = "```bash {name=spread}\nkubectl create deployment web --image=nginx --replicas=3\n\
                      kubectl rollout status deployment/web --timeout=60s\nkubectl get pods -o wide\n```\n```check\n\
                      output spread matches r\"web-\\S+ +1/1 +Running.*-worker\"\n```\n\n\
                      ```bash {cleanup}\nkubectl delete deployment web\n```";
        keywitness(&["run", "--on", "kind", "--cluster", name, "spread.md"], image, home.path())
            .file("spread.md", &lab("", spread))
            .run()
            .expect_exit(0);
    }

    let look = |args: &[&str]| {
        keywitness(&[args, &["--cluster", name]].concat(), image, home.path()).run().expect_exit(0).stdout()
    };
    assert!(look(&["get", "ns/default"]).contains("kind: Namespace"));
    let events = look(&["events", "ns/one", "--from", "2", "--no-follow"]);
    assert!(events.contains("created, by kubectl-create") && events.contains("deleted"), "{events}");

    let forgetful = "```bash {name=a}\nkubectl create configmap forgotten --from-literal=a=b\n```\n```check\n\
                     key /registry/configmaps/default/forgotten exists\n```";
    let done = keywitness(&["run", "--on", "kind", "--cluster", name, "forgetful.md"], image, home.path())
        .file("forgetful.md", &lab("", forgetful))
        .run();
    let said = done.stdout();
    assert!(said.contains("/registry/configmaps/default/forgotten"), "what it left is named:\n{said}");
    drop(kept);
    assert!(!copy.exists(), "`down` removes the copy of the kubeconfig");
}

/// Blocks on the node, and what their terminal has to be.
pub(crate) const ON_THE_NODE: &str = "On the node:\n\n\
    ```bash {name=place in=node}\nhostname\necho \"$LAB_NODE\"\nls \"$LAB_ETCD_PKI/ca.crt\"\ntty\n```\n\
    ```check\noutput place where lines[0] == lines[1]\noutput place contains \"etcd/ca.crt\"\noutput place contains \"/dev/pts\"\n```\n\n\
    etcdctl is there, and adds what the command does not say; this fails:\n\n\
    ```bash {name=keys in=node}\netcdctl get /registry/namespaces/ --prefix --keys-only | sed '/^$/d' | sort\n```\n\
    ```check\noutput keys contains \"/registry/namespaces/kube-system\"\n```\n\n\
    The status of a command is the node's; this exits with 7:\n\n\
    ```bash {in=node exit=7}\n(exit 7)\n```\n\n\
    What does not end is interrupted on the node, and the shell goes on:\n\n\
    ```bash {name=after in=node}\nstate=kept\n```\n\
    ```bash {in=node exit=130}\n(trap 'exit 130' INT; kill -INT $BASHPID; :)\n```\n\
    ```bash {name=kept in=node}\necho \"$state\"\n```\n\
    ```check\noutput kept contains \"kept\"\n```";

#[test]
fn a_shell_on_the_node_is_a_terminal_with_etcdctl() {
    let image = need_engine!();
    let home = home();
    keywitness(&["run", "--on", "kind", "node.md"], image, home.path())
        .file("node.md", &lab("clusters: [kind]\n", ON_THE_NODE))
        .run()
        .expect_exit(0);
    assert_eq!(traces("keywitness-node"), [""; 0]);
}

#[test]
fn the_users_kind_configuration_is_kept() {
    let image = need_engine!();
    let home = home();
    let config = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n  \
                  extraPortMappings:\n  - {containerPort: 30080, hostPort: 0, listenAddress: 127.0.0.1}\n";
    let name = "kw-test-config";
    keywitness(&["cluster", "up", name, "--kind-config", "kind.yaml"], image, home.path())
        .file("kind.yaml", config)
        .run()
        .expect_exit(0);
    let kept = Kept { name, image, home: home.path() };
    let ports = lines(&["port", &format!("{name}-control-plane")]);
    assert!(ports.iter().any(|line| line.starts_with("30080/tcp -> 127.0.0.1:")), "{ports:?}");
    let etcd: Vec<_> = ports.iter().filter(|line| line.starts_with("2379/tcp")).collect();
    assert!(etcd.len() == 1 && etcd[0].contains("127.0.0.1:"), "etcd is published here only: {ports:?}");
    drop(kept);
}
