//! Making certificates.

use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use super::{PkiError, key};
use crate::clock;
use crate::tls::{TlsError, pem};

/// kubeadm's default validity periods.
const CA_DAYS: u32 = 3650;
const LEAF_DAYS: u32 = 365;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How far back certificates begin, for hosts whose clocks are a little slow. kubeadm's CertificateBackdate is 5 min, too.
const BACKDATE: Duration = Duration::from_secs(300);

/// What a certificate is for.
pub(super) struct Usage {
    pub(super) common_name: String,
    pub(super) organization: Option<&'static str>,
    pub(super) alternative_names: Vec<String>,
    pub(super) serves: bool,
}

/// A CA with its key.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// When its certificate ends, in seconds since 1970; none for one that was just made.
    until: Option<u64>,
}

impl Authority {
    /// Makes a CA with this key; returns its certificate as PEM, too.
    pub(super) fn make(pair: KeyPair) -> Result<(String, Self), PkiError> {
        let usage = Usage {
            common_name: "etcd-ca".into(),
            organization: None,
            alternative_names: vec!["etcd-ca".into()],
            serves: false,
        };
        let mut params = params(&usage, CA_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
        let cert = params.self_signed(&pair).map_err(|e| failed(&usage, &e))?;
        Ok((cert.pem(), Self { issuer: Issuer::new(params, pair), until: None }))
    }

    /// Reads a CA and checks that the key is its own. The first certificate of the file is the one that signs.
    pub(super) fn load(cert_path: &Path, key_path: &Path) -> Result<Self, PkiError> {
        let certs = pem::certificates(cert_path)?;
        let pair = key::load(key_path)?;
        let parsed = pem::parse(&certs[0], cert_path)?;
        let until = u64::try_from(parsed.validity().not_after.timestamp()).ok();
        if parsed.public_key().subject_public_key.data.as_ref() != pair.public_key_raw() {
            return Err(TlsError::KeyMismatch { cert: cert_path.into(), key: key_path.into() }.into());
        }
        let issuer = Issuer::from_ca_cert_der(&certs[0], pair)
            .map_err(|e| TlsError::BadCertificate { path: cert_path.into(), reason: e.to_string() })?;
        Ok(Self { issuer, until })
    }

    /// A certificate for the key, as PEM.
    pub(super) fn issue(&self, pair: &KeyPair, usage: &Usage) -> Result<String, PkiError> {
        let mut params = params(usage, LEAF_DAYS)?;
        // A certificate that outlives its CA says that it is good when nobody takes it any more.
        if let Some(until) = self.until {
            params.not_after = params.not_after.min(rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(until));
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        // Servers are clients as well: members call each other, and etcd's gateway calls its own client port with the server's
        // certificate (etcd#9785).
        params.extended_key_usages = match usage.serves {
            true => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            false => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        let cert = params.signed_by(pair, &self.issuer).map_err(|e| failed(usage, &e))?;
        Ok(cert.pem())
    }
}

fn params(usage: &Usage, days: u32) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    for name in &usage.alternative_names {
        let bad = |reason: String| PkiError::BadName { name: name.clone(), reason };
        params.subject_alt_names.push(match name.parse() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) if name.is_empty() => return Err(bad("it is empty".to_owned())),
            Err(_) => SanType::DnsName(name.as_str().try_into().map_err(|e: rcgen::Error| bad(e.to_string()))?),
        });
    }
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(organization) = usage.organization {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name.push(DnType::CommonName, usage.common_name.as_str());
    let now = Duration::from_secs(u64::try_from(clock::today().as_second()).unwrap_or(0));
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + now.saturating_sub(BACKDATE);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + now + DAY * days;
    Ok(params)
}

fn failed(usage: &Usage, error: &rcgen::Error) -> PkiError {
    PkiError::Make { common_name: usage.common_name.clone(), reason: error.to_string() }
}
