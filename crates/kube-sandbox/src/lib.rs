#![doc = include_str!("../README.md")]
//!
//! A Kubernetes API without containers: a real etcd process, the API over it, and controllers that talk
//! only through that API, so that they run against a real kube-apiserver too.

mod agent;
pub mod api;
mod apiserver;
mod authorize;
mod bootstrap;
mod cel;
mod client;
mod control_plane;
mod controllers;
mod crd;
mod cron;
mod defaults;
mod discovery;
mod etcd;
mod identity;
mod kubeconfig;
mod kubelet;
mod labels;
mod openapi;
mod panic;
mod pki;
mod pods;
mod print;
mod serve;
mod start;
mod store;
mod token;
mod validate;

use std::path::Path;

pub use agent::Runs;
pub use client::api_client;
pub use control_plane::{ControlPlane, ControlPlaneSpec};
pub use controllers::{Controllers, Settings};
pub use pki::{Pki, PkiNames};
pub use start::{Sandbox, SandboxOptions};

/// The Kubernetes whose behaviour and wording the API follows.
pub const KUBERNETES_VERSION: &str = "v1.36.2";

/// What went wrong while a sandbox came up, and the last words of what failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SandboxError {
    pub message: String,
    pub detail: Vec<String>,
    pub hint: Option<String>,
}

impl SandboxError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: Vec::new(), hint: None }
    }

    #[must_use]
    pub fn detail(mut self, lines: Vec<String>) -> Self {
        self.detail = lines;
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("{what} at {} cannot be used: {error}", path.display()))
    }
}

impl From<pki::PkiError> for SandboxError {
    fn from(error: pki::PkiError) -> Self {
        Self::new(error.to_string())
    }
}
