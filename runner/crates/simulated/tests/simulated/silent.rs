//! A learner that has all the data and keeps its client port closed: etcd's own wait, and the restart that cuts it.

use std::time::Duration;

use runner_core::cluster::Reason;
use runner_core::event::EventKind;
use runner_core::pipeline::Operation;
use runner_core::terms::{Outcome, SilentLearner, Step};
use runner_simulated::{CatchUp, Fault, Faults, Incident, Moment, MutationKind, Op, Simulation, When};
use tokio::time::Instant;

use runner_simulated::world::{World, virtually};

/// A cluster that catches its newcomer up by snapshot, so that the newcomer's own name is lost in it.
fn world(voters: usize, silent: SilentLearner, faults: Faults) -> World {
    let builder = Simulation::builder().version("3.7.3").voters(voters).write_rate(200);
    let mut world = World::new(builder.catch_up(CatchUp::Snapshot).publish_stall(true).faults(faults).seed(7));
    world.plan_mut().silent_learner = silent;
    world
}

/// Joins, and tells how long it took.
fn joined(world: &World) -> Duration {
    virtually(async {
        let began = Instant::now();
        let conclusion = world.run(Operation::Join).await;
        assert_eq!(conclusion.outcome, Outcome::Joined, "{conclusion:?}\n{}", world.story());
        began.elapsed()
    })
}

#[test]
fn a_restart_cuts_the_wait_and_costs_no_quorum() {
    for voters in [1, 2, 3, 5] {
        let waiting = world(voters, SilentLearner::Wait, Faults::none());
        let waited = joined(&waiting);
        assert!(waited > Duration::from_secs(7), "{voters}: {waited:?}");
        assert_eq!(waiting.simulation.count(Op::Stop), 0);

        let restarting = world(voters, SilentLearner::Restart, Faults::none());
        let took = joined(&restarting);
        assert!(took < Duration::from_secs(2), "{voters}: {took:?}");
        assert_eq!((restarting.simulation.count(Op::Stop), restarting.simulation.count(Op::Start)), (1, 2));
        assert_eq!(restarting.simulation.quorum_lost(), Duration::ZERO);
        assert!(restarting.must_be_whole("restarted"));
        let said = restarting.events().iter().any(
            |event| matches!(&event.kind, EventKind::StepFinished { step: Step::Sync, summary, .. } if summary.ends_with("restarted once to cut etcd's wait")),
        );
        assert!(said, "{}", restarting.story());
    }
}

#[test]
fn killed_in_every_call_of_it_then_resumed_or_rolled_back() {
    let whole = world(3, SilentLearner::Restart, Faults::none());
    joined(&whole);
    for k in 1..=whole.simulation.calls() {
        for moment in [Moment::Before, Moment::After] {
            for next in [Operation::Resume, Operation::Rollback] {
                let world = world(3, SilentLearner::Restart, Faults::none());
                let context = format!("killed {moment:?} call {k}, then {next:?}");
                virtually(async {
                    assert!(world.run_until_crash(Operation::Join, k, moment).await.is_none(), "{context}: not reached");
                    let conclusion = world.run(next).await;
                    if next == Operation::Resume {
                        assert_eq!(conclusion.outcome, Outcome::Joined, "{context}: {conclusion:?}\n{}", world.story());
                    }
                });
                let promoted = world.must_be_whole(&context);
                assert!(promoted || next == Operation::Rollback, "{context}");
                assert_eq!(world.simulation.quorum_lost(), Duration::ZERO, "{context}");
            }
        }
    }
}

#[test]
fn a_restart_that_fails_is_said_and_costs_no_more_than_the_wait() {
    let refused = world(3, SilentLearner::Restart, Faults::none().at(Op::Stop, 1, Fault::Fail(Reason::Other)));
    assert!(joined(&refused) > Duration::from_secs(7));
    assert_eq!(refused.simulation.count(Op::Stop), 1, "it is tried once");
    let said = refused
        .events()
        .iter()
        .any(|event| matches!(&event.kind, EventKind::Waiting { reason, .. } if reason.contains("cannot be restarted")));
    assert!(said, "{:?}", refused.events());
    // It took effect, and nobody said so.
    for op in [Op::Stop, Op::Start] {
        let nth = if op == Op::Stop { 1 } else { 2 };
        let world = world(3, SilentLearner::Restart, Faults::none().at(op, nth, Fault::AnswerLost));
        let conclusion = virtually(world.run(Operation::Join));
        assert!(matches!(conclusion.outcome, Outcome::Joined | Outcome::RolledBack), "{op:?}: {conclusion:?}");
        assert_eq!(world.must_be_whole("an answer was lost"), conclusion.outcome == Outcome::Joined, "{op:?}");
        assert_eq!(world.simulation.quorum_lost(), Duration::ZERO);
    }
    // It is stopped and does not start again: without a vote it is missed by nobody, and undone.
    let dead = world(3, SilentLearner::Restart, Faults::none().at(Op::Start, 2, Fault::Fail(Reason::Other)));
    let conclusion = virtually(dead.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::RolledBack, "{conclusion:?}");
    assert!(!dead.must_be_whole("it did not start again"));
}

#[test]
fn a_member_that_was_given_a_vote_meanwhile_is_not_restarted() {
    let faults = Faults::none().when(When::Call(Op::Metrics, 8), Incident::RivalPromotes);
    let world = world(1, SilentLearner::Restart, faults);
    let took = joined(&world);
    assert!(took > Duration::from_secs(7), "{took:?}\n{}", world.story());
    assert!(world.simulation.mutations().iter().any(|m| m.kind == MutationKind::Promoted));
    assert_eq!(world.simulation.count(Op::Stop), 0, "{}", world.story());
}
