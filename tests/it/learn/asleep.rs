//! A laptop that sleeps: everything stands still for a time, and goes on.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::window::Window;
use super::{learning, leave};
use crate::harness::need;

/// More than a session takes for a busy machine.
const SLEEP: Duration = Duration::from_secs(27);

/// Processes that stand still, parents before their children, until this is dropped.
struct Asleep(Vec<u32>);

impl Asleep {
    /// The window's server, its shell, and all that runs below it. The server goes first: it would wake its shell.
    fn fall(window: &Window) -> Self {
        let mut all = vec![window.process("#{pid}"), window.process("#{pane_pid}")];
        let parents = parents();
        let mut next = 1;
        while let Some(parent) = all.get(next).copied() {
            all.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
            next += 1;
        }
        let asleep = Self(all);
        asleep.0.iter().for_each(|process| signal("-STOP", *process));
        asleep
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        // Nobody finds a child stopped.
        self.0.iter().rev().for_each(|process| signal("-CONT", *process));
    }
}

fn signal(name: &str, process: u32) {
    // One may have gone meanwhile.
    drop(Command::new("kill").args([name, &process.to_string()]).output());
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent = |process: u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, after) = stat.rsplit_once(") ")?;
        Some((process, after.split(' ').nth(1)?.parse().ok()?))
    };
    numbers.filter_map(parent).collect()
}

#[test]
fn after_all_stood_still_it_is_said_and_the_lab_goes_on() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    if !std::path::Path::new("/proc/self/stat").exists() {
        return crate::harness::record_skip(module_path!(), "/proc", "processes are found there");
    }
    let window = learning("first-look", 100, 40);
    let asleep = Asleep::fall(&window);
    assert!(asleep.0.len() > 4, "the server, the outer shell, the session, its etcd and its shell: {:?}", asleep.0);
    // Nothing can be waited for: nothing runs.
    std::thread::sleep(SLEEP);
    drop(asleep);
    window.wait("this session did not run");
    window.wait_until("the lab's prompt", |screen| screen.trim_end().ends_with("(first-look 1/8) lab$"));
    window.line("kubectl -n kube-system get pods -l component=etcd");
    window.wait("✓ find prints \"Running\"");
    window.wait_until("the lab's prompt", |screen| screen.trim_end().ends_with("(first-look 1/8) lab$"));
    leave(&window, "n");
}
