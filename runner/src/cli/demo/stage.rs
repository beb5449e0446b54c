//! What the demo puts on this machine, and takes away again: one folder, and etcd processes that keep their data in it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use tempfile::TempDir;

use crate::Problem;
use crate::cluster::etcd::EtcdCluster;
use crate::launch::{MemberConfig, ProcessConfig, ProcessLauncher};
use crate::pipeline::{DataDir, Failure, Identity, Launcher, Outcome, Running};
use crate::tls::ClientTls;

/// The folder and the nodes in it.
pub(super) struct Stage {
    folder: TempDir,
    etcd: PathBuf,
    pub(super) nodes: Vec<Node>,
}

/// What would be a machine of its own: a name, its files, its ports on loopback.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    folder: PathBuf,
    peer: u16,
    client: u16,
    metrics: u16,
}

impl Stage {
    /// Makes the folder: private, with a name of its own.
    pub(super) fn new(etcd: PathBuf) -> Result<Self, Failure> {
        let cannot = |e: io::Error| Failure::new(Outcome::BadInput, format!("cannot make a temporary folder: {e}"));
        let folder = TempDir::with_prefix("runner-demo-").map_err(cannot)?;
        Ok(Self { folder, etcd, nodes: Vec::new() })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The next node: `cp-1`, `cp-2`, …, with ports that were free a moment ago and, after the first, the cluster's CA.
    pub(super) fn add_node(&mut self) -> Result<Node, Failure> {
        let name = format!("cp-{}", self.nodes.len() + 1);
        let cannot = |e: io::Error| Failure::new(Outcome::RolledBack, format!("cannot make the node {name}: {e}"));
        let [peer, client, metrics] = free_ports().map_err(cannot)?;
        let node = Node { folder: self.folder().join(&name), name: name.clone(), peer, client, metrics };
        let ca = node.pki().join("etcd");
        fs::create_dir_all(&ca).map_err(cannot)?;
        if let Some(first) = self.nodes.first() {
            // As `kubeadm init --upload-certs` and `join` do it: the CA goes to the node, which makes its own certificates.
            for file in ["ca.crt", "ca.key"] {
                fs::copy(first.pki().join("etcd").join(file), ca.join(file)).map_err(cannot)?;
            }
        }
        self.nodes.push(node.clone());
        Ok(node)
    }

    /// The arguments that say which member it is; the same for `init` and `join`.
    pub(super) fn member_args(&self, node: &Node) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        let mut add = |flag: &str, value: OsString| args.extend([flag.into(), value]);
        add("--name", node.name.clone().into());
        add("--advertise-address", "127.0.0.1".into());
        add("--peer-port", node.peer.to_string().into());
        add("--client-port", node.client.to_string().into());
        add("--metrics-url", format!("http://127.0.0.1:{}", node.metrics).into());
        add("--data-dir", node.data_dir().into());
        add("--pki-dir", node.pki().into());
        add("--state-dir", node.state_dir().into());
        add("--etcd", self.etcd.clone().into());
        args
    }

    /// A cluster to ask, with the first node's certificates.
    pub(super) fn cluster(&self) -> Result<EtcdCluster, Failure> {
        EtcdCluster::new(self.nodes.first().map(|n| ClientTls::from_pki_dir(&n.pki())))
            .map_err(|e| Failure::new(Outcome::RolledBack, e.to_string()))
    }

    /// A client of one node, with the first node's certificates.
    pub(super) async fn client(&self, node: &Node) -> Result<etcd_client::Client, Failure> {
        let failed = |e: String| Failure::new(Outcome::RolledBack, format!("cannot talk to {}: {e}", node.name));
        let first = self.nodes.first().unwrap_or(node);
        let ClientTls { ca: Some(ca), cert: Some(cert), key: Some(key), .. } = ClientTls::from_pki_dir(&first.pki()) else {
            return Err(failed("it has no certificates".to_owned()));
        };
        let read = |path: PathBuf| fs::read(&path).map_err(|e| failed(format!("{}: {e}", path.display())));
        let identity = etcd_client::Identity::from_pem(read(cert)?, read(key)?);
        let ca = etcd_client::Certificate::from_pem(read(ca)?);
        let tls = etcd_client::TlsOptions::new().ca_certificate(ca).identity(identity);
        let options = etcd_client::ConnectOptions::new().with_tls(tls);
        etcd_client::Client::connect([node.client_url()], Some(options)).await.map_err(|e| failed(e.to_string()))
    }

    /// How to talk to the cluster once the demo is over, and how to end it.
    pub(super) fn how_to_go_on(&self) -> String {
        let Some(first) = self.nodes.first() else { return "nothing was started".to_owned() };
        let members = self.nodes.iter().filter(|node| node.data_dir().exists());
        let endpoints: Vec<String> = members.map(Node::client_url).collect();
        let tls = ClientTls::from_pki_dir(&first.pki());
        let path = |path: Option<PathBuf>| path.unwrap_or_default().display().to_string();
        let folder = self.folder().display();
        format!(
            "\nThe cluster goes on. For etcdctl and `runner status`:\n\
             \x20   export ETCDCTL_API=3 ETCDCTL_ENDPOINTS={}\n\
             \x20   export ETCDCTL_CACERT={}\n\
             \x20   export ETCDCTL_CERT={}\n\
             \x20   export ETCDCTL_KEY={}\n\
             To end it:\n\
             \x20   pkill -KILL -f -- --data-dir={folder}/; rm -r {folder}",
            endpoints.join(","),
            path(tls.ca),
            path(tls.cert),
            path(tls.key),
        )
    }

    /// Lets everything stay.
    pub(super) fn leave(self) {
        let _ = self.folder.keep();
    }

    /// Stops every etcd that keeps its data in the folder, and removes the folder.
    pub(super) async fn end(self) -> Result<(), Failure> {
        let stops = self.nodes.iter().map(|node| async {
            let member = MemberConfig { data_dir: node.data_dir(), ..MemberConfig::default() };
            let config = ProcessConfig { etcd: self.etcd.clone(), member, ..ProcessConfig::default() };
            end(&ProcessLauncher::new(config)).await
        });
        let stopped = join_all(stops).await;
        if let Some(error) = stopped.into_iter().find_map(Result::err) {
            let mut failure = error.ends(Outcome::Stuck);
            failure.hints.push(format!("its files are still in {}", self.folder().display()));
            let _ = self.folder.keep();
            return Err(failure);
        }
        let folder = self.folder().to_owned();
        self.folder.close().map_err(|e| {
            let text = format!("cannot remove {}: {e}", folder.display());
            Failure::new(Outcome::Stuck, text).hint("nothing of the demo uses it any more: remove it")
        })
    }
}

impl Node {
    pub(super) fn client_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.client)
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    /// Where its run's record is.
    pub(super) fn run_dir(&self) -> PathBuf {
        self.state_dir().join(&self.name)
    }

    fn pki(&self) -> PathBuf {
        self.folder.join("pki")
    }

    fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }
}

/// Three different ports that nobody listens on, picked by the system.
fn free_ports() -> io::Result<[u16; 3]> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // All are held until all are known, so that none comes twice.
    let held = [listen()?, listen()?, listen()?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// Stops the node's member. The folder is the demo's own, so whoever's data is in it is the demo's; an etcd that has just come up has no
/// log yet that says whose, and gets a moment for it.
async fn end(launcher: &ProcessLauncher) -> Result<(), Problem> {
    for _ in 0..100 {
        if let DataDir::Member { cluster_id, member_id } = launcher.data_dir().await? {
            return launcher.stop(&Identity { cluster_id, member_id }).await.map(drop);
        }
        if launcher.running().await != Running::Yes {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
