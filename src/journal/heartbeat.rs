/// What every cluster writes all the time, whatever anybody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heartbeat {
    /// Of nodes, of controllers that elect a leader, of API servers.
    Lease,
    /// Kubernetes' own Events, which are about other objects.
    Event,
}

const FOLDERS: [(&str, Heartbeat); 4] = [
    ("/events/", Heartbeat::Event),
    ("/leases/", Heartbeat::Lease),
    ("/masterleases/", Heartbeat::Lease),
    ("/peerserverleases/", Heartbeat::Lease),
];

impl Heartbeat {
    /// Of a key of the cluster with this prefix.
    pub fn of(prefix: &str, key: &str) -> Option<Self> {
        let below = key.strip_prefix(prefix.trim_end_matches('/'))?;
        FOLDERS.iter().find(|(folder, _)| below.starts_with(folder)).map(|(_, heartbeat)| *heartbeat)
    }
}

#[cfg(test)]
mod tests {
    use super::Heartbeat;

    #[test]
    fn leases_of_every_kind_are_heartbeats() {
        let of = |key: &str| Heartbeat::of("/registry", &format!("/registry{key}"));
        for key in ["/leases/kube-node-lease/a", "/masterleases/1.2.3.4", "/peerserverleases/apiserver-x"] {
            assert_eq!(of(key), Some(Heartbeat::Lease), "{key}");
        }
        assert_eq!(of("/events/a/b"), Some(Heartbeat::Event));
        assert_eq!(of("/configmaps/leases/a"), None);
        assert_eq!(Heartbeat::of("/registry", "/leases/a"), None);
    }
}
