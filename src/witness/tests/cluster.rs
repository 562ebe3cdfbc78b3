//! Three members, of which some are down.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::etcd::{Etcd, tool};
use super::{put, until};
use crate::cluster::EtcdAccess;
use crate::journal::KeyGlob;
use crate::witness::{Witness, WitnessRequest};

struct Members {
    urls: Vec<String>,
    children: Vec<Option<Child>>,
    _dir: tempfile::TempDir,
}

impl Members {
    fn start() -> Option<Self> {
        let binary = tool("etcd")?;
        let dir = tempfile::tempdir().expect("a temp folder");
        let sockets: Vec<_> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let url = |socket: &TcpListener| format!("http://{}", socket.local_addr().expect("an address"));
        let all: Vec<String> = sockets.iter().map(url).collect();
        drop(sockets);
        let (urls, peers) = all.split_at(3);
        let cluster: Vec<String> = peers.iter().enumerate().map(|(i, peer)| format!("e{}={peer}", i + 1)).collect();
        let start = |i: usize| {
            let mut command = Command::new(&binary);
            command.args(["--name", &format!("e{}", i + 1), "--data-dir"]).arg(dir.path().join(i.to_string()));
            command.args(["--listen-client-urls", &urls[i], "--advertise-client-urls", &urls[i]]);
            command.args(["--listen-peer-urls", &peers[i], "--initial-advertise-peer-urls", &peers[i]]);
            command.args(["--initial-cluster", &cluster.join(","), "--unsafe-no-fsync", "--log-level=error"]);
            command.args(["--heartbeat-interval=20", "--election-timeout=200"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            Some(command.spawn().expect("etcd starts"))
        };
        let children = (0..3).map(start).collect();
        Some(Self { urls: urls.to_vec(), children, _dir: dir })
    }

    fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.children[index].take() {
            child.kill().expect("it is killed");
            child.wait().expect("it ends");
        }
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        (0..3).for_each(|index| self.kill(index));
    }
}

#[tokio::test]
async fn the_watch_moves_to_another_member_and_the_status_tells_who_is_down() {
    let Some(template) = Etcd::new() else { return };
    let Some(mut members) = Members::start() else { return };
    let named = members.urls.iter().enumerate().map(|(index, url)| (format!("e{}", index + 1), url.clone()));
    let request = WitnessRequest {
        access: EtcdAccess::Direct { endpoints: members.urls.clone(), tls: None },
        members: named.collect(),
        ..template.request()
    };
    let witness = Witness::open(request).await.expect("it opens");
    let mut client = etcd_client::Client::connect(&members.urls[2..], None).await.expect("a client");
    put(&mut client, "/a", "1").await;
    // A put that timed out while the members elected a leader was tried again: /a may have come twice.
    until(&witness, "the first put", |w| !w.journal().changes(&KeyGlob::new("/a"), 0).is_empty()).await;
    let state = witness.etcd(None).await.expect("a state");
    assert_eq!((&state["healthy"], state["members"].as_array().map(Vec::len)), (&true.into(), Some(3)));
    assert!(["e1", "e2", "e3"].contains(&state["leader"].as_str().expect("a name")));

    members.kill(0);
    put(&mut client, "/b", "1").await;
    until(&witness, "the put after e1's end", |w| !w.journal().changes(&KeyGlob::new("/b"), 0).is_empty()).await;
    assert!(witness.journal().holes(0).is_empty());
    let one = witness.etcd(Some("e1")).await.expect("a known member");
    assert_eq!(one["up"], false);
    let whole = witness.etcd(None).await.expect("a state");
    assert_eq!((&whole["up"], &whole["healthy"]), (&true.into(), &true.into()), "two of three are a majority");

    members.kill(1);
    let started = std::time::Instant::now();
    let third = witness.etcd(Some("e3")).await.expect("a known member");
    assert_eq!((&third["up"], &third["healthy"]), (&true.into(), &false.into()), "it lives, but has no quorum");
    members.kill(2);
    let none = witness.etcd(None).await.expect("down is a state too");
    assert_eq!((&none["up"], &none["healthy"]), (&false.into(), &false.into()));
    assert_eq!(none["members"].as_array().map(Vec::len), Some(3), "they are remembered");
    assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
    witness.close().await;
}
