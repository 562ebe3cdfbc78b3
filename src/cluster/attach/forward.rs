//! A local port whose connections the API server carries to a pod.

use std::net::{Ipv4Addr, SocketAddr};

use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::cluster::ClusterError;

/// Forwards until it is dropped.
#[derive(Debug)]
pub(crate) struct Forward {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Forward {
    pub(crate) async fn to(client: &kube::Client, pod: &str, port: u16) -> Result<Self, ClusterError> {
        let failed = |error: std::io::Error| ClusterError::new(format!("no local port to forward from: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let pods: Api<Pod> = Api::namespaced(client.clone(), "kube-system");
        let pod = pod.to_owned();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let (pods, pod) = (pods.clone(), pod.clone());
                connections.spawn(async move { carry(&pods, &pod, port, connection).await });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, task })
    }

    pub(crate) fn endpoint(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whoever connected sees a connection that breaks off where the API server does not carry it: etcd's client then
/// reports it and tries again.
async fn carry(pods: &Api<Pod>, pod: &str, port: u16, mut connection: TcpStream) {
    let Ok(mut forwarder) = pods.portforward(pod, &[port]).await else { return };
    let Some(mut stream) = forwarder.take_stream(port) else { return };
    // Either end may just break off.
    drop(tokio::io::copy_bidirectional(&mut connection, &mut stream).await);
    forwarder.abort();
}
