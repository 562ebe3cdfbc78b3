//! The cluster's address ranges, those of kubeadm's and kind's defaults.

/// Of Services.
pub const SERVICES: &str = "10.96.0.0/16";
/// The Service `kubernetes`.
pub const API: &str = "10.96.0.1";
/// The Service `kube-dns`.
pub const DNS: &str = "10.96.0.10";
/// Of pods.
pub const PODS: &str = "10.244.0.0/16";

/// A Service's address.
pub fn service(third: u8, fourth: u8) -> String {
    format!("10.96.{third}.{fourth}")
}

/// The range of one node's pods.
pub fn of_node(at: usize) -> String {
    format!("10.244.{at}.0/24")
}
