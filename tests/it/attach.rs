//! The cluster that the learner has: each way to its etcd, and what is asked before anything is done to it. The
//! cluster is a real kind's, with `KEYWITNESS_NODE_IMAGE` or a stand-in as its node.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::containers::{engine, eventually, keywitness, lab, lines, need_engine, traces};
use crate::harness::{Done, Test};

/// Something is created, seen by the watch, and removed.
const BODY: &str = "```bash {name=create}\nkubectl create namespace attached\n```\n\
    ```check\nevents /registry/namespaces/attached\n  PUT where object.status.phase == \"Active\"\n```\n\n\
    ```bash {name=count}\netcdctl get /registry/namespaces/attached --keys-only | sed '/^$/d'\n```\n\
    ```check\noutput count contains \"/registry/namespaces/attached\"\n```\n\n\
    ```bash {cleanup}\nkubectl delete namespace attached\n```";

struct Cluster {
    name: &'static str,
    image: &'static str,
    home: tempfile::TempDir,
}

impl Cluster {
    fn up(name: &'static str, image: &'static str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        keywitness(&["cluster", "up", name], image, home.path()).run().expect_exit(0);
        Self { name, image, home }
    }

    fn kubeconfig(&self) -> String {
        self.home.path().join("state/keywitness/clusters").join(self.name).join("kubeconfig").display().to_string()
    }

    fn attach(&self, args: &[&str]) -> Test {
        self.run(args, "lab.md")
    }

    fn run(&self, args: &[&str], lab: &str) -> Test {
        let kubeconfig = self.kubeconfig();
        let all = [&["run", "--on", "attach", "-v", "--kubeconfig", &kubeconfig], args, &[lab]].concat();
        keywitness(&all, self.image, self.home.path()).file("lab.md", &crate::containers::lab("", BODY))
    }

    /// etcd's certificates, copied by hand.
    fn pki(&self) -> String {
        let into = self.home.path().join("pki");
        if !into.exists() {
            let from = format!("{}-control-plane:/etc/kubernetes/pki/etcd", self.name);
            assert!(engine(&["cp", &from, &into.display().to_string()]).status.success());
        }
        into.display().to_string()
    }

    fn published(&self) -> String {
        let found = lines(&["port", &format!("{}-control-plane", self.name), "2379/tcp"]);
        format!("https://{}", found.first().expect("etcd's port is published"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(keywitness(&["cluster", "down", self.name], self.image, self.home.path()).run());
        if !std::thread::panicking() {
            assert_eq!(traces(self.name), [""; 0]);
        }
    }
}

/// A machine on which the node is no container: as with kubeadm elsewhere.
fn without_engine(test: Test) -> Test {
    test.env("DOCKER_HOST", "unix:///nonexistent.sock").env("CONTAINER_HOST", "unix:///nonexistent.sock")
}

#[track_caller]
fn passed_by(test: Test, route: &str, checks: &str) {
    let done = test.run().expect_exit(0);
    let said = done.stdout();
    assert!(
        said.lines().any(|line| line.trim_start().starts_with("etcd:") && line.contains(route)),
        "{route}:\n{said}"
    );
    assert!(said.contains(checks), "{said}");
}

#[track_caller]
fn refused(done: &Done, exit: i32, parts: &[&str]) {
    let said = format!("{}{}", done.stdout(), done.stderr());
    assert_eq!(done.exit(), Some(exit), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[test]
fn each_of_the_four_ways_to_etcd() {
    let image = need_engine!();
    let cluster = Cluster::up("kw-test-attach", image);
    let pki = cluster.pki();
    let file = |name: &str| format!("{pki}/{name}");
    let (ca, cert, key) = (file("ca.crt"), file("healthcheck-client.crt"), file("healthcheck-client.key"));
    let certificates = ["--etcd-cacert", &ca, "--etcd-cert", &cert, "--etcd-key", &key];
    let config = fs::read(cluster.kubeconfig()).expect("there");

    let endpoint = cluster.published();
    let given = [&["--yes", "--etcd-endpoint", &endpoint][..], &certificates].concat();
    let by_hand = [&["--yes"][..], &certificates].concat();
    let first_look = concat!(env!("CARGO_MANIFEST_DIR"), "/labs/first-look");
    let ways = [
        (without_engine(cluster.run(&given, first_look)), "as the flags say"),
        (cluster.run(&["--yes"], first_look), "the published port of the node's container"),
        (without_engine(cluster.run(&by_hand, first_look)), "forwarded through the API"),
        (without_engine(cluster.run(&["--yes"], first_look)), "etcdctl inside the pod"),
    ];
    for (test, route) in ways {
        passed_by(test, route, "17 checks, all proved");
    }

    // Nothing but what the lab did: what has a name is as it was.
    assert_eq!(fs::read(cluster.kubeconfig()).expect("there"), config);

    let elsewhere = ["--yes", "--etcd-endpoint", "https://127.0.0.1:1"];
    refused(
        &cluster.attach(&[&elsewhere[..], &certificates].concat()).run(),
        3,
        &["--etcd-endpoint https://127.0.0.1:1"],
    );
    refused(
        &cluster.attach(&[]).run(),
        3,
        &["there is no terminal to ask on", "kubectl create namespace attached", "--yes"],
    );
    refused(
        &cluster.attach(&["--yes", "--context", "other"]).run(),
        3,
        &["has no context other", "kind-kw-test-attach"],
    );

    // A context that looks like production has to be named.
    let live = fs::read_to_string(cluster.kubeconfig()).expect("text").replace("kind-kw-test-attach", "acme-prod");
    let live_file = cluster.home.path().join("live");
    fs::write(&live_file, live).expect("written");
    let live_file = live_file.display().to_string();
    let at = |args: &[&str]| {
        let all = [&["run", "--on", "attach", "-v", "--yes", "--kubeconfig", &live_file], args, &["lab.md"]].concat();
        keywitness(&all, image, cluster.home.path()).file("lab.md", &lab("", BODY))
    };
    refused(&at(&[]).run(), 3, &["acme-prod", "looks like production", "--context acme-prod"]);
    passed_by(at(&["--context", "acme-prod"]), "the published port", "2 checks");
}

#[test]
fn a_context_switch_during_the_lab_has_no_effect() {
    let image = need_engine!();
    let cluster = Cluster::up("kw-test-switch", image);
    // The lab itself switches the context of the file that it was attached by, as a learner might elsewhere.
    let own = cluster.home.path().join("own");
    fs::copy(cluster.kubeconfig(), &own).expect("copied");
    let own = own.display().to_string();
    let body = format!(
        "```bash\nkubectl --kubeconfig {own} config set-context elsewhere --cluster=none --user=none\n\
         kubectl --kubeconfig {own} config use-context elsewhere\n```\n\n{BODY}"
    );
    keywitness(&["run", "--on", "attach", "--yes", "--kubeconfig", &own, "lab.md"], image, cluster.home.path())
        .file("lab.md", &lab("", &body))
        .run()
        .expect_exit(0);
    assert!(fs::read_to_string(&own).expect("text").contains("current-context: elsewhere"));
}

/// The stand-in started by hand with minikube's paths and labels: nothing of kind, and no port published.
#[test]
fn a_node_like_minikubes() {
    let image = need_engine!();
    if std::env::var("KEYWITNESS_NODE_IMAGE").is_ok_and(|image| !image.is_empty()) {
        crate::harness::record_skip(module_path!(), "the stand-in", "only the stand-in starts without kind");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let name = "kw-test-minikube";
    let node = Minikube::start(name, image, home.path());
    let kubeconfig = node.kubeconfig.display().to_string();
    let attach = |args: &[&str]| {
        let all = [&["run", "--on", "attach", "-v", "--yes", "--kubeconfig", &kubeconfig], args, &["lab.md"]].concat();
        keywitness(&all, image, home.path()).file("lab.md", &lab("", BODY))
    };
    passed_by(attach(&[]), "the own address of the node's container kw-test-minikube", "2 checks");
    passed_by(without_engine(attach(&[])), "etcdctl inside the pod", "2 checks");
    let paths = "On the node:\n\n```bash {name=paths in=node}\necho \"$LAB_ETCD_PKI $LAB_ETCD_DATA\"\nls \"$LAB_ETCD_PKI/ca.crt\"\n```\n\
                 ```check\noutput paths contains \"/var/lib/minikube/certs/etcd /var/lib/minikube/etcd\"\n```";
    keywitness(&["run", "--on", "attach", "--yes", "--kubeconfig", &kubeconfig, "paths.md"], image, home.path())
        .file("paths.md", &lab("", paths))
        .run()
        .expect_exit(0);

    // A lab of the course, and the block of the course for those who follow by hand.
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs");
    let first = labs.join("first-look").display().to_string();
    let pki = "PKI=/var/lib/minikube/certs/etcd";
    keywitness(
        &["test", "--on", "attach", "--yes", "--kubeconfig", &kubeconfig, "--var", pki, &first],
        image,
        home.path(),
    )
    .run()
    .expect_exit(0);
    let page = fs::read_to_string(labs.join("README.md")).expect("the course's overview");
    let block = page.split("```bash\n").find(|block| block.contains("LAB_ETCD_POD=")).expect("the block to paste");
    let block = block.split("```").next().expect("the block's text");
    let script = format!("{block}\netcdctl endpoint health 2>&1 && echo \"$LAB_ETCD_PKI $LAB_ETCD_DATA\"");
    let tools = crate::harness::tool("kubectl").expect("needed above");
    let folder = tools.parent().expect("a folder").display().to_string();
    let done = std::process::Command::new("bash")
        .args(["--noprofile", "--norc", "-c", &script])
        .env("PATH", format!("{folder}:{}", std::env::var("PATH").unwrap_or_default()))
        .env("HOME", home.path())
        .env("KUBECONFIG", &kubeconfig)
        .stdin(Stdio::null())
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        said.contains("is healthy") && said.contains("/var/lib/minikube/certs/etcd /var/lib/minikube/etcd"),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

struct Minikube {
    name: &'static str,
    kubeconfig: std::path::PathBuf,
}

impl Minikube {
    fn start(name: &'static str, image: &str, home: &Path) -> Self {
        let kubeconfig = home.join("minikube");
        let this = Self { name, kubeconfig };
        let labels = ["created_by.minikube.sigs.k8s.io=true".to_owned(), format!("name.minikube.sigs.k8s.io={name}")];
        let mut args =
            vec!["run", "--detach", "--privileged", "--hostname", name, "--name", name, "--publish", "127.0.0.1::6443"];
        for label in &labels {
            args.extend(["--label", label]);
        }
        let tmpfs = ["--tmpfs", "/run", "--tmpfs", "/tmp", "--volume", "/var"];
        args.extend(tmpfs);
        args.push(image);
        let started = engine(&args);
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        // As minikube's own kubeadm configuration would have it.
        let init = "address=$(hostname -i); mkdir -p /kind; printf 'apiServer:\\n  certSANs:\\n  - 127.0.0.1\\n---\\nlocalAPIEndpoint:\\n  \
                    advertiseAddress: %s\\n' \"${address%% *}\" >/kind/kubeadm.conf; \
                    STAND_IN_PKI=/var/lib/minikube/certs STAND_IN_DATA=/var/lib/minikube/etcd kubeadm init";
        let init = engine(&["exec", name, "bash", "-c", init]);
        assert!(
            init.status.success(),
            "{}{}",
            String::from_utf8_lossy(&init.stdout),
            String::from_utf8_lossy(&init.stderr)
        );
        let admin = engine(&["exec", name, "cat", "/etc/kubernetes/admin.conf"]).stdout;
        let port = lines(&["port", name, "6443/tcp"]).remove(0);
        let server = regex::Regex::new("server: https://.*").expect("a regex");
        let text = server.replace(&String::from_utf8_lossy(&admin), format!("server: https://{port}")).into_owned();
        fs::write(&this.kubeconfig, text).expect("written");
        eventually("its nodes are listed", std::time::Duration::from_secs(60), || {
            let kubectl = crate::harness::tool("kubectl").expect("needed above");
            let ready = std::process::Command::new(kubectl)
                .args(["--kubeconfig", &this.kubeconfig.display().to_string(), "get", "serviceaccount", "default"])
                .stderr(Stdio::null())
                .output();
            ready.is_ok_and(|output| output.status.success())
        });
        this
    }
}

impl Drop for Minikube {
    fn drop(&mut self) {
        drop(engine(&["rm", "-f", "-v", self.name]));
    }
}
