//! The kubeconfig files of one sandbox: self-contained, mode 0600.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::error::SandboxError;
use crate::pki::Pki;

/// Writes a kubeconfig for the client whose certificate is `pki/<client>.crt`.
pub(super) fn write(path: &Path, name: &str, server: &str, pki: &Pki, client: &str) -> Result<(), SandboxError> {
    let file = |name: &str| {
        let path = pki.file(name);
        fs::read(&path)
            .map(|bytes| STANDARD.encode(bytes))
            .map_err(|error| SandboxError::io("a certificate", &path, &error))
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": file("ca.crt")?}}],
        "users": [{"name": name, "user": {
            "client-certificate-data": file(&format!("{client}.crt"))?,
            "client-key-data": file(&format!("{client}.key"))?,
        }}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "preferences": {},
    });
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{config:#}\n").as_bytes()))
        .map_err(|error| SandboxError::io("the kubeconfig", path, &error))
}
