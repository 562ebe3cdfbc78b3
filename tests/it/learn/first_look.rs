//! The first lab, from start to finish by typing, with everything that may happen on the way.

use super::window::Window;
use super::{begin, learning, leave};
use crate::harness::need;

#[track_caller]
fn has(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "no {wanted:?} in:\n{text}");
    }
}

const CREATE: &str = "kubectl create namespace \"$NAMESPACE\"";
const KEYS: &str = "etcdctl get /registry/namespaces/ --prefix --keys-only";

#[test]
fn a_lab_is_learned_from_start_to_finish() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let window = learning("first-look", 100, 40);
    has(&window.everything(), &["A first look into etcd", "Step 1 of 8 · Find the etcd pod", "lab answer NUMBER"]);

    // Green within one prompt.
    let find = window.command("kubectl -n kube-system get pods -l component=etcd");
    has(&find, &["✓ find prints \"Running\"", "step 1 of 8 · 2 of 2 · 1 question"]);

    has(&window.command("lab answer 1"), &["✗"]);
    has(&window.command("lab answer 2"), &["✓"]);
    has(&window.command("lab nxet"), &["did you mean `next`?"]);
    has(&window.command("lab next"), &["Step 2 of 8 · Run etcdctl in it"]);

    let why = window.command("lab why");
    has(&why, &["version prints"]);
    window.command("kubectl -n kube-system exec \"$LAB_ETCD_POD\" -- etcdctl version");
    has(&window.command("lab next"), &["Step 3 of 8"]);

    window.command("lab run in-pod");
    window.wait("✓ in-pod prints \"/registry/namespaces/kube-system\"");
    has(&window.command("etcdctl get / --prefix --keys-only | grep -c '^/registry/'"), &["✓ of what count prints"]);
    has(&window.command("lab answer /registry/pods/web"), &["✗"]);
    has(&window.command("lab answer /registry/pods/shop/web"), &["✓"]);
    has(&window.command("lab next"), &["Step 4 of 8"]);

    window.command("lab run node-key");
    window.wait("✓ node-key prints");
    window.command("lab run first-bytes");
    window.wait("done:");
    has(&window.command("lab next"), &["Step 5 of 8"]);

    // It turns back when it is broken.
    let create = window.command(CREATE);
    has(&create, &["✓ etcd holds the key /registry/namespaces/demo"]);
    window.command(KEYS);
    window.command("kubectl delete namespace demo");
    window.wait("✗ no longer so: etcd holds the key /registry/namespaces/demo");
    has(&window.command("lab why"), &["○ etcd holds the key /registry/namespaces/demo"]);
    has(&window.command(CREATE), &["✓ etcd holds the key /registry/namespaces/demo"]);

    // Back to the start of the step: the namespace has never been.
    has(&window.command("lab reset"), &["Back at the start of this step", "Step 5 of 8"]);
    has(&window.command("kubectl get namespace demo"), &["NotFound"]);
    window.command(CREATE);
    window.command(KEYS);
    window.wait("done:");
    has(&window.command("lab next"), &["Step 6 of 8"]);

    // Left and taken up again, with the same names and objects.
    leave(&window, "y");
    has(&window.everything(), &["takes it up again", " points · "]);
    begin(&window, "first-look");
    has(&window.everything(), &["You go on where you were", "Step 6 of 8 · Watch a write arrive"]);
    has(&window.command("kubectl get namespace \"$NAMESPACE\""), &["demo", "Active"]);

    has(&window.command("lab hint"), &["Hint 1 of 2 · nothing arrives?"]);
    has(&window.command("lab run watcher"), &["It runs on beside this shell"]);
    the_typed_line_stays(&window);
    window.wait("done:");
    has(&window.command("lab next"), &["Step 7 of 8"]);
    window.command("lab next");
    let end = window.command("lab next");
    has(&end, &["last step"]);
    window.wait("✓ A first look into etcd");
    has(&window.everything(), &["1 hint", "2 wrong answers", "To hand in: ", "finished.handin"]);
    has(&window.command("lab hand-in mine.handin"), &["goes with the session"]);
    has(
        &window.command("lab hand-in ~/mine.handin"),
        &["Written, to be handed in, with ", "keywitness learn --name NAME"],
    );
    has(&window.command("lab hand-in ~/mine.handin"), &["exists already"]);
    let lab = super::labs().join("first-look");
    let verify = format!("{} verify --lab {} ~/mine.handin", env!("CARGO_BIN_EXE_keywitness"), lab.display());
    has(&window.command(&verify), &["as handed in"]);
    window.line("lab quit");
    window.wait("[Y/n]");
    window.line("n");
    window.wait_until("the outer prompt", |screen| screen.trim_end().ends_with("outer$"));
}

/// What turns green because of another terminal is told above what is being typed here.
fn the_typed_line_stays(window: &Window) {
    let other = Window::beside(window.home(), 80, 24);
    other.line(&format!("{} shell first-look", env!("CARGO_BIN_EXE_keywitness")));
    other.wait_until("its prompt", |screen| screen.trim_end().ends_with("(first-look 6/8) lab$"));
    window.text("echo half of it");
    window.wait("echo half of it");
    other.command("kubectl label namespace \"$NAMESPACE\" purpose=demo");
    let screen = window.wait_until("what turned", |screen| {
        screen.contains("✓ etcd sees /registry/namespaces/demo written") && screen.contains("of 4")
    });
    assert!(screen.trim_end().ends_with("(first-look 6/8) lab$ echo half of it"), "{screen}");
    has(&window.command(", still"), &["echo half of it, still\nhalf of it, still"]);
    leave_other(&other);
}

fn leave_other(other: &Window) {
    other.line("exit");
    other.wait_until("the outer prompt", |screen| screen.trim_end().ends_with("outer$"));
}
