//! bbolt's file format, as far as reading a few small buckets takes: pages, trees of them, buckets inside of pages.
//!
//! A file is an array of pages. The first two are metas, of which the one with the higher transaction is the current one; it names the page
//! at which the bucket of all buckets begins. A page has a header of 16 bytes (id, flags, count, overflow: how many pages more belong to it)
//! and then its elements: of a branch (position, key size, page), of a leaf (flags, position, key size, value size). Positions count from the
//! element itself. The value of a bucket is the page at which it begins, or zero and the page itself right behind. All numbers are the
//! machine's own; read here are those of little-endian machines, and a copy from another one is refused by its magic number.
//! Source: go.etcd.io/bbolt 1.3 (`page.go`, `db.go`, `bucket.go`), 1.4 and 1.5 (`internal/common`), which etcd 3.4 to 3.7 use.
//!
//! The file may be anybody's: nothing in it is believed. What is read is bounded in bytes and in depth.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Where each page's elements begin.
pub(super) const PAGE_HEADER: usize = 16;
/// An element, of a leaf as of a branch.
const ELEMENT: usize = 16;
/// The value of a bucket: its first page and a sequence number.
const BUCKET_HEADER: usize = 16;
/// A meta, with its checksum, after the page's header.
pub(super) const META: usize = 64;

const MAGIC: u32 = 0xED0C_DAED;
const FORMAT: u32 = 2;

pub(super) const BRANCH: u16 = 0x01;
pub(super) const LEAF: u16 = 0x02;
pub(super) const META_PAGE: u16 = 0x04;
/// Of a leaf's element: the value is a bucket.
pub(super) const IS_BUCKET: usize = 0x01;

/// The sizes of pages: bbolt takes the system's, and 64 KiB is the largest of any that etcd runs on.
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 512..=65_536;

/// A page with its overflow is not longer than this. A member's entry takes a few hundred bytes, so that only a foreign file has longer ones
/// in what is read here.
const LARGEST_PAGE: usize = 1 << 20;

/// How deep a tree may be. Each level of a real one has at least two pages; 32 levels would be 4 billion pages.
const DEEPEST: usize = 32;

/// How many bytes are read to list one bucket, of its pages, and as much of keys and values, which could lie over each other in a page. A
/// member takes a few hundred bytes, one that was ever removed some thirty.
const MOST: usize = 16 << 20;

/// A file that can be read at any place.
pub trait ReadAt {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    ///
    /// The file ends earlier, or cannot be read.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// How long it is, in bytes.
    ///
    /// # Errors
    ///
    /// That cannot be told.
    fn length(&self) -> io::Result<u64>;
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let found = from.and_then(|from| self.get(from..from.checked_add(buffer.len())?));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BoltError {
    /// The file itself.
    #[error("the database cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is another kind of file.
    #[error("this is no database of etcd: {0}")]
    NotBolt(&'static str),
    /// A page contradicts itself or another one.
    #[error("the database is damaged at page {page}: {what}")]
    Damaged {
        /// Which page.
        page: u64,
        /// In a few words.
        what: &'static str,
    },
    /// There is more than anybody puts there.
    #[error("the database has more in a bucket than can be right: {0}")]
    TooMuch(&'static str),
}

type Result<T> = std::result::Result<T, BoltError>;

/// A database, opened for reading.
pub(super) struct Database<'a, F: ?Sized> {
    file: &'a F,
    page_size: usize,
    /// Pages from here on are not in use.
    end: u64,
    root: u64,
}

/// A bucket of it.
pub(super) enum Bucket {
    /// Its first page.
    At(u64),
    /// So small that it lies inside of another one's page.
    Inside(Page),
}

/// A page with its overflow, or one that lies inside of another's value.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// Its number, or that of the page in which it lies: for messages.
    id: u64,
    bytes: Vec<u8>,
    kind: u16,
    count: usize,
}

/// A key and its value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// From and to, in a page's bytes.
type Range = (usize, usize);

struct Leaf {
    is_bucket: bool,
    key: Range,
    value: Range,
}

struct Branch {
    key: Range,
    child: u64,
}

struct Meta {
    page_size: u32,
    root: u64,
    end: u64,
    transaction: u64,
}

impl<'a, F: ReadAt + ?Sized> Database<'a, F> {
    /// Opens it: both metas must be whole, and the file as long as the pages that are in use, as in a copy.
    pub(super) fn open(file: &'a F) -> Result<Self> {
        let first = Meta::read(file, 0)?;
        let page_size = first.page_size;
        if !PAGE_SIZES.contains(&page_size) || !page_size.is_power_of_two() {
            return Err(BoltError::NotBolt("its page size is none"));
        }
        let second = Meta::read(file, u64::from(page_size))?;
        if second.page_size != page_size {
            return Err(BoltError::Damaged { page: 1, what: "it has another page size" });
        }
        let newer = if second.transaction > first.transaction { second } else { first };
        let in_use = newer.end.checked_mul(u64::from(page_size));
        if in_use != Some(file.length()?) {
            return Err(BoltError::NotBolt("its length is not that of its pages"));
        }
        Ok(Self { file, page_size: page_size as usize, end: newer.end, root: newer.root })
    }

    /// The bucket of this name; none where there is none.
    pub(super) fn bucket(&self, name: &[u8]) -> Result<Option<Bucket>> {
        let found = self.seek(self.page(self.root)?, name)?;
        found.map(|(page, leaf)| page.bucket(&leaf)).transpose()
    }

    /// The value of this key; none where there is none.
    pub(super) fn get(&self, bucket: &Bucket, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let first = match bucket {
            Bucket::At(id) => self.page(*id)?,
            Bucket::Inside(page) => page.clone(),
        };
        let found = self.seek(first, key)?;
        found.map(|(page, leaf)| page.value(&leaf).map(<[u8]>::to_vec)).transpose()
    }

    /// All keys with their values, in their order.
    pub(super) fn entries(&self, bucket: &Bucket) -> Result<Vec<Pair>> {
        let mut listing = Listing::default();
        match bucket {
            Bucket::At(id) => self.list(&self.page(*id)?, 0, &mut listing)?,
            Bucket::Inside(page) => self.list(page, 0, &mut listing)?,
        }
        Ok(listing.entries)
    }

    fn list(&self, page: &Page, depth: usize, listing: &mut Listing) -> Result<()> {
        listing.read += page.bytes.len();
        if listing.read > MOST || depth > DEEPEST {
            return Err(BoltError::TooMuch("pages"));
        }
        for index in 0..page.count {
            if page.kind == BRANCH {
                self.list(&self.page(page.branch(index)?.child)?, depth + 1, listing)?;
            } else {
                listing.add(page, &page.leaf(index)?)?;
            }
        }
        Ok(())
    }

    /// The element with this key, and its page.
    fn seek(&self, mut page: Page, key: &[u8]) -> Result<Option<(Page, Leaf)>> {
        for _ in 0..=DEEPEST {
            if page.kind == LEAF {
                let mut found = None;
                let mut order = Order::default();
                for index in 0..page.count {
                    let leaf = page.leaf(index)?;
                    order.next(&page, leaf.key)?;
                    if page.part(leaf.key) == key {
                        found = Some(leaf);
                    }
                }
                return Ok(found.map(|leaf| (page, leaf)));
            }
            // The last child that begins at the key or before it.
            let mut child = page.branch(0)?.child;
            let mut order = Order::default();
            for index in 0..page.count {
                let branch = page.branch(index)?;
                order.next(&page, branch.key)?;
                if page.part(branch.key) <= key {
                    child = branch.child;
                }
            }
            page = self.page(child)?;
        }
        Err(BoltError::TooMuch("levels"))
    }

    /// Reads a branch or a leaf, with its overflow.
    fn page(&self, id: u64) -> Result<Page> {
        let damaged = |what| BoltError::Damaged { page: id, what };
        // The metas are no part of any tree.
        if id < 2 || id >= self.end {
            return Err(damaged("there is no such page"));
        }
        let at = id * self.page_size as u64;
        let mut header = [0; PAGE_HEADER];
        self.file.read_exact_at(&mut header, at)?;
        let overflow = u64::from(u32_at(&header, 12));
        if overflow >= self.end - id {
            return Err(damaged("it is longer than the file"));
        }
        let length = usize::try_from(overflow + 1).ok().and_then(|pages| pages.checked_mul(self.page_size));
        let length = length.filter(|length| *length <= LARGEST_PAGE).ok_or(BoltError::TooMuch("bytes in a page"))?;
        if u64_at(&header, 0) != id {
            return Err(damaged("it has the number of another one"));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        Page::new(id, bytes)
    }
}

/// Keys ascend within a page. bbolt searches by halves, so that where they do not it could find another value than is found here.
#[derive(Default)]
struct Order(Option<Range>);

impl Order {
    fn next(&mut self, page: &Page, key: Range) -> Result<()> {
        match self.0.replace(key) {
            Some(last) if page.part(last) >= page.part(key) => Err(page.damaged("its keys are not in their order")),
            _ => Ok(()),
        }
    }
}

/// What one listing has found so far.
#[derive(Default)]
struct Listing {
    entries: Vec<Pair>,
    /// Bytes of pages.
    read: usize,
    /// Bytes of keys and values.
    copied: usize,
}

impl Listing {
    fn add(&mut self, page: &Page, leaf: &Leaf) -> Result<()> {
        let (key, value) = (page.part(leaf.key), page.value(leaf)?);
        self.copied += key.len() + value.len();
        if self.copied > MOST {
            return Err(BoltError::TooMuch("bytes"));
        }
        // A page that comes twice, too.
        if self.entries.last().is_some_and(|(last, _)| last.as_slice() >= key) {
            return Err(page.damaged("its keys are not in their order"));
        }
        self.entries.push((key.to_vec(), value.to_vec()));
        Ok(())
    }
}

impl Meta {
    fn read<F: ReadAt + ?Sized>(file: &F, at: u64) -> Result<Self> {
        let id = u64::from(at > 0);
        let mut bytes = [0; PAGE_HEADER + META];
        file.read_exact_at(&mut bytes, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BoltError::NotBolt("it is too short"),
            _ => BoltError::Io(error),
        })?;
        let (header, meta) = bytes.split_at(PAGE_HEADER);
        if u32_at(meta, 0) != MAGIC {
            return Err(BoltError::NotBolt("its magic number is another"));
        }
        if u32_at(meta, 4) != FORMAT {
            return Err(BoltError::NotBolt("its format is another version"));
        }
        let damaged = |what| BoltError::Damaged { page: id, what };
        if u16_at(header, 8) & META_PAGE == 0 || u64_at(header, 0) != id {
            return Err(damaged("it is no meta page"));
        }
        let (content, checksum) = meta.split_at(META - 8);
        if fnv_1a(content) != u64_at(checksum, 0) {
            return Err(damaged("its checksum does not match"));
        }
        Ok(Self { page_size: u32_at(meta, 8), root: u64_at(meta, 16), end: u64_at(meta, 40), transaction: u64_at(meta, 48) })
    }
}

impl Page {
    fn new(id: u64, bytes: Vec<u8>) -> Result<Self> {
        let damaged = |what| BoltError::Damaged { page: id, what };
        if bytes.len() < PAGE_HEADER {
            return Err(damaged("it is too short"));
        }
        let page = Self { id, kind: u16_at(&bytes, 8), count: usize::from(u16_at(&bytes, 10)), bytes };
        match page.kind {
            // Only the page of an empty bucket has no elements.
            BRANCH if page.count == 0 => Err(damaged("it is a branch of nothing")),
            BRANCH | LEAF if PAGE_HEADER + page.count * ELEMENT <= page.bytes.len() => Ok(page),
            BRANCH | LEAF => Err(damaged("its elements are longer than itself")),
            _ => Err(damaged("it is neither a branch nor a leaf")),
        }
    }

    fn leaf(&self, index: usize) -> Result<Leaf> {
        let at = PAGE_HEADER + index * ELEMENT;
        let [flags, position, key, value] = [0, 4, 8, 12].map(|offset| u32_at(&self.bytes, at + offset) as usize);
        let key = self.range(at, position, key)?;
        let value = self.range(key.1, 0, value)?;
        Ok(Leaf { is_bucket: flags & IS_BUCKET != 0, key, value })
    }

    fn branch(&self, index: usize) -> Result<Branch> {
        let at = PAGE_HEADER + index * ELEMENT;
        let [position, key] = [0, 4].map(|offset| u32_at(&self.bytes, at + offset) as usize);
        Ok(Branch { key: self.range(at, position, key)?, child: u64_at(&self.bytes, at + 8) })
    }

    /// From where to where, within the page.
    fn range(&self, at: usize, position: usize, length: usize) -> Result<Range> {
        let from = at.checked_add(position);
        let range = from.and_then(|from| Some((from, from.checked_add(length).filter(|to| *to <= self.bytes.len())?)));
        range.ok_or_else(|| self.damaged("an element leads out of it"))
    }

    fn part(&self, (from, to): Range) -> &[u8] {
        &self.bytes[from..to]
    }

    fn value(&self, leaf: &Leaf) -> Result<&[u8]> {
        if leaf.is_bucket { Err(self.damaged("a value is a bucket")) } else { Ok(self.part(leaf.value)) }
    }

    fn bucket(&self, leaf: &Leaf) -> Result<Bucket> {
        let value = self.part(leaf.value);
        if !leaf.is_bucket || value.len() < BUCKET_HEADER {
            return Err(self.damaged("a bucket is none"));
        }
        match u64_at(value, 0) {
            0 => Page::new(self.id, value[BUCKET_HEADER..].to_vec()).map(Bucket::Inside),
            id => Ok(Bucket::At(id)),
        }
    }

    fn damaged(&self, what: &'static str) -> BoltError {
        BoltError::Damaged { page: self.id, what }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

/// The checksum of a meta: 64-bit FNV-1a, by its two constants.
pub(super) fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{branch, bucket_at, bucket_inside, file, leaf, plain, seal};
    use super::*;

    fn sound() -> Vec<u8> {
        // Longer than a page.
        let long = "x".repeat(900);
        file(&[
            leaf(
                3,
                &[bucket_inside("inside", &[plain("a", "1"), plain("b", "")]), bucket_at("tree", 4), plain("value", "v")],
            ),
            branch(4, &[("a", 5), ("m", 7)]),
            leaf(5, &[plain("a", "first"), plain("c", &long)]),
            leaf(7, &[plain("m", "middle"), plain("z", "last")]),
        ])
    }

    /// Everything that may be asked.
    fn walk(file: &[u8]) -> Result<Vec<Pair>> {
        let database = Database::open(file)?;
        let mut found = Vec::new();
        for name in [b"inside".as_slice(), b"tree", b"none"] {
            let Some(bucket) = database.bucket(name)? else { continue };
            for key in [b"a".as_slice(), b"c", b"l", b"z", b"zz"] {
                found.extend(database.get(&bucket, key)?.map(|value| (key.to_vec(), value)));
            }
            found.extend(database.entries(&bucket)?);
        }
        Ok(found)
    }

    #[test]
    fn what_is_there_is_found() {
        let file = sound();
        let database = Database::open(file.as_slice()).unwrap();
        let (inside, tree) = (database.bucket(b"inside").unwrap().unwrap(), database.bucket(b"tree").unwrap().unwrap());
        assert!(database.bucket(b"other").unwrap().is_none());
        let get = |bucket, key: &str| database.get(bucket, key.as_bytes()).unwrap().map(|v| String::from_utf8(v).unwrap());
        assert_eq!(get(&inside, "b").as_deref(), Some(""));
        assert_eq!(get(&tree, "a").as_deref(), Some("first"));
        assert_eq!(get(&tree, "c").map(|value| value.len()), Some(900));
        assert_eq!(get(&tree, "z").as_deref(), Some("last"));
        for none in ["", "b", "l", "n", "zz"] {
            assert_eq!(get(&tree, none), None, "{none}");
        }
        let keys: Vec<_> = database.entries(&tree).unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [b"a", b"c", b"m", b"z"]);
        assert_eq!(database.entries(&inside).unwrap().len(), 2);
    }

    fn refused(file: &[u8]) -> String {
        walk(file).expect_err("it is not to be believed").to_string()
    }

    #[test]
    fn each_fault_has_its_sentence() {
        assert_eq!(refused(b""), "this is no database of etcd: it is too short");
        assert_eq!(refused(&[7; 4096]), "this is no database of etcd: its magic number is another");
        let whole = sound();
        assert_eq!(refused(&whole[..whole.len() - 1]), "this is no database of etcd: its length is not that of its pages");
        let changed = |at: usize, bytes: &[u8]| {
            let mut file = sound();
            file[at..at + bytes.len()].copy_from_slice(bytes);
            file
        };
        assert_eq!(refused(&changed(60, &[1])), "the database is damaged at page 0: its checksum does not match");
        let mut odd = changed(24, &1000u32.to_le_bytes());
        seal(&mut odd);
        assert_eq!(refused(&odd), "this is no database of etcd: its page size is none");
        let fourth = 4 * 512;
        assert_eq!(refused(&changed(fourth, &[9])), "the database is damaged at page 4: it has the number of another one");
        assert_eq!(
            refused(&changed(fourth + 8, &[64])),
            "the database is damaged at page 4: it is neither a branch nor a leaf"
        );
        assert_eq!(refused(&changed(fourth + 12, &[99])), "the database is damaged at page 4: it is longer than the file");
        assert_eq!(
            refused(&changed(5 * 512 + 20, &[0xff; 4])),
            "the database is damaged at page 5: an element leads out of it"
        );
    }

    #[test]
    fn a_bucket_that_is_none_is_refused() {
        let value = file(&[leaf(3, &[plain("tree", "")])]);
        assert_eq!(refused(&value), "the database is damaged at page 3: a bucket is none");
        let nested = file(&[leaf(3, &[bucket_inside("tree", &[bucket_at("a", 3)])])]);
        assert_eq!(refused(&nested), "the database is damaged at page 3: a value is a bucket");
    }

    #[test]
    fn a_tree_without_an_end_ends() {
        let circle = file(&[leaf(3, &[bucket_at("tree", 4)]), branch(4, &[("a", 4), ("b", 4)])]);
        assert_eq!(refused(&circle), "the database has more in a bucket than can be right: levels");
        assert_eq!(listed(&circle), "the database has more in a bucket than can be right: pages");
        let twice = file(&[leaf(3, &[bucket_at("tree", 4)]), branch(4, &[("a", 5), ("b", 5)]), leaf(5, &[plain("a", "")])]);
        assert_eq!(refused(&twice), "the database is damaged at page 5: its keys are not in their order");
        // Without a key in any of it, and more of it than anybody can read: each level twice what the next one is.
        let mut pages = vec![leaf(3, &[bucket_at("tree", 4)])];
        pages.extend((4..29).map(|id| branch(id, &[("", id + 1), ("", id + 1)])));
        pages.push(leaf(29, &[]));
        assert_eq!(listed(&file(&pages)), "the database has more in a bucket than can be right: pages");
    }

    fn listed(file: &[u8]) -> String {
        let database = Database::open(file).unwrap();
        let tree = database.bucket(b"tree").unwrap().unwrap();
        database.entries(&tree).expect_err("it is not to be believed").to_string()
    }

    /// A page of 1 MiB that would be 16 GiB of keys and values: each begins where the one before does, and is longer.
    #[test]
    fn elements_over_each_other_take_no_memory() {
        let elements = 32_000;
        let mut page = leaf(4, &[plain("", vec![b'x'; 1 << 19])]);
        page[10..12].copy_from_slice(&u16::try_from(elements).unwrap().to_le_bytes());
        page.resize(1 << 20, b'x');
        page[12..16].copy_from_slice(&((1u32 << 20) / 512 - 1).to_le_bytes());
        for index in 0..elements {
            let at = 16 + index * 16;
            let data = 16 + elements * 16;
            let numbers = [0, data - at, index + 1, (1 << 20) - data - index - 1];
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| u32::try_from(*n).unwrap().to_le_bytes()).collect();
            page[at..at + 16].copy_from_slice(&bytes);
        }
        let file = file(&[leaf(3, &[bucket_at("tree", 4)]), page]);
        assert_eq!(listed(&file), "the database has more in a bucket than can be right: bytes");
    }

    proptest! {
        #[test]
        fn damage_is_answered(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(), whole in any::<bool>()) {
            let mut file = sound();
            for (at, byte) in changes {
                let at = at.index(file.len());
                file[at] = byte;
            }
            seal(&mut file);
            if !whole {
                file.truncate(cut.index(file.len()));
            }
            let _ = walk(&file);
        }

        #[test]
        fn garbage_in_pages_with_sound_headers_is_answered(body in prop::collection::vec(any::<u8>(), 4096), small in any::<bool>()) {
            let mut file = sound();
            for at in 3 * 512..file.len() {
                if at % 512 >= PAGE_HEADER {
                    // Small numbers lead to places within the page.
                    file[at] = if small && at % 4 > 1 { 0 } else { body[at % body.len()] };
                }
            }
            let _ = walk(&file);
        }
    }
}
