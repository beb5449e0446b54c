//! What can be wrong with a `pki` folder.

use std::path::PathBuf;

use crate::tls::TlsError;

/// A `pki` folder that cannot be used. One sentence with the path; [`hint`](Self::hint) says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// One file cannot be used.
    #[error(transparent)]
    File(#[from] TlsError),
    /// A file cannot be written, or exists where none was a moment ago.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Certificates are missing and there is no CA key to make them with.
    #[error("there is no CA key to make certificates with, and these files are missing: {}", list(files))]
    FilesNeeded {
        /// What to bring.
        files: Vec<PathBuf>,
        /// Where the CA's certificate belongs.
        ca_cert: PathBuf,
        /// Where the CA's key belongs.
        ca_key: PathBuf,
    },
    /// A certificate without its key.
    #[error("{} is missing, the key of {}", key.display(), cert.display())]
    KeyMissing {
        /// The certificate.
        cert: PathBuf,
        /// Its key's place.
        key: PathBuf,
    },
    /// A certificate that another CA signed.
    #[error("{} is not signed by the CA in {}", cert.display(), ca.display())]
    ForeignCertificate {
        /// The certificate.
        cert: PathBuf,
        /// The CA.
        ca: PathBuf,
    },
    /// A server's certificate that does not name one of the node's addresses.
    #[error("{} does not name {}; it names {}", cert.display(), missing.join(", "), named.join(", "))]
    NotNamed {
        /// The certificate.
        cert: PathBuf,
        /// What it should name.
        missing: Vec<String>,
        /// What it names.
        named: Vec<String>,
    },
    /// The CA's certificate is none of a CA.
    #[error("{} is not a CA certificate", path.display())]
    NotACa {
        /// The file.
        path: PathBuf,
    },
    /// A node's name that no certificate can carry.
    #[error("a certificate cannot name `{name}`: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The certificate could not be made.
    #[error("the certificate for `{common_name}` could not be made: {reason}")]
    Make {
        /// Whose certificate.
        common_name: String,
        /// Why.
        reason: String,
    },
}

impl PkiError {
    /// What to do about it, as one sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::File(error) => error.hint(),
            Self::Write { .. } => "give a folder that this user may write to".to_owned(),
            Self::FilesNeeded { ca_cert, ca_key, .. } => format!(
                "bring these files, or bring {} and {} from another control-plane node and they are made here",
                ca_cert.display(),
                ca_key.display()
            ),
            Self::KeyMissing { cert, .. } => {
                format!("bring the key, or move {} away and it is made anew where the CA's key is at hand", cert.display())
            }
            Self::ForeignCertificate { .. } => {
                "bring certificates of this cluster's CA, or move the file away and it is made anew".to_owned()
            }
            Self::NotNamed { cert, .. } => format!(
                "give an address that the certificate names, or move {} away and it is made anew where the CA's key is at hand",
                cert.display()
            ),
            Self::NotACa { .. } => "give the certificate of the CA itself, not one that it has signed".to_owned(),
            Self::BadName { .. } => "use ASCII host names".to_owned(),
            Self::Make { .. } => "RSA and ECDSA (P-256, P-384) CAs can be used".to_owned(),
        }
    }
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}
