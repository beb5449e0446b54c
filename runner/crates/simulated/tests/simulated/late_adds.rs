//! Adds that had no answer, across two runners: what comes of them late is looked for, and no run waits for them for ever.

use std::time::Duration;

use runner_core::pipeline::{Operation, Verdict};
use runner_core::terms::Outcome;
use runner_simulated::{Fault, Faults, Moment, Op};

use runner_simulated::world::{World, virtually};

fn world(faults: Faults) -> World {
    World::of("3.5.35", 3, faults)
}

/// The number of the n-th add in a join with these faults.
fn add(faults: Faults, nth: usize) -> u64 {
    let world = world(faults);
    virtually(world.run(Operation::Join));
    let found = world.simulation.trace().into_iter().filter(|call| call.op == Op::AddLearner).nth(nth - 1);
    found.unwrap_or_else(|| panic!("no add {nth}: {}", world.story())).number
}

#[test]
fn a_short_time_for_the_undo_does_not_keep_a_run_from_its_end() {
    let first = add(Faults::none(), 1);
    let mut world = world(Faults::none());
    world.plan_mut().timeouts.undo = Duration::from_secs(5);
    virtually(async {
        assert!(world.run_until_crash(Operation::Join, first, Moment::Before).await.is_none());
        let end = world.run(Operation::Rollback).await;
        assert_eq!(end.outcome, Outcome::RolledBackOnRequest, "{end:?}\n{}", world.story());
    });
    assert!(!world.unfinished() && world.judge() == Ok(false));
}

#[test]
fn an_add_that_takes_effect_after_a_second_one_was_undone_by_another_runner_is_removed() {
    let faults = || Faults::none().at(Op::AddLearner, 1, Fault::AppliedLate(Duration::from_secs(15)));
    let second = add(faults(), 2);
    let world = world(faults());
    virtually(async {
        assert!(world.run_until_crash(Operation::Join, second + 1, Moment::Before).await.is_none());
        let end = world.run(Operation::Rollback).await;
        assert_eq!(end.outcome, Outcome::RolledBackOnRequest, "{end:?}\n{}", world.story());
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    assert_eq!(world.judge(), Ok(false), "{}", world.story());
    assert_eq!(world.simulation.members().members.len(), 3, "{}", world.story());
}

#[test]
fn an_add_that_takes_effect_after_a_second_one_was_undone_is_removed() {
    let faults = Faults::none().at(Op::AddLearner, 1, Fault::AppliedLate(Duration::from_secs(15)));
    let world = world(faults);
    world.verdicts().promotion.lock().unwrap().push(Verdict::Reject { reason: "no".to_owned() });
    virtually(async {
        let end = world.run(Operation::Join).await;
        assert_eq!(end.outcome, Outcome::PluginRefused, "{end:?}\n{}", world.story());
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    assert_eq!(world.judge(), Ok(false), "{}", world.story());
    assert_eq!(world.simulation.added().len(), 2, "{}", world.story());
}
