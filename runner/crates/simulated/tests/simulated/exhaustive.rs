//! Every place at which a run can be hurt, one after the other, on every simulated version.

use std::time::Duration;

use runner_core::cluster::Reason;
use runner_core::pipeline::Operation;
use runner_core::terms::Outcome;
use runner_simulated::{Fault, Faults, Incident, Moment, Op, When};

use runner_simulated::world::{VERSIONS, World, virtually};

/// How many calls a run makes when nothing goes wrong.
fn calls(version: &str, voters: usize) -> u64 {
    let world = World::of(version, voters, Faults::none());
    assert_eq!(virtually(world.run(Operation::Join)).outcome, Outcome::Joined);
    world.simulation.calls()
}

#[test]
fn killed_in_every_call_then_resumed() {
    for version in VERSIONS {
        for k in 1..=calls(version, 3) {
            for moment in [Moment::Before, Moment::After] {
                let world = World::of(version, 3, Faults::none());
                let context = format!("{version}, killed {moment:?} call {k}");
                virtually(async {
                    assert!(world.run_until_crash(Operation::Join, k, moment).await.is_none(), "{context}: not reached");
                    let conclusion = world.run(Operation::Resume).await;
                    assert_eq!(conclusion.outcome, Outcome::Joined, "{context}: {conclusion:?}\n{}", world.story());
                });
                assert!(world.must_be_whole(&context), "{context}");
                assert_eq!(world.simulation.quorum_lost(), Duration::ZERO, "{context}");
            }
        }
    }
}

#[test]
fn killed_in_every_call_then_rolled_back_twice() {
    for version in VERSIONS {
        for k in 1..=calls(version, 3) {
            for moment in [Moment::Before, Moment::After] {
                let world = World::of(version, 3, Faults::none());
                let context = format!("{version}, killed {moment:?} call {k}");
                virtually(async {
                    assert!(world.run_until_crash(Operation::Join, k, moment).await.is_none(), "{context}: not reached");
                    let conclusion = world.run(Operation::Rollback).await;
                    let promoted = world.must_be_whole(&context);
                    let expected = if promoted { Outcome::Stuck } else { Outcome::RolledBackOnRequest };
                    assert_eq!(conclusion.outcome, expected, "{context}: {conclusion:?}\n{}", world.story());
                    if !promoted {
                        world.forget_the_end();
                        let again = world.run(Operation::Rollback).await;
                        assert_eq!(again.outcome, Outcome::RolledBackOnRequest, "{context}: {again:?}");
                        assert!(!world.must_be_whole(&context));
                    }
                });
            }
        }
    }
}

#[test]
fn every_undo_is_killed_in_every_call_and_finished_later() {
    for version in VERSIONS {
        let refusing =
            || Faults::none().when(When::Call(Op::Promote, 1), Incident::Refuse(Op::Promote, Reason::PermissionDenied));
        let whole = World::of(version, 3, refusing());
        let conclusion = virtually(whole.run(Operation::Join));
        assert_eq!(conclusion.outcome, Outcome::RolledBack, "{conclusion:?}");
        let last = whole.simulation.calls();
        for k in 1..=last {
            let world = World::of(version, 3, refusing());
            let context = format!("{version}, killed after call {k} of {last}");
            virtually(async {
                world.run_until_crash(Operation::Join, k, Moment::After).await;
                if world.unfinished() {
                    world.run(Operation::Rollback).await;
                }
            });
            assert!(!world.must_be_whole(&context), "{context}");
        }
    }
}

#[test]
fn every_mutation_fails_once_or_loses_its_answer() {
    let faults = [
        Fault::Fail(Reason::UnhealthyCluster),
        Fault::Fail(Reason::NoLeader),
        Fault::Fail(Reason::RequestTimedOut),
        Fault::Fail(Reason::Unreachable),
        Fault::AnswerLost,
        Fault::ConnectionLost,
        Fault::AppliedLate(Duration::from_secs(6)),
        Fault::AppliedLate(Duration::from_secs(14)),
        Fault::Delay(Duration::from_secs(3)),
        Fault::DelayAnswer(Duration::from_secs(3)),
    ];
    for version in VERSIONS {
        for op in [Op::AddLearner, Op::Promote, Op::Start, Op::Acquire, Op::Held, Op::Release, Op::MemberList, Op::Status] {
            for nth in 1..=3 {
                for fault in faults {
                    let world = World::of(version, 3, Faults::none().at(op, nth, fault));
                    let context = format!("{version}, {op:?} {nth} {fault:?}");
                    let conclusion = virtually(world.run(Operation::Join));
                    world.must_tell_the_truth(&conclusion, &context);
                    let started = op != Op::Start;
                    assert!(
                        !started || conclusion.outcome == Outcome::Joined,
                        "{context}: {conclusion:?}\n{}",
                        world.story()
                    );
                }
            }
        }
    }
}

#[test]
fn every_call_is_refused_for_good_from_every_step_on() {
    let reasons = [Reason::PermissionDenied, Reason::Unreachable, Reason::UnhealthyCluster, Reason::LearnerNotReady];
    for version in VERSIONS {
        for from in [Op::AddLearner, Op::Start, Op::Promote] {
            for op in Op::CLUSTER.iter().chain(Op::LOCK) {
                for reason in reasons {
                    let faults = Faults::none().when(When::Call(from, 1), Incident::Refuse(*op, reason));
                    let world = World::of(version, 3, faults);
                    let context = format!("{version}, {op:?} refused with {reason:?} from {from:?} on");
                    virtually(async {
                        let conclusion = world.run(Operation::Join).await;
                        if world.unfinished() {
                            assert!(!conclusion.hints.is_empty(), "{context}: {conclusion:?}");
                            world.heal();
                            world.run(Operation::Resume).await;
                        }
                    });
                    world.must_be_whole(&context);
                }
            }
        }
    }
}

#[test]
fn the_undo_survives_every_fault_of_its_own() {
    let faults = [
        Fault::Fail(Reason::NoLeader),
        Fault::AnswerLost,
        Fault::ConnectionLost,
        Fault::AppliedLate(Duration::from_secs(4)),
    ];
    for (version, op) in
        VERSIONS.into_iter().flat_map(|v| [Op::Remove, Op::Stop, Op::DiscardData, Op::Release].map(|o| (v, o)))
    {
        for fault in faults {
            let plan = Faults::none()
                .when(When::Call(Op::Promote, 1), Incident::Refuse(Op::Promote, Reason::PermissionDenied))
                .at(op, 1, fault);
            let world = World::of(version, 3, plan);
            let context = format!("{version}, {op:?} {fault:?}");
            virtually(async {
                world.run(Operation::Join).await;
                if world.unfinished() {
                    world.run(Operation::Rollback).await;
                }
            });
            assert!(!world.must_be_whole(&context), "{context}");
        }
    }
}
