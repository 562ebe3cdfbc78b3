//! No Kubernetes: the lab starts etcd itself in its terminals, and its front matter says where.

use std::path::Path;

use async_trait::async_trait;

use super::{Cluster, ClusterError, ClusterInfo, ClusterRequest, EtcdAccess, Provider, StageSink};
use crate::lab::ClusterKind;
use owned_processes::ShellIo;

/// Starts nothing and leaves nothing: whatever the lab starts belongs to its terminals.
#[derive(Debug, Default)]
pub struct Bare;

#[async_trait]
impl Provider for Bare {
    async fn up(&self, request: &ClusterRequest, _stages: &dyn StageSink) -> Result<Box<dyn Cluster>, ClusterError> {
        for (name, endpoint) in &request.members {
            check_endpoint(name, endpoint)?;
        }
        let Some(shown) = shown(&request.members) else {
            return Err(ClusterError::new("this lab names no etcd to watch")
                .hint("name its members in the front matter: etcd: { e1: \"http://127.0.0.1:2379\" }"));
        };
        Ok(Box::new(BareCluster {
            endpoints: request.members.iter().map(|(_, endpoint)| endpoint.clone()).collect(),
            info: ClusterInfo {
                kind: ClusterKind::Bare,
                name: ClusterKind::Bare.name().to_owned(),
                kubernetes: None,
                etcd: None,
                node: None,
                etcd_pod: None,
                pki: None,
                data: None,
                node_pki: None,
                node_data: None,
                engine: String::new(),
                runs_pods: false,
                shared: false,
                etcd_route: format!("the lab's own members: {shown}"),
                prefix: "/registry".to_owned(),
                etcd_log: None,
            },
        }))
    }
}

fn check_endpoint(name: &str, endpoint: &str) -> Result<(), ClusterError> {
    let fail = |problem: &str, hint: &str| {
        Err(ClusterError::new(format!("etcd member {name}: {endpoint} {problem}")).hint(hint))
    };
    let Ok(uri) = endpoint.parse::<http::Uri>() else {
        return fail("is not a URL", "write it as http://127.0.0.1:2379");
    };
    match uri.scheme_str() {
        Some("http") if uri.port().is_some() => Ok(()),
        Some("http") => fail("names no port", "write it as http://127.0.0.1:2379"),
        Some("https") => fail(
            "wants TLS, and a bare lab has no certificates to give",
            "start the lab's etcd with --listen-client-urls http://127.0.0.1:PORT",
        ),
        _ => fail("is not an http:// URL", "write it as http://127.0.0.1:2379"),
    }
}

fn shown(members: &[(String, String)]) -> Option<String> {
    let members: Vec<_> = members.iter().map(|(name, endpoint)| format!("{name} at {endpoint}")).collect();
    (!members.is_empty()).then(|| members.join(", "))
}

struct BareCluster {
    endpoints: Vec<String>,
    info: ClusterInfo,
}

#[async_trait]
impl Cluster for BareCluster {
    fn info(&self) -> &ClusterInfo {
        &self.info
    }

    fn kubeconfig(&self) -> Option<&Path> {
        None
    }

    fn etcd(&self) -> EtcdAccess {
        EtcdAccess::Direct { endpoints: self.endpoints.clone(), tls: None }
    }

    async fn node_shell(&self, _rows: u16, _columns: u16) -> Result<ShellIo, ClusterError> {
        Err(ClusterError::new("a bare lab has no node: there is no Kubernetes here"))
    }

    async fn down(self: Box<Self>) -> Result<(), ClusterError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Quiet;

    impl StageSink for Quiet {
        fn passed(&self, _stage: &str, _detail: Option<&str>, _took: std::time::Duration) {}
    }

    fn request(members: &[(&str, &str)]) -> ClusterRequest {
        ClusterRequest {
            lab: "lab".to_owned(),
            run_id: "abc".to_owned(),
            spec: crate::lab::ClusterSpec::default(),
            members: members.iter().map(|(name, url)| ((*name).to_owned(), (*url).to_owned())).collect(),
            private_dir: std::path::PathBuf::new(),
            keep: false,
            interrupt: tokio_util::sync::CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn the_members_are_the_endpoints() {
        let request = request(&[("e1", "http://127.0.0.1:12379"), ("e2", "http://127.0.0.1:22379")]);
        let cluster = Bare.up(&request, &Quiet).await.expect("it needs nothing");
        let EtcdAccess::Direct { endpoints, tls: None } = cluster.etcd() else { panic!("{:?}", cluster.etcd()) };
        assert_eq!(endpoints, ["http://127.0.0.1:12379", "http://127.0.0.1:22379"]);
        assert!(cluster.kubeconfig().is_none());
    }

    #[tokio::test]
    async fn an_endpoint_that_cannot_work_is_named() {
        for (url, problem) in [
            ("127.0.0.1:2379", "is not"),
            ("https://127.0.0.1:2379", "TLS"),
            ("http://127.0.0.1", "names no port"),
            ("http://127.0.0.1:PORT", "names no port"),
            ("e1 at home", "is not a URL"),
        ] {
            let error = Bare.up(&request(&[("e1", url)]), &Quiet).await.err().expect(url);
            assert!(error.message.contains(problem) && error.message.contains("e1"), "{error}");
        }
        assert!(Bare.up(&request(&[]), &Quiet).await.is_err());
    }
}
