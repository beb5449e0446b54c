//! The certificates that a server shows. They are written down, not trusted: nothing is ever sent over such a connection.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::{certificates, dial};
use crate::grants::Target;
use crate::surroundings::{Certificate, Refused};
use crate::tls::ClientTls;

/// Shakes hands with the target and describes the certificates that it shows, its own first.
///
/// Our own certificate is shown where there is one: etcd would write a warning about a client without.
pub(super) async fn by(target: Target, files: Option<&ClientTls>) -> Result<Vec<Certificate>, Refused> {
    if !target.tls {
        return Err(Refused::invalid(format!("http://{target} shows no certificates; ask about its https:// URL")));
    }
    let name = dial::server_name(&target)?;
    let witness = Arc::new(Witness::new());
    let connector = TlsConnector::from(Arc::new(config(files, &witness)?));
    let mut last = None;
    for address in dial::addresses(&target).await? {
        let shake = async {
            let tcp = dial::connect(&target, address).await?;
            // What comes of the handshake does not matter, once the certificates were seen.
            let failure = connector.connect(name.clone(), tcp).await.err();
            let why = failure.map_or_else(|| "it showed none".to_owned(), |e| e.to_string());
            Ok::<_, Refused>(Refused::new("failed", format!("{target} shows no certificate: {why}")))
        };
        let ended = timeout(dial::PATIENCE, shake).await.unwrap_or_else(|_| Err(dial::silent(&target)));
        let seen = witness.take();
        if !seen.is_empty() {
            let read = |der| certificates::describe(der);
            let all: Option<Vec<_>> = seen.iter().map(read).collect();
            return all.ok_or_else(|| Refused::new("failed", format!("{target} shows a certificate that cannot be read")));
        }
        last = Some(ended.unwrap_or_else(|refused| refused));
    }
    Err(last.unwrap_or_else(|| dial::silent(&target)))
}

fn config(files: Option<&ClientTls>, witness: &Arc<Witness>) -> Result<ClientConfig, Refused> {
    let verifier = Arc::<Witness>::clone(witness);
    let mut config = match files {
        Some(files) => {
            let loaded = files.load().map_err(|e| Refused::new("unavailable", e.to_string()))?;
            let mut config = ClientConfig::clone(&loaded.config);
            config.dangerous().set_certificate_verifier(verifier);
            config
        }
        None => ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| Refused::new("failed", e.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth(),
    };
    config.alpn_protocols.clear();
    // A resumed handshake shows no certificates.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Remembers what it is shown, and has no opinion on it.
#[derive(Debug)]
struct Witness {
    seen: Mutex<Vec<CertificateDer<'static>>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Witness {
    fn new() -> Self {
        Self { seen: Mutex::default(), algorithms: ring::default_provider().signature_verification_algorithms }
    }

    fn take(&self) -> Vec<CertificateDer<'static>> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = std::iter::once(own).chain(others).map(|c| c.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = shown;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
