//! `runner plan` on real etcd: what it says, and that it is so.

use runner_harness::{Finished, RealCluster, SOON, Spawned, Stage, Tls, newest, of_minor};
use serde_json::Value;

async fn plan(stage: &Stage, args: &[&str]) -> Finished {
    let mut command = stage.node.stateless("plan");
    command.args(["--insecure", "--color", "never", "--endpoints", &stage.cluster.endpoints().join(",")]).args(args);
    Spawned::start(command).finish(SOON).await
}

async fn changes(stage: &Stage, args: &[&str], code: i32) -> Vec<Value> {
    let args: Vec<&str> = args.iter().copied().chain(["--output", "json"]).collect();
    let said: Value = serde_json::from_str(&plan(stage, &args).await.expect_code(code).stdout).expect("JSON");
    assert_eq!(said["accepted"], code == 0);
    said["changes"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_join_of_a_healthy_cluster_is_foretold_and_changes_nothing() {
    let stage = Stage::set(3, &newest(), Tls::Off).await;
    let before = stage.list().await;
    let said = changes(&stage, &[], 0).await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0]["tolerance"], serde_json::json!({"now": 1, "after": 1, "newcomerDead": 0}));
    assert_eq!(stage.list().await, before);
    let text = plan(&stage, &[]).await.expect_code(0).stdout;
    assert!(text.contains("promote the new member: accepted: "), "{text}");
    assert!(text.contains("more losses survived: 1 now, 1 afterwards, 0 if the newcomer fails"), "{text}");
    stage.assert_no_trace();
}

#[tokio::test]
async fn what_if_a_voter_were_down_is_what_is_the_case_when_it_is() {
    // 3.5.16 wants every voter, and four with one down would do for a newer one.
    for (etcd, refused) in [(of_minor("3.4"), true), (newest(), false)] {
        let mut stage = Stage::set(4, &etcd, Tls::Off).await;
        let code = if refused { 10 } else { 0 };
        // Not the leader: the others would have to elect first, and until then there is another answer.
        let dead = (stage.cluster.leader().await + 1) % 4;
        let name = format!("m{}", dead + 1);
        let what_if = changes(&stage, &["--down", &name], code).await;
        stage.cluster.kill(dead);
        let is = changes(&stage, &[], code).await;
        assert_eq!(what_if, is, "etcd {}", etcd.version);
        if refused {
            assert_eq!(is[0]["answer"]["reason"], "unhealthy-cluster");
            assert!(
                is[0]["fix"]
                    .as_str()
                    .is_some_and(|f| f.contains(&format!("bring {name} back")) && f.contains("etcdctl member remove"))
            );
            // The order that the fix asks for.
            assert!(changes(&stage, &["--remove", &name, "--join"], 0).await.len() == 3);
        }
    }
}

#[tokio::test]
async fn a_member_that_does_not_exist_and_a_last_voter() {
    let stage = Stage::set(1, &newest(), Tls::Off).await;
    let said = plan(&stage, &["--remove", "m7"]).await.expect_code(2);
    assert!(said.stderr.contains("error: no member has the name or id \"m7\""), "{}", said.stderr);
    assert!(said.stderr.contains("hint: there are m1 ("), "{}", said.stderr);
    let last = changes(&stage, &["--remove", "m1"], 10).await;
    assert_eq!(
        (&last[0]["answer"]["reason"], &last[0]["why"]),
        (&"not-enough-started".into(), &"it is the last voter".into())
    );
    let second = changes(&stage, &[], 0).await;
    assert_eq!(second[1]["tolerance"], serde_json::json!({"now": 0, "after": 0, "newcomerDead": null}));
}

#[tokio::test]
async fn a_cluster_without_a_quorum_is_no_cluster_to_plan_for() {
    let mut stage = Stage::set(3, &newest(), Tls::Off).await;
    for member in [1, 2] {
        RealCluster::kill(&mut stage.cluster, member);
    }
    let said = plan(&stage, &[]).await.expect_code(13);
    assert!(said.stderr.contains("error: cannot read the cluster"), "{}", said.stderr);
}
