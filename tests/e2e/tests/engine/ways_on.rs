//! Always a way on, with real etcd: given endpoints that are gone, power cuts, a quorum that is lost, a place that was given away.

use std::time::Duration;

use runner_harness::{
    Finished, Node, RealCluster, SOON, Scratch, Spawned, Stage, Tls, eventually, newest, processes_of, running_on,
};

async fn finished(mut command: std::process::Command, args: &[&str]) -> Finished {
    command.args(args);
    Spawned::start(command).finish(SOON).await
}

/// As when the machine loses its power.
async fn power_off(node: &Node) {
    for (id, _) in running_on(&node.data_dir) {
        let pid = rustix::process::Pid::from_raw(id.cast_signed()).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
    }
    eventually("etcd to be gone", SOON, async || match processes_of(&node.data_dir).as_slice() {
        [] => Ok(()),
        left => Err(format!("{left:?}")),
    })
    .await;
}

async fn takes_writes(node: &Node) {
    eventually("the cluster to take a write", SOON, async || {
        let mut client = node.client().await;
        let put = tokio::time::timeout(Duration::from_secs(5), client.put("k", "v", None)).await;
        put.map_err(|_| "no answer".to_owned())?.map(drop).map_err(|e| e.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_rollback_finds_the_cluster_without_the_endpoint_that_was_given() {
    let mut stage = Stage::set(3, &newest(), Tls::On).await;
    let mut command = stage.node.join(&stage.cluster.endpoints()[..1]);
    command.args(["--stability", "10m"]);
    let mut join = Spawned::start(command);
    join.event("step-started", "sync", SOON).await;
    join.kill();
    stage.cluster.kill(0);
    let back = stage.node.rollback().finish(SOON).await.expect_code(0);
    stage.cluster.restart(0).await;
    stage.cluster.serves(0).await;
    stage.assert_baseline().await;
    assert_eq!(back.events().pop().expect("events")["outcome"], "rolled-back-on-request");
}

#[tokio::test]
async fn after_a_power_cut_of_all_nodes_one_command_on_each_brings_the_cluster_back() {
    for tls in [Tls::Off, Tls::On] {
        let scratch = Scratch::new();
        let a = Node::plan(&scratch, "a", &newest(), tls);
        finished(a.init(), &[]).await.expect_code(0);
        let b = Node::plan(&scratch, "b", &newest(), tls);
        let b = if tls == Tls::On { b.with_ca_of(&a.pki_dir) } else { b };
        finished(b.join(&[a.client_url()]), &[]).await.expect_code(0);
        takes_writes(&a).await;

        power_off(&a).await;
        power_off(&b).await;
        // The first one serves nothing before the second is there, and is not stopped for it.
        let first = finished(a.command("start"), &["--start-timeout", "3s"]).await.expect_code(0);
        assert!(first.stderr.contains("a runs, and serves once most of its cluster's members run"), "{}", first.stderr);
        assert_eq!(processes_of(&a.data_dir).len(), 1);
        let again = finished(a.command("start"), &["--start-timeout", "1s"]).await.expect_code(0);
        assert!(again.stderr.contains("a runs already"), "{}", again.stderr);
        // Neither is it by `init`, whose member it is.
        finished(a.init(), &["--start-timeout", "2s"]).await.expect_code(14);
        assert_eq!(processes_of(&a.data_dir).len(), 1, "init stopped a member that has data");
        let second = finished(b.command("start"), &["--start-timeout", "60s"]).await.expect_code(0);
        assert!(second.stderr.contains("b serves at"), "{}", second.stderr);
        takes_writes(&a).await;
        takes_writes(&b).await;
        for node in [&a, &b] {
            power_off(node).await;
        }
    }
}

#[tokio::test]
async fn a_promoted_run_is_ended_after_a_power_cut_of_both_voters() {
    let mut stage = Stage::set(1, &newest(), Tls::On).await;
    let mut join = stage.join();
    join.event("step-started", "verify", SOON).await;
    join.kill();
    if stage.node.journal().last().is_some_and(|record| record == "finished") {
        // The kill came too late.
        return;
    }
    power_off(&stage.node).await;
    stage.cluster.kill(0);
    // The other one is back first, and waits for this node's vote.
    stage.cluster.members[0].start();
    stage.node.resume().finish(SOON).await.expect_code(0);
    stage.cluster.serves(0).await;
    stage.assert_joined().await;
}

#[tokio::test]
async fn a_member_whose_place_was_given_away_is_not_started() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    stage.join().finish(SOON).await.expect_code(0);
    let mut client = stage.cluster.client_of(0).await;
    let ours = client.member_list().await.expect("it answers").members().iter().find(|m| m.name() == "new").map(|m| m.id());
    eventually("etcd to remove it", SOON, async || {
        client.member_remove(ours.expect("it joined")).await.map(drop).map_err(|e| e.to_string())
    })
    .await;
    power_off(&stage.node).await;
    let learner = etcd_client::MemberAddOptions::new().with_is_learner();
    eventually("etcd to take another one", SOON, async || {
        client.member_add([stage.node.peer_url()], Some(learner.clone())).await.map(drop).map_err(|e| e.to_string())
    })
    .await;
    let refused = finished(stage.node.command("start"), &[]).await.expect_code(10);
    assert!(refused.stderr.contains("has new's peer URL by now: not started"), "{}", refused.stderr);
    let refused = finished(stage.node.init(), &[]).await.expect_code(10);
    assert!(refused.stderr.contains("has new's peer URL by now: not started"), "{}", refused.stderr);
    assert_eq!(processes_of(&stage.node.data_dir), Vec::<String>::new());
}

#[tokio::test]
async fn status_tells_what_is_unfinished_without_etcd() {
    let mut stage = Stage::set(1, &newest(), Tls::On).await;
    let mut join = stage.join();
    join.event("member-added", "", SOON).await;
    join.kill();
    stage.cluster.kill(0);
    let text = |mut command: std::process::Command| {
        command.args(["--endpoints", &stage.cluster.endpoints().join(",")]);
        command.arg("--pki-dir").arg(&stage.node.pki_dir);
        command
    };
    let told = finished(text(stage.node.command("status")), &[]).await.expect_code(13);
    assert!(told.stderr.contains("the join of new") && told.stderr.contains("is unfinished"), "{}", told.stderr);
    let told = finished(stage.node.status(&stage.cluster.endpoints()), &[]).await.expect_code(13);
    let shown: serde_json::Value = serde_json::from_str(&told.stdout).expect("a JSON document");
    assert_eq!(shown["unfinishedRuns"][0]["member"], "new", "{shown}");
    assert!(shown["error"].as_str().is_some_and(|text| text.contains("cannot read the cluster")), "{shown}");
}

#[tokio::test]
async fn the_run_of_a_cluster_that_is_gone_is_closed_and_nothing_touched() {
    let mut stage = Stage::set(1, &newest(), Tls::On).await;
    let mut join = stage.join();
    join.event("step-finished", "start-member", SOON).await;
    join.kill();
    stage.cluster.kill(0);
    let running = processes_of(&stage.node.data_dir);
    assert_eq!(running.len(), 1, "{running:?}");
    // A name that is mistyped closes nothing, and makes no run.
    for mistyped in ["enw", "new2"] {
        let refused = finished(stage.node.command("rollback"), &["--abandon", "--name", mistyped]).await.expect_code(2);
        assert!(refused.stderr.contains(&format!("there is no run of {mistyped}")), "{}", refused.stderr);
    }
    let closed = finished(stage.node.command("rollback"), &["--abandon"]).await.expect_code(0);
    assert!(closed.stderr.contains("the run of new is closed; nothing was touched"), "{}", closed.stderr);
    assert_eq!(processes_of(&stage.node.data_dir), running);
    finished(stage.node.command("rollback"), &[]).await.expect_code(2);
    // The only member that there is, and no mistyped one.
    let runs = finished(stage.node.command("start"), &["--start-timeout", "1s"]).await.expect_code(0);
    assert!(runs.stderr.contains("new runs already"), "{}", runs.stderr);
}

#[tokio::test]
async fn endpoints_of_two_clusters_are_refused() {
    let stage = Stage::set(1, &newest(), Tls::Off).await;
    let other = RealCluster::start(1, &newest(), Tls::Off).await;
    let endpoints = [stage.cluster.endpoints(), other.endpoints()].concat();
    let refused = finished(stage.node.join_for_people(&endpoints), &[]).await.expect_code(10);
    assert!(refused.stderr.contains("the endpoints belong to two clusters"), "{}", refused.stderr);
    stage.assert_baseline().await;
}
