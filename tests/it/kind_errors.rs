//! Each way in which a kind cluster fails to come up is one clear message and exit status 3, and leaves nothing.
//! `KEYWITNESS_BLESS=1` writes the golden files anew.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::fake_engine::Engine;
use crate::harness::{Done, Test};

const IMAGE: &str = "kindest/node:v1.36.1";
/// What is said is independent of the machine: tools and engine are the test's own.
const KIND: &str = "#!/bin/sh\nif [ \"$1\" = version ]; then echo 'kind v0.30.0 go1.24.6 linux/amd64'; exit; fi\n";

struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    /// A kind that says and does what `rest` of its script says.
    fn new(rest: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        // Another user must be able to come this far.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("opened");
        let machine = Self { dir };
        machine.program("kind", &format!("{KIND}{rest}"));
        machine.program("kubectl", "#!/bin/sh\n");
        machine
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    fn up(&self, args: &[&str]) -> Test {
        let text = |name: &str| self.path().join(name).display().to_string();
        Test::new(&[&["cluster", "up", "labs"], args].concat())
            .env("DOCKER_HOST", &format!("unix://{}", text("docker.sock")))
            .env("HOME", &text(""))
            .env("XDG_STATE_HOME", &text("state"))
            .env("KEYWITNESS_KIND", &text("kind"))
            .env("KEYWITNESS_KUBECTL", &text("kubectl"))
            .env("KEYWITNESS_NODE_IMAGE", IMAGE)
    }

    #[track_caller]
    fn golden(&self, case: &str, done: &Done) {
        let text = done.stderr().replace(&self.path().display().to_string(), "[DIR]");
        let times = regex::Regex::new(r" +\d+\.\d s\b").expect("a regex");
        let text = times.replace_all(&text, " [TIME]");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/kind/{case}.stderr"));
        if std::env::var_os("KEYWITNESS_BLESS").is_some() {
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(&file, text.as_bytes()).expect("the golden file is written");
        }
        assert_eq!(text, fs::read_to_string(&file).unwrap_or_default(), "{case}");
        assert_eq!((done.stdout().as_str(), done.exit()), ("", Some(3)), "{case}");
        assert!(!self.path().join("state").exists(), "a cluster that never was is not remembered");
    }
}

#[test]
fn the_engine_is_stopped() {
    let machine = Machine::new("");
    drop(std::os::unix::net::UnixListener::bind(machine.path().join("docker.sock")).expect("bound"));
    machine.golden("engine-stopped", &machine.up(&[]).run());
}

#[test]
fn there_is_no_engine() {
    let machine = Machine::new("");
    machine.golden("engine-absent", &machine.up(&[]).run());
}

#[test]
fn the_socket_may_not_be_opened() {
    let machine = Machine::new("");
    let socket = Engine::new().serve(machine.path());
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).expect("closed");
    let test = machine.up(&[]);
    let done = if nix::unistd::geteuid().is_root() {
        // Root may open everything: let somebody else try.
        test.run_as(65534)
    } else {
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o0)).expect("closed");
        test.run()
    };
    machine.golden("socket-denied", &done);
}

#[test]
fn a_kubeconfig_that_could_not_be_written_is_said_before_anything_is_made() {
    let machine = Machine::new("");
    let engine = Engine::new();
    engine.serve(machine.path());
    let mine = machine.path().join("mine.kubeconfig");
    fs::write(&mine, "mine").expect("written");
    let nowhere = machine.path().join("nowhere/kubeconfig");
    for (case, file) in [("kubeconfig-is-there", &mine), ("kubeconfig-nowhere", &nowhere)] {
        machine.golden(case, &machine.up(&["--kubeconfig", &file.display().to_string()]).run());
    }
    assert_eq!(fs::read_to_string(&mine).expect("it is there"), "mine");
    assert_eq!(engine.changes(), [""; 0], "no network or node was made");
}

#[test]
fn a_kube_apiserver_is_no_part_of_a_kind_cluster() {
    let machine = Machine::new("");
    let done = machine.up(&["--apiserver", "kube-apiserver"]).run();
    assert!(done.stderr().contains("--apiserver is for sandboxes"), "{}", done.stderr());
    assert_eq!(done.exit(), Some(2));
}

#[test]
fn the_image_is_missing_and_there_is_no_network() {
    let machine = Machine::new("");
    let mut engine = Engine::new();
    // As dockerd says it on a machine without a network.
    engine.pulls = vec!["{\"message\":\"\",\"errorDetail\":{\"message\":\"Get \\\"https://registry-1.docker.io/v2/\\\": \
                   dial tcp: lookup registry-1.docker.io on 127.0.0.53:53: no such host\"},\"error\":\"no such host\"}\n"
        .to_owned()];
    engine.serve(machine.path());
    machine.golden("image-missing", &machine.up(&[]).run());
    assert_eq!(engine.changes(), ["POST /images/create"], "no network or node was made");
}

/// The second pull has the first one's layer already, as the engine then says.
#[test]
fn a_pull_that_broke_off_is_taken_up_again() {
    let machine = Machine::new("echo 'ERROR: no more than the image was wanted' >&2\nexit 1\n");
    let mut engine = Engine::new();
    let line = |layer: &str, status: &str, detail: &str| {
        format!("{{\"status\":\"{status}\",\"progressDetail\":{{{detail}}},\"id\":\"{layer}\"}}\n")
    };
    let broken = [
        line("1b2ca6ff3be5", "Pulling fs layer", ""),
        line("6cb19a1f5f87", "Pulling fs layer", ""),
        line("1b2ca6ff3be5", "Pull complete", ""),
        line("6cb19a1f5f87", "Downloading", "\"current\":1000000,\"total\":400000000"),
        "{\"errorDetail\":{\"message\":\"unexpected EOF\"},\"error\":\"unexpected EOF\"}\n".to_owned(),
    ];
    let whole = [
        line("1b2ca6ff3be5", "Already exists", ""),
        line("6cb19a1f5f87", "Downloading", "\"current\":400000000,\"total\":400000000"),
        line("6cb19a1f5f87", "Pull complete", ""),
        "{\"status\":\"Status: Downloaded newer image\"}\n".to_owned(),
    ];
    engine.pulls = vec![broken.concat(), whole.concat()];
    engine.serve(machine.path());
    machine.golden("pull-resumed", &machine.up(&[]).run());
}

#[test]
fn kind_is_too_old() {
    let machine = Machine::new("");
    machine.program("kind", "#!/bin/sh\necho 'kind v0.17.0 go1.19.2 linux/amd64'\n");
    Engine::new().serve(machine.path());
    machine.golden("kind-old", &machine.up(&[]).run());
}

#[test]
fn kind_is_missing() {
    let machine = Machine::new("");
    fs::remove_file(machine.path().join("kind")).expect("removed");
    Engine::new().serve(machine.path());
    machine.golden("kind-missing", &machine.up(&[]).run());
}

#[test]
fn kubectl_is_missing() {
    let machine = Machine::new("");
    fs::remove_file(machine.path().join("kubectl")).expect("removed");
    Engine::new().serve(machine.path());
    machine.golden("kubectl-missing", &machine.up(&[]).run());
}

#[test]
fn the_engine_is_too_old() {
    let machine = Machine::new("");
    let mut engine = Engine::new();
    engine.version = "19.3.8".to_owned();
    engine.serve(machine.path());
    machine.golden("engine-old", &machine.up(&[]).run());
}

/// The words of the real kind and the real dockerd, where a port of the user's configuration was taken.
#[test]
fn a_port_is_taken() {
    failed_creation(
        "port-taken",
        " • Preparing nodes 📦   ...
 ✗ Preparing nodes 📦
ERROR: failed to create cluster: command \"docker run --name labs-control-plane --hostname labs-control-plane --privileged --publish=0.0.0.0:18080:80/TCP kindest/node:v1.36.1\" failed with error: exit status 125

Command Output: 095f4f028fab94a1ac733d0a4264d9fc361c607bd53324ff1f317ab872ca26bb
docker: Error response from daemon: driver failed programming external connectivity on endpoint labs-control-plane (f3bc65e6): Error starting userland proxy: listen tcp4 0.0.0.0:18080: bind: address already in use

Run 'docker run --help' for more information",
        &[],
    );
}

/// The words of the real kind and a real dockerd whose data lay on a small tmpfs.
#[test]
fn the_disk_is_full() {
    failed_creation(
        "disk-full",
        " • Preparing nodes 📦   ...
 ✗ Preparing nodes 📦
ERROR: failed to create cluster: command \"docker run --name labs-control-plane --hostname labs-control-plane --privileged --tmpfs /tmp kindest/node:v1.36.1\" failed with error: exit status 125

Command Output: 19fdc3b1ee106fa32ea1af30e8a328cc98a23da1b12c26352528f1071557e22c
docker: Error response from daemon: failed to write resolv.conf hash file when setting up dns for sandbox fda0b614: write /var/lib/docker/containers/19fdc3b1/resolv.conf.hash: no space left on device

Run 'docker run --help' for more information",
        &[],
    );
}

#[test]
fn the_node_did_not_come_up_and_its_last_words_tell_why() {
    failed_creation(
        "inotify",
        " • Preparing nodes 📦   ...
 ✗ Preparing nodes 📦
ERROR: failed to create cluster: could not find a log line that matches \"Reached target .*Multi-User System.*|detected cgroup v1\"",
        &[("labs-control-plane", "Welcome to Debian GNU/Linux 12 (bookworm)!\nFailed to create control group inotify object: Too many open files\nFailed to allocate manager object: Too many open files\n[!!!!!!] Failed to allocate manager object.\n")],
    );
}

/// As haproxy ended on a machine with a low limit: the nodes themselves had nothing to tell.
#[test]
fn the_load_balancer_ended_and_tells_why() {
    failed_creation(
        "balancer",
        " • Configuring the external load balancer ⚖️  ...
 ✗ Configuring the external load balancer ⚖️
ERROR: failed to create cluster: failed to copy loadbalancer config to node: failed to create directory /usr/local/etc/haproxy: command \"docker exec --privileged labs-external-load-balancer mkdir -p /usr/local/etc/haproxy\" failed with error: exit status 1
Command Output: Error response from daemon: Container eefdcb40d048 is not running",
        &[
            ("labs-control-plane", "Reached target Multi-User System.\n"),
            ("labs-external-load-balancer", "[ALERT]    (1) : [haproxy.main()] Cannot raise FD limit to 200028, limit is 20000.\n"),
        ],
    );
}

#[track_caller]
fn failed_creation(case: &str, said: &str, nodes: &[(&str, &str)]) {
    let machine = Machine::new(&format!("cat >&2 <<'END'\nCreating cluster \"labs\" ...\n{said}\nEND\nexit 1\n"));
    let mut engine = Engine::new();
    engine.images.push(IMAGE.to_owned());
    engine.nodes.extend(nodes.iter().map(|(name, log)| ((*name).to_owned(), (*log).to_owned())));
    engine.serve(machine.path());
    machine.golden(case, &machine.up(&[]).run());
    let removed = engine.changes();
    assert!(removed.contains(&"DELETE /networks/labs".to_owned()), "{removed:?}");
    for (name, _) in nodes {
        assert!(removed.contains(&format!("DELETE /containers/{name}")), "{removed:?}");
    }
}
