//! `lab terminal` where the window can be split; and what is asked in one terminal is not agreed to in another.

use std::os::unix::fs::PermissionsExt as _;

use super::window::Window;
use super::{begin, learning, leave};
use crate::harness::need;

fn at_prompt(screen: &str) -> bool {
    screen.trim_end().ends_with("(first-look 1/8) lab$")
}

/// In the pane that `lab terminal` has made: the same lab, until it is left.
fn the_new_pane_is_of_the_lab(window: &Window) {
    window.line("lab terminal");
    window.wait_for_panes(2);
    window.wait_until("the greeting of a further terminal", |screen| screen.contains("step 1 of 8, Find the etcd pod"));
    window.wait_until("its prompt", at_prompt);
    assert!(window.command("kubectl get namespace kube-system -o name").contains("\nnamespace/kube-system\n"));
}

fn the_new_pane_is_left(window: &Window) {
    window.line("exit");
    window.wait_for_panes(1);
    window.wait_until("the first prompt", at_prompt);
}

#[test]
fn in_tmux_a_further_terminal_splits_the_window_and_agrees_to_nothing_asked_elsewhere() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let window = learning("first-look", 100, 50);
    assert!(window.command("lab skip").contains("costs its"));
    the_new_pane_is_of_the_lab(&window);
    // Asked about in the other terminal: here it has not been.
    assert!(window.command("lab skip").contains("costs its"));
    the_new_pane_is_left(&window);
    // And what this terminal was asked is not the last thing any more.
    assert!(window.command("lab skip").contains("costs its"));
    window.command("lab hint");
    assert!(window.command("lab skip").contains("costs its"), "another word came between");
    assert!(window.command("lab skip").contains("Step 2 of 8"));
    leave(&window, "n");
}

/// What `zellij run` does with what `lab terminal` asks it for, done by the tmux around this test.
fn zellij(server: &str) -> String {
    format!(
        "#!/bin/sh\n[ \"$1 $2 $3\" = 'run --close-on-exit --' ] || {{ echo \"not zellij's: $*\"; exit 2; }}\nshift 3\n\
         exec tmux -L {server} split-window -- \"$@\"\n"
    )
}

#[test]
fn in_zellij_a_further_terminal_is_a_new_pane() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let window = Window::open(100, 50);
    std::fs::write(window.home().join(".bashrc"), super::BASHRC).expect("written");
    let bin = window.home().join("bin");
    std::fs::create_dir(&bin).expect("made");
    let program = bin.join("zellij");
    std::fs::write(&program, zellij(window.server())).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    window.line("export ZELLIJ=0 PATH=\"$HOME/bin:$PATH\"; unset TMUX");
    begin(&window, "first-look");
    the_new_pane_is_of_the_lab(&window);
    the_new_pane_is_left(&window);
    leave(&window, "n");
}

#[test]
fn elsewhere_it_says_what_to_type() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let window = Window::open(100, 50);
    std::fs::write(window.home().join(".bashrc"), super::BASHRC).expect("written");
    window.line("unset TMUX ZELLIJ");
    begin(&window, "first-look");
    assert!(window.command("lab terminal").contains("Open another terminal window, and type: keywitness shell"));
    leave(&window, "n");
}
