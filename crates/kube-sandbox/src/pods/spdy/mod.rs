//! SPDY/3.1, as much of it as Kubernetes' streams are made of. kubectl speaks it to forward ports: inside
//! a WebSocket today, over the bare connection before 1.31.

mod dictionary;
mod frames;
mod tunnel;

pub(super) use tunnel::{Wire, carry};

/// The WebSocket's subprotocol: SPDY inside, and inside that the streams of a port-forward.
pub(super) const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
/// What the streams of a port-forward call themselves.
pub(super) const PORT_FORWARD: &str = "portforward.k8s.io";
