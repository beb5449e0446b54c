//! Signatures beside artifacts, as cosign keeps them: an artifact of its own under the tag `sha256-<hex>.sig`, a layer each.

use serde_json::json;

use super::client::{Access, Registry};
use super::manifest::{Descriptor, IMAGE_CONFIG, Manifest};
use super::{pull, push};
use crate::supply::payload::Payload;
use crate::supply::reference::Reference;
use crate::supply::signature::{Over, Signature};
use crate::supply::{Digest, PublicKey, SigningKey, SupplyError};

/// The kind of a signature's layer, and where in it the signature is.
const LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ANNOTATION: &str = "dev.cosignproject.cosign/signature";

/// Largest payload; real ones have a few hundred bytes.
const MAX_PAYLOAD: u64 = 64 << 10;

/// So many signatures of one artifact are looked at.
const MAX_SIGNATURES: usize = 32;

/// Finds a signature of this manifest by this key. `signed_as` is the repository that it has to name where that is not the
/// reference's own: a mirror's origin.
///
/// # Errors
///
/// There is none, or none that is good; as [`pull`](super::pull()).
pub(in crate::supply) async fn find_signature(
    reference: &Reference,
    access: &Access,
    manifest: &[u8],
    key: &PublicKey,
    signed_as: Option<&str>,
) -> Result<Signature, SupplyError> {
    let repository = signed_as.map_or_else(|| reference.name(), str::to_owned);
    let digest = Digest::of(manifest);
    let (what, key_text) = (reference.to_string(), key.fingerprint().short());
    let not_signed = || SupplyError::NotSigned { what: what.clone(), key: key_text.clone() };
    let mut registry = Registry::open(reference, access, "pull")?;
    let of_signatures = format!("the signatures of {what}");
    let raw = pull::manifest(&mut registry, &tag(&digest), &of_signatures).await?.ok_or_else(not_signed)?;
    let bad = |why: String| SupplyError::BadSignature { what: what.clone(), key: key_text.clone(), why };
    let layers = Manifest::parse(&raw.bytes).map_err(bad)?.layers;
    let mut reasons = Vec::new();
    for layer in layers.iter().filter(|layer| layer.media_type == LAYER).take(MAX_SIGNATURES) {
        let Some(signature) = layer.annotations.get(ANNOTATION) else { continue };
        if layer.size > MAX_PAYLOAD {
            return Err(SupplyError::TooLarge { what: "a signed payload".into(), size: layer.size, limit: MAX_PAYLOAD });
        }
        let payload = pull::blob(&mut registry, layer, "a signed payload", None).await?;
        let verified = key.verify(&payload, signature).map_err(str::to_owned);
        match verified.and_then(|()| Payload::check(&payload, &repository, &digest)) {
            Ok(()) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| bad("it is not text".to_owned()));
                let over = Over::Manifest { payload: text(&payload)?, manifest: text(manifest)?, repository };
                return Ok(Signature { key: key.to_pem(), signature: signature.trim().to_owned(), over });
            }
            Err(reason) => {
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
    }
    if reasons.is_empty() { Err(not_signed()) } else { Err(bad(reasons.join("; "))) }
}

/// Signs a manifest, beside the signatures that are there.
pub(super) async fn sign(
    registry: &mut Registry,
    reference: &Reference,
    manifest: &Digest,
    key: &SigningKey,
) -> Result<(), SupplyError> {
    let what = format!("the signature of {reference}");
    let tag = tag(manifest);
    let mut layers = match pull::manifest(registry, &tag, &what).await? {
        Some(raw) => Manifest::parse(&raw.bytes).map_err(|why| SupplyError::NotAPlugin { what: what.clone(), why })?.layers,
        None => Vec::new(),
    };
    let payload = Payload::text(&reference.name(), manifest).into_bytes();
    let ours = |layer: &&Descriptor| {
        let signature = layer.annotations.get(ANNOTATION);
        layer.digest == Digest::of(&payload) && signature.is_some_and(|s| key.public().verify(&payload, s).is_ok())
    };
    // ECDSA signs differently each time: without this, every push would add one more.
    if layers.iter().any(|layer| ours(&layer)) {
        return Ok(());
    }
    let signature = key.sign(&payload).map_err(|reason| registry.odd(&format!("gets no signature: {reason}")))?;
    let mut layer = Descriptor::of(LAYER, &payload);
    layer.annotations.insert(ANNOTATION.to_owned(), signature);
    push::upload(registry, &layer, payload, &what).await?;
    layers.push(layer);
    let digests: Vec<String> = layers.iter().map(|layer| layer.digest.to_string()).collect();
    let config = json!({
        "architecture": "", "created": "0001-01-01T00:00:00Z", "history": [{ "created": "0001-01-01T00:00:00Z" }], "os": "",
        "rootfs": { "type": "layers", "diff_ids": digests }, "config": {},
    });
    let config = config.to_string().into_bytes();
    let descriptor = Descriptor::of(IMAGE_CONFIG, &config);
    push::upload(registry, &descriptor, config, &what).await?;
    push::put_manifest(registry, &tag, &Manifest::new(descriptor, layers), &what).await?;
    Ok(())
}

/// The tag that an artifact's signatures are under.
fn tag(manifest: &Digest) -> String {
    format!("sha256-{}.sig", manifest.hex())
}
