//! Clusters in the middle of an upgrade: a newcomer of either version joins, one that etcd would refuse is told so before anything is changed.

use runner_harness::{EtcdBinary, SOON, Spawned, Stage, Tls, assert_serves, of_minor};

/// A cluster of three of the older version, of which so many have been upgraded, one after the other.
async fn upgrading(old: &EtcdBinary, new: &EtcdBinary, upgraded: usize) -> Stage {
    let mut stage = Stage::set(3, old, Tls::On).await;
    for member in 0..upgraded {
        stage.cluster.stop(member).await;
        stage.cluster.members[member].binary = new.clone();
        stage.cluster.restart(member).await;
    }
    stage
}

async fn joins(old: &str, new: &str) {
    let (old, new) = (of_minor(old), of_minor(new));
    for upgraded in [1, 2] {
        let stage = upgrading(&old, &new, upgraded).await;
        let load = stage.cluster.load().await;
        let mut endpoints = stage.cluster.endpoints();
        for (name, binary) in [("older", &old), ("newer", &new)] {
            let mut node = stage.another(name);
            node.binary = binary.clone();
            let joined = Spawned::start(node.join(&endpoints)).finish(SOON).await.expect_code(0);
            assert!(!joined.events_of("finding").iter().any(|f| f["code"] == "version-skew"), "{}", joined.stdout);
            assert_serves(&node).await;
            endpoints.push(node.client_url());
        }
        load.stop().await.expect_no_failure();
        let list = stage.list().await;
        assert_eq!((list.len(), list.iter().any(|(_, learner)| *learner)), (5, false), "{list:?}");
    }
}

#[tokio::test]
async fn from_3_4_to_3_5() {
    joins("3.4", "3.5").await;
}

#[tokio::test]
async fn from_3_5_to_3_6() {
    joins("3.5", "3.6").await;
}

#[tokio::test]
async fn from_3_6_to_3_7() {
    joins("3.6", "3.7").await;
}

/// The upgrade is done: the cluster's version is the newer one, and etcd would refuse an older member at its start.
#[tokio::test]
async fn an_older_member_is_refused_once_all_are_upgraded() {
    let (old, new) = (of_minor("3.5"), of_minor("3.6"));
    let mut stage = upgrading(&old, &new, 3).await;
    let before = stage.list().await;
    stage.node.binary = old;
    let refused = stage.join().finish(SOON).await.expect_code(10);
    let skew = refused.events_of("finding").into_iter().find(|f| f["code"] == "version-skew").expect("a finding");
    assert!(skew["remedy"].as_str().is_some_and(|r| r.contains("3.6")), "{skew}");
    assert_eq!(stage.list().await, before);
    stage.assert_no_trace();
}
