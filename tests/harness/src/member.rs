//! One real etcd of a test cluster.

use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::{ClientFiles, EtcdBinary, Host, Tls, eventually, free_port};

/// How long an etcd may take to end after SIGTERM: a leader hands over first.
const STOP: Duration = Duration::from_secs(20);

/// A member and its process. It has its ports, its data and its arguments also while the process is down.
pub struct RealMember {
    /// Its name.
    pub name: String,
    /// The program it runs.
    pub binary: EtcdBinary,
    /// Where the other members reach it.
    pub peer_url: String,
    /// Where clients reach it.
    pub client_url: String,
    /// Where it shows metrics, always without TLS.
    pub metrics_url: String,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Its standard output and error.
    pub log: PathBuf,
    /// Its certificates, in kubeadm's names, where it speaks TLS.
    pub pki: Option<PathBuf>,
    extra: Vec<String>,
    initial: Vec<String>,
    child: Option<Child>,
}

impl RealMember {
    /// A member with free ports and its files under `folder`; nothing is started.
    pub fn plan(name: &str, binary: &EtcdBinary, folder: &Path, tls: Tls, extra: &[String]) -> Self {
        let url = || format!("{}://127.0.0.1:{}", tls.scheme(), free_port());
        Self {
            name: name.to_owned(),
            binary: binary.clone(),
            peer_url: url(),
            client_url: url(),
            metrics_url: format!("http://127.0.0.1:{}", free_port()),
            data_dir: folder.join(name).join("data"),
            log: folder.join(name).join("etcd.log"),
            pki: (tls == Tls::On).then(|| folder.join(name).join("pki/etcd")),
            extra: extra.to_vec(),
            initial: Vec::new(),
            child: None,
        }
    }

    /// A member on a host of its own, with etcd's usual ports; see [`RealMember::start_on`].
    pub fn on(host: &Host, binary: &EtcdBinary, folder: &Path, tls: Tls) -> Self {
        let url = |port| format!("{}://{}", tls.scheme(), SocketAddr::new(host.address(), port));
        let mut member = Self::plan(&host.name, binary, folder, tls, &[]);
        member.peer_url = url(2380);
        member.client_url = url(2379);
        member.metrics_url = "http://127.0.0.1:2381".to_owned();
        member
    }

    /// Sets what it bootstraps from: `--initial-cluster` as name and peer URL, and `new` or `existing`.
    pub fn bootstrap(&mut self, cluster: &[(String, String)], state: &str) {
        let list: Vec<_> = cluster.iter().map(|(name, url)| format!("{name}={url}")).collect();
        self.initial = vec![format!("--initial-cluster={}", list.join(",")), format!("--initial-cluster-state={state}")];
    }

    /// Starts the process. Does not wait until it serves.
    pub fn start(&mut self) {
        self.start_as(|command| command);
    }

    /// The same on its host.
    pub fn start_on(&mut self, host: &Host) {
        self.start_as(|command| host.command(&command));
    }

    fn start_as(&mut self, place: impl FnOnce(Command) -> Command) {
        assert!(!self.running(), "{} runs already", self.name);
        fs::create_dir_all(self.log.parent().expect("a path in a folder")).expect("the folder can be made");
        let log = OpenOptions::new().append(true).create(true).open(&self.log).expect("the log can be written");
        let mut command = Command::new(&self.binary.path);
        command.args(self.args());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ETCD_")) {
            command.env_remove(name);
        }
        let mut command = place(command);
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("a second handle")).stdout(log);
        self.child = Some(command.spawn().unwrap_or_else(|e| panic!("{} does not start: {e}", self.binary.path.display())));
    }

    /// Whether its process runs (a paused one does).
    pub fn running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Its process id, while it runs.
    pub fn id(&mut self) -> Option<u32> {
        self.running().then(|| self.child.as_ref().map(Child::id)).flatten()
    }

    /// `kill -9`, and waits for it. Nothing to kill is fine.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        let _ = child.kill();
        child.wait().ok()
    }

    /// SIGTERM, and waits until it has ended.
    pub async fn stop(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let child = self.child.as_mut()?;
        let ask = async || child.try_wait().map_err(|e| e.to_string())?.ok_or_else(|| "it still runs".to_owned());
        let status = eventually("etcd to stop", STOP, ask).await;
        self.child = None;
        Some(status)
    }

    /// SIGSTOP, and waits until its last thread has stopped: it keeps its connections and answers nothing.
    pub fn pause(&mut self) {
        if self.signal(Signal::STOP)
            && let Some(child) = &self.child
        {
            // Its end would do, too, and is left for whoever waits for that.
            let either = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            waitid(WaitId::Pid(Pid::from_child(child)), either).expect("it is our child");
        }
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    /// The client's files, taken from its own server certificate's folder; none without TLS.
    pub fn client_files(&self) -> Option<ClientFiles> {
        let pki = self.pki.as_ref()?;
        Some(ClientFiles { ca: pki.join("ca.crt"), cert: pki.join("server.crt"), key: pki.join("server.key") })
    }

    /// Whether there was a process to send it to.
    fn signal(&mut self, signal: Signal) -> bool {
        let runs = self.running();
        if runs && let Some(child) = &self.child {
            kill_process(Pid::from_child(child), signal).expect("it runs");
        }
        runs
    }

    fn args(&self) -> Vec<String> {
        let mut args = vec![
            format!("--name={}", self.name),
            format!("--data-dir={}", self.data_dir.display()),
            format!("--listen-peer-urls={}", self.peer_url),
            format!("--initial-advertise-peer-urls={}", self.peer_url),
            format!("--listen-client-urls={}", self.client_url),
            format!("--advertise-client-urls={}", self.client_url),
            format!("--listen-metrics-urls={}", self.metrics_url),
            "--logger=zap".to_owned(),
        ];
        if let Some(pki) = &self.pki {
            let file = |name: &str| pki.join(name).display().to_string();
            args.push("--client-cert-auth=true".to_owned());
            args.push("--peer-client-cert-auth=true".to_owned());
            for (prefix, pair) in [("", "server"), ("peer-", "peer")] {
                args.push(format!("--{prefix}trusted-ca-file={}", file("ca.crt")));
                args.push(format!("--{prefix}cert-file={}", file(&format!("{pair}.crt"))));
                args.push(format!("--{prefix}key-file={}", file(&format!("{pair}.key"))));
            }
        }
        args.extend(self.initial.iter().chain(&self.extra).cloned());
        args
    }
}

impl Drop for RealMember {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a log file, for messages.
pub fn log_tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
