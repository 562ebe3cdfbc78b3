//! Programs that draw the whole screen, editors and shells elsewhere.

use super::{learning, leave};
use crate::harness::need;

fn at_prompt(screen: &str) -> bool {
    screen.trim_end().ends_with(") lab$")
}

#[test]
fn editors_and_monitors_work_inside() {
    need!("tmux", "etcd", "etcdctl", "kubectl", "vi", "top");
    let window = learning("first-look", 90, 30);
    window.line("vi -u NONE ~/written");
    window.wait_until("the editor", |screen| screen.contains("~\n~"));
    window.keys(&["i"]);
    window.text("from the editor");
    // In the middle of it the window grows.
    window.resize(100, 32);
    window.keys(&["Escape"]);
    window.line(":wq");
    window.wait_until("the prompt", at_prompt);
    assert!(window.command("cat ~/written; stty size").contains("\nfrom the editor\n32 100"));
    window.line("top");
    window.wait("load average");
    window.keys(&["q"]);
    window.wait_until("the prompt", at_prompt);
    // kubectl starts the editor by itself.
    window.command("kubectl -n default create configmap edited --from-literal=a=1");
    window.line("KUBE_EDITOR='vi -u NONE' kubectl -n default edit configmap edited");
    window.wait("apiVersion");
    window.line(":%s/a: \"1\"/a: \"2\"/");
    window.line(":wq");
    window.wait("configmap/edited edited");
    window.wait_until("the prompt", at_prompt);
    assert!(window.command("kubectl -n default get configmap edited -o jsonpath={.data.a}; echo").contains("\n2"));
    leave(&window, "n");
}

#[test]
fn a_command_in_a_pod_has_a_terminal() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let window = learning("first-look", 90, 30);
    window.line("kubectl -n kube-system exec -it \"$LAB_ETCD_POD\" -- etcdctl version");
    window.wait("etcdctl version: ");
    window.wait_until("the prompt", at_prompt);
    // It is left by Ctrl-C as anywhere.
    window.line("kubectl -n kube-system exec -it \"$LAB_ETCD_POD\" -- etcdctl watch --prefix /registry/namespaces/");
    window.wait_until("the watch", |screen| !at_prompt(screen));
    window.keys(&["C-c"]);
    window.wait_until("the prompt", at_prompt);
    assert!(window.command("echo \"$((40 + 2)) again\"").contains("\n42 again"));
    leave(&window, "n");
}
