//! Who a client certificate stands for: its subject's common name, and its organizations as groups, read as
//! Go reads them. TLS has verified the chain before anything here is asked.

use std::fmt::Write;

use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::AttributeTypeAndValue;

use crate::user::{User, credential};

/// What a certificate says of its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    User(User),
    /// It has no common name: the certificate is no credential, a token may still be one.
    Nameless,
    /// Its subject cannot be read: nobody, whatever else the request shows.
    Unreadable,
}

pub fn bearer_of(certificate: &[u8]) -> Bearer {
    match subject(certificate) {
        None => Bearer::Unreadable,
        Some((name, _)) if name.is_empty() => Bearer::Nameless,
        Some((name, mut groups)) => {
            groups.push("system:authenticated".into());
            Bearer::User(User { name, groups, uid: String::new(), extra: credential(fingerprint(certificate)) })
        }
    }
}

/// The last common name, and every organization in order.
fn subject(certificate: &[u8]) -> Option<(String, Vec<String>)> {
    let (rest, certificate) = X509Certificate::from_der(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let texts = |attributes: &mut dyn Iterator<Item = &AttributeTypeAndValue<'_>>| {
        attributes.map(|attribute| text(attribute.attr_value())).collect::<Option<Vec<String>>>()
    };
    let subject = certificate.subject();
    let name = texts(&mut subject.iter_common_name())?.pop().unwrap_or_default();
    Some((name, texts(&mut subject.iter_organization())?))
}

/// The kinds of text that Go's certificates hold; another kind is no text.
fn text(value: &Any<'_>) -> Option<String> {
    let bytes = value.data;
    match value.tag() {
        Tag::Utf8String => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect())
        }
        // Of all that T.61 can say, everybody writes Latin 1.
        Tag::T61String => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            if rest.is_empty() { String::from_utf16(&units).ok() } else { None }
        }
        _ => None,
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    let print = ring::digest::digest(&ring::digest::SHA256, certificate);
    let mut id = String::from("X509SHA256=");
    for byte in print.as_ref() {
        // Writing to a text cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use rcgen::string::{BmpString, TeletexString};
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(subject: Vec<(DnType, DnValue)>) -> Vec<u8> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind, value);
        }
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    fn user(subject: Vec<(DnType, DnValue)>) -> (String, Vec<String>) {
        match bearer_of(&certificate(subject)) {
            Bearer::User(user) => (user.name, user.groups),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_common_name_is_a_name_whatever_bytes_it_holds() {
        for name in [
            "eve\u{6}\u{3}U\u{4}\n\u{c}\u{e}system:masters",
            "eve,O=system:masters",
            "eve/O=system:masters",
            "eve\0system:masters",
            "CN=eve+O=system:masters",
        ] {
            let (is, groups) = user(vec![(DnType::CommonName, DnValue::from(name))]);
            assert_eq!(is, name);
            assert_eq!(groups, ["system:authenticated"], "{name:?}");
        }
        let long = "x".repeat(300);
        assert_eq!(user(vec![(DnType::CommonName, DnValue::from(long.as_str()))]).0, long);
    }

    #[test]
    fn organizations_are_groups_and_every_kind_of_text_is_read() {
        let bmp = BmpString::try_from("Gäste").expect("a text");
        let latin = TeletexString::try_from("devs").expect("a text");
        let (name, groups) = user(vec![
            (DnType::OrganizationName, DnValue::BmpString(bmp)),
            (DnType::CommonName, DnValue::TeletexString(latin)),
        ]);
        assert_eq!((name.as_str(), groups), ("devs", vec!["Gäste".to_owned(), "system:authenticated".to_owned()]));
        let utf = "日本".to_owned();
        assert_eq!(user(vec![(DnType::CommonName, DnValue::Utf8String(utf))]).0, "日本");
    }

    #[test]
    fn several_organizations_all_count() {
        // `rcgen` keeps one of a kind: this one was made by openssl, `/O=a/O=b,c/CN=jane`.
        let pem = include_str!("../tests/several-organizations.crt");
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).expect("a certificate");
        let Bearer::User(jane) = bearer_of(&pem.contents) else { panic!("she has a name") };
        assert_eq!(
            (jane.name.as_str(), jane.groups),
            ("jane", ["a", "b,c", "system:authenticated"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn without_a_name_and_without_a_certificate_it_is_nobody() {
        let group = || (DnType::OrganizationName, DnValue::from("system:masters"));
        assert_eq!(bearer_of(&certificate(vec![group()])), Bearer::Nameless);
        assert_eq!(bearer_of(&certificate(vec![group(), (DnType::CommonName, DnValue::from(""))])), Bearer::Nameless);
        assert_eq!(bearer_of(b"0\x82 no certificate"), Bearer::Unreadable);
        let mut trailing = certificate(vec![(DnType::CommonName, DnValue::from("jane"))]);
        trailing.push(0);
        assert_eq!(bearer_of(&trailing), Bearer::Unreadable);
    }
}
