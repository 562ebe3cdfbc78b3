//! A real etcd for the tests of this room.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cluster::EtcdAccess;
use crate::witness::{Witness, WitnessRequest};
use owned_processes::{Guard, GuardSettings};

#[path = "../../../tests/support/skip.rs"]
mod skip;

/// Where a tool is, as the product looks for it; `None` is recorded as a skip.
pub(super) fn tool(name: &'static str) -> Option<PathBuf> {
    let found = owned_processes::tool(name);
    if found.is_none() {
        skip::record_skip(module_path!(), name, &format!("{name} is not installed"));
    }
    found
}

pub(super) struct Etcd {
    binary: PathBuf,
    pub(super) dir: tempfile::TempDir,
    pub(super) url: String,
    peer: String,
    data: String,
    child: Option<Child>,
}

impl Etcd {
    /// Not started yet; `None` where there is no etcd.
    pub(super) fn new() -> Option<Self> {
        let binary = tool("etcd")?;
        // Both sockets are held until both ports are known, so that they differ.
        let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [url, peer] = sockets.map(|socket| format!("http://{}", socket.local_addr().expect("an address")));
        let dir = tempfile::tempdir().expect("a temp folder");
        Some(Self { binary, dir, url, peer, data: "data".to_owned(), child: None })
    }

    pub(super) fn start(&mut self) {
        let mut command = Command::new(&self.binary);
        command.args(["--name", "e1", "--data-dir"]).arg(self.data_dir());
        command.args(["--listen-client-urls", &self.url, "--advertise-client-urls", &self.url]);
        command.args(["--listen-peer-urls", &self.peer, "--initial-advertise-peer-urls", &self.peer]);
        command.args(["--initial-cluster", &format!("e1={}", self.peer)]);
        command.args(["--heartbeat-interval=10", "--election-timeout=100", "--log-level=error", "--unsafe-no-fsync"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("etcd starts"));
    }

    /// As `kill -9` does it.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is killed");
            child.wait().expect("it ends");
        }
    }

    /// The data come from another folder from the next start on.
    pub(super) fn move_to(&mut self, data: &str) {
        data.clone_into(&mut self.data);
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.path().join(&self.data)
    }

    pub(super) fn initial_cluster(&self) -> (String, String) {
        (format!("e1={}", self.peer), self.peer.clone())
    }

    pub(super) fn request(&self) -> WitnessRequest {
        let parents = vec![self.dir.path().to_path_buf()];
        let settings = GuardSettings { parents, watchdog: None, grace: Duration::from_secs(1) };
        WitnessRequest {
            guard: Guard::start(settings).expect("a guard"),
            access: EtcdAccess::Direct { endpoints: vec![self.url.clone()], tls: None },
            prefix: "/registry".to_owned(),
            bare: true,
            members: vec![("e1".to_owned(), self.url.clone())],
        }
    }

    pub(super) async fn witness(&self) -> Witness {
        Witness::open(self.request()).await.expect("the witness opens")
    }

    pub(super) async fn client(&self) -> etcd_client::Client {
        etcd_client::Client::connect([&self.url], None).await.expect("a client")
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}
