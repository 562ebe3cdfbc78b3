//! The last of what a terminal printed, by its place since the beginning.

use std::collections::VecDeque;

/// What a page that comes back can still be shown.
const KEPT: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    end: u64,
}

impl Ring {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.end += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let over = (self.bytes.len() + bytes.len()).saturating_sub(KEPT);
        self.bytes.drain(..over);
        self.bytes.extend(bytes);
    }

    /// What came after `from`, at most `limit` bytes of it, and where that begins: later than `from` where what was
    /// there is not kept any more.
    pub(super) fn since(&self, from: u64, limit: usize) -> (u64, Vec<u8>) {
        let first = self.end - self.bytes.len() as u64;
        let at = from.clamp(first, self.end);
        let skip = usize::try_from(at - first).unwrap_or(usize::MAX);
        (at, self.bytes.iter().skip(skip).take(limit).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_passed_over() {
        let mut ring = Ring::default();
        ring.push(b"hello ");
        ring.push(b"world");
        assert_eq!(ring.since(0, 100), (0, b"hello world".to_vec()));
        assert_eq!(ring.since(6, 3), (6, b"wor".to_vec()));
        assert_eq!(ring.since(11, 100), (11, Vec::new()));
        assert_eq!(ring.since(99, 100), (11, Vec::new()), "a place that was never reached");
        ring.push(&vec![b'x'; KEPT]);
        let (at, kept) = ring.since(5, 10);
        assert_eq!((at, kept.as_slice()), (11, &b"xxxxxxxxxx"[..]));
        ring.push(&vec![b'y'; 3 * KEPT]);
        assert_eq!((ring.end, ring.bytes.len()), (11 + 4 * KEPT as u64, KEPT));
    }
}
