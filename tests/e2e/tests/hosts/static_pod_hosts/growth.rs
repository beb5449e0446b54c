//! One, two, three, on every etcd and in every family of addresses.

use std::thread;

use runner_harness::{EtcdBinary, Family, SOON, Spawned, every_minor, in_a_network_of_its_own, newest};

use super::site::{Machine, Site, done};

/// One, two, three: found through the API, with the manifest's rights, one after another.
async fn grow_to_three(family: Family, etcd: &EtcdBinary) {
    let mut site = Site::start(family, etcd).await;
    for number in [1, 2] {
        site.machine();
        let node = site.api.object("nodes", "", &site.machines[number].host.name);
        let joined = done(site.join(number)).await.expect_code(0);
        site.assert_joined(number).await;
        let expected = ["EtcdJoinStarted", "EtcdMemberPromoted", "EtcdJoined"];
        assert_eq!(site.events(number), expected, "{}", joined.stdout);
        assert!(!joined.stdout.contains("is forbidden"), "the rights are enough: {}", joined.stdout);
        assert_eq!(site.api.object("nodes", "", &site.machines[number].host.name), node, "nobody asked to mark it");
        site.registered(number).await;
    }
    let manifests: Vec<_> = site.machines.iter().map(Machine::manifest).collect();
    // The members' order is that of their ids.
    assert!(
        ["cp-1=https://", "cp-2=https://", "cp-3=https://"].iter().all(|one| manifests[2].contains(one)),
        "{}",
        manifests[2]
    );
    assert_eq!(site.list().await.len(), 3);
}

/// Each in a thread of its own, so in a network of its own, at once.
fn at_once(what: Vec<(Family, EtcdBinary)>) {
    thread::scope(|scope| {
        for (family, etcd) in what {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(grow_to_three(family, &etcd));
            });
        }
    });
}

#[test]
fn three_hosts_on_every_minor() {
    if in_a_network_of_its_own() {
        at_once(every_minor().into_iter().map(|etcd| (Family::V4, etcd)).collect());
    }
}

#[test]
fn three_hosts_over_ipv6_and_over_both() {
    if in_a_network_of_its_own() {
        at_once(vec![(Family::V6, newest()), (Family::Dual, newest())]);
    }
}

#[tokio::test]
async fn two_joiners_take_turns_though_one_has_no_api() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let (one, other) = (site.machine(), site.machine());
    let first = Spawned::start(site.join(one));
    let second = Spawned::start(site.join_without_api(other));
    let (first, second) = tokio::join!(first.finish(SOON), second.finish(SOON));
    first.expect_code(0);
    second.expect_code(0);
    assert_eq!(site.list().await.len(), 3);
    for number in [one, other] {
        site.assert_joined(number).await;
    }
}
