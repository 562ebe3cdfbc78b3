//! What runs inside is as it is outside: full-screen programs, Ctrl-C and Ctrl-Z, sizes, the person's own settings.

use super::window::Window;
use super::{begin, learning, leave};
use crate::harness::need;

#[test]
fn programs_work_as_they_do_outside() {
    need!("tmux", "etcd", "etcdctl", "kubectl", "less");
    let window = learning("first-look", 90, 30);
    window.line("less /etc/passwd");
    window.wait_until("less", |screen| !screen.contains(") lab$"));
    window.keys(&["q"]);
    window.wait_until("the prompt", |screen| screen.trim_end().ends_with(") lab$"));
    // Ctrl-C, Ctrl-Z and fg are the inner shell's.
    // What is typed before bash has let go of the terminal is not cat's.
    window.line("sh -c 'echo begun; exec cat'");
    window.wait("\nbegun\n");
    window.line("echoed");
    window.wait("\nechoed\nechoed\n");
    window.keys(&["C-z"]);
    window.wait("Stopped");
    window.line("fg");
    window.wait("lab$ fg\nsh -c");
    window.keys(&["C-c"]);
    assert!(window.command("echo \"status $?\"").contains("\nstatus 130"));
    // An editor that another program starts.
    window.command("export KUBE_EDITOR='sed -i s/data:/data:/' EDITOR=ed");
    window.command("kubectl -n default create configmap edited --from-literal=a=1");
    window.command("export KUBE_EDITOR=\"sed -i 's/a: \\\"1\\\"/a: \\\"2\\\"/'\"");
    assert!(window.command("kubectl -n default edit configmap edited").contains("edited"));
    assert!(window.command("kubectl -n default get configmap edited -o jsonpath={.data.a}; echo").contains("\n2"));
    leave(&window, "n");
}

#[test]
fn the_shell_stays_whole_through_any_number_of_sizes() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let window = learning("first-look", 80, 24);
    let mut state: u64 = 7;
    let mut random = |least: u16, most: u16| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        least + u16::try_from((state >> 33) % u64::from(most - least)).expect("small")
    };
    window.text("echo typed");
    for _ in 0..500 {
        window.resize(random(8, 200), random(3, 60));
    }
    window.resize(77, 21);
    // Prompts drawn anew are not counted: the last sizes may still be on their way to the shell.
    window.line(" before");
    window.wait("\ntyped before");
    let settled = "until [ \"$(stty size)\" = '21 77' ]; do sleep 0.1; done; echo \"at $(stty size)\"";
    window.line(settled);
    window.wait("at 21 77");
    leave(&window, "n");
}

const OWN_SETTINGS: &str = r"
PS1='\n[\u] two lines\nlab$ '
count=0
PROMPT_COMMAND='count=$((count + 1)); history -a'
trap 'last=$BASH_COMMAND' DEBUG
PS0='running\n'
alias etcdctl='echo wrong' lab='echo wrong'
export KUBECONFIG=/dev/null PATH=/usr/bin:/bin ETCDCTL_ENDPOINTS=http://127.0.0.1:1
set -o vi
";

#[test]
fn a_persons_own_settings_and_ours_do_not_disturb_each_other() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let window = Window::open(100, 40);
    std::fs::write(window.home().join(".bashrc"), OWN_SETTINGS).expect("written");
    std::fs::write(window.home().join(".inputrc"), "\"\\C-xq\": \"echo from inputrc\"\n").expect("written");
    window.line(&super::learn("first-look"));
    window.wait("]:");
    window.keys(&["Enter"]);
    let at_prompt = |screen: &str| screen.trim_end().ends_with("\nlab$");
    window.wait_until("the prompt", at_prompt);
    window.line("kubectl -n kube-system get pods -l component=etcd");
    window.wait("✓ find prints \"Running\"");
    window.wait_until("the prompt", at_prompt);
    assert!(window.screen().contains("(first-look 1/8)"), "{}", window.screen());
    assert!(window.screen().contains("\nrunning\n"));
    window.line("false");
    window.line("echo \"status $? counted $((count > 2)) $last\"");
    window.wait("\nstatus 1 counted 1");
    window.line("etcdctl endpoint health");
    window.wait("is healthy");
    window.keys(&["C-x", "q", "Enter"]);
    window.wait("\nfrom inputrc");
    window.line("lab help");
    window.wait("lab next");
    window.line("exit");
    window.wait("[Y/n]");
    window.line("n");
    window.wait_until("the outer prompt", |screen| screen.trim_end().ends_with("outer$"));
}

#[test]
fn two_labs_are_learned_at_once() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    let one = learning("first-look", 100, 40);
    let two = Window::beside(one.home(), 100, 40);
    begin(&two, "keys-and-objects");
    // The lab that is being learned already is named, and how to join it.
    let three = Window::beside(one.home(), 100, 40);
    three.line(&super::learn("first-look"));
    three.wait("keywitness shell first-look");
    three.line(&format!("{} shell", env!("CARGO_BIN_EXE_keywitness")));
    three.wait("several labs are being learned now");
    assert!(one.command("kubectl -n kube-system get pods -l component=etcd").contains("✓ find prints"));
    assert!(two.command("lab list").contains("▸"));
    leave(&two, "n");
    assert!(one.command("kubectl get namespaces").contains("kube-system"));
    leave(&one, "n");
}

/// The etcd of the person whose home this is.
fn etcd_of(home: &std::path::Path) -> String {
    let processes = std::fs::read_dir("/proc").expect("the processes").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let is_it = |number: &String| {
        let line = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.split('\0').next().is_some_and(|program| program.ends_with("etcd"))
            && line.contains(&*home.to_string_lossy())
    };
    numbers.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).find(is_it).expect("etcd runs")
}

#[test]
fn an_etcd_that_does_not_answer_is_told_and_so_is_its_return() {
    need!("tmux", "etcd", "etcdctl", "kubectl");
    if !std::path::Path::new("/proc").is_dir() {
        return crate::harness::record_skip(module_path!(), "/proc", "processes are found there");
    }
    let window = learning("first-look", 100, 40);
    window.command("kubectl get namespaces");
    let etcd = etcd_of(window.home());
    let signal = |name: &str| {
        assert!(std::process::Command::new("kill").args([name, &etcd]).status().expect("kill is there").success());
    };
    signal("-STOP");
    window.wait("etcd does not answer");
    signal("-CONT");
    window.wait("etcd answers again");
    assert!(window.command("kubectl -n kube-system get pods -l component=etcd").contains("✓ find prints"));
    leave(&window, "n");
}
