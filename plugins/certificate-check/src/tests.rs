use runner_plugin::fake;
use runner_plugin::settings::{plugin, problems};

use super::*;

const PKI: &str = "/etc/kubernetes/pki/etcd";

fn certificate(names: &[&str], days: u64) -> Certificate {
    Certificate {
        subject: "CN=cp-4".to_owned(),
        issuer: "CN=etcd-ca".to_owned(),
        not_before_ms: fake::START_MS - DAY_MS,
        not_after_ms: fake::START_MS + days * DAY_MS,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        authority: false,
    }
}

fn file(name: &str, certificate: Certificate) {
    fake::probes::certificates(&format!("{PKI}/{name}.crt"), Ok(vec![certificate]));
}

/// A node whose certificates are good, and a member `a` that shows a good one.
fn good() {
    file("peer", certificate(&["cp-4", "10.0.0.4"], 300));
    file("server", certificate(&["cp-4", "localhost"], 300));
    file("ca", Certificate { authority: true, ..certificate(&[], 3000) });
    fake::probes::certificates_of("https://a:2380", Ok(vec![certificate(&["a"], 300)]));
}

fn check_with(settings: &str, member: fake::Member, newcomer: fake::Newcomer) -> Result<Vec<Finding>> {
    let cluster = fake::Cluster::new().member(member).build();
    plugin::<CertificateCheck>(settings).unwrap().check(&cluster, &newcomer.build())
}

fn check(settings: &str) -> Vec<Finding> {
    check_with(settings, fake::Member::voter("a"), fake::Newcomer::new("cp-4")).unwrap()
}

fn only(settings: &str) -> Finding {
    let mut found = check(settings);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn good_certificates_have_no_findings() {
    good();
    assert_eq!(check("{}"), []);
}

#[test]
fn a_certificate_that_ends_soon_is_a_warning_then_an_error() {
    good();
    file("peer", certificate(&["cp-4"], 30));
    // The answers follow each other: the good one comes first.
    assert_eq!(check("{}"), []);
    assert_eq!(check("{}"), [], "30 days are enough");
    let found = only(r#"{"warnDays": 31}"#);
    assert_eq!((found.severity, found.code.as_str()), (Severity::Warning, "certificate-expires-soon"));
    assert_eq!(found.message, "the certificate CN=cp-4 of /etc/kubernetes/pki/etcd/peer.crt ends in 30 days");
    assert_eq!(only(r#"{"warnDays": 31, "errorDays": 31}"#).severity, Severity::Error);
    fake::set_now_ms(fake::START_MS + 32 * DAY_MS);
    let found = only("{}");
    assert_eq!((found.severity, found.code.as_str()), (Severity::Error, "certificate-expired"));
    assert_eq!(found.message, "the certificate CN=cp-4 of /etc/kubernetes/pki/etcd/peer.crt ended 2 days ago");
}

#[test]
fn a_certificate_of_tomorrow_is_an_error() {
    fake::probes::certificates(
        "/pki/ca.crt",
        Ok(vec![Certificate { not_before_ms: fake::START_MS + 1, ..certificate(&[], 9) }]),
    );
    let found = only(r#"{"peer": null, "server": null, "ca": "/pki/ca.crt", "members": false}"#);
    assert_eq!((found.severity, found.code.as_str()), (Severity::Error, "certificate-not-yet-good"));
}

#[test]
fn every_host_of_the_urls_must_be_named() {
    good();
    let hosts = |hosts: &[&str]| hosts.iter().map(|host| format!("https://{host}:2380")).collect();
    let newcomer = fake::Newcomer { peer_urls: hosts(&["10.0.0.4", "10.0.0.5", "cp-5"]), ..fake::Newcomer::new("cp-4") };
    let found = check_with("{}", fake::Member::voter("a"), newcomer).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].severity, found[0].code.as_str()), (Severity::Error, "certificate-name-missing"));
    let text = "/etc/kubernetes/pki/etcd/peer.crt does not name 10.0.0.5, cp-5 of the peer URLs, but cp-4, 10.0.0.4";
    assert_eq!(found[0].message, text);
    let newcomer = fake::Newcomer { client_urls: hosts(&["10.0.0.4"]), ..fake::Newcomer::new("cp-4") };
    let found = check_with("{}", fake::Member::voter("a"), newcomer).unwrap();
    assert!(found[0].message.contains("server.crt does not name 10.0.0.4 of the client URLs"), "{found:?}");
}

#[test]
fn a_members_certificate_is_a_warning_until_it_has_ended() {
    file("ca", certificate(&[], 3000));
    let settings = r#"{"peer": null, "server": null}"#;
    fake::probes::certificates_of("https://a:2380", Ok(vec![certificate(&["a"], 1)]));
    fake::probes::certificates_of("https://a:2380", Ok(vec![certificate(&["other"], 300)]));
    fake::probes::certificates_of("https://a:2380", Err(Failure::new(FailureKind::Failed, "not TLS")));
    let soon = only(settings);
    assert_eq!((soon.severity, soon.code.as_str()), (Severity::Warning, "certificate-expires-soon"));
    assert!(soon.member.is_some());
    let name = only(settings);
    assert_eq!(name.message, "the certificate of a (https://a:2380) does not name a, but other");
    assert_eq!(name.severity, Severity::Warning);
    let unknown = only(settings);
    assert_eq!((unknown.severity, unknown.code.as_str()), (Severity::Warning, "certificate-unknown"));
    let down = fake::Member::voter("a").unreachable();
    assert_eq!(check_with(settings, down, fake::Newcomer::new("cp-4")).unwrap(), []);
    let ended = Certificate { not_after_ms: fake::START_MS, ..certificate(&["b"], 0) };
    fake::probes::certificates_of("https://b:2380", Ok(vec![ended]));
    let found = check_with(settings, fake::Member::voter("b"), fake::Newcomer::new("cp-4")).unwrap();
    assert_eq!((found[0].severity, found[0].code.as_str()), (Severity::Error, "certificate-expired"));
}

#[test]
fn a_missing_file_refuses_and_a_missing_grant_is_an_error() {
    good();
    let missing = Failure::new(FailureKind::NotFound, "no such file");
    fake::probes::certificates("/pki/peer.crt", Err(missing));
    let found = only(r#"{"peer": "/pki/peer.crt"}"#);
    assert_eq!((found.severity, found.code.as_str()), (Severity::Error, "certificate-unreadable"));
    assert_eq!(found.message, "/pki/peer.crt cannot be read: no such file");
    let settings = r#"{"server": "/elsewhere/server.crt"}"#;
    let error = check_with(settings, fake::Member::voter("a"), fake::Newcomer::new("cp-4")).unwrap_err();
    assert!(error.to_string().starts_with("denied: "), "{error}");
}

#[test]
fn nothing_is_looked_at_without_https() {
    let plain = |port: u16| vec![format!("http://cp-4:{port}")];
    let newcomer = fake::Newcomer { peer_urls: plain(2380), client_urls: plain(2379), ..fake::Newcomer::new("cp-4") };
    assert_eq!(check_with("{}", fake::Member::voter("a"), newcomer).unwrap(), []);
}

#[test]
fn bad_settings_are_refused_by_path() {
    assert_eq!(problems::<CertificateCheck>("{}"), []);
    let paths = |json| problems::<CertificateCheck>(json).into_iter().map(|p| p.path).collect::<Vec<_>>();
    assert_eq!(paths(r#"{"files": []}"#), ["files"]);
    assert_eq!(paths(r#"{"warnDays": -1}"#), ["warnDays"]);
    let all = r#"{"peer": "peer.crt", "server": "", "ca": "ca.crt", "warnDays": 6}"#;
    assert_eq!(paths(all), ["peer", "server", "ca", "errorDays"]);
}
