//! Which Kubernetes the sandbox follows, and on which machine.

/// The Kubernetes whose behaviour and wording the API follows.
pub const KUBERNETES_VERSION: &str = "v1.36.2";

/// The machine's architecture as Go names it.
pub(crate) fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
