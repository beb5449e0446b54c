//! What can be wrong with TLS files.

use std::path::PathBuf;

use jiff::Timestamp;

/// A TLS file that cannot be used. One sentence with the file's path; [`hint`](Self::hint) says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// An `https://` endpoint, and no CA to check it with.
    #[error("no CA certificate was given to check the endpoints with")]
    NoCa,
    /// The file is not there.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is there and cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no PEM block of the kind wanted.
    #[error("{} holds no PEM {wanted}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What was looked for: `certificate` or `private key`.
        wanted: &'static str,
    },
    /// The certificate cannot be parsed or used.
    #[error("{} is not a usable certificate: {reason}", path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key cannot be parsed or used.
    #[error("{} is not a usable private key: {reason}", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key belongs to another certificate.
    #[error("{} is not the key of {}", key.display(), cert.display())]
    KeyMismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate's time is over.
    #[error("{} expired at {at}", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When.
        at: Timestamp,
    },
    /// The certificate's time has not come.
    #[error("{} is not valid before {at}", path.display())]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// From when on it is valid.
        at: Timestamp,
    },
    /// Only one of certificate and key was given.
    #[error("{} was given without {missing}", given.display())]
    Half {
        /// The file that was given.
        given: PathBuf,
        /// The option that is missing.
        missing: &'static str,
    },
    /// The expected server name is neither a host name nor an address.
    #[error("`{name}` is not a host name or an address")]
    BadServerName {
        /// The name.
        name: String,
    },
    /// The TLS library refused the whole for another reason.
    #[error("the TLS files cannot be used together: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
}

impl TlsError {
    /// What to do about it, as one sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::NoCa => {
                "give --cacert (or ETCDCTL_CACERT), or the pki folder; on a kubeadm node it is \
                 /etc/kubernetes/pki/etcd/ca.crt"
            }
            Self::Missing { .. } => "check the path; kubeadm keeps etcd's files under /etc/kubernetes/pki/etcd",
            Self::Unreadable { .. } => "run as a user that may read it; keys belong to root",
            Self::NotPem { wanted: "certificate", .. } => {
                "a certificate file starts with -----BEGIN CERTIFICATE-----; are --cert and --key swapped?"
            }
            Self::NotPem { .. } => {
                "a key file starts with -----BEGIN PRIVATE KEY----- or the like, and must not be encrypted; are --cert and \
                 --key swapped?"
            }
            Self::BadCertificate { .. } => "look at it with `openssl x509 -noout -text -in <file>`",
            Self::BadKey { .. } => "RSA and ECDSA (P-256, P-384) keys in PKCS#1, SEC 1 or PKCS#8 can be read",
            Self::KeyMismatch { .. } => "give the certificate and the key that were made together",
            Self::Expired { .. } => "renew it; on a kubeadm node: `kubeadm certs renew all`",
            Self::NotYetValid { .. } => "check this machine's clock",
            Self::Half { .. } => "--cert and --key go together",
            Self::BadServerName { .. } => "give a host name or an address that the endpoint's certificate names",
            Self::Refused { .. } => "look at the files with `openssl verify -CAfile <ca> <cert>`",
        }
        .to_owned()
    }
}
