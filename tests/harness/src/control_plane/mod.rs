//! A real control plane: kubeadm, kubelet, containerd and Kubernetes' own programs on nodes of one machine, no stand-in among them.
//!
//! A node has a network, mounts, a name and processes of its own; nothing of it has a name outside but its group of control groups and its
//! folder in the scratch. Both go with the test, in whatever way it ends. What is not as on a machine of its own: no systemd (a script
//! starts the kubelet as kubeadm's unit does, and its `systemctl` knows nothing else), images that were imported and not pulled, no network between pods.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

pub use node::RealNode;
pub use parts::Parts;

use crate::{Family, Finished, Network, Scratch};

mod node;
mod parts;

/// The name by which every node reaches the API server: the first node's.
const ENDPOINT: &str = "api.cluster.test";
/// What a node needs to join, known from the beginning.
const TOKEN: &str = "abcdef.0123456789abcdef";
const CERTIFICATE_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// What kubeadm would complain of: what a node of this kind shares with the machine, and has not.
const IGNORED: &str = "NumCPU,Mem,SystemVerification,Swap,KubeletVersion,Hostname,\
     FileExisting-conntrack,FileExisting-crictl,FileExisting-ethtool,FileExisting-ip,FileExisting-iptables,FileExisting-mount,\
     FileExisting-nsenter,FileExisting-socat,FileExisting-tc,FileExisting-touch,\
     FileContent--proc-sys-net-bridge-bridge-nf-call-iptables,FileContent--proc-sys-net-ipv4-ip_forward";

/// Nodes on one network.
pub struct ControlPlane {
    /// The nodes: the first one is the first of the cluster.
    pub nodes: Vec<RealNode>,
    /// What they are made of.
    pub parts: Parts,
    /// Lives as long as they do.
    _network: Network,
    scratch: Scratch,
}

impl ControlPlane {
    /// So many nodes that are on, with nothing on them yet: `n1`, `n2`, …
    ///
    /// Panics where the parts are not built, and where the test is not root's.
    pub fn of(parts: &Parts, nodes: usize) -> Self {
        let scratch = Scratch::new();
        let mut network = Network::enter(&scratch, Family::V4);
        let names: Vec<String> = (1..=nodes).map(|number| format!("n{number}")).collect();
        let plug = |name: &String| RealNode::new(network.host(&scratch, name), scratch.join(name), parts);
        let own: Vec<RealNode> = names.iter().map(plug).collect();
        let mut plane = Self { nodes: own, parts: parts.clone(), _network: network, scratch };
        (0..nodes).for_each(|number| plane.switch_on(number));
        plane
    }

    /// Switches a node on, as it was when it was switched off.
    pub fn switch_on(&mut self, number: usize) {
        let hosts = self.hosts();
        let cgroup = self.control_group(number);
        self.scratch.ends_with_control_group(&cgroup);
        self.nodes[number].switch_on(&hosts, &cgroup);
    }

    /// Makes the first node a cluster of one by `kubeadm init`. Panics where that fails.
    pub async fn init(&self) -> Finished {
        let node = &self.nodes[0];
        node.write("/etc/kubeadm.yaml", &self.init_config());
        self.told("kubeadm init", async || {
            node.kubeadm(&["init", "--config=/etc/kubeadm.yaml", "--upload-certs"]).await.expect_code(0)
        })
        .await
    }

    /// Joins a node as kubeadm does it by itself. Panics where that fails.
    pub async fn kubeadm_join(&self, number: usize) -> Finished {
        let node = &self.nodes[number];
        self.write_join_config(number);
        let what = format!("kubeadm join of {}", node.name);
        self.told(&what, async || node.kubeadm(&["join", "--config=/etc/join.yaml"]).await.expect_code(0)).await
    }

    /// Joins a node by `runner kubeadm-join`, with more arguments. Panics where that fails.
    pub async fn runner_join(&self, number: usize, more: &[&str]) -> Finished {
        let node = &self.nodes[number];
        self.write_join_config(number);
        let what = format!("runner kubeadm-join of {}", node.name);
        let arguments = [&["kubeadm-join", "--config=/etc/join.yaml"], more].concat();
        let run = self.told(&what, async || node.runner(&arguments).await.expect_code(0)).await;
        // Where the time of etcd's own join went.
        if let Some((_, steps)) = run.stderr.lines().rev().find_map(|line| line.split_once(" time: ")) {
            note(&format!("  of it {steps}"));
        }
        run
    }

    /// `kubeadm reset` of a node. Panics where that fails.
    pub async fn reset(&self, number: usize) -> Finished {
        let node = &self.nodes[number];
        let what = format!("kubeadm reset of {}", node.name);
        self.told(&what, async || node.kubeadm(&["reset", "--force"]).await.expect_code(0)).await
    }

    /// Writes the node's JoinConfiguration to `/etc/join.yaml`.
    pub fn write_join_config(&self, number: usize) {
        let node = &self.nodes[number];
        node.write("/etc/join.yaml", &self.join_config(node));
    }

    /// Gives a node a network plugin's configuration: it becomes Ready.
    pub fn give_cni(&self, number: usize) {
        let config = json!({ "cniVersion": "1.0.0", "name": "none", "plugins": [{ "type": "loopback" }] });
        self.nodes[number].write("/etc/cni/net.d/10-none.conflist", &config.to_string());
    }

    /// The member list as this node's member tells it: peer URL, and whether it is a learner.
    pub async fn members(&self, by: usize) -> Vec<(String, bool)> {
        let mut client = self.nodes[by].etcd().await.expect("the member answers");
        let answer = client.member_list().await.expect("the member answers");
        let mut list: Vec<_> = answer.members().iter().map(|m| (m.peer_urls()[0].clone(), m.is_learner())).collect();
        list.sort();
        list
    }

    /// These nodes, and no others, are voters; each of their members serves a linearizable read.
    pub async fn assert_voters(&self, numbers: &[usize]) {
        let mut voters: Vec<_> = numbers.iter().map(|number| (self.nodes[*number].peer_url(), false)).collect();
        voters.sort();
        for number in numbers {
            assert_eq!(self.members(*number).await, voters, "as {} tells it", self.nodes[*number].name);
            let mut client = self.nodes[*number].etcd().await.expect("the member answers");
            client.get("/registry/namespaces/default", None).await.expect("the member serves");
        }
    }

    /// A folder of the test, which goes with it. Nodes see it too.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Says what is done and how long it took.
    async fn told<T>(&self, what: &str, work: impl AsyncFnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work().await;
        report(what, start.elapsed());
        result
    }

    fn hosts(&self) -> String {
        let own = self.nodes.iter().map(|node| format!("{} {}\n", node.address(), node.name));
        format!("127.0.0.1 localhost\n{} {ENDPOINT}\n{}", self.nodes[0].address(), own.collect::<String>())
    }

    /// The name is this machine's: the scratch's, which is nobody else's, and the node's.
    fn control_group(&self, number: usize) -> String {
        let scratch = self.scratch.path().file_name().expect("a folder").to_string_lossy();
        format!("{scratch}-{}", self.nodes[number].name)
    }

    fn init_config(&self) -> String {
        let node = &self.nodes[0];
        let version = &self.parts.version;
        // What a machine with one disk, two cores and other work on it cannot give, the kubelet is not to ask for.
        format!(
            "apiVersion: kubeadm.k8s.io/v1beta4\n\
             kind: InitConfiguration\n\
             bootstrapTokens: [{{token: {TOKEN}}}]\n\
             certificateKey: {CERTIFICATE_KEY}\n\
             localAPIEndpoint: {{advertiseAddress: {address}}}\n\
             {registration}\
             skipPhases: [addon]\n\
             ---\n\
             apiVersion: kubeadm.k8s.io/v1beta4\n\
             kind: ClusterConfiguration\n\
             kubernetesVersion: {version}\n\
             controlPlaneEndpoint: {ENDPOINT}:6443\n\
             dns: {{disabled: true}}\n\
             proxy: {{disabled: true}}\n\
             etcd: {{local: {{imageTag: {etcd}-0}}}}\n\
             ---\n\
             apiVersion: kubelet.config.k8s.io/v1beta1\n\
             kind: KubeletConfiguration\n\
             cgroupDriver: cgroupfs\n\
             failCgroupV1: false\n\
             failSwapOn: false\n\
             enforceNodeAllocatable: []\n\
             localStorageCapacityIsolation: false\n\
             evictionHard: {{memory.available: '0%'}}\n",
            address = node.address(),
            registration = registration(node),
            etcd = self.parts.etcd,
        )
    }

    fn join_config(&self, node: &RealNode) -> String {
        format!(
            "apiVersion: kubeadm.k8s.io/v1beta4\n\
             kind: JoinConfiguration\n\
             {registration}\
             discovery: {{bootstrapToken: {{token: {TOKEN}, apiServerEndpoint: '{ENDPOINT}:6443', unsafeSkipCAVerification: true}}}}\n\
             controlPlane:\n  certificateKey: {CERTIFICATE_KEY}\n  localAPIEndpoint: {{advertiseAddress: {address}}}\n",
            registration = registration(node),
            address = node.address(),
        )
    }
}

fn registration(node: &RealNode) -> String {
    let ignored: Vec<String> = IGNORED.split(',').map(|name| format!("{name:?}")).collect();
    format!(
        "nodeRegistration:\n  name: {}\n  criSocket: unix:///run/containerd/containerd.sock\n  taints: []\n  \
         ignorePreflightErrors: [{}]\n  imagePullPolicy: IfNotPresent\n",
        node.name,
        ignored.join(", "),
    )
}

/// Says to whoever watches how long something took.
fn report(what: &str, took: Duration) {
    note(&format!("{what}: {:.1} s", took.as_secs_f64()));
}

/// A line for the file that `cargo xtask node` shows at the end.
fn note(line: &str) {
    use std::io::Write as _;
    if let Some(file) = std::env::var_os("RUNNER_NODE_TIMES") {
        let open = fs::File::options().append(true).create(true).open(file);
        let _ = open.and_then(|mut file| writeln!(file, "{line}"));
    }
}
