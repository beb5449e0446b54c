//! One node: a host with containerd and a kubelet of its own, which can be switched off and on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use etcd_client::{Client, ConnectOptions};

use super::parts::Parts;
use crate::{ClientFiles, Finished, Host, Spawned, repository, runner_bin};

/// A command of kubeadm's or kubectl's on two busy cores: a join takes a quarter of a minute.
const COMMAND: Duration = Duration::from_secs(240);

/// A machine that is, or becomes, a control-plane node.
///
/// Its programs see an `/etc`, `/var/lib`, `/var/log`, `/run` and `/opt` of its own, only its own processes, and its own name; all else is
/// this machine's.
pub struct RealNode {
    /// Its name, in Kubernetes and as a host.
    pub name: String,
    folder: PathBuf,
    parts: Parts,
    host: Host,
    /// Its process 1, and the one that waits for it; none while it is off.
    running: Option<Running>,
}

struct Running {
    unshare: Child,
    init: u32,
}

impl RealNode {
    /// Plugs it in; it is off.
    pub(super) fn new(host: Host, folder: PathBuf, parts: &Parts) -> Self {
        fs::create_dir_all(&folder).expect("the folder can be made");
        Self { name: host.name.clone(), folder, parts: parts.clone(), host, running: None }
    }

    /// Its address.
    pub fn address(&self) -> IpAddr {
        self.host.address()
    }

    /// Where its members' peers and clients reach it.
    pub fn peer_url(&self) -> String {
        format!("https://{}:2380", self.address())
    }

    /// Switches it on. The first time it imports the images. `hosts` is its `/etc/hosts`, `cgroup` its folder of control groups.
    pub(super) fn switch_on(&mut self, hosts: &str, cgroup: &str) {
        assert!(self.running.is_none(), "{} is on", self.name);
        fs::write(self.folder.join("hosts"), hosts).expect("the folder can be written");
        fs::write(self.folder.join("containerd.toml"), self.containerd_config()).expect("the folder can be written");
        let script = repository().join("tests/harness/src/control_plane/node.sh");
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "bash"]).arg(script);
        unshare.arg(&self.folder).arg(&self.name).arg(cgroup).arg(&self.parts.containerd).arg(&self.parts.kubernetes);
        let mut command = self.host.command(&unshare);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut unshare = command.spawn().unwrap_or_else(|e| panic!("`nsenter` does not run ({e}): install util-linux"));
        let mut line = String::new();
        let said = BufReader::new(unshare.stdout.take().expect("it is a pipe")).read_line(&mut line);
        assert!(said.is_ok() && line == "ready\n", "the node {} does not come up: {line}", self.name);
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let children = fs::read_to_string(&children).expect("it runs");
        let init = children.trim().parse().unwrap_or_else(|_| panic!("one child, not {children:?}"));
        self.running = Some(Running { unshare, init });
    }

    /// Takes away its power: every process on it is gone at once.
    pub fn switch_off(&mut self) {
        let mut running = self.running.take().expect("it is on");
        // With process 1, which goes with the one that has started it, the kernel ends all others, and their mounts go.
        let _ = running.unshare.kill();
        let _ = running.unshare.wait();
        let init = Path::new("/proc").join(running.init.to_string());
        let deadline = Instant::now() + Duration::from_secs(60);
        // It is a zombie until all others have ended, and this machine's process 1 buries it.
        while init.join("ns/pid").symlink_metadata().is_ok() {
            assert!(Instant::now() < deadline, "{} does not go off", self.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.running.is_some()
    }

    /// A command that will run on it.
    pub fn command<A: AsRef<std::ffi::OsStr>>(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[A]) -> Command {
        let init = self.running.as_ref().expect("it is on").init;
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={init}")).args(["--net", "--mount", "--uts", "--pid", "--wd=/", "--"]);
        // nsenter waits for what runs there: whoever kills the one means the other.
        command.args(["setpriv", "--pdeathsig", "KILL", "--"]).arg(program).args(arguments);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = [self.folder.join("bin"), self.parts.containerd.clone(), self.parts.kubernetes.clone()];
        let all = own.into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(all).expect("folders")).env("KUBECONFIG", "/etc/kubernetes/admin.conf");
        command
    }

    /// Runs a command on it to its end.
    pub async fn run(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Finished {
        Spawned::start(self.command(program, arguments)).finish(COMMAND).await
    }

    /// Runs kubeadm on it to its end.
    pub async fn kubeadm(&self, arguments: &[&str]) -> Finished {
        self.run("kubeadm", arguments).await
    }

    /// Runs kubectl on it, which has to end well, and gives what it said.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        self.run("kubectl", arguments).await.expect_code(0).stdout
    }

    /// Runs the runner on it to its end.
    pub async fn runner(&self, arguments: &[&str]) -> Finished {
        self.start_runner(arguments).finish(COMMAND).await
    }

    /// Starts the runner on it.
    pub fn start_runner(&self, arguments: &[&str]) -> Spawned {
        let mut command = self.command(runner_bin(), arguments);
        command.env("RUNNER_CACHE_DIR", crate::compiled_cache());
        Spawned::start(command)
    }

    /// Where the test finds a path of the node's; also while the node is on only.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let init = self.running.as_ref().expect("it is on").init;
        let path = path.as_ref().strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{init}/root")).join(path)
    }

    /// Whether the node has such a file or folder.
    pub fn has(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// What a file of the node says.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path} of {}: {e}", self.name))
    }

    /// Writes a file on the node, with the folders on its way.
    pub fn write(&self, path: &str, text: &str) {
        let file = self.path(path);
        fs::create_dir_all(file.parent().expect("a file")).expect("the folder can be made");
        fs::write(&file, text).unwrap_or_else(|e| panic!("{path} of {}: {e}", self.name));
    }

    /// Breaks its kubelet: it ends, and no service manager can start it until [`RealNode::mend_kubelet`]; its pods go on. Returns when it has
    /// ended.
    pub async fn break_kubelet(&self) {
        fs::write(self.folder.join("kubelet-broken"), "").expect("the folder can be written");
        let gone = async || match self.processes("kubelet").as_slice() {
            [] => Ok(()),
            some => Err(format!("{some:?} run")),
        };
        crate::eventually("the kubelet to end", Duration::from_secs(60), gone).await;
    }

    /// Ends [`RealNode::break_kubelet`]: it runs where it is configured.
    pub fn mend_kubelet(&self) {
        let _ = fs::remove_file(self.folder.join("kubelet-broken"));
    }

    /// The ids, as this machine sees them, of the node's processes whose program is called so.
    pub fn processes(&self, program: &str) -> Vec<u32> {
        let Some(running) = &self.running else { return Vec::new() };
        let namespace = |id: u32| fs::read_link(format!("/proc/{id}/ns/pid")).ok();
        let own = namespace(running.init);
        let all = fs::read_dir("/proc").expect("/proc").flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_it = |id: &u32| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
            Path::new(&*String::from_utf8_lossy(first)).file_name().is_some_and(|name| name == program)
        };
        ids.filter(is_it).filter(|id| namespace(*id) == own).collect()
    }

    /// A client of its etcd member, by kubeadm's certificates. Errors where none answers; panics where there are no certificates.
    pub async fn etcd(&self) -> anyhow::Result<Client> {
        let pki = |name: &str| self.path(format!("/etc/kubernetes/pki/etcd/{name}"));
        let (cert, key) = (pki("healthcheck-client.crt"), pki("healthcheck-client.key"));
        let limit = Duration::from_secs(5);
        let tls = ClientFiles { ca: pki("ca.crt"), cert, key }.options();
        let options = ConnectOptions::new().with_tls(tls).with_timeout(limit).with_connect_timeout(limit);
        Ok(Client::connect([format!("https://{}:2379", self.address())], Some(options)).await?)
    }

    fn containerd_config(&self) -> String {
        // Where this machine may not lower a process' OOM score (a container without CAP_SYS_RESOURCE), a pod would not start.
        format!(
            "version = 3\n\
             [grpc]\naddress = '/run/containerd/containerd.sock'\n\
             [plugins.'io.containerd.cri.v1.runtime']\nrestrict_oom_score_adj = true\n\
             [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n\
             [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nSystemdCgroup = false\nBinaryName = '{}'\n\
             [plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = '{}'\n",
            self.parts.containerd.join("runc").display(),
            self.parts.pause,
        )
    }
}

impl Drop for RealNode {
    fn drop(&mut self) {
        if self.is_on() {
            self.switch_off();
        }
    }
}
