//! Addresses of pods: one after the other from the node's range, as a node's own allocator hands them out.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

/// 10.244.0.0/16: wider than one node's range, so that a node may hold thousands of pods.
const FIRST: u32 = u32::from_be_bytes([10, 244, 0, 2]);
const LAST: u32 = u32::from_be_bytes([10, 244, 255, 254]);

#[derive(Default)]
pub(crate) struct Addresses(Mutex<Pool>);

#[derive(Default)]
struct Pool {
    held: HashMap<Box<str>, u32>,
    taken: std::collections::HashSet<u32>,
    last: u32,
}

impl Addresses {
    /// The address of the pod with this uid, a new one if it has none.
    pub(crate) fn of(&self, uid: &str) -> Ipv4Addr {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = pool.held.get(uid) {
            return Ipv4Addr::from(*held);
        }
        let start = if (FIRST..LAST).contains(&pool.last) { pool.last + 1 } else { FIRST };
        let free = (start..=LAST).chain(FIRST..start).find(|address| !pool.taken.contains(address)).unwrap_or(FIRST);
        pool.last = free;
        pool.taken.insert(free);
        pool.held.insert(uid.into(), free);
        Ipv4Addr::from(free)
    }

    /// An address that a pod has already, from before we came.
    pub(crate) fn note(&self, uid: &str, address: Ipv4Addr) {
        let address = u32::from(address);
        if (FIRST..=LAST).contains(&address) {
            let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.taken.insert(address) {
                pool.held.insert(uid.into(), address);
                pool.last = pool.last.max(address);
            }
        }
    }

    pub(crate) fn free(&self, uid: &str) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = pool.held.remove(uid) {
            pool.taken.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_up_and_come_back_only_after_a_round() {
        let pool = Addresses::default();
        pool.note("old", Ipv4Addr::new(10, 244, 0, 3));
        assert_eq!(pool.of("a"), Ipv4Addr::new(10, 244, 0, 4));
        assert_eq!(pool.of("b"), Ipv4Addr::new(10, 244, 0, 5));
        assert_eq!(pool.of("a"), Ipv4Addr::new(10, 244, 0, 4));
        pool.free("a");
        assert_eq!(pool.of("c"), Ipv4Addr::new(10, 244, 0, 6));
    }
}
