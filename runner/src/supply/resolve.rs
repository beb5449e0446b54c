//! From what a policy or `--plugins` names to a component's file that may be loaded.

use std::path::{Path, PathBuf};

use super::lock::{self, Entry, Lock};
use super::{Digest, Reference, Store, SupplyError, files};
use crate::plugins;

/// A plugin that may be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its component.
    pub path: PathBuf,
    /// The digest that its component has, and must have when it is loaded.
    pub digest: Digest,
    /// What was accepted; none for a file that nobody locked.
    pub entry: Option<Entry>,
}

/// Resolves a source: `oci://…` and names of locked plugins are found in the store, and refused unless everything is as it was
/// accepted; a path stands for itself, and is refused where it was accepted with another content. Never touches a network, never
/// follows a tag.
///
/// What names a path: whatever is there, has a `/` or ends in `.wasm`.
///
/// # Errors
///
/// It is not locked, or something is not as it was accepted: each with its own message.
pub fn resolve(source: &str, store: Option<&Store>) -> Result<Resolved, SupplyError> {
    let lock = store.map(Store::lock).transpose()?.unwrap_or_default();
    if super::Source::is_oci(source) {
        let reference: Reference = source.parse()?;
        let entry = find(&lock, &reference).ok_or_else(|| SupplyError::NotLocked(format!("from {source}")))?;
        if let Some(asked) = reference.digest.filter(|digest| Some(*digest) != entry.manifest) {
            let locked = entry.manifest.map_or_else(|| "no manifest".to_owned(), |digest| digest.to_string());
            let source_text = source.to_owned();
            return Err(SupplyError::OtherManifest { source_text, name: entry.name.clone(), asked, locked });
        }
        return locked(store, entry);
    }
    if !may_be_name(source) || Path::new(source).exists() {
        return resolve_file(Path::new(source), store);
    }
    let entry = lock.get(source).ok_or_else(|| SupplyError::NotLocked(format!("under the name {source}")))?;
    locked(store, entry)
}

/// Resolves a component's file: refused where it was accepted as a source, and its content is another one now.
///
/// # Errors
///
/// As [`resolve`].
pub fn resolve_file(path: &Path, store: Option<&Store>) -> Result<Resolved, SupplyError> {
    let digest = Digest::of(&files::read(path, plugins::MAX_SIZE, "the component")?);
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let lock = store.map(Store::lock).transpose()?.unwrap_or_default();
    // A file in the store itself is what its entry says.
    let of = |entry: &&Entry| Path::new(&entry.source) == real || store.is_some_and(|s| s.component_path(entry) == real);
    let Some(entry) = lock.entries().iter().find(of) else {
        return Ok(Resolved { path: path.to_owned(), digest, entry: None });
    };
    if digest != entry.digest {
        let name = entry.name.clone();
        return Err(SupplyError::SourceChanged { path: path.to_owned(), name, found: digest, locked: entry.digest });
    }
    locked(store, entry)
}

fn locked(store: Option<&Store>, entry: &Entry) -> Result<Resolved, SupplyError> {
    let store = store.ok_or_else(|| SupplyError::NotLocked(entry.name.clone()))?;
    store.verified(entry)?;
    Ok(Resolved { path: store.component_path(entry), digest: entry.digest, entry: Some(entry.clone()) })
}

/// The entry of that repository, by tag where one is asked for, by digest where only that is.
fn find<'a>(lock: &'a Lock, asked: &Reference) -> Option<&'a Entry> {
    let of_repository = lock.entries().iter().filter_map(|entry| {
        let source: Reference = entry.source.parse().ok()?;
        (source.name() == asked.name()).then_some((entry, source))
    });
    let fits = |(entry, source): &(&Entry, Reference)| match (&asked.tag, &asked.digest) {
        (Some(tag), _) => source.tag.as_ref() == Some(tag),
        (None, Some(digest)) => entry.manifest == Some(*digest),
        (None, None) => false,
    };
    let candidates: Vec<_> = of_repository.collect();
    let fitting = candidates.iter().find(|candidate| fits(candidate)).map(|(entry, _)| *entry);
    // Asked for by a digest that is not accepted: say what is accepted of this repository, not that nothing is.
    fitting.or_else(|| candidates.first().map(|(entry, _)| *entry).filter(|_| asked.tag.is_none()))
}

/// Whether this can be a locked plugin's name: a path has a `/`, or ends in `.wasm`.
pub fn may_be_name(source: &str) -> bool {
    lock::is_name(source) && !source.ends_with(".wasm")
}
