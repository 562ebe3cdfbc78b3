//! Images: their full names, and which of them no registry can have.

use std::sync::Arc;

use super::images::{self, Facts, Listed};

/// What comes of asking for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pull {
    Works,
    /// The name itself is not one: asking is pointless.
    Invalid(String),
    /// The registry was asked in vain; its words.
    Fails(String),
}

/// `nginx` is `docker.io/library/nginx:latest`.
pub(crate) fn full_name(image: &str) -> String {
    let (host, path) = split(image);
    let path = if host == "docker.io" && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
    let last = path.rsplit('/').next().unwrap_or_default();
    let tag = if last.contains(':') || path.contains('@') { "" } else { ":latest" };
    format!("{host}/{path}{tag}")
}

fn split(image: &str) -> (&str, &str) {
    match image.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
        _ => ("docker.io", image),
    }
}

/// Domains under which registries are found. A name under none of these resolves nowhere.
const DOMAINS: [&str; 24] = [
    "io", "com", "org", "net", "dev", "aws", "ms", "cloud", "app", "sh", "co", "eu", "de", "uk", "fr", "ch", "us",
    "cn", "jp", "ai", "land", "tech", "run", "ru",
];

/// Names that people give to images which are meant not to be there.
const MISSING: [&str; 20] = [
    "no-such",
    "nosuch",
    "does-not-exist",
    "doesnotexist",
    "doesntexist",
    "doesnt-exist",
    "nonexistent",
    "non-existent",
    "nonexisting",
    "not-exist",
    "notexist",
    "no-exist",
    "missing",
    "invalid",
    "broken",
    "nope",
    "bogus",
    "typo",
    "ghost",
    "wrong",
];

/// Domains that are kept for examples: no registry is ever there.
const EXAMPLES: [&str; 3] = ["example.com", "example.org", "example.net"];

struct Name<'a> {
    host: &'a str,
    repository: String,
    tag: Option<&'a str>,
}

fn name(image: &str) -> Name<'_> {
    let (host, path) = split(image);
    let (name, digest) = path.split_once('@').map_or((path, false), |(name, _)| (name, true));
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    };
    let library = host == "docker.io" && !repository.contains('/');
    let repository = if library { format!("library/{repository}") } else { repository.to_owned() };
    Name { host, repository, tag: if digest { None } else { tag.or(Some("latest")) } }
}

/// What is known of the image's insides.
pub(crate) fn facts(image: &str) -> Option<Arc<Facts>> {
    let Name { host, repository, tag } = name(image);
    match images::look_up(host, &repository, tag) {
        Listed::Known(facts) => Some(facts),
        _ => None,
    }
}

pub(crate) fn pull(image: &str) -> Pull {
    let Name { host, repository, tag } = name(image);
    let bare = repository.strip_prefix("library/").unwrap_or(&repository);
    let tag_name = tag.unwrap_or("latest");
    let letters =
        |text: &str, more: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c));
    let tag_ok = !tag_name.is_empty()
        && tag_name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && !tag_name.starts_with(['.', '-']);
    if bare.is_empty() || !tag_ok || !letters(bare, "/._-") {
        let why = if bare.chars().any(|c| c.is_ascii_uppercase()) {
            "repository name must be lowercase"
        } else {
            "invalid reference format"
        };
        return Pull::Invalid(format!(
            "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {why}"
        ));
    }
    let full = full_name(image);
    let failed = format!("failed to pull and unpack image \"{full}\": failed to resolve reference \"{full}\"");
    let asked = format!("{failed}: failed to do request: Head \"https://{host}/v2/{bare}/manifests/{tag_name}\"");
    let machine = host.split(':').next().unwrap_or(host);
    if machine == "localhost" || machine.parse::<std::net::IpAddr>().is_ok() {
        return Pull::Fails(format!("{asked}: dial tcp {host}: connect: connection refused"));
    }
    let domain = machine.rsplit('.').next().unwrap_or_default();
    let example = EXAMPLES.iter().any(|end| machine == *end || machine.ends_with(&format!(".{end}")));
    if !DOMAINS.contains(&domain) || example {
        return Pull::Fails(format!("{asked}: dial tcp: lookup {machine} on 172.18.0.1:53: no such host"));
    }
    let missing = || Pull::Fails(format!("rpc error: code = NotFound desc = {failed}: {full}: not found"));
    let denied = || {
        Pull::Fails(format!(
            "{failed}: pull access denied, repository does not exist or may require authorization: server message: \
             insufficient_scope: authorization failed"
        ))
    };
    let telling = |text: &str| MISSING.iter().any(|word| text.contains(word));
    match images::look_up(host, &repository, tag) {
        Listed::NoSuchTag => missing(),
        Listed::NoSuchImage => denied(),
        Listed::There | Listed::Unknown | Listed::UnknownRegistry if telling(tag_name) => missing(),
        Listed::Unknown | Listed::UnknownRegistry if telling(&repository) => denied(),
        Listed::Known(_) | Listed::There | Listed::Unknown | Listed::UnknownRegistry => Pull::Works,
    }
}

/// A stable stand-in for an image's digest.
pub(crate) fn digest(image: &str) -> String {
    let mut text = String::from("sha256:");
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for _ in 0..4 {
        for byte in full_name(image).bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        text.push_str(&format!("{hash:016x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_containerd_does() {
        assert_eq!(full_name("nginx"), "docker.io/library/nginx:latest");
        assert_eq!(full_name("bitnami/etcd:3.5"), "docker.io/bitnami/etcd:3.5");
        assert_eq!(full_name("registry.k8s.io/pause:3.10"), "registry.k8s.io/pause:3.10");
        assert_eq!(full_name("localhost:5000/a"), "localhost:5000/a:latest");
    }

    #[test]
    fn a_registry_that_cannot_be_is_told_from_one_that_can() {
        for image in [
            "nginx:alpine",
            "registry.k8s.io/pause",
            "quay.io/coreos/etcd:v3.6.0",
            "public.ecr.aws/a/b",
            "bitnami/kubectl",
        ] {
            assert_eq!(pull(image), Pull::Works, "{image}");
        }
        let Pull::Fails(message) = pull("no.such.registry/none:1") else { panic!("it cannot be pulled") };
        assert_eq!(
            message,
            "failed to pull and unpack image \"no.such.registry/none:1\": failed to resolve reference \"no.such.registry/none:1\": \
             failed to do request: Head \"https://no.such.registry/v2/none/manifests/1\": dial tcp: lookup no.such.registry on \
             172.18.0.1:53: no such host"
        );
        for (image, why) in [
            (
                "nginx:1.161",
                "code = NotFound desc = failed to pull and unpack image \"docker.io/library/nginx:1.161\": failed to resolve reference \"docker.io/library/nginx:1.161\": docker.io/library/nginx:1.161: not found",
            ),
            ("ngnix", "pull access denied, repository does not exist or may require authorization"),
            ("registry.k8s.io/e2e-test-images/agnhost", "not found"),
            ("quay.io/somebody/no-such-app", "pull access denied"),
            ("registry.example.com/app:1", "no such host"),
            ("registry.invalid/app:1", "no such host"),
            ("127.0.0.1:5000/app", "connection refused"),
        ] {
            assert!(matches!(pull(image), Pull::Fails(said) if said.contains(why)), "{image}");
        }
        for image in ["ghost", "somebody/app:2", "docker.io/nginx", "docker.io/library/nginx:1.27", "nginx@sha256:0123"]
        {
            assert_eq!(pull(image), Pull::Works, "{image}");
        }
        assert!(matches!(pull("Nginx"), Pull::Invalid(_)));
    }
}
