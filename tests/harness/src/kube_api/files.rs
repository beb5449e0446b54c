//! The stand-in's certificates and kubeconfigs.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::tls::{write_ca, write_member_at};

/// Makes a CA and a server certificate for an address in the folder.
pub(super) fn certificates(folder: &Path, address: IpAddr) -> TlsAcceptor {
    let tls = write_ca(folder);
    write_member_at(&tls, folder, "kube-apiserver", &[address]);
    let chain = CertificateDer::pem_file_iter(folder.join("server.crt")).expect("it was written").flatten().collect();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("it was written");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    TlsAcceptor::from(Arc::new(config.expect("a pair of files that fit")))
}

/// Writes a kubeconfig into `folder`, with the CA's certificate in it as kubeadm does it. JSON is YAML.
pub(super) fn kubeconfig(folder: &Path, ca: &Path, url: &str, user: &str, token: &str) -> PathBuf {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let ca = BASE64_STANDARD.encode(std::fs::read(ca).expect("it was written"));
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "here", "cluster": { "server": url, "certificate-authority-data": ca } }],
        "users": [{ "name": user, "user": { "token": token } }],
        "contexts": [{ "name": "here", "context": { "cluster": "here", "user": user } }],
        "current-context": "here",
    });
    let path = folder.join("kubeconfig");
    std::fs::write(&path, config.to_string()).expect("the folder can be written");
    path
}
