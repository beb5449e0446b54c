//! The folder as a whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn node(ip: &str) -> NodeNames {
    NodeNames {
        name: "cp-1".into(),
        ips: vec![ip.parse().unwrap()],
        dns: vec!["etcd.example.com".into()],
        ..NodeNames::default()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn made() -> (tempfile::TempDir, Pki) {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::at(dir.path().join("pki"));
    assert!(pki.ensure_ca().unwrap());
    assert_eq!(pki.issue_node(&node("10.0.0.1")).unwrap().len(), 4);
    (dir, pki)
}

#[test]
fn a_folder_is_made_once_and_then_used() {
    let (_dir, pki) = made();
    let before = fs::read(pki.server().0).unwrap();
    assert!(!pki.ensure_ca().unwrap());
    assert!(pki.issue_node(&node("10.0.0.1")).unwrap().is_empty());
    assert_eq!(fs::read(pki.server().0).unwrap(), before);
    assert_eq!(mode(&pki.server().1), 0o600);
    assert_eq!(mode(&pki.ca_key()), 0o600);
    assert_eq!(mode(&pki.server().0), 0o644);

    let ends = pki.check(&node("10.0.0.1")).unwrap();
    assert_eq!(ends.len(), 5);
    let days = |e: &Expiry| e.not_after.duration_since(clock()).as_hours() / 24;
    assert_eq!((days(&ends[0]), days(&ends[1])), (3649, 364));
    pki.client_tls().load().unwrap();
}

fn clock() -> Timestamp {
    crate::clock::now()
}

#[test]
fn certificates_carry_kubeadms_names() {
    let (_dir, pki) = made();
    let subject = |path: &Path| {
        let certs = pem::certificates(path).unwrap();
        pem::parse(&certs[0], path).unwrap().subject().to_string()
    };
    assert_eq!(subject(&pki.ca_cert()), "CN=etcd-ca");
    assert_eq!(subject(&pki.server().0), "CN=cp-1");
    assert_eq!(subject(&pki.dir().join("etcd/healthcheck-client.crt")), "CN=kube-etcd-healthcheck-client");
    let api = subject(&pki.dir().join("apiserver-etcd-client.crt"));
    assert_eq!(api, "O=system:masters, CN=kube-apiserver-etcd-client");
    let names =
        |further: &[&str]| node("10.0.0.1").alternative(&further.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    assert_eq!(names(&[]), ["cp-1", "localhost", "10.0.0.1", "127.0.0.1", "::1", "etcd.example.com"]);
    assert_eq!(names(&["lb.example.com", "localhost"]).last().map(String::as_str), Some("lb.example.com"));
}

#[test]
fn a_certificate_that_does_not_name_the_address_is_refused() {
    let (_dir, pki) = made();
    let error = pki.issue_node(&node("10.0.0.9")).unwrap_err();
    assert!(matches!(&error, PkiError::NotNamed { missing, .. } if missing == &["10.0.0.9"]), "{error}");
    assert!(error.to_string().contains("10.0.0.1"), "{error}");
}

#[test]
fn without_the_ca_key_the_missing_files_are_named() {
    let (dir, pki) = made();
    fs::remove_file(pki.ca_key()).unwrap();
    // Everything is there: nothing to make.
    assert!(pki.issue_node(&node("10.0.0.1")).unwrap().is_empty());
    // The clients' certificates can be done without.
    fs::remove_file(pki.dir().join("apiserver-etcd-client.crt")).unwrap();
    assert!(pki.issue_node(&node("10.0.0.1")).unwrap().is_empty());

    fs::remove_file(pki.peer().0).unwrap();
    let error = pki.issue_node(&node("10.0.0.1")).unwrap_err();
    let PkiError::FilesNeeded { files, .. } = &error else { panic!("{error}") };
    assert_eq!(files, &[pki.peer().0, pki.peer().1]);

    let empty = Pki::at(dir.path().join("other"));
    let error = empty.issue_node(&node("10.0.0.1")).unwrap_err();
    let PkiError::FilesNeeded { files, .. } = &error else { panic!("{error}") };
    assert_eq!(files.len(), 5, "{error}");
    assert!(error.hint().contains("other/etcd/ca.key"), "{}", error.hint());
    assert!(!empty.dir().exists(), "a refusal leaves nothing behind");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (_dir, pki) = made();
    let (_other, foreign) = made();
    let (server, key) = pki.server();
    fs::copy(foreign.server().0, &server).unwrap();
    let error = pki.check(&node("10.0.0.1")).unwrap_err();
    assert!(matches!(error, PkiError::File(TlsError::KeyMismatch { .. })), "{error}");
    fs::copy(foreign.server().1, &key).unwrap();
    let error = pki.check(&node("10.0.0.1")).unwrap_err();
    assert!(matches!(error, PkiError::ForeignCertificate { .. }), "{error}");
    fs::remove_file(&key).unwrap();
    assert!(matches!(pki.check(&node("10.0.0.1")).unwrap_err(), PkiError::KeyMissing { .. }));

    fs::copy(foreign.ca_key(), pki.ca_key()).unwrap();
    assert!(matches!(pki.ensure_ca().unwrap_err(), PkiError::File(TlsError::KeyMismatch { .. })));
    fs::write(pki.ca_cert(), "not pem").unwrap();
    assert!(matches!(pki.ensure_ca().unwrap_err(), PkiError::File(TlsError::NotPem { .. })));
}

#[test]
fn a_key_without_its_certificate_is_completed() {
    let (_dir, pki) = made();
    let (server, key) = pki.server();
    let before = fs::read(&key).unwrap();
    fs::remove_file(&server).unwrap();
    assert_eq!(pki.issue_node(&node("10.0.0.1")).unwrap(), [server]);
    assert_eq!(fs::read(&key).unwrap(), before);
}

/// kubeadm's usual CA: an RSA key in PKCS#1, subject as a printable string. Made for this test alone, as kubeadm's code makes it.
#[test]
fn kubeadms_own_ca_signs() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::at(dir.path());
    fs::create_dir(dir.path().join("etcd")).unwrap();
    fs::write(pki.ca_cert(), include_str!("testdata/rsa-ca.crt")).unwrap();
    fs::write(pki.ca_key(), include_str!("testdata/rsa-ca.key")).unwrap();
    assert!(!pki.ensure_ca().unwrap());
    assert_eq!(pki.issue_node(&node("10.0.0.1")).unwrap().len(), 4);
    let path = pki.peer().0;
    let (leaf, ca) = (pem::certificates(&path).unwrap(), pem::certificates(&pki.ca_cert()).unwrap());
    let (leaf, ca) = (pem::parse(&leaf[0], &path).unwrap(), pem::parse(&ca[0], &path).unwrap());
    assert_eq!(leaf.issuer().as_raw(), ca.subject().as_raw(), "the name is carried over byte for byte");
}

#[test]
fn a_distribution_names_the_files_and_may_have_a_ca_for_peers() {
    let layout = Layout {
        ca: "etcd/server-ca".into(),
        peer_ca: Some("etcd/peer-ca".into()),
        server: "etcd/server-client".into(),
        peer: "etcd/peer-server-client".into(),
        client: "etcd/client".into(),
        apiserver: None,
    };
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::with_layout(dir.path(), layout);
    assert!(pki.ensure_ca().unwrap() && !pki.ensure_ca().unwrap());
    let mut made = pki.issue_node(&node("10.0.0.1")).unwrap();
    made.sort();
    let names: Vec<_> = made.iter().map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["etcd/client.crt", "etcd/peer-server-client.crt", "etcd/server-client.crt"]);
    assert_eq!(pki.check(&node("10.0.0.1")).unwrap().len(), 5);
    pki.client_tls().load().unwrap();

    // A peer's certificate of the servers' CA would be refused by every other member: so it is here.
    for ending in ["crt", "key"] {
        let from = dir.path().join(format!("etcd/server-client.{ending}"));
        fs::copy(from, pki.peer().0.with_extension(ending)).unwrap();
    }
    let error = pki.check(&node("10.0.0.1")).unwrap_err();
    assert!(matches!(&error, PkiError::ForeignCertificate { ca, .. } if ca.ends_with("etcd/peer-ca.crt")), "{error}");

    // A node without the CA for peers' key brings the peer's certificate.
    fs::remove_file(dir.path().join("etcd/peer-ca.key")).unwrap();
    fs::remove_file(pki.peer().0).unwrap();
    let error = pki.issue_node(&node("10.0.0.1")).unwrap_err();
    let PkiError::FilesNeeded { files, .. } = &error else { panic!("{error}") };
    assert_eq!(files[0], pki.peer().0);
}
