//! Long waits: what was checked before one is checked after it, and patience begins anew.

use std::sync::Arc;
use std::time::Duration;

use runner_core::cluster::Reason;
use runner_core::event::EventKind;
use runner_core::pipeline::{JoinLock, Operation};
use runner_core::terms::{Outcome, Step};
use runner_simulated::{Fault, Faults, Incident, Moment, Op, SimulatedLock, When};

use runner_simulated::world::{World, closed, virtually};

/// Somebody else holds the join lock.
async fn held_by_another(world: &World) -> Arc<SimulatedLock> {
    let lock = world.simulation.lock("another-run", "another-node");
    assert_eq!(lock.try_acquire(&world.simulation.endpoints()[0]).await.unwrap(), None);
    lock
}

#[test]
fn a_window_that_closes_in_the_queue_refuses() {
    let world = World::of("3.5.35", 3, Faults::none());
    let end = virtually(async {
        let lock = held_by_another(&world).await;
        let later = async {
            tokio::time::sleep(Duration::from_secs(600)).await;
            world.verdicts().findings.lock().unwrap().push(closed());
            lock.release(&world.simulation.endpoints()[0]).await.unwrap();
        };
        tokio::join!(world.run(Operation::Join), later).0
    });
    assert_eq!(end.outcome, Outcome::PluginRefused, "{end:?}\n{}", world.story());
    assert!(world.simulation.mutations().is_empty());
}

#[test]
fn a_window_that_closes_while_a_lost_lock_is_queued_for_undoes_before_the_promotion() {
    // The lease ends right before the promotion, and the next joiner takes the lock for five minutes.
    let world = World::of("3.5.35", 3, Faults::none().when(When::Call(Op::Held, 2), Incident::LockLost));
    let end = virtually(async {
        let next = world.simulation.lock("another-run", "another-node");
        let at = world.simulation.endpoints()[0].clone();
        let rival = async {
            while next.try_acquire(&at).await.unwrap().is_some() || world.simulation.count(Op::Held) < 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            world.verdicts().findings.lock().unwrap().push(closed());
            tokio::time::sleep(Duration::from_secs(300)).await;
            next.release(&at).await.unwrap();
        };
        // It waits in the queue from the start of our sync on.
        let started = async {
            while world.simulation.count(Op::Start) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            rival.await;
        };
        tokio::join!(world.run(Operation::Join), started).0
    });
    assert_eq!(end.outcome, Outcome::PluginRefused, "{end:?}\n{}", world.story());
    assert!(!world.must_be_whole("refused after a lost lock"));
    assert_eq!(world.simulation.quorum_lost(), Duration::ZERO);
    let told =
        world.events().iter().any(|event| matches!(&event.kind, EventKind::Finding { code, .. } if code == "lock-lost"));
    assert!(!told, "the loss came with the last look at the lock: there was nothing to tell before");
}

#[test]
fn a_lock_that_is_lost_while_the_learner_catches_up_is_said_at_once() {
    let world = World::of("3.5.35", 3, Faults::none().when(When::Call(Op::DataSize, 3), Incident::LockLost));
    let end = virtually(world.run(Operation::Join));
    assert_eq!(end.outcome, Outcome::Joined, "{end:?}\n{}", world.story());
    let events = world.events();
    let at = |found: &dyn Fn(&EventKind) -> bool| events.iter().position(|event| found(&event.kind));
    let told = at(&|kind| matches!(kind, EventKind::Finding { code, .. } if code == "lock-lost"));
    let promote = at(&|kind| matches!(kind, EventKind::StepStarted { step: Step::Promote }));
    assert!(told.is_some() && told < promote, "{events:?}");
}

#[test]
fn trouble_after_minutes_in_the_queue_is_waited_out() {
    for fault in [Reason::NoLeader, Reason::Unreachable, Reason::ProposalDropped] {
        let world = World::of("3.5.35", 3, Faults::none().at(Op::Acquire, 200, Fault::Fail(fault)));
        let end = virtually(async {
            let lock = held_by_another(&world).await;
            let later = async {
                tokio::time::sleep(Duration::from_secs(120)).await;
                lock.release(&world.simulation.endpoints()[0]).await.unwrap();
            };
            tokio::join!(world.run(Operation::Join), later).0
        });
        assert!(world.simulation.count(Op::Acquire) > 200, "the fault was met");
        assert_eq!(end.outcome, Outcome::Joined, "{fault:?}: {end:?}");
    }
}

#[test]
fn a_slot_that_frees_after_minutes_leaves_all_of_the_adds_patience() {
    let world = World::of("3.5.35", 3, Faults::none().when(When::After(Duration::from_secs(200)), Incident::Disarm));
    let end = virtually(async {
        world.simulation.incident(Incident::RivalAdds);
        let later = async {
            tokio::time::sleep(Duration::from_secs(200)).await;
            let list = world.simulation.members();
            let learner = list.learners().next().expect("the rival's").id;
            world.simulation.incident(Incident::Refuse(Op::AddLearner, Reason::UnhealthyCluster));
            let at = world.simulation.endpoints()[0].clone();
            runner_core::cluster::Cluster::remove(&*world.simulation.cluster(), &at, learner).await.unwrap();
            // As after every change of the voters: etcd takes no member for some seconds.
            tokio::time::sleep(Duration::from_secs(20)).await;
            world.simulation.incident(Incident::Accept);
        };
        tokio::join!(world.run(Operation::Join), later).0
    });
    assert_eq!(end.outcome, Outcome::Joined, "{end:?}\n{}", world.story());
}

#[test]
fn who_cannot_use_the_lock_gives_way_to_the_learner_that_stands_in_the_way() {
    let world = World::of("3.5.35", 3, Faults::none());
    virtually(async {
        // A learner of a run that lost its lock and queues for it again, behind us.
        world.simulation.incident(Incident::RivalAdds);
        let (owner, at) = (world.simulation.lock("its-run", "its-node"), world.simulation.endpoints()[0].clone());
        let its_turn = async {
            while world.simulation.count(Op::AddLearner) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let began = tokio::time::Instant::now();
            while owner.try_acquire(&at).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(began.elapsed() < Duration::from_secs(5), "it waited for {:?}", began.elapsed());
            let learner = world.simulation.members().learners().next().expect("its learner").id;
            runner_core::cluster::Cluster::remove(&*world.simulation.cluster(), &at, learner).await.unwrap();
            owner.release(&at).await.unwrap();
        };
        let (end, ()) = tokio::join!(world.run(Operation::Join), its_turn);
        assert_eq!(end.outcome, Outcome::Joined, "{end:?}\n{}", world.story());
    });
}

#[test]
fn a_runner_that_dies_while_it_gives_way_can_be_ended() {
    for moment in [Moment::Before, Moment::After] {
        let world = World::of("3.5.35", 3, Faults::none());
        virtually(async {
            world.simulation.incident(Incident::RivalAdds);
            let other = world.simulation.lock("its-run", "its-node");
            let at = world.simulation.endpoints()[0].clone();
            let queued = async {
                while world.simulation.count(Op::AddLearner) == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let _ = other.try_acquire(&at).await;
            };
            let calls = world.simulation.calls();
            let dies = world.run_until_crash(Operation::Join, calls + 40, moment);
            let (end, ()) = tokio::join!(dies, queued);
            assert!(end.is_none());
            let back = world.run(Operation::Rollback).await;
            assert_eq!(back.outcome, Outcome::RolledBackOnRequest, "{back:?}");
        });
        world.others_are_whole().unwrap_or_else(|what| panic!("{what}"));
        assert!(!world.unfinished());
    }
}
