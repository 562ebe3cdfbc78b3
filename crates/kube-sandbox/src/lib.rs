#![doc = include_str!("../README.md")]
//!
//! # The order of its modules
//!
//! A module imports only from those that stand before it here, and no two below one folder import each other; the
//! test `order` reads every import and fails on one that does not keep to it. `agent` and `controllers` know nothing
//! of the API's insides: they talk to it as clients, so that they run against a real kube-apiserver too.
//!
//! ```text
//! version addresses panic pki error client kubeconfig cron
//! object cel resource store status validate defaults crd objects definitions
//! print discovery openapi user request authorize
//! runtime agent controllers pods token
//! api
//! identity serve kubelet etcd bootstrap control_plane apiserver keep start
//! ```
//!
//! A request travels from `serve` (TLS, and by `identity` or `token` who asks) to `api`, which lists its own order;
//! an object from its body through `validate`, `defaults` and admission to its bytes (`objects`) in etcd (`store`), and
//! back by `store`'s watches and reads through `objects` to what a client is shown.

#![warn(missing_docs)]

mod addresses;
mod agent;
mod api;
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
mod definitions;
mod discovery;
mod error;
mod etcd;
mod identity;
mod keep;
mod kubeconfig;
mod kubelet;
mod object;
mod objects;
mod openapi;
mod panic;
mod pki;
mod pods;
mod print;
mod request;
mod resource;
mod runtime;
mod serve;
mod start;
mod status;
mod store;
mod token;
mod user;
mod validate;
mod version;

pub use agent::Runs;
pub use client::api_client;
pub use control_plane::{ControlPlane, ControlPlaneSpec};
pub use controllers::{Controllers, Settings};
pub use error::SandboxError;
pub use etcd::why_it_ended as why_etcd_ended;
pub use openapi::description;
pub use pki::{Pki, PkiNames};
pub use start::{Sandbox, SandboxOptions};
pub use version::KUBERNETES_VERSION;
