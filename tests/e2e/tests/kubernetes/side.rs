//! Kubernetes' side of a join, against an API server and real etcd: etcd is found through its pods, the join is seen as a Lease, an
//! entry and Events, with the least rights; and whatever becomes of the API, the join goes on.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use runner_harness::{Finished, KubeApi, Mischief, SOON, Spawned, Stage, Tls, newest, trust_no_ca};
use serde_json::{Value, json};

/// What operators apply.
const RBAC: &str = include_str!("../../../../runner/manifests/rbac.yaml");

/// Whom that is for.
const RUNNER: &str = "system:serviceaccount:kube-system:runner";

const LEASE: (&str, &str, &str) = ("leases.coordination.k8s.io", "kube-system", "runner-etcd-join");
const PROGRESS: (&str, &str, &str) = ("configmaps", "kube-system", "runner-etcd-joins");

/// A cluster of etcd with a pod and a node for each member in an API server.
struct Scene {
    stage: Stage,
    api: KubeApi,
}

impl Scene {
    async fn set(members: usize) -> Self {
        let stage = Stage::set(members, &newest(), Tls::On).await;
        let api = KubeApi::start(&stage.cluster.scratch).await;
        for (i, url) in stage.cluster.endpoints().iter().enumerate() {
            let name = format!("m{}", i + 1);
            api.put(node(&name, true));
            api.put(pod(&name, url));
        }
        Self { stage, api }
    }

    /// `runner join` without endpoints.
    fn command(&self, subcommand: &str, kubeconfig: &Path) -> Command {
        let mut command = self.stage.node.command(subcommand);
        let Self { stage: Stage { node, .. }, .. } = self;
        command.args(["--name", &node.name, "--advertise-address", "127.0.0.1", "--metrics-url", &node.metrics_url]);
        command.args(["--peer-port", &node.peer_port.to_string(), "--client-port", &node.client_port.to_string()]);
        command.arg("--data-dir").arg(&node.data_dir).arg("--etcd").arg(&node.binary.path);
        command.arg("--pki-dir").arg(&node.pki_dir).arg("--kubeconfig").arg(kubeconfig).args(["--output", "json"]);
        command
    }

    fn join(&self, kubeconfig: &Path) -> Spawned {
        Spawned::start(self.command("join", kubeconfig))
    }

    /// `runner check`, which needs no argument about a member.
    fn check(&self, whom: &str) -> Spawned {
        let mut check = self.stage.node.command("check");
        check.args(["--for", whom, "--output", "json"]);
        check.arg("--pki-dir").arg(self.stage.cluster.scratch.join("pki"));
        check.arg("--kubeconfig").arg(&self.api.kubeconfig);
        Spawned::start(check)
    }

    fn lease(&self) -> Option<Value> {
        self.api.object(LEASE.0, LEASE.1, LEASE.2)
    }

    /// The node's entry in the progress ConfigMap.
    fn entry(&self) -> Option<Value> {
        let map = self.api.object(PROGRESS.0, PROGRESS.1, PROGRESS.2)?;
        let text = map["data"][&self.stage.node.name].as_str()?;
        Some(serde_json::from_str(text).expect("JSON"))
    }

    /// The reasons of the Events, in their order.
    fn reasons(&self) -> Vec<String> {
        let mut events = self.api.objects("events.events.k8s.io");
        events.sort_by_key(|event| event["eventTime"].to_string());
        events.iter().map(|event| event["reason"].as_str().expect("a reason").to_owned()).collect()
    }
}

fn node(name: &str, ready: bool) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": name, "labels": { "node-role.kubernetes.io/control-plane": "" } },
        "status": { "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }] },
    })
}

fn pod(node: &str, url: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("etcd-{node}"), "namespace": "kube-system",
            "labels": { "component": "etcd", "tier": "control-plane" },
            "annotations": { "kubeadm.kubernetes.io/etcd.advertise-client-urls": url },
        },
        "spec": { "nodeName": node, "containers": [{ "name": "etcd", "image": "registry.k8s.io/etcd:3.6.6-0" }] },
    })
}

/// The codes of the warnings and errors that were said.
fn codes(ended: &Finished) -> Vec<String> {
    let events = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let found = events.filter(|e| e["kind"] == "finding" && e["severity"] != "info");
    found.map(|e| e["code"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_join_with_the_least_rights_finds_etcd_and_is_seen() {
    let scene = Scene::set(3).await;
    scene.api.rbac(RBAC);
    let ended = scene.join(&scene.api.user(RUNNER)).finish(SOON).await.expect_code(0);
    scene.stage.assert_joined().await;
    assert_eq!(codes(&ended), Vec::<String>::new(), "{}", ended.stdout);
    assert_eq!((scene.lease(), scene.entry()), (None, None), "nothing is left to do, so nothing is left");
    assert_eq!(scene.reasons(), ["EtcdJoinStarted", "EtcdMemberPromoted", "EtcdJoined"]);
    let calls = scene.api.calls();
    let wrote = |method: &str, part: &str| calls.iter().any(|c| c.method == method && c.target.contains(part));
    assert!(wrote("POST", "/leases") && wrote("DELETE", "/leases/runner-etcd-join"), "{calls:?}");
    assert!(wrote("POST", "/configmaps") && wrote("PATCH", "/configmaps/runner-etcd-joins"), "{calls:?}");
}

/// On a system that trusts no CA, too.
#[tokio::test]
async fn a_kubeconfig_that_verifies_nobody_needs_no_ca() {
    let scene = Scene::set(1).await;
    let mut config: Value = serde_json::from_slice(&std::fs::read(&scene.api.kubeconfig).unwrap()).unwrap();
    config["clusters"][0]["cluster"] = json!({ "server": scene.api.url, "insecure-skip-tls-verify": true });
    let file = scene.stage.cluster.scratch.write("verifies-nobody", config.to_string());
    let mut join = scene.command("join", &file);
    trust_no_ca(&mut join);
    let ended = Spawned::start(join).finish(SOON).await.expect_code(0);
    assert_eq!(codes(&ended), Vec::<String>::new(), "{}", ended.stdout);
}

#[tokio::test]
async fn without_any_right_the_join_goes_on_with_etcd_alone() {
    let scene = Scene::set(1).await;
    let mut command = scene.command("join", &scene.api.user("nobody"));
    command.args(["--endpoints", &scene.stage.cluster.endpoints().join(",")]);
    let ended = Spawned::start(command).finish(SOON).await.expect_code(0);
    scene.stage.assert_joined().await;
    let codes = codes(&ended);
    assert!(!codes.is_empty() && codes.iter().all(|code| code == "kubernetes-denied"), "{codes:?}");
    assert!(ended.stdout.contains("cannot list resource"), "the API's own words: {}", ended.stdout);
}

#[tokio::test]
async fn etcd_is_not_found_without_pods_and_the_hint_says_what_helps() {
    let scene = Scene::set(1).await;
    scene.api.take("pods", "kube-system", "etcd-m1");
    let ended = scene.join(&scene.api.kubeconfig).finish(SOON).await.expect_code(13);
    assert!(
        ended.stderr.contains("Kubernetes knows no etcd pod") && ended.stderr.contains("give --endpoints"),
        "{}",
        ended.stderr
    );
    scene.stage.assert_baseline().await;
}

/// Its kubelet is ill, and its etcd well.
#[tokio::test]
async fn a_node_that_is_not_ready_refuses_no_join_while_its_voter_answers() {
    let scene = Scene::set(3).await;
    scene.api.put(node("m2", false));
    let ended = scene.check("worker").finish(SOON).await.expect_code(0);
    assert_eq!(codes(&ended), ["node-not-ready"]);
    let ended = scene.join(&scene.api.kubeconfig).finish(SOON).await.expect_code(0);
    assert_eq!(codes(&ended), ["node-not-ready"]);
    scene.stage.assert_joined().await;
}

#[tokio::test]
async fn a_node_that_is_not_ready_and_whose_voter_is_silent_refuses_and_nothing_is_left() {
    let mut scene = Scene::set(3).await;
    scene.api.put(node("m2", false));
    scene.stage.cluster.stop(1).await;
    let ended = scene.join(&scene.api.kubeconfig).finish(SOON).await.expect_code(10);
    assert!(codes(&ended).iter().any(|code| code == "node-not-ready"), "{}", ended.stdout);
    scene.stage.assert_baseline().await;
    assert_eq!((scene.lease(), scene.entry()), (None, None));
    assert_eq!(scene.reasons(), ["EtcdJoinStarted", "EtcdJoinRefused"]);
    // A worker is told the same, without any argument about a member.
    let ended = scene.check("worker").finish(SOON).await.expect_code(10);
    assert!(codes(&ended).iter().any(|code| code == "node-not-ready"), "{}", ended.stdout);
}

#[tokio::test]
async fn an_api_that_is_away_is_said_once_and_costs_seconds() {
    let scene = Scene::set(1).await;
    scene.api.stop().await;
    let mut command = scene.command("join", &scene.api.kubeconfig);
    command.args(["--endpoints", &scene.stage.cluster.endpoints().join(",")]);
    let ended = Spawned::start(command).finish(SOON).await.expect_code(0);
    scene.stage.assert_joined().await;
    assert_eq!(codes(&ended), ["kubernetes-unreachable"], "{}", ended.stdout);
    // Where only the API can say where etcd is, or was asked for, that is the end, before anything is changed.
    let ended = scene.join(&scene.api.kubeconfig).finish(SOON).await.expect_code(13);
    assert!(ended.stderr.contains("give --endpoints: then Kubernetes is not needed"), "{}", ended.stderr);
}

#[tokio::test]
async fn another_runs_lease_is_waited_for_and_a_dead_ones_is_taken_over() {
    let scene = Scene::set(1).await;
    scene.api.put(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": LEASE.2, "namespace": LEASE.1 },
        "spec": { "holderIdentity": "other_run-9", "leaseDurationSeconds": 3, "renewTime": "2020-01-01T00:00:00.000000Z" },
    }));
    let ended = scene.join(&scene.api.kubeconfig).finish(SOON).await.expect_code(0);
    assert_eq!(codes(&ended), ["lease-taken-over"], "{}", ended.stdout);
    // It was not a runner that made it: it stays, without a holder.
    assert_eq!(scene.lease().expect("it is still there")["spec"]["holderIdentity"], "");
}

#[tokio::test]
async fn a_run_that_was_killed_is_seen_until_it_is_rolled_back_and_that_needs_no_api() {
    let scene = Scene::set(1).await;
    let mut run = scene.join(&scene.api.kubeconfig);
    run.event("step-started", "start-member", SOON).await;
    run.kill();
    let entry = scene.entry().expect("others see that a join is under way");
    assert_eq!((entry["operation"].as_str(), entry["conditions"][0]["status"].as_str()), (Some("join"), Some("True")));
    assert_eq!(
        scene.lease().expect("and whose")["spec"]["holderIdentity"],
        format!("new_{}", entry["run"].as_str().expect("a run"))
    );
    let mut status = scene.stage.node.status(&scene.stage.cluster.endpoints());
    status.arg("--kubeconfig").arg(&scene.api.kubeconfig);
    let shown = Spawned::start(status).finish(SOON).await.expect_code(0);
    let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(shown["joins"]["lease"]["run"], entry["run"]);
    assert_eq!(shown["joins"]["entries"][0]["node"], "new");
    assert_eq!(shown["joins"]["entries"][0]["phase"], entry["phase"]);
    scene.api.stop().await;
    let ended = scene.stage.node.rollback().finish(SOON).await.expect_code(0);
    assert_eq!(codes(&ended), ["kubernetes-unreachable"], "{}", ended.stdout);
    scene.stage.assert_baseline().await;
}

#[tokio::test]
async fn a_rollback_takes_back_what_the_killed_run_had_shown() {
    let scene = Scene::set(1).await;
    let mut run = scene.join(&scene.api.kubeconfig);
    run.event("step-started", "start-member", SOON).await;
    run.kill();
    let ended = scene.stage.node.rollback().finish(SOON).await.expect_code(0);
    assert_eq!(codes(&ended), Vec::<String>::new(), "{}", ended.stdout);
    scene.stage.assert_baseline().await;
    assert_eq!((scene.lease(), scene.entry()), (None, None));
    assert_eq!(scene.reasons(), ["EtcdJoinStarted", "EtcdRollbackStarted", "EtcdJoinRolledBack"]);
}

#[tokio::test]
async fn the_node_is_marked_where_that_was_asked_for() {
    let scene = Scene::set(1).await;
    scene.api.rbac(RBAC);
    scene.api.rbac(
        r#"{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "runner-mark"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "runner-mark"},
            "subjects": [{"kind": "ServiceAccount", "name": "runner", "namespace": "kube-system"}]}"#,
    );
    let taint = json!({ "key": "other", "effect": "NoExecute" });
    scene.api.put(json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "new", "labels": { "zone": "a" } },
        "spec": { "taints": [taint] },
    }));
    let mut command = scene.command("join", &scene.api.user(RUNNER));
    command.arg("--mark-control-plane");
    let ended = Spawned::start(command).finish(SOON).await.expect_code(0);
    assert_eq!(codes(&ended), Vec::<String>::new());
    let node = scene.api.object("nodes", "", "new").expect("it is there");
    assert_eq!(node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"], "");
    assert_eq!(node["metadata"]["labels"]["zone"], "a");
    assert_eq!(node["spec"]["taints"][0], taint);
    assert_eq!(node["spec"]["taints"][1]["effect"], "NoSchedule");
}

#[tokio::test]
async fn a_slow_api_does_not_hold_up_the_end_for_long() {
    let scene = Scene::set(1).await;
    scene.api.mischief("/apis/events.k8s.io/*", Mischief::Slow(Duration::from_secs(600)));
    let began = std::time::Instant::now();
    let ended = scene.join(&scene.api.kubeconfig).finish(SOON).await.expect_code(0);
    scene.stage.assert_joined().await;
    assert_eq!(codes(&ended), ["kubernetes-unreachable"], "{}", ended.stdout);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
