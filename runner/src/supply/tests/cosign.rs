//! What the real cosign and oras made, see testdata/cosign/README.md.

use super::*;
use crate::supply::PublicKey;

const KEY: &str = include_str!("../testdata/cosign/cosign.pub");
const COMPONENT: &[u8] = include_bytes!("../testdata/cosign/component.wasm");
const FILE_SIGNATURE: &str = include_str!("../testdata/cosign/component.wasm.sig");
const MANIFEST: &str = include_str!("../testdata/cosign/manifest.json");
const PAYLOAD: &str = include_str!("../testdata/cosign/payload.json");
const SIGNATURES: &str = include_str!("../testdata/cosign/signature-manifest.json");

#[test]
fn cosign_sign_blob() {
    let key = PublicKey::from_pem(KEY).unwrap();
    key.verify(COMPONENT, FILE_SIGNATURE).unwrap();
    assert!(key.verify(b"something else", FILE_SIGNATURE).is_err());
}

#[test]
fn cosign_sign() {
    let manifest: serde_json::Value = serde_json::from_str(SIGNATURES).unwrap();
    let layer = &manifest["layers"][0];
    assert_eq!(layer["digest"], Digest::of(PAYLOAD.as_bytes()).to_string());
    let signature = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str().unwrap();
    let over = |repository: &str| Over::Manifest {
        payload: PAYLOAD.into(),
        manifest: MANIFEST.into(),
        repository: repository.into(),
    };
    let kept = |repository| Signature { key: KEY.into(), signature: signature.into(), over: over(repository) };
    let good = kept("127.0.0.1:5217/plugins/empty").verify(COMPONENT).unwrap();
    assert_eq!(good.manifest, Some(Digest::of(MANIFEST.as_bytes())));
    assert!(
        kept("127.0.0.1:5217/plugins/other")
            .verify(COMPONENT)
            .unwrap_err()
            .contains("made for 127.0.0.1:5217/plugins/empty")
    );
    assert!(kept("127.0.0.1:5217/plugins/empty").verify(&component("x")).is_err());
}

#[test]
fn our_payload_is_cosigns_byte_for_byte() {
    let manifest = Digest::of(MANIFEST.as_bytes());
    assert_eq!(crate::supply::payload::Payload::text("127.0.0.1:5217/plugins/empty", &manifest), PAYLOAD);
}
