//! The two locks of a join together: the Lease that Kubernetes sees, then etcd's own, which counts.
//!
//! The Lease comes first and is never waited for once a place in etcd's queue was taken: two joiners that each hold what the other
//! waits for cannot be. A joiner without the API has etcd's lock alone, and excludes those with both.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::lease::{JoinLease, LeaseStore, Tried};
use super::notices::Notices;
use super::{ApiError, Names};
use crate::cluster::Result;
use crate::pipeline::{JoinLock, Queue};

/// Both locks. What is asked of it fails only as etcd's lock fails.
pub struct Locks {
    etcd: Arc<dyn JoinLock>,
    lease: JoinLease,
    notices: Notices,
    /// Whether the Lease is ours, or this run does without: from then on only etcd's lock is waited for.
    settled: Mutex<bool>,
}

impl Locks {
    /// Both locks for this run and node. Asks nothing yet. `resumed`: an earlier runner of this run may have left its Lease.
    pub fn new(
        etcd: Arc<dyn JoinLock>,
        store: Arc<dyn LeaseStore>,
        names: &Names,
        run: String,
        node: String,
        resumed: bool,
        notices: Notices,
    ) -> Self {
        let place = (names.namespace.clone(), names.lease.clone());
        let lease = JoinLease::new(store, place, run, node, resumed, notices.clone());
        Self { etcd, lease, notices, settled: Mutex::new(false) }
    }

    /// Gives up the Lease alone; for the end of a run that could not reach etcd. Nothing to give up is success.
    pub async fn release_lease(&self) {
        if let Err(error) = self.lease.release().await {
            self.tell_left(&error);
        }
    }

    fn tell_left(&self, error: &ApiError) {
        self.notices.trouble("the join's Lease could not be given up; it expires by itself within seconds", error);
    }
}

#[async_trait]
impl JoinLock for Locks {
    async fn try_acquire(&self, endpoint: &str) -> Result<Option<Queue>> {
        let mut settled = self.settled.lock().await;
        if !*settled {
            match self.lease.try_acquire().await {
                Ok(Tried::Ours) => {}
                Ok(Tried::Held(queue)) => return Ok(Some(queue)),
                Err(error) => {
                    self.notices.trouble(
                        "Kubernetes does not see this join's Lease; etcd's own lock alone keeps joins apart",
                        &error,
                    );
                }
            }
            *settled = true;
        }
        drop(settled);
        self.etcd.try_acquire(endpoint).await
    }

    /// etcd's word: it is the one that a joiner without the API has, too.
    async fn held(&self, endpoint: &str) -> Result<bool> {
        self.etcd.held(endpoint).await
    }

    async fn waited_for(&self, endpoint: &str) -> Result<bool> {
        self.etcd.waited_for(endpoint).await
    }

    fn lost(&self) -> bool {
        self.etcd.lost()
    }

    /// Gives up both, whatever becomes of the other.
    async fn release(&self, endpoint: &str) -> Result<()> {
        let (etcd, ()) = tokio::join!(self.etcd.release(endpoint), self.release_lease());
        // Without a place in etcd's queue the Lease may be waited for again.
        *self.settled.lock().await = etcd.is_err();
        etcd
    }
}
