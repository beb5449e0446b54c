//! Kubernetes beside the cluster: whatever becomes of its API, at whichever call, a join goes on and an undo is whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use runner_simulated::world::{InnerLock, NODE, OuterLock, World, virtually};
use runner_simulated::{Faults, Incident, Moment, Op, Simulation, When};

use super::lease::memory::MemoryLease;
use super::{Locks, Names, Notices};
use crate::cluster::{Reason, View};
use crate::event::{Event, EventKind};
use crate::pipeline::{Finding, JoinLock, Newcomer, Operation, Outcome, Platform, Severity};
use crate::report::Buffer;

const VERSION: &str = "3.6.16";

fn world(faults: Faults) -> (World, Arc<MemoryLease>) {
    let mut world = World::of(VERSION, 3, faults);
    let lease = Arc::new(MemoryLease::default());
    let store = lease.clone();
    world.lock_over(Box::new(move |inner: InnerLock| {
        let notices = Notices::new(inner.sink);
        let names = Names::default();
        Arc::new(Locks::new(inner.lock, store.clone(), &names, inner.run, NODE.to_owned(), inner.resumed, notices))
    }));
    (world, lease)
}

#[async_trait]
impl OuterLock for Locks {
    async fn end(&self) {
        self.release_lease().await;
    }
}

/// A promotion that etcd never permits, so that the run is undone.
fn undone() -> Faults {
    Faults::none().when(When::Call(Op::Promote, 1), Incident::Refuse(Op::Promote, Reason::PermissionDenied))
}

/// How many calls to the API a run makes when nothing goes wrong.
fn calls(faults: fn() -> Faults, outcome: Outcome) -> u64 {
    let (world, lease) = world(faults());
    assert_eq!(virtually(world.run(Operation::Join)).outcome, outcome);
    assert_eq!(lease.lease(), None, "the Lease is left");
    lease.calls()
}

#[test]
fn the_api_goes_away_in_every_call_and_the_join_goes_on() {
    for (faults, outcome) in [(Faults::none as fn() -> Faults, Outcome::Joined), (undone, Outcome::RolledBack)] {
        for call in 1..=calls(faults, outcome) {
            for applied in [false, true] {
                let (world, lease) = world(faults());
                lease.away_from(call, applied);
                let context = format!("{outcome}, the API away from call {call}, applied: {applied}");
                let conclusion = virtually(world.run(Operation::Join));
                assert_eq!(conclusion.outcome, outcome, "{context}: {conclusion:?}\n{}", world.story());
                assert_eq!(world.must_be_whole(&context), outcome == Outcome::Joined);
                let code = |event: &Event| match &event.kind {
                    EventKind::Finding { code, .. } => code == "kubernetes-unreachable",
                    _ => false,
                };
                assert_eq!(world.events().iter().filter(|e| code(e)).count(), 1, "{context}: it is said once");
            }
        }
    }
}

#[test]
fn killed_in_every_call_with_the_api_gone_since() {
    let whole = World::of(VERSION, 3, Faults::none());
    virtually(whole.run(Operation::Join));
    for k in 1..=whole.simulation.calls() {
        for operation in [Operation::Resume, Operation::Rollback] {
            let (world, lease) = world(Faults::none());
            let context = format!("{operation:?} after a kill in call {k}");
            virtually(async {
                if world.run_until_crash(Operation::Join, k, Moment::After).await.is_some() {
                    return;
                }
                lease.away_from(1, false);
                let conclusion = world.run(operation).await;
                let promoted = world.must_be_whole(&context);
                let expected = match (operation, promoted) {
                    (Operation::Resume, _) => Outcome::Joined,
                    (_, true) => Outcome::Stuck,
                    (_, false) => Outcome::RolledBackOnRequest,
                };
                assert_eq!(conclusion.outcome, expected, "{context}: {conclusion:?}\n{}", world.story());
            });
        }
    }
}

#[test]
fn a_run_that_comes_back_gives_up_the_lease_that_it_left() {
    let whole = World::of(VERSION, 3, Faults::none());
    virtually(whole.run(Operation::Join));
    for k in 1..=whole.simulation.calls() {
        let (world, lease) = world(Faults::none());
        virtually(async {
            if world.run_until_crash(Operation::Join, k, Moment::After).await.is_none() {
                world.run(Operation::Rollback).await;
            }
        });
        assert_eq!(lease.lease(), None, "after a kill in call {k}");
    }
}

/// Both locks of one run, whose API has this Lease.
fn locks(simulation: &Simulation, lease: &Arc<MemoryLease>, run: &str) -> Locks {
    let notices = Notices::new(Arc::new(Buffer::default()));
    let etcd = simulation.lock(run, run);
    Locks::new(etcd, lease.clone(), &Names::default(), run.to_owned(), run.to_owned(), false, notices)
}

#[test]
fn a_joiner_without_the_api_and_one_with_it_exclude_each_other() {
    virtually(async {
        let simulation = Simulation::builder().version(VERSION).voters(1).seed(1).build();
        let endpoint = simulation.endpoints().remove(0);
        let (seen, gone) = (Arc::new(MemoryLease::default()), Arc::new(MemoryLease::default()));
        gone.away_from(1, false);
        let (with, without) = (locks(&simulation, &seen, "with"), locks(&simulation, &gone, "without"));

        assert_eq!(without.try_acquire(&endpoint).await.unwrap(), None);
        let queue = with.try_acquire(&endpoint).await.unwrap().expect("somebody is before it");
        assert_eq!(queue.run, "without");
        without.release(&endpoint).await.unwrap();
        assert_eq!(with.try_acquire(&endpoint).await.unwrap(), None);
        assert!(without.try_acquire(&endpoint).await.unwrap().is_some());

        // A third one waits for the Lease before it stands in etcd's queue, so that nobody waits for it in turn.
        let third = locks(&simulation, &seen, "third");
        assert_eq!(third.try_acquire(&endpoint).await.unwrap().expect("the Lease is held").run, "with");
        with.release(&endpoint).await.unwrap();
        assert_eq!(without.try_acquire(&endpoint).await.unwrap(), None);
        without.release(&endpoint).await.unwrap();
        assert_eq!(third.try_acquire(&endpoint).await.unwrap(), None);
        third.release(&endpoint).await.unwrap();
        assert_eq!((seen.lease(), simulation.lock_holder()), (None, None));
    });
}

/// Nodes that a test makes up.
struct Nodes {
    finding: Finding,
    joined: AtomicUsize,
}

#[async_trait]
impl Platform for Nodes {
    async fn check(&self, view: &View, _newcomer: &Newcomer) -> Vec<Finding> {
        assert!(!view.members.is_empty());
        tokio::time::sleep(Duration::from_secs(3)).await;
        vec![self.finding.clone()]
    }

    async fn joined(&self) -> Vec<Finding> {
        self.joined.fetch_add(1, Ordering::Relaxed);
        vec![self.finding.clone()]
    }
}

fn nodes(severity: Severity) -> Arc<Nodes> {
    let finding = Finding { severity, code: "node-x".into(), message: "a node is ill".into(), remedy: None, member: None };
    Arc::new(Nodes { finding, joined: AtomicUsize::new(0) })
}

#[test]
fn what_the_platform_finds_counts_before_the_join_and_not_after_it() {
    let mut world = World::of(VERSION, 3, Faults::none());
    world.with_platform(nodes(Severity::Error));
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::CheckRefused, "{conclusion:?}");
    assert!(conclusion.message.contains("a node is ill") && world.simulation.mutations().is_empty());

    let mut world = World::of(VERSION, 3, Faults::none());
    let nodes = nodes(Severity::Warning);
    world.with_platform(nodes.clone());
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!((conclusion.outcome, nodes.joined.load(Ordering::Relaxed)), (Outcome::Joined, 1), "{conclusion:?}");
}

#[test]
fn a_worker_may_join_where_everybody_is_well() {
    let world = World::of(VERSION, 3, Faults::none());
    let conclusion = virtually(world.check_for_worker());
    assert_eq!(
        (conclusion.outcome, conclusion.message.as_str()),
        (Outcome::Accepted, "the cluster is healthy enough for a worker to join")
    );
    // A join of a member would be fine with one voter of five silent; a worker waits.
    let world = World::of(VERSION, 5, Faults::none());
    world.simulation.incident(Incident::Crash(world.simulation.voter(5)));
    let conclusion = virtually(world.check_for_worker());
    assert_eq!(conclusion.outcome, Outcome::CheckRefused, "{conclusion:?}");
    assert!(conclusion.message.contains("4 of 5 voters are healthy"), "{conclusion:?}");
    assert!(world.simulation.mutations().is_empty() && world.simulation.lock_holder().is_none());
}
