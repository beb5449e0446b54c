//! etcd's own wait of 7 s at a newcomer that is caught up by a snapshot with its own name in it, on real etcd: seen where runner is told
//! to wait, cut where it may restart the learner.

use std::time::{Duration, Instant};

use runner_harness::{Finished, SOON, Spawned, Stage, Tls, newest};

/// etcd's request timeout with the default election timeout: 5 s and twice 1 s (server/config, `ReqTimeout`).
const ETCDS_WAIT: Duration = Duration::from_secs(7);

/// Of five joins three were silent (measured on 3.7.3): that none of so many is, is one case in 50,000.
const TRIES: usize = 12;

/// A cluster of one whose log is long enough to be compacted: 3.6 and 3.7 keep little of it, and catch up by snapshot.
async fn stage() -> Stage {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let mut client = stage.cluster.client().await;
    for number in 0..400 {
        client.put(format!("small/{number}"), "x", None).await.expect("it takes writes");
    }
    stage
}

/// Joins once with these arguments besides: how it ended, and how long its sync took.
async fn join(stage: &Stage, arguments: &[&str]) -> (Finished, Duration) {
    let mut command = stage.node.join(&stage.cluster.endpoints());
    command.args(arguments);
    let mut joining = Spawned::start(command);
    joining.event("step-started", "sync", SOON).await;
    let began = Instant::now();
    joining.event("step-finished", "sync", SOON).await;
    let took = began.elapsed();
    (joining.finish(SOON).await.expect_code(0), took)
}

#[tokio::test]
async fn a_restart_cuts_it() {
    for _ in 0..TRIES {
        let stage = stage().await;
        let (joined, took) = join(&stage, &[]).await;
        stage.assert_joined().await;
        assert!(took < ETCDS_WAIT - Duration::from_secs(1), "{took:?}: {}", joined.stdout);
        if joined.stdout.contains("restarted once to cut etcd's wait") {
            return;
        }
    }
    panic!("no newcomer of {TRIES} was silent: is the wait gone from etcd {}?", newest().version);
}

#[tokio::test]
async fn it_is_waited_for_where_that_is_asked_for() {
    for _ in 0..TRIES {
        let stage = stage().await;
        let (joined, took) = join(&stage, &["--silent-learner", "wait"]).await;
        stage.assert_joined().await;
        assert!(!joined.stdout.contains("restarted"), "{}", joined.stdout);
        if took > ETCDS_WAIT - Duration::from_secs(1) {
            return;
        }
    }
    panic!("no newcomer of {TRIES} was silent: is the wait gone from etcd {}?", newest().version);
}
