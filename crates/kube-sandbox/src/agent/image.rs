//! Images: their full names, and which of them no registry can have.

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

/// The last part of the path, without tag and digest.
pub(crate) fn repository(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split([':', '@']).next().unwrap_or(last)
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

pub(crate) fn pull(image: &str) -> Pull {
    let (host, path) = split(image);
    let name = path.split('@').next().unwrap_or(path);
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    };
    let letters =
        |text: &str, more: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c));
    let tag_ok = !tag.is_empty()
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && !tag.starts_with(['.', '-']);
    if repository.is_empty() || !tag_ok || !letters(repository, "/._-") {
        let why = if repository.chars().any(|c| c.is_ascii_uppercase()) {
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
    let machine = host.split(':').next().unwrap_or(host);
    if machine == "localhost" || machine.parse::<std::net::IpAddr>().is_ok() {
        return Pull::Fails(format!(
            "{failed}: failed to do request: Head \"https://{host}/v2/{repository}/manifests/{tag}\": dial tcp {host}: connect: connection refused"
        ));
    }
    let domain = machine.rsplit('.').next().unwrap_or_default();
    if !DOMAINS.contains(&domain) {
        return Pull::Fails(format!(
            "{failed}: failed to do request: Head \"https://{host}/v2/{repository}/manifests/{tag}\": dial tcp: lookup {machine} on 172.18.0.1:53: no such host"
        ));
    }
    let telling = |text: &str| MISSING.iter().any(|word| text.contains(word));
    if telling(tag) {
        return Pull::Fails(format!("rpc error: code = NotFound desc = {failed}: {full}: not found"));
    }
    if telling(repository) {
        return Pull::Fails(format!(
            "{failed}: pull access denied, repository does not exist or may require authorization: server message: \
             insufficient_scope: authorization failed"
        ));
    }
    Pull::Works
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
        assert!(matches!(pull("nginx:does-not-exist"), Pull::Fails(_)));
        assert!(matches!(pull("Nginx"), Pull::Invalid(_)));
    }
}
