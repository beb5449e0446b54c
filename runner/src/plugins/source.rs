//! Plugin files: finding them, reading them, and seeing what they are before anything is compiled.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;

use super::refusal::Refusal;
use crate::Problem;
use crate::text::one_line;

/// Largest component file. The largest kind known, Python's, starts at 18 MB.
pub(crate) const MAX_SIZE: u64 = 128 << 20;

/// The first eight bytes of a component, and of a core module.
const COMPONENT: &[u8; 8] = b"\0asm\x0d\0\x01\0";
const CORE_MODULE: &[u8; 8] = b"\0asm\x01\0\0\0";

/// A plugin file, and how it is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSource {
    /// The component, a `.wasm` file.
    pub path: PathBuf,
    /// Its name in messages and settings; the file's name without its ending where none is given.
    pub name: Option<String>,
}

/// A component that is built into the program, by `include_bytes!`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Embedded(pub &'static [u8]);

/// A component's bytes and their digest.
pub(super) struct Bytes {
    pub(super) bytes: Cow<'static, [u8]>,
    pub(super) digest: [u8; 32],
}

impl Embedded {
    /// `sha256:…` of it.
    pub fn digest(self) -> String {
        digest_text(&Sha256::digest(self.0).into())
    }

    /// Refuses what is no component, without compiling anything.
    pub(super) fn read(self) -> Result<Bytes, Refusal> {
        check(self.0)?;
        Ok(Bytes { bytes: Cow::Borrowed(self.0), digest: Sha256::digest(self.0).into() })
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {}", self.0.len(), self.digest())
    }
}

impl PluginSource {
    /// The plugin's name: the given one, else the file's name without its ending.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let stem = self.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            one_line(&stem, 80)
        })
    }
}

/// The plugin files at these paths: a file is itself, whatever its name; a folder is every `*.wasm` directly in it, sorted. A
/// file that is named twice is taken once. Nothing is opened.
///
/// # Errors
///
/// A path that is not there, and a folder without a plugin.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            std::fs::metadata(path).map_err(|e| Refusal::Unreadable(e.to_string()).of(&path.display().to_string()))?;
            found.push(path.clone());
            continue;
        }
        let unreadable = |e: std::io::Error| Problem {
            message: format!("the plugin folder {} cannot be read: {e}", path.display()),
            hints: Vec::new(),
        };
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|e| e.eq_ignore_ascii_case("wasm")) && !file.is_dir() {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            return Err(Problem {
                message: format!("the plugin folder {} has no plugin in it", path.display()),
                hints: vec!["put components (*.wasm) into it, or leave it out".to_owned()],
            });
        }
        inside.sort();
        found.extend(inside);
    }
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    Ok(found)
}

/// Reads a component file and refuses what is none, without compiling anything.
pub(super) fn read(path: &Path) -> Result<Bytes, Refusal> {
    let unreadable = |e: std::io::Error| Refusal::Unreadable(e.to_string());
    // Before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Refusal::NotAFile);
    }
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size > MAX_SIZE {
        return Err(Refusal::TooLarge(size));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(Refusal::TooLarge(bytes.len() as u64));
    }
    check(&bytes)?;
    let digest = Sha256::digest(&bytes).into();
    Ok(Bytes { bytes: Cow::Owned(bytes), digest })
}

/// `sha256:…` of a component file.
///
/// # Errors
///
/// It cannot be read, or is no component.
pub fn digest_of(path: &Path) -> Result<String, Problem> {
    let name = PluginSource { path: path.to_owned(), name: None }.name();
    read(path).map(|bytes| digest_text(&bytes.digest)).map_err(|refusal| refusal.of(&name))
}

/// `sha256:` and the digest in hex.
pub(super) fn digest_text(digest: &[u8; 32]) -> String {
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// What these bytes are, by their first ones.
pub(super) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(Refusal::Precompiled);
    }
    if bytes.starts_with(COMPONENT) {
        return Ok(());
    }
    if bytes.starts_with(CORE_MODULE) {
        return Err(Refusal::CoreModule);
    }
    if bytes.len() < COMPONENT.len() && COMPONENT.starts_with(bytes) {
        return Err(Refusal::Truncated);
    }
    if bytes.starts_with(b"\0asm") {
        return Err(Refusal::Invalid("its header is of a version that nobody knows".to_owned()));
    }
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"(component") || text.starts_with(b"(module") {
        return Err(Refusal::TextForm);
    }
    Err(Refusal::NotWasm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_file_has_its_own_refusal() {
        assert_eq!(check(b""), Err(Refusal::Empty));
        assert_eq!(check(b"#!/bin/sh"), Err(Refusal::NotWasm));
        assert_eq!(check(b"\0asm\x01\0\0\0rest"), Err(Refusal::CoreModule));
        assert_eq!(check(b"\0as"), Err(Refusal::Truncated));
        assert_eq!(check(b" (module)"), Err(Refusal::TextForm));
        assert!(matches!(check(b"\0asm\x07\0\x09\0"), Err(Refusal::Invalid(_))));
        assert_eq!(check(b"\0asm\x0d\0\x01\0"), Ok(()));
        let compiled = Engine::default().precompile_component(&wat::parse_str("(component)").unwrap()).unwrap();
        assert_eq!(check(&compiled), Err(Refusal::Precompiled));
    }

    #[test]
    fn folders_are_sorted_and_files_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.wasm", "a.wasm", "notes.txt"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let file = folder.path().join("b.wasm");
        let found = find(&[file.clone(), folder.path().to_owned()]).unwrap();
        assert_eq!(found, [file, folder.path().join("a.wasm")]);

        let empty = tempfile::tempdir().unwrap();
        assert!(find(&[empty.path().to_owned()]).unwrap_err().message.contains("has no plugin in it"));
        assert!(find(&[empty.path().join("gone.wasm")]).unwrap_err().message.contains("cannot be read"));
    }

    #[test]
    fn a_name_comes_from_the_file() {
        let source = PluginSource { path: "/x/steady-sync.wasm".into(), name: None };
        assert_eq!(source.name(), "steady-sync");
    }

    #[test]
    fn a_pipe_and_a_folder_are_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(Refusal::NotAFile)));
        assert!(matches!(read(Path::new("/dev/zero")), Err(Refusal::NotAFile)));
    }
}
