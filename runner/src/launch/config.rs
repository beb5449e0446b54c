//! What a launcher needs to know about the member's process. Goes into the journal, so that `resume` builds the same one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How to run etcd as a process of this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProcessConfig {
    /// The etcd program: a path, or a bare name that is looked up in `PATH`.
    pub etcd: PathBuf,
    /// The data directory. Made with mode 0700 where it is missing.
    pub data_dir: PathBuf,
    /// Where its output goes; appended to, mode 0600. Not inside the data directory.
    pub log_file: PathBuf,
    /// Where it listens for other members; none for its advertised peer URLs. Only what is given here can be checked to be free
    /// before the cluster is changed; else that is checked right before the start.
    pub listen_peer_urls: Option<Vec<String>>,
    /// Where it listens for clients; none for its advertised client URLs. See `listen_peer_urls`.
    pub listen_client_urls: Option<Vec<String>>,
    /// Where it shows its metrics from early on, `http://127.0.0.1:2381` for example; none for no such listener.
    pub metrics_url: Option<String>,
    /// Its certificates; none for plain `http`.
    pub tls: Option<MemberTls>,
    /// `--initial-cluster-token` of a new cluster, so that two clusters made alike do not get the same id. Not used in a join.
    pub cluster_token: Option<String>,
    /// Further flags for etcd, as they are. Those that runner sets itself are refused.
    pub extra_args: Vec<String>,
    /// Further environment for etcd. Every `ETCD_…` variable of runner's own environment is kept away from it.
    pub env: BTreeMap<String, String>,
}

/// A person, or a tool of their own, runs etcd: what runner needs to know to tell them how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalConfig {
    /// The etcd version that they will run, where it is known: some flags are spelt differently.
    pub version: Option<String>,
    /// The data directory, as the member will see it.
    pub data_dir: PathBuf,
    /// Whether `data_dir` is on this node, so that runner can look into it.
    pub local: bool,
    /// Where it listens for other members; none for its advertised peer URLs.
    pub listen_peer_urls: Option<Vec<String>>,
    /// Where it listens for clients; none for its advertised client URLs.
    pub listen_client_urls: Option<Vec<String>>,
    /// Where it shows its metrics and runner can read them.
    pub metrics_url: Option<String>,
    /// Its certificates, as the member will see them; none for plain `http`.
    pub tls: Option<MemberTls>,
}

/// A member's certificates and keys, PEM files each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberTls {
    /// The CA that clients' and other members' certificates must come from.
    pub ca: PathBuf,
    /// The CA that other members' certificates must come from; none where it is `ca`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_ca: Option<PathBuf>,
    /// Shown to other members, as server and as client.
    pub peer_cert: PathBuf,
    /// Its key.
    pub peer_key: PathBuf,
    /// Shown to clients.
    pub server_cert: PathBuf,
    /// Its key.
    pub server_key: PathBuf,
}

impl MemberTls {
    /// All the files.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.ca, &self.peer_cert, &self.peer_key, &self.server_cert, &self.server_key].into_iter().chain(&self.peer_ca)
    }
}
