//! Keys for signatures: ECDSA P-256 and Ed25519, in the PEM forms that cosign and openssl write.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, UnparsedPublicKey,
};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Digest, SupplyError};

/// Largest key file; real ones have a few hundred bytes.
const MAX_FILE: u64 = 64 << 10;

/// The object identifiers of the kinds of keys.
const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const ED25519_OID: &str = "1.3.101.112";

/// A public key that signatures are verified with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    point: Vec<u8>,
    der: Vec<u8>,
}

/// A private key that signs. Not shown by `Debug`.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    EcdsaP256,
    Ed25519,
}

enum Pair {
    EcdsaP256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PublicKey {
    /// Reads a PEM file with a public key.
    ///
    /// # Errors
    ///
    /// It cannot be read, is no public key, or of another kind than ECDSA P-256 and Ed25519.
    pub fn read(path: &Path) -> Result<Self, SupplyError> {
        let text = read(path)?;
        Self::from_pem(&text).map_err(|reason| SupplyError::BadKey { path: path.to_owned(), reason })
    }

    /// Reads a public key in PEM.
    pub(super) fn from_pem(text: &str) -> Result<Self, String> {
        let (label, der) = pem(text)?;
        match label.as_str() {
            "PUBLIC KEY" => Self::from_der(&der),
            label if label.contains("PRIVATE KEY") => {
                Err("it is a private key; signatures are verified with the public one".into())
            }
            label => Err(format!("it holds a {}", label.to_lowercase())),
        }
    }

    fn from_der(der: &[u8]) -> Result<Self, String> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| "its content is damaged".to_owned())?;
        let parameter = info.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok()).map(|oid| oid.to_id_string());
        let kind = match (info.algorithm.algorithm.to_id_string().as_str(), parameter.as_deref()) {
            (EC, Some(P256)) => Kind::EcdsaP256,
            (EC, _) => return Err("its curve is not P-256".into()),
            (ED25519_OID, _) => Kind::Ed25519,
            _ => return Err("it is neither ECDSA P-256 nor Ed25519".into()),
        };
        let point = info.subject_public_key.data.to_vec();
        let sound = match kind {
            Kind::EcdsaP256 => point.len() == 65 && point[0] == 4,
            Kind::Ed25519 => point.len() == 32,
        };
        if !rest.is_empty() || !sound {
            return Err("its content is damaged".into());
        }
        Ok(Self { kind, point, der: der.to_vec() })
    }

    /// The digest of the key in DER: what the lock knows it by.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// The key in PEM.
    pub(super) fn to_pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// Whether `signature` (base64, as cosign writes it) is this key's over these bytes.
    ///
    /// # Errors
    ///
    /// Why it is not, as a sentence without its stop.
    pub(super) fn verify(&self, bytes: &[u8], signature: &str) -> Result<(), &'static str> {
        let signature = STANDARD.decode(signature.trim()).map_err(|_| "the signature is not base64")?;
        let verified = match self.kind {
            Kind::EcdsaP256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point).verify(bytes, &signature),
            Kind::Ed25519 => UnparsedPublicKey::new(&ED25519, &self.point).verify(bytes, &signature),
        };
        verified.map_err(|_| "the signature is of another key, or over something else")
    }
}

impl SigningKey {
    /// Reads a PEM file with an unencrypted PKCS#8 private key.
    ///
    /// # Errors
    ///
    /// It cannot be read, is encrypted, or of another kind than ECDSA P-256 and Ed25519. cosign's own encrypted form is not read:
    /// `cosign sign --key` signs with it.
    pub fn read(path: &Path) -> Result<Self, SupplyError> {
        let text = read(path)?;
        Self::from_pem(&text).map_err(|reason| SupplyError::BadKey { path: path.to_owned(), reason })
    }

    fn from_pem(text: &str) -> Result<Self, String> {
        let (label, der) = pem(text)?;
        match label.as_str() {
            "PRIVATE KEY" => {}
            label if label.starts_with("ENCRYPTED") => {
                return Err("it is encrypted; sign with `cosign sign --key` after the push".into());
            }
            "EC PRIVATE KEY" => return Err("it is not in PKCS#8; `openssl pkcs8 -topk8 -nocrypt` converts it".into()),
            label => return Err(format!("it holds a {}, not a private key", label.to_lowercase())),
        }
        let rng = SystemRandom::new();
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &rng) {
            let public = public(Kind::EcdsaP256, ring::signature::KeyPair::public_key(&pair).as_ref());
            return Ok(Self { pair: Pair::EcdsaP256(pair), public });
        }
        // openssl leaves the public half out, which PKCS#8 allows.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
            .map_err(|_| "it is neither ECDSA P-256 nor Ed25519, or damaged".to_owned())?;
        let public = public(Kind::Ed25519, ring::signature::KeyPair::public_key(&pair).as_ref());
        Ok(Self { pair: Pair::Ed25519(pair), public })
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs bytes; base64, as cosign writes it.
    pub(super) fn sign(&self, bytes: &[u8]) -> Result<String, String> {
        let signature = match &self.pair {
            Pair::EcdsaP256(pair) => {
                let signed = pair.sign(&SystemRandom::new(), bytes).map_err(|_| "no randomness is at hand".to_owned())?;
                signed.as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(bytes).as_ref().to_vec(),
        };
        Ok(STANDARD.encode(signature))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.fingerprint())
    }
}

/// The public key of these bytes: a fixed DER header for each kind, and the key.
fn public(kind: Kind, point: &[u8]) -> PublicKey {
    const EC_HEADER: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
        0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    const ED_HEADER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let header: &[u8] = match kind {
        Kind::EcdsaP256 => &EC_HEADER,
        Kind::Ed25519 => &ED_HEADER,
    };
    PublicKey { kind, point: point.to_vec(), der: [header, point].concat() }
}

/// The first section of a PEM file: its label, and what is in it.
fn pem(text: &str) -> Result<(String, Vec<u8>), String> {
    let label = text.lines().find_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
    let label = label.ok_or("it is not a PEM file")?.to_owned();
    let begin = format!("-----BEGIN {label}-----");
    let (_, rest) = text.split_once(&begin).ok_or("it is not a PEM file")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----")).ok_or("its end is missing")?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(body).map_err(|_| "its content is damaged".to_owned());
    // An encrypted file has headers in its body; its label says what to do, so its content does not matter.
    if label.starts_with("ENCRYPTED") || label == "EC PRIVATE KEY" {
        Ok((label, der.unwrap_or_default()))
    } else {
        Ok((label, der?))
    }
}

fn read(path: &Path) -> Result<String, SupplyError> {
    let bytes = super::files::read(path, MAX_FILE, "the key file")?;
    String::from_utf8(bytes)
        .map_err(|_| SupplyError::BadKey { path: path.to_owned(), reason: "it is not a PEM file".to_owned() })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A new ECDSA key in PEM.
    pub(in crate::supply) fn private_pem() -> String {
        rcgen::KeyPair::generate().unwrap().serialize_pem()
    }

    /// A new key.
    pub(in crate::supply) fn signing_key() -> SigningKey {
        SigningKey::from_pem(&private_pem()).unwrap()
    }

    #[test]
    fn both_kinds_sign_and_verify_and_no_other_key_does() {
        let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        for pem in [private_pem(), ed.serialize_pem()] {
            let key = SigningKey::from_pem(&pem).unwrap();
            let signature = key.sign(b"text").unwrap();
            let public = PublicKey::from_pem(&key.public().to_pem()).unwrap();
            assert_eq!(&public, key.public());
            public.verify(b"text", &format!("{signature}\n")).unwrap();
            assert!(public.verify(b"texT", &signature).unwrap_err().contains("something else"));
            assert!(public.verify(b"text", "%").unwrap_err().contains("base64"));
            assert!(signing_key().public().verify(b"text", &signature).is_err());
        }
        assert_eq!(public(Kind::Ed25519, ed.public_key_raw()).to_pem(), ed.public_key_pem().replace("\r\n", "\n"));
    }

    #[test]
    fn each_wrong_file_says_what_it_is() {
        let why = |text: &str| PublicKey::from_pem(text).unwrap_err();
        assert!(why("hello").contains("not a PEM file"));
        assert!(why(&private_pem()).contains("it is a private key"));
        assert!(why("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n").contains("damaged"));
        assert!(why("-----BEGIN CERTIFICATE-----\nMFkw\n-----END CERTIFICATE-----\n").contains("a certificate"));
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        assert!(why(&p384.public_key_pem()).contains("not P-256"));
        let why = |text: &str| SigningKey::from_pem(text).unwrap_err();
        assert!(
            why("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJr\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
                .contains("encrypted")
        );
        assert!(why("-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n").contains("openssl pkcs8"));
        assert!(why(&p384.serialize_pem()).contains("neither"));
    }

    #[test]
    fn a_key_is_not_shown() {
        let pem = private_pem();
        let shown = format!("{:?}", SigningKey::from_pem(&pem).unwrap());
        assert!(shown.starts_with("SigningKey(sha256:") && shown.len() == 12 + 71, "{shown}");
    }
}
