//! The whole of it on several hosts: static pods that a kubelet runs, discovery through the Kubernetes API, the Lease, Events and
//! progress, with no more rights than the manifest grants, over IPv4, IPv6 and both.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use etcd_client::{Client, GetOptions};
use runner_harness::{
    EtcdBinary, Family, Finished, Host, KubeApi, Kubelet, KubeletOptions, Network, Node, SOON, Scratch, Spawned, Tls,
    assert_serves, eventually, every_minor, in_a_network_of_its_own, newest, processes_of, runner_bin,
};
use rustix::process::Signal;
use serde_json::{Value, json};

const SERVICE_ACCOUNT: &str = "system:serviceaccount:kube-system:runner";

/// A cluster in the making: hosts with a kubelet each, and an API server that they reach.
struct Site {
    machines: Vec<Machine>,
    api: Arc<KubeApi>,
    /// Who may what the manifest grants.
    kubeconfig: PathBuf,
    etcd: EtcdBinary,
    network: Network,
    scratch: Scratch,
}

/// A host that is or becomes a control-plane node.
struct Machine {
    kubelet: Kubelet,
    config: PathBuf,
    image: String,
    node: Node,
    host: Host,
}

impl Machine {
    /// The command on its host, with the static pod launcher.
    fn launching(&self, mut command: Command) -> Command {
        command.args(["--launcher", "static-pod", "--image", &self.image]).arg("--kubelet-config").arg(&self.config);
        self.host.command(&command)
    }

    /// What is in the manifests folder, hidden files too.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.kubelet.manifests).expect("the folder is there").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    fn manifest(&self) -> String {
        std::fs::read_to_string(self.kubelet.manifests.join("etcd.yaml")).expect("a manifest")
    }
}

impl Site {
    /// A network, an API server with runner's rights, and a first node whose etcd was made by `runner init`.
    async fn start(family: Family, etcd: &EtcdBinary) -> Self {
        let scratch = Scratch::new();
        let network = Network::enter(&scratch, family);
        let api = Arc::new(KubeApi::start_at(&scratch, network.address()).await);
        api.rbac(&rights());
        let kubeconfig = api.user(SERVICE_ACCOUNT);
        let mut site = Self { machines: Vec::new(), api, kubeconfig, etcd: etcd.clone(), network, scratch };
        site.machine();
        let first = &site.machines[0];
        Spawned::start(first.launching(first.node.init())).finish(SOON).await.expect_code(0);
        site.client().await.put("written-before", "by an old member", None).await.expect("it takes writes");
        site.registered(0).await;
        site
    }

    /// One more host, with the first one's CA, and its number. Its kubelet runs and has registered its Node.
    fn machine(&mut self) -> usize {
        let number = self.machines.len();
        let host = self.network.host(&self.scratch, &format!("cp-{}", number + 1));
        let mut node = Node::on(&host, &self.scratch, &self.etcd, Tls::On);
        if let Some(first) = self.machines.first() {
            node = node.with_ca_of(&first.node.pki_dir);
        }
        let folder = self.scratch.join(&host.name);
        let mut options = KubeletOptions::under(&folder, &host.name);
        let (api, pod) = (Arc::clone(&self.api), format!("etcd-{}", host.name));
        options.on_pod = Box::new(move |mirror| match mirror {
            Some(mirror) => api.put(mirror),
            None => api.take("pods", "kube-system", &pod),
        });
        // Its processes and its probes are on its host.
        let kubelet = host.inside(|| Kubelet::start(options));
        let config = folder.join("kubelet.yaml");
        kubelet.write_config(&config);
        self.api.put(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": host.name, "labels": { "node-role.kubernetes.io/control-plane": "" } },
            "status": {
                "conditions": [{ "type": "Ready", "status": "True" }],
                "nodeInfo": { "kubeletVersion": "v1.35.4" },
            },
        }));
        let image = format!("registry.k8s.io/etcd:{}-0", self.etcd.version);
        self.machines.push(Machine { kubelet, config, image, node, host });
        number
    }

    /// `runner join` of a machine with nothing that says where etcd is but the API, with its events on stdout.
    fn join(&self, number: usize) -> Command {
        let machine = &self.machines[number];
        let mut command = machine.launching(machine.node.join(&[]));
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command
    }

    /// The same by endpoints, and without Kubernetes.
    fn join_without_api(&self, number: usize) -> Command {
        let machine = &self.machines[number];
        let mut command = machine.launching(machine.node.join(&[self.machines[0].node.client_url()]));
        command.args(["--kubernetes", "off"]);
        command
    }

    /// A client of the first member.
    async fn client(&self) -> Client {
        self.machines[0].node.client().await
    }

    /// Waits until the API knows the machine's etcd pod.
    async fn registered(&self, number: usize) {
        let name = format!("etcd-{}", self.machines[number].host.name);
        eventually("the mirror pod", SOON, async || {
            let pod = self.api.object("pods", "kube-system", &name).ok_or("none")?;
            let urls = &pod["metadata"]["annotations"]["kubeadm.kubernetes.io/etcd.advertise-client-urls"];
            if urls == self.machines[number].node.client_url().as_str() { Ok(()) } else { Err("without its address") }
        })
        .await;
    }

    /// The member list: peer URL, and whether it is a learner.
    async fn list(&self) -> Vec<(String, bool)> {
        let answer = self.client().await.member_list().await.expect("the first member answers");
        let mut list: Vec<_> = answer.members().iter().map(|m| (m.peer_urls()[0].clone(), m.is_learner())).collect();
        list.sort();
        list
    }

    /// The reasons of the Events on a machine's Node, in their order.
    fn events(&self, number: usize) -> Vec<String> {
        let name = self.machines[number].host.name.as_str();
        let of_node = |event: &&Value| event["regarding"]["kind"] == "Node" && event["regarding"]["name"] == name;
        let mut events = self.api.objects("events.events.k8s.io");
        events.sort_by_key(|event| event["eventTime"].as_str().map(str::to_owned));
        assert!(events.iter().all(|event| event["metadata"]["namespace"] == "default"), "{events:?}");
        events.iter().filter(of_node).map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Nobody holds the Lease, and no join is shown as under way.
    fn assert_nobody_joins(&self) {
        let lease = self.api.object("leases.coordination.k8s.io", "kube-system", "runner-etcd-join");
        let holder = lease.map(|lease| lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned());
        assert_eq!(holder.unwrap_or_default(), "", "the Lease is held");
        let progress = self.api.object("configmaps", "kube-system", "runner-etcd-joins");
        let entries = progress.map_or(Value::Null, |map| map["data"].clone());
        assert!(entries.as_object().is_none_or(serde_json::Map::is_empty), "{entries}");
    }

    /// The machine is a voter that serves, its pod is there as it was written, and the cluster's side is tidy.
    async fn assert_joined(&self, number: usize) {
        let machine = &self.machines[number];
        assert!(self.list().await.contains(&(machine.node.peer_url(), false)), "{:?}", self.list().await);
        assert_serves(&machine.node).await;
        assert_eq!(machine.files(), ["etcd.yaml"]);
        assert_eq!(machine.kubelet.complaints(), Vec::<String>::new());
        self.assert_nobody_joins();
    }

    /// Nothing of the machine's join is left, on its disk, among the members and in etcd's queue of joiners.
    async fn assert_undone(&self, number: usize, before: &[(String, bool)]) {
        let machine = &self.machines[number];
        assert_eq!(machine.files(), Vec::<String>::new());
        assert!(!machine.node.data_dir.exists(), "the data directory is left");
        assert_eq!(processes_of(&machine.node.data_dir), Vec::<String>::new(), "etcd still runs");
        assert_eq!(self.list().await, before);
        let prefix = GetOptions::new().with_prefix();
        let keys = self.client().await.get("/runner.dev/", Some(prefix)).await.expect("the cluster answers");
        assert_eq!(keys.count(), 0, "a key of the queue is left");
    }
}

/// The rights that runner asks for, and nothing else.
fn rights() -> String {
    let said = Command::new(runner_bin()).arg("rbac").output().expect("the runner runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).expect("a manifest")
}

async fn done(command: Command) -> Finished {
    Spawned::start(command).finish(SOON).await
}

/// One, two, three: found through the API, with the manifest's rights, one after another.
async fn grow_to_three(family: Family, etcd: &EtcdBinary) {
    let mut site = Site::start(family, etcd).await;
    for number in [1, 2] {
        site.machine();
        let node = site.api.object("nodes", "", &site.machines[number].host.name);
        let joined = done(site.join(number)).await.expect_code(0);
        site.assert_joined(number).await;
        let expected = ["EtcdJoinStarted", "EtcdMemberPromoted", "EtcdJoined"];
        assert_eq!(site.events(number), expected, "{}", joined.stdout);
        assert!(!joined.stdout.contains("is forbidden"), "the rights are enough: {}", joined.stdout);
        assert_eq!(site.api.object("nodes", "", &site.machines[number].host.name), node, "nobody asked to mark it");
        site.registered(number).await;
    }
    let manifests: Vec<_> = site.machines.iter().map(Machine::manifest).collect();
    // The members' order is that of their ids.
    assert!(
        ["cp-1=https://", "cp-2=https://", "cp-3=https://"].iter().all(|one| manifests[2].contains(one)),
        "{}",
        manifests[2]
    );
    assert_eq!(site.list().await.len(), 3);
}

/// Each in a thread of its own, so in a network of its own, at once.
fn at_once(what: Vec<(Family, EtcdBinary)>) {
    thread::scope(|scope| {
        for (family, etcd) in what {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(grow_to_three(family, &etcd));
            });
        }
    });
}

#[test]
fn three_hosts_on_every_minor() {
    if in_a_network_of_its_own() {
        at_once(every_minor().into_iter().map(|etcd| (Family::V4, etcd)).collect());
    }
}

#[test]
fn three_hosts_over_ipv6_and_over_both() {
    if in_a_network_of_its_own() {
        at_once(vec![(Family::V6, newest()), (Family::Dual, newest())]);
    }
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
    // The kubelet starts nothing.
    site.machines[joiner].kubelet.go_down();
    let mut waiting = site.join(joiner);
    waiting.args(["--start-timeout", "2s"]);
    assert_ne!(done(waiting).await.code(), Some(0));
    site.assert_undone(joiner, &before).await;
    site.assert_nobody_joins();
    site.machines[joiner].kubelet.come_back();
    // It is interrupted, step by step.
    for step in ["check", "lock", "add-learner", "start-member", "sync"] {
        let mut joining = Spawned::start(site.join(joiner));
        joining.event("step-started", step, SOON).await;
        joining.signal(Signal::INT);
        assert_ne!(joining.finish(SOON).await.code(), Some(0), "{step}");
        site.assert_undone(joiner, &before).await;
        site.assert_nobody_joins();
    }
    // Another controller removes its member.
    let mut command = site.join(joiner);
    command.args(["--stability", "10m"]);
    let mut joining = Spawned::start(command);
    joining.event("step-started", "sync", SOON).await;
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
async fn an_api_server_that_goes_away_ends_no_join_and_no_rollback() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let joiner = site.machine();
    let before = site.list().await;
    for step in ["lock", "add-learner", "start-member", "sync"] {
        let mut joining = Spawned::start(site.join(joiner));
        joining.event("step-started", step, SOON).await;
        site.api.stop().await;
        joining.signal(Signal::INT);
        let ended = joining.finish(SOON).await;
        assert_ne!(ended.code(), Some(0), "{step}");
        site.assert_undone(joiner, &before).await;
        site.api.come_back().await;
        // What could not be tidied is as if its holder had died: others wait until it has run out. Not here.
        site.api.take("leases.coordination.k8s.io", "kube-system", "runner-etcd-join");
        site.api.take("configmaps", "kube-system", "runner-etcd-joins");
    }
    for (number, step) in [(joiner, "lock"), (joiner + 1, "start-member")] {
        if number == site.machines.len() {
            site.machine();
        }
        let mut joining = Spawned::start(site.join(number));
        joining.event("step-started", step, SOON).await;
        site.api.stop().await;
        joining.finish(SOON).await.expect_code(0);
        assert!(site.list().await.contains(&(site.machines[number].node.peer_url(), false)), "{step}");
        assert_serves(&site.machines[number].node).await;
        site.api.come_back().await;
        site.api.take("leases.coordination.k8s.io", "kube-system", "runner-etcd-join");
        site.api.take("configmaps", "kube-system", "runner-etcd-joins");
    }
}

#[tokio::test]
async fn two_joiners_take_turns_though_one_has_no_api() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut site = Site::start(Family::V4, &newest()).await;
    let (one, other) = (site.machine(), site.machine());
    let first = Spawned::start(site.join(one));
    let second = Spawned::start(site.join_without_api(other));
    let (first, second) = tokio::join!(first.finish(SOON), second.finish(SOON));
    first.expect_code(0);
    second.expect_code(0);
    assert_eq!(site.list().await.len(), 3);
    for number in [one, other] {
        site.assert_joined(number).await;
    }
}
