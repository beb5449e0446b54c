//! `kill -9` of the runner at every step of a join, then `resume` or `rollback`; and Ctrl-C at every step.

use runner_harness::{Finished, SOON, Spawned, Stage, Tls, eventually, newest};
use rustix::process::Signal;

async fn stage() -> Stage {
    Stage::set(1, &newest(), Tls::On).await
}

/// A join that is killed as soon as it says this.
async fn killed_at(stage: &Stage, kind: &str, step: &str) {
    let mut join = stage.join();
    join.event(kind, step, SOON).await;
    let killed = join.kill();
    assert_eq!(killed.code(), None, "killed before its end:\n{}", killed.stdout);
}

/// Killed at this point, resumed: a voter, whatever had been done by then.
async fn resumed_after(kind: &str, step: &str) {
    let stage = stage().await;
    killed_at(&stage, kind, step).await;
    let resumed = stage.node.resume().finish(SOON).await;
    if stage.node.journal().last().is_some_and(|r| r == "finished") && resumed.code() == Some(2) {
        // The kill came too late, between the journal's last line and the process's end.
        assert!(step == "verify" && resumed.stderr.contains("the run of new has come to its end: joined"), "{resumed:?}");
    } else {
        resumed.expect_code(0);
    }
    stage.assert_joined().await;
    assert_eq!(stage.node.journal().last().map(String::as_str), Some("finished"));
    let again = stage.node.resume().finish(SOON).await.expect_code(2);
    assert!(again.stderr.contains("error: no run in"), "{}", again.stderr);
}

/// Killed at this point, rolled back: the member list is what it was; or, from the promotion on, the runner says that there is
/// no way back, and changes nothing.
async fn rolled_back_after(kind: &str, step: &str) {
    let stage = stage().await;
    killed_at(&stage, kind, step).await;
    let back = stage.node.rollback().finish(SOON).await;
    if stage.is_voter().await {
        // A kill takes a moment; in that the promotion may have been sent.
        assert!(["sync", "promote", "verify"].contains(&step), "promoted already after {kind} {step}");
        let finished = stage.node.journal().last().is_some_and(|r| r == "finished");
        if finished && back.code() == Some(2) {
            assert!(step == "verify", "{back:?}");
        } else {
            let back = back.expect_code(16);
            assert_no_way_back(&back);
            // It is not stuck for good: going on is possible.
            stage.node.resume().finish(SOON).await.expect_code(0);
        }
        stage.assert_joined().await;
        return;
    }
    assert!(!["promote", "verify"].contains(&step) || kind == "step-started", "not promoted after {kind} {step}");
    back.expect_code(0);
    stage.assert_baseline().await;
    assert_eq!(stage.node.journal().last().map(String::as_str), Some("finished"));
    // The node is as good as new.
    stage.join().finish(SOON).await.expect_code(0);
    stage.assert_joined().await;
}

fn assert_no_way_back(back: &Finished) {
    let end = back.events().pop().expect("events");
    let message = end["message"].as_str().expect("a message");
    assert!(message.starts_with("the member is a voter"), "{message}");
    assert!(end["hints"].as_array().is_some_and(|h| !h.is_empty()), "{end}");
}

macro_rules! points {
    ($($name:ident: $kind:literal $step:literal;)*) => {$(
        mod $name {
            #[tokio::test]
            async fn then_resumed() {
                super::resumed_after($kind, $step).await;
            }

            #[tokio::test]
            async fn then_rolled_back() {
                super::rolled_back_after($kind, $step).await;
            }
        }
    )*};
}

points! {
    killed_after_discover: "step-finished" "discover";
    killed_after_check: "step-finished" "check";
    killed_after_lock: "step-finished" "lock";
    killed_within_add_learner: "step-started" "add-learner";
    killed_after_add_learner: "step-finished" "add-learner";
    killed_within_start_member: "step-started" "start-member";
    killed_after_start_member: "step-finished" "start-member";
    killed_within_sync: "sync-progress" "";
    killed_after_sync: "step-finished" "sync";
    killed_within_promote: "step-started" "promote";
    killed_after_promote: "step-finished" "promote";
    killed_after_verify: "step-finished" "verify";
}

#[tokio::test]
async fn ctrl_c_at_every_step_before_the_promotion_undoes_everything() {
    let stage = stage().await;
    for step in ["discover", "check", "lock", "add-learner", "start-member", "sync"] {
        let mut join = stage.join();
        join.event("step-started", step, SOON).await;
        join.signal(Signal::INT);
        let ended = join.finish(SOON).await.expect_code(130);
        stage.assert_baseline().await;
        assert_eq!(stage.node.journal().last().map(String::as_str), Some("finished"), "{step}");
        assert!(ended.stderr.contains("interrupted: undoing what can be undone"), "{step}: {}", ended.stderr);
        assert_eq!(ended.events().pop().expect("events")["outcome"], "interrupted", "{step}");
    }
    stage.join().finish(SOON).await.expect_code(0);
    stage.assert_joined().await;
}

#[tokio::test]
async fn ctrl_c_from_the_promotion_on_says_that_the_member_is_a_voter() {
    let stage = stage().await;
    let mut join = stage.join();
    join.event("step-started", "verify", SOON).await;
    join.signal(Signal::INT);
    let ended = join.finish(SOON).await;
    // The verification takes a few milliseconds: it may be through before the signal is there.
    if ended.code() == Some(130) {
        let end = ended.events().pop().expect("events");
        assert!(end["message"].as_str().is_some_and(|m| m.contains("the run can be resumed")), "{end}");
        stage.node.resume().finish(SOON).await.expect_code(0);
    } else {
        ended.expect_code(0);
    }
    stage.assert_joined().await;
}

#[tokio::test]
async fn a_second_ctrl_c_leaves_everything_to_be_resumed() {
    let mut stage = stage().await;
    let mut join = stage.join();
    join.event("member-added", "", SOON).await;
    // The cluster answers nothing any more: the undo cannot get on.
    stage.cluster.pause(0);
    join.signal(Signal::INT);
    says(&join, "interrupted: undoing").await;
    join.signal(Signal::INT);
    says(&join, "interrupted again: leaving everything").await;
    let left = join.finish(SOON).await.expect_code(130);
    stage.cluster.resume(0);
    let end = left.events().pop().expect("events");
    assert!(end["message"].as_str().is_some_and(|m| m.contains("can be resumed")), "{end}");
    assert_eq!(stage.list().await.len(), 2, "the learner is still there");
    stage.node.rollback().finish(SOON).await.expect_code(0);
    stage.assert_baseline().await;
}

async fn says(runner: &Spawned, text: &str) {
    let ask = async || if runner.stderr().contains(text) { Ok(()) } else { Err(runner.stderr()) };
    eventually(text, SOON, ask).await;
}
