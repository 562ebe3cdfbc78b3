//! The certificates of an [`EtcdTls`], as gRPC and as plain HTTPS want them.

use std::sync::Arc;

use etcd_client::{Certificate, Identity, TlsOptions};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::store::StoreError;
use crate::cluster::EtcdTls;

fn read(path: &std::path::Path) -> Result<Vec<u8>, StoreError> {
    std::fs::read(path).map_err(|error| StoreError::new(format!("{} cannot be read: {error}", path.display())))
}

pub(super) fn grpc(tls: &EtcdTls) -> Result<TlsOptions, StoreError> {
    let identity = Identity::from_pem(read(&tls.cert)?, read(&tls.key)?);
    Ok(TlsOptions::new().ca_certificate(Certificate::from_pem(read(&tls.ca)?)).identity(identity))
}

pub(super) fn https(tls: &EtcdTls) -> Result<Arc<rustls::ClientConfig>, StoreError> {
    let failed = |error: &dyn std::error::Error| StoreError::chain(error);
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read(&tls.ca)?) {
        roots.add(certificate.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
    }
    let chain = CertificateDer::pem_slice_iter(&read(&tls.cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&tls.key)?).map_err(|error| failed(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| failed(&error))?;
    Ok(Arc::new(config))
}
