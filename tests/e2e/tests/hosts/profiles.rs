//! The profiles that ship with runner, each as it is but for one line that puts it into a folder of its own: a cluster begins, a node
//! is left as a learner and rolled back, and joins. And what a profile binds a user to.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use runner_harness::{
    EtcdBinary, Finished, Kubelet, KubeletOptions, SOON, Scratch, Spawned, Stage, Systemd, Tls, compiled_cache, eventually,
    free_port, guest, newest, runner_bin,
};
use serde_json::Value;

const K3S: &str = include_str!("../../../../runner/profiles/k3s.toml");
const KUBEADM: &str = include_str!("../../../../runner/profiles/kubeadm.toml");
const RKE2: &str = include_str!("../../../../runner/profiles/rke2.toml");
const VM: &str = include_str!("../../../../runner/profiles/vm.toml");

/// A profile and where it has its things, as this test knows it from the distribution.
#[derive(Clone, Copy)]
struct Layout {
    text: &'static str,
    data: &'static str,
    pki: &'static str,
    authorities: &'static [&'static str],
    peer: &'static str,
}

/// Whoever starts the members of a node.
enum Starter {
    Runner,
    Kubelet {
        _runs_on: Kubelet,
    },
    Systemd(Systemd),
    /// The test itself, with the printed flags.
    Person,
}

/// A node with its file system in a folder.
struct Host {
    layout: Layout,
    name: String,
    root: PathBuf,
    profile: PathBuf,
    etcd: EtcdBinary,
    peer: u16,
    client: u16,
    metrics: u16,
    starter: Starter,
}

/// Killed when dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Only its owner may write it, whatever the tester's umask says.
fn write_profile(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("the scratch can be written");
    fs::write(path, text).expect("the scratch can be written");
    fs::set_permissions(path, Permissions::from_mode(0o644)).expect("our own file");
}

/// A subcommand of a program, without anything of the tester's own environment that would speak for it.
fn bare(program: &Path, subcommand: &str) -> Command {
    let mut command = Command::new(program);
    let ours = |name: &str| ["ETCDCTL_", "ETCD_", "RUNNER_", "KUBE"].iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars_os().filter(|(name, _)| ours(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.env("RUNNER_CACHE_DIR", compiled_cache());
    command.arg(subcommand);
    command
}

async fn done(command: Command, code: i32) -> Finished {
    Spawned::start(command).finish(SOON).await.expect_code(code)
}

impl Host {
    fn new(scratch: &Scratch, name: &str, layout: Layout, starter: impl FnOnce(&Path) -> Starter) -> Self {
        let root = scratch.join(name);
        let profile = root.join("profile.toml");
        // A top-level key stands before the first table: right after the name.
        let (head, rest) = layout.text.split_once("\nname = ").expect("a profile has a name");
        write_profile(&profile, &format!("{head}\nroot = \"{}\"\nname = {rest}", root.display()));
        let starter = starter(&root);
        let (peer, client, metrics) = (free_port(), free_port(), free_port());
        Self { layout, name: name.to_owned(), root, profile, etcd: newest(), peer, client, metrics, starter }
    }

    fn below(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.client)
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = bare(&runner_bin(), subcommand);
        command.arg("--profile").arg(&self.profile);
        if let Starter::Systemd(systemd) = &self.starter {
            systemd.serve(&mut command);
        }
        command
    }

    /// With what no profile can know: names, addresses, ports of a machine that is all nodes at once, and the etcd at hand.
    fn member(&self, subcommand: &str) -> Command {
        let mut command = self.command(subcommand);
        command.args(["--name", &self.name, "--advertise-address", "127.0.0.1"]);
        command.args(["--peer-port", &self.peer.to_string(), "--client-port", &self.client.to_string()]);
        command.args(["--metrics-url", &format!("http://127.0.0.1:{}", self.metrics)]);
        command.arg("--etcd").arg(&self.etcd.path);
        match &self.starter {
            Starter::Kubelet { .. } => {
                command.args(["--image", &format!("registry.k8s.io/etcd:{}-0", self.etcd.version)]);
            }
            // The stand-in knows one folder of units.
            Starter::Systemd(systemd) => {
                command.arg("--unit-dir").arg(&systemd.units);
            }
            Starter::Runner | Starter::Person => {}
        }
        command
    }

    fn join(&self, first: &Self) -> Command {
        let mut command = self.member("join");
        command.args(["--output", "json", "--endpoints", &first.url()]);
        command
    }

    /// The CAs of another node's folder, with their keys.
    fn bring_authorities(&self, from: &Self) {
        for name in self.layout.authorities {
            for ending in ["crt", "key"] {
                let path = format!("{}/{name}.{ending}", self.layout.pki);
                fs::create_dir_all(self.below(&path).parent().expect("a folder")).expect("the scratch can be written");
                fs::copy(from.below(&path), self.below(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
            }
        }
    }

    /// Voters and members of its cluster, by its own profile's certificates.
    async fn counts(&self) -> (u64, usize) {
        let mut command = self.command("status");
        command.args(["--output", "json", "--endpoints", &self.url()]);
        let seen: Value = serde_json::from_str(&done(command, 0).await.stdout).expect("status prints JSON");
        (seen["voters"].as_u64().expect("a number"), seen["members"].as_array().expect("a list").len())
    }

    /// Runs a join to its end; where a person starts the member, with the flags that are printed.
    async fn run(&self, command: Command, code: i32) -> (Finished, Option<Started>) {
        let runner = Spawned::start(command);
        let started = match self.starter {
            Starter::Person => Some(self.start_by_hand(&runner).await),
            _ => None,
        };
        (runner.finish(SOON).await.expect_code(code), started)
    }

    async fn start_by_hand(&self, runner: &Spawned) -> Started {
        let ask = async || {
            let said = runner.stderr();
            let after = said.split_once("exactly these flags:\n\n  etcd \\\n").ok_or("not said")?.1;
            let (flags, _) = after.split_once("\n\n").ok_or("not said to the end")?;
            let plain = |line: &str| line.trim().trim_end_matches(" \\").trim_matches('\'').to_owned();
            Ok::<Vec<String>, &str>(flags.lines().map(plain).collect())
        };
        let flags: Vec<String> = eventually("the flags", SOON, ask).await;
        let log = File::create(self.root.join("etcd.log")).expect("the folder can be written");
        let mut command = Command::new(&self.etcd.path);
        command.args(flags).stdin(Stdio::null()).stderr(log.try_clone().expect("a second handle")).stdout(log);
        Started(command.spawn().expect("etcd runs"))
    }
}

/// A cluster begins on one node; another is left as a learner and rolled back, and then joins.
async fn begins_rolls_back_and_joins(layout: Layout, starter: fn(&Path) -> Starter) {
    let scratch = Scratch::new();
    let first = Host::new(&scratch, "n1", layout, starter);
    let mut init = first.member("init");
    if matches!(first.starter, Starter::Person) {
        // Nobody waits for the first member but runner.
        init.args(["--launcher", "process"]);
    }
    done(init, 0).await;
    assert!(first.below(layout.data).join("member").is_dir(), "the data is where the profile says");
    assert_eq!(first.counts().await, (1, 1));

    let second = Host::new(&scratch, "n2", layout, starter);
    second.bring_authorities(&first);
    if matches!(second.starter, Starter::Person) {
        // Whoever starts the member brings its certificates, too: here those that runner makes for any launcher of its own.
        let folder = second.below(layout.pki);
        copy_certificates(&first.below(layout.pki), &folder);
    }
    let policy = scratch.write(
        "leave.yaml",
        format!(
            "apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata: {{name: leave}}\nspec:\n  timeouts: {{approval: 0s}}\n  \
             onApprovalTimeout: Leave\n  plugins:\n  - source: {}\n    settings: {{samples: 600, forMs: 600000}}\n",
            guest("steady-sync").display()
        ),
    );
    let mut left = second.join(&first);
    left.arg("--plugins").arg(&policy);
    let (stuck, started) = second.run(left, 16).await;
    let by = stuck.events_of("finding").into_iter().find(|e| e["code"] == "profile").expect("the profile is told");
    assert!(by["message"].as_str().is_some_and(|m| m.contains("profile.toml")), "{by:#}");
    assert_eq!(first.counts().await, (1, 2), "the learner is still there");
    assert!(second.below("/var/lib/runner/n2/journal").is_file(), "the state is below the root");
    done(second.command("rollback"), 0).await;
    assert_eq!(first.counts().await, (1, 1));
    if let Some(started) = started {
        drop(started);
        fs::remove_dir_all(second.below(layout.data)).expect("the person does as told");
    }
    assert!(!second.below(layout.data).exists(), "no data is left");

    let (_, _started) = second.run(second.join(&first), 0).await;
    assert_eq!(second.counts().await, (2, 2));
    assert!(second.below(layout.data).join("member").is_dir());
    let shown = fs::read_to_string(second.below(&format!("{}/{}.crt", layout.pki, layout.peer)));
    assert!(shown.is_ok_and(|text| text.contains("BEGIN CERTIFICATE")), "the certificates have the profile's names");
}

fn copy_certificates(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the scratch can be written");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_certificates(&from, &to);
        } else {
            fs::copy(&from, &to).expect("the scratch can be written");
        }
    }
}

#[tokio::test]
async fn kubeadm() {
    let layout = Layout {
        text: KUBEADM,
        data: "/var/lib/etcd",
        pki: "/etc/kubernetes/pki",
        authorities: &["etcd/ca"],
        peer: "etcd/peer",
    };
    begins_rolls_back_and_joins(layout, |_| Starter::Runner).await;
}

#[tokio::test]
async fn k3s_like() {
    let layout = Layout {
        text: K3S,
        data: "/var/lib/rancher/k3s/server/db/etcd",
        pki: "/var/lib/rancher/k3s/server/tls",
        authorities: &["etcd/server-ca", "etcd/peer-ca"],
        peer: "etcd/peer-server-client",
    };
    begins_rolls_back_and_joins(layout, |_| Starter::Person).await;
}

#[tokio::test]
async fn rke2_like() {
    let layout = Layout {
        text: RKE2,
        data: "/var/lib/rancher/rke2/server/db/etcd",
        pki: "/var/lib/rancher/rke2/server/tls",
        authorities: &["etcd/server-ca", "etcd/peer-ca"],
        peer: "etcd/peer-server-client",
    };
    let kubelet = |root: &Path| {
        let manifests = root.join("var/lib/rancher/rke2/agent/pod-manifests");
        let name = root.file_name().expect("a folder").to_string_lossy().into_owned();
        let kubelet = Kubelet::start(KubeletOptions { manifests, ..KubeletOptions::under(root, &name) });
        let config = root.join("var/lib/kubelet/config.yaml");
        fs::create_dir_all(config.parent().expect("a folder")).expect("the scratch can be written");
        kubelet.write_config(&config);
        Starter::Kubelet { _runs_on: kubelet }
    };
    begins_rolls_back_and_joins(layout, kubelet).await;
}

#[tokio::test]
async fn plain_vms() {
    let layout = Layout { text: VM, data: "/var/lib/etcd", pki: "/etc/etcd/pki", authorities: &["ca"], peer: "peer" };
    begins_rolls_back_and_joins(layout, |root| Starter::Systemd(Systemd::under(&root.join("systemd")))).await;
}

/// A profile that makes the version window mandatory, with this on top.
fn binding(stage: &Stage, more: &str) -> PathBuf {
    let window = guest("version-window");
    let digest = runner::plugins::digest_of(&window).expect("a component");
    let path = stage.cluster.scratch.join("acme/profile.toml");
    write_profile(
        &path,
        &format!(
            "apiVersion = \"runner.dev/v1alpha1\"\nname = \"acme\"\nversion = \"7\"\n\n{more}\n[floors]\nmaxLag = 100\nstability = \
             \"200ms\"\n\n[[plugins]]\nname = \"window\"\nsource = \"{}\"\ndigest = \"{digest}\"\nsettings = {{ minimum = \
             \"3.4.0\" }}\n",
            window.display()
        ),
    );
    path
}

fn by_profile(stage: &Stage, profile: &Path, args: &[&str]) -> Command {
    let mut command = stage.command();
    command.arg("--profile").arg(profile).args(args);
    command
}

fn policy(stage: &Stage, spec: &str) -> String {
    let text = format!("apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata: {{name: mine}}\nspec:\n{spec}");
    stage.cluster.scratch.write("mine.yaml", text).display().to_string()
}

fn entry(more: &str) -> String {
    format!("  plugins:\n  - {{name: window, source: {}, {more}}}\n", guest("version-window").display())
}

#[tokio::test]
async fn what_a_profile_makes_mandatory_nobody_takes_away() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let profile = binding(&stage, "[[banned]]\nflag = \"--stale-learner\"\nreason = \"acme waits\"\n");
    let other = format!("  plugins:\n  - {{name: window, source: {}}}\n", guest("steady-sync").display());
    let refused = [
        (entry("mode: Monitor"), "mine.yaml:6:", "so its word counts"),
        (entry("waivers: [{code: x, reason: r}]"), "mine.yaml:6:", "so its findings cannot be waived"),
        (entry("failurePolicy: Ignore"), "mine.yaml:6:", "so its failure cannot be ignored"),
        (entry("settings: {minimum: 3.0.0}"), "mine.yaml:6:", "which fixes its settings"),
        (entry("limits: {cpu: 1ms}"), "mine.yaml:6:", "which says what one call of it may use"),
        (other, "mine.yaml:6:", "and this is another component"),
        ("  gate: {maxLag: 101}\n".to_owned(), "mine.yaml:5:", "which is 100 at most"),
        ("  gate: {stability: 100ms}\n".to_owned(), "mine.yaml:5:", "which is 200ms at least"),
    ];
    for (spec, place, why) in refused {
        let policy = policy(&stage, &spec);
        let ended = done(by_profile(&stage, &profile, &["--plugins", &policy]), 2).await;
        assert!(ended.stderr.contains(place) && ended.stderr.contains(why), "{why}: {}", ended.stderr);
        assert!(ended.stderr.contains("the profile acme 7 (") && ended.stderr.contains("\nhint: "), "{}", ended.stderr);
    }
    let window = guest("version-window").display().to_string();
    for (args, why) in [
        (vec!["--plugin-settings", "window={\"minimum\":\"3.0.0\"}"], "--plugin-settings: window is mandatory"),
        (vec!["--plugin-failure", "window=ignore"], "--plugin-failure: window is mandatory"),
        (vec!["--max-lag", "101"], "--max-lag: 101 is looser"),
        (vec!["--stability", "1ms"], "--stability: 1ms is looser"),
        (vec!["--stale-learner", "fail"], "--stale-learner is banned by the profile acme 7"),
    ] {
        let ended = done(by_profile(&stage, &profile, &args), 2).await;
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
    let twin = stage.cluster.scratch.join("window.wasm");
    fs::copy(guest("steady-sync"), &twin).expect("the scratch can be written");
    let ended = done(by_profile(&stage, &profile, &["--plugins", &twin.display().to_string()]), 2).await;
    assert!(ended.stderr.contains("has the name of window, which is mandatory by the profile acme 7"), "{}", ended.stderr);
    stage.assert_baseline().await;

    // Tightening is welcome; the plugin is asked without anybody naming it, and once where somebody does.
    let tightened = policy(&stage, &(entry("failurePolicy: Fail") + "  gate: {maxLag: 10}\n"));
    fs::copy(&window, &twin).expect("the scratch can be written");
    let again = twin.display().to_string();
    let joined = done(by_profile(&stage, &profile, &["--plugins", &tightened, &window, &again]), 0).await;
    stage.assert_joined().await;
    let verdicts: Vec<_> = joined.events_of("plugin-verdict").into_iter().map(|e| e["plugin"].clone()).collect();
    assert_eq!(verdicts, ["window", "version-window"], "the file under another name is a plugin of its own");
}

#[tokio::test]
async fn a_mandatory_plugin_refuses_joins_and_checks_that_do_not_name_it() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let profile = binding(&stage, "");
    let text = fs::read_to_string(&profile).expect("it was written").replace("3.4.0", "9.9.9");
    write_profile(&profile, &text);
    let refused = done(by_profile(&stage, &profile, &[]), 11).await;
    let findings = refused.events_of("finding");
    assert!(findings.iter().any(|e| e["source"] == "window" && e["code"] == "version-too-old"), "{findings:#?}");
    let mut check = stage.node.check(&stage.cluster.endpoints());
    check.arg("--profile").arg(&profile);
    done(check, 11).await;
    stage.assert_baseline().await;

    // What another user may write is nobody's word.
    fs::set_permissions(&profile, Permissions::from_mode(0o666)).expect("our own file");
    let ended = done(by_profile(&stage, &profile, &[]), 2).await;
    assert!(ended.stderr.contains("may be written by others than its owner: its mode is 0666"), "{}", ended.stderr);
}
