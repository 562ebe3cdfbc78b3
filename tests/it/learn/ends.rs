//! However it ends, the terminal is as it was; and it can be stopped and go on.

use std::process::Command;

use super::window::Window;
use super::{learning, leave};
use crate::harness::need;

/// The process of the learner's session: the child of the window's own shell.
fn process_of(window: &Window) -> String {
    let live = live(&window.home().join("state/keywitness/sessions"));
    let text = std::fs::read_to_string(live).expect("the session says where it is");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    value["process"].to_string()
}

fn live(sessions: &std::path::Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(sessions).expect("sessions").flatten();
    entries.map(|entry| entry.path().join("live.json")).find(|file| file.exists()).expect("one is live")
}

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, process]).status().expect("kill is there").success());
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let window = learning("first-look", 80, 24);
    leave(&window, "y");
    let before = window.settings();
    for end in ["exit", "quit", "-TERM", "-HUP", "-TERM in less"] {
        super::begin(&window, "first-look");
        match end {
            "exit" => leave(&window, "y"),
            "quit" => {
                window.line("lab quit");
                window.wait("[Y/n]");
                window.line("y");
            }
            "-TERM in less" => {
                window.line("less +F /etc/passwd");
                window.wait("Waiting for data");
                signal("-TERM", &process_of(&window));
            }
            signal_name => signal(signal_name, &process_of(&window)),
        }
        window.wait_until("the outer prompt", |screen| screen.trim_end().ends_with("outer$"));
        assert_eq!(window.settings(), before, "after {end}");
    }
}

#[test]
fn stopped_from_outside_it_gives_the_terminal_back_until_it_goes_on() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let window = Window::open(80, 24);
    let before = window.settings();
    std::fs::write(window.home().join(".bashrc"), super::BASHRC).expect("written");
    super::begin(&window, "first-look");
    signal("-TSTP", &process_of(&window));
    window.wait_until("the outer prompt", |screen| screen.trim_end().ends_with("outer$"));
    assert_eq!(window.settings(), before);
    window.line("fg");
    window.wait_until("the lab's prompt", |screen| screen.trim_end().ends_with(") lab$"));
    assert!(window.command("echo \"$((40 + 2)) again\"").contains("\n42 again"));
    leave(&window, "n");
    assert_eq!(window.settings(), before);
}
