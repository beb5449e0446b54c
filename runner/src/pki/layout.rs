//! What the files of a pki folder are called.

use std::path::{Path, PathBuf};

use super::Leaf;

/// Names of the files below a pki folder, each without `.crt` and `.key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The CA.
    pub ca: String,
    /// The CA of the members' certificates for each other; none where it is the same one.
    pub peer_ca: Option<String>,
    /// What the member shows to clients.
    pub server: String,
    /// What the member shows to other members.
    pub peer: String,
    /// What runner itself shows to the cluster.
    pub client: String,
    /// What the API server shows to the cluster; none where it has no certificate of its own.
    pub apiserver: Option<String>,
}

impl Layout {
    /// kubeadm's names (cmd/kubeadm/app/constants).
    pub fn kubeadm() -> Self {
        Self {
            ca: "etcd/ca".to_owned(),
            peer_ca: None,
            server: "etcd/server".to_owned(),
            peer: "etcd/peer".to_owned(),
            client: "etcd/healthcheck-client".to_owned(),
            apiserver: Some("apiserver-etcd-client".to_owned()),
        }
    }

    /// The certificates that there are in this layout.
    pub(super) fn leaves(&self) -> impl Iterator<Item = Leaf> {
        Leaf::ALL.into_iter().filter(|leaf| *leaf != Leaf::ApiserverClient || self.apiserver.is_some())
    }

    /// The names of the CAs: one, or two.
    pub(super) fn authorities(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.ca.as_str()).chain(self.peer_ca.as_deref())
    }

    /// The name of a certificate; none where the layout has no such one.
    pub(super) fn leaf(&self, leaf: Leaf) -> Option<&str> {
        match leaf {
            Leaf::Server => Some(&self.server),
            Leaf::Peer => Some(&self.peer),
            Leaf::HealthcheckClient => Some(&self.client),
            Leaf::ApiserverClient => self.apiserver.as_deref(),
        }
    }

    /// The name of the CA of a certificate.
    pub(super) fn authority_of(&self, leaf: Leaf) -> &str {
        match (leaf, &self.peer_ca) {
            (Leaf::Peer, Some(peer_ca)) => peer_ca,
            _ => &self.ca,
        }
    }
}

/// The certificate and the key of this name in this folder.
pub(super) fn pair(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")))
}
