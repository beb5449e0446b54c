//! Reading PEM files, and the questions asked of a certificate.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use jiff::Timestamp;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsError;
use crate::clock;
use crate::text::one_line;

/// Largest file: the bundle of all public authorities has a quarter of it.
const MAX_SIZE: u64 = 1 << 20;

/// The certificates in the file, at least one, each of them parsed once.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certs = certs.map_err(|e| TlsError::BadCertificate { path: path.into(), reason: words(&e) })?;
    if certs.is_empty() {
        return Err(TlsError::NotPem { path: path.into(), wanted: "certificate" });
    }
    for cert in &certs {
        parse(cert, path)?;
    }
    Ok(certs)
}

/// The first private key in the file.
pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| TlsError::NotPem { path: path.into(), wanted: "private key" })
}

/// The certificate's fields.
pub(crate) fn parse<'a>(cert: &'a CertificateDer<'_>, path: &Path) -> Result<X509Certificate<'a>, TlsError> {
    X509Certificate::from_der(cert)
        .map(|(_, parsed)| parsed)
        .map_err(|e| TlsError::BadCertificate { path: path.into(), reason: e.to_string() })
}

/// Whether the certificate is in date now.
pub(crate) fn check_validity(cert: &CertificateDer<'_>, path: &Path) -> Result<(), TlsError> {
    let parsed = parse(cert, path)?;
    let (from, until) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    let now = clock::today().as_second();
    let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    match () {
        () if now > until => Err(TlsError::Expired { path: path.into(), at: at(until) }),
        () if now < from => Err(TlsError::NotYetValid { path: path.into(), at: at(from) }),
        () => Ok(()),
    }
}

/// Those of a bundle that are in date now. While a CA is replaced its old certificate lies beside the new one for long, in date or not;
/// an old one is trusted by nobody, and is no reason to trust none.
///
/// # Errors
///
/// Where none is in date: why the first is not.
pub(crate) fn in_date(certs: Vec<CertificateDer<'static>>, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut first = None;
    let mut valid = Vec::new();
    for cert in certs {
        match check_validity(&cert, path) {
            Ok(()) => valid.push(cert),
            Err(error @ (TlsError::Expired { .. } | TlsError::NotYetValid { .. })) => first = first.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    match first {
        Some(error) if valid.is_empty() => Err(error),
        _ => Ok(valid),
    }
}

/// Whether the chain's last certificate is signed by one of the CAs, or is one of them.
pub(crate) fn signed_by_any(chain: &[CertificateDer<'_>], cas: &[CertificateDer<'_>]) -> bool {
    let Some(last) = chain.last() else { return false };
    let Ok((_, leaf)) = X509Certificate::from_der(last) else { return false };
    cas.iter().any(|ca| {
        X509Certificate::from_der(ca).is_ok_and(|(_, ca)| leaf.verify_signature(Some(ca.public_key())).is_ok())
            || ca.as_ref() == last.as_ref()
    })
}

/// What is wrong with the text; the crate's own words are lists of the file's bytes.
fn words(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section of it has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a line that begins a section is damaged".to_owned(),
        other => one_line(&other.to_string(), 200),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MAX_SIZE => {
            Err(TlsError::BadCertificate { path: path.into(), reason: "it is larger than 1 MiB".to_owned() })
        }
        Ok(_) => Ok(text),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(TlsError::Missing { path: path.into() }),
        Err(source) => Err(TlsError::Unreadable { path: path.into(), source }),
    }
}
