//! Whatever goes wrong on the joining host: everything is as it was, and the next join comes through.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use runner_harness::{Family, Mischief, SOON, Spawned, eventually, guest, in_a_network_of_its_own, newest, running_on};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::site::{Site, done};

/// A policy with one plugin that fails in its check, or refuses every learner that has caught up.
fn policy(site: &Site, settings: &Value) -> PathBuf {
    let secret = site.scratch.write("hook.secret", "a secret");
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("it is the test's");
    let grants = json!({
        "random": true,
        "http": [{ "hosts": ["localhost"] }],
        "kubernetes": [{ "apiVersion": "v1", "kind": "Node" }],
        "probes": { "memory": true },
        "etcd": { "status": true },
        "secrets": { "hook": { "file": secret } },
    });
    let plugin = json!({ "name": "curious", "source": guest("curious"), "settings": settings, "grants": grants });
    let policy = json!({
        "apiVersion": "runner.dev/v1alpha1", "kind": "JoinPolicy", "metadata": { "name": "test" },
        "spec": { "plugins": [plugin] },
    });
    // JSON is YAML, too.
    site.scratch.write("policy.yaml", policy.to_string())
}

#[tokio::test]
async fn a_join_that_fails_leaves_everything_as_it_was() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    let before = site.list().await;
    let node = site.api.object("nodes", "", "cp-2");
    // It crashes at once.
    let mut crashing = site.join(joiner);
    crashing.arg("--etcd-arg=--no-such-flag");
    done(crashing).await.expect_code(15);
    site.assert_undone(joiner, &before).await;
    site.assert_nobody_joins();
    assert_eq!(site.events(joiner), ["EtcdJoinStarted", "EtcdJoinRolledBack"]);
    // The kubelet dies before it has started anything.
    site.machines[joiner].kubelet.go_down();
    let mut waiting = site.join(joiner);
    waiting.args(["--start-timeout", "2s"]);
    assert_ne!(done(waiting).await.code(), Some(0));
    site.assert_undone(joiner, &before).await;
    site.assert_nobody_joins();
    site.machines[joiner].kubelet.come_back();
    // It is interrupted, step by step.
    for step in ["discover", "check", "lock", "add-learner", "start-member", "sync"] {
        let joining = site.joining_at(joiner, step).await;
        joining.signal(Signal::INT);
        assert_ne!(joining.finish(SOON).await.code(), Some(0), "{step}");
        site.assert_undone(joiner, &before).await;
        site.assert_nobody_joins();
    }
    // A plugin fails at the beginning; a plugin refuses the promotion of a learner that has caught up.
    for (settings, code) in [(json!({ "ends": "error" }), 12), (json!({ "secret": "hook" }), 11)] {
        let mut refused = site.join(joiner);
        refused.arg("--plugins").arg(policy(&site, &settings));
        done(refused).await.expect_code(code);
        site.assert_undone(joiner, &before).await;
        site.assert_nobody_joins();
    }
    // Another controller removes its member.
    let joining = site.joining_at(joiner, "sync").await;
    let list = site.client().await.member_list().await.expect("the cluster answers");
    let learner = list.members().iter().find(|m| m.is_learner()).expect("the one that joins").id();
    site.client().await.member_remove(learner).await.expect("a learner can go");
    assert_ne!(joining.finish(SOON).await.code(), Some(0));
    site.assert_undone(joiner, &before).await;
    site.assert_nobody_joins();
    assert_eq!(site.api.object("nodes", "", "cp-2"), node, "the Node is as it was");
    // And after all that it joins.
    done(site.join(joiner)).await.expect_code(0);
    site.assert_joined(joiner).await;
}

#[tokio::test]
async fn a_kubelet_that_dies_once_etcd_runs_holds_up_nothing() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    let mut joining = Spawned::start(site.join(joiner));
    joining.event("step-started", "sync", SOON).await;
    site.machines[joiner].kubelet.go_down();
    joining.finish(SOON).await.expect_code(0);
    site.machines[joiner].kubelet.come_back();
    site.assert_joined(joiner).await;
}

#[tokio::test]
async fn a_join_that_was_killed_holds_up_others_no_longer_than_it_must() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let (dead, other) = (site.machine(), site.machine());
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
    site.api.mischief_for("POST", leases, Mischief::SlowAfter(SOON), None);
    let joining = Spawned::start(site.join(dead));
    let lease = || site.api.object("leases.coordination.k8s.io", "kube-system", "runner-etcd-join");
    let held = async || lease().ok_or("nobody has taken it");
    let lease = eventually("the Lease", SOON, held).await;
    assert!(lease["spec"]["holderIdentity"].as_str().is_some_and(|holder| holder.starts_with("cp-2_")), "{lease}");
    joining.kill();
    site.api.behave();
    let joined = done(site.join(other)).await.expect_code(0);
    assert!(joined.stdout.contains("lease-taken-over"), "{}", joined.stdout);
    // The dead one's entry says what has become of it, until its node has run once more.
    site.on(dead, "rollback").await.expect_code(0);
    site.assert_joined(other).await;
    done(site.join(dead)).await.expect_code(0);
    site.assert_joined(dead).await;
}

/// Whoever takes Ctrl-C twice for an answer is not kept by a kubelet that takes its time.
#[tokio::test]
async fn an_undo_that_waits_for_the_kubelet_can_be_left() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    let before = site.list().await;
    let mut joining = site.joining_at(joiner, "sync").await;
    joining.signal(Signal::INT);
    joining.event("undoing", "start-member", SOON).await;
    let asked = Instant::now();
    joining.signal(Signal::INT);
    joining.finish(SOON).await.expect_code(130);
    // Runner would look for three seconds at least whether anything comes up again.
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    site.on(joiner, "rollback").await.expect_code(0);
    site.assert_undone(joiner, &before).await;
    site.assert_nobody_joins();
}

/// As after `kubeadm reset` and while `kubeadm join` waits for the learner that it has found: the manifest is another's.
#[tokio::test]
async fn a_learner_that_other_hands_start_by_now_is_theirs() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    site.joining_at(joiner, "sync").await.kill();
    let machine = &site.machines[joiner];
    let manifest = machine.kubelet.manifests.join("etcd.yaml");
    let theirs: String =
        machine.manifest().lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let beside = machine.kubelet.manifests.join(".etcd.yaml");
    std::fs::write(&beside, &theirs).and_then(|()| std::fs::rename(&beside, &manifest)).expect("it is the test's");
    let with_theirs = site.list().await;
    let ended = site.on(joiner, "rollback").await.expect_code(17);
    assert!(ended.stderr.contains("is joined by other hands now"), "{}", ended.stderr);
    // kubeadm may be done a moment later, and then it votes.
    let only =
        "if nobody is joining it any more, and `etcdctl member list` still shows it as a learner: etcdctl member remove";
    assert!(ended.stderr.contains(only), "{}", ended.stderr);
    assert_eq!(site.list().await, with_theirs);
    assert!(with_theirs.contains(&(machine.node.peer_url(), true)), "{with_theirs:?}");
    assert_eq!(machine.manifest(), theirs);
    site.assert_nobody_joins();
    // Whoever has it can go on with it, and so can runner: also where its etcd is just being started.
    machine.kubelet.go_down();
    for (id, _) in running_on(&machine.node.data_dir) {
        let id = Pid::from_raw(id.try_into().expect("a process id")).expect("a process id");
        kill_process(id, Signal::KILL).expect("it runs");
    }
    site.etcd_ended(joiner).await;
    let mut joining = Spawned::start(site.join(joiner));
    joining.event("step-started", "start-member", SOON).await;
    machine.kubelet.come_back();
    joining.finish(SOON).await.expect_code(0);
    site.assert_joined(joiner).await;
    assert_eq!(site.machines[joiner].manifest(), theirs);
}
