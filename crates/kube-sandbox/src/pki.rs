//! The certificates of one sandbox, in kubeadm's layout: `pki/ca.crt`, `pki/etcd/server.crt`, …, so that
//! what a lab says about `/etc/kubernetes/pki` holds here too.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::addresses;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, SerialNumber, date_time_ymd,
};

/// Where the files of one control plane's PKI lie.
#[derive(Debug, Clone)]
pub struct Pki {
    root: PathBuf,
}

/// Names that the servers answer to.
#[derive(Debug, Clone, Default)]
pub struct PkiNames {
    /// The node's name.
    pub node: String,
    /// Further host names and addresses in the API server's certificate.
    pub api: Vec<String>,
    /// Further host names and addresses in etcd's certificates.
    pub etcd: Vec<String>,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    /// Reads nothing: the files may have been laid by somebody else (kubeadm, or an image).
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder that holds `ca.crt` and the rest.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of it by its name below the folder: `etcd/ca.crt`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What an earlier run over the same folder made, or all of it anew.
    pub fn kept_or_created(root: impl Into<PathBuf>, names: &PkiNames) -> Result<Self, PkiError> {
        let pki = Self::at(root);
        // The last file that is made.
        if pki.file("sa.pub").is_file() { Ok(pki) } else { Self::create(pki.root, names) }
    }

    /// Makes every authority, certificate and key below `root`.
    pub fn create(root: impl Into<PathBuf>, names: &PkiNames) -> Result<Self, PkiError> {
        let pki = Self::at(root);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(pki.root.join("etcd")).map_err(|source| PkiError::Write { path: pki.root.clone(), source })?;

        let node = names.node.as_str();
        let etcd = pki.authority("etcd/ca", "etcd-ca")?;
        let mut etcd_names = vec![node.to_owned(), "localhost".into(), "127.0.0.1".into(), "::1".into()];
        etcd_names.extend(names.etcd.iter().cloned());
        pki.leaf(&etcd, "etcd/server", node, None, &etcd_names, true)?;
        pki.leaf(&etcd, "etcd/peer", node, None, &etcd_names, true)?;
        pki.leaf(&etcd, "etcd/healthcheck-client", "kube-etcd-healthcheck-client", None, &[], false)?;
        pki.leaf(&etcd, "apiserver-etcd-client", "kube-apiserver-etcd-client", None, &[], false)?;

        let cluster = pki.authority("ca", "kubernetes")?;
        let mut api_names: Vec<String> = [
            node,
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
            addresses::API,
            "127.0.0.1",
            "::1",
        ]
        .map(str::to_owned)
        .into();
        api_names.extend(names.api.iter().cloned());
        pki.leaf(&cluster, "apiserver", "kube-apiserver", None, &api_names, true)?;
        pki.leaf(
            &cluster,
            "apiserver-kubelet-client",
            "kube-apiserver-kubelet-client",
            Some("kubeadm:cluster-admins"),
            &[],
            false,
        )?;
        pki.leaf(&cluster, "admin", "kubernetes-admin", Some("kubeadm:cluster-admins"), &[], false)?;
        // Bound to no role, so that it works before any role is there.
        pki.leaf(&cluster, "super-admin", "kubernetes-super-admin", Some("system:masters"), &[], false)?;
        let front = pki.authority("front-proxy-ca", "front-proxy-ca")?;
        pki.leaf(&front, "front-proxy-client", "front-proxy-client", None, &[], false)?;

        let sa = KeyPair::generate()?;
        pki.write("sa.key", &sa.serialize_pem())?;
        pki.write("sa.pub", &sa.public_key_pem())?;
        Ok(pki)
    }

    fn authority(&self, file: &str, name: &str) -> Result<Authority, PkiError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
        validity(&mut params);
        let certificate = params.self_signed(&key)?;
        self.write(&format!("{file}.crt"), &certificate.pem())?;
        self.write(&format!("{file}.key"), &key.serialize_pem())?;
        Ok(Authority { issuer: Issuer::new(params, key) })
    }

    fn leaf(
        &self,
        authority: &Authority,
        file: &str,
        name: &str,
        organization: Option<&str>,
        sans: &[String],
        server: bool,
    ) -> Result<(), PkiError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        for san in sans {
            params.subject_alt_names.push(match san.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(san.as_str().try_into()?),
            });
        }
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(organization) = organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if server {
            params.extended_key_usages.insert(0, ExtendedKeyUsagePurpose::ServerAuth);
        }
        params.use_authority_key_identifier_extension = true;
        validity(&mut params);
        let certificate = params.signed_by(&key, &authority.issuer)?;
        self.write(&format!("{file}.crt"), &certificate.pem())?;
        self.write(&format!("{file}.key"), &key.serialize_pem())
    }

    fn write(&self, file: &str, text: &str) -> Result<(), PkiError> {
        let path = self.file(file);
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut out| out.write_all(text.as_bytes()))
            .map_err(|source| PkiError::Write { path, source })
    }
}

fn validity(params: &mut CertificateParams) {
    // Fixed and wide: a machine whose clock is off still runs a lab, and the keys die with the sandbox.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params.serial_number = Some(SerialNumber::from_slice(&uuid::Uuid::new_v4().as_bytes()[..8]));
}

#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("the sandbox's certificates could not be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("{} could not be written: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_for_their_owner_only_and_lie_where_kubeadm_puts_them() {
        let dir = tempfile::tempdir().expect("a temp folder");
        let pki = Pki::create(dir.path().join("pki"), &PkiNames { node: "n1".into(), ..PkiNames::default() })
            .expect("certificates are made");
        for file in [
            "ca.crt",
            "apiserver.crt",
            "apiserver-etcd-client.crt",
            "apiserver-kubelet-client.crt",
            "etcd/ca.crt",
            "etcd/server.crt",
            "etcd/peer.crt",
            "etcd/healthcheck-client.crt",
            "front-proxy-ca.crt",
            "front-proxy-client.crt",
            "sa.pub",
        ] {
            assert!(pki.file(file).is_file(), "{file} is there");
            let key = file.replace(".crt", ".key").replace(".pub", ".key");
            let mode = fs::metadata(pki.file(&key)).expect("the key is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
    }
}
