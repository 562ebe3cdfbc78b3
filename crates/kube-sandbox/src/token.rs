//! Bearer tokens: the kubeconfig's own, and those of service accounts (JSON web tokens, ES256, signed
//! with `sa.key` as on a real cluster; RS256 where that key is kubeadm's).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rcgen::{KeyPair, SigningKey};
use serde_json::{Value, json};

use crate::error::SandboxError;
use crate::object::meta;
use crate::pki::Pki;
use crate::user::{User, credential};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

pub struct Tokens {
    key: KeyPair,
    known: Mutex<HashMap<String, (User, Option<Timestamp>)>>,
}

pub struct Issued {
    pub token: String,
    pub expires: Timestamp,
    pub audiences: Vec<String>,
}

impl Tokens {
    pub fn new(pki: &Pki) -> Result<Self, SandboxError> {
        let path = pki.file("sa.key");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| SandboxError::io("the key of service accounts", &path, &error))?;
        let key = KeyPair::from_pem(&text)
            .map_err(|error| SandboxError::new(format!("{} is no key that can sign: {error}", path.display())))?;
        Ok(Self { key, known: Mutex::new(HashMap::new()) })
    }

    /// A token that stands for `user` as long as this sandbox lives.
    pub fn add(&self, token: &str, user: User) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), (user, None));
    }

    pub fn user_of(&self, token: &str) -> Option<User> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (user, expires) = known.get(token)?;
        expires.is_none_or(|expires| expires > Timestamp::now()).then(|| user.clone())
    }

    pub fn issue(&self, account: &Value, audiences: &[String], seconds: i64) -> Result<Issued, String> {
        let (namespace, name) = (meta::namespace(account), meta::name(account));
        let audiences = if audiences.is_empty() { vec![ISSUER.to_owned()] } else { audiences.to_vec() };
        let now = Timestamp::now();
        let expires = meta::from_now(seconds);
        let id = uuid::Uuid::new_v4().to_string();
        let claims = json!({
            "aud": audiences,
            "exp": expires.as_second(),
            "iat": now.as_second(),
            "iss": ISSUER,
            "jti": id,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name, "uid": meta::text(account, "uid")},
            },
            "nbf": now.as_second(),
            "sub": user_of(account).name,
        });
        let token = self.signed(&claims)?;
        let mut who = user_of(account);
        who.extra = credential(format!("JTI={id}"));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, expires)| expires.is_none_or(|expires| expires > now));
        known.insert(token.clone(), (who, Some(expires)));
        Ok(Issued { token, expires, audiences })
    }

    /// The old kind, which lies in a secret and never ends.
    pub fn lasting(&self, account: &Value, secret: &str) -> Result<String, String> {
        const CLAIM: &str = "kubernetes.io/serviceaccount";
        let who = user_of(account);
        let token = self.signed(&json!({
            "iss": CLAIM,
            format!("{CLAIM}/namespace"): meta::namespace(account),
            format!("{CLAIM}/secret.name"): secret,
            format!("{CLAIM}/service-account.name"): meta::name(account),
            format!("{CLAIM}/service-account.uid"): who.uid,
            "sub": who.name,
        }))?;
        self.add(&token, who);
        Ok(token)
    }

    fn signed(&self, claims: &Value) -> Result<String, String> {
        let rsa = self.key.algorithm() == &rcgen::PKCS_RSA_SHA256;
        let header = json!({"alg": if rsa { "RS256" } else { "ES256" }, "kid": "sandbox"});
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut raw = self.key.sign(signed.as_bytes()).map_err(|error| error.to_string())?;
        if !rsa {
            raw = raw_signature(&raw).ok_or("the signature cannot be read")?.to_vec();
        }
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(raw)))
    }
}

/// Who a service account is to the API.
fn user_of(account: &Value) -> User {
    let (namespace, name) = (meta::namespace(account), meta::name(account));
    User {
        name: format!("system:serviceaccount:{namespace}:{name}"),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ],
        uid: meta::text(account, "uid").to_owned(),
        ..User::default()
    }
}

/// Two numbers in ASN.1 to the 64 bytes that a web token has.
fn raw_signature(der: &[u8]) -> Option<[u8; 64]> {
    let mut raw = [0; 64];
    let mut rest = der.strip_prefix(&[0x30])?.get(1..)?;
    for half in raw.chunks_mut(32) {
        let (&length, tail) = rest.strip_prefix(&[0x02])?.split_first()?;
        let number = tail.get(..usize::from(length))?;
        let digits = number.strip_prefix(&[0]).unwrap_or(number);
        half[32_usize.checked_sub(digits.len())?..].copy_from_slice(digits);
        rest = tail.get(usize::from(length)..)?;
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_padded_to_their_full_length() {
        let der = [0x30, 0x08, 0x02, 0x02, 0x00, 0xff, 0x02, 0x02, 0x01, 0x02];
        let raw = raw_signature(&der).expect("a signature");
        assert_eq!(raw[31], 0xff);
        assert_eq!(&raw[62..], [1, 2]);
        assert_eq!(raw[..31], [0; 31]);
        assert_eq!(raw_signature(&[1, 2, 3]), None);
    }
}
