//! TLS towards etcd: which files, whether they fit together, and what a failed handshake means in plain words.
//!
//! The files follow etcdctl (`--cacert --cert --key`, PEM) and kubeadm (a `pki` folder). They are read and checked once, before
//! anything is asked of a cluster, so that a wrong path fails with the path and not with a handshake alert later.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

pub use error::TlsError;
pub use explain::Explainer;

mod error;
mod explain;
pub(crate) mod pem;

/// The files for TLS connections to etcd, as etcdctl names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// `--cacert`, `ETCDCTL_CACERT`: the CA that signed the endpoints' certificates. Needed for every `https://` endpoint: the
    /// system's own trust store is not used, since no public CA signs etcd certificates.
    pub ca: Option<PathBuf>,
    /// `--cert`, `ETCDCTL_CERT`: our client certificate, with any intermediate certificates after it.
    pub cert: Option<PathBuf>,
    /// `--key`, `ETCDCTL_KEY`: the private key of [`cert`](Self::cert).
    pub key: Option<PathBuf>,
    /// The name to expect in the endpoint's certificate instead of the endpoint's host.
    pub server_name: Option<String>,
}

/// TLS files that were read and found to fit together.
#[derive(Clone)]
pub struct LoadedTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) explainer: Explainer,
}

/// Names ring as the process's TLS library, for crates that name none themselves and would panic without. Where somebody has named
/// another one already, that one stays.
pub(crate) fn name_provider() {
    if CryptoProvider::get_default().is_none() {
        let _ = ring::default_provider().install_default();
    }
}

impl ClientTls {
    /// The files of a kubeadm `pki` folder (`/etc/kubernetes/pki`): `etcd/ca.crt`, and `etcd/healthcheck-client.{crt,key}`, or
    /// `etcd/server.{crt,key}` where the former are absent (kubeadm's server certificate may be used by clients too).
    pub fn from_pki_dir(pki: &Path) -> Self {
        let etcd = pki.join("etcd");
        let client = etcd.join("healthcheck-client.crt");
        let name = if client.exists() { "healthcheck-client" } else { "server" };
        Self {
            ca: Some(etcd.join("ca.crt")),
            cert: Some(etcd.join(format!("{name}.crt"))),
            key: Some(etcd.join(format!("{name}.key"))),
            server_name: None,
        }
    }

    /// Whether no file is named at all.
    pub fn is_empty(&self) -> bool {
        self.ca.is_none() && self.cert.is_none() && self.key.is_none()
    }

    /// Reads the files and checks them: present, PEM, in date, and the key belongs to the certificate.
    ///
    /// A client certificate that the CA did not sign is no error here, because a cluster may trust its clients by another CA than
    /// its servers; where the endpoint then refuses it, the error says so.
    ///
    /// # Errors
    /// The first file that cannot be used, by path, with a hint.
    pub fn load(&self) -> Result<LoadedTls, TlsError> {
        let ca_path = self.ca.as_deref().ok_or(TlsError::NoCa)?;
        let ca = pem::in_date(pem::certificates(ca_path)?, ca_path)?;
        let mut roots = RootCertStore::empty();
        for cert in &ca {
            roots.add(cert.clone()).map_err(|e| TlsError::BadCertificate { path: ca_path.into(), reason: e.to_string() })?;
        }
        // The provider is named here, so that nothing depends on a process-wide default.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| TlsError::Refused { reason: e.to_string() })?
            .with_root_certificates(roots);

        let mut explainer = Explainer::new(ca_path);
        let mut config = match (self.cert.as_deref(), self.key.as_deref()) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), None) => return Err(TlsError::Half { given: cert.into(), missing: "--key" }),
            (None, Some(key)) => return Err(TlsError::Half { given: key.into(), missing: "--cert" }),
            (Some(cert_path), Some(key_path)) => {
                let chain = pem::certificates(cert_path)?;
                pem::check_validity(&chain[0], cert_path)?;
                let key = pem::key(key_path)?;
                CertifiedKey::from_der(chain.clone(), key.clone_key(), &ring::default_provider()).map_err(|e| match e {
                    rustls::Error::InconsistentKeys(_) => {
                        TlsError::KeyMismatch { cert: cert_path.into(), key: key_path.into() }
                    }
                    other => TlsError::BadKey { path: key_path.into(), reason: other.to_string() },
                })?;
                explainer = explainer.with_client_certificate(cert_path, pem::signed_by_any(&chain, &ca));
                builder.with_client_auth_cert(chain, key).map_err(|e| TlsError::Refused { reason: e.to_string() })?
            }
        };
        // gRPC servers written in Go refuse connections that did not agree on HTTP/2 this way.
        config.alpn_protocols = vec![b"h2".to_vec()];

        let server_name = match &self.server_name {
            Some(name) => {
                Some(ServerName::try_from(name.clone()).map_err(|_| TlsError::BadServerName { name: name.clone() })?)
            }
            None => None,
        };
        Ok(LoadedTls { config: Arc::new(config), server_name, explainer })
    }
}

impl std::fmt::Debug for LoadedTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    struct Files {
        dir: tempfile::TempDir,
    }

    impl Files {
        /// `ca.crt` and a client's `a.{crt,key}`, each its own CA, which is all the same here.
        fn new() -> Self {
            let files = Self { dir: tempfile::tempdir().unwrap() };
            let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(crate::clock::now().as_second() as u64);
            for name in ["ca", "a", "b"] {
                files.make(name, |_| ());
            }
            files.make("old", |p| p.not_after = now - DAY);
            files.make("new", |p| p.not_before = now + DAY);
            files
        }

        fn make(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
            let mut params = CertificateParams::default();
            change(&mut params);
            let key = KeyPair::generate().unwrap();
            fs::write(self.path(name, "crt"), params.self_signed(&key).unwrap().pem()).unwrap();
            fs::write(self.path(name, "key"), key.serialize_pem()).unwrap();
        }

        fn path(&self, name: &str, ending: &str) -> PathBuf {
            self.dir.path().join(format!("{name}.{ending}"))
        }

        fn load(&self, ca: &str, cert: Option<(&str, &str)>, key: Option<(&str, &str)>) -> Result<LoadedTls, TlsError> {
            let file = |(name, ending): (&str, &str)| self.path(name, ending);
            ClientTls { ca: Some(self.path(ca, "crt")), cert: cert.map(file), key: key.map(file), server_name: None }.load()
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_the_reason() {
        let files = Files::new();
        let (crt, key) = (Some(("a", "crt")), Some(("a", "key")));
        files.load("ca", crt, key).unwrap();
        files.load("ca", None, None).unwrap();
        fs::write(files.path("text", "crt"), "hello").unwrap();
        let cases = [
            (files.load("none", crt, key), "none.crt does not exist"),
            (files.load("text", crt, key), "text.crt holds no PEM certificate"),
            (files.load("ca", key, crt), "a.key holds no PEM certificate"),
            (files.load("ca", crt, crt), "a.crt holds no PEM private key"),
            (files.load("ca", crt, Some(("b", "key"))), "b.key is not the key of "),
            (files.load("ca", crt, None), "a.crt was given without --key"),
            (files.load("ca", None, key), "a.key was given without --cert"),
            (files.load("ca", Some(("old", "crt")), Some(("old", "key"))), "old.crt expired at "),
            (files.load("old", crt, key), "old.crt expired at "),
            (files.load("ca", Some(("new", "crt")), Some(("new", "key"))), "new.crt is not valid before "),
        ];
        for (result, expected) in cases {
            let error = result.expect_err(expected);
            let text = error.to_string();
            assert!(text.contains(&*files.dir.path().to_string_lossy()) && text.contains(expected), "{text}");
            assert!(!text.contains('\n') && !error.hint().is_empty());
        }
        assert!(matches!(ClientTls::default().load(), Err(TlsError::NoCa)));
        let named =
            ClientTls { server_name: Some("not a name".into()), ca: Some(files.path("ca", "crt")), ..Default::default() };
        assert!(matches!(named.load(), Err(TlsError::BadServerName { .. })));
    }

    #[test]
    fn an_old_ca_beside_the_new_one_is_no_reason_to_trust_none() {
        let files = Files::new();
        let text = |name| fs::read_to_string(files.path(name, "crt")).unwrap();
        for bundle in [text("old") + &text("ca"), text("ca") + &text("new")] {
            fs::write(files.path("bundle", "crt"), bundle).unwrap();
            files.load("bundle", None, None).unwrap();
        }
        fs::write(files.path("bundle", "crt"), text("old") + &text("new")).unwrap();
        assert!(files.load("bundle", None, None).unwrap_err().to_string().contains("bundle.crt expired at "));
    }

    #[test]
    fn a_pki_folder_without_a_healthcheck_client_falls_back_to_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let pki = dir.path();
        assert!(ClientTls::from_pki_dir(pki).cert.unwrap().ends_with("etcd/server.crt"));
        fs::create_dir(pki.join("etcd")).unwrap();
        fs::write(pki.join("etcd/healthcheck-client.crt"), "").unwrap();
        let files = ClientTls::from_pki_dir(pki);
        assert!(files.key.unwrap().ends_with("etcd/healthcheck-client.key") && files.ca.unwrap().ends_with("etcd/ca.crt"));
    }
}
