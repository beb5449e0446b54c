//! Certificates, as data. Keys that lie beside them are never looked at further.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

use rustix::fs::OFlags;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::beneath;
use crate::surroundings::{Certificate, Refused};

/// The largest file that is read: a bundle of all public CAs is a fifth of it.
const LARGEST: u64 = 1 << 20;

/// The certificates in a PEM file, in its order.
pub(super) fn in_file(root: &Path, path: &str) -> Result<Vec<Certificate>, Refused> {
    let failed = |why: String| Refused::new("failed", format!("{path:?} {why}"));
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    let file = File::from(beneath::open(root, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
    let kind = file.metadata().map_err(|e| failed(format!("cannot be read: {e}")))?.file_type();
    if !kind.is_file() {
        return Err(Refused::invalid(format!("{path:?} is not a file")));
    }
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(|e| failed(format!("cannot be read: {e}")))?;
    if text.len() as u64 > LARGEST {
        return Err(Refused::new("too-large", format!("{path:?} is larger than {LARGEST} bytes")));
    }
    // Other blocks, keys among them, are skipped by the reader.
    let blocks: Vec<_> = CertificateDer::pem_slice_iter(&text).collect();
    if blocks.is_empty() {
        return Err(failed("holds no PEM certificate".to_owned()));
    }
    let read = |block: Result<CertificateDer<'_>, _>| describe(&block.ok()?);
    blocks
        .into_iter()
        .map(|block| read(block).ok_or_else(|| failed("holds a certificate that cannot be read".to_owned())))
        .collect()
}

/// What a certificate says; none where it is none.
pub(super) fn describe(der: &CertificateDer<'_>) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let millis = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let names = alternative.map(|names| names.value.general_names.iter().filter_map(name).collect());
    Some(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        not_before_ms: millis(certificate.validity().not_before.timestamp()),
        not_after_ms: millis(certificate.validity().not_after.timestamp()),
        names: names.unwrap_or_default(),
        authority: certificate.is_ca(),
    })
}

/// A DNS name or an address; none for the other sorts of names.
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    use super::*;

    struct Files {
        dir: tempfile::TempDir,
        pem: String,
        key: String,
    }

    fn files() -> Files {
        let names = ["cp-1".to_owned(), "10.0.0.1".to_owned(), "fd00::1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "cp-1");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let key = KeyPair::generate().unwrap();
        Files { dir: tempfile::tempdir().unwrap(), pem: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    impl Files {
        fn read(&self, content: impl AsRef<[u8]>) -> Result<Vec<Certificate>, Refused> {
            let path = self.dir.path().join("file.pem");
            std::fs::write(&path, content).unwrap();
            in_file(self.dir.path(), path.to_str().unwrap())
        }
    }

    #[test]
    fn every_certificate_of_a_file_is_described_and_its_key_is_not() {
        let files = files();
        let found = files.read(format!("{}\ntext\n{}{}", files.key, files.pem, files.pem)).unwrap();
        assert_eq!(found.len(), 2);
        let one = &found[0];
        assert!(one.subject.contains("CN=cp-1") && one.issuer == one.subject && one.authority, "{one:?}");
        assert_eq!((one.not_before_ms, one.not_after_ms), (1_767_225_600_000, 1_798_761_600_000));
        assert_eq!(one.names, ["cp-1", "10.0.0.1", "fd00::1"]);
        let secret: String = files.key.lines().nth(1).unwrap().chars().take(20).collect();
        assert!(!format!("{found:?}").contains(&secret));
    }

    #[test]
    fn a_key_file_shows_nothing() {
        let files = files();
        let refused = files.read(&files.key).unwrap_err();
        assert_eq!(refused.kind, "failed");
        assert!(refused.message.ends_with("file.pem\" holds no PEM certificate"), "{refused}");
        // Not under a certificate's name either.
        let disguised = files.key.replace("PRIVATE KEY", "CERTIFICATE");
        let refused = files.read(&disguised).unwrap_err();
        assert!(refused.message.ends_with("holds a certificate that cannot be read"), "{refused}");
    }

    #[test]
    fn what_is_no_small_file_is_not_read() {
        let files = files();
        assert_eq!(files.read(vec![b' '; (1 << 20) + 1]).unwrap_err().kind, "too-large");
        assert_eq!(files.read([0xff; 64]).unwrap_err().kind, "failed");
        let folder = files.dir.path();
        assert_eq!(in_file(folder, folder.to_str().unwrap()).unwrap_err().kind, "invalid");
        let pipe = folder.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert_eq!(in_file(folder, pipe.to_str().unwrap()).unwrap_err().kind, "invalid");
    }
}
