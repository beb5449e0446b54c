//! Fetching a plugin from a registry.

use http::Method;
use reqwest::Response;

use super::client::{Access, Ask, Registry};
use super::manifest::{Descriptor, Manifest, WasmConfig};
use super::transfer;
use crate::supply::reference::Reference;
use crate::supply::{Digest, SupplyError, Talk};

/// Largest manifest: the specification's own limit.
const MAX_MANIFEST: u64 = 4 << 20;

/// Every kind of manifest, so that a registry shows what it has instead of converting it.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// A plugin as a registry has it.
pub(in crate::supply) struct Pulled {
    /// The component.
    pub(in crate::supply) component: Vec<u8>,
    /// The manifest, byte for byte.
    pub(in crate::supply) manifest: Vec<u8>,
}

/// A manifest as a registry has it.
pub(super) struct RawManifest {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
}

/// Fetches a plugin. Every digest is compared here, every size is bounded.
///
/// # Errors
///
/// It is not there, not a plugin, too large, or not what its digest says; the registry cannot be reached or refuses.
pub(in crate::supply) async fn pull(reference: &Reference, access: &Access, talk: Talk<'_>) -> Result<Pulled, SupplyError> {
    let mut registry = Registry::open(reference, access, "pull")?;
    let what = reference.to_string();
    let raw = manifest(&mut registry, &reference.target(), &what).await?;
    let raw = raw.ok_or_else(|| SupplyError::NotFound(what.clone()))?;
    if let Some(expected) = reference.digest.filter(|expected| *expected != raw.digest) {
        return Err(SupplyError::WrongDigest { what: format!("the manifest of {what}"), found: raw.digest, expected });
    }
    let not_a_plugin = |why| SupplyError::NotAPlugin { what: what.clone(), why };
    let manifest = Manifest::parse(&raw.bytes).map_err(not_a_plugin)?;
    let (config, layer) = manifest.blobs(&what)?;
    let text = blob(&mut registry, config, &format!("the configuration of {what}"), None).await?;
    WasmConfig::check(&text, &layer.digest).map_err(not_a_plugin)?;
    let component = blob(&mut registry, layer, &format!("the component of {what}"), Some(talk)).await?;
    Ok(Pulled { component, manifest: raw.bytes })
}

/// A manifest by its tag or digest; none where there is none.
pub(super) async fn manifest(registry: &mut Registry, target: &str, what: &str) -> Result<Option<RawManifest>, SupplyError> {
    let ask = Ask {
        accept: Some(ACCEPT),
        expected: MAX_MANIFEST,
        ..Ask::new(Method::GET, registry.url(&format!("manifests/{target}"))?)
    };
    let Some(answer) = registry.send(&ask, what).await? else { return Ok(None) };
    let said = said_digest(&answer);
    let name = format!("the manifest of {what}");
    let bytes = transfer::body(answer, &name, MAX_MANIFEST, None).await?;
    let digest = Digest::of(&bytes);
    if let Some(expected) = said.filter(|said| *said != digest) {
        return Err(SupplyError::WrongDigest { what: name, found: digest, expected });
    }
    Ok(Some(RawManifest { bytes, digest }))
}

/// The digest that the registry says its answer has.
pub(super) fn said_digest(answer: &Response) -> Option<Digest> {
    answer.headers().get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

/// A blob, of exactly the digest and size that its descriptor has.
pub(super) async fn blob(
    registry: &mut Registry,
    blob: &Descriptor,
    what: &str,
    talk: Option<Talk<'_>>,
) -> Result<Vec<u8>, SupplyError> {
    let url = registry.url(&format!("blobs/{}", blob.digest))?;
    let ask = Ask { expected: blob.size, ..Ask::new(Method::GET, url) };
    let answer = registry.send(&ask, what).await?.ok_or_else(|| SupplyError::NotFound(what.to_owned()))?;
    transfer::blob(answer, what, (&blob.digest, blob.size), talk).await
}
