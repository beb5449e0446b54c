//! A node whose member the runner itself starts: its ports, folders and certificates, and the command lines for it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use etcd_client::Client;
use serde_json::Value;

use crate::cluster::connect;
use crate::{ClientFiles, EtcdBinary, Host, Scratch, Spawned, Tls, compiled_cache, free_port, runner_bin};

/// A node of a cluster. Everything of it is in a folder of its own in a [`Scratch`], so that its etcd ends with the scratch.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its member's name.
    pub name: String,
    /// What its member runs.
    pub binary: EtcdBinary,
    /// Whether it speaks TLS.
    pub tls: Tls,
    /// `--advertise-address`
    pub address: IpAddr,
    /// `--peer-port`
    pub peer_port: u16,
    /// `--client-port`
    pub client_port: u16,
    /// `--metrics-url`
    pub metrics_url: String,
    /// `--data-dir`
    pub data_dir: PathBuf,
    /// `--state-dir`
    pub state_dir: PathBuf,
    /// `--pki-dir`
    pub pki_dir: PathBuf,
}

impl Node {
    /// A node with free ports. Makes no file.
    pub fn plan(scratch: &Scratch, name: &str, binary: &EtcdBinary, tls: Tls) -> Self {
        let folder = scratch.join(name);
        Self {
            name: name.to_owned(),
            binary: binary.clone(),
            tls,
            address: Ipv4Addr::LOCALHOST.into(),
            peer_port: free_port(),
            client_port: free_port(),
            metrics_url: format!("http://127.0.0.1:{}", free_port()),
            data_dir: folder.join("data"),
            state_dir: folder.join("state"),
            pki_dir: folder.join("pki"),
        }
    }

    /// A node that is a host of its own, with etcd's usual ports. Its commands have to be run on the host: [`Host::command`].
    pub fn on(host: &Host, scratch: &Scratch, binary: &EtcdBinary, tls: Tls) -> Self {
        let metrics_url = "http://127.0.0.1:2381".to_owned();
        let node = Self::plan(scratch, &host.name, binary, tls);
        Self { address: host.address(), peer_port: 2380, client_port: 2379, metrics_url, ..node }
    }

    /// Copies the CA of this pki folder, with its key, as kubeadm's `upload-certs` hands it to a joining node.
    #[must_use]
    pub fn with_ca_of(self, pki_dir: &Path) -> Self {
        fs::create_dir_all(self.pki_dir.join("etcd")).expect("the folder can be made");
        for file in ["etcd/ca.crt", "etcd/ca.key"] {
            fs::copy(pki_dir.join(file), self.pki_dir.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        }
        self
    }

    /// Where clients reach it.
    pub fn client_url(&self) -> String {
        format!("{}://{}", self.tls.scheme(), SocketAddr::new(self.address, self.client_port))
    }

    /// Where the other members reach it.
    pub fn peer_url(&self) -> String {
        format!("{}://{}", self.tls.scheme(), SocketAddr::new(self.address, self.peer_port))
    }

    /// `runner init` for this node.
    pub fn init(&self) -> Command {
        self.with_member(self.with_trust(self.command("init")))
    }

    /// `runner join` for this node, to the cluster behind these endpoints (none: whatever runner finds), with its events on stdout.
    pub fn join(&self, endpoints: &[String]) -> Command {
        let mut command = self.join_for_people(endpoints);
        command.args(["--output", "json"]);
        command
    }

    /// The same with lines for people on stderr.
    pub fn join_for_people(&self, endpoints: &[String]) -> Command {
        self.joining("join", endpoints)
    }

    /// `runner check` for this node, with lines for people on stderr.
    pub fn check(&self, endpoints: &[String]) -> Command {
        self.joining("check", endpoints)
    }

    /// `runner status`, asked on this node, as JSON.
    pub fn status(&self, endpoints: &[String]) -> Command {
        let mut command = self.with_trust(self.command("status"));
        command.args(["--output", "json", "--endpoints", &endpoints.join(",")]);
        command
    }

    /// `runner resume` on this node, with its events on stdout.
    pub fn resume(&self) -> Spawned {
        self.go_on("resume")
    }

    /// `runner rollback` on this node, with its events on stdout.
    pub fn rollback(&self) -> Spawned {
        self.go_on("rollback")
    }

    /// What the journal's lines record, without their times; empty where there is none.
    pub fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.state_dir.join(&self.name).join("journal")).unwrap_or_default();
        // A checksum and a space come first.
        let record = |line: &str| {
            let value: Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
            Some(value["record"].as_str()?.to_owned())
        };
        text.lines().filter_map(record).collect()
    }

    /// The run records, the oldest run's first.
    pub fn records(&self) -> Vec<Value> {
        let entries = fs::read_dir(self.state_dir.join(&self.name)).into_iter().flatten().flatten().map(|e| e.path());
        let named = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("run-"));
        let mut paths: Vec<_> = entries.filter(named).collect();
        // The ids of runs are made of their time.
        paths.sort();
        let read = |p: PathBuf| serde_json::from_slice(&fs::read(p).expect("it can be read")).expect("a JSON document");
        paths.into_iter().map(read).collect()
    }

    /// A client of its member.
    pub async fn client(&self) -> Client {
        let files = (self.tls == Tls::On).then(|| {
            let file = |name: &str| self.pki_dir.join("etcd").join(name);
            ClientFiles { ca: file("ca.crt"), cert: file("healthcheck-client.crt"), key: file("healthcheck-client.key") }
        });
        connect(&[self.client_url()], files.as_ref()).await.expect("a client for a valid URL and files")
    }

    fn joining(&self, subcommand: &str, endpoints: &[String]) -> Command {
        let mut command = self.with_member(self.with_trust(self.command(subcommand)));
        if !endpoints.is_empty() {
            command.args(["--endpoints", &endpoints.join(",")]);
        }
        command
    }

    fn go_on(&self, subcommand: &str) -> Spawned {
        let mut command = self.command(subcommand);
        command.args(["--output", "json"]);
        Spawned::start(command)
    }

    /// A subcommand of the runner with this node's state, and nothing of the tester's own environment that would speak for it.
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = self.stateless(subcommand);
        command.arg("--state-dir").arg(&self.state_dir);
        command
    }

    /// The same for a subcommand that knows of no state.
    pub fn stateless(&self, subcommand: &str) -> Command {
        let mut command = Command::new(runner_bin());
        let ours = |name: &str| ["ETCDCTL_", "ETCD_", "RUNNER_", "KUBE"].iter().any(|prefix| name.starts_with(prefix));
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.env("RUNNER_CACHE_DIR", compiled_cache());
        command.arg(subcommand);
        command
    }

    fn with_trust(&self, mut command: Command) -> Command {
        match self.tls {
            Tls::On => command.arg("--pki-dir").arg(&self.pki_dir),
            Tls::Off => command.arg("--insecure"),
        };
        command
    }

    fn with_member(&self, mut command: Command) -> Command {
        command.args(["--name", &self.name, "--advertise-address", &self.address.to_string()]);
        command.args(["--metrics-url", &self.metrics_url]);
        command.args(["--peer-port", &self.peer_port.to_string(), "--client-port", &self.client_port.to_string()]);
        command.arg("--data-dir").arg(&self.data_dir).arg("--etcd").arg(&self.binary.path);
        command
    }
}
