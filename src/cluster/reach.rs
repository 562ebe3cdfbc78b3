//! Does etcd answer there, and with these certificates?

use std::path::Path;
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};

use super::{ClusterError, EtcdTls};

/// What etcd said of itself.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) version: String,
}

/// Asks for the status once. The text of an error is the cause, not the wrapping.
pub(crate) async fn probe(endpoint: &str, tls: Option<&EtcdTls>, limit: Duration) -> Result<Answer, String> {
    let asking = async {
        let mut client = connect(endpoint, tls, limit).await?;
        client.status().await.map_err(|error| cause(&error))
    };
    match tokio::time::timeout(limit, asking).await {
        Ok(status) => Ok(Answer { version: status?.version().to_owned() }),
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

async fn connect(endpoint: &str, tls: Option<&EtcdTls>, limit: Duration) -> Result<Client, String> {
    let mut options = ConnectOptions::new().with_connect_timeout(limit).with_timeout(limit);
    if let Some(tls) = tls {
        let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let identity = Identity::from_pem(read(&tls.cert)?, read(&tls.key)?);
        options = options
            .with_tls(TlsOptions::new().ca_certificate(Certificate::from_pem(read(&tls.ca)?)).identity(identity));
    }
    Client::connect([endpoint], Some(options)).await.map_err(|error| cause(&error))
}

/// Something that only the store of one cluster holds.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    pub(crate) prefix: String,
    /// Of the namespace kube-system.
    pub(crate) uid: String,
}

/// Asks for the status, and whether this is the store of the cluster that the API serves: containers and addresses
/// are easily another cluster's.
pub(crate) async fn prove(
    endpoint: &str,
    tls: Option<&EtcdTls>,
    proof: &Proof,
    limit: Duration,
) -> Result<Answer, String> {
    let answer = probe(endpoint, tls, limit).await?;
    let key = format!("{}/namespaces/kube-system", proof.prefix);
    let reading = async {
        let mut client = connect(endpoint, tls, limit).await?;
        client.get(key.as_str(), None).await.map_err(|error| cause(&error))
    };
    let found = tokio::time::timeout(limit, reading).await.map_err(|_| format!("no answer within {limit:?}"))??;
    let value = found.kvs().first().map(etcd_client::KeyValue::value).unwrap_or_default();
    let holds = value.windows(proof.uid.len().max(1)).any(|window| window == proof.uid.as_bytes());
    if holds || value.starts_with(b"k8s:enc:") {
        Ok(answer)
    } else {
        Err("an etcd answers, but it is not the store of this cluster".to_owned())
    }
}

fn cause(error: &etcd_client::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Writes a private file: keys must not be readable by others even for a moment.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ClusterError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(bytes)
    };
    write().map_err(|error| ClusterError::new(format!("cannot write {}: {error}", path.display())))
}

/// Makes a folder that only this user may enter.
pub(crate) fn private_folder(path: &Path) -> Result<(), ClusterError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| ClusterError::new(format!("cannot make {}: {error}", path.display())))
}
