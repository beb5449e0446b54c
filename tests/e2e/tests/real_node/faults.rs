//! Joins to which something happens.

use std::time::Duration;

use runner_harness::{ControlPlane, Spawned, eventually};

use crate::{NEWEST, begun};

const LONG: Duration = Duration::from_secs(120);

/// `runner kubeadm-join` of the second node, under way, with its events on standard output.
fn joining(plane: &ControlPlane) -> Spawned {
    plane.write_join_config(1);
    plane.nodes[1].start_runner(&["kubeadm-join", "--config=/etc/join.yaml", "--output=json"])
}

/// Killed at every step of etcd's join, each time started again by the same command.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn killed_at_every_step_and_gone_on_with() {
    let plane = begun(NEWEST, 2).await;
    for step in ["discover", "check", "lock", "add-learner", "start-member", "sync", "promote", "verify"] {
        let mut run = joining(&plane);
        run.event("step-started", step, LONG).await;
        let said = run.kill();
        let begun = said.events_of("run-started").pop().expect("it has begun");
        // The first three are steps of the check, or the first of the join itself.
        let wanted = if step == "discover" || step == "check" {
            "check"
        } else if step == "lock" {
            "join"
        } else {
            "resume"
        };
        assert_eq!(begun["operation"], wanted, "{step}: {}", said.stdout);
    }
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// Killed while kubeadm works for it: kubeadm goes with it or goes on alone, and the same command gets to the end.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn killed_while_kubeadm_is_at_work() {
    let plane = begun(NEWEST, 2).await;
    let node = &plane.nodes[1];
    // The first part of kubeadm's, in the middle of which it writes the certificates; then the second, when the kubelet has begun.
    for seen in ["/etc/kubernetes/pki/ca.crt", "/var/lib/kubelet/config.yaml"] {
        let run = joining(&plane);
        let there = async || node.has(seen).then_some(()).ok_or("not yet");
        eventually(seen, LONG, there).await;
        run.kill();
    }
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// The kubelet does not run: said as that, undone, and the same command goes on when it does.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_kubelet_that_does_not_run() {
    let plane = begun(NEWEST, 2).await;
    plane.nodes[1].break_kubelet().await;
    plane.write_join_config(1);
    let ended =
        plane.nodes[1].runner(&["kubeadm-join", "--config=/etc/join.yaml", "--start-timeout=20s"]).await.expect_code(14);
    assert!(
        ended.stderr.contains("the kubelet has started nothing from /etc/kubernetes/manifests/etcd.yaml"),
        "{}",
        ended.stderr
    );
    plane.assert_voters(&[0]).await;
    plane.nodes[1].mend_kubelet();
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// The kubelet is stopped when a join is undone: nobody is waited for who could end the pod, and nothing starts it again.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_kubelet_that_is_stopped_when_the_join_is_undone() {
    let plane = begun(NEWEST, 2).await;
    plane.write_join_config(1);
    let node = &plane.nodes[1];
    let mut run = node.start_runner(&["kubeadm-join", "--config=/etc/join.yaml", "--stability=10m", "--output=json"]);
    run.event("step-started", "sync", LONG).await;
    run.kill();
    node.break_kubelet().await;
    let began = std::time::Instant::now();
    node.runner(&["rollback"]).await.expect_code(0);
    // A minute is how long a kubelet that runs is given.
    assert!(began.elapsed() < Duration::from_secs(45), "{:?}", began.elapsed());
    assert!(node.processes("etcd").is_empty() && !node.has("/var/lib/etcd/member"));
    plane.assert_voters(&[0]).await;
    node.mend_kubelet();
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// etcd's image is not on the node and cannot be pulled: what to look for is said, the join is undone; then the right one is named. The
/// kubelet would hold on to the pod for good, as its API server waits for etcd.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn an_image_that_is_missing() {
    let plane = begun(NEWEST, 2).await;
    plane.write_join_config(1);
    let missing = "--image=registry.k8s.io/etcd:3.6.99-0";
    let node = &plane.nodes[1];
    let ended =
        node.runner(&["kubeadm-join", "--config=/etc/join.yaml", missing, "--start-timeout=20s", "--output=json"]).await;
    let ended = ended.expect_code(14);
    assert!(ended.stdout.contains("crictl pull registry.k8s.io/etcd:3.6.99-0"), "{}\n{}", ended.stdout, ended.stderr);
    plane.assert_voters(&[0]).await;
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}

/// The power goes in the middle of the join, and comes back: the same command gets to the end. Then it goes once more, and etcd comes back
/// by itself.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn a_node_that_is_switched_off_and_on() {
    let mut plane = begun(NEWEST, 3).await;
    plane.runner_join(2, &[]).await;
    for step in ["add-learner", "sync"] {
        let mut run = joining(&plane);
        run.event("step-started", step, LONG).await;
        plane.nodes[1].switch_off();
        run.kill();
        plane.switch_on(1);
    }
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1, 2]).await;
    plane.nodes[1].switch_off();
    plane.switch_on(1);
    let back = async || plane.nodes[1].etcd().await?.get("any", None).await.map_err(anyhow::Error::from);
    eventually("etcd to come back", LONG, back).await;
    plane.assert_voters(&[0, 1, 2]).await;
}

/// kubeadm upgrades a manifest that runner has written.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn kubeadm_upgrades_a_member_that_runner_has_made() {
    let plane = begun(NEWEST, 2).await;
    plane.runner_join(1, &[]).await;
    let node = &plane.nodes[1];
    // Another tag of the same program, as a patch of etcd would be.
    let old = format!("registry.k8s.io/etcd:{}-0", plane.parts.etcd);
    let new = format!("registry.k8s.io/etcd:{}-1", plane.parts.etcd);
    let tag = ["--address=/run/containerd/containerd.sock", "--namespace=k8s.io", "images", "tag", &old, &new];
    node.run("ctr", &tag).await.expect_code(0);
    let config = node.kubectl(&["--namespace=kube-system", "get", "configmap", "kubeadm-config", "--output=yaml"]).await;
    node.write("/tmp-config.yaml", &config.replace(&format!("{}-0", plane.parts.etcd), &format!("{}-1", plane.parts.etcd)));
    node.kubectl(&["apply", "--filename=/tmp-config.yaml"]).await;
    let before = node.read("/etc/kubernetes/manifests/etcd.yaml");
    node.kubeadm(&["upgrade", "node", "--etcd-upgrade=true", "--ignore-preflight-errors=all"]).await.expect_code(0);
    let after = node.read("/etc/kubernetes/manifests/etcd.yaml");
    assert!(before.contains(&old) && after.contains(&new), "--- before\n{before}\n--- after\n{after}");
    plane.assert_voters(&[0, 1]).await;
}

/// etcd ends as soon as it is started: its own last words are told, as they are over the stand-in kubelet.
#[tokio::test]
#[ignore = "cargo xtask node"]
async fn an_etcd_that_ends_at_once() {
    let plane = begun(NEWEST, 2).await;
    plane.write_join_config(1);
    let node = &plane.nodes[1];
    let crashing = ["kubeadm-join", "--config=/etc/join.yaml", "--etcd-arg=--no-such-flag"];
    let ended = node.runner(&crashing).await.expect_code(15);
    assert!(ended.stderr.contains("flag provided but not defined: -no-such-flag"), "{}", ended.stderr);
    plane.assert_voters(&[0]).await;
    assert!(!node.has("/etc/kubernetes/manifests/etcd.yaml") && node.processes("etcd").is_empty());
    plane.runner_join(1, &[]).await;
    plane.assert_voters(&[0, 1]).await;
}
