//! How the member's etcd comes to life, behind a trait: a process, a static pod, a unit, a person.

use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cluster::MemberId;

/// The member to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberSpec {
    /// Its name.
    pub name: String,
    /// Its peer URLs, advertised and (unless the launcher says otherwise) listened on.
    pub peer_urls: Vec<String>,
    /// Its client URLs, advertised and (unless the launcher says otherwise) listened on.
    pub client_urls: Vec<String>,
    /// Every member of the cluster with its peer URLs, this one included: `--initial-cluster`.
    pub initial_cluster: Vec<(String, String)>,
    /// Whether it joins a cluster (`existing`) or is the first member of one (`new`).
    pub existing: bool,
}

/// What is in the member's data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum DataDir {
    /// There is no such directory.
    Absent,
    /// It is there and empty.
    Empty,
    /// It holds a member's data.
    Member {
        /// The cluster's id, from the write-ahead log's header.
        cluster_id: u64,
        /// The member's id, from the write-ahead log's header.
        member_id: MemberId,
    },
    /// It holds something that is not a member's data, or whose header cannot be read.
    Foreign {
        /// What, in a few words.
        what: String,
    },
    /// The launcher cannot see the directory.
    Unknown,
}

/// Whether the member's etcd runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Running {
    /// It runs.
    Yes,
    /// It does not run. The last lines of its log say why, where it ever did.
    No {
        /// The last lines of its log, oldest first.
        log: Vec<String>,
    },
    /// The launcher cannot know.
    Unknown,
}

/// Why the member could not be started, seen or stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LaunchError {
    /// One sentence.
    pub message: String,
    /// What to do about it, a line each.
    pub hints: Vec<String>,
}

/// Starts and stops one member's etcd on this node. Every call observes first, so that calling it twice is calling it once.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Checks everything that can be known before the cluster is changed: the binary, its version, ports, files, folders.
    /// Changes nothing.
    async fn preflight(&self) -> Result<(), LaunchError>;

    /// The version of the etcd that will be started; none where that cannot be known.
    fn version(&self) -> Option<String>;

    /// What the data directory holds.
    async fn data_dir(&self) -> Result<DataDir, LaunchError>;

    /// Where the data directory is, for messages.
    fn data_dir_path(&self) -> PathBuf;

    /// Starts the member, unless it runs. Returns when it was handed over, not when it is healthy.
    async fn start(&self, spec: &MemberSpec) -> Result<(), LaunchError>;

    /// Restarts the member on the data that it has. Returns true when it was handed over, false where this launcher cannot do that within
    /// a second or two (a kubelet, a person): then nothing was done. Only called for a learner.
    async fn restart(&self, spec: &MemberSpec) -> Result<bool, LaunchError> {
        let _ = spec;
        Ok(false)
    }

    /// Whether it runs.
    async fn running(&self) -> Running;

    /// Stops the member and waits until it is gone. Nothing to stop is success.
    async fn stop(&self) -> Result<(), LaunchError>;

    /// Removes the data that a member started by this launcher has written, or moves it aside and tells where to; with `folder`,
    /// the directory too. Only called for a directory that was absent or empty before. Refuses while the member runs.
    async fn discard_data(&self, folder: bool) -> Result<Option<PathBuf>, LaunchError>;

    /// Where a person finds out why the member does not come up: hints, a line each.
    async fn where_to_look(&self) -> Vec<String> {
        Vec::new()
    }

    /// Bytes of the database and of incoming snapshots in the data directory; zero where there is none.
    async fn data_size(&self) -> u64;

    /// Where the member shows its metrics before its client port is open; none where it does not.
    fn metrics_url(&self) -> Option<String>;
}
