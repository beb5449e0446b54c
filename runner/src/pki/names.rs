//! Which hosts a certificate names.

use std::net::IpAddr;
use std::path::Path;

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;

use super::{NodeNames, PkiError};
use crate::tls::pem;

/// Whether the certificate names every address and host name at which the node is reached. The node's own name and loopback are
/// not asked for: certificates from elsewhere may do without.
pub(super) fn check_cover(cert: &CertificateDer<'_>, path: &Path, names: &NodeNames) -> Result<(), PkiError> {
    let parsed = pem::parse(cert, path)?;
    let mut ips = Vec::new();
    let mut hosts = Vec::new();
    for name in parsed.subject_alternative_name().ok().flatten().into_iter().flat_map(|san| &san.value.general_names) {
        match name {
            GeneralName::DNSName(host) => hosts.push((*host).to_owned()),
            GeneralName::IPAddress(bytes) => ips.extend(address(bytes)),
            _ => {}
        }
    }
    let missing_ips = names.ips.iter().filter(|ip| !ips.contains(ip)).map(ToString::to_string);
    let missing_hosts = names.dns.iter().filter(|host| !hosts.iter().any(|pattern| covers(pattern, host))).cloned();
    let missing: Vec<_> = missing_ips.chain(missing_hosts).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut named = hosts;
    named.extend(ips.iter().map(ToString::to_string));
    if named.is_empty() {
        named.push("nothing".to_owned());
    }
    Err(PkiError::NotNamed { cert: path.into(), missing, named })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// RFC 6125: case does not matter, and `*` stands for exactly the leftmost label.
fn covers(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(rest), Some((_, parent))) => rest == parent,
        _ => pattern == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(covers("*.example.com", "CP-1.example.com"));
        assert!(!covers("*.example.com", "a.b.example.com"));
        assert!(!covers("*.example.com", "example.com"));
        assert!(covers("cp-1", "cp-1"));
    }
}
