//! What a terminal on the node can do besides typing: its size, Ctrl-C, its end and its being ended.

use std::time::Duration;

use keywitness::cluster::{Agreed, Cluster, ClusterRequest, Flavor, Provider, Reuse, StageSink};
use owned_processes::{Guard, GuardSettings, ShellIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::containers::{Real, Up, eventually, lab, need_engine};

struct Unseen;

impl StageSink for Unseen {
    fn passed(&self, _stage: &str, _detail: Option<&str>, _took: Duration) {}
}

/// What was typed into a shell and came out of it.
struct Typed {
    io: ShellIo,
    seen: String,
}

const SOON: Duration = Duration::from_secs(60);

impl Typed {
    async fn open(cluster: &dyn Cluster, rows: u16, columns: u16) -> Self {
        Self { io: cluster.node_shell(rows, columns).await.expect("a shell"), seen: String::new() }
    }

    async fn keys(&mut self, keys: &str) {
        self.io.input.write_all(keys.as_bytes()).await.expect("typed");
        self.io.input.flush().await.expect("sent");
    }

    /// Reads until the text is there; what came before it counts no longer.
    async fn until(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let read = tokio::time::timeout(SOON, self.io.output.read(&mut buffer)).await;
            let count = read.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.seen)).expect("read");
            assert!(count > 0, "it ended without {text:?}: {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        let after = self.seen.find(text).expect("found above") + text.len();
        self.seen.drain(..after);
    }

    /// Reads to the end, which has to come, and returns the status.
    async fn end(&mut self) -> Option<i32> {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(SOON, self.io.output.read_to_end(&mut rest)).await;
        read.expect("the stream ends with the shell").expect("read");
        self.io.control.try_wait().await.expect("asked")
    }
}

fn shells_of(real: &Real, flavor: Flavor, name: &str) {
    let up = Up::new(real, name, &[]);

    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let watchdog = Some(env!("CARGO_BIN_EXE_keywitness").into());
        let guard = Guard::start(GuardSettings { watchdog, ..GuardSettings::default() }).expect("a guard");
        let private_dir = guard.folder("cluster").expect("a folder");
        let kind = private_dir.join("kind");
        std::fs::create_dir(&kind).expect("made");
        let request = ClusterRequest {
            lab: "shells".to_owned(),
            run_id: guard.run_id().to_owned(),
            spec: keywitness::lab::ClusterSpec::default(),
            members: Vec::new(),
            private_dir,
            keep: false,
            interrupt: tokio_util::sync::CancellationToken::new(),
        };
        let (engine, agreed) = (Some(flavor), Agreed::default());
        let reuse = Reuse { guard: guard.clone(), engine, name: name.to_owned(), agreed };
        let cluster = reuse.up(&request, &Unseen).await.expect("it is there");
        shells(real, cluster.as_ref(), &format!("{name}-control-plane")).await;
        cluster.down().await.expect("left as it was");
        guard.end().await;
    });

    // A block that does not end in time is told so, and the next one has a shell again.
    let body = "On the node:\n\n```bash {name=long in=node timeout=1s}\nsleep 1000\n```\n";
    let done = up
        .call(&["run", "--on", "kind", "--cluster", name, "slow.md"])
        .file("slow.md", &lab("clusters: [kind]\n", body))
        .run();
    assert!(done.expect_exit(1).stdout().contains("`sleep 1000` had not ended"));
    assert!(processes(real, &format!("{name}-control-plane"), "sleep 1000").is_empty());
}

fn processes(real: &Real, node: &str, command: &str) -> Vec<String> {
    let mut lines = real.lines(&["exec", node, "ps", "-e", "-o", "args"]);
    lines.retain(|line| line == command);
    lines
}

async fn shells(real: &Real, cluster: &dyn Cluster, node: &str) {
    let mut shell = Typed::open(cluster, 33, 111).await;
    shell.keys("stty size\n").await;
    shell.until("33 111").await;
    shell.io.control.resize(44, 140).await.expect("resized");
    shell.keys("stty size\n").await;
    shell.until("44 140").await;

    // Bytes that look like the header of a frame are the terminal's own.
    shell.keys("printf '\\001\\000\\000\\000\\000\\000\\000\\005after\\n'\n").await;
    shell.until("\u{1}\0\0\0\0\0\0\u{5}after").await;

    shell.keys("echo begun; sleep 1001\n").await;
    shell.until("begun\r\n").await;
    // Before it is in the foreground, Ctrl-C would reach the shell alone.
    eventually("it runs", SOON, || processes(real, node, "sleep 1001").len() == 1);
    shell.keys("\u{3}").await;
    shell.keys("echo \"status=$?\"\n").await;
    shell.until("status=130").await;
    assert!(processes(real, node, "sleep 1001").is_empty());
    assert_eq!(shell.io.control.try_wait().await.expect("asked"), None);
    shell.keys("exit 7\n").await;
    assert_eq!(shell.end().await, Some(7));

    // One that heeds nothing is ended with all that it started, in sessions of their own too.
    let mut shell = Typed::open(cluster, 24, 80).await;
    shell.keys("trap '' INT TERM HUP; setsid sleep 1002 & sleep 1003 & echo \"$((40 + 2)) started\"\n").await;
    shell.until("42 started").await;
    assert_eq!(processes(real, node, "sleep 1003").len(), 1);
    shell.io.control.kill().await.expect("ended");
    assert_eq!(shell.end().await, Some(137));
    for left in ["sleep 1002", "sleep 1003"] {
        assert!(processes(real, node, left).is_empty(), "{left}");
    }
}

#[test]
fn a_terminal_on_a_node_of_docker() {
    let docker = need_engine!(docker);
    shells_of(docker, Flavor::Docker, "kw-test-shells");
}

#[test]
fn a_terminal_on_a_node_of_podman() {
    let podman = need_engine!(podman);
    shells_of(podman, Flavor::Podman, "kw-test-podman-shells");
}
