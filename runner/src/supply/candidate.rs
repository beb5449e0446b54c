//! A plugin that was fetched and verified, and is not accepted yet.

use std::path::{Path, PathBuf};

use super::lock::{Entry, Signer, is_name};
use super::signature::{Over, Signature};
use super::{Access, Digest, PublicKey, Source, Store, SupplyError, Talk, files, oci};
use crate::Problem;
use crate::plugins::{self, Description, Face};
use crate::report::human::bytes;

/// Largest file with a detached signature.
const MAX_SIGNATURE_FILE: u64 = 64 << 10;

/// What a plugin must be to become a candidate, and how it is reached.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Its name; its file's or repository's where none is given.
    pub name: Option<String>,
    /// The digest that its component must have.
    pub digest: Option<Digest>,
    /// Who must have signed it; no signature is asked for where there is none.
    pub key: Option<PublicKey>,
    /// The repository that the signature names, where that is not the source's own: a mirror's origin.
    pub signed_as: Option<String>,
    /// How registries are reached.
    pub access: Access,
    /// Where compiled code is kept.
    pub cache: Option<PathBuf>,
}

/// A plugin before a person accepts it.
#[derive(Debug)]
pub struct Candidate {
    /// What the lock will say.
    pub entry: Entry,
    /// What it is and asks for.
    pub description: Description,
    pub(super) component: Vec<u8>,
    pub(super) signature: Option<Signature>,
}

/// A plugin's bytes, verified.
#[derive(Debug)]
pub struct Bytes {
    /// The component.
    pub component: Vec<u8>,
    /// The digest of its manifest, where it came from a registry.
    pub manifest: Option<Digest>,
}

/// A plugin's bytes and all that came with them.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) source: Source,
    pub(super) component: Vec<u8>,
    pub(super) manifest: Option<Vec<u8>>,
    pub(super) signature: Option<Signature>,
}

impl Candidate {
    /// Fetches a plugin, verifies it, and looks at it: compiles it into the cache, links it and starts it once. Accepts nothing.
    ///
    /// # Errors
    ///
    /// It cannot be had, is not what was wanted, or this runner cannot use it.
    pub async fn fetch(source: &Source, wanted: &Wanted, talk: Talk<'_>) -> Result<Self, SupplyError> {
        let name = wanted.name.clone().unwrap_or_else(|| default_name(source));
        if !is_name(&name) {
            return Err(SupplyError::BadName(name));
        }
        talk(&format!("fetching {source}"));
        let fetched = Fetched::get(source, wanted, talk).await?;
        talk(&format!("compiling {name} ({}); its code is kept for the next runs", bytes(fetched.component.len() as u64)));
        let cache = wanted.cache.clone();
        let looked = tokio::task::spawn_blocking(move || Self::look(name, fetched, cache.as_deref()));
        looked.await.unwrap_or_else(|e| Err(internal(&e.to_string())))
    }

    /// Fetches and verifies a plugin's bytes. Does not look at what they are beyond that.
    ///
    /// # Errors
    ///
    /// It cannot be had, or is not what was wanted.
    pub async fn bytes_of(source: &Source, wanted: &Wanted, talk: Talk<'_>) -> Result<Bytes, SupplyError> {
        talk(&format!("fetching {source}"));
        let fetched = Fetched::get(source, wanted, talk).await?;
        Ok(Bytes { manifest: fetched.manifest.as_deref().map(Digest::of), component: fetched.component })
    }

    /// Looks at a plugin whose entry was made elsewhere and has been checked against its component. Blocks.
    pub(super) fn of_entry(
        entry: Entry,
        component: Vec<u8>,
        signature: Option<Signature>,
        cache: Option<&Path>,
    ) -> Result<Self, SupplyError> {
        let description = inspect(&entry.name, &entry.source, &component, cache)?;
        Ok(Self { entry, description, component, signature })
    }

    fn look(name: String, fetched: Fetched, cache: Option<&Path>) -> Result<Self, SupplyError> {
        let Fetched { source, component, manifest, signature } = fetched;
        let face = Face::of(&name, &component)?;
        let signer = signature.as_ref().map(|signature| {
            let key = signature.key().map_err(|e| internal(&e))?.fingerprint();
            Ok::<_, SupplyError>(Signer { key, signature: Digest::of(&signature.to_bytes()) })
        });
        let entry = Entry {
            source: source.to_string(),
            manifest: manifest.as_deref().map(Digest::of),
            digest: Digest::of(&component),
            size: component.len() as u64,
            contract: face.contract.unwrap_or_else(|| "none".to_owned()),
            imports: face.imports,
            signer: signer.transpose()?,
            name,
        };
        Self::of_entry(entry, component, signature, cache)
    }
}

impl Fetched {
    /// The bytes, after their digest and signature were verified.
    pub(super) async fn get(source: &Source, wanted: &Wanted, talk: Talk<'_>) -> Result<Self, SupplyError> {
        let fetched = match source {
            Source::File(path) => Self::file(path, wanted)?,
            Source::Oci(reference) => {
                let oci::Pulled { component, manifest } = oci::pull(reference, &wanted.access, talk).await?;
                let signed_as = wanted.signed_as.as_deref();
                let signature = match &wanted.key {
                    Some(key) => Some(oci::find_signature(reference, &wanted.access, &manifest, key, signed_as).await?),
                    None => None,
                };
                Self { source: source.clone(), component, manifest: Some(manifest), signature }
            }
        };
        let found = Digest::of(&fetched.component);
        if let Some(expected) = wanted.digest.filter(|digest| *digest != found) {
            return Err(SupplyError::WrongDigest { what: source.to_string(), found, expected });
        }
        // The way that later loads will go, once from its beginning.
        if let (Some(signature), Some(key)) = (&fetched.signature, &wanted.key) {
            signature.verify(&fetched.component).map_err(|why| bad_signature(source, key, why))?;
        }
        Ok(fetched)
    }

    fn file(path: &Path, wanted: &Wanted) -> Result<Self, SupplyError> {
        let failed =
            |e: std::io::Error| SupplyError::File { doing: "cannot read", path: path.to_owned(), reason: e.to_string() };
        let path = path.canonicalize().map_err(failed)?;
        let component = files::read(&path, plugins::MAX_SIZE, "the component")?;
        let signature = wanted.key.as_ref().map(|key| detached(&path, &component, key)).transpose()?;
        Ok(Self { source: Source::File(path), component, manifest: None, signature })
    }
}

/// The signature in the file beside a component: `FILE.sig`, as `cosign sign-blob --output-signature` writes it.
fn detached(path: &Path, component: &[u8], key: &PublicKey) -> Result<Signature, SupplyError> {
    let source = Source::File(path.to_owned());
    let mut file = path.as_os_str().to_owned();
    file.push(".sig");
    let file = PathBuf::from(file);
    if !file.exists() {
        return Err(SupplyError::NotSigned { what: source.to_string(), key: key.fingerprint().short() });
    }
    let text = files::read(&file, MAX_SIGNATURE_FILE, "the signature")?;
    let text = String::from_utf8(text).map_err(|_| bad_signature(&source, key, "the signature is not base64".to_owned()))?;
    key.verify(component, &text).map_err(|why| bad_signature(&source, key, why.to_owned()))?;
    Ok(Signature { key: key.to_pem(), signature: text.trim().to_owned(), over: Over::Component })
}

/// Says what a component is, and fails where this runner could not use it.
fn inspect(name: &str, source: &str, component: &[u8], cache: Option<&Path>) -> Result<Description, SupplyError> {
    let scratch = tempfile::tempdir().map_err(|e| internal(&e.to_string()))?;
    let file = scratch.path().join(format!("{name}.wasm"));
    std::fs::write(&file, component).map_err(|e| internal(&e.to_string()))?;
    let mut description = plugins::inspect_cached(&file, cache)?;
    description.path = source.into();
    match description.refusals.first() {
        Some(refused) => {
            let message = format!("plugin `{name}` {}", refused.reason);
            Err(SupplyError::Unusable(Problem { message, hints: refused.hints.clone() }))
        }
        None => Ok(description),
    }
}

fn default_name(source: &Source) -> String {
    match source {
        Source::File(path) => path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
        Source::Oci(reference) => reference.last_part().to_owned(),
    }
}

fn bad_signature(source: &Source, key: &PublicKey, why: String) -> SupplyError {
    SupplyError::BadSignature { what: source.to_string(), key: key.fingerprint().short(), why }
}

fn internal(reason: &str) -> SupplyError {
    SupplyError::Unusable(Problem::new(format!("the plugin could not be looked at: {reason}")))
}

impl Store {
    /// The key that an entry's signature is verified with: what an update of it must be signed by too.
    ///
    /// # Errors
    ///
    /// The kept signature is gone or damaged.
    pub fn key_of(&self, entry: &Entry) -> Result<Option<PublicKey>, SupplyError> {
        let Some(signature) = self.signature(entry)? else { return Ok(None) };
        let kept = |reason| SupplyError::KeptSignature { name: entry.name.clone(), reason };
        let key = signature.key().map_err(kept)?;
        let expected = entry.signer.as_ref().map(|signer| signer.key);
        match Some(key.fingerprint()) == expected {
            true => Ok(Some(key)),
            false => Err(kept("it is by another key than was accepted".to_owned())),
        }
    }
}
