//! Other hands on the same node and the same member, between two commands and in the middle of one: what is not this run's is left.

use std::time::Duration;

use runner_core::cluster::Cluster as _;
use runner_core::pipeline::{Conclusion, DataDir, FromData, Interrupt, Operation, Verdict};
use runner_core::terms::Outcome;
use runner_simulated::{Fault, Faults, Incident, Moment, MutationKind, Op, When};

use runner_simulated::world::{NODE, VERSIONS, World, closed, virtually};

fn world(voters: usize, faults: Faults) -> World {
    World::of("3.5.35", voters, faults)
}

/// The number of the n-th call of this kind in an undisturbed join.
fn call(version: &str, voters: usize, op: Op, nth: usize) -> u64 {
    let world = World::of(version, voters, Faults::none());
    virtually(world.run(Operation::Join));
    let found = world.simulation.trace().into_iter().filter(|call| call.op == op).nth(nth - 1);
    found.unwrap_or_else(|| panic!("no {op:?} {nth}")).number
}

/// A person (or their tool) has seen the dead runner, cleaned up by hand and joined the node by other means. Then somebody runs what
/// `status` names.
async fn overtaken(world: &World, k: u64, moment: Moment, operation: Operation) -> Option<Conclusion> {
    if world.run_until_crash(Operation::Join, k, moment).await.is_some() || !world.unfinished() {
        return None;
    }
    // etcd lets nobody remove a voter in its first seconds.
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.simulation.incident(Incident::RejoinedByOthers(NODE.to_owned()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    Some(world.run(operation).await)
}

#[test]
fn a_stale_run_leaves_somebody_elses_member_alone_wherever_it_died() {
    let mut tried = 0;
    for version in VERSIONS {
        for voters in [1, 3] {
            let calls = {
                let world = World::of(version, voters, Faults::none());
                virtually(world.run(Operation::Join));
                world.simulation.calls()
            };
            for k in 1..=calls {
                for moment in [Moment::Before, Moment::After] {
                    for operation in [Operation::Resume, Operation::Rollback] {
                        let world = World::of(version, voters, Faults::none());
                        let context = format!("{version}, {voters} voters, died {moment:?} call {k}, {operation:?}");
                        let Some(end) = virtually(overtaken(&world, k, moment, operation)) else { continue };
                        tried += 1;
                        world.others_are_whole().unwrap_or_else(|what| panic!("{context}: {what}\n{}", world.story()));
                        assert!(!world.unfinished(), "{context}: {end:?}\n{}", world.story());
                        assert_ne!(end.outcome, Outcome::Stuck, "{context}: {end:?}");
                        assert_eq!(world.simulation.quorum_lost(), Duration::ZERO, "{context}");
                        assert_eq!(world.simulation.lock_holder(), None, "{context}");
                        // What was never added is no reason to speak of somebody else; what was, is.
                        if !world.simulation.added().is_empty() {
                            assert_eq!(end.outcome, Outcome::Overtaken, "{context}: {end:?}\n{}", world.story());
                        }
                    }
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn a_member_that_somebody_else_promoted_stays() {
    for version in VERSIONS {
        let k = call(version, 3, Op::Start, 1);
        for operation in [Operation::Rollback, Operation::Resume] {
            let world = World::of(version, 3, Faults::none());
            virtually(async {
                assert!(world.run_until_crash(Operation::Join, k, Moment::After).await.is_none());
                tokio::time::sleep(Duration::from_secs(5)).await;
                world.simulation.incident(Incident::RivalPromotes);
                tokio::time::sleep(Duration::from_secs(1)).await;
                let end = world.run(operation).await;
                assert!(world.must_be_whole(version), "{end:?}");
                assert!(world.simulation.runs(NODE), "{end:?}");
                if operation == Operation::Resume {
                    assert_eq!(end.outcome, Outcome::Joined, "{end:?}");
                } else {
                    assert_eq!(end.outcome, Outcome::Stuck, "{end:?}");
                    // The hint is a way on, not a circle.
                    assert!(end.hints.iter().any(|hint| hint.contains("`runner resume`")), "{end:?}");
                    assert_eq!(world.run(Operation::Resume).await.outcome, Outcome::Joined);
                }
            });
            assert!(!world.unfinished());
        }
    }
}

#[test]
fn nothing_that_ends_a_run_removes_a_member_that_was_promoted_meanwhile() {
    let promoted = || Faults::none().when(When::Call(Op::DataSize, 4), Incident::RivalPromotes);
    // A plugin refuses.
    let refused = world(3, promoted());
    refused.verdicts().promotion.lock().unwrap().push(Verdict::Reject { reason: "no".to_owned() });
    virtually(refused.run(Operation::Join));
    assert!(refused.must_be_whole("refused"));
    // Ctrl-C.
    for millis in [300, 400, 500, 600, 700] {
        let world = world(3, promoted());
        virtually(async {
            let interrupt = Interrupt::default();
            let ours = interrupt.clone();
            let stop = async {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                ours.undo.cancel();
            };
            tokio::join!(world.interruptible(Operation::Join, interrupt), stop)
        });
        world.must_be_whole(&format!("interrupted after {millis} ms"));
    }
    // While it is being removed: the first try fails, and then it has a vote.
    let faults = Faults::none()
        .at(Op::Remove, 1, Fault::Fail(runner_core::cluster::Reason::LeaderChanged))
        .when(When::Call(Op::Remove, 1), Incident::RivalPromotes);
    let removing = world(3, faults);
    removing.verdicts().promotion.lock().unwrap().push(Verdict::Reject { reason: "no".to_owned() });
    virtually(async {
        let end = removing.run(Operation::Join).await;
        assert_eq!(end.outcome, Outcome::Stuck, "{end:?}");
        assert!(removing.must_be_whole("promoted while it was removed"));
        assert_eq!(removing.run(Operation::Resume).await.outcome, Outcome::Joined);
    });
}

#[test]
fn a_member_that_came_by_other_means_is_not_taken_for_an_add_without_an_answer() {
    // The add was never applied, and the runner is dead. The node is joined by other means, as a voter: it must not be removed.
    for operation in [Operation::Rollback, Operation::Resume] {
        let k = call("3.5.35", 3, Op::AddLearner, 1);
        let world = world(3, Faults::none());
        let end = virtually(overtaken(&world, k, Moment::Before, operation)).expect("it died");
        assert_eq!(end.outcome, Outcome::Overtaken, "{end:?}\n{}", world.story());
        assert!(end.message.contains("was never added"), "{end:?}");
        world.others_are_whole().unwrap_or_else(|what| panic!("{what}\n{}", world.story()));
    }
}

#[test]
fn a_promotion_that_takes_effect_after_two_interrupts_can_be_ended() {
    let faults = Faults::none().at(Op::Promote, 1, Fault::AppliedLate(Duration::from_secs(8)));
    let world = world(3, faults);
    let promoting = call("3.5.35", 3, Op::Promote, 1);
    virtually(async {
        let interrupt = Interrupt::default();
        let ours = interrupt.clone();
        let point = world.simulation.crash_at(promoting + 4, Moment::Before);
        let stop = async {
            while world.simulation.count(Op::Promote) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            ours.undo.cancel();
        };
        let run = async { tokio::join!(world.interruptible(Operation::Join, interrupt), stop).0 };
        // It dies in the undo, before the promotion takes effect.
        assert!(point.run(run).await.is_none(), "{}", world.story());
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(world.unfinished());
        let back = world.run(Operation::Rollback).await;
        assert_eq!(back.outcome, Outcome::Stuck, "{back:?}");
        let on = world.run(Operation::Resume).await;
        assert_eq!(on.outcome, Outcome::Joined, "{on:?}\n{}", world.story());
    });
    assert!(!world.unfinished() && world.must_be_whole("promoted late"));
}

#[test]
fn a_run_that_is_known_to_be_promoted_is_only_verified() {
    let k = call("3.5.35", 3, Op::Promote, 1);
    for moment in [Moment::After, Moment::Before] {
        let world = world(3, Faults::none());
        let end = virtually(async {
            // After: the promotion is done, and the journal does not know it. Later: it does.
            let k = if moment == Moment::After { k } else { k + 2 };
            assert!(world.run_until_crash(Operation::Join, k, moment).await.is_none());
            // By now a maintenance window has closed, and somebody else holds the lock for long.
            world.verdicts().findings.lock().unwrap().push(closed());
            let other = world.simulation.lock("another-run", "another-node");
            tokio::time::sleep(Duration::from_secs(60)).await;
            runner_core::pipeline::JoinLock::try_acquire(&*other, &world.simulation.endpoints()[0]).await.unwrap();
            let began = tokio::time::Instant::now();
            let end = world.run(Operation::Resume).await;
            assert!(began.elapsed() < Duration::from_secs(10), "it waited for {:?}", began.elapsed());
            end
        });
        assert_eq!(end.outcome, Outcome::Joined, "{end:?}\n{}", world.story());
        assert!(!world.unfinished());
    }
}

#[test]
fn a_learner_that_ran_before_runs_afterwards() {
    let world = world(3, Faults::none());
    let k = call("3.5.35", 3, Op::Promote, 1);
    let end = virtually(async {
        // Somebody's join failed at its end and left a learner that runs.
        assert!(world.run_until_crash(Operation::Join, k, Moment::Before).await.is_none());
        world.forget_the_run();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(world.simulation.runs(NODE));
        // A new join takes it over, and is refused.
        world.verdicts().promotion.lock().unwrap().push(Verdict::Reject { reason: "no".to_owned() });
        world.run(Operation::Join).await
    });
    assert_eq!(end.outcome, Outcome::PluginRefused, "{end:?}");
    assert!(world.simulation.runs(NODE), "{end:?}\n{}", world.story());
    let changes = world.simulation.mutations();
    assert!(changes.iter().all(|change| change.kind == MutationKind::Added), "{changes:?}");
}

#[test]
fn a_member_that_others_run_is_not_started_a_second_time() {
    // Somebody's join failed at its end and left a learner that runs; a new join takes it over.
    let taken_over = |world: &World| {
        world.forget_the_run();
        world.simulation.runs(NODE)
    };
    let k = call("3.5.35", 3, Op::Promote, 1);
    let again = {
        let world = world(3, Faults::none());
        virtually(async {
            assert!(world.run_until_crash(Operation::Join, k, Moment::Before).await.is_none());
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert!(taken_over(&world));
            assert_eq!(world.run(Operation::Join).await.outcome, Outcome::Joined);
        });
        world.simulation.trace().into_iter().filter(|call| call.op == Op::Start).nth(1).expect("handed over").number
    };
    let world = world(3, Faults::none());
    virtually(async {
        assert!(world.run_until_crash(Operation::Join, k, Moment::Before).await.is_none());
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(taken_over(&world));
        assert!(world.run_until_crash(Operation::Join, again, Moment::After).await.is_none());
        // The node reboots, and the kubelet takes its time.
        world.simulation.incident(Incident::CrashNewcomer);
        let started = world.simulation.count(Op::Start);
        let kubelet = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            world.simulation.incident(Incident::RestartNewcomer);
        };
        let (end, ()) = tokio::join!(world.run(Operation::Resume), kubelet);
        assert_eq!(end.outcome, Outcome::Joined, "{end:?}\n{}", world.story());
        assert_eq!(world.simulation.count(Op::Start), started, "{}", world.story());
    });
}

#[test]
fn data_that_came_by_other_means_is_not_started_after_a_join_that_was_refused() {
    let world = world(3, Faults::none());
    world.verdicts().findings.lock().unwrap().push(closed());
    virtually(async {
        let end = world.run(Operation::Join).await;
        assert_ne!(end.outcome, Outcome::Joined, "{end:?}");
        world.simulation.incident(Incident::RejoinedByOthers(NODE.to_owned()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.simulation.incident(Incident::Crash(NODE.to_owned()));
        let started = world.start().await.unwrap();
        assert!(matches!(started, FromData::Others(_)), "{started:?}");
    });
    assert!(!world.simulation.runs(NODE));
}

#[test]
fn a_member_that_was_taken_over_and_is_removed_by_others_does_not_run_on() {
    let added = |world: &World| world.simulation.incident(Incident::TakesUrlOf(NODE.to_owned()));
    let k = {
        let world = world(3, Faults::none());
        added(&world);
        let end = virtually(world.run(Operation::Join));
        assert_eq!(end.outcome, Outcome::Joined, "{end:?}");
        world.simulation.trace().into_iter().find(|call| call.op == Op::Promote).expect("promoted").number
    };
    let world = world(3, Faults::none());
    added(&world);
    virtually(async {
        assert!(world.run_until_crash(Operation::Join, k, Moment::After).await.is_none());
        tokio::time::sleep(Duration::from_secs(20)).await;
        let DataDir::Member { member_id, .. } = world.simulation.data_dir(NODE) else { panic!("no data") };
        for endpoint in world.simulation.endpoints() {
            if world.simulation.cluster().remove(&endpoint, member_id).await.is_ok() {
                break;
            }
        }
        assert!(world.simulation.members().get(member_id).is_none());
        let end = world.run(Operation::Rollback).await;
        assert!(!world.unfinished(), "{end:?}");
        assert!(!world.simulation.runs(NODE), "{end:?}\n{}", world.story());
    });
}
