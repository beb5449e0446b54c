//! The last thing before the promotion is a proof: an entry is written, and seen applied by the learner. Whatever takes the learner away
//! before that costs no quorum, also on a cluster that nobody writes to.

use std::time::Duration;

use runner_core::cluster::Reason;
use runner_core::event::EventKind;
use runner_core::pipeline::{Operation, Verdict};
use runner_core::terms::Outcome;
use runner_simulated::{Fault, Faults, Incident, MutationKind, Op, Simulation, When};

use runner_simulated::world::{NODE, VERSIONS, World, virtually};

/// A cluster that nobody writes to.
fn idle(version: &str, voters: usize, faults: Faults) -> World {
    World::new(Simulation::builder().version(version).voters(voters).write_rate(0).faults(faults).seed(7))
}

/// Three rounds of patience, as a plugin asks for them.
fn waits(world: &World) {
    let wait = Verdict::Wait { reason: "later".to_owned(), retry_after: Some(Duration::from_secs(1)) };
    world.verdicts().promotion.lock().unwrap().extend(vec![wait; 3]);
}

#[test]
fn whatever_takes_the_learner_away_before_it_has_applied_the_entry_costs_no_quorum() {
    let hurts = || [Incident::CrashNewcomer, Incident::Split(vec![NODE.to_owned()]), Incident::Freeze(NODE.to_owned())];
    let (mut tried, mut late) = (0, 0);
    for version in VERSIONS {
        for voters in [1, 2] {
            let calls: Vec<_> = {
                let world = idle(version, voters, Faults::none());
                waits(&world);
                assert_eq!(virtually(world.run(Operation::Join)).outcome, Outcome::Joined);
                world.simulation.trace()
            };
            let start = calls.iter().find(|call| call.op == Op::Start).expect("it is started").number;
            let promote = calls.iter().find(|call| call.op == Op::Promote).expect("it is promoted").number;
            for k in start + 1..=promote {
                for hurt in hurts() {
                    let faults = Faults::none().when(When::AnyCall(k as usize), hurt.clone());
                    let world = idle(version, voters, faults);
                    waits(&world);
                    let end = virtually(world.run(Operation::Join));
                    let context = format!("{version}, {voters} voters, {hurt:?} before call {k} of {promote}");
                    let lost = world.simulation.quorum_lost();
                    // Once it has applied the entry, and until the promotion is done, nobody can know.
                    let applied = k == promote - 1 && hurt != Incident::CrashNewcomer;
                    if k < promote && !applied {
                        tried += 1;
                        assert_eq!(lost, Duration::ZERO, "{context}: {end:?}\n{}", world.story());
                        world.must_tell_the_truth(&end, &context);
                    } else if voters == 1 {
                        // The one case that cannot be excluded: one voter becomes two in the moment in which the second is lost.
                        late += 1;
                        assert_eq!(end.outcome, Outcome::Stuck, "{context}: {end:?}");
                    }
                }
            }
        }
    }
    assert!(tried > 500 && late == VERSIONS.len() * 5, "{tried} {late}");
}

#[test]
fn a_learner_that_comes_back_is_promoted_after_all() {
    let faults = Faults::none().when(When::Call(Op::Propose, 1), Incident::Split(vec![NODE.to_owned()]));
    let world = idle("3.5.35", 1, faults.when(When::After(Duration::from_secs(20)), Incident::Heal));
    let end = virtually(world.run(Operation::Join));
    assert_eq!(end.outcome, Outcome::Joined, "{end:?}\n{}", world.story());
    let promoted = world.simulation.mutations().iter().find(|m| m.kind == MutationKind::Promoted).map(|m| m.at);
    assert!(promoted.is_some_and(|at| at > Duration::from_secs(20)), "{promoted:?}");
    let told = world.events().iter().any(|event| {
        matches!(&event.kind, EventKind::Waiting { reason, .. } if reason.contains("does not apply what is written"))
    });
    assert!(told, "{:?}", world.events());
}

#[test]
fn watching_writes_nothing() {
    let world = idle("3.5.35", 3, Faults::none());
    waits(&world);
    assert_eq!(virtually(world.run(Operation::Join)).outcome, Outcome::Joined);
    assert_eq!(world.simulation.count(Op::Propose), 1, "one entry, for the proof");
}

#[test]
fn a_leader_that_hands_over_undoes_nothing() {
    for version in VERSIONS {
        for op in [Op::MemberList, Op::Propose, Op::AddLearner, Op::Promote, Op::Acquire, Op::Held, Op::Release, Op::Read] {
            for reason in [Reason::ProposalDropped, Reason::Unknown] {
                for nth in 1..=3 {
                    let world = World::of(version, 3, Faults::none().at(op, nth, Fault::Fail(reason)));
                    let end = virtually(world.run(Operation::Join));
                    let context = format!("{version}, {op:?} {nth} {reason:?}");
                    assert_eq!(end.outcome, Outcome::Joined, "{context}: {end:?}\n{}", world.story());
                    assert!(world.must_be_whole(&context));
                }
            }
        }
    }
}
