//! Capability: reads from etcd itself, under the prefixes that the operator granted. What the cluster looks like is in
//! [`Cluster`](crate::Cluster) already, and costs nothing.
//!
//! ```
//! use runner_plugin::{etcd, fake};
//!
//! fake::etcd::put("/registry/leases/kube-node-lease/cp-1", "…");
//! fake::etcd::put("/registry/leases/kube-node-lease/cp-2", "…");
//! assert_eq!(etcd::list("/registry/leases/", 100).unwrap().len(), 2);
//! assert!(etcd::get("/registry/leases/none").unwrap().is_none());
//! ```

#[cfg(not(target_family = "wasm"))]
use crate::fake::etcd::source as host;
#[cfg(target_family = "wasm")]
use crate::guest::capabilities::etcd as host;
use crate::{Failure, Result};

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// The revision of its last change.
    pub mod_revision: u64,
}

/// What a member says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its etcd version.
    pub version: String,
    /// Bytes of its database file.
    pub db_size: u64,
    /// Bytes of that file that hold data.
    pub db_size_in_use: u64,
    /// Index of the last raft entry it knows to be committed.
    pub raft_index: u64,
    /// Index of the last raft entry it has applied to its database.
    pub raft_applied_index: u64,
    /// The raft term it is in.
    pub raft_term: u64,
    /// The leader's member id, as this member sees it.
    pub leader: Option<String>,
    /// Whether it is a learner.
    pub learner: bool,
    /// Errors it reports about itself.
    pub problems: Vec<String>,
    /// How long asking it took, in microseconds.
    pub round_trip_us: u32,
}

/// One key under a granted prefix; none where it is not there.
///
/// # Errors
/// Not granted, or etcd could not be asked.
pub fn get(key: &str) -> Result<Option<Entry>, Failure> {
    host::get(key)
}

/// Up to `limit` (1 to 1000) keys that begin with `prefix`, in order. The prefix must lie under a granted one.
///
/// # Errors
/// Not granted, or etcd could not be asked.
pub fn list(prefix: &str, limit: u32) -> Result<Vec<Entry>, Failure> {
    host::list(prefix, limit)
}

/// What a member says of itself now; by its id, as [`Member::id`](crate::Member::id) has it.
///
/// # Errors
/// Not granted, there is no such member, or it does not answer.
pub fn status(member: &str) -> Result<MemberStatus, Failure> {
    host::status(member)
}

impl Entry {
    /// Its value as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}
