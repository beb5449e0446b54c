//! A cluster of voters and a node that is to join it: the scene of most end-to-end tests.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use etcd_client::GetOptions;

use crate::{ClusterOptions, EtcdBinary, Finished, Node, RealCluster, Scratch, Spawned, Tls};

/// An operation of the runner may take this long on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(120);

/// A cluster, and a node with its CA that has not joined. Panics, as tests do, where anything is not as it says.
pub struct Stage {
    /// The node, named `new`.
    pub node: Node,
    /// The cluster.
    pub cluster: RealCluster,
}

impl Stage {
    /// Starts a cluster of so many voters of this etcd, and writes the value that [`assert_joined`](Self::assert_joined) reads.
    pub async fn set(members: usize, binary: &EtcdBinary, tls: Tls) -> Self {
        Self::with(ClusterOptions { members, binary: binary.clone(), tls, extra: Vec::new() }).await
    }

    /// The same for a cluster of another kind.
    pub async fn with(options: ClusterOptions) -> Self {
        let cluster = RealCluster::with(options.clone()).await;
        let node = joiner(&cluster.scratch, "new", &options.binary, options.tls);
        cluster.client().await.put("written-before", "by an old member", None).await.expect("it takes writes");
        Self { node, cluster }
    }

    /// One more node, with the cluster's CA.
    pub fn another(&self, name: &str) -> Node {
        joiner(&self.cluster.scratch, name, &self.node.binary, self.node.tls)
    }

    /// `runner join` of the node, not started yet.
    pub fn command(&self) -> Command {
        self.node.join(&self.cluster.endpoints())
    }

    /// `runner join` of the node.
    pub fn join(&self) -> Spawned {
        Spawned::start(self.command())
    }

    /// `runner join` of the node with further arguments, to its end.
    pub async fn joined_with(&self, args: &[&str]) -> Finished {
        let mut command = self.command();
        command.args(args);
        Spawned::start(command).finish(SOON).await
    }

    /// The member list as the first member has it: peer URL, and whether it is a learner. Needs a quorum.
    pub async fn list(&self) -> Vec<(String, bool)> {
        let mut client = self.cluster.client_of(0).await;
        let answer = client.member_list().await.expect("the first member answers");
        let mut list: Vec<_> = answer.members().iter().map(|m| (m.peer_urls()[0].clone(), m.is_learner())).collect();
        list.sort();
        list
    }

    /// Whether the node's member is in the list as a voter.
    pub async fn is_voter(&self) -> bool {
        self.list().await.contains(&(self.node.peer_url(), false))
    }

    /// The node is the only one that came, as a voter, and serves what was written before it came.
    pub async fn assert_joined(&self) {
        assert_eq!(self.list().await.len(), self.cluster.members.len() + 1);
        assert!(self.is_voter().await);
        assert_serves(&self.node).await;
    }

    /// Nothing of the join is left: in the list, in the queue of joiners, among the processes, on the disk.
    pub async fn assert_baseline(&self) {
        let mut before: Vec<_> = self.cluster.initial_cluster().into_iter().map(|(_, url)| (url, false)).collect();
        before.sort();
        assert_eq!(self.list().await, before);
        let prefix = GetOptions::new().with_prefix();
        let keys = self.cluster.client_of(0).await.get("/runner.dev/", Some(prefix)).await.expect("the cluster answers");
        assert_eq!(keys.count(), 0, "a key of the queue is left");
        self.assert_no_trace();
    }

    /// The node has no data and no etcd.
    pub fn assert_no_trace(&self) {
        assert!(!self.node.data_dir.exists(), "the data directory is left");
        assert_eq!(processes_of(&self.node.data_dir), Vec::<String>::new(), "etcd still runs");
    }
}

/// Panics unless the node's member serves the value that was written before it came, by a linearizable read.
pub async fn assert_serves(node: &Node) {
    let answer = node.client().await.get("written-before", None).await.expect("the new voter serves reads");
    assert_eq!(answer.kvs()[0].value(), b"by an old member");
}

/// The command lines of the processes with this data directory among their arguments.
pub fn processes_of(data_dir: &Path) -> Vec<String> {
    running_on(data_dir).into_iter().map(|(_, arguments)| arguments.join("\0")).collect()
}

/// The processes with this data directory among their arguments: id, and the program with its arguments.
pub fn running_on(data_dir: &Path) -> Vec<(u32, Vec<String>)> {
    let wanted = format!("--data-dir={}", data_dir.display());
    let read = |entry: std::fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        Some((id, line.split_terminator('\0').map(str::to_owned).collect::<Vec<_>>()))
    };
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(read).filter(|(_, arguments)| arguments.contains(&wanted)).collect()
}

fn joiner(scratch: &Scratch, name: &str, binary: &EtcdBinary, tls: Tls) -> Node {
    let node = Node::plan(scratch, name, binary, tls);
    if tls == Tls::On { node.with_ca_of(&scratch.join("pki")) } else { node }
}
