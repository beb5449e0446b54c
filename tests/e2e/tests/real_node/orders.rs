//! Runner, `kubeadm reset`, `kubeadm join`, etcd's own commands and `kill -9` in every order that can hurt: runner never harms a member that
//! is not its own, and always says what is to be done.

use std::time::Duration;

use runner::cluster::remedy::Remedy;
use runner_harness::{ControlPlane, Finished, Spawned, eventually};

use crate::{NEWEST, begun};

const LONG: Duration = Duration::from_secs(120);

const MANIFEST: &str = "/etc/kubernetes/manifests/etcd.yaml";

/// A cluster of one, and a second node whose run was killed when this step had begun.
async fn killed_at(step: &str) -> ControlPlane {
    let plane = begun(NEWEST, 2).await;
    kill_at(&plane, step).await;
    plane
}

async fn kill_at(plane: &ControlPlane, step: &str) {
    plane.write_join_config(1);
    let mut run = plane.nodes[1].start_runner(&["kubeadm-join", "--config=/etc/join.yaml", "--output=json"]);
    run.event("step-started", step, LONG).await;
    run.kill();
}

fn text(ended: &Finished) -> String {
    format!("{}{}", ended.stdout, ended.stderr)
}

/// Nobody is told to remove, stop or empty a voter.
fn assert_no_harm_advised(ended: &Finished) {
    let said = text(ended);
    for advice in ["member remove", "stop the member", "remove /var/lib/etcd", " aside"] {
        assert!(!said.contains(advice), "{said}");
    }
}

/// A run is killed; the node is reset, and joined by kubeadm itself. The old run's rollback does not touch the healthy voter.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn an_old_run_does_not_harm_a_node_that_kubeadm_has_joined() {
    let plane = killed_at("sync").await;
    plane.reset(1).await;
    plane.kubeadm_join(1).await;
    plane.assert_voters(&[0, 1]).await;
    let node = &plane.nodes[1];
    let status = node.runner(&["status"]).await.expect_code(0);
    assert!(status.stderr.contains("is unfinished"), "{}", text(&status));
    // kubeadm has taken over the learner that its reset had left, or made a new one: in either case a voter stays.
    let back = node.runner(&["rollback"]).await;
    assert_no_harm_advised(&back);
    if back.code() == Some(16) {
        node.runner(&["resume"]).await.expect_code(0);
    } else {
        back.expect_code(17);
    }
    plane.assert_voters(&[0, 1]).await;
    assert!(node.has(MANIFEST) && node.has("/var/lib/etcd/member"));
    let status = node.runner(&["status"]).await.expect_code(0);
    assert!(!status.stderr.contains("is unfinished"), "{}", text(&status));
}

/// Waits until kubeadm has written the manifest of the second node's etcd: by then it has found the learner that was left.
async fn kubeadm_has_begun(plane: &ControlPlane) {
    let written = async || plane.nodes[1].has(MANIFEST).then_some(()).ok_or("none");
    eventually("kubeadm's manifest", LONG, written).await;
}

/// The same, and it is rolled back while kubeadm joins the node: kubeadm gets to its end. Whether its member still is a learner when runner looks
/// is luck; the next test has that for certain.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn an_old_run_does_not_undo_what_kubeadm_is_about_to_do() {
    let plane = killed_at("sync").await;
    plane.reset(1).await;
    let undone = async {
        kubeadm_has_begun(&plane).await;
        plane.nodes[1].runner(&["rollback"]).await
    };
    let (_, back) = tokio::join!(plane.kubeadm_join(1), undone);
    let said = text(&back);
    let of_a_voter = back.code() == Some(16) && said.contains("only a person removes a voter");
    let of_a_learner = back.code() == Some(17) && said.contains("is joined by other hands now");
    assert!(of_a_voter || of_a_learner, "{said}");
    plane.assert_voters(&[0, 1]).await;
}

/// The same, while kubeadm itself was killed before it could promote: the learner, its etcd and its manifest stay, and what is said is a way out.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn an_old_run_does_not_undo_a_learner_that_kubeadm_has_started() {
    let plane = killed_at("sync").await;
    plane.reset(1).await;
    plane.write_join_config(1);
    let node = &plane.nodes[1];
    let kubeadm = Spawned::start(node.command("kubeadm", &["join", "--config=/etc/join.yaml"]));
    kubeadm_has_begun(&plane).await;
    kubeadm.kill();
    let manifest = node.read(MANIFEST);
    let back = node.runner(&["rollback"]).await;
    let said = text(&back);
    let back = back.expect_code(17);
    assert!(said.contains("is joined by other hands now"), "{said}");
    assert!(plane.members(0).await.contains(&(node.peer_url(), true)), "{said}");
    assert_eq!(node.read(MANIFEST), manifest);
    // Nobody joins it any more: a member that has started without the log that it had may never catch up. The way out is what was said.
    obey(&plane, &back).await;
    plane.reset(1).await;
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// The same, and the old run is gone on with.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn an_old_run_is_not_gone_on_with_on_a_node_that_kubeadm_has_joined() {
    for step in ["start-member", "promote"] {
        let plane = killed_at(step).await;
        plane.reset(1).await;
        plane.kubeadm_join(1).await;
        let ended = plane.nodes[1].runner(&["resume"]).await;
        assert_no_harm_advised(&ended);
        // kubeadm has taken over the run's own learner, or made another.
        assert!([Some(0), Some(17)].contains(&ended.code()), "{}", text(&ended));
        plane.assert_voters(&[0, 1]).await;
        let status = plane.nodes[1].runner(&["status"]).await.expect_code(0);
        assert!(!status.stderr.contains("is unfinished"), "{}", text(&status));
    }
}

/// A run is killed and the node is reset: with the certificates gone, what is unfinished is said and closed. kubeadm leaves a learner in the
/// list, as it does not know the node yet: whoever obeys what was said removes it, and then the node is joined again.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_reset_node_says_what_is_unfinished_and_ends_it() {
    let plane = killed_at("sync").await;
    plane.reset(1).await;
    let node = &plane.nodes[1];
    let status = node.runner(&["status"]).await;
    assert!(status.stderr.contains("is unfinished"), "{}", text(&status));
    let resumed = node.runner(&["resume"]).await.expect_code(2);
    assert!(resumed.stderr.contains("`runner rollback` closes the run"), "{}", text(&resumed));
    let back = node.runner(&["rollback"]).await.expect_code(17);
    assert!(back.stderr.contains("the run is closed"), "{}", text(&back));
    let again = node.runner(&["rollback"]).await.expect_code(2);
    assert!(again.stderr.contains("no run in"), "{}", text(&again));
    assert!(plane.members(0).await.contains(&(node.peer_url(), true)), "kubeadm has removed it by itself");
    obey(&plane, &back).await;
    plane.assert_voters(&[0]).await;
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// Removes the member that was said to be removed, as `etcdctl` would.
async fn obey(plane: &ControlPlane, said: &Finished) {
    let removes = |remedy: Remedy| if let Remedy::RemoveMember { id, .. } = remedy { Some(id.0) } else { None };
    let id = Remedy::read(&said.stderr).into_iter().find_map(removes).unwrap_or_else(|| panic!("{}", text(said)));
    let mut client = plane.nodes[0].etcd().await.expect("it answers");
    client.member_remove(id).await.expect("it may go");
}

/// The same without a rollback in between: a new join of the node undoes the run that nobody can go on with, and begins anew.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_reset_node_is_joined_again_at_once() {
    let plane = killed_at("add-learner").await;
    plane.reset(1).await;
    for step in ["sync", "promote"] {
        kill_at(&plane, step).await;
        plane.reset(1).await;
    }
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// A node is reset when its member votes and kubeadm does not know it yet: the vote stays, and nobody but a person takes it away.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_vote_that_a_reset_has_left_is_for_a_person_to_remove() {
    let plane = begun(NEWEST, 3).await;
    plane.runner_join(2, &[]).await;
    plane.write_join_config(1);
    let mut run = plane.nodes[1].start_runner(&["kubeadm-join", "--config=/etc/join.yaml", "--output=json"]);
    run.event("step-started", "promote", LONG).await;
    // Else it might have registered the node by then, and kubeadm would remove the member.
    plane.nodes[1].break_kubelet().await;
    run.event("step-started", "verify", LONG).await;
    run.kill();
    plane.reset(1).await;
    plane.nodes[1].mend_kubelet();
    let refused = plane.nodes[1].runner(&["kubeadm-join", "--config=/etc/join.yaml"]).await;
    assert!(plane.members(0).await.contains(&(plane.nodes[1].peer_url(), false)), "kubeadm has removed it by itself");
    let refused = refused.expect_code(10);
    assert!(refused.stderr.contains("member-without-its-data"), "{}", text(&refused));
    obey(&plane, &refused).await;
    // As it was said.
    tokio::time::sleep(Duration::from_secs(5)).await;
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1, 2]).await;
}

/// Somebody removes the learner of a killed run by hand.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_learner_that_was_removed_by_hand() {
    let plane = killed_at("sync").await;
    let mut client = plane.nodes[0].etcd().await.expect("it answers");
    let list = client.member_list().await.expect("it answers");
    let own = list.members().iter().find(|m| m.peer_urls()[0] == plane.nodes[1].peer_url()).expect("it was added");
    client.member_remove(own.id()).await.expect("a learner may go");
    let back = plane.nodes[1].runner(&["rollback"]).await.expect_code(0);
    assert!(!plane.nodes[1].has("/var/lib/etcd/member"), "{}", text(&back));
    plane.assert_voters(&[0]).await;
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// A node that has joined is joined again, rolled back and resumed: nothing happens to it.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_node_that_has_joined_is_left_alone() {
    let plane = begun(NEWEST, 2).await;
    plane.runner_join(1, &[]).await;
    let node = &plane.nodes[1];
    for command in ["rollback", "resume"] {
        let ended = node.runner(&[command]).await;
        assert_eq!(ended.code(), Some(2), "{}", text(&ended));
        plane.assert_voters(&[0, 1]).await;
    }
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
    // And one that runner has never seen.
    let first = plane.nodes[0].runner(&["rollback"]).await;
    assert_eq!(first.code(), Some(2), "{}", text(&first));
    plane.assert_voters(&[0, 1]).await;
}

/// etcd is killed while its run is; both come back.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn etcd_and_its_run_are_killed_together() {
    let plane = killed_at("sync").await;
    for id in plane.nodes[1].processes("etcd") {
        let id = rustix::process::Pid::from_raw(id.try_into().expect("a process id")).expect("a process id");
        rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it runs");
    }
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// The API server's name leads nowhere when a run is undone: etcd is enough for that.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_run_is_undone_while_the_api_server_is_away() {
    let plane = killed_at("sync").await;
    let node = &plane.nodes[1];
    let hosts = node.read("/etc/hosts");
    node.write("/etc/hosts", &hosts.replace("10.77.0.11 api", "10.77.0.250 api"));
    let back = node.runner(&["rollback"]).await;
    assert!([Some(0), Some(15)].contains(&back.code()), "{}", text(&back));
    plane.assert_voters(&[0]).await;
    assert!(!node.has("/var/lib/etcd/member"), "{}", text(&back));
    node.write("/etc/hosts", &hosts);
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// A node that kubeadm has joined by itself is given to runner: it is a voter with its data, and its manifest stays kubeadm's.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_node_that_kubeadm_has_joined_is_left_alone() {
    let plane = begun(NEWEST, 2).await;
    plane.kubeadm_join(1).await;
    let node = &plane.nodes[1];
    let (manifest, members) = (node.read(MANIFEST), plane.members(0).await);
    plane.runner_join(1, &[]).await;
    for command in ["resume", "rollback"] {
        node.runner(&[command]).await.expect_code(2);
    }
    assert_eq!(node.read(MANIFEST), manifest);
    assert_eq!(plane.members(0).await, members);
    plane.assert_voters(&[0, 1]).await;
}

/// Somebody removes a voter that runner has made, and its etcd ends for good. A new join says whose data it is and changes nothing.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_voter_that_was_removed_by_hand() {
    let plane = begun(NEWEST, 3).await;
    plane.runner_join(1, &[]).await;
    plane.runner_join(2, &[]).await;
    let node = &plane.nodes[2];
    let mut client = plane.nodes[0].etcd().await.expect("it answers");
    let list = client.member_list().await.expect("it answers");
    let own = list.members().iter().find(|m| m.peer_urls()[0] == node.peer_url()).expect("it is a member").id();
    // Right after a promotion the others may not have seen the newcomer for long enough.
    let removed = async || plane.nodes[0].etcd().await?.member_remove(own).await.map_err(anyhow::Error::from);
    eventually("the member to go", LONG, removed).await;
    let refused = node.runner(&["kubeadm-join", "--config=/etc/join.yaml"]).await.expect_code(10);
    assert!(refused.stderr.contains("data-of-removed-member"), "{}", text(&refused));
    assert!(node.has("/var/lib/etcd/member"), "nobody has moved it");
    plane.assert_voters(&[0, 1]).await;
    plane.reset(2).await;
    plane.runner_join(2, &[]).await;
    plane.assert_voters(&[0, 1, 2]).await;
}

/// The API server's name leads nowhere from the moment on in which the member is started: it joins or is undone, never half, and the same
/// command gets to the end when the API server is back.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn the_api_server_goes_away_while_the_member_joins() {
    let plane = begun(NEWEST, 2).await;
    plane.write_join_config(1);
    let node = &plane.nodes[1];
    let mut run = node.start_runner(&["kubeadm-join", "--config=/etc/join.yaml", "--output=json"]);
    run.event("step-started", "start-member", LONG).await;
    let hosts = node.read("/etc/hosts");
    node.write("/etc/hosts", &hosts.replace("10.77.0.11 api", "10.77.0.250 api"));
    let ended = run.finish(LONG * 5).await;
    let members = plane.members(0).await;
    assert!(!members.iter().any(|(_, learner)| *learner), "{members:?}: {}", text(&ended));
    node.write("/etc/hosts", &hosts);
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}
