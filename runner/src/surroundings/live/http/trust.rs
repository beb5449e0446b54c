//! Whom TLS connections trust: the CAs of the system, and those that a grant names.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::grants::HttpGrant;
use crate::surroundings::Refused;
use crate::tls::pem;

/// The system's CAs, read when they are first needed.
#[derive(Clone, Default)]
pub(super) struct Trust(Arc<OnceCell<Arc<RootCertStore>>>);

impl Trust {
    /// What a connection under these grants trusts.
    pub(super) async fn config(&self, grants: &[&HttpGrant]) -> Result<Arc<ClientConfig>, Refused> {
        let mut roots = (**self.0.get_or_init(system).await).clone();
        for file in grants.iter().filter_map(|grant| grant.ca_file.as_deref()) {
            add(&mut roots, file)?;
        }
        // The provider is named here, so that nothing depends on a process-wide default.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| Refused::new("failed", format!("TLS cannot be set up: {e}")))?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// One certificate that cannot be read, in a list of a hundred and fifty that others look after, is no reason to trust none.
async fn system() -> Arc<RootCertStore> {
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.map(|found| found.certs).unwrap_or_default());
    Arc::new(roots)
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<(), Refused> {
    let bad = |what: String| Refused::new("failed", format!("the grant's caFile cannot be used: {what}"));
    for certificate in pem::certificates(file).map_err(|e| bad(e.to_string()))? {
        roots.add(certificate).map_err(|e| bad(format!("{}: {e}", file.display())))?;
    }
    Ok(())
}
