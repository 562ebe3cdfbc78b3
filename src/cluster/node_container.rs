//! A node that is a container on this machine: its certificates, its shell.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::engine::{Engine, ShellSpec};
use super::etcd_pod::EtcdPod;
use super::reach::{private_folder, write_private};
use super::{ClusterError, EtcdTls};
use owned_processes::ShellIo;

/// etcdctl on a node: kind's and minikube's nodes have none, so it runs in the etcd container. Endpoint and
/// certificates are added only where the command itself names none. crictl is given a terminal only where both ends are
/// one: with its output in a pipe, crictl 1.36 crashes, and without one on the other side it would eat what is typed
/// ahead.
const ETCDCTL: &str = r#"#!/bin/bash
for dir in ${PATH//:/ }; do
  [ "$dir" != "${0%/*}" ] && [ -x "$dir/etcdctl" ] && exec "$dir/etcdctl" "$@"
done
container=$(crictl ps --name '^etcd$' -q 2>/dev/null | head -n 1)
[ -n "$container" ] || { echo "etcdctl: no etcd container runs on this node" >&2; exit 127; }
given=" $* " add=()
for flag in FLAGS; do
  case $given in *" ${flag%%=*}="*|*" ${flag%%=*} "*) ;; *) add+=("$flag") ;; esac
done
how=-i
if [ -t 0 ]; then [ -t 1 ] && how=-it || how=; fi
exec crictl exec $how "$container" etcdctl "${add[@]}" "$@"
"#;

#[derive(Debug, Clone)]
pub(crate) struct NodeContainer {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    /// The folder on the node that has our `etcdctl` once a shell was opened: the node's `/run` and `/tmp` are
    /// mounted so that no program there starts.
    bin: String,
}

impl NodeContainer {
    pub(crate) fn new(engine: Engine, name: String) -> Self {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        Self { engine, name, bin: format!("/var/tmp/keywitness-{}", &unique[..8]) }
    }

    /// Leaves the node as it was found.
    pub(crate) async fn tidy(&self) {
        // A node that does not answer any more has nothing to be tidied.
        drop(self.engine.run(&self.name, &["rm", "-rf", &self.bin], Duration::from_secs(10)).await);
    }

    /// Where a port of the node is published on this machine.
    pub(crate) async fn published(&self, port: u16) -> Option<String> {
        self.engine.published(&self.name, port).await.ok().flatten().map(|at| format!("https://{at}"))
    }

    /// The node's own addresses, which are reachable where the engine's networks are this machine's.
    pub(crate) async fn addresses(&self, port: u16) -> Vec<String> {
        let found = self.engine.container(&self.name).await.ok().flatten();
        let addresses = found.map(|node| node.addresses).unwrap_or_default();
        addresses.into_iter().map(|address| format!("https://{}", SocketAddr::new(address, port))).collect()
    }

    /// Copies etcd's CA, and a pair that etcd takes from clients, into a private folder.
    pub(crate) async fn copy_certificates(&self, etcd: &EtcdPod, into: &Path) -> Result<EtcdTls, ClusterError> {
        let Some(ca) = etcd.ca() else {
            return Err(ClusterError::new(format!("the pod {} names no CA: it takes clients without TLS", etcd.name)));
        };
        private_folder(into)?;
        let copy = async |from: &Path| -> Result<PathBuf, ClusterError> {
            let bytes = self.engine.read_file(&self.name, from).await?;
            let to = into.join(from.file_name().unwrap_or_default());
            write_private(&to, &bytes)?;
            Ok(to)
        };
        let ca = copy(&ca).await?;
        let mut found = None;
        // All of them: a lab may name any certificate of the folder through LAB_ETCD_PKI.
        let mut failure = None;
        for (cert, key) in etcd.client_pairs() {
            match (copy(&cert).await, copy(&key).await) {
                (Ok(cert), Ok(key)) => found = found.or(Some((cert, key))),
                (Err(error), _) | (_, Err(error)) => failure = Some(error),
            }
        }
        match (found, failure) {
            (Some((cert, key)), _) => Ok(EtcdTls { ca, cert, key }),
            (None, Some(error)) => Err(error),
            (None, None) => Err(ClusterError::new(format!("the pod {} names no certificate", etcd.name))),
        }
    }

    pub(crate) async fn shell(&self, etcd: Option<&EtcdPod>, rows: u16, columns: u16) -> Result<ShellIo, ClusterError> {
        let flags = etcd.map(EtcdPod::etcdctl_flags).unwrap_or_default();
        let script = ETCDCTL.replace("FLAGS", &shell_words::join(&flags));
        // By a command, since the archive API does not see what is mounted into a container.
        let put = [
            "bash",
            "-c",
            "mkdir -p \"$1\" && printf %s \"$2\" >\"$1/etcdctl\" && chmod 755 \"$1/etcdctl\"",
            "bash",
            &self.bin,
            &script,
        ];
        let ran = self.engine.run(&self.name, &put, Duration::from_secs(20)).await?;
        if !ran.ok() {
            let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
            return Err(ClusterError::new(format!("{} takes no etcdctl into {}: {said}", self.name, self.bin)));
        }
        let argv = ["bash", "--noprofile", "--norc"].map(String::from).to_vec();
        let env = [
            format!("PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.bin),
            "TERM=xterm-256color".to_owned(),
            "HOME=/root".to_owned(),
            "KUBECONFIG=/etc/kubernetes/admin.conf".to_owned(),
        ];
        self.engine.shell(&self.name, ShellSpec { argv, env: env.to_vec(), rows, columns }).await
    }
}
