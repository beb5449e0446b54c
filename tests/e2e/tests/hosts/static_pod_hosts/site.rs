//! A cluster in the making: hosts with a kubelet each, and an API server that they reach.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use etcd_client::{Client, GetOptions};
use runner_harness::{
    EtcdBinary, Family, Finished, Host, KubeApi, Kubelet, KubeletOptions, Network, Node, SOON, Scratch, Spawned, Tls,
    assert_serves, eventually, processes_of, runner_bin,
};
use serde_json::{Value, json};

const SERVICE_ACCOUNT: &str = "system:serviceaccount:kube-system:runner";

/// All of it.
pub(crate) struct Site {
    pub(crate) machines: Vec<Machine>,
    pub(crate) api: Arc<KubeApi>,
    /// Who may what the manifest grants.
    pub(crate) kubeconfig: PathBuf,
    pub(crate) etcd: EtcdBinary,
    pub(crate) network: Network,
    pub(crate) scratch: Scratch,
}

/// A host that is or becomes a control-plane node.
pub(crate) struct Machine {
    pub(crate) kubelet: Kubelet,
    pub(crate) config: PathBuf,
    pub(crate) image: String,
    pub(crate) node: Node,
    pub(crate) host: Host,
}

impl Machine {
    /// The command on its host, with the static pod launcher.
    pub(crate) fn launching(&self, mut command: Command) -> Command {
        command.args(["--launcher", "static-pod", "--image", &self.image]).arg("--kubelet-config").arg(&self.config);
        self.host.command(&command)
    }

    /// What is in the manifests folder, hidden files too; nothing where there is none.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.kubelet.manifests).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    pub(crate) fn manifest(&self) -> String {
        std::fs::read_to_string(self.kubelet.manifests.join("etcd.yaml")).expect("a manifest")
    }
}

impl Site {
    /// A network, an API server with runner's rights, and a first node whose etcd was made by `runner init`.
    pub(crate) async fn start(family: Family, etcd: &EtcdBinary) -> Self {
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
    pub(crate) fn machine(&mut self) -> usize {
        let host = self.network.host(&self.scratch, &format!("cp-{}", self.machines.len() + 1));
        let manifests = self.scratch.join(&host.name).join("manifests");
        let number = self.stand(host, manifests);
        let first = self.machines[0].node.pki_dir.clone();
        let machine = &mut self.machines[number];
        if number > 0 {
            machine.node = machine.node.clone().with_ca_of(&first);
        }
        machine.kubelet.write_config(&machine.config);
        self.register(number);
        number
    }

    /// One more host as it is before kubeadm was there, and its number: with an `/etc/kubernetes` of its own, where its kubelet, which
    /// is down, will look for manifests; no certificates, no Node.
    pub(crate) fn bare_machine(&mut self) -> usize {
        let mut host = self.network.host(&self.scratch, &format!("cp-{}", self.machines.len() + 1));
        let kubernetes = host.own_etc(&self.scratch, "kubernetes");
        let number = self.stand(host, kubernetes.join("manifests"));
        let machine = &self.machines[number];
        machine.kubelet.go_down();
        std::fs::remove_dir(&machine.kubelet.manifests).expect("nobody has written there");
        machine.kubelet.write_config_for(&machine.config, Path::new("/etc/kubernetes/manifests"));
        number
    }

    /// Its folders and its kubelet.
    fn stand(&mut self, host: Host, manifests: PathBuf) -> usize {
        let node = Node::on(&host, &self.scratch, &self.etcd, Tls::On);
        let folder = self.scratch.join(&host.name);
        let mut options = KubeletOptions { manifests, ..KubeletOptions::under(&folder, &host.name) };
        let (api, pod) = (Arc::clone(&self.api), format!("etcd-{}", host.name));
        options.on_pod = Box::new(move |mirror| match mirror {
            Some(mirror) => api.put(mirror),
            None => api.take("pods", "kube-system", &pod),
        });
        // Its processes and its probes are on its host.
        let kubelet = host.inside(|| Kubelet::start(options));
        let image = format!("registry.k8s.io/etcd:{}-0", self.etcd.version);
        self.machines.push(Machine { kubelet, config: folder.join("kubelet.yaml"), image, node, host });
        self.machines.len() - 1
    }

    /// The machine's kubelet registers its Node.
    pub(crate) fn register(&self, number: usize) {
        self.api.put(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {
                "name": self.machines[number].host.name,
                "labels": { "node-role.kubernetes.io/control-plane": "" },
            },
            "status": {
                "conditions": [{ "type": "Ready", "status": "True" }],
                "nodeInfo": { "kubeletVersion": "v1.35.4" },
            },
        }));
    }

    /// `runner join` of a machine with nothing that says where etcd is but the API, with its events on stdout.
    pub(crate) fn join(&self, number: usize) -> Command {
        let machine = &self.machines[number];
        let mut command = machine.launching(machine.node.join(&[]));
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command
    }

    /// The same by endpoints, and without Kubernetes.
    pub(crate) fn join_without_api(&self, number: usize) -> Command {
        let machine = &self.machines[number];
        let mut command = machine.launching(machine.node.join(&[self.machines[0].node.client_url()]));
        command.args(["--kubernetes", "off"]);
        command
    }

    /// A join of the machine that has come to this step and, on however busy a machine, does not get beyond the sync.
    pub(crate) async fn joining_at(&self, number: usize, step: &str) -> Spawned {
        let mut command = self.join(number);
        command.args(["--stability", "10m"]);
        let mut joining = Spawned::start(command);
        joining.event("step-started", step, SOON).await;
        joining
    }

    /// The command on the machine, to its end.
    pub(crate) async fn on(&self, number: usize, subcommand: &str) -> Finished {
        let machine = &self.machines[number];
        done(machine.host.command(&machine.node.command(subcommand))).await
    }

    /// Waits until the machine's kubelet has ended its etcd.
    pub(crate) async fn etcd_ended(&self, number: usize) {
        let ended = async || match processes_of(&self.machines[number].node.data_dir).as_slice() {
            [] => Ok(()),
            _ => Err("it runs".to_owned()),
        };
        eventually("the kubelet to end it", SOON, ended).await;
    }

    /// A client of the first member.
    pub(crate) async fn client(&self) -> Client {
        self.machines[0].node.client().await
    }

    /// Waits until the API knows the machine's etcd pod.
    pub(crate) async fn registered(&self, number: usize) {
        let name = format!("etcd-{}", self.machines[number].host.name);
        eventually("the mirror pod", SOON, async || {
            let pod = self.api.object("pods", "kube-system", &name).ok_or("none")?;
            let urls = &pod["metadata"]["annotations"]["kubeadm.kubernetes.io/etcd.advertise-client-urls"];
            if urls == self.machines[number].node.client_url().as_str() { Ok(()) } else { Err("without its address") }
        })
        .await;
    }

    /// The member list: peer URL, and whether it is a learner.
    pub(crate) async fn list(&self) -> Vec<(String, bool)> {
        let answer = self.client().await.member_list().await.expect("the first member answers");
        let mut list: Vec<_> = answer.members().iter().map(|m| (m.peer_urls()[0].clone(), m.is_learner())).collect();
        list.sort();
        list
    }

    /// The reasons of the Events on a machine's Node, in their order.
    pub(crate) fn events(&self, number: usize) -> Vec<String> {
        let name = self.machines[number].host.name.as_str();
        let of_node = |event: &&Value| event["regarding"]["kind"] == "Node" && event["regarding"]["name"] == name;
        let mut events = self.api.objects("events.events.k8s.io");
        events.sort_by_key(|event| event["eventTime"].as_str().map(str::to_owned));
        assert!(events.iter().all(|event| event["metadata"]["namespace"] == "default"), "{events:?}");
        events.iter().filter(of_node).map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Takes away what a run could not tidy without the API: as if its Lease had run out, and its node had run once more.
    pub(crate) fn tidy_for_the_absent(&self) {
        self.api.take("leases.coordination.k8s.io", "kube-system", "runner-etcd-join");
        self.api.take("configmaps", "kube-system", "runner-etcd-joins");
    }

    /// The machine's member leaves again, and nothing of it stays.
    pub(crate) async fn leave(&self, number: usize) {
        let machine = &self.machines[number];
        let list = self.client().await.member_list().await.expect("the first member answers");
        let id = list.members().iter().find(|m| m.peer_urls()[0] == machine.node.peer_url()).expect("it is a member").id();
        // Right after a promotion the others may not have seen the newcomer for long enough.
        let removed = async || self.client().await.member_remove(id).await.map_err(|e| e.to_string());
        eventually("the member to go", SOON, removed).await;
        std::fs::remove_file(machine.kubelet.manifests.join("etcd.yaml")).expect("its manifest");
        self.etcd_ended(number).await;
        for folder in [&machine.node.data_dir, &machine.node.state_dir] {
            std::fs::remove_dir_all(folder).expect("it is the test's");
        }
    }

    /// Nobody holds the Lease, and no join is shown as under way.
    pub(crate) fn assert_nobody_joins(&self) {
        let lease = self.api.object("leases.coordination.k8s.io", "kube-system", "runner-etcd-join");
        let holder = lease.map(|lease| lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned());
        assert_eq!(holder.unwrap_or_default(), "", "the Lease is held");
        let progress = self.api.object("configmaps", "kube-system", "runner-etcd-joins");
        let entries = progress.map_or(Value::Null, |map| map["data"].clone());
        assert!(entries.as_object().is_none_or(serde_json::Map::is_empty), "{entries}");
    }

    /// The machine is a voter that serves, its pod is there as it was written, and the cluster's side is tidy.
    pub(crate) async fn assert_joined(&self, number: usize) {
        let machine = &self.machines[number];
        assert!(self.list().await.contains(&(machine.node.peer_url(), false)), "{:?}", self.list().await);
        assert_serves(&machine.node).await;
        assert_eq!(machine.files(), ["etcd.yaml"]);
        assert_eq!(machine.kubelet.complaints(), Vec::<String>::new());
        self.assert_nobody_joins();
    }

    /// Nothing of the machine's join is left, on its disk, among the members and in etcd's queue of joiners.
    pub(crate) async fn assert_undone(&self, number: usize, before: &[(String, bool)]) {
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
pub(crate) fn rights() -> String {
    let said = Command::new(runner_bin()).arg("rbac").output().expect("the runner runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).expect("a manifest")
}

/// Runs a command to its end.
pub(crate) async fn done(command: Command) -> Finished {
    Spawned::start(command).finish(SOON).await
}
