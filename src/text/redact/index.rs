//! Every known secret by its pieces of eight bytes, so that one pass over a text finds each of them, whole or in
//! part, whatever their number.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Looked up as one number.
const PIECE: usize = 8;
/// Shorter ones have no piece of that size, and are looked up by these.
pub(super) const SHORTEST: usize = 4;
/// A piece begins at each so manieth byte of a secret; further apart in those that are very long.
const EVERY: usize = 4;
const EVERY_OF_LONG: usize = 32;
const LONG: usize = 64 << 10;
/// A secret that repeats itself is not found more often than this.
const SAME_PIECE: usize = 16;
/// Bits of the filter that most bytes of most texts do not pass.
const FILTER_BITS: u32 = 20;

#[derive(Debug, Clone)]
struct Secret {
    bytes: Arc<[u8]>,
    /// A part of so many bytes is hidden as well.
    least: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    secrets: Vec<Secret>,
    known: HashSet<Arc<[u8]>>,
    pieces: HashMap<u64, Vec<(u32, u32)>>,
    heads: HashMap<u32, Vec<u32>>,
    filter: Vec<u64>,
}

/// What was found of a secret, by its place in the bytes.
pub(super) enum Found {
    Part(Range<usize>),
    /// The beginning of one, which the bytes break off.
    Open(usize),
}

impl Index {
    pub(super) fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    pub(super) fn has_short(&self) -> bool {
        !self.heads.is_empty()
    }

    /// Takes a squeezed secret of at least [`SHORTEST`] bytes in; whether it is new.
    pub(super) fn insert(&mut self, secret: &[u8], least: usize) -> bool {
        debug_assert!(secret.len() >= SHORTEST, "the caller keeps shorter ones");
        if self.known.contains(secret) {
            return false;
        }
        let bytes: Arc<[u8]> = secret.into();
        self.known.insert(Arc::clone(&bytes));
        let id = u32::try_from(self.secrets.len()).unwrap_or(u32::MAX);
        if secret.len() < PIECE {
            self.heads.entry(four(secret)).or_default().push(id);
            self.admit(four(secret));
        } else {
            let every = if secret.len() > LONG { EVERY_OF_LONG } else { EVERY };
            let last = secret.len() - PIECE;
            for at in (0..=last).step_by(every).chain([last]) {
                let places = self.pieces.entry(eight(&secret[at..])).or_default();
                if places.len() < SAME_PIECE && !places.contains(&(id, u32::try_from(at).unwrap_or(u32::MAX))) {
                    places.push((id, u32::try_from(at).unwrap_or(u32::MAX)));
                }
                self.admit(four(&secret[at..]));
            }
        }
        self.secrets.push(Secret { bytes, least: least.min(secret.len()) });
        true
    }

    fn admit(&mut self, four: u32) {
        if self.filter.is_empty() {
            self.filter = vec![0; 1 << (FILTER_BITS - 6)];
        }
        let bit = bit(four);
        self.filter[bit >> 6] |= 1 << (bit & 63);
    }

    fn admits(&self, four: u32) -> bool {
        let bit = bit(four);
        self.filter[bit >> 6] & (1 << (bit & 63)) != 0
    }

    /// Finds secrets in squeezed bytes. Where these are the end of what is known so far, beginnings count too.
    pub(super) fn find(&self, bytes: &[u8], is_open: bool, mut tell: impl FnMut(Found)) {
        if self.is_empty() {
            return;
        }
        let mut covered = 0..0;
        for at in 0..(bytes.len() + 1).saturating_sub(SHORTEST) {
            let rest = &bytes[at..];
            let head = four(rest);
            if !self.admits(head) {
                continue;
            }
            for id in self.heads.get(&head).into_iter().flatten() {
                let secret = &self.secrets[*id as usize].bytes;
                if rest.starts_with(secret) {
                    tell(Found::Part(at..at + secret.len()));
                }
            }
            if rest.len() >= PIECE
                && let Some(places) = self.pieces.get(&eight(rest))
            {
                for (id, place) in places {
                    self.extend(bytes, at, *id, *place as usize, is_open, &mut covered, &mut tell);
                }
            }
        }
        if is_open {
            for at in bytes.len().saturating_sub(PIECE - 1)..bytes.len() {
                if self.secrets.iter().any(|secret| secret.bytes.starts_with(&bytes[at..])) {
                    tell(Found::Open(at));
                    break;
                }
            }
        }
    }

    /// A piece was found at `at`: how far does the secret go on to both sides?
    #[expect(clippy::too_many_arguments, reason = "the state of one pass")]
    fn extend(
        &self,
        bytes: &[u8],
        at: usize,
        id: u32,
        place: usize,
        is_open: bool,
        covered: &mut Range<usize>,
        tell: &mut impl FnMut(Found),
    ) {
        let Secret { bytes: secret, least } = &self.secrets[id as usize];
        let equal = |text: &[u8], secret: &[u8]| text.iter().zip(secret).take_while(|(a, b)| a == b).count();
        if covered.contains(&at) {
            // Hidden already: only what it adds counts, so that a secret that repeats itself costs no more.
            let beyond = place + (covered.end - at);
            if let Some(rest) = secret.get(beyond..) {
                let more = equal(&bytes[covered.end..], rest);
                if more > 0 {
                    tell(Found::Part(covered.end..covered.end + more));
                    covered.end += more;
                    if is_open && covered.end == bytes.len() {
                        tell(Found::Open(covered.start));
                    }
                }
            }
            return;
        }
        let before = bytes[covered.end.min(at)..at].iter().rev().zip(secret[..place].iter().rev());
        let left = before.take_while(|(a, b)| a == b).count();
        let right = PIECE + equal(&bytes[at + PIECE..], &secret[place + PIECE..]);
        let found = at - left..at + right;
        let reaches_end = is_open && found.end == bytes.len();
        if reaches_end {
            tell(Found::Open(found.start));
        }
        if found.len() >= *least {
            *covered = found.clone();
            tell(Found::Part(found));
        }
    }
}

fn four(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn eight(bytes: &[u8]) -> u64 {
    u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
}

fn bit(four: u32) -> usize {
    (four.wrapping_mul(0x9e37_79b1) >> (32 - FILTER_BITS)) as usize
}
