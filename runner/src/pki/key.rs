//! Private keys: made as ECDSA P-256, read in any form that kubeadm or openssl writes.

use std::path::Path;

use rcgen::KeyPair;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::{PkiError, files};
use crate::tls::{TlsError, pem};

/// AlgorithmIdentifiers (RFC 5280): rsaEncryption with NULL; ecPublicKey with prime256v1, and with secp384r1.
const RSA: &[u8] = &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07,
];
const P384: &[u8] =
    &[0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// Makes a key and writes it to the path, readable by its owner only.
pub(super) fn make(path: &Path) -> Result<KeyPair, PkiError> {
    let pair = KeyPair::generate()
        .map_err(|e| PkiError::Make { common_name: path.display().to_string(), reason: e.to_string() })?;
    files::write(path, pair.serialize_pem().as_bytes(), files::PRIVATE)?;
    Ok(pair)
}

/// Reads a key: PKCS#8, and also PKCS#1 (`RSA PRIVATE KEY`, kubeadm's usual form) and SEC 1 (`EC PRIVATE KEY`).
pub(super) fn load(path: &Path) -> Result<KeyPair, PkiError> {
    let key = pem::key(path)?;
    parse(&key).ok_or_else(|| TlsError::BadKey { path: path.into(), reason: "its kind is not known".to_owned() }.into())
}

/// rcgen on ring takes PKCS#8 only, so the other forms are wrapped into it first.
fn parse(key: &PrivateKeyDer<'_>) -> Option<KeyPair> {
    let wrapped = match key {
        PrivateKeyDer::Pkcs8(key) => vec![key.secret_pkcs8_der().to_vec()],
        PrivateKeyDer::Pkcs1(key) => vec![pkcs8(RSA, key.secret_pkcs1_der())],
        // The curve may be named inside or only outside; it is tried.
        PrivateKeyDer::Sec1(key) => [P256, P384].map(|curve| pkcs8(curve, key.secret_sec1_der())).to_vec(),
        _ => return None,
    };
    wrapped.iter().find_map(|der| KeyPair::try_from(der.as_slice()).ok())
}

/// PrivateKeyInfo (RFC 5208): version 0, the algorithm, the key in an octet string.
fn pkcs8(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let mut inner = vec![0x02, 0x01, 0x00];
    inner.extend_from_slice(algorithm);
    inner.extend(tagged(0x04, key));
    tagged(0x30, &inner)
}

/// One DER element.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let length: Vec<u8> = content.len().to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
            out.push(0x80 | length.len() as u8);
            out.extend(length);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_gives_der_lengths_in_all_forms() {
        assert_eq!(tagged(4, &[7; 3]), [4, 3, 7, 7, 7]);
        assert_eq!(tagged(4, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(tagged(4, &[0; 1000])[..4], [4, 0x82, 3, 0xe8]);
    }

    #[test]
    fn a_sec1_key_is_read_as_the_same_key() {
        let pair = KeyPair::generate().unwrap();
        let der = pair.serialize_der();
        // In ring's PKCS#8 the octet string with the SEC 1 key follows the 26 bytes of header, version and algorithm.
        let at = der.windows(P256.len()).position(|w| w == P256).unwrap() + P256.len();
        assert_eq!(der[at], 0x04);
        let sec1 = &der[at + 2..at + 2 + usize::from(der[at + 1])];
        let read = parse(&PrivateKeyDer::Sec1(sec1.to_vec().into())).unwrap();
        assert_eq!(read.public_key_raw(), pair.public_key_raw());
    }
}
