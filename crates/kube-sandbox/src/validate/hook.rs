//! Where a webhook is said to listen.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::errors::{Errors, is_empty};
use crate::object::{names, text};

pub(super) fn place(config: &Value, here: &str, errors: &mut Errors) {
    if is_empty(config.get("url")) == is_empty(config.get("service")) {
        errors.required(here, "exactly one of url or service is required");
    } else if let Some(given) = config["url"].as_str() {
        url(given, &format!("{here}.url"), errors);
    } else {
        service(&config["service"], &format!("{here}.service"), errors);
    }
}

/// What the server's certificate is to be checked against, as the API server reads it.
pub(super) fn bundle(config: &Value, here: &str, errors: &mut Errors) {
    let bundle = text(config, "caBundle");
    let pem = STANDARD.decode(bundle).unwrap_or_default();
    if pem.trim_ascii().is_empty() {
        return;
    }
    let mut certificates = CertificateDer::pem_slice_iter(&pem);
    if !certificates.any(|one| one.is_ok()) {
        let why = "unable to load root certificates: unable to parse bytes as PEM block";
        errors.invalid(format!("{here}.caBundle"), &json!(bundle), why);
    }
}

fn url(given: &str, here: &str, errors: &mut Errors) {
    const FORM: &str = "; desired format: https://host[/path]";
    let (rest, fragment) = given.split_once('#').unwrap_or((given, ""));
    let Ok(uri) = rest.parse::<Uri>() else {
        errors.required(here, &format!("url must be a valid URL: parse {}: invalid URL{FORM}", json!(given)));
        return;
    };
    let scheme = uri.scheme_str().unwrap_or_default();
    if scheme != "https" {
        errors.invalid(here, &json!(scheme), &format!("'https' is the only allowed URL scheme{FORM}"));
    }
    if uri.host().is_none_or(str::is_empty) {
        errors.invalid(here, &json!(""), &format!("host must be specified{FORM}"));
    }
    let user = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
    if let Some((user, _)) = user {
        errors.invalid(here, &json!(user), "user information is not permitted in the URL");
    }
    if !fragment.is_empty() {
        errors.invalid(here, &json!(fragment), "fragments are not permitted in the URL");
    }
    if let Some(query) = uri.query().filter(|query| !query.is_empty()) {
        errors.invalid(here, &json!(query), "query parameters are not permitted in the URL");
    }
}

fn service(service: &Value, here: &str, errors: &mut Errors) {
    for part in ["name", "namespace"] {
        if text(service, part).is_empty() {
            errors.required(format!("{here}.{part}"), "");
        }
    }
    if service["port"].as_i64().is_some_and(|port| !(1..=65535).contains(&port)) {
        let why = "port is not valid: must be between 1 and 65535, inclusive";
        errors.invalid(format!("{here}.port"), &service["port"], why);
    }
    let path = text(service, "path");
    let here = format!("{here}.path");
    let mut wrong = |why: &str| errors.invalid(here.as_str(), &json!(path), why);
    match path {
        "" | "/" => return,
        "//" => return wrong("segment[0] may not be empty"),
        _ => {}
    }
    let steps = path.strip_prefix('/').unwrap_or_else(|| {
        wrong("must start with a '/'");
        path
    });
    for (at, step) in steps.strip_suffix('/').unwrap_or(steps).split('/').enumerate() {
        if step.is_empty() {
            wrong(&format!("segment[{at}] may not be empty"));
            continue;
        }
        for why in names::dns_subdomain(step) {
            wrong(&format!("segment[{at}]: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(config: &Value) -> Vec<String> {
        let mut errors = Errors::default();
        place(config, "c", &mut errors);
        bundle(config, "c", &mut errors);
        let errors = errors.into_result().err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_place_is_wrong_in_the_words_of_the_server() {
        for (config, wrong) in [
            (json!({"url": "https://127.0.0.1:1/x", "caBundle": "ICAK"}), vec![]),
            (json!({"service": {"namespace": "n", "name": "s", "path": "/a/b/"}}), vec![]),
            (json!({}), vec!["c: Required value: exactly one of url or service is required"]),
            (
                json!({"url": "https://x", "service": {"namespace": "n", "name": "s"}}),
                vec!["c: Required value: exactly one of url or service is required"],
            ),
            (
                json!({"url": "http://x/y"}),
                vec![
                    "c.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
                ],
            ),
            (
                json!({"url": "https://u:p@x/y?a=b#c"}),
                vec![
                    "c.url: Invalid value: \"u:p\": user information is not permitted in the URL",
                    "c.url: Invalid value: \"c\": fragments are not permitted in the URL",
                    "c.url: Invalid value: \"a=b\": query parameters are not permitted in the URL",
                ],
            ),
            (
                json!({"url": "https://x", "caBundle": "aGVsbG8="}),
                vec![
                    "c.caBundle: Invalid value: \"aGVsbG8=\": unable to load root certificates: unable to parse bytes as PEM block",
                ],
            ),
            (
                json!({"service": {"namespace": "n", "name": "s", "path": "x//y"}}),
                vec![
                    "c.service.path: Invalid value: \"x//y\": must start with a '/'",
                    "c.service.path: Invalid value: \"x//y\": segment[1] may not be empty",
                ],
            ),
        ] {
            assert_eq!(told(&config), wrong, "{config}");
        }
    }
}
