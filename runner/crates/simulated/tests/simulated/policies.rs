//! What a policy does to a join: plugins without a say, waived findings, learners that nobody approves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use runner_core::event::EventKind;
use runner_core::pipeline::{Fault, Finding, Operation, Verdict, Waiver};
use runner_core::terms::{FaultKind, OnApprovalTimeout, Outcome, Severity, Step, VerdictKind};
use runner_simulated::Faults;

use runner_simulated::world::{World, virtually};

fn error(code: &str) -> Finding {
    let message = format!("{code} is the case");
    Finding { severity: Severity::Error, code: code.to_owned(), message, remedy: None, member: None }
}

fn waiver(code: &str, until: Option<&str>) -> Waiver {
    let until = until.map(|text| text.parse().unwrap());
    Waiver { code: code.to_owned(), member: None, until, reason: "the vendor is on it".to_owned() }
}

fn fault() -> Fault {
    Fault { kind: FaultKind::Trap, message: "trapped".to_owned(), log: Vec::new() }
}

/// Every verdict that was told: what it is, what it would have been.
fn verdicts(world: &World) -> Vec<(VerdictKind, Option<VerdictKind>)> {
    let verdict = |kind: &EventKind| match kind {
        EventKind::PluginVerdict { verdict, would, .. } => Some((*verdict, *would)),
        _ => None,
    };
    world.events().iter().filter_map(|event| verdict(&event.kind)).collect()
}

/// Every finding of the plugins that was told: its code, why it is waived, whether it has no say.
fn findings(world: &World, wanted: &str) -> Vec<(Severity, Option<String>, bool)> {
    let finding = |kind: &EventKind| match kind {
        EventKind::Finding { severity, code, waived, monitored, .. } if code == wanted => {
            Some((*severity, waived.clone(), *monitored))
        }
        _ => None,
    };
    world.events().iter().filter_map(|event| finding(&event.kind)).collect()
}

#[test]
fn a_monitored_refusal_is_told_and_not_obeyed() {
    let mut world = World::of("3.6.16", 3, Faults::none());
    world.monitors().findings.lock().unwrap().push(error("too-old"));
    world.monitors().promotion.lock().unwrap().push(Verdict::Reject { reason: "never".to_owned() });
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::Joined, "{conclusion:?}");
    assert_eq!(findings(&world, "too-old"), [(Severity::Error, None, true)]);
    let told = verdicts(&world);
    assert_eq!(told.iter().filter(|v| **v == (VerdictKind::Monitored, Some(VerdictKind::Reject))).count(), 2, "{told:?}");
    assert!(told.contains(&(VerdictKind::Approve, None)) && told.contains(&(VerdictKind::Pass, None)), "{told:?}");
}

#[test]
fn a_monitored_failure_is_told_and_not_obeyed() {
    let mut world = World::of("3.6.16", 3, Faults::none());
    *world.monitors().fault.lock().unwrap() = Some(fault());
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::Joined, "{conclusion:?}");
    assert!(verdicts(&world).contains(&(VerdictKind::Monitored, Some(VerdictKind::Failed))));
}

#[test]
fn a_monitored_plugin_never_delays() {
    let took = |takes: Option<u64>| {
        let mut world = World::of("3.6.16", 3, Faults::none());
        if let Some(takes) = takes {
            *world.monitors().takes.lock().unwrap() = Duration::from_secs(takes);
            let wait = Verdict::Wait { reason: "not yet".to_owned(), retry_after: Some(Duration::from_secs(60)) };
            world.monitors().promotion.lock().unwrap().extend(vec![wait; 100]);
        }
        virtually(async {
            let began = tokio::time::Instant::now();
            assert_eq!(world.run(Operation::Join).await.outcome, Outcome::Joined);
            // Up to the moment when the member is a voter and verified: what comes then holds nobody up.
            let verified = world.events().iter().find_map(|event| match &event.kind {
                EventKind::StepFinished { step: Step::Verify, .. } => Some(event.at),
                _ => None,
            });
            let started = world.events()[0].at;
            let whole = began.elapsed();
            (Duration::try_from(verified.unwrap().duration_since(started)).unwrap(), whole, verdicts(&world))
        })
    };
    let (alone, ..) = took(None);
    let (watched, whole, told) = took(Some(4));
    // Twice the moment that an ordinary answer is given, once for each question.
    assert!(watched <= alone + Duration::from_millis(150), "{alone:?} and {watched:?}");
    // Its answers are told all the same, before the run ends.
    assert!(whole >= Duration::from_secs(4), "{whole:?}");
    assert!(
        told.contains(&(VerdictKind::Monitored, Some(VerdictKind::Pass)))
            && told.contains(&(VerdictKind::Monitored, Some(VerdictKind::Wait))),
        "{told:?}"
    );
}

#[test]
fn a_monitored_plugin_is_not_asked_anew_while_it_thinks() {
    let mut world = World::of("3.6.16", 3, Faults::none());
    *world.monitors().takes.lock().unwrap() = Duration::from_secs(5);
    let wait = Verdict::Wait { reason: "the moon".to_owned(), retry_after: None };
    world.verdicts().promotion.lock().unwrap().extend(vec![wait; 300]);
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::Joined, "{conclusion:?}");
    let (asked, watched) = (world.verdicts().asked.load(Ordering::Relaxed), world.monitors().asked.load(Ordering::Relaxed));
    assert!(asked > 300 && watched > 1 && watched < 20, "asked {asked} times, and {watched} times the slow one");
}

#[test]
fn a_waived_finding_is_told_and_does_not_refuse() {
    let world = World::of("3.6.16", 3, Faults::none());
    world.verdicts().findings.lock().unwrap().push(error("too-old"));
    world.verdicts().waivers.lock().unwrap().push(waiver("too-old", Some("2999-01-01T00:00:00Z")));
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::Joined, "{conclusion:?}");
    assert_eq!(findings(&world, "too-old"), [(Severity::Error, Some("the vendor is on it".to_owned()), false)]);
    assert!(verdicts(&world).contains(&(VerdictKind::Pass, None)));

    // Another finding of the same plugin refuses as ever.
    let world = World::of("3.6.16", 3, Faults::none());
    world.verdicts().findings.lock().unwrap().extend([error("too-old"), error("too-new")]);
    world.verdicts().waivers.lock().unwrap().push(waiver("too-old", None));
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::PluginRefused);
    assert_eq!(conclusion.message, "test: too-new is the case; nothing was changed");
}

#[test]
fn an_expired_waiver_is_told_and_does_not_count() {
    let world = World::of("3.6.16", 3, Faults::none());
    world.verdicts().findings.lock().unwrap().push(error("too-old"));
    world.verdicts().waivers.lock().unwrap().push(waiver("too-old", Some("2001-01-01T00:00:00Z")));
    let conclusion = virtually(world.run(Operation::Join));
    assert_eq!(conclusion.outcome, Outcome::PluginRefused);
    assert_eq!(findings(&world, "too-old"), [(Severity::Error, None, false)]);
    assert_eq!(findings(&world, "waiver-expired"), [(Severity::Warning, None, false)]);
    assert!(!world.must_be_whole("an expired waiver"));

    // One that nothing needs is said, so that it goes.
    let world = World::of("3.6.16", 3, Faults::none());
    world.verdicts().waivers.lock().unwrap().push(waiver("too-old", Some("2001-01-01T00:00:00Z")));
    assert_eq!(virtually(world.run(Operation::Join)).outcome, Outcome::Joined);
    assert_eq!(findings(&world, "waiver-expired"), [(Severity::Info, None, false)]);
}

/// A world in which nobody approves in time, and the policy leaves the learner as it is.
fn left() -> World {
    let mut world = World::of("3.5.35", 3, Faults::none());
    world.plan_mut().timeouts.approval = Duration::from_secs(5);
    world.plan_mut().on_approval_timeout = OnApprovalTimeout::Leave;
    let wait = Verdict::Wait { reason: "the moon is wrong".to_owned(), retry_after: None };
    world.verdicts().promotion.lock().unwrap().extend(vec![wait; 1000]);
    world
}

#[test]
fn a_learner_that_nobody_approves_may_be_left_and_resumed() {
    let world = left();
    virtually(async {
        let conclusion = world.run(Operation::Join).await;
        assert_eq!(conclusion.outcome, Outcome::Stuck);
        let expected = "not approved within 5s: test: the moon is wrong; the learner stays, without a vote";
        assert_eq!(conclusion.message, expected);
        assert!(conclusion.hints[0].contains("`runner resume`"), "{conclusion:?}");
        assert!(world.unfinished());
        assert_eq!(world.simulation.members().learners().count(), 1);
        assert_eq!(world.simulation.lock_holder(), None, "others need not wait for a run that is at rest");
        // Still nobody approves.
        assert_eq!(world.run(Operation::Resume).await.outcome, Outcome::Stuck);
        world.verdicts().promotion.lock().unwrap().clear();
        assert_eq!(world.run(Operation::Resume).await.outcome, Outcome::Joined);
    });
    assert!(world.must_be_whole("resumed"));
}

#[test]
fn a_learner_that_was_left_can_be_undone() {
    let world = left();
    virtually(async {
        assert_eq!(world.run(Operation::Join).await.outcome, Outcome::Stuck);
        assert_eq!(world.run(Operation::Rollback).await.outcome, Outcome::RolledBackOnRequest);
    });
    assert!(!world.must_be_whole("rolled back"));
}
