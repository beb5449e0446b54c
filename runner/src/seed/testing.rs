//! Databases made by hand, sound and otherwise.

use super::bolt::{BRANCH, IS_BUCKET, LEAF, META, META_PAGE, PAGE_HEADER, fnv_1a};

/// The smallest size of a page, so that little makes a tree.
pub(super) const PAGE: usize = 512;

/// A key, its value, and whether that is a bucket.
pub(super) type Entry = (Vec<u8>, Vec<u8>, bool);

pub(super) fn plain(key: &str, value: impl AsRef<[u8]>) -> Entry {
    (key.as_bytes().to_vec(), value.as_ref().to_vec(), false)
}

/// A bucket that begins at this page.
pub(super) fn bucket_at(key: &str, page: u64) -> Entry {
    (key.as_bytes().to_vec(), [page.to_le_bytes(), [0; 8]].concat(), true)
}

/// A bucket inside of its parent's page.
pub(super) fn bucket_inside(key: &str, entries: &[Entry]) -> Entry {
    (key.as_bytes().to_vec(), [vec![0; 16], leaf(0, entries)].concat(), true)
}

fn header(id: u64, kind: u16, count: usize, overflow: usize) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(u16::try_from(count).unwrap().to_le_bytes());
    bytes.extend(u32::try_from(overflow).unwrap().to_le_bytes());
    bytes
}

/// The bytes of a leaf, without what fills the page.
pub(super) fn leaf(id: u64, entries: &[Entry]) -> Vec<u8> {
    let length: usize = PAGE_HEADER + entries.iter().map(|(key, value, _)| 16 + key.len() + value.len()).sum::<usize>();
    let mut bytes = header(id, LEAF, entries.len(), length.div_ceil(PAGE) - 1);
    let mut data = Vec::<u8>::new();
    for (index, (key, value, is_bucket)) in entries.iter().enumerate() {
        let position = (entries.len() - index) * 16 + data.len();
        for number in [usize::from(*is_bucket) * IS_BUCKET, position, key.len(), value.len()] {
            bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
        }
        data.extend([key.as_slice(), value].concat());
    }
    bytes.extend(data);
    bytes
}

/// The bytes of a branch: each child by its first key.
pub(super) fn branch(id: u64, children: &[(&str, u64)]) -> Vec<u8> {
    let mut bytes = header(id, BRANCH, children.len(), 0);
    let mut data = Vec::<u8>::new();
    for (index, (key, child)) in children.iter().enumerate() {
        let position = (children.len() - index) * 16 + data.len();
        for number in [position, key.len()] {
            bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
        }
        bytes.extend(child.to_le_bytes());
        data.extend(key.as_bytes());
    }
    bytes.extend(data);
    bytes
}

fn meta(id: u64, root: u64, end: u64, transaction: u64) -> Vec<u8> {
    let mut bytes = header(id, META_PAGE, 0, 0);
    for number in [0xED0C_DAED, 2, u32::try_from(PAGE).unwrap(), 0] {
        bytes.extend(number.to_le_bytes());
    }
    for number in [root, 0, 2, end, transaction] {
        bytes.extend(number.to_le_bytes());
    }
    let checksum = fnv_1a(&bytes[PAGE_HEADER..]);
    bytes.extend(checksum.to_le_bytes());
    assert_eq!(bytes.len(), PAGE_HEADER + META);
    bytes
}

/// A file of these pages, the first of which has number 3; that is the root.
pub(super) fn file(pages: &[Vec<u8>]) -> Vec<u8> {
    let whole = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        bytes
    };
    let body: Vec<u8> = pages.iter().flat_map(|page| whole(page)).collect();
    let end = 3 + (body.len() / PAGE) as u64;
    [whole(&meta(0, 3, end, 8)), whole(&meta(1, 3, end, 7)), vec![0; PAGE], body].concat()
}

/// Makes the checksum of both metas right again, so that what lies behind them is looked at.
pub(super) fn seal(file: &mut [u8]) {
    for at in [PAGE_HEADER, PAGE + PAGE_HEADER] {
        if file.len() >= at + META {
            let checksum = fnv_1a(&file[at..at + META - 8]);
            file[at + META - 8..at + META].copy_from_slice(&checksum.to_le_bytes());
        }
    }
}
