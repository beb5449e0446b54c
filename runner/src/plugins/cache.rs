//! Compiled code, kept for the next run: compiling a JavaScript or Python guest takes seconds, reading it back milliseconds.
//!
//! Compiled code runs with all of our rights, so this is strict: the directory is ours alone, so is every file in it, a file's
//! content has its digest checked, and with any doubt the component is compiled anew. The digest guards against damage, not
//! against somebody who may write as us: who can do that has no need of this file. A precompiled file is never accepted from a
//! user, see [`super::source`].

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, openat, renameat, unlinkat};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::owned::ours;

/// First bytes of a file of ours. Changes with the layout: magic, digest of the rest, the rest.
const MAGIC: &[u8; 16] = b"runner-cwasm-01\n";

/// Largest file that is read back; a Python guest's is about 40 MB.
const MAX_SIZE: u64 = 1 << 30;

/// A private directory of compiled components.
pub(super) struct Cache {
    folder: File,
}

/// What the key of a file is made of goes through here: `precompile_compatibility_hash` is only known as a `Hash`.
struct Sha(Sha256);

impl Cache {
    /// Opens the directory, and makes it (0700) where it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be made, is a link, belongs to somebody else, or may be written by others.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let folder = File::from(open(path, flags, Mode::empty())?);
        ours(&folder, FileType::Directory)?;
        Ok(Self { folder })
    }

    /// The compiled form of the component with this digest; none where there is none.
    ///
    /// # Errors
    ///
    /// There is one, and there is a doubt about it: it must not be used.
    pub(super) fn get(&self, engine: &Engine, component: &[u8; 32]) -> Result<Option<Component>, String> {
        let content = match self.read(&file_name(engine, component)) {
            Ok(content) => content,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                return Err("it is a link".to_owned());
            }
            Err(e) => return Err(e.to_string()),
        };
        let code = verified(&content).ok_or("its content was changed: its digest is another one")?;
        deserialize(engine, code).map(Some).map_err(|_| "wasmtime does not take it".to_owned())
    }

    /// Keeps a compiled component, in one step: nobody ever sees half a file.
    pub(super) fn put(&self, engine: &Engine, component: &[u8; 32], compiled: &Component) -> io::Result<()> {
        let code = compiled.serialize().map_err(io::Error::other)?;
        let name = file_name(engine, component);
        let draft = format!("{name}.{}.new", uuid::Uuid::now_v7());
        let written = self.write(&draft, &code).and_then(|()| Ok(renameat(&self.folder, &draft, &self.folder, &name)?));
        if written.is_err() {
            // Best effort: a leftover is never read, its name is no key.
            let _ = unlinkat(&self.folder, &draft, AtFlags::empty());
        }
        written
    }

    /// The whole of a file, which is ours alone.
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY | OFlags::NONBLOCK;
        let file = File::from(openat(&self.folder, name, flags, Mode::empty())?);
        ours(&file, FileType::RegularFile)?;
        let size = file.metadata()?.len().min(MAX_SIZE);
        let mut content = Vec::with_capacity(size as usize + 1);
        file.take(MAX_SIZE).read_to_end(&mut content)?;
        Ok(content)
    }

    fn write(&self, name: &str, code: &[u8]) -> io::Result<()> {
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = File::from(openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)
    }
}

/// The code in a file of ours; none where the file is not one, or damaged.
fn verified(content: &[u8]) -> Option<&[u8]> {
    let (digest, code) = content.strip_prefix(MAGIC)?.split_at_checked(32)?;
    (Sha256::digest(code).as_slice() == digest).then_some(code)
}

/// The file's name: the digest of the component's digest, our own version, and the engine's settings, target and wasmtime version.
fn file_name(engine: &Engine, component: &[u8; 32]) -> String {
    let mut key = Sha(Sha256::new_with_prefix(component));
    engine.precompile_compatibility_hash().hash(&mut key);
    env!("CARGO_PKG_VERSION").hash(&mut key);
    key.0.finalize().iter().fold(String::new(), |name, byte| name + &format!("{byte:02x}")) + ".cwasm"
}

#[allow(unsafe_code, reason = "wasmtime cannot check compiled code; this is the one place that vouches for it")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by `Component::serialize`: it comes from a file that only we can write, in a directory that only we
    // can write, and its digest is right. That it fits this engine is in its key, and wasmtime checks it again.
    unsafe { Component::deserialize(engine, code) }
}

impl Hasher for Sha {
    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte))
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
