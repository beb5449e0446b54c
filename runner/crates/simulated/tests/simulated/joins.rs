//! Joins in which one thing is special.

use std::time::Duration;

use runner_core::cluster::{AlarmKind, Reason};
use runner_core::event::EventKind;
use runner_core::pipeline::{DataDir, Finding, Interrupt, Operation, Verdict};
use runner_core::terms::{Outcome, Severity, StaleLearner};
use runner_simulated::{Faults, Incident, Moment, MutationKind, Op, Simulation, When};

use runner_simulated::world::{NODE, VERSIONS, World, virtually};

#[test]
fn a_join_ends_promoted_on_every_version_and_size() {
    for version in VERSIONS {
        for voters in [1, 2, 3, 5] {
            let world = World::of(version, voters, Faults::none());
            let conclusion = virtually(world.run(Operation::Join));
            assert_eq!(conclusion.outcome, Outcome::Joined, "{version} {voters}: {conclusion:?}");
            assert!(world.must_be_whole(version));
            assert_eq!(world.simulation.lock_holder(), None);
            assert_eq!(world.simulation.quorum_lost(), Duration::ZERO);
        }
    }
}

/// Who adds a learner right after the first member was started meets an etcd that ends: no member has a cluster's version to tell.
/// A simulated one leaves nothing behind. A real one leaves an empty database, which a resume does not know for its own: killed just
/// then, the run is undone.
#[test]
fn a_cluster_that_has_just_begun_is_waited_for() {
    let world = || {
        let builder = Simulation::builder().version("3.6.16").voters(1);
        World::new(builder.undecided(Duration::from_secs(2)).seed(7))
    };
    let whole = world();
    let conclusion = virtually(whole.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::Joined, "{conclusion:?}\n{}", whole.story());
    assert!(whole.must_be_whole("just begun"));
    assert!(whole.simulation.count(Op::Start) > 1 && whole.simulation.count(Op::AddLearner) == 1, "{}", whole.story());
    for k in 1..=whole.simulation.calls() {
        for next in [Operation::Resume, Operation::Rollback] {
            let (world, context) = (world(), format!("killed after call {k}, then {next:?}"));
            virtually(async {
                assert!(world.run_until_crash(Operation::Join, k, Moment::After).await.is_none(), "{context}: not reached");
                let conclusion = world.run(next).await;
                if next == Operation::Resume {
                    assert_eq!(conclusion.outcome, Outcome::Joined, "{context}: {conclusion:?}\n{}", world.story());
                }
            });
            world.must_be_whole(&context);
        }
    }
    // Not for ever.
    let mut never =
        World::new(Simulation::builder().version("3.6.16").voters(1).undecided(Duration::from_secs(3600)).seed(7));
    never.plan_mut().timeouts.start = Duration::from_secs(5);
    let conclusion = virtually(never.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::TimedOut, "{conclusion:?}");
    assert!(!never.must_be_whole("never decided"));
}

#[test]
fn nobody_is_promoted_into_a_cluster_that_would_stop_without_him() {
    for version in VERSIONS {
        // A voter is lost while the newcomer catches up. etcd would promote: it counts who has started, not who lives.
        let lost = Incident::Crash("node-2".to_owned());
        let back = Incident::Restart("node-2".to_owned());
        let crashed = || Faults::none().when(When::Call(Op::DataSize, 3), lost.clone());
        let world = World::of(version, 3, crashed().when(When::After(Duration::from_secs(20)), back));
        let conclusion = virtually(world.run(Operation::Join));
        assert_eq!(conclusion.outcome, Outcome::Joined, "{version}: {conclusion:?}");
        let promoted = world.simulation.mutations().iter().find(|m| m.kind == MutationKind::Promoted).map(|m| m.at);
        assert!(promoted.is_some_and(|at| at >= Duration::from_secs(20)), "{version}: {promoted:?}\n{}", world.story());
        let waited = world.events().iter().any(|event| {
            matches!(&event.kind, EventKind::Waiting { reason, .. } if reason.contains("would stop if it failed; silent: node-2"))
        });
        assert!(waited, "{version}: {:?}", world.events());

        let world = World::of(version, 3, crashed());
        let conclusion = virtually(world.run(Operation::Join));
        assert_eq!(conclusion.outcome, Outcome::TimedOut, "{version}: {conclusion:?}");
        assert!(!world.must_be_whole(version));
    }
}

#[test]
fn every_change_is_foretold() {
    let world = World::of("3.5.16", 3, Faults::none());
    assert_eq!(virtually(world.run(Operation::Join)).outcome, Outcome::Joined);
    let told = world.events().into_iter().filter_map(|event| match event.kind {
        EventKind::Forecast(forecast) => Some(forecast),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert!(told.iter().all(|forecast| forecast.accepted()), "{told:?}");
    let changes: Vec<_> = told.iter().map(|forecast| forecast.change.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(changes, ["add", "promote"]);
    assert_eq!(
        (told[0].tolerance.now, told[0].tolerance.after, told[0].tolerance.newcomer_dead),
        (Some(1), Some(1), Some(0))
    );
}

#[test]
fn the_removal_of_an_undo_is_foretold() {
    // Before anything was observed with the new member in it.
    let faults = Faults::none().when(When::Call(Op::Start, 1), Incident::Refuse(Op::Start, Reason::PermissionDenied));
    let world = World::of("3.5.16", 3, faults);
    assert_ne!(virtually(world.run(Operation::Join)).outcome, Outcome::Joined);
    let events = world.events();
    let removal = events.iter().find_map(|event| match &event.kind {
        EventKind::Forecast(forecast) if forecast.change.starts_with("remove ") => Some(forecast.accepted()),
        _ => None,
    });
    assert_eq!(removal, Some(true), "{events:?}");
}

#[test]
fn joining_again_changes_nothing() {
    let world = World::of("3.5.35", 3, Faults::none());
    virtually(async {
        assert_eq!(world.run(Operation::Join).await.outcome, Outcome::Joined);
        let changes = world.simulation.mutations().len();
        world.forget_the_end();
        assert_eq!(world.run(Operation::Resume).await.outcome, Outcome::Joined);
        assert_eq!(world.simulation.mutations().len(), changes);
    });
}

#[test]
fn a_learner_is_never_promoted_while_it_does_not_answer() {
    // It has caught up as far as etcd's own rule goes, and dies: etcd would promote it.
    let faults = Faults::none().when(When::Call(Op::Promote, 1), Incident::CrashNewcomer);
    let world = World::of("3.5.35", 1, faults);
    world.verdicts().promotion.lock().unwrap().extend([Verdict::Wait { reason: "later".to_owned(), retry_after: None }]);
    let conclusion = virtually(world.run(Operation::Join));
    // The crash comes in the same instant as the promotion, after the proof: a voter that is down is said, not hidden.
    assert_eq!(conclusion.outcome, Outcome::Stuck, "{conclusion:?}");

    let faults = Faults::none().when(When::Call(Op::Held, 2), Incident::CrashNewcomer);
    let world = World::of("3.5.35", 1, faults);
    let conclusion = virtually(world.run(Operation::Join));
    world.must_tell_the_truth(&conclusion, "died between the look and the promotion");
    assert_ne!(conclusion.outcome, Outcome::Joined, "{conclusion:?}");
    assert_eq!(world.simulation.quorum_lost(), Duration::ZERO, "{}", world.story());

    let faults = Faults::none().when(When::After(Duration::from_millis(700)), Incident::CrashNewcomer);
    let world = World::of("3.5.35", 1, faults);
    let conclusion = virtually(world.run(Operation::Join));
    world.must_tell_the_truth(&conclusion, "died while it caught up");
    assert_eq!(world.simulation.quorum_lost(), Duration::ZERO);
}

#[test]
fn refusals_change_nothing() {
    let alarm = Incident::Alarm("node-1".to_owned(), AlarmKind::Nospace);
    let dead = |n: u32| Incident::Crash(format!("node-{n}"));
    let cases: [(&str, usize, Vec<Incident>, Outcome); 4] = [
        ("an alarm is raised: node-1 has reached its database quota (NOSPACE)", 3, vec![alarm], Outcome::CheckRefused),
        (
            "if the new voter fails, 2 of 4 voters remain healthy and 3 are needed; silent now: node-3",
            3,
            vec![dead(3)],
            Outcome::CheckRefused,
        ),
        (
            "node-2 takes itself for a learner",
            3,
            vec![Incident::MistakesItself("node-2".to_owned(), true)],
            Outcome::CheckRefused,
        ),
        ("cannot read the cluster", 3, vec![dead(1), dead(2), dead(3)], Outcome::Unreachable),
    ];
    for (message, voters, incidents, outcome) in cases {
        let world = World::of("3.5.35", voters, Faults::none());
        let conclusion = virtually(async {
            incidents.into_iter().for_each(|i| world.simulation.incident(i));
            // After an election, where there was one.
            tokio::time::sleep(Duration::from_secs(5)).await;
            world.run(Operation::Join).await
        });
        assert_eq!(conclusion.outcome, outcome, "{conclusion:?}\n{}", world.story());
        assert!(conclusion.message.starts_with(message), "{conclusion:?}");
        assert!(!conclusion.hints.is_empty(), "{conclusion:?}");
        assert!(world.simulation.mutations().is_empty());
        world.must_be_whole(message);
    }
}

#[test]
fn a_plugin_that_refuses_is_obeyed() {
    let world = World::of("3.6.16", 3, Faults::none());
    let finding = Finding {
        severity: Severity::Error,
        code: "no".to_owned(),
        message: "not on a Friday".to_owned(),
        remedy: Some("wait for Monday".to_owned()),
        member: None,
    };
    world.verdicts().findings.lock().unwrap().push(finding);
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::PluginRefused);
    assert_eq!(conclusion.message, "test: not on a Friday; nothing was changed");
    assert_eq!(conclusion.hints, ["wait for Monday"]);

    let world = World::of("3.6.16", 3, Faults::none());
    world.verdicts().promotion.lock().unwrap().push(Verdict::Reject { reason: "never".to_owned() });
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::PluginRefused);
    assert_eq!(conclusion.message, "test: never; undone: the cluster is as it was");
    assert!(!world.must_be_whole("rejected"));
}

#[test]
fn a_plugin_that_never_approves_runs_out_of_time() {
    let mut world = World::of("3.5.35", 1, Faults::none());
    world.plan_mut().timeouts.approval = Duration::from_secs(5);
    let wait = Verdict::Wait { reason: "the moon is wrong".to_owned(), retry_after: None };
    world.verdicts().promotion.lock().unwrap().extend(vec![wait; 10_000]);
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::TimedOut);
    assert_eq!(conclusion.message, "not approved within 5s: test: the moon is wrong; undone: the cluster is as it was");
    assert!(!world.must_be_whole("never approved"));
}

#[test]
fn a_learner_that_stalls_is_given_up() {
    let faults = Faults::none().when(When::Call(Op::Start, 1), Incident::CatchUpRate(0));
    let world = World::new(Simulation::builder().version("3.5.35").voters(3).log_index(500_000).faults(faults));
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::TimedOut, "{conclusion:?}\n{}", world.story());
    assert!(!world.must_be_whole("stalled"));
}

#[test]
fn somebody_elses_learner_is_waited_for_or_refused() {
    let mut world = World::of("3.5.35", 3, Faults::none());
    world.plan_mut().timeouts.learner_slot = Duration::from_secs(20);
    let conclusion = virtually(async {
        world.simulation.incident(Incident::RivalAdds);
        world.run(Operation::Join).await
    });
    assert_eq!(conclusion.outcome, Outcome::CheckRefused, "{conclusion:?}");
    assert!(conclusion.message.contains("gave up after 20s"), "{conclusion:?}");
    assert!(!world.must_be_whole("a rival's learner"));

    let mut world = World::of("3.5.35", 3, Faults::none());
    world.plan_mut().stale_learner = StaleLearner::Fail;
    let conclusion = virtually(async {
        world.simulation.incident(Incident::RivalAdds);
        world.run(Operation::Join).await
    });
    assert_eq!(conclusion.outcome, Outcome::CheckRefused);
    assert!(world.simulation.mutations().iter().all(|m| m.kind != MutationKind::Removed));
}

#[test]
fn a_member_that_somebody_removes_is_not_added_again() {
    let faults = Faults::none().when(When::Call(Op::Start, 1), Incident::RivalRemoves);
    let world = World::of("3.5.35", 3, faults);
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::RolledBack, "{conclusion:?}\n{}", world.story());
    assert!(conclusion.message.contains("was removed from the list by somebody else"), "{conclusion:?}");
    assert_eq!(world.simulation.count(Op::AddLearner), 1);
    assert!(!world.must_be_whole("removed by a rival"));
}

#[test]
fn foreign_data_is_never_touched() {
    let world = World::of("3.5.35", 3, Faults::none());
    let foreign = DataDir::Foreign { what: "somebody's photos".to_owned() };
    world.simulation.set_data_dir(NODE, foreign.clone());
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::CheckRefused);
    assert!(conclusion.message.contains("holds somebody's photos"), "{conclusion:?}");
    assert_eq!(world.simulation.data_dir(NODE), foreign);
    assert!(world.simulation.mutations().is_empty());
}

#[test]
fn an_interrupt_undoes_and_a_second_one_leaves_it_resumable() {
    for millis in [1, 50, 300, 600, 900] {
        let world = World::of("3.5.35", 3, Faults::none());
        let conclusion = virtually(async {
            let interrupt = Interrupt::default();
            let ours = interrupt.clone();
            let stop = async {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                ours.undo.cancel();
            };
            tokio::join!(world.interruptible(Operation::Join, interrupt), stop).0
        });
        assert!(matches!(conclusion.outcome, Outcome::Interrupted | Outcome::Joined), "{conclusion:?}");
        if world.unfinished() {
            assert!(conclusion.hints.iter().any(|h| h.contains("runner resume")), "{conclusion:?}");
            virtually(world.run(Operation::Resume));
        }
        world.must_be_whole(&format!("interrupted after {millis} ms"));
    }

    // The cluster is out of reach while the undo runs: the second interrupt ends it, and the journal can be resumed.
    let faults = Faults::none().when(When::Call(Op::Start, 1), Incident::Refuse(Op::MemberList, Reason::Unreachable));
    let world = World::of("3.5.35", 3, faults);
    virtually(async {
        let interrupt = Interrupt::default();
        let ours = interrupt.clone();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            ours.undo.cancel();
            tokio::time::sleep(Duration::from_secs(2)).await;
            ours.leave.cancel();
        };
        let (conclusion, ()) = tokio::join!(world.interruptible(Operation::Join, interrupt), stop);
        assert_eq!(conclusion.outcome, Outcome::Interrupted, "{conclusion:?}");
        assert!(world.unfinished());
        world.heal();
        let conclusion = world.run(Operation::Resume).await;
        assert_eq!(conclusion.outcome, Outcome::RolledBackOnRequest, "{conclusion:?}");
    });
    assert!(!world.must_be_whole("interrupted twice"));
}

#[test]
fn a_run_tells_its_steps_in_order() {
    let world = World::of("3.6.16", 3, Faults::none());
    virtually(world.run(Operation::Join));
    let steps: Vec<_> = world
        .events()
        .iter()
        .filter_map(|e| match &e.kind {
            EventKind::StepFinished { step, .. } => Some(step.name()),
            _ => None,
        })
        .collect();
    assert_eq!(steps, ["discover", "check", "lock", "add-learner", "start-member", "sync", "promote", "verify", "announce"]);
}
