//! etcd's own wait of 7 s at a newcomer that is caught up by a snapshot with its own name in it, on real etcd: seen where runner is told
//! to wait, cut where it may restart the learner.

use std::time::Duration;

use jiff::Timestamp;
use runner_harness::{Finished, SOON, Spawned, Stage, Tls, newest};
use serde_json::Value;

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

/// Joins once with these arguments besides.
async fn join(stage: &Stage, arguments: &[&str]) -> Finished {
    let mut command = stage.node.join(&stage.cluster.endpoints());
    command.args(arguments);
    let joined = Spawned::start(command).finish(SOON).await.expect_code(0);
    stage.assert_joined().await;
    joined
}

/// From the first event of a kind that fits to the end of the sync; none where there is none.
fn to_the_end_of_sync(joined: &Finished, kind: &str, fits: impl Fn(&Value) -> bool) -> Option<Duration> {
    let first = |kind: &str, fits: &dyn Fn(&Value) -> bool| {
        let event = joined.events_of(kind).into_iter().find(|event| fits(event))?;
        Some(event["at"].as_str()?.parse::<Timestamp>().expect("a time"))
    };
    let ended = first("step-finished", &|event| event["step"] == "sync").expect("it was in sync");
    Some(ended.duration_since(first(kind, &fits)?).try_into().expect("it is before the end"))
}

#[tokio::test]
async fn a_restart_cuts_it() {
    for _ in 0..TRIES {
        let stage = stage().await;
        let joined = join(&stage, &[]).await;
        let restart =
            |event: &Value| event["reason"].as_str().is_some_and(|reason| reason.contains("restarted, since etcd"));
        // How soon the silence is noticed is a matter of how busy the machine is; what follows the restart is etcd's.
        if let Some(took) = to_the_end_of_sync(&joined, "waiting", restart) {
            assert!(took < ETCDS_WAIT - Duration::from_secs(1), "{took:?}: {}", joined.stdout);
            assert!(joined.stdout.contains("restarted once to cut etcd's wait"), "{}", joined.stdout);
            return;
        }
        assert!(!joined.stdout.contains("does not serve clients"), "silent and not restarted: {}", joined.stdout);
    }
    panic!("no newcomer of {TRIES} was silent: is the wait gone from etcd {}?", newest().version);
}

#[tokio::test]
async fn it_is_waited_for_where_that_is_asked_for() {
    for _ in 0..TRIES {
        let stage = stage().await;
        let joined = join(&stage, &["--silent-learner", "wait"]).await;
        assert!(!joined.stdout.contains("restarted"), "{}", joined.stdout);
        let took = to_the_end_of_sync(&joined, "step-started", |event| event["step"] == "sync").expect("it began");
        if took > ETCDS_WAIT - Duration::from_secs(1) {
            return;
        }
    }
    panic!("no newcomer of {TRIES} was silent: is the wait gone from etcd {}?", newest().version);
}
