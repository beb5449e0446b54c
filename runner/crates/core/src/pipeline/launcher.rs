//! How the member's etcd comes to life, behind a trait: a process, a static pod, a unit, a person.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::cluster::MemberId;

/// `--election-timeout` unless told otherwise, from 3.4 to 3.7.
pub const DEFAULT_ELECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// Which member, by the ids in the header of its write-ahead log. etcd gives no id twice: a member that was removed and added again
/// is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The cluster's id.
    pub cluster_id: u64,
    /// The member's id.
    pub member_id: MemberId,
}

/// The member to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberSpec {
    /// Its ids; none for the first member of a cluster, which gets them when it starts.
    #[serde(default)]
    pub identity: Option<Identity>,
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
    /// Whether it has run before, so that its data is needed: a member must never start again without its log.
    #[serde(default)]
    pub started: bool,
}

/// What a call to [`Launcher::start`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// The member was handed over by this call.
    Now,
    /// It ran already, whoever started it.
    Already,
}

/// What came of an act that is done only to the member that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guarded<T = ()> {
    /// It is done, or there was nothing to do.
    Done(T),
    /// What is there belongs to another member, or cannot be told to be ours: nothing was touched. Says whose it is, as a clause.
    NotOurs(String),
}

/// How data is to be discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discard {
    /// The directory too, not only what is in it.
    pub folder: bool,
    /// Move it aside instead of removing it: the member may have had a vote.
    pub keep: bool,
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

/// Starts and stops one member's etcd on this node. Every call observes first, so that calling it twice is calling it once; one that was
/// given up in the middle, since the run was interrupted, may be called again.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Checks everything that can be known before the cluster is changed: the binary, its version, ports, files, folders.
    /// Changes nothing.
    async fn preflight(&self) -> Result<(), Problem>;

    /// The version of the etcd that will be started; none where that cannot be known.
    fn version(&self) -> Option<String>;

    /// What the data directory holds.
    async fn data_dir(&self) -> Result<DataDir, Problem>;

    /// Where the data directory is, for messages.
    fn data_dir_path(&self) -> PathBuf;

    /// Starts the member, unless it runs. Returns when it was handed over, not when it is healthy. Whose data it starts on is for the
    /// caller to know.
    async fn start(&self, spec: &MemberSpec) -> Result<Started, Problem>;

    /// Restarts the member on the data that it has. Returns true when it was handed over, false where this launcher cannot do that within
    /// a second or two (a kubelet, a person): then nothing was done. Only called for a learner.
    async fn restart(&self, spec: &MemberSpec) -> Result<bool, Problem> {
        let _ = spec;
        Ok(false)
    }

    /// Whether it runs.
    async fn running(&self) -> Running;

    /// Stops this member and waits until it is gone. Nothing to stop is success. What belongs to another member goes on running: whose a
    /// process, a manifest or a unit is, is read from the data and from what it says itself, right before it is touched.
    async fn stop(&self, whose: &Identity) -> Result<Guarded, Problem>;

    /// What shows, as a clause, that other hands start this member by now: they go on with it where this run began. None where nothing does,
    /// also where what they start has another member's data.
    async fn taken_over(&self, whose: &Identity) -> Result<Option<String>, Problem> {
        let _ = whose;
        Ok(None)
    }

    /// Removes this member's data, or moves it aside and tells where to. Only called for a directory that was absent or empty before.
    /// Refuses while an etcd uses it; touches no other member's data.
    async fn discard_data(&self, whose: &Identity, how: Discard) -> Result<Guarded<Option<PathBuf>>, Problem>;

    /// The database size in bytes at which the member will raise NOSPACE; none where it raises none, or that cannot be known.
    fn quota(&self) -> Option<u64> {
        None
    }

    /// The election timeout that the member is told, which is the whole cluster's: etcd holds a proposal for 5 s and twice that.
    fn election_timeout(&self) -> Duration {
        DEFAULT_ELECTION_TIMEOUT
    }

    /// Where a person finds out why the member does not come up: hints, a line each.
    async fn where_to_look(&self) -> Vec<String> {
        Vec::new()
    }

    /// Bytes of the database and of incoming snapshots in the data directory; zero where there is none.
    async fn data_size(&self) -> u64;

    /// Where the member shows its metrics before its client port is open; none where it does not.
    fn metrics_url(&self) -> Option<String>;
}
