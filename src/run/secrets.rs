//! What of the journal is secret.

use crate::journal::{JournalView, KeyGlob, Piece, Seq, Stored};
use crate::text::keep_secret;
use kube_etcd_codec::{DecodeError, secret_texts};

#[derive(Debug, Default)]
pub(super) struct Secrets {
    pub(super) texts: Vec<Vec<u8>>,
    /// Namespace and name of those that etcd holds encrypted.
    pub(super) encrypted: Vec<(String, String)>,
}

/// From now on the texts of the Secrets that the journal has taken in since the last time are never written.
pub fn keep_secrets(view: &JournalView, upto: &mut Seq, prefix: &str) {
    keep_secret(since(view, *upto, prefix).texts);
    *upto = view.end();
}

/// Of the Secrets that were written after `since`; of all that exist, at the journal's beginning.
pub(super) fn since(view: &JournalView, since: Seq, prefix: &str) -> Secrets {
    let glob = KeyGlob::from_pieces(&[Piece::Data(prefix.trim_end_matches('/')), Piece::Pattern("/secrets/**")]);
    let mut secrets = Secrets::default();
    if since == 0 {
        for change in view.states(&glob, view.end()) {
            change.value.iter().for_each(|stored| secrets.add(&change.key, stored));
        }
    }
    for recorded in view.changes(&glob, since) {
        if let Some(change) = recorded.entry.change() {
            change.value.iter().chain(&change.previous).for_each(|stored| secrets.add(&change.key, stored));
        }
    }
    secrets
}

impl Secrets {
    fn add(&mut self, key: &str, stored: &Stored) {
        match stored.object() {
            Ok(object) if object.get("kind").is_some() => self.texts.extend(secret_texts(&object)),
            Err(DecodeError::Encrypted { .. }) => {
                let mut last = key.rsplit('/');
                if let (Some(name), Some(namespace)) = (last.next(), last.next()) {
                    self.encrypted.push((namespace.to_owned(), name.to_owned()));
                }
            }
            // What lies there and cannot be read cannot be shown to be public.
            _ => self.texts.push(stored.bytes().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_secret_as_a_whole() {
        let mut secrets = Secrets::default();
        secrets.add("/registry/secrets/demo/broken", &Stored::new(&b"k8s\0\xff\xff"[..]));
        secrets.add("/registry/secrets/demo/cut", &Stored::new("{\"kind\": \"Secret\", \"data\": {\"p\": \"VE9Q"));
        assert_eq!(secrets.texts.len(), 2, "{secrets:?}");
        secrets.add("/registry/secrets/demo/db", &Stored::new(&b"k8s:enc:aescbc:v1:k:\x01"[..]));
        assert_eq!(secrets.encrypted, [("demo".to_owned(), "db".to_owned())]);
    }
}
