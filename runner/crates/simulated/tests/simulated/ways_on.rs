//! Always a way on: whoever was given as an endpoint is gone, another cluster answers there, the quorum waits for this very node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use runner_core::cluster::{Cluster, MemberId, MemberList, MemberMetrics, MemberStatus, Result};
use runner_core::pipeline::Operation;
use runner_core::terms::Outcome;
use runner_simulated::{Faults, Incident, Moment, Op, Simulation, When};

use runner_simulated::world::{NODE, VERSIONS, World, virtually};

/// From some call on, every second one is answered by another cluster at the same addresses: machines that were built anew, or an address
/// in front of both.
struct Flip {
    ours: Arc<dyn Cluster>,
    other: Arc<dyn Cluster>,
    from: u64,
    calls: AtomicU64,
}

impl Flip {
    fn next(&self) -> &dyn Cluster {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call >= self.from && call % 2 == 1 { &*self.other } else { &*self.ours }
    }
}

#[async_trait]
impl Cluster for Flip {
    async fn member_list(&self, endpoint: &str) -> Result<MemberList> {
        self.next().member_list(endpoint).await
    }

    async fn status(&self, endpoint: &str) -> Result<MemberStatus> {
        self.next().status(endpoint).await
    }

    async fn propose(&self, endpoint: &str) -> Result<()> {
        self.ours.propose(endpoint).await
    }

    async fn add_learner(&self, endpoint: &str, peer_urls: &[String]) -> Result<MemberId> {
        self.ours.add_learner(endpoint, peer_urls).await
    }

    async fn promote(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.ours.promote(endpoint, id).await
    }

    async fn remove(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.ours.remove(endpoint, id).await
    }

    async fn linearizable_read(&self, endpoint: &str) -> Result<()> {
        self.ours.linearizable_read(endpoint).await
    }

    async fn peer_members(&self, peer_url: &str) -> Result<MemberList> {
        self.next().peer_members(peer_url).await
    }

    async fn metrics(&self, metrics_url: &str) -> Result<MemberMetrics> {
        self.ours.metrics(metrics_url).await
    }
}

#[test]
fn another_cluster_that_answers_is_never_believed() {
    let calls = {
        let world = World::of("3.5.35", 3, Faults::none());
        virtually(world.run(Operation::Join));
        world.simulation.calls()
    };
    for from in 0..calls {
        let mut world = World::of("3.5.35", 3, Faults::none());
        let other = Simulation::builder().version("3.5.35").voters(3).seed(8).build();
        let cluster = other.cluster();
        world.over(Box::new(move |ours| Arc::new(Flip { ours, other: cluster.clone(), from, calls: AtomicU64::new(0) })));
        let end = virtually(world.run(Operation::Join));
        let context = format!("another cluster answers from call {from} on");
        assert!(other.mutations().is_empty(), "{context}");
        // Whatever is said, it is true of the cluster that the run began with.
        if matches!(end.outcome, Outcome::Stuck | Outcome::Interrupted) {
            assert!(world.unfinished() && !end.hints.is_empty(), "{context}: {end:?}");
            continue;
        }
        world.must_tell_the_truth(&end, &context);
    }
}

#[test]
fn endpoints_of_two_clusters_are_refused() {
    let mut world = World::of("3.5.35", 3, Faults::none());
    let other = Simulation::builder().version("3.5.35").voters(3).seed(8).build();
    let cluster = other.cluster();
    world.over(Box::new(move |ours| Arc::new(Flip { ours, other: cluster.clone(), from: 0, calls: AtomicU64::new(0) })));
    let end = virtually(world.run(Operation::Join));
    assert_eq!(end.outcome, Outcome::CheckRefused, "{end:?}");
    assert!(end.message.contains("the endpoints belong to two clusters"), "{end:?}");
    assert!(world.simulation.mutations().is_empty() && other.mutations().is_empty());
}

#[test]
fn a_run_finds_the_cluster_by_every_member_that_it_has_seen() {
    for operation in [Operation::Rollback, Operation::Resume] {
        let mut world = World::of("3.5.35", 4, Faults::none());
        // One endpoint was typed, and its machine is gone when the run is gone on with.
        world.plan_mut().endpoints.truncate(1);
        let end = virtually(async {
            let faults = When::Call(Op::Start, 1);
            world.simulation.schedule(faults, Incident::Show);
            // The 20th call is after the start of the learner and before its promotion.
            assert!(world.run_until_crash(Operation::Join, 20, Moment::After).await.is_none(), "it came to its end");
            assert!(world.simulation.count(Op::Start) == 1 && world.simulation.count(Op::Promote) == 0);
            world.simulation.incident(Incident::Crash("node-1".to_owned()));
            tokio::time::sleep(Duration::from_secs(30)).await;
            world.run(operation).await
        });
        let expected = if operation == Operation::Rollback { Outcome::RolledBackOnRequest } else { Outcome::Joined };
        assert_eq!(end.outcome, expected, "{operation:?}: {end:?}\n{}", world.story());
        assert!(!world.unfinished(), "{operation:?}: {end:?}");
    }
}

#[test]
fn a_member_whose_vote_the_quorum_needs_is_started_before_anybody_is_asked() {
    for version in VERSIONS {
        // One voter became two; the machine of the new one loses its power right after the promotion.
        let undisturbed = World::of(version, 1, Faults::none());
        virtually(undisturbed.run(Operation::Join));
        let promote =
            undisturbed.simulation.trace().into_iter().find(|call| call.op == Op::Promote).expect("promoted").number;
        for (k, moment) in [(promote, Moment::After), (promote + 1, Moment::Before), (promote + 3, Moment::Before)] {
            let world = World::of(version, 1, Faults::none());
            let end = virtually(async {
                assert!(world.run_until_crash(Operation::Join, k, moment).await.is_none());
                world.simulation.incident(Incident::CrashNewcomer);
                tokio::time::sleep(Duration::from_secs(3600)).await;
                world.run(Operation::Resume).await
            });
            assert_eq!(end.outcome, Outcome::Joined, "{version}, {moment:?} {k}: {end:?}\n{}", world.story());
            assert!(world.simulation.runs(NODE) && !world.unfinished());
        }
    }
}
