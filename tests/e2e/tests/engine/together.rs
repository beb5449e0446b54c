//! Several joins at once: they queue, visibly, and all end well.

use runner_harness::{Finished, SOON, Spawned, Stage, Tls, assert_serves, newest, of_minor};
use rustix::process::Signal;

/// Whether the run waited in the queue behind another one, and said so.
fn queued(run: &Finished) -> bool {
    run.events_of("waiting").iter().any(|e| {
        e["step"] == "lock" && e["reason"].as_str().is_some_and(|r| r.contains(" is joining (run ")) && e["leftMs"].is_u64()
    })
}

#[tokio::test]
async fn two_at_once_both_become_voters() {
    for etcd in [of_minor("3.4"), newest()] {
        let stage = Stage::set(1, &etcd, Tls::On).await;
        let other = stage.another("other");
        let load = stage.cluster.load().await;
        let runs = [stage.join(), Spawned::start(other.join(&stage.cluster.endpoints()))];
        let [one, two] = runs.map(|run| run.finish(SOON));
        let (one, two) = tokio::join!(one, two);
        let (one, two) = (one.expect_code(0), two.expect_code(0));
        load.stop().await.expect_no_failure();
        let waited = [&one, &two].map(queued);
        assert_eq!(waited.iter().filter(|w| **w).count(), 1, "{waited:?}\n{}\n{}", one.stdout, two.stdout);
        let list = stage.list().await;
        assert_eq!(list.len(), 3);
        assert!(list.iter().all(|(_, learner)| !learner), "{list:?}");
        assert_serves(&stage.node).await;
        assert_serves(&other).await;
    }
}

#[tokio::test]
async fn back_to_back_the_next_add_waits_for_etcds_five_seconds_and_no_longer() {
    // The old rule (every voter connected for 5 s) and the new one (a quorum of the next size): two voters are no different.
    for etcd in [of_minor("3.4"), newest()] {
        let stage = Stage::set(1, &etcd, Tls::On).await;
        let other = stage.another("other");
        stage.join().finish(SOON).await.expect_code(0);
        let mut endpoints = stage.cluster.endpoints();
        endpoints.push(stage.node.client_url());
        let next = Spawned::start(other.join(&endpoints)).finish(SOON).await.expect_code(0);
        let said = next
            .events_of("waiting")
            .iter()
            .any(|e| e["step"] == "add-learner" && e["reason"].as_str().is_some_and(|r| r.contains("connected for 5 s")));
        assert!(said, "etcd {}: {}", etcd.version, next.stdout);
        let took =
            next.events_of("step-finished").iter().find(|e| e["step"] == "add-learner").map(|e| e["durationMs"].clone());
        let took = took.and_then(|ms| ms.as_u64()).expect("it was added");
        // 5 s less what discovery took, an eighth of that (the longest pause between two tries), and a machine that is busy.
        assert!(took < 7_500, "etcd {}: {took} ms", etcd.version);
        assert_serves(&other).await;
    }
}

#[tokio::test]
async fn whoever_leaves_the_queue_leaves_no_trace_and_holds_up_nobody() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let other = stage.another("other");
    // Holds the lock long enough for the other to come and go, whatever the machine does.
    let mut command = other.join(&stage.cluster.endpoints());
    command.args(["--stability", "5s"]);
    let mut first = Spawned::start(command);
    first.event("step-finished", "lock", SOON).await;
    let mut second = stage.join();
    let waiting = second.event("waiting", "lock", SOON).await;
    assert!(waiting["reason"].as_str().is_some_and(|r| r.starts_with("other is joining (run ")), "{waiting}");
    second.signal(Signal::INT);
    let left = second.finish(SOON).await.expect_code(130);
    let end = left.events().pop().expect("events");
    assert_eq!(end["message"], "interrupted; nothing was changed");
    stage.assert_no_trace();
    first.finish(SOON).await.expect_code(0);
    assert!(!stage.list().await.iter().any(|(url, _)| *url == stage.node.peer_url()));
    assert_serves(&other).await;
}

#[tokio::test]
async fn a_second_join_of_the_same_node_is_refused_while_the_first_is_at_work() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    // Each of the others looks for the end of the first for a moment.
    let mut join = stage.command();
    join.args(["--stability", "6s"]);
    let mut first = Spawned::start(join);
    first.event("step-started", "sync", SOON).await;
    for mut command in [stage.command(), stage.node.command("resume"), stage.node.command("rollback")] {
        command.args(["--color", "never"]);
        let second = Spawned::start(command).finish(SOON).await.expect_code(2);
        assert!(second.stderr.contains("error: another runner is at work on this node"), "{}", second.stderr);
        assert!(second.stderr.contains("hint: wait for it to end"), "{}", second.stderr);
    }
    first.finish(SOON).await.expect_code(0);
    stage.assert_joined().await;
}
