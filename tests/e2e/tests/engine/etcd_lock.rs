//! The join lock in real etcd: who waits, who is next, and what a crash leaves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runner::cluster::etcd::{EtcdCluster, EtcdLock, LEASE_TTL};
use runner::pipeline::JoinLock;
use runner_harness::{RealCluster, Tls, eventually, every_minor, newest};

/// A lease ends at most about a second late: etcd looks every 500 ms, and a new leader grants a full time again.
const EXPIRY: Duration = LEASE_TTL.saturating_add(Duration::from_secs(15));
const LONG: Duration = Duration::from_secs(60);

fn lock(cluster: &Arc<EtcdCluster>, run: &str) -> EtcdLock {
    EtcdLock::new(cluster.clone(), run.to_owned(), format!("node-of-{run}"))
}

/// Locks that share nothing, as those of two processes do.
fn apart() -> Arc<EtcdCluster> {
    Arc::new(EtcdCluster::new(None).unwrap())
}

#[tokio::test]
async fn runs_queue_in_the_order_of_their_coming() {
    for binary in every_minor() {
        let cluster = RealCluster::start(1, &binary, Tls::Off).await;
        let at = cluster.members[0].client_url.clone();
        let (a, b, c) = (lock(&apart(), "a"), lock(&apart(), "b"), lock(&apart(), "c"));
        assert_eq!(a.try_acquire(&at).await.unwrap(), None);
        assert_eq!(a.try_acquire(&at).await.unwrap(), None, "the same again");
        assert!(a.held(&at).await.unwrap());

        let queue = b.try_acquire(&at).await.unwrap().expect("a holds it");
        assert_eq!((queue.run.as_str(), queue.node.as_str(), queue.before), ("a", "node-of-a", 1));
        assert!(queue.age < LONG, "{queue:?}");
        assert!(!b.held(&at).await.unwrap());
        let queue = c.try_acquire(&at).await.unwrap().expect("a holds it");
        assert_eq!((queue.run.as_str(), queue.before), ("a", 2));

        // One in the middle gives up; releasing twice, and what was never had, is fine.
        b.release(&at).await.unwrap();
        b.release(&at).await.unwrap();
        assert_eq!(c.try_acquire(&at).await.unwrap().unwrap().before, 1);
        a.release(&at).await.unwrap();
        assert!(!a.held(&at).await.unwrap());
        assert_eq!(c.try_acquire(&at).await.unwrap(), None);
        assert!(c.held(&at).await.unwrap());
        assert_eq!(a.try_acquire(&at).await.unwrap().expect("c holds it").run, "c");
        a.release(&at).await.unwrap();
        c.release(&at).await.unwrap();

        let left = cluster.client().await.get("/runner.dev/", Some(prefix())).await.unwrap();
        assert!(left.kvs().is_empty(), "{left:?}");
        let leases = cluster.client().await.leases().await.unwrap();
        assert!(leases.leases().is_empty(), "{leases:?}");
    }
}

fn prefix() -> etcd_client::GetOptions {
    etcd_client::GetOptions::new().with_prefix()
}

#[tokio::test]
async fn a_dead_runs_place_ends_with_its_lease() {
    let cluster = RealCluster::start(1, &newest(), Tls::Off).await;
    let at = cluster.members[0].client_url.clone();
    let (dead, next) = (lock(&apart(), "dead"), lock(&apart(), "next"));
    assert_eq!(dead.try_acquire(&at).await.unwrap(), None);
    assert!(next.try_acquire(&at).await.unwrap().is_some());
    let start = Instant::now();
    drop(dead);
    eventually("the lease's end", EXPIRY, async || match next.try_acquire(&at).await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(start.elapsed() > LEASE_TTL / 3, "it was not released but ended: {:?}", start.elapsed());
    assert!(next.held(&at).await.unwrap());
}

#[tokio::test]
async fn a_run_that_comes_back_keeps_its_place_and_its_lease_alive() {
    let cluster = RealCluster::start(1, &newest(), Tls::Off).await;
    let at = cluster.members[0].client_url.clone();
    let (first, waiting) = (lock(&apart(), "r"), lock(&apart(), "w"));
    assert_eq!(first.try_acquire(&at).await.unwrap(), None);
    assert!(waiting.try_acquire(&at).await.unwrap().is_some());
    drop(first);

    let again = lock(&apart(), "r");
    assert!(again.held(&at).await.unwrap(), "its place is still there");
    assert_eq!(again.try_acquire(&at).await.unwrap(), None, "and it is taken over, before the one that waits");
    // Well past the time that the first one's lease had left.
    let until = Instant::now() + LEASE_TTL + Duration::from_secs(5);
    while Instant::now() < until {
        assert!(again.held(&at).await.unwrap(), "the lease was not kept alive");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    again.release(&at).await.unwrap();
    assert_eq!(waiting.try_acquire(&at).await.unwrap(), None);
}

#[tokio::test]
async fn a_run_that_only_gives_up_what_a_dead_process_left() {
    let cluster = RealCluster::start(1, &newest(), Tls::Off).await;
    let at = cluster.members[0].client_url.clone();
    let (first, other) = (lock(&apart(), "r"), lock(&apart(), "o"));
    assert_eq!(first.try_acquire(&at).await.unwrap(), None);
    drop(first);
    lock(&apart(), "r").release(&at).await.unwrap();
    assert_eq!(other.try_acquire(&at).await.unwrap(), None);
}

/// The endpoint through which the lock was taken dies, and it led.
#[tokio::test]
async fn the_lock_outlives_the_leader() {
    let mut cluster = RealCluster::start(3, &newest(), Tls::Off).await;
    let leader = cluster.leader().await;
    let (at, other) = (cluster.members[leader].client_url.clone(), cluster.members[(leader + 1) % 3].client_url.clone());
    let held = lock(&apart(), "r");
    assert_eq!(held.try_acquire(&at).await.unwrap(), None);
    // The pipeline asks elsewhere too, so that the renewal knows of another endpoint.
    assert!(held.held(&other).await.unwrap());
    held.try_acquire(&at).await.unwrap();
    cluster.kill(leader);
    eventually("another leader", LONG, async || held.held(&other).await.map_err(|e| e.to_string())).await;
    // Past the lease's time, even if the new leader has granted it a full one.
    let until = Instant::now() + 2 * LEASE_TTL + Duration::from_secs(3);
    while Instant::now() < until {
        if let Ok(held) = held.held(&other).await {
            assert!(held, "the lease was not kept alive");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    held.release(&other).await.unwrap();
    assert_eq!(lock(&apart(), "next").try_acquire(&other).await.unwrap(), None);
}
