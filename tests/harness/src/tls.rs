//! A certificate authority and certificates in kubeadm's layout and names, for members on 127.0.0.1.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use etcd_client::{Certificate, Identity, TlsOptions};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose as Eku, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// Whether a cluster speaks TLS, with client certificates required on both ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// `https` everywhere.
    On,
    /// `http` everywhere.
    Off,
}

/// A CA, and where its files are.
pub struct TlsFiles {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// The files that a client needs.
    pub client: ClientFiles,
    /// The CA's key.
    pub ca_key: PathBuf,
}

/// What a client needs, as etcdctl names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// `--cacert`
    pub ca: PathBuf,
    /// `--cert`
    pub cert: PathBuf,
    /// `--key`
    pub key: PathBuf,
}

impl Tls {
    /// `https` or `http`.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::On => "https",
            Self::Off => "http",
        }
    }
}

impl ClientFiles {
    /// The files' content, as etcd-client wants it.
    pub fn options(&self) -> TlsOptions {
        let read = |path: &Path| fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let identity = Identity::from_pem(read(&self.cert), read(&self.key));
        TlsOptions::new().ca_certificate(Certificate::from_pem(read(&self.ca))).identity(identity)
    }
}

/// Writes a new CA and a client certificate into `folder`: `ca.{crt,key}`, `healthcheck-client.{crt,key}`.
pub fn write_ca(folder: &Path) -> TlsFiles {
    fs::create_dir_all(folder).expect("the folder can be made");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "etcd-ca");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let issuer = CertifiedIssuer::self_signed(params, key()).expect("parameters that work");
    fs::write(folder.join("ca.crt"), issuer.pem()).expect("the folder can be written");
    fs::write(folder.join("ca.key"), issuer.key().serialize_pem()).expect("the folder can be written");
    write_leaf(&issuer, folder, "healthcheck-client", "kube-etcd-healthcheck-client", &[Eku::ClientAuth], &[]);
    let client = ClientFiles {
        ca: folder.join("ca.crt"),
        cert: folder.join("healthcheck-client.crt"),
        key: folder.join("healthcheck-client.key"),
    };
    TlsFiles { issuer, client, ca_key: folder.join("ca.key") }
}

/// Writes `server.{crt,key}` and `peer.{crt,key}` of a member on 127.0.0.1 into `folder`, and a copy of the CA's certificate.
pub fn write_member(tls: &TlsFiles, folder: &Path, name: &str) {
    write_member_at(tls, folder, name, &[]);
}

/// The same for a member that has these addresses besides 127.0.0.1.
pub fn write_member_at(tls: &TlsFiles, folder: &Path, name: &str, addresses: &[IpAddr]) {
    fs::create_dir_all(folder).expect("the folder can be made");
    fs::write(folder.join("ca.crt"), tls.issuer.pem()).expect("the folder can be written");
    for pair in ["server", "peer"] {
        write_leaf(&tls.issuer, folder, pair, name, &[Eku::ServerAuth, Eku::ClientAuth], addresses);
    }
}

/// Writes what kubeadm makes for a node's etcd of the CA in `ca` (`ca.crt`, `ca.key`) into `folder`: copies of the CA, and `server`,
/// `peer` and `healthcheck-client`.
pub fn write_node(ca: &Path, folder: &Path, name: &str, addresses: &[IpAddr]) {
    fs::create_dir_all(folder).expect("the folder can be made");
    let read = |file: &str| fs::read_to_string(ca.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let (cert, key) = (read("ca.crt"), read("ca.key"));
    fs::write(folder.join("ca.crt"), &cert).expect("the folder can be written");
    fs::write(folder.join("ca.key"), &key).expect("the folder can be written");
    let issuer = Issuer::from_ca_cert_pem(&cert, KeyPair::from_pem(&key).expect("a key")).expect("a CA");
    for pair in ["server", "peer"] {
        write_leaf(&issuer, folder, pair, name, &[Eku::ServerAuth, Eku::ClientAuth], addresses);
    }
    write_leaf(&issuer, folder, "healthcheck-client", "kube-etcd-healthcheck-client", &[Eku::ClientAuth], &[]);
}

fn write_leaf(
    issuer: &Issuer<'static, KeyPair>,
    folder: &Path,
    file: &str,
    name: &str,
    usages: &[Eku],
    addresses: &[IpAddr],
) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()].into_iter();
    let names: Vec<_> = names.chain(addresses.iter().map(IpAddr::to_string)).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = usages.to_vec();
    let key = key();
    let cert = params.signed_by(&key, issuer).expect("parameters that work");
    fs::write(folder.join(format!("{file}.crt")), cert.pem()).expect("the folder can be written");
    fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).expect("the folder can be written");
}

fn key() -> KeyPair {
    KeyPair::generate().expect("randomness is at hand")
}
