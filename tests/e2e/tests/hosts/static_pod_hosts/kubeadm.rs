//! `runner kubeadm-join` on hosts: kubeadm's part by a stand-in (which phases, names and files it has is what the real ones say), etcd's
//! by runner, the kubelet as always.

use std::path::PathBuf;
use std::process::Command;

use runner_harness::{
    Family, Finished, Kubeadm, SOON, Spawned, eventually, in_a_network_of_its_own, newest, processes_of, runner_bin,
};
use serde_json::{Value, json};

use super::site::{Site, done};

/// What kubeadm does of a whole join, in its order: nothing twice, and nothing of etcd's.
const WHOLE: [&str; 6] = [
    "preflight",
    "control-plane-prepare",
    "kubelet-start",
    "kubelet-wait-bootstrap",
    "control-plane-join",
    "wait-control-plane",
];

/// A host that kubeadm is to make a control-plane node of, in a cluster of one.
struct Scene {
    site: Site,
    joiner: usize,
    kubeadm: Kubeadm,
    config: PathBuf,
    /// From 1.35 on the kubelet talks to the API server of its own node, which needs etcd.
    local_mode: bool,
}

impl Scene {
    async fn set(minor: u32) -> Self {
        let mut site = Site::start(Family::V4, &newest()).await;
        // No image and no folder of a node is in it: kubeadm itself is asked for the one, the command line says the others.
        site.api.put(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "kubeadm-config", "namespace": "kube-system" },
            "data": { "ClusterConfiguration": format!(
                "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.{minor}.0\n\
                 etcd: {{local: {{extraArgs: [{{name: snapshot-count, value: '5000'}}]}}}}\n"
            ) },
        }));
        let joiner = site.bare_machine();
        let (first, machine) = (&site.machines[0], &site.machines[joiner]);
        let kubeadm = Kubeadm::of(&machine.node, minor, &first.node.pki_dir, &site.api.kubeconfig, &machine.image);
        let text = format!(
            "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n\
             nodeRegistration: {{name: {}}}\n\
             discovery: {{bootstrapToken: {{token: abcdef.0123456789abcdef, apiServerEndpoint: '10.0.0.1:6443', \
             unsafeSkipCAVerification: true}}}}\n\
             controlPlane: {{localAPIEndpoint: {{advertiseAddress: {}}}}}\n",
            machine.host.name, machine.node.address
        );
        let config = site.scratch.write(format!("{}/join.yaml", machine.host.name), text);
        Self { site, joiner, kubeadm, config, local_mode: minor >= 35 }
    }

    /// The arguments of a member's own, after the file: what kubeadm has built in and the hosts of a test cannot share.
    fn own(&self, mut command: Command) -> Command {
        let machine = &self.site.machines[self.joiner];
        command.arg("--data-dir").arg(&machine.node.data_dir).arg("--pki-dir").arg(&machine.node.pki_dir);
        command.arg("--kubelet-config").arg(&machine.config);
        command
    }

    fn command(&self) -> Command {
        let mut command = self.site.machines[self.joiner].node.command("kubeadm-join");
        command.arg("--config").arg(&self.config).arg("--kubeadm").arg(self.kubeadm.program());
        self.own(command)
    }

    fn start(&self) -> Spawned {
        let mut command = self.command();
        command.args(["--output", "json"]);
        Spawned::start(self.site.machines[self.joiner].host.command(&command))
    }

    /// The node lives: its kubelet runs once kubeadm has started it, and registers the node as soon as it can. For ever.
    async fn live(&self) {
        let machine = &self.site.machines[self.joiner];
        let started = async || self.kubeadm.has_started_the_kubelet().then_some(()).ok_or_else(|| "not yet".to_owned());
        eventually("kubeadm to start the kubelet", SOON, started).await;
        machine.kubelet.come_back();
        if self.local_mode {
            let votes = async || {
                let voter = (machine.node.peer_url(), false);
                self.site.list().await.contains(&voter).then_some(()).ok_or_else(|| "no voter".to_owned())
            };
            eventually("etcd, which this node's API server needs", SOON, votes).await;
        }
        self.site.register(self.joiner);
        let kubelet_conf = machine.kubelet.manifests.with_file_name("kubelet.conf");
        std::fs::write(kubelet_conf, "{}").expect("kubeadm has made its folder");
        std::future::pending().await
    }

    /// Runs a command to its end on a node that lives.
    async fn end(&self, running: Spawned) -> Finished {
        tokio::select! {
            ended = running.finish(SOON) => ended,
            () = self.live() => unreachable!("it lives for ever"),
        }
    }

    async fn assert_joined(&self) {
        let machine = &self.site.machines[self.joiner];
        assert_eq!(self.kubeadm.ran(), WHOLE);
        assert!(self.site.list().await.contains(&(machine.node.peer_url(), false)));
        runner_harness::assert_serves(&machine.node).await;
        let mut files = machine.files();
        files.sort();
        assert_eq!(files, ["etcd.yaml", "kube-apiserver.yaml"]);
        let manifest = machine.manifest();
        assert!(manifest.contains(&machine.image), "kubeadm's choice of etcd: {manifest}");
        assert!(manifest.contains("--snapshot-count=5000"), "of the cluster's own ClusterConfiguration: {manifest}");
        self.site.assert_nobody_joins();
    }

    /// No member, no data, no process of the joiner; kubeadm's part is as it was.
    async fn assert_no_member(&self, before: &[(String, bool)]) {
        let machine = &self.site.machines[self.joiner];
        assert_eq!(self.site.list().await, before);
        assert!(!machine.node.data_dir.exists(), "the data directory is left");
        assert_eq!(processes_of(&machine.node.data_dir), Vec::<String>::new(), "etcd still runs");
        assert!(!machine.files().contains(&"etcd.yaml".to_owned()), "{:?}", machine.files());
        self.site.assert_nobody_joins();
    }
}

async fn a_whole_join(minor: u32) {
    let scene = Scene::set(minor).await;
    let ended = scene.end(scene.start()).await.expect_code(0);
    scene.assert_joined().await;
    assert_eq!(ended.stderr.matches("This node has joined the cluster").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("the node has joined the control plane, and its etcd member votes"), "{}", ended.stderr);
}

#[tokio::test]
async fn kubeadm_and_runner_make_a_node_together() {
    if in_a_network_of_its_own() {
        a_whole_join(33).await;
    }
}

#[tokio::test]
async fn also_where_the_kubelet_waits_for_its_own_node_s_etcd() {
    if in_a_network_of_its_own() {
        a_whole_join(36).await;
    }
}

/// What the test gives after the subcommand, as a shell would take it.
fn arguments(scene: &Scene) -> String {
    let mut command = scene.command();
    command.args(["--output", "json"]);
    let words = command.get_args().skip(1).map(|word| word.to_string_lossy().into_owned());
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn whatever_fails_the_same_command_goes_on() {
    if !in_a_network_of_its_own() {
        return;
    }
    let scene = Scene::set(36).await;
    let before = scene.site.list().await;
    for (phase, code, ran) in
        [("preflight", 10, vec![]), ("control-plane-prepare", 16, vec![0]), ("kubelet-start", 16, vec![0, 0, 1])]
    {
        scene.kubeadm.let_fail(phase);
        let ended = scene.start().finish(SOON).await.expect_code(code);
        let again = format!("`runner kubeadm-join {}` goes on from here", arguments(&scene));
        assert!(ended.stderr.contains(&again), "{}", ended.stderr);
        // What has written nothing is asked again from the beginning.
        let ran: Vec<_> = ran.into_iter().map(|i| WHOLE[i]).collect();
        assert_eq!(scene.kubeadm.ran(), ran, "{}", ended.stderr);
        scene.assert_no_member(&before).await;
        scene.kubeadm.mend(phase);
    }
    // The member's own join fails: kubeadm's part stays.
    let mut crashing = scene.command();
    crashing.args(["--output", "json", "--etcd-arg=--no-such-flag"]);
    let crashing = Spawned::start(scene.site.machines[scene.joiner].host.command(&crashing));
    let ended = scene.end(crashing).await.expect_code(15);
    assert!(ended.stderr.contains("kubeadm's part is as it was"), "{}", ended.stderr);
    scene.assert_no_member(&before).await;
    assert_eq!(scene.kubeadm.ran()[1..], WHOLE[..3]);
    // The runner is killed in the middle of it; then kubeadm's last part fails, when the member votes.
    let mut killed = scene.start();
    tokio::select! {
        _ = killed.event("step-started", "sync", SOON) => {}
        () = scene.live() => unreachable!("it lives for ever"),
    }
    killed.kill();
    scene.kubeadm.let_fail("wait-control-plane");
    let ended = scene.end(scene.start()).await.expect_code(16);
    assert!(ended.stderr.contains("going on with it"), "{}", ended.stderr);
    assert!(ended.stderr.contains("etcd's member has joined and votes: do not remove it"), "{}", ended.stderr);
    scene.kubeadm.mend("wait-control-plane");
    assert_eq!(scene.kubeadm.ran()[1..], WHOLE[..5], "what has ended well is not done again");
    let ended = scene.end(scene.start()).await.expect_code(0);
    // kubeadm's last part is one command, so its phases that had passed are asked again; each of them may be.
    assert_eq!(scene.kubeadm.ran()[6..], WHOLE[3..], "{}", ended.stderr);
    assert_eq!(scene.site.list().await.len(), 2);
    scene.site.assert_nobody_joins();
}

#[tokio::test]
async fn the_three_commands_that_it_prints_do_the_same() {
    if !in_a_network_of_its_own() {
        return;
    }
    let scene = Scene::set(35).await;
    let machine = &scene.site.machines[scene.joiner];
    let mut print = scene.command();
    print.args(["--print", "--output", "json"]);
    let printed = done(machine.host.command(&print)).await.expect_code(0);
    assert_eq!(scene.kubeadm.ran(), Vec::<String>::new(), "printing runs nothing");
    let printed: Value = serde_json::from_str(&printed.stdout).expect("JSON");
    let commands = printed["commands"].as_array().expect("a list");
    assert_eq!(commands.len(), 3);
    for words in commands {
        let words: Vec<&str> = words.as_array().expect("words").iter().filter_map(Value::as_str).collect();
        let mut command = match words[0] {
            "runner" => Command::new(runner_bin()),
            kubeadm => Command::new(kubeadm),
        };
        command.args(&words[1..]);
        scene.end(Spawned::start(machine.host.command(&command))).await.expect_code(0);
    }
    scene.assert_joined().await;
}
