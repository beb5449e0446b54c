//! The lock that keeps joins apart: keys with leases in etcd itself, queued by their create revision.
//!
//! Each waiting or working run has one key, `/runner.dev/join-lock/<run>`; the oldest one holds the lock. A lease removes the
//! key of a run that died. A run that comes back under the same id takes its own living key over, with its place in the queue.
//! Like any lock with a lease it is no fence: a holder that was frozen for longer than [`LEASE_TTL`] may believe in it for a
//! moment longer. etcd itself is the fence here: it takes one learner at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, PutOptions, SortOrder, SortTarget, Txn, TxnOp};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{CHANGE_TIMEOUT, EtcdCluster, READ_TIMEOUT};
use crate::clock;
use crate::cluster::{ClusterError, Reason, Result};
use crate::pipeline::{JoinLock, Queue};

/// How long a dead run's key lives on. Long enough to survive an election (1 s by default, and leases are prolonged by it) and a
/// lost connection; short enough that the next joiner waits no more than a few breaths. etcd checks leases every 500 ms.
pub const LEASE_TTL: Duration = Duration::from_secs(15);
/// How often the lease is renewed: three tries fit into its time.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How long one renewal may take, so that several silent endpoints do not use up the lease's time.
const RENEW_TIMEOUT: Duration = Duration::from_secs(2);
/// How soon a failed renewal is tried again, at the next endpoint.
const RENEW_AGAIN: Duration = Duration::from_millis(500);

/// What the lock's keys begin with, unless a distribution says otherwise.
pub const PREFIX: &str = "/runner.dev/join-lock/";
/// What etcd says of a lease that is gone (api/v3rpc/rpctypes/error.go).
const LEASE_NOT_FOUND: &str = "etcdserver: requested lease not found";

/// The join lock in etcd. Dropping it without [`release`](JoinLock::release) stops the renewal, so that the key goes when its
/// lease ends.
pub struct EtcdLock {
    cluster: Arc<EtcdCluster>,
    run: String,
    node: String,
    prefix: String,
    place: tokio::sync::Mutex<Option<Place>>,
    endpoints: Endpoints,
    /// The renewal has found that our lease is gone.
    lost: Arc<AtomicBool>,
}

/// The endpoints that were ever given, the last one that worked first.
type Endpoints = Arc<Mutex<Vec<String>>>;

/// Our key in the queue, and the task that keeps it alive.
struct Place {
    created: i64,
    lease: i64,
    /// Whether another run was seen before us since the key was last written.
    waited: bool,
    keeper: JoinHandle<()>,
}

/// A key's value, for other runs and for people who look with etcdctl.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    run: String,
    node: String,
    /// Since when it has waited, and once it holds the lock, since when it has held it; by its own clock.
    since: Timestamp,
    /// The lease as etcdctl prints it.
    lease: String,
}

impl EtcdLock {
    /// The lock of the cluster for this run, which works for this node. Asks nothing yet.
    ///
    /// `run` becomes part of a key, so it should be a plain word such as a UUID.
    pub fn new(cluster: Arc<EtcdCluster>, run: String, node: String) -> Self {
        let prefix = PREFIX.to_owned();
        let (place, endpoints, lost) = (tokio::sync::Mutex::default(), Arc::default(), Arc::default());
        Self { cluster, run, node, prefix, place, endpoints, lost }
    }

    /// The same with other keys. Joiners exclude each other only where they agree on the prefix, `/…/`.
    #[must_use]
    pub fn with_prefix(self, prefix: String) -> Self {
        Self { prefix, ..self }
    }

    fn key(&self) -> String {
        format!("{}{}", self.prefix, self.run)
    }

    /// Remembers the endpoint for the renewal, which goes on with any that was ever given.
    fn remember(&self, endpoint: &str) {
        prefer(&self.endpoints, endpoint);
    }

    /// All keys of the queue, the oldest first. Linearizable.
    async fn queue(&self, endpoint: &str) -> Result<Vec<KeyValue>> {
        let oldest_first = GetOptions::new().with_prefix().with_sort(SortTarget::Create, SortOrder::Ascend);
        let prefix = self.prefix.clone();
        let mut answer = self
            .cluster
            .call(endpoint, READ_TIMEOUT, |client| async move { client.kv_client().get(prefix, Some(oldest_first)).await })
            .await?;
        Ok(answer.take_kvs())
    }

    /// Puts our key at the end of the queue; none where it is there after all.
    async fn enqueue(&self, endpoint: &str) -> Result<Option<Place>> {
        let ttl = LEASE_TTL.as_secs() as i64;
        let lease = self
            .cluster
            .call(endpoint, CHANGE_TIMEOUT, |client| async move { client.lease_client().grant(ttl, None).await })
            .await?
            .id();
        let key = self.key();
        let txn = Txn::new().when([Compare::create_revision(key.clone(), CompareOp::Equal, 0)]).and_then([TxnOp::put(
            key,
            self.entry(lease),
            Some(PutOptions::new().with_lease(lease)),
        )]);
        let answer =
            self.cluster.call(endpoint, CHANGE_TIMEOUT, |client| async move { client.kv_client().txn(txn).await }).await?;
        if !answer.succeeded() {
            self.revoke(endpoint, lease).await?;
            return Ok(None);
        }
        Ok(Some(self.place(answer.header().map_or(0, |h| h.revision()), lease)))
    }

    fn place(&self, created: i64, lease: i64) -> Place {
        self.lost.store(false, Ordering::Relaxed);
        let keeper = tokio::spawn(keep_alive(self.cluster.clone(), self.endpoints.clone(), lease, self.lost.clone()));
        Place { created, lease, waited: false, keeper }
    }

    /// Renews the lease once. False where there is no such lease any more.
    async fn renew(&self, endpoint: &str, lease: i64) -> Result<bool> {
        renew_once(&self.cluster, endpoint, lease).await
    }

    fn entry(&self, lease: i64) -> String {
        let entry =
            Entry { run: self.run.clone(), node: self.node.clone(), since: clock::now(), lease: format!("{lease:x}") };
        // Three strings and a time always serialise.
        serde_json::to_string(&entry).unwrap_or_default()
    }

    /// Writes since when the lock is held, unless the key has changed since. Of no use to ourselves, so a failure is no matter.
    async fn note_held(&self, endpoint: &str, place: &Place) {
        let key = self.key();
        let txn = Txn::new()
            .when([Compare::create_revision(key.clone(), CompareOp::Equal, place.created)])
            .and_then([TxnOp::put(key, self.entry(place.lease), Some(PutOptions::new().with_lease(place.lease)))]);
        let call = self.cluster.call(endpoint, CHANGE_TIMEOUT, |client| async move { client.kv_client().txn(txn).await });
        if let Err(error) = call.await {
            tracing::debug!(%error, "the lock's key was not updated");
        }
    }

    /// Ends the lease, which deletes what hangs on it. That it is gone already is success.
    async fn revoke(&self, endpoint: &str, lease: i64) -> Result<()> {
        let call =
            self.cluster.call(endpoint, CHANGE_TIMEOUT, |client| async move { client.lease_client().revoke(lease).await });
        match call.await {
            Err(error) if error.message != LEASE_NOT_FOUND => Err(error),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl JoinLock for EtcdLock {
    async fn try_acquire(&self, endpoint: &str) -> Result<Option<Queue>> {
        self.remember(endpoint);
        let key = self.key();
        let mut place = self.place.lock().await;
        // Look, put our key where it is missing, look again. More rounds are needed only where the key goes in between.
        for _ in 0..3 {
            let queue = self.queue(endpoint).await?;
            let Some(position) = queue.iter().position(|kv| kv.key() == key.as_bytes()) else {
                *place = self.enqueue(endpoint).await?;
                continue;
            };
            let lease = queue[position].lease();
            if place.as_ref().is_none_or(|p| p.lease != lease) {
                // Left by an earlier process of this run, or put there by a call whose answer was lost.
                if !self.renew(endpoint, lease).await? {
                    continue;
                }
                *place = Some(self.place(queue[position].create_revision(), lease));
            }
            let Some(place) = place.as_mut() else { continue };
            if position > 0 {
                place.waited = true;
                return Ok(Some(holder(&queue[0], position)));
            }
            if std::mem::replace(&mut place.waited, false) {
                self.note_held(endpoint, place).await;
            }
            return Ok(None);
        }
        Err(ClusterError::new(Reason::LeaderChanged, "our place in the lock's queue does not last", endpoint))
    }

    async fn held(&self, endpoint: &str) -> Result<bool> {
        self.remember(endpoint);
        let queue = self.queue(endpoint).await?;
        Ok(queue.first().is_some_and(|kv| kv.key() == self.key().as_bytes()))
    }

    async fn waited_for(&self, endpoint: &str) -> Result<bool> {
        self.remember(endpoint);
        let queue = self.queue(endpoint).await?;
        Ok(queue.last().is_some_and(|kv| kv.key() != self.key().as_bytes()))
    }

    fn lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    async fn release(&self, endpoint: &str) -> Result<()> {
        self.remember(endpoint);
        let mut place = self.place.lock().await;
        let key = self.key();
        // The key is ours by its name, whichever process of the run has put it there.
        let answer = self
            .cluster
            .call(endpoint, CHANGE_TIMEOUT, |client| async move {
                client.kv_client().delete(key, Some(etcd_client::DeleteOptions::new().with_prev_key())).await
            })
            .await?;
        let lease = answer.prev_kvs().first().map(|kv| kv.lease()).or(place.as_ref().map(|p| p.lease));
        // Without its key the lease does no harm, so the lock is given up even where this fails.
        *place = None;
        if let Some(lease) = lease.filter(|id| *id != 0)
            && let Err(error) = self.revoke(endpoint, lease).await
        {
            tracing::debug!(%error, "the lock's lease was not revoked; it ends by itself");
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// What the first key of the queue says of its owner; a value that is not ours to read still has a key.
fn holder(kv: &KeyValue, before: usize) -> Queue {
    let entry: Option<Entry> = serde_json::from_slice(kv.value()).ok();
    // A run's id has no slash in it, and the prefix ends with one.
    let run = String::from_utf8_lossy(kv.key().rsplit(|b| *b == b'/').next().unwrap_or_default()).into_owned();
    match entry {
        Some(entry) => {
            let age = clock::now().duration_since(entry.since).max(SignedDuration::ZERO).unsigned_abs();
            Queue { run: entry.run, node: entry.node, age, before }
        }
        None => Queue { run, node: String::new(), age: Duration::ZERO, before },
    }
}

/// Renews the lease until it is gone, at whichever of the known endpoints answers.
///
/// One renewal is one short stream, so that nothing has to be repaired when a connection or a leader is lost.
async fn keep_alive(cluster: Arc<EtcdCluster>, endpoints: Endpoints, lease: i64, lost: Arc<AtomicBool>) {
    loop {
        let known = endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut renewed = false;
        for endpoint in known {
            match renew_once(&cluster, &endpoint, lease).await {
                Ok(true) => {
                    prefer(&endpoints, &endpoint);
                    renewed = true;
                    break;
                }
                Ok(false) => {
                    tracing::warn!("the join lock's lease {lease:x} has ended");
                    return lost.store(true, Ordering::Relaxed);
                }
                Err(error) => tracing::debug!(%error, "the join lock's lease was not renewed here"),
            }
        }
        sleep(if renewed { RENEW_EVERY } else { RENEW_AGAIN }).await;
    }
}

/// Puts the endpoint first.
fn prefer(endpoints: &Mutex<Vec<String>>, endpoint: &str) {
    let mut known = endpoints.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|e| e != endpoint);
    known.insert(0, endpoint.to_owned());
}

/// False where there is no such lease any more.
async fn renew_once(cluster: &EtcdCluster, endpoint: &str, lease: i64) -> Result<bool> {
    let call = cluster.call(endpoint, RENEW_TIMEOUT, |client| async move {
        match client.lease_client().keep_alive(lease).await {
            Ok(_) => Ok(true),
            // etcd answers with a time of zero, and etcd-client makes this of it.
            Err(etcd_client::Error::LeaseKeepAliveError(_)) => Ok(false),
            Err(error) => Err(error),
        }
    });
    match call.await {
        Err(error) if error.message == LEASE_NOT_FOUND => Ok(false),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let entry = Entry {
            run: "r1".into(),
            node: "cp-2".into(),
            since: "2026-01-02T03:04:05Z".parse().unwrap(),
            lease: "694d8e9e05c52164".into(),
        };
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(text, r#"{"run":"r1","node":"cp-2","since":"2026-01-02T03:04:05Z","lease":"694d8e9e05c52164"}"#);
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}
