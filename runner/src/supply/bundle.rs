//! One archive for nodes without a network: the lock, components, signatures, and a policy.
//!
//! A gzipped tar of files with fixed names, in a fixed order, without times and owners: the same content is the same bytes. The lock
//! comes first and says what may follow; anything else in an archive, links and long names included, is refused.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use tar::{Archive, Builder, EntryType, Header};

use super::candidate::Candidate;
use super::lock::{self, Entry, Lock};
use super::signature::{self, Signature};
use super::store::{component_file, signature_file};
use super::{Digest, PublicKey, Store, SupplyError, check, files};
use crate::plugins;
use crate::text::one_line;

/// Largest policy.
pub const MAX_POLICY: u64 = 4 << 20;

/// Largest archive, packed and unpacked: it is held in memory, and fifty Python plugins are less.
const MAX_ARCHIVE: u64 = 1 << 30;

const POLICY: &str = "policy.yaml";

/// What goes into an archive.
#[derive(Debug)]
pub struct Bundle {
    lock: Lock,
    /// Names and contents, in the archive's order.
    parts: Vec<(String, Vec<u8>)>,
}

/// What came out of one, verified.
#[derive(Debug)]
pub struct Loaded {
    /// The plugins, each checked as at a load: digest, contract, imports, signature.
    pub candidates: Vec<Candidate>,
    /// The policy, if there is one. Not looked at.
    pub policy: Option<Vec<u8>>,
    /// The digest of the archive.
    pub digest: Digest,
}

impl Bundle {
    /// Collects these plugins (all, where none are named) and the policy. Every plugin is verified first.
    ///
    /// # Errors
    ///
    /// One is not locked, or not as it was accepted.
    pub fn collect(store: &Store, names: &[String], policy: Option<Vec<u8>>) -> Result<Self, SupplyError> {
        let all = store.lock()?;
        let mut lock = Lock::default();
        let every: Vec<String> = all.entries().iter().map(|entry| entry.name.clone()).collect();
        for name in if names.is_empty() { &every } else { names } {
            lock.put(all.get(name).ok_or_else(|| SupplyError::NotLocked(name.clone()))?.clone());
        }
        let mut files = BTreeMap::new();
        for entry in lock.entries() {
            files.insert(component_file(&entry.digest), store.verified(entry)?);
            if let (Some(signer), Some(bytes)) = (&entry.signer, store.signature_bytes(entry)?) {
                files.insert(signature_file(&signer.signature), bytes);
            }
        }
        let mut parts = vec![(lock::FILE.to_owned(), lock.to_text().into_bytes())];
        parts.extend(policy.map(|policy| (POLICY.to_owned(), policy)));
        parts.extend(files);
        Ok(Self { lock, parts })
    }

    /// The names of the plugins in it.
    pub fn names(&self) -> Vec<&str> {
        self.lock.entries().iter().map(|entry| entry.name.as_str()).collect()
    }

    /// Writes the archive; gives its digest and size.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(Digest, u64), SupplyError> {
        let failed =
            |e: std::io::Error| SupplyError::File { doing: "cannot write", path: path.to_owned(), reason: e.to_string() };
        let archive = self.archive().map_err(failed)?;
        files::write(path, &archive)?;
        Ok((Digest::of(&archive), archive.len() as u64))
    }

    fn archive(&self) -> std::io::Result<Vec<u8>> {
        // Neither a time nor the machine's kind in gzip's header.
        let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
        let mut tar = Builder::new(&mut gzip);
        for (name, content) in &self.parts {
            let mut header = Header::new_ustar();
            header.set_path(name)?;
            header.set_size(content.len() as u64);
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_cksum();
            tar.append(&header, content.as_slice())?;
        }
        tar.finish()?;
        drop(tar);
        gzip.flush()?;
        gzip.finish()
    }
}

impl Loaded {
    /// Reads an archive and verifies everything in it; accepts nothing. With a key, every plugin must be signed by it. Blocks: it
    /// compiles each plugin, into the cache where there is one.
    ///
    /// # Errors
    ///
    /// The archive is not a bundle, or something in it is not what its lock says; nothing was written then.
    pub fn read(path: &Path, key: Option<&PublicKey>, cache: Option<&Path>) -> Result<Self, SupplyError> {
        let bytes = files::read(path, MAX_ARCHIVE, "the bundle")?;
        let bad = |reason: String| SupplyError::BadBundle { path: path.to_owned(), reason };
        let mut parts = unpack(&bytes).map_err(bad)?;
        let lock = parts.remove(lock::FILE).ok_or_else(|| bad("it has no plugins.lock".to_owned()))?;
        let lock = Lock::parse(&lock, &path.join(lock::FILE))?;
        let policy = parts.remove(POLICY);
        let mut candidates = Vec::new();
        for entry in lock.entries() {
            candidates.push(candidate(entry, &parts, key, cache, &bad)?);
        }
        Ok(Self { candidates, policy, digest: Digest::of(&bytes) })
    }
}

fn candidate(
    entry: &Entry,
    parts: &BTreeMap<String, Vec<u8>>,
    key: Option<&PublicKey>,
    cache: Option<&Path>,
    bad: &dyn Fn(String) -> SupplyError,
) -> Result<Candidate, SupplyError> {
    let part = |name: &str| parts.get(name).ok_or_else(|| bad(format!("{name}, of {}, is missing", entry.name)));
    let component = part(&component_file(&entry.digest))?;
    match Digest::of(component) {
        found if found == entry.digest => check::component(entry, component)?,
        found => return Err(bad(format!("the component of {} in it was changed: it is {found}", entry.name))),
    }
    let kept = match &entry.signer {
        Some(signer) => {
            let bytes = part(&signature_file(&signer.signature))?;
            if Digest::of(bytes) != signer.signature {
                return Err(check::kept(entry, "it was changed since it was accepted".to_owned()));
            }
            Some(bytes.as_slice())
        }
        None => None,
    };
    check::signature(entry, component, kept)?;
    if let Some(key) = key.map(PublicKey::fingerprint) {
        let (what, short) = (format!("{} in the bundle", entry.name), key.short());
        match &entry.signer {
            None => return Err(SupplyError::NotSigned { what, key: short }),
            Some(signer) if signer.key != key => {
                let why = format!("it is signed by {}", signer.key.short());
                return Err(SupplyError::BadSignature { what, key: short, why });
            }
            Some(_) => {}
        }
    }
    let signature = kept.map(Signature::parse).transpose().map_err(|reason| check::kept(entry, reason))?;
    Candidate::of_entry(entry.clone(), component.clone(), signature, cache)
}

/// The archive's files by name. Everything is bounded by what the lock, which comes first, says of it.
fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let unreadable = |e: std::io::Error| format!("it cannot be unpacked: {}", one_line(&e.to_string(), 200));
    let mut archive = Archive::new(GzDecoder::new(bytes));
    let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut whole = 0;
    let mut allowed = BTreeMap::from([(lock::FILE.to_owned(), lock::MAX_SIZE)]);
    // Raw: no header may say something about the next one's name or size.
    for file in archive.entries().map_err(unreadable)?.raw(true) {
        let mut file = file.map_err(unreadable)?;
        let name = String::from_utf8_lossy(&file.path_bytes()).into_owned();
        let shown = one_line(&name, 100);
        if file.header().entry_type() != EntryType::Regular {
            return Err(format!("{shown:?} in it is not a plain file"));
        }
        let limit = *allowed.get(&name).ok_or_else(|| format!("{shown:?} does not belong into it"))?;
        let size = file.header().size().map_err(unreadable)?;
        if size > limit {
            return Err(format!("{shown} in it has {size} bytes, and {limit} are expected at most"));
        }
        let mut content = Vec::new();
        (&mut file).take(limit + 1).read_to_end(&mut content).map_err(unreadable)?;
        if content.len() as u64 != size {
            return Err(format!("{shown} in it is cut off"));
        }
        whole += size;
        if whole > MAX_ARCHIVE {
            return Err("it is too large once it is unpacked".to_owned());
        }
        if parts.contains_key(&name) {
            return Err(format!("it has {shown} twice"));
        }
        if name == lock::FILE {
            allowed.extend(expected(&content)?);
        }
        parts.insert(name, content);
    }
    Ok(parts)
}

/// The names and largest sizes of what may follow this lock.
fn expected(lock: &[u8]) -> Result<BTreeMap<String, u64>, String> {
    let lock = Lock::parse(lock, Path::new(lock::FILE)).map_err(|e| e.to_string())?;
    let mut expected = BTreeMap::from([(POLICY.to_owned(), MAX_POLICY)]);
    for entry in lock.entries() {
        expected.insert(component_file(&entry.digest), entry.size.min(plugins::MAX_SIZE));
        expected.extend(entry.signer.iter().map(|signer| (signature_file(&signer.signature), signature::MAX_SIZE)));
    }
    Ok(expected)
}
