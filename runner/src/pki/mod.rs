//! A private CA and etcd's certificates, in kubeadm's layout and names.
//!
//! ```text
//! <pki>/etcd/ca.{crt,key}                     the CA of everything below
//! <pki>/etcd/server.{crt,key}                 what the member shows to clients
//! <pki>/etcd/peer.{crt,key}                   what the member shows to other members
//! <pki>/etcd/healthcheck-client.{crt,key}     what runner itself and probes show
//! <pki>/apiserver-etcd-client.{crt,key}       what the API server shows
//! ```
//!
//! Distributions may call the files otherwise, see [`Layout`].
//!
//! Nothing that exists is ever overwritten: a file that fits is used, one that does not is an error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::tls::{ClientTls, TlsError, pem};
pub use error::PkiError;
use issue::{Authority, Usage};
pub use layout::Layout;

mod error;
mod files;
mod issue;
mod key;
mod layout;
mod names;

/// A `pki` folder, `/etc/kubernetes/pki` on a kubeadm node. Holds the path only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pki {
    dir: PathBuf,
    layout: Layout,
}

/// Whom a node's certificates name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeNames {
    /// The node's name: the common name, and one of the alternative names.
    pub name: String,
    /// The addresses at which clients and peers reach the member. Loopback is added.
    pub ips: Vec<IpAddr>,
    /// Further host names at which they reach it. `localhost` is added.
    pub dns: Vec<String>,
    /// Further names, host names or addresses, for the server's certificate. One that is there already need not have them.
    pub server: Vec<String>,
    /// The same for the peer's.
    pub peer: Vec<String>,
}

/// One certificate file and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The certificate.
    pub path: PathBuf,
    /// The last moment at which it is valid.
    pub not_after: Timestamp,
}

/// One of the certificates that the CA issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    Server,
    Peer,
    HealthcheckClient,
    ApiserverClient,
}

impl Pki {
    /// The folder at this path, with kubeadm's names. Reads and makes nothing yet.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self::with_layout(dir, Layout::kubeadm())
    }

    /// The folder at this path, with these names. Reads and makes nothing yet.
    pub fn with_layout(dir: impl Into<PathBuf>, layout: Layout) -> Self {
        Self { dir: dir.into(), layout }
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `etcd/ca.crt`: etcd's `--trusted-ca-file`, and `--peer-trusted-ca-file` where there is no [`peer_ca_cert`](Self::peer_ca_cert).
    pub fn ca_cert(&self) -> PathBuf {
        layout::pair(&self.dir, &self.layout.ca).0
    }

    /// `etcd/ca.key`. Needed to issue certificates, by nothing else.
    pub fn ca_key(&self) -> PathBuf {
        layout::pair(&self.dir, &self.layout.ca).1
    }

    /// etcd's `--peer-trusted-ca-file`, where the members know each other by a CA of its own.
    pub fn peer_ca_cert(&self) -> Option<PathBuf> {
        self.layout.peer_ca.as_deref().map(|name| layout::pair(&self.dir, name).0)
    }

    /// `etcd/server.crt` and `.key`: etcd's `--cert-file` and `--key-file`.
    pub fn server(&self) -> (PathBuf, PathBuf) {
        self.paths(Leaf::Server)
    }

    /// `etcd/peer.crt` and `.key`: etcd's `--peer-cert-file` and `--peer-key-file`.
    pub fn peer(&self) -> (PathBuf, PathBuf) {
        self.paths(Leaf::Peer)
    }

    /// What runner itself shows to the cluster: the client's certificate, or the server's where there is none (etcd's servers'
    /// certificates may be used by clients, too).
    pub fn client_tls(&self) -> ClientTls {
        let (client, server) = (self.paths(Leaf::HealthcheckClient), self.server());
        let (cert, key) = if client.0.exists() { client } else { server };
        ClientTls { ca: Some(self.ca_cert()), cert: Some(cert), key: Some(key), server_name: None }
    }

    /// Makes the CA, unless it is there. True where it was made.
    ///
    /// A CA certificate without its key is taken as it is: [`issue_node`](Self::issue_node) then says which files it lacks.
    ///
    /// # Errors
    /// A file that is there and cannot be used, or a folder that cannot be written.
    pub fn ensure_ca(&self) -> Result<bool, PkiError> {
        let mut any = false;
        for name in self.layout.authorities() {
            let (cert, key) = layout::pair(&self.dir, name);
            if cert.exists() {
                check_ca(&cert)?;
                if key.exists() {
                    Authority::load(&cert, &key)?;
                }
                continue;
            }
            let pair = if key.exists() { key::load(&key)? } else { key::make(&key)? };
            let (made, _) = Authority::make(pair)?;
            files::write(&cert, made.as_bytes(), files::PUBLIC)?;
            any = true;
        }
        Ok(any)
    }

    /// Makes the node's certificates that are not there, and checks those that are. Returns the certificates made.
    ///
    /// Where `etcd/ca.key` is absent (it is not given to every node), the node must bring its own: the server's and the peer's;
    /// the clients' are then left out, and runner uses the server's.
    ///
    /// # Errors
    /// [`PkiError::FilesNeeded`] names the files to bring; otherwise a file that is there and does not fit, by path.
    pub fn issue_node(&self, names: &NodeNames) -> Result<Vec<PathBuf>, PkiError> {
        let missing: Vec<Leaf> = self.layout.leaves().filter(|leaf| !self.paths(*leaf).0.exists()).collect();
        let authorities: Vec<_> = self.layout.authorities().map(|name| layout::pair(&self.dir, name)).collect();
        let lacking: Vec<_> = authorities.iter().map(|(cert, _)| cert.clone()).filter(|cert| !cert.exists()).collect();
        let needed: Vec<Leaf> = match authorities.iter().all(|(_, key)| key.exists()) && lacking.is_empty() {
            true => missing,
            false => {
                let needed: Vec<_> = missing.into_iter().filter(|leaf| leaf.serves()).collect();
                if !lacking.is_empty() || !needed.is_empty() {
                    return Err(self.files_needed(lacking, &needed));
                }
                needed
            }
        };
        authorities.iter().try_for_each(|(cert, _)| check_ca(cert).map(|_| ()))?;
        let mut made = Vec::new();
        if !needed.is_empty() {
            for leaf in needed {
                let (ca_cert, ca_key) = layout::pair(&self.dir, self.layout.authority_of(leaf));
                let authority = Authority::load(&ca_cert, &ca_key)?;
                let (cert, key) = self.paths(leaf);
                // A run that died between the two files has left a key; it is as good as a new one.
                let pair = if key.exists() { key::load(&key)? } else { key::make(&key)? };
                let text = authority.issue(&pair, &leaf.usage(names))?;
                files::write(&cert, text.as_bytes(), files::PUBLIC)?;
                made.push(cert);
            }
        }
        self.check(names)?;
        Ok(made)
    }

    /// Checks every certificate that is there: in date, its key beside it and its own, signed by the CA, and the server's and
    /// the peer's name the node's addresses. Returns when each ends, the CA's included.
    ///
    /// # Errors
    /// The first file that does not fit, by path.
    pub fn check(&self, names: &NodeNames) -> Result<Vec<Expiry>, PkiError> {
        let mut expiries = Vec::new();
        for name in self.layout.authorities() {
            let path = layout::pair(&self.dir, name).0;
            check_ca(&path)?;
            expiries.push(expiry(&path)?);
        }
        for leaf in self.layout.leaves() {
            let (cert, key) = self.paths(leaf);
            let ca_path = layout::pair(&self.dir, self.layout.authority_of(leaf)).0;
            let ca = check_ca(&ca_path)?;
            if !cert.exists() {
                continue;
            }
            if !key.exists() {
                return Err(PkiError::KeyMissing { cert, key });
            }
            // The same checks that a client's files go through: in date, and a pair.
            ClientTls { ca: Some(ca_path.clone()), cert: Some(cert.clone()), key: Some(key), server_name: None }.load()?;
            let chain = pem::certificates(&cert)?;
            if !pem::signed_by_any(&chain, &ca) {
                return Err(PkiError::ForeignCertificate { cert, ca: ca_path });
            }
            if leaf.serves() {
                names::check_cover(&chain[0], &cert, names)?;
            }
            expiries.push(expiry(&cert)?);
        }
        Ok(expiries)
    }

    /// Of a certificate that the layout has: those that it may lack are asked for through [`Layout::leaves`].
    fn paths(&self, leaf: Leaf) -> (PathBuf, PathBuf) {
        layout::pair(&self.dir, self.layout.leaf(leaf).unwrap_or_default())
    }

    fn files_needed(&self, authorities: Vec<PathBuf>, leaves: &[Leaf]) -> PkiError {
        let mut files = authorities;
        for leaf in leaves {
            let (cert, key) = self.paths(*leaf);
            files.extend([cert, key]);
        }
        PkiError::FilesNeeded { files, ca_cert: self.ca_cert(), ca_key: self.ca_key() }
    }
}

/// A CA's certificates, in date.
fn check_ca(path: &Path) -> Result<Vec<tokio_rustls::rustls::pki_types::CertificateDer<'static>>, PkiError> {
    let certs = pem::in_date(pem::certificates(path)?, path)?;
    for cert in &certs {
        if !pem::parse(cert, path)?.is_ca() {
            return Err(PkiError::NotACa { path: path.to_owned() });
        }
    }
    Ok(certs)
}

impl Leaf {
    const ALL: [Leaf; 4] = [Leaf::Server, Leaf::Peer, Leaf::HealthcheckClient, Leaf::ApiserverClient];

    /// Whether others connect to it, so that it must name the node's addresses. etcd cannot start without these.
    fn serves(self) -> bool {
        matches!(self, Leaf::Server | Leaf::Peer)
    }

    /// Names and usages as in kubeadm (cmd/kubeadm/app/phases/certs/certlist.go).
    fn usage(self, names: &NodeNames) -> Usage {
        let client = |common_name: &str, organization: Option<&'static str>| Usage {
            common_name: common_name.to_owned(),
            organization,
            alternative_names: Vec::new(),
            serves: false,
        };
        match self {
            Leaf::Server | Leaf::Peer => Usage {
                common_name: names.name.clone(),
                organization: None,
                alternative_names: names.alternative(if self == Leaf::Server { &names.server } else { &names.peer }),
                serves: true,
            },
            Leaf::HealthcheckClient => client("kube-etcd-healthcheck-client", None),
            Leaf::ApiserverClient => client("kube-apiserver-etcd-client", Some("system:masters")),
        }
    }
}

impl NodeNames {
    /// All alternative names, each once: the node's name, `localhost`, the addresses, loopback, the host names, and these.
    fn alternative(&self, further: &[String]) -> Vec<String> {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let mut all = vec![self.name.clone(), "localhost".to_owned()];
        let addresses = self.ips.iter().chain(&loopback).map(ToString::to_string);
        for name in addresses.chain(self.dns.iter().chain(further).cloned()) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }
}

/// When the first certificate of this file ends.
pub(crate) fn end_of(path: &Path) -> Result<Timestamp, TlsError> {
    expiry(path).map(|expiry| expiry.not_after)
}

/// Whether the file's first certificate names this host.
pub(crate) fn names_host(path: &Path, host: &str) -> Option<bool> {
    let certs = pem::certificates(path).ok()?;
    let (ips, dns) = (Vec::new(), vec![host.to_owned()]);
    let names = NodeNames { name: host.to_owned(), ips, dns, server: Vec::new(), peer: Vec::new() };
    Some(names::check_cover(&certs[0], path, &names).is_ok())
}

fn expiry(path: &Path) -> Result<Expiry, TlsError> {
    let certs = pem::certificates(path)?;
    let mut end = i64::MAX;
    for cert in &certs {
        end = end.min(pem::parse(cert, path)?.validity().not_after.timestamp());
    }
    Ok(Expiry { path: path.into(), not_after: Timestamp::from_second(end).unwrap_or(Timestamp::MAX) })
}

#[cfg(test)]
mod tests;
