//! Other hands on the node, with real etcd: whoever wipes and joins it by other means, runner destroys no member that is not its own.

use std::fs;
use std::time::Duration;

use runner_harness::{Finished, RealMember, SOON, Stage, Tls, eventually, newest, processes_of};

/// A join of the node that is killed while its learner waits for the end of a long window, with the learner's id.
async fn left_as_a_learner(stage: &Stage) -> u64 {
    let mut command = stage.command();
    command.args(["--stability", "10m"]);
    let mut join = runner_harness::Spawned::start(command);
    join.event("step-started", "sync", SOON).await;
    join.kill();
    let mut client = stage.cluster.client_of(0).await;
    let id = eventually("the learner in the list", SOON, async || {
        let list = client.member_list().await.map_err(|e| e.to_string())?;
        list.members().iter().find(|m| m.is_learner() && !m.name().is_empty()).map(|m| m.id()).ok_or("not there".to_owned())
    })
    .await;
    assert!(!processes_of(&stage.node.data_dir).is_empty());
    id
}

/// Ends whatever etcd runs on the node, as a person would.
async fn kill_etcd(stage: &Stage) {
    for (id, _) in runner_harness::running_on(&stage.node.data_dir) {
        let pid = rustix::process::Pid::from_raw(id.cast_signed()).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
    }
    eventually("etcd to be gone", SOON, async || match processes_of(&stage.node.data_dir).as_slice() {
        [] => Ok(()),
        left => Err(format!("{left:?}")),
    })
    .await;
}

/// Wipes the node by hand and starts a voter there with an etcd of one's own.
async fn rejoined_by_hand(stage: &Stage, learner: u64) -> RealMember {
    let mut client = stage.cluster.client_of(0).await;
    client.member_remove(learner).await.expect("a learner can go");
    kill_etcd(stage).await;
    fs::remove_dir_all(&stage.node.data_dir).expect("its data");
    let mut member = RealMember::plan("by-hand", &stage.node.binary, &stage.cluster.scratch.join("by-hand"), Tls::Off, &[]);
    member.peer_url = stage.node.peer_url();
    member.client_url = stage.node.client_url();
    member.data_dir = stage.node.data_dir.clone();
    let urls = [member.peer_url.clone()];
    // A voter that has just come makes the next add wait for 5 s.
    eventually("etcd to take the member", SOON, async || {
        client.member_add(urls.clone(), None).await.map(drop).map_err(|e| e.to_string())
    })
    .await;
    let mut list = stage.cluster.initial_cluster();
    list.push((member.name.clone(), member.peer_url.clone()));
    member.bootstrap(&list, "existing");
    member.start();
    eventually("the member to serve", SOON, async || {
        let mut client = stage.node.client().await;
        client.get("written-before", None).await.map(drop).map_err(|e| e.to_string())
    })
    .await;
    member
}

/// The whole cluster takes writes, and the member that was put there by hand runs and serves.
async fn assert_untouched(stage: &Stage, member: &mut RealMember, end: &Finished) {
    assert!(member.running(), "its process was ended: {end:?}");
    assert!(member.data_dir.join("member/wal").is_dir(), "its data is gone: {end:?}");
    assert!(stage.is_voter().await, "{end:?}");
    let put = tokio::time::timeout(Duration::from_secs(10), async {
        stage.cluster.client_of(0).await.put("written-after", "x", None).await
    });
    put.await.expect("the cluster has its quorum").expect("the cluster takes writes");
    runner_harness::assert_serves(&stage.node).await;
}

#[tokio::test]
async fn a_stale_run_leaves_a_member_that_was_put_there_by_hand_alone() {
    for operation in ["rollback", "resume"] {
        let stage = Stage::set(1, &newest(), Tls::Off).await;
        let learner = left_as_a_learner(&stage).await;
        let mut member = rejoined_by_hand(&stage, learner).await;
        let mut command = stage.node.command(operation);
        command.args(["--output", "json"]);
        let end = runner_harness::Spawned::start(command).finish(SOON).await.expect_code(17);
        assert_untouched(&stage, &mut member, &end).await;
        let told = end.events().pop().expect("events");
        assert_eq!(told["outcome"], "overtaken", "{told}");
        let message = told["message"].as_str().expect("a message");
        assert!(message.contains(&format!("its member {learner:x} is no longer in the list")), "{message}");
        assert_eq!(told["hints"], serde_json::json!([]), "nothing is left to do: {told}");
        // The run is closed: nobody is sent there again.
        assert_eq!(stage.node.journal().last().map(String::as_str), Some("finished"));
        let again = runner_harness::Spawned::start(stage.node.command(operation)).finish(SOON).await.expect_code(2);
        assert!(again.stderr.contains("no run in"), "{}", again.stderr);
        assert_untouched(&stage, &mut member, &again).await;
    }
}

#[tokio::test]
async fn a_member_that_somebody_else_promoted_is_never_removed() {
    let stage = Stage::set(1, &newest(), Tls::Off).await;
    let learner = left_as_a_learner(&stage).await;
    let mut client = stage.cluster.client_of(0).await;
    eventually("etcd to promote", SOON, async || client.member_promote(learner).await.map(drop).map_err(|e| e.to_string()))
        .await;
    let back = stage.node.rollback().finish(SOON).await.expect_code(16);
    stage.assert_joined().await;
    let end = back.events().pop().expect("events");
    assert!(end["hints"][0].as_str().is_some_and(|hint| hint.contains("`runner resume`")), "{end}");
    stage.node.resume().finish(SOON).await.expect_code(0);
    stage.assert_joined().await;
}

#[tokio::test]
async fn data_that_is_another_members_by_now_is_left_and_said() {
    // The learner is still in the list, but its machine holds another cluster's member: that one is left, the learner removed.
    let stage = Stage::set(1, &newest(), Tls::Off).await;
    left_as_a_learner(&stage).await;
    kill_etcd(&stage).await;
    fs::remove_dir_all(&stage.node.data_dir).expect("its data");
    let mut other = RealMember::plan("other", &stage.node.binary, &stage.cluster.scratch.join("other"), Tls::Off, &[]);
    other.data_dir = stage.node.data_dir.clone();
    other.bootstrap(&[("other".to_owned(), other.peer_url.clone())], "new");
    other.start();
    let wal = other.data_dir.join("member/wal");
    eventually("its log", SOON, async || if wal.is_dir() { Ok(()) } else { Err("none yet".to_owned()) }).await;
    let back = stage.node.rollback().finish(SOON).await.expect_code(0);
    assert!(other.running() && wal.is_dir(), "{back:?}");
    assert_eq!(stage.list().await.len(), 1);
    let end = back.events().pop().expect("events");
    let message = end["message"].as_str().expect("a message");
    assert!(message.contains("on this node left as it is:") && message.contains("holds the data of member"), "{message}");
}
