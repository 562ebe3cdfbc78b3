//! Requests for certificates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use super::errors::Errors;
use crate::object::names::dns_label;
use crate::object::{list, text};

const LEGACY: &str = "kubernetes.io/legacy-unknown";
const SHORTEST: i64 = 600;
const LONGEST_DOMAIN: usize = 253;

/// In the order in which the server names them.
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

pub(super) fn request(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    // All that it asks for stays as it was.
    if old.is_some() {
        return;
    }
    let spec = &object["spec"];
    let given = STANDARD.decode(text(spec, "request")).unwrap_or_default();
    if let Err(why) = organizations(&given) {
        errors.invalid("spec.request", &spec["request"], &why);
    }
    let usages = list(spec, "usages");
    if usages.is_empty() {
        errors.required("spec.usages", "");
    }
    for (at, usage) in usages.iter().enumerate() {
        errors.one_of(format!("spec.usages[{at}]"), usage, &USAGES);
        if usages[..at].contains(usage) {
            errors.duplicate(format!("spec.usages[{at}]"), usage);
        }
    }
    let signer = text(spec, "signerName");
    if signer == LEGACY {
        let why = "the legacy signerName is not allowed via this API version";
        errors.invalid("spec.signerName", &json!(signer), why);
    } else {
        signer_name("spec.signerName", signer, errors);
    }
    if let Some(seconds) = spec["expirationSeconds"].as_i64().filter(|seconds| *seconds < SHORTEST) {
        let why = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.invalid("spec.expirationSeconds", &json!(seconds), why);
    }
}

fn signer_name(field: &str, name: &str, errors: &mut Errors) {
    if name.is_empty() {
        return errors.required(field, "");
    }
    let Some((domain, path)) = name.split_once('/').filter(|(_, path)| !path.contains('/')) else {
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        return errors.invalid(field, &json!(name), why);
    };
    if domain.len() > LONGEST_DOMAIN {
        errors.too_long(field, LONGEST_DOMAIN);
    }
    if !domain.contains('.') {
        let why = "should be a domain with at least two segments separated by dots";
        errors.invalid(field, &json!(domain), why);
    }
    for label in domain.split('.') {
        for why in dns_label(label) {
            errors.invalid(field, &json!(domain), &format!("validating label {}: {why}", json!(label)));
        }
    }
    if path.is_empty() {
        errors.invalid(
            field,
            &json!(name),
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        );
    }
}

/// The organizations that a request in PEM names, which are its bearer's groups; else what is wrong with it.
pub(crate) fn organizations(request: &[u8]) -> Result<Vec<String>, String> {
    let wrong = || "PEM block type must be CERTIFICATE REQUEST".to_owned();
    let (pem, _) = Pem::read(std::io::Cursor::new(request)).map_err(|_| wrong())?;
    if pem.label != "CERTIFICATE REQUEST" {
        return Err(wrong());
    }
    let (rest, request) =
        X509CertificationRequest::from_der(&pem.contents).map_err(|error| format!("asn1: structure error: {error}"))?;
    if !rest.is_empty() {
        return Err("asn1: syntax error: trailing data".to_owned());
    }
    request.verify_signature().map_err(|error| format!("x509: the request's signature does not hold: {error}"))?;
    let names = request.certification_request_info.subject.iter_organization();
    Ok(names.filter_map(|name| name.as_str().ok().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn signed(organization: Option<&str>) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "jane");
        if let Some(name) = organization {
            params.distinguished_name.push(DnType::OrganizationName, name);
        }
        let key = KeyPair::generate().expect("a key");
        params.serialize_request(&key).expect("a request").pem().expect("PEM")
    }

    fn said(spec: Value) -> Vec<String> {
        let mut errors = Errors::default();
        request(&json!({"spec": spec}), None, &mut errors);
        errors.into_result().err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_request_has_to_be_one() {
        let good = STANDARD.encode(signed(None));
        let spec =
            |request: &str| json!({"request": request, "signerName": "example.com/s", "usages": ["client auth"]});
        assert_eq!(said(spec(&good)), Vec::<String>::new());
        let pem = "PEM block type must be CERTIFICATE REQUEST";
        assert_eq!(said(spec("YWI=")), [format!("spec.request: Invalid value: \"YWI=\": {pem}")]);
        assert!(said(spec("")).iter().all(|one| one.ends_with(pem)), "{:?}", said(spec("")));
        // Another's signature.
        let (one, other) = (signed(None), signed(Some("o")));
        let der = |pem: &str| Pem::read(std::io::Cursor::new(pem.as_bytes())).expect("PEM").0.contents;
        let (mut bytes, signature) = (der(&one), der(&other));
        let end = bytes.len();
        bytes[end - 8..].copy_from_slice(&signature[signature.len() - 8..]);
        let mixed = format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
            STANDARD.encode(&bytes)
        );
        assert!(said(spec(&STANDARD.encode(mixed)))[0].contains("the request's signature does not hold"));
        assert_eq!(organizations(other.as_bytes()), Ok(vec!["o".to_owned()]));
    }

    #[test]
    fn what_it_asks_for_is_known() {
        let good = STANDARD.encode(signed(None));
        let spec = |signer: &str, usages: Value| json!({"request": good, "signerName": signer, "usages": usages});
        assert_eq!(said(spec("a.b/c", json!([]))), ["spec.usages: Required value"]);
        let wrong = said(spec("a.b/c", json!(["client auth", "client auth", "foo"])));
        assert_eq!(wrong[0], "spec.usages[1]: Duplicate value: \"client auth\"");
        assert!(
            wrong[1]
                .starts_with("spec.usages[2]: Unsupported value: \"foo\": supported values: \"any\", \"cert sign\"")
        );
        assert_eq!(said(spec("", json!(["any"]))), ["spec.signerName: Required value"]);
        for (signer, why) in [
            (LEGACY, "the legacy signerName is not allowed via this API version"),
            ("plain", "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
            ("com/x", "should be a domain with at least two segments separated by dots"),
        ] {
            let said = said(spec(signer, json!(["any"])));
            assert!(said.len() == 1 && said[0].ends_with(why), "{said:?}");
        }
        let mut short = spec("a.b/c", json!(["any"]));
        short["expirationSeconds"] = json!(60);
        let why =
            "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 600 seconds (10 minutes)";
        assert_eq!(said(short), [why]);
    }
}
