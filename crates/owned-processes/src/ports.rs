use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::Mutex;

/// Below what systems give to outgoing connections (Linux 32768, macOS 49152) and to Kubernetes' node ports (30000).
const PORTS: Range<u16> = 12_000..30_000;

/// The least that is worth keeping to.
const FEWEST: u16 = 1_000;

/// How far this process has come in its range.
static DRAWN: Mutex<Option<u16>> = Mutex::new(None);

/// A TCP port of 127.0.0.1 on which nothing listens, and never the same twice in a process before all others were had.
///
/// A port that the system itself picks (`bind` to 0) is one of those that it also gives to outgoing connections: when a
/// server comes to listen there some seconds later, a connection of any process may have it. These are others.
pub fn free_port() -> io::Result<u16> {
    let ports = outside_of_connections();
    let count = ports.end - ports.start;
    let mut drawn = DRAWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Processes begin in different places, so that two of them seldom want the same.
    let mut at =
        drawn.unwrap_or_else(|| u16::try_from(RandomState::new().hash_one(0) % u64::from(count)).unwrap_or_default());
    for _ in 0..count {
        let port = ports.start + at % count;
        at = (at + 1) % count;
        if is_free(port) {
            *drawn = Some(at);
            return Ok(port);
        }
    }
    let message = format!("no free port on 127.0.0.1 from {} to {}", ports.start, ports.end - 1);
    Err(io::Error::new(io::ErrorKind::AddrInUse, message))
}

fn is_free(port: u16) -> bool {
    // On macOS a server of all addresses does not stand in the way of one address, and the other way round.
    [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED].into_iter().all(|address| TcpListener::bind((address, port)).is_ok())
}

/// A person may have widened the range of outgoing connections.
fn outside_of_connections() -> Range<u16> {
    let connections = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    below(connections.split_whitespace().next().and_then(|first| first.parse().ok()))
}

fn below(connections: Option<u16>) -> Range<u16> {
    match connections {
        Some(first) if first >= PORTS.start + FEWEST => PORTS.start..PORTS.end.min(first),
        _ => PORTS,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_are_free_and_differ() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free_port().expect("a port is free")).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| PORTS.contains(port)), "{ports:?}");
    }

    #[test]
    fn a_port_on_which_something_listens_is_not_free() {
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let held = TcpListener::bind((address, free_port().expect("a port is free"))).expect("it listens");
            assert!(!is_free(held.local_addr().expect("an address").port()), "{address}");
        }
    }

    #[test]
    fn the_range_ends_where_outgoing_connections_begin() {
        assert_eq!(below(None), PORTS);
        assert_eq!(below(Some(32_768)), PORTS);
        assert_eq!(below(Some(20_000)), 12_000..20_000);
        assert_eq!(below(Some(1_024)), PORTS);
    }
}
