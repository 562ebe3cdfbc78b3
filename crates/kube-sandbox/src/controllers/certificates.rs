//! `CertificateSigningRequests`: those that somebody approved get their certificate from the cluster's authority.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use serde_json::{Value, json};

use crate::pki::Pki;
use crate::runtime::{Cache, Context, Controller, Error, Key, Next, Rest, SIGNING_REQUESTS, Source, meta};

/// Signers that the controller manager of kubeadm's clusters serves; others are somebody else's.
const SIGNERS: [&str; 4] = [
    "kubernetes.io/kube-apiserver-client",
    "kubernetes.io/kube-apiserver-client-kubelet",
    "kubernetes.io/kubelet-serving",
    "kubernetes.io/legacy-unknown",
];
const YEAR: u64 = 365 * 24 * 3600;
/// Certificates count from a little before now, for clocks that are behind.
const BACKDATED: Duration = Duration::from_secs(300);

pub(crate) struct Signer {
    rest: Rest,
    requests: Arc<Cache>,
    pki: Pki,
}

impl Signer {
    pub(crate) fn new(context: &Context, pki: Pki) -> Self {
        Self { rest: context.rest.clone(), requests: context.cache(&SIGNING_REQUESTS), pki }
    }

    fn signed(&self, spec: &Value) -> Result<String, String> {
        let read = |name: &str| {
            let path = self.pki.file(name);
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let key = KeyPair::from_pem(&read("ca.key")?).map_err(|error| error.to_string())?;
        let issuer = Issuer::from_ca_cert_pem(&read("ca.crt")?, key).map_err(|error| error.to_string())?;
        let request =
            STANDARD.decode(spec["request"].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
        let request = String::from_utf8(request).map_err(|error| error.to_string())?;
        let mut request = CertificateSigningRequestParams::from_pem(&request).map_err(|error| error.to_string())?;
        let params = &mut request.params;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(SerialNumber::from_slice(&uuid::Uuid::new_v4().as_bytes()[..8]));
        let now = std::time::SystemTime::now();
        let lasts = spec["expirationSeconds"].as_u64().unwrap_or(YEAR).min(u64::from(u32::MAX));
        params.not_before = (now - BACKDATED).into();
        params.not_after = (now - BACKDATED + Duration::from_secs(lasts)).into();
        let usages = || spec["usages"].as_array().into_iter().flatten().filter_map(Value::as_str);
        params.key_usages = usages().filter_map(key_usage).collect();
        params.extended_key_usages = usages().filter_map(extended_key_usage).collect();
        request.signed_by(&issuer).map(|certificate| certificate.pem()).map_err(|error| error.to_string())
    }
}

fn key_usage(usage: &str) -> Option<KeyUsagePurpose> {
    Some(match usage {
        "digital signature" | "signing" => KeyUsagePurpose::DigitalSignature,
        "content commitment" => KeyUsagePurpose::ContentCommitment,
        "key encipherment" => KeyUsagePurpose::KeyEncipherment,
        "data encipherment" => KeyUsagePurpose::DataEncipherment,
        "key agreement" => KeyUsagePurpose::KeyAgreement,
        _ => return None,
    })
}

fn extended_key_usage(usage: &str) -> Option<ExtendedKeyUsagePurpose> {
    Some(match usage {
        "client auth" => ExtendedKeyUsagePurpose::ClientAuth,
        "server auth" => ExtendedKeyUsagePurpose::ServerAuth,
        "code signing" => ExtendedKeyUsagePurpose::CodeSigning,
        "email protection" => ExtendedKeyUsagePurpose::EmailProtection,
        _ => return None,
    })
}

fn has(request: &Value, kind: &str) -> bool {
    let conditions = request["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| condition["type"] == kind)
}

#[async_trait]
impl Controller for Signer {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        vec![Source::of(Arc::clone(&self.requests))]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.requests.get(key).filter(|request| !request.deleting) else { return Ok(Next::Change) };
        let mut request = object.value();
        let open = has(&request, "Approved") && !has(&request, "Denied") && !has(&request, "Failed");
        let signer = meta::text(&request, "/spec/signerName");
        if !open || !SIGNERS.contains(&signer) || !meta::text(&request, "/status/certificate").is_empty() {
            return Ok(Next::Change);
        }
        match self.signed(&request["spec"]) {
            Ok(pem) => request["status"]["certificate"] = json!(STANDARD.encode(pem)),
            Err(why) => {
                let mut conditions = request["status"]["conditions"].as_array().cloned().unwrap_or_default();
                let now = crate::object::meta::now_text();
                conditions.push(json!({
                    "type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": why,
                    "lastUpdateTime": now, "lastTransitionTime": now,
                }));
                request["status"]["conditions"] = json!(conditions);
            }
        }
        self.requests.wrote(&self.rest.replace(&SIGNING_REQUESTS, "status", &request).await?);
        Ok(Next::Change)
    }
}
