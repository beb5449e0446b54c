//! A failed handshake in plain words.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// Turns rustls' errors into one sentence each, naming the files that were used.
#[derive(Clone, Debug)]
pub struct Explainer {
    ca: PathBuf,
    client: Option<PathBuf>,
    client_signed_by_ca: bool,
}

impl Explainer {
    /// Speaks of this CA file; no client certificate was given.
    pub fn new(ca: &Path) -> Self {
        Self { ca: ca.into(), client: None, client_signed_by_ca: false }
    }

    /// Speaks of this client certificate too, and knows whether the CA signed it.
    pub fn with_client_certificate(self, cert: &Path, signed_by_ca: bool) -> Self {
        Self { client: Some(cert.into()), client_signed_by_ca: signed_by_ca, ..self }
    }

    /// The rustls error within an I/O error, explained; none where there is no such.
    pub fn explain_io(&self, error: &io::Error) -> Option<String> {
        error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).map(|e| self.explain(e))
    }

    /// One sentence, without a full stop.
    pub fn explain(&self, error: &Error) -> String {
        match error {
            Error::InvalidCertificate(problem) => self.explain_certificate(problem),
            Error::AlertReceived(alert) => self.explain_alert(*alert),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                "the endpoint does not speak TLS; is it http:// rather than https://?".to_owned()
            }
            Error::NoApplicationProtocol => {
                "the endpoint speaks TLS but not HTTP/2: it is not an etcd client port".to_owned()
            }
            other => format!("the TLS handshake failed: {other}"),
        }
    }

    /// About the endpoint's certificate.
    fn explain_certificate(&self, problem: &CertificateError) -> String {
        use CertificateError::*;
        match problem {
            // A CA of the same name with another key gives a bad signature: all of kubeadm's etcd CAs are called `etcd-ca`.
            UnknownIssuer | BadSignature => {
                format!("the endpoint's certificate is not signed by the CA in {}", self.ca.display())
            }
            NotValidForNameContext { expected, presented } => {
                let names: Vec<_> = presented.iter().map(|name| plain(name)).collect();
                let names = if names.is_empty() { "no host at all".to_owned() } else { names.join(", ") };
                format!("the endpoint's certificate is not valid for {}: it names {names}", expected.to_str())
            }
            NotValidForName => "the endpoint's certificate names other hosts".to_owned(),
            ExpiredContext { not_after, .. } => format!("the endpoint's certificate expired at {}", at(not_after.as_secs())),
            Expired => "the endpoint's certificate has expired".to_owned(),
            NotValidYetContext { not_before, .. } => format!(
                "the endpoint's certificate is not valid before {}; is this machine's clock right?",
                at(not_before.as_secs())
            ),
            NotValidYet => "the endpoint's certificate is not valid yet; is this machine's clock right?".to_owned(),
            Revoked => "the endpoint's certificate was revoked".to_owned(),
            InvalidPurpose | InvalidPurposeContext { .. } => {
                "the endpoint's certificate is not meant for servers (extended key usage)".to_owned()
            }
            other => format!("the endpoint's certificate cannot be used: {other}"),
        }
    }

    /// The endpoint's word about our certificate.
    fn explain_alert(&self, alert: AlertDescription) -> String {
        use AlertDescription::*;
        let Some(client) = &self.client else {
            return match alert {
                CertificateRequired | BadCertificate | HandshakeFailure => {
                    "the endpoint requires a client certificate, and none was given".to_owned()
                }
                other => format!("the endpoint refused the TLS handshake: {other:?}"),
            };
        };
        let client = client.display();
        let doubt = if self.client_signed_by_ca {
            String::new()
        } else {
            format!(" (the CA in {} did not sign it)", self.ca.display())
        };
        match alert {
            CertificateExpired => format!("the endpoint says that our client certificate {client} has expired"),
            UnknownCA => {
                format!("the endpoint does not trust the CA that signed our client certificate {client}{doubt}")
            }
            CertificateRequired
            | BadCertificate
            | CertificateUnknown
            | UnsupportedCertificate
            | CertificateRevoked
            | AccessDenied
            | DecryptError => {
                format!("the endpoint refused our client certificate {client}{doubt}")
            }
            other => format!("the endpoint refused the TLS handshake: {other:?}"),
        }
    }
}

/// `IpAddress(127.0.0.1)` and `DnsName("localhost")`, as webpki prints names, without the wrapping.
fn plain(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

fn at(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_wrapping() {
        assert_eq!(plain("DnsName(\"localhost\")"), "localhost");
        assert_eq!(plain("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(plain("localhost"), "localhost");
    }

    #[test]
    fn the_sentence_names_the_file_that_matters() {
        let none = Explainer::new(Path::new("/pki/ca.crt"));
        let wrong_ca = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(none.explain(&wrong_ca), "the endpoint's certificate is not signed by the CA in /pki/ca.crt");
        let required = Error::AlertReceived(AlertDescription::CertificateRequired);
        assert_eq!(none.explain(&required), "the endpoint requires a client certificate, and none was given");

        let foreign = none.with_client_certificate(Path::new("/pki/me.crt"), false);
        let refused = Error::AlertReceived(AlertDescription::UnknownCA);
        assert_eq!(
            foreign.explain(&refused),
            "the endpoint does not trust the CA that signed our client certificate /pki/me.crt (the CA in /pki/ca.crt did not \
             sign it)"
        );
    }
}
