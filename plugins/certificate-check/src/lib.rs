//! Health check: this node's and the members' certificates are good for a while, and name the hosts that the new member will be
//! reached by.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `peer` | `/etc/kubernetes/pki/etcd/peer.crt` | the certificate shown to other members; `null`: not looked at |
//! | `server` | `/etc/kubernetes/pki/etcd/server.crt` | the certificate shown to clients; `null`: not looked at |
//! | `ca` | `/etc/kubernetes/pki/etcd/ca.crt` | the authority's; `null`: not looked at |
//! | `members` | true | look at the certificates that the members show at their peer URLs, too |
//! | `warnDays` | 30 | a certificate that ends within so many days is a warning |
//! | `errorDays` | 7 | one of this node's that ends within so many days refuses the join |
//!
//! The peer certificate must name every host of the new member's `https` peer URLs, and the server certificate those of its client
//! URLs: otherwise the members and clients refuse it. The defaults are kubeadm's files.
//!
//! A member's certificate that ends soon is only a warning, since a join may be just what replaces that member; one that has ended
//! refuses the join. Nothing is looked at where the new member has no `https` URL.
//!
//! It needs this grant (without `members` where that is false):
//!
//! ```yaml
//! grants:
//!   probes:
//!     certificates: [/etc/kubernetes/pki/etcd]
//!     members: true
//! ```
//!
//! It does *not* check that the certificates are signed by the authority and fit their keys (etcd does, when it starts), and it never
//! sees a key.

use runner_plugin::prelude::*;
use runner_plugin::probes::{self, Certificate};
use serde::Deserialize;

use names::{covers, secure_hosts};

mod names;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The check and its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CertificateCheck {
    /// The certificate shown to other members.
    pub peer: Option<String>,
    /// The certificate shown to clients.
    pub server: Option<String>,
    /// The authority's certificate.
    pub ca: Option<String>,
    /// Whether to look at the members' certificates.
    pub members: bool,
    /// Ending within so many days is a warning.
    pub warn_days: u32,
    /// Ending within so many days refuses the join, for this node's own.
    pub error_days: u32,
}

impl Default for CertificateCheck {
    fn default() -> Self {
        let kubeadm = |name: &str| Some(format!("/etc/kubernetes/pki/etcd/{name}.crt"));
        Self {
            peer: kubeadm("peer"),
            server: kubeadm("server"),
            ca: kubeadm("ca"),
            members: true,
            warn_days: 30,
            error_days: 7,
        }
    }
}

impl Plugin for CertificateCheck {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, file) in [("peer", &self.peer), ("server", &self.server), ("ca", &self.ca)] {
            if let Some(file) = file.as_ref().filter(|file| !file.starts_with('/')) {
                problems.push(Problem::new(key, format!("`{file}` must begin with `/`")));
            }
        }
        if self.error_days > self.warn_days {
            problems
                .push(Problem::new("errorDays", format!("{} is more than warnDays ({})", self.error_days, self.warn_days)));
        }
        problems
    }
}

impl HealthCheck for CertificateCheck {
    fn check(&self, cluster: &Cluster, newcomer: &Newcomer) -> Result<Vec<Finding>> {
        let (peers, clients) = (secure_hosts(&newcomer.peer_urls()), secure_hosts(&newcomer.client_urls()));
        let mut findings = Vec::new();
        if peers.is_empty() && clients.is_empty() {
            log::info(format!("{} has no https URL: no certificate is looked at", newcomer.name()));
            return Ok(findings);
        }
        if let Some(file) = self.peer.as_ref().filter(|_| !peers.is_empty()) {
            findings.extend(self.file(file, "peer URLs", &peers)?);
        }
        if let Some(file) = self.server.as_ref().filter(|_| !clients.is_empty()) {
            findings.extend(self.file(file, "client URLs", &clients)?);
        }
        if let Some(file) = &self.ca {
            findings.extend(self.file(file, "", &[])?);
        }
        if self.members {
            let own = newcomer.peer_urls();
            for member in cluster.members() {
                for url in member.peer_urls().iter().filter(|url| !own.contains(url)) {
                    findings.extend(self.member(&member, url)?);
                }
            }
        }
        Ok(findings)
    }
}

impl CertificateCheck {
    /// One of this node's files; its first certificate is to name these hosts.
    fn file(&self, file: &str, urls: &str, hosts: &[String]) -> Result<Vec<Finding>> {
        let certificates = match probes::certificates(file) {
            Ok(certificates) => certificates,
            Err(failure) if failure.kind == FailureKind::Denied => return Err(failure.into()),
            Err(failure) => {
                let text = format!("{file} cannot be read: {}", failure.message);
                let remedy = "make this node's certificates before it joins, for example with `kubeadm init phase certs`";
                return Ok(vec![Finding::error("certificate-unreadable", text).remedy(remedy)]);
            }
        };
        let Some(own) = certificates.first() else {
            return Ok(vec![Finding::error("certificate-unreadable", format!("{file} has no certificate in it"))]);
        };
        let mut findings: Vec<_> = certificates.iter().filter_map(|c| self.time(file, c, self.error_days)).collect();
        let missing: Vec<_> = hosts.iter().filter(|host| !covers(&own.names, host)).map(String::as_str).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            let text = format!("{file} does not name {missing} of the {urls}, but {}", listed(&own.names));
            let remedy = format!("make it again with {missing} among its subject alternative names");
            findings.push(Finding::error("certificate-name-missing", text).remedy(remedy));
        }
        Ok(findings)
    }

    /// What a member shows at its peer URL.
    fn member(&self, member: &Member, url: &str) -> Result<Vec<Finding>> {
        let hosts = secure_hosts(&[url.to_owned()]);
        let Some(host) = hosts.first() else { return Ok(Vec::new()) };
        let name = member.display_name();
        let shown = match probes::certificates_of(url) {
            Ok(shown) => shown,
            Err(failure) if failure.kind == FailureKind::Denied => return Err(failure.into()),
            // Who is down is runner's own checks' business.
            Err(_) if !member.is_reachable() => return Ok(Vec::new()),
            Err(failure) => {
                let text = format!("the certificate of {name} ({url}) cannot be looked at: {}", failure.message);
                return Ok(vec![Finding::warning("certificate-unknown", text).about(member)]);
            }
        };
        let Some(own) = shown.first() else { return Ok(Vec::new()) };
        // Already over is an error: the new member could not connect.
        let mut findings: Vec<_> = shown.iter().filter_map(|c| self.time(&format!("{name} ({url})"), c, 0)).collect();
        if !covers(&own.names, host) {
            let text = format!("the certificate of {name} ({url}) does not name {host}, but {}", listed(&own.names));
            let remedy =
                format!("make the peer certificate of {name} again with {host} among its subject alternative names");
            findings.push(Finding::warning("certificate-name-missing", text).remedy(remedy));
        }
        Ok(findings.into_iter().map(|found| found.about(member)).collect())
    }

    /// Whether a certificate is good now, and for how long.
    fn time(&self, place: &str, certificate: &Certificate, error_days: u32) -> Option<Finding> {
        let (now, subject) = (clock::now_ms(), &certificate.subject);
        if certificate.not_before_ms > now {
            let hours = (certificate.not_before_ms - now).div_ceil(DAY_MS / 24);
            let text = format!("the certificate {subject} of {place} is good only in {hours} h");
            let remedy = "compare this node's clock with the one that the certificate was made by";
            return Some(Finding::error("certificate-not-yet-good", text).remedy(remedy));
        }
        let remedy = match certificate.authority {
            true => "renew the authority and what it has signed",
            false => "renew it, for example with `kubeadm certs renew`",
        };
        let Some(left) = certificate.not_after_ms.checked_sub(now).filter(|left| *left > 0) else {
            let days = (now - certificate.not_after_ms) / DAY_MS;
            let text = format!("the certificate {subject} of {place} ended {days} days ago");
            return Some(Finding::error("certificate-expired", text).remedy(remedy));
        };
        let within = |days: u32| left < u64::from(days) * DAY_MS;
        let text = format!("the certificate {subject} of {place} ends in {} days", left / DAY_MS);
        let severity = if within(error_days) { Severity::Error } else { Severity::Warning };
        (within(error_days) || within(self.warn_days))
            .then(|| Finding::new(severity, "certificate-expires-soon", text).remedy(remedy))
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

runner_plugin::export!(CertificateCheck: HealthCheck);

#[cfg(test)]
mod tests;
