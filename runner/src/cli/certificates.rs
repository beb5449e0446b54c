//! The certificates that a member and runner itself will use: how long they still last, and whom they name. What cannot be used at
//! all has been refused before.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use super::cluster_args::Trust;
use crate::clock;
use crate::launch::MemberTls;
use crate::pipeline::{Finding, Severity};
use crate::pki;

/// So long before its end a certificate is worth a word: kubeadm's last a year, and whoever renews them does it once a month or with
/// an upgrade.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is to be said of the files that are here. Others are said by whoever needs them.
pub(super) fn findings(trust: &Trust, member: Option<&MemberTls>, name: &str) -> Vec<Finding> {
    let own = [&trust.ca, &trust.cert].into_iter().flatten().map(|path| path.as_path());
    let members = member.into_iter().flat_map(certificates).flatten().map(|path| path.as_path());
    let mut paths: Vec<&Path> = own.chain(members).filter(|path| path.exists()).collect();
    paths.sort();
    paths.dedup();
    let mut findings: Vec<Finding> = paths.into_iter().filter_map(ends_soon).collect();
    for cert in member.iter().flat_map(|tls| [&tls.server_cert, &tls.peer_cert]).filter(|path| path.exists()) {
        if pki::names_host(cert, name) == Some(false) {
            findings.push(Finding {
                severity: Severity::Info,
                code: "certificate-lacks-name".to_owned(),
                message: format!("{} names the member's addresses, but not {name}", cert.display()),
                remedy: Some("nothing, unless somebody reaches the member by that name".to_owned()),
                member: None,
            });
        }
    }
    findings
}

/// A member's certificates, the CAs among them.
fn certificates(tls: &MemberTls) -> [Option<&PathBuf>; 4] {
    [Some(&tls.ca), tls.peer_ca.as_ref(), Some(&tls.server_cert), Some(&tls.peer_cert)]
}

fn ends_soon(path: &Path) -> Option<Finding> {
    let end = pki::end_of(path).ok()?;
    let left = end.duration_since(clock::today());
    if left > SOON {
        return None;
    }
    let hours = left.as_hours().max(0);
    let (severity, message) = match hours {
        _ if left.is_negative() => (Severity::Error, format!("{} expired at {end}", path.display())),
        0..48 => (Severity::Warning, format!("{} expires in {hours} hours, at {end}", path.display())),
        _ => (Severity::Warning, format!("{} expires in {} days, at {end}", path.display(), hours / 24)),
    };
    Some(Finding {
        severity,
        code: "certificate-expires-soon".to_owned(),
        message,
        remedy: Some("renew it now; on a kubeadm node: `kubeadm certs renew all`".to_owned()),
        member: None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn certificates_that_end_soon_are_said_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(clock::now().as_second() as u64);
        let write = |name: &str, hours: u64| {
            let mut params = CertificateParams::new(vec!["cp-1".to_owned()]).unwrap();
            params.not_after = now + Duration::from_secs(hours * 3600 + 60);
            let path = dir.path().join(name);
            std::fs::write(&path, params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()).unwrap();
            path
        };
        let tls = MemberTls {
            ca: write("ca.crt", 24 * 365),
            peer_ca: None,
            server_cert: write("server.crt", 24 * 6),
            server_key: dir.path().join("server.key"),
            peer_cert: write("peer.crt", 5),
            peer_key: dir.path().join("peer.key"),
        };
        let trust = Trust { insecure: false, ca: Some(tls.ca.clone()), cert: Some(tls.server_cert.clone()), key: None };
        let said = |name: &str| {
            let all = findings(&trust, Some(&tls), name);
            let folder = format!("{}/", dir.path().display());
            let cut = |text: &str| text.replace(&folder, "").split(", at ").next().unwrap_or_default().to_owned();
            all.iter().map(|f| format!("{:?} {}: {}", f.severity, f.code, cut(&f.message))).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(said("cp-1"), @r"
        Warning certificate-expires-soon: peer.crt expires in 5 hours
        Warning certificate-expires-soon: server.crt expires in 6 days
        ");
        assert!(said("cp-2").contains("Info certificate-lacks-name: server.crt names the member's addresses, but not cp-2"));
        assert_eq!(findings(&Trust { insecure: true, ca: None, cert: None, key: None }, None, "cp-1"), []);
    }
}
