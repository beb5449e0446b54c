//! Putting a plugin into a registry.

use bytes::Bytes;
use http::Method;

use super::client::{Access, Ask, Registry};
use super::manifest::{Descriptor, IMAGE_MANIFEST, Manifest, WasmConfig};
use super::{pull, signatures};
use crate::plugins::Face;
use crate::supply::reference::Reference;
use crate::supply::{Digest, SigningKey, SupplyError, Talk};

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest: what to pin.
    pub manifest: Digest,
    /// What the tag pointed to before, where that was something else.
    pub before: Option<Digest>,
}

/// Puts a component into a registry under the reference's tag, in the CNCF Wasm layout, and its signature beside it where there is
/// a key. `created` is a time in RFC 3339; with the same one, the same component gives the same manifest.
///
/// # Errors
///
/// The reference has a digest, the registry cannot be reached or refuses, or it says that it got something else.
pub async fn push(
    component: Vec<u8>,
    face: &Face,
    created: String,
    reference: &Reference,
    access: &Access,
    key: Option<&SigningKey>,
    talk: Talk<'_>,
) -> Result<Pushed, SupplyError> {
    let Some(tag) = reference.tag.clone().filter(|_| reference.digest.is_none()) else {
        let text = reference.to_string();
        return Err(SupplyError::BadSource { text, why: "a push needs a tag, and the digest comes out of it" });
    };
    let mut registry = Registry::open(reference, access, "pull,push")?;
    let what = reference.to_string();
    let config = WasmConfig::of(face, &Digest::of(&component), created).to_bytes();
    let manifest = Manifest::of_plugin(&config, &component, reference.last_part());
    let (config_blob, layer) = manifest.blobs(&what)?;
    let before = pull::manifest(&mut registry, &tag, &what).await?.map(|raw| raw.digest);
    upload(&mut registry, config_blob, config, &format!("the configuration of {what}")).await?;
    talk(&format!("pushing {} of {what}", crate::report::human::bytes(layer.size)));
    upload(&mut registry, layer, component, &format!("the component of {what}")).await?;
    let digest = put_manifest(&mut registry, &tag, &manifest, &what).await?;
    if let Some(key) = key {
        signatures::sign(&mut registry, reference, &digest, key).await?;
    }
    Ok(Pushed { manifest: digest, before: before.filter(|before| *before != digest) })
}

/// Uploads a blob in one piece, unless the registry has it.
pub(super) async fn upload(
    registry: &mut Registry,
    blob: &Descriptor,
    bytes: Vec<u8>,
    what: &str,
) -> Result<(), SupplyError> {
    let url = registry.url(&format!("blobs/{}", blob.digest))?;
    if registry.send(&Ask::new(Method::HEAD, url), what).await?.is_some() {
        return Ok(());
    }
    let begin = Ask::new(Method::POST, registry.url("blobs/uploads/")?);
    let answer = registry.send(&begin, what).await?.ok_or_else(|| registry.odd("knows no uploads"))?;
    let mut url = registry.own_url(&answer)?;
    url.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
    let put = Ask { body: Bytes::from(bytes), content_type: Some("application/octet-stream"), ..Ask::new(Method::PUT, url) };
    registry.send(&put, what).await?.ok_or_else(|| registry.odd("has forgotten the upload"))?;
    Ok(())
}

/// Puts a manifest under a tag; gives its digest.
pub(super) async fn put_manifest(
    registry: &mut Registry,
    tag: &str,
    manifest: &Manifest,
    what: &str,
) -> Result<Digest, SupplyError> {
    let bytes = manifest.to_bytes();
    let digest = Digest::of(&bytes);
    let url = registry.url(&format!("manifests/{tag}"))?;
    let put = Ask { body: Bytes::from(bytes), content_type: Some(IMAGE_MANIFEST), ..Ask::new(Method::PUT, url) };
    let answer = registry.send(&put, what).await?.ok_or_else(|| registry.odd("does not take the manifest"))?;
    if let Some(found) = pull::said_digest(&answer).filter(|said| *said != digest) {
        return Err(SupplyError::WrongDigest { what: format!("what the registry kept as {what}"), found, expected: digest });
    }
    Ok(digest)
}
