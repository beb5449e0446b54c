//! One joiner at a time, behind a trait: a key with a lease in etcd, later a Kubernetes Lease.

use std::time::Duration;

use async_trait::async_trait;

use crate::cluster::Result;

/// Who holds the lock now, and how far we are from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The run that holds it.
    pub run: String,
    /// The node it runs for.
    pub node: String,
    /// How long it has been held.
    pub age: Duration,
    /// How many are before us, the holder included.
    pub before: usize,
}

/// The lock that keeps joins of one cluster apart. It belongs to a run: the same run gets back what it left.
#[async_trait]
pub trait JoinLock: Send + Sync {
    /// Takes a place in the queue, or finds the one this run has, and says who is before us; none means that it is ours.
    ///
    /// Kept alive in the background from the first call until [`release`](Self::release).
    async fn try_acquire(&self, endpoint: &str) -> Result<Option<Queue>>;

    /// Whether it is still ours, asked of the cluster.
    async fn held(&self, endpoint: &str) -> Result<bool>;

    /// Whether another run waits behind this one.
    async fn waited_for(&self, endpoint: &str) -> Result<bool>;

    /// Whether the lock was ours and its lease is known to have ended, as far as the renewal in the background has found out. Asks nothing.
    fn lost(&self) -> bool;

    /// Gives up the place. Nothing to give up is success.
    async fn release(&self, endpoint: &str) -> Result<()>;
}
