//! A real kube-apiserver in place of our own API, with our controllers and node agent as its clients.

use std::path::{Path, PathBuf};

use crate::harness::{self, Test, need};
use crate::live::Live;

/// `KEYWITNESS_TEST_APISERVER`, or the one of envtest's folder.
fn apiserver() -> Option<PathBuf> {
    let named = std::env::var_os("KEYWITNESS_TEST_APISERVER").map(PathBuf::from);
    let assets = || Some(PathBuf::from(std::env::var_os("KUBEBUILDER_ASSETS")?).join("kube-apiserver"));
    named.or_else(assets).filter(|path| path.is_file())
}

macro_rules! need_apiserver {
    () => {
        match apiserver() {
            Some(path) => path,
            None => {
                harness::record_skip(
                    module_path!(),
                    "kube-apiserver",
                    "neither KEYWITNESS_TEST_APISERVER nor KUBEBUILDER_ASSETS leads to a kube-apiserver",
                );
                return;
            }
        }
    };
}

#[test]
fn the_first_lab_passes_over_a_real_kube_apiserver() {
    need!("etcd", "kubectl", "etcdctl");
    let apiserver = need_apiserver!();
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs/first-look/README.md");
    let text = std::fs::read_to_string(lab).expect("the lab");
    let path = apiserver.display().to_string();
    let args = ["test", "first-look", "--on", "sandbox", "--apiserver", &path];
    let done = Test::new(&args).file("first-look/README.md", &text).run().expect_exit(0);
    let version = std::process::Command::new(&apiserver).arg("--version").output().expect("it tells its version");
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    assert!(done.stdout().contains(&version), "{version} is not named:\n{}", done.stdout());

    // envtest's convention leads to the same.
    let folder = apiserver.parent().expect("a folder").display().to_string();
    if Path::new(&folder).join("kube-apiserver").is_file() {
        let done = Test::new(&["run", "first-look", "--on", "sandbox"])
            .file("first-look/README.md", &text)
            .env("KUBEBUILDER_ASSETS", &folder)
            .run()
            .expect_exit(0);
        assert!(done.stdout().contains(&version), "{version} is not named:\n{}", done.stdout());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_and_node_agent_work_against_a_real_kube_apiserver() {
    need!("etcd", "kubectl");
    let apiserver = need_apiserver!().display().to_string();
    let live = Live::start(&["--apiserver", &apiserver]).await;
    live.kubectl(&["create", "deployment", "web", "--image=nginx:1.27", "--replicas=2"]);
    live.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    live.kubectl(&["set", "image", "deployment/web", "nginx=nginx:1.28"]);
    live.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let sets = live.get(&["replicasets"]);
    assert_eq!(sets["items"].as_array().map(Vec::len), Some(2), "{sets:#}");
    live.kubectl(&["create", "job", "once", "--image=busybox", "--", "true"]);
    live.kubectl(&["wait", "--for=condition=complete", "job/once", "--timeout=60s"]);
    live.kubectl(&["delete", "deployment", "web", "--cascade=foreground", "--timeout=60s"]);
    assert!(live.get(&["replicasets"]).is_null());
    live.kubectl(&["create", "namespace", "team"]);
    live.until(&["serviceaccount", "default", "-n", "team"], |account| !account.is_null());
    live.kubectl(&["create", "configmap", "one", "-n", "team"]);
    live.kubectl(&["delete", "namespace", "team", "--timeout=60s"]);
    live.stop().await;
}

#[test]
fn what_is_no_kube_apiserver_is_named() {
    need!("etcd", "kubectl");
    let text = "---\ntitle: T\nclusters: [sandbox]\n---\n# T\n\n## S\n\n```bash\ntrue\n```\n";
    let done = Test::new(&["run", "t", "--apiserver", "/bin/true"]).file("t/README.md", text).run().expect_exit(3);
    let told = done.stdout() + &done.stderr();
    assert!(told.contains("/bin/true is no kube-apiserver"), "{told}");
}
