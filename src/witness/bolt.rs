//! As much of bbolt's file format as it takes to count the live keys of an etcd database.
//!
//! `etcdutl snapshot status` counts records (every revision kept, tombstones too), which is not what a
//! lab means by keys. The format is small and has not changed since 2014, and the file is not trusted:
//! every offset is checked, every page visited once.

use std::collections::{BTreeMap, HashSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) revision: i64,
    pub(super) live_keys: usize,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an etcd database: {0}")]
pub(super) struct Broken(&'static str);

const MAGIC: u32 = 0xED0C_DAED;
const PAGE_HEADER: usize = 16;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const IS_BUCKET: u32 = 1;
/// etcd's bucket of revisions: 8 bytes main, `_`, 8 bytes sub, `t` after a tombstone's.
const BUCKET: &[u8] = b"key";
const REVISION: usize = 17;

struct File<'a> {
    bytes: &'a [u8],
    page_size: usize,
}

pub(super) fn contents(bytes: &[u8]) -> Result<Contents, Broken> {
    let (file, root) = File::open(bytes)?;
    let mut bucket = None;
    file.walk(file.page(root)?, &mut HashSet::new(), &mut |flags, key, value| {
        if flags & IS_BUCKET != 0 && key == BUCKET {
            bucket = Some(value);
        }
        Ok(())
    })?;
    let bucket = bucket.ok_or(Broken("it has no bucket of keys"))?;
    let root = u64_at(bucket, 0)?;
    // A small bucket lies in its parent's page.
    let page = if root == 0 { bucket.get(16..).ok_or(Broken("a bucket is cut off"))? } else { file.page(root)? };
    let mut live: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
    let mut revision = 0;
    file.walk(page, &mut HashSet::new(), &mut |_, name, value| {
        let main = name.get(..8).ok_or(Broken("a revision is cut off"))?;
        revision = i64::from_be_bytes(main.try_into().map_err(|_| Broken("a revision is cut off"))?);
        let tombstone = name.len() > REVISION;
        // Revisions come in order, so the last word on a key stands.
        live.insert(key_of(value)?.to_vec(), !tombstone);
        Ok(())
    })?;
    Ok(Contents { revision, live_keys: live.values().filter(|alive| **alive).count() })
}

impl<'a> File<'a> {
    /// The file with its newest valid root page.
    fn open(bytes: &'a [u8]) -> Result<(Self, u64), Broken> {
        let first = Meta::read(bytes);
        // The second meta page follows the first; its place is not known where the first is broken.
        let sizes =
            first.as_ref().map_or_else(|| (9..=16).map(|bits| 1 << bits).collect(), |meta| vec![meta.page_size]);
        let second =
            sizes.into_iter().find_map(|size: usize| Meta::read(bytes.get(size..)?).filter(|m| m.page_size == size));
        let meta = [first, second].into_iter().flatten().max_by_key(|meta| meta.transaction);
        let meta = meta.ok_or(Broken("neither of its meta pages is valid"))?;
        Ok((Self { bytes, page_size: meta.page_size }, meta.root))
    }

    /// The page and all that follows it: a large one overflows into the next.
    fn page(&self, number: u64) -> Result<&'a [u8], Broken> {
        let start = usize::try_from(number).ok().and_then(|number| number.checked_mul(self.page_size));
        start.and_then(|start| self.bytes.get(start..)).ok_or(Broken("a page is outside the file"))
    }

    fn walk(
        &self,
        page: &'a [u8],
        seen: &mut HashSet<u64>,
        visit: &mut dyn FnMut(u32, &'a [u8], &'a [u8]) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let kind = u16_at(page, 8)?;
        let count = usize::from(u16_at(page, 10)?);
        for element in (0..count).map(|index| PAGE_HEADER + index * 16) {
            let slice = |from: usize, size: usize| {
                element.checked_add(from).and_then(|start| page.get(start..start.checked_add(size)?))
            };
            match kind {
                BRANCH => {
                    let child = u64_at(page, element + 8)?;
                    if !seen.insert(child) {
                        return Err(Broken("a page is its own descendant"));
                    }
                    self.walk(self.page(child)?, seen, visit)?;
                }
                LEAF => {
                    let at = |offset| u32_at(page, element + offset);
                    let (flags, start) = (at(0)?, at(4)? as usize);
                    let (key_size, value_size) = (at(8)? as usize, at(12)? as usize);
                    let key = slice(start, key_size).ok_or(Broken("a key is cut off"))?;
                    let value = slice(start + key_size, value_size).ok_or(Broken("a value is cut off"))?;
                    visit(flags, key, value)?;
                }
                _ => return Err(Broken("a page is of an unknown kind")),
            }
        }
        Ok(())
    }
}

struct Meta {
    page_size: usize,
    root: u64,
    transaction: u64,
}

impl Meta {
    /// `None` where the page is no valid meta page.
    fn read(page: &[u8]) -> Option<Self> {
        let meta = page.get(PAGE_HEADER..PAGE_HEADER + 64)?;
        let sum = u64_at(meta, 56).ok()?;
        let valid = u32_at(meta, 0).ok()? == MAGIC && fnv1a(&meta[..56]) == sum;
        let page_size = u32_at(meta, 8).ok()? as usize;
        (valid && page_size >= 512).then_some(Self {
            page_size,
            root: u64_at(meta, 16).ok()?,
            transaction: u64_at(meta, 48).ok()?,
        })
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Field 1 of the `mvccpb.KeyValue`, which Go writes first.
fn key_of(value: &[u8]) -> Result<&[u8], Broken> {
    let cut = Broken("a record is cut off");
    let [0x0a, rest @ ..] = value else { return Err(Broken("a record has no key")) };
    let mut size = 0;
    for (index, byte) in rest.iter().enumerate().take(5) {
        size |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return rest.get(index + 1..index + 1 + size).ok_or(cut);
        }
    }
    Err(cut)
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Broken> {
    let slice = at.checked_add(N).and_then(|end| bytes.get(at..end)).ok_or(Broken("it is cut off"))?;
    slice.try_into().map_err(|_| Broken("it is cut off"))
}

// A database is in the byte order of the machine that wrote it: little on all that etcd supports.
fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Broken> {
    bytes_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Broken> {
    bytes_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Broken> {
    bytes_at(bytes, at).map(u64::from_le_bytes)
}
