//! A signature with all that it takes to verify it again without a network: what was signed, by which key, and the way from there
//! to the component.

use serde::{Deserialize, Serialize};

use super::oci::Manifest;
use super::payload::Payload;
use super::{Digest, PublicKey};

/// Largest kept signature: a manifest of at most 4 MiB is in it.
pub(super) const MAX_SIZE: u64 = 8 << 20;

/// A signature as it is kept beside a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Signature {
    /// The key that verifies it, in PEM. It is trusted because the lock names its fingerprint.
    pub(super) key: String,
    /// In base64.
    pub(super) signature: String,
    /// What was signed.
    pub(super) over: Over,
}

/// What a signature is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind", deny_unknown_fields)]
pub(super) enum Over {
    /// The component's bytes themselves: `cosign sign-blob`.
    Component,
    /// A payload that names a manifest that names the component: `cosign sign`.
    Manifest {
        /// The signed payload.
        payload: String,
        /// The manifest, as the registry has it.
        manifest: String,
        /// The repository that the payload has to name, `host/repository`.
        repository: String,
    },
}

/// A signature that is good, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Good {
    /// The key's fingerprint.
    pub(super) key: Digest,
    /// The manifest that it goes through, if any.
    pub(super) manifest: Option<Digest>,
}

impl Signature {
    /// Reads one that was kept.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|_| "it is not a signature that runner kept".to_owned())
    }

    /// The text to keep.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The key that it names. Nothing is verified.
    pub(super) fn key(&self) -> Result<PublicKey, String> {
        PublicKey::from_pem(&self.key).map_err(|e| format!("its key cannot be used: {e}"))
    }

    /// Follows the whole way from the key to the component.
    ///
    /// # Errors
    ///
    /// Where it breaks off, as a sentence without its stop.
    pub(super) fn verify(&self, component: &[u8]) -> Result<Good, String> {
        let key = self.key()?;
        let fingerprint = key.fingerprint();
        match &self.over {
            Over::Component => {
                key.verify(component, &self.signature)?;
                Ok(Good { key: fingerprint, manifest: None })
            }
            Over::Manifest { payload, manifest, repository } => {
                key.verify(payload.as_bytes(), &self.signature)?;
                let digest = Digest::of(manifest.as_bytes());
                Payload::check(payload.as_bytes(), repository, &digest)?;
                let layer = Manifest::parse(manifest.as_bytes()).and_then(|m| Ok(m.plugin()?.digest))?;
                if layer != Digest::of(component) {
                    return Err(format!("its manifest names another component, {}", layer.short()));
                }
                Ok(Good { key: fingerprint, manifest: Some(digest) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supply::keys::tests::signing_key;
    use crate::supply::oci::tests::manifest_of;

    fn of_manifest(component: &[u8]) -> Signature {
        let key = signing_key();
        let manifest = manifest_of(component);
        let payload = Payload::text("r.example/a", &Digest::of(manifest.as_bytes()));
        let signature = key.sign(payload.as_bytes()).unwrap();
        let over = Over::Manifest { payload, manifest, repository: "r.example/a".into() };
        Signature { key: key.public().to_pem(), signature, over }
    }

    #[test]
    fn the_whole_way_is_followed() {
        let good = of_manifest(b"component");
        let kept = Signature::parse(&good.to_bytes()).unwrap();
        assert_eq!(kept, good);
        let verified = kept.verify(b"component").unwrap();
        assert_eq!(verified.key, good.key().unwrap().fingerprint());
        assert!(verified.manifest.is_some());
        assert!(kept.verify(b"componenT").unwrap_err().contains("another component"));
    }

    #[test]
    fn every_link_of_the_way_matters() {
        let change = |change: &dyn Fn(&mut Signature, &mut String, &mut String)| {
            let mut signature = of_manifest(b"component");
            let Over::Manifest { payload, manifest, .. } = signature.over.clone() else { panic!() };
            let (mut payload, mut manifest) = (payload, manifest);
            change(&mut signature, &mut payload, &mut manifest);
            signature.over = Over::Manifest { payload, manifest, repository: "r.example/a".into() };
            signature.verify(b"component").unwrap_err()
        };
        assert!(change(&|_, payload, _| *payload += " ").contains("over something else"));
        assert!(change(&|_, _, manifest| *manifest += " ").contains("another manifest"));
        assert!(change(&|s, _, _| s.key = signing_key().public().to_pem()).contains("another key"));
        assert!(change(&|s, _, _| s.key = "x".into()).contains("its key cannot be used"));
    }

    #[test]
    fn a_file_is_signed_as_it_is() {
        let key = signing_key();
        let signature =
            Signature { key: key.public().to_pem(), signature: key.sign(b"component").unwrap(), over: Over::Component };
        assert_eq!(signature.verify(b"component").unwrap().manifest, None);
        assert!(signature.verify(b"componenT").is_err());
    }
}
