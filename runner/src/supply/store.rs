//! The plugin store: components and signatures by digest, and the lock that says what they are.

use std::io;
use std::path::{Path, PathBuf};

use super::candidate::Candidate;
use super::folder::{Folder, Held, is_draft};
use super::lock::{self, Entry, Lock};
use super::signature::{self, Signature};
use super::{Digest, SupplyError, check};
use crate::plugins;

/// A private folder of accepted plugins.
#[derive(Debug)]
pub struct Store {
    folder: Folder,
}

/// The right to change a store: while it lives, no other process has it.
#[derive(Debug)]
pub struct Change<'a> {
    store: &'a Store,
    lock: Lock,
    _held: Held,
}

impl Store {
    /// Opens the store, and makes it (0700) where it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be made, is a link, belongs to somebody else, or others may write to it.
    pub fn create(path: &Path) -> Result<Self, SupplyError> {
        Folder::create(path).map(|folder| Self { folder }).map_err(|e| unusable(path, &e))
    }

    /// Opens the store; none where there is no such folder.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn open(path: &Path) -> Result<Option<Self>, SupplyError> {
        match Folder::open(path) {
            Ok(folder) => Ok(Some(Self { folder })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(unusable(path, &e)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What is accepted; nothing where there is no lock yet.
    ///
    /// # Errors
    ///
    /// The lock is not as runner wrote it.
    pub fn lock(&self) -> Result<Lock, SupplyError> {
        let path = self.path().join(lock::FILE);
        match self.folder.read(lock::FILE, lock::MAX_SIZE) {
            Ok(bytes) => Lock::parse(&bytes, &path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(e) => Err(SupplyError::BadLock { path, reason: e.to_string() }),
        }
    }

    /// The file of an entry's component. What is in it is not looked at.
    pub fn component_path(&self, entry: &Entry) -> PathBuf {
        self.path().join(component_file(&entry.digest))
    }

    /// The component of an entry, after everything that the lock says of it was found true: digest, contract, imports, signature.
    ///
    /// # Errors
    ///
    /// What is not as it was accepted.
    pub fn verified(&self, entry: &Entry) -> Result<Vec<u8>, SupplyError> {
        let component = self.component(entry)?;
        check::component(entry, &component)?;
        check::signature(entry, &component, self.signature_bytes(entry)?.as_deref())?;
        Ok(component)
    }

    /// Begins to change it.
    ///
    /// # Errors
    ///
    /// Another process changes it; as [`lock`](Self::lock).
    pub fn change(&self) -> Result<Change<'_>, SupplyError> {
        let held = self.folder.hold().map_err(|e| unusable(self.path(), &e))?;
        let held = held.ok_or_else(|| SupplyError::Busy(self.path().to_owned()))?;
        Ok(Change { store: self, lock: self.lock()?, _held: held })
    }

    /// The signature kept for an entry; none where it has no signer.
    pub(super) fn signature(&self, entry: &Entry) -> Result<Option<Signature>, SupplyError> {
        let bytes = self.signature_bytes(entry)?;
        let parse = |bytes: Vec<u8>| Signature::parse(&bytes).map_err(|reason| check::kept(entry, reason));
        bytes.map(parse).transpose()
    }

    /// The bytes of an entry's signature, with the digest that the lock has.
    pub(super) fn signature_bytes(&self, entry: &Entry) -> Result<Option<Vec<u8>>, SupplyError> {
        let Some(signer) = &entry.signer else { return Ok(None) };
        let read = self.folder.read(&signature_file(&signer.signature), signature::MAX_SIZE);
        let bytes = read.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => check::kept(entry, "it is missing from the store".to_owned()),
            _ => check::kept(entry, e.to_string()),
        })?;
        match Digest::of(&bytes) == signer.signature {
            true => Ok(Some(bytes)),
            false => Err(check::kept(entry, "it was changed since it was accepted".to_owned())),
        }
    }

    fn component(&self, entry: &Entry) -> Result<Vec<u8>, SupplyError> {
        let path = self.component_path(entry);
        let read = self.folder.read(&component_file(&entry.digest), plugins::MAX_SIZE);
        let bytes = read.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => SupplyError::ComponentMissing { name: entry.name.clone(), path: path.clone() },
            _ => SupplyError::Store { path: path.clone(), reason: e.to_string() },
        })?;
        match Digest::of(&bytes) {
            found if found == entry.digest => Ok(bytes),
            found => Err(SupplyError::ComponentChanged { name: entry.name.clone(), found, locked: entry.digest }),
        }
    }
}

impl Change<'_> {
    /// What is accepted now.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Accepts these plugins, new ones or others of their names, in one step: the lock is written last.
    ///
    /// # Errors
    ///
    /// The store cannot be written; nothing is accepted then.
    pub fn accept(&mut self, candidates: &[Candidate]) -> Result<(), SupplyError> {
        let mut lock = self.lock.clone();
        for candidate in candidates {
            self.write(&component_file(&candidate.entry.digest), &candidate.component)?;
            if let (Some(signer), Some(signature)) = (&candidate.entry.signer, &candidate.signature) {
                self.write(&signature_file(&signer.signature), &signature.to_bytes())?;
            }
            lock.put(candidate.entry.clone());
        }
        self.commit(lock)
    }

    /// Forgets a plugin.
    ///
    /// # Errors
    ///
    /// There is none of that name, or the store cannot be written.
    pub fn remove(&mut self, name: &str) -> Result<Entry, SupplyError> {
        let mut lock = self.lock.clone();
        let entry = lock.remove(name).ok_or_else(|| SupplyError::NotLocked(name.to_owned()))?;
        self.commit(lock)?;
        Ok(entry)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), SupplyError> {
        self.store.folder.write(name, bytes).map_err(|e| unusable(self.store.path(), &e))
    }

    fn commit(&mut self, lock: Lock) -> Result<(), SupplyError> {
        self.write(lock::FILE, lock.to_text().as_bytes())?;
        self.lock = lock;
        self.sweep();
        Ok(())
    }

    /// Removes what no entry needs. Best effort: what is left is never read.
    fn sweep(&self) {
        let entries = self.lock.entries();
        let components = entries.iter().map(|entry| component_file(&entry.digest));
        let signatures = entries.iter().filter_map(|entry| Some(signature_file(&entry.signer.as_ref()?.signature)));
        let needed: Vec<String> = components.chain(signatures).collect();
        for name in self.store.folder.names().unwrap_or_default() {
            let ours = is_draft(&name) || (name.starts_with("sha256-") && !needed.contains(&name));
            if ours {
                let _ = self.store.folder.remove(&name);
            }
        }
    }
}

/// A component's file in the store.
pub(super) fn component_file(digest: &Digest) -> String {
    format!("sha256-{}.wasm", digest.hex())
}

/// A signature's file in the store.
pub(super) fn signature_file(digest: &Digest) -> String {
    format!("sha256-{}.signature.json", digest.hex())
}

fn unusable(path: &Path, error: &io::Error) -> SupplyError {
    SupplyError::Store { path: path.to_owned(), reason: error.to_string() }
}
