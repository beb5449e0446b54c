//! Members as static pods, run by a stand-in kubelet with real etcd: they join, and a join that fails leaves nothing.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use futures::future::join_all;
use runner_harness::{
    EtcdBinary, Finished, Kubelet, KubeletOptions, Node, RealCluster, RealMember, SOON, Scratch, Spawned, Stage, Tls,
    etcd_versions, eventually, every_minor, newest, processes_of,
};
use rustix::process::Signal;

/// A node whose members the kubelet starts.
struct Pods {
    kubelet: Kubelet,
    config: PathBuf,
    image: String,
}

impl Pods {
    fn of(scratch: &Scratch, node: &Node) -> Self {
        Self::with(scratch, node, |_| {})
    }

    fn with(scratch: &Scratch, node: &Node, change: impl FnOnce(&mut KubeletOptions)) -> Self {
        let folder = scratch.join(&node.name);
        let mut options = KubeletOptions::under(&folder, &node.name);
        change(&mut options);
        let kubelet = Kubelet::start(options);
        let config = folder.join("kubelet.yaml");
        kubelet.write_config(&config);
        Self { kubelet, config, image: format!("registry.k8s.io/etcd:{}-0", node.binary.version) }
    }

    /// The command, with this launcher.
    fn launching(&self, mut command: Command) -> Command {
        command.args(["--launcher", "static-pod", "--image", &self.image]).arg("--kubelet-config").arg(&self.config);
        command
    }

    /// What is in the manifests folder, hidden files too.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.kubelet.manifests).expect("the folder is there").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// Folders with data that was moved aside.
fn aside(node: &Node) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(node.data_dir.parent().expect("a folder")).into_iter().flatten().flatten();
    entries.map(|e| e.path()).filter(|p| p.to_string_lossy().contains(".undone-")).collect()
}

async fn done(command: Command, code: i32) -> Finished {
    Spawned::start(command).finish(SOON).await.expect_code(code)
}

/// A stage whose joiner is run by a kubelet.
async fn stage(etcd: &EtcdBinary) -> (Stage, Pods) {
    let stage = Stage::set(1, etcd, Tls::On).await;
    let pods = Pods::of(&stage.cluster.scratch, &stage.node);
    (stage, pods)
}

impl Pods {
    /// Nothing of the join is left: in the list, in the folder, on the disk, among the processes.
    async fn assert_baseline(&self, stage: &Stage) {
        stage.assert_baseline().await;
        assert_eq!(self.files(), Vec::<String>::new());
    }
}

/// A member that is removed from the list ends by itself, and a kubelet in the middle of it starts it once more: not on a folder that was
/// emptied meanwhile.
#[tokio::test]
async fn an_undo_waits_for_a_kubelet_that_starts_the_member_once_more() {
    let stage = Stage::set(1, &newest(), Tls::On).await;
    let pods =
        Pods::with(&stage.cluster.scratch, &stage.node, |kubelet| kubelet.starts_once_more = Some(Duration::from_secs(1)));
    let mut join = Spawned::start(pods.launching(stage.node.join(&stage.cluster.endpoints())));
    join.event("step-started", "sync", SOON).await;
    join.kill();
    let serves = async || stage.node.client().await.status().await;
    eventually("the learner to serve", SOON, serves).await;
    stage.node.rollback().finish(SOON).await.expect_code(0);
    pods.assert_baseline(&stage).await;
    // Nor later.
    tokio::time::sleep(Duration::from_secs(3)).await;
    pods.assert_baseline(&stage).await;
}

async fn grow_to_three(etcd: &EtcdBinary) {
    let scratch = Scratch::new();
    let first = Node::plan(&scratch, "n1", etcd, Tls::On);
    let mut pods = vec![Pods::of(&scratch, &first)];
    done(pods[0].launching(first.init()), 0).await;
    first.client().await.put("written-before", "by an old member", None).await.expect("it takes writes");
    let mut endpoints = vec![first.client_url()];
    for name in ["n2", "n3"] {
        let node = Node::plan(&scratch, name, etcd, Tls::On).with_ca_of(&first.pki_dir);
        let on_node = Pods::of(&scratch, &node);
        done(on_node.launching(node.join(&endpoints)), 0).await;
        runner_harness::assert_serves(&node).await;
        endpoints.push(node.client_url());
        pods.push(on_node);
    }
    for on_node in &pods {
        assert_eq!(on_node.files(), ["etcd.yaml"], "etcd {}", etcd.version);
        assert_eq!(on_node.kubelet.complaints(), Vec::<String>::new(), "etcd {}", etcd.version);
    }
}

#[tokio::test]
async fn one_two_three_on_every_minor_over_tls() {
    join_all(every_minor().iter().map(grow_to_three)).await;
}

#[tokio::test]
async fn a_crash_loop_is_told_with_its_last_words_and_undone() {
    for etcd in every_minor() {
        let (stage, pods) = stage(&etcd).await;
        let mut command = pods.launching(stage.node.join_for_people(&stage.cluster.endpoints()));
        command.arg("--etcd-arg=--no-such-flag");
        let failed = done(command, 15).await;
        assert!(failed.stderr.contains("it does not know one of the flags that it was given"), "{}", failed.stderr);
        // Of whichever start is the last by then.
        let logs = ["/etcd/0.log)", "/etcd/1.log)", "/etcd/2.log)"];
        assert!(logs.iter().any(|log| failed.stderr.contains(log)), "{}", failed.stderr);
        pods.assert_baseline(&stage).await;
    }
}

/// Interrupts the join when this step begins.
async fn interrupted(step: &str) {
    let (stage, pods) = stage(&newest()).await;
    let mut joining = Spawned::start(pods.launching(stage.command()));
    joining.event("step-started", step, SOON).await;
    joining.signal(Signal::INT);
    joining.finish(SOON).await;
    pods.assert_baseline(&stage).await;
    for aside in aside(&stage.node) {
        assert!(aside.join("member").is_dir(), "{}", aside.display());
    }
}

#[tokio::test]
async fn a_join_that_is_interrupted_leaves_nothing() {
    join_all(["lock", "add-learner", "start-member", "sync"].map(interrupted)).await;
}

#[tokio::test]
async fn the_data_of_an_undone_member_is_moved_aside_and_the_next_join_succeeds() {
    let (stage, pods) = stage(&newest()).await;
    // Promotion waits for what never comes: the member has its data by then.
    let mut joining = Spawned::start({
        let mut command = pods.launching(stage.command());
        command.args(["--stability", "10m"]);
        command
    });
    joining.event("sync-progress", "", SOON).await;
    eventually("the member's data", SOON, async || match stage.node.data_dir.join("member/snap/db").exists() {
        true => Ok(()),
        false => Err("not yet"),
    })
    .await;
    joining.signal(Signal::INT);
    let ended = joining.finish(SOON).await;
    pods.assert_baseline(&stage).await;
    let aside = aside(&stage.node);
    assert_eq!(aside.len(), 1, "{}", ended.stderr);
    assert!(aside[0].join("member/snap/db").is_file());
    assert!(ended.stdout.contains(&aside[0].display().to_string()), "the summary says where: {}", ended.stdout);
    done(pods.launching(stage.command()), 0).await;
    stage.assert_joined().await;
}

#[tokio::test]
async fn a_runner_that_was_killed_goes_on_with_the_pod_that_it_started() {
    let (stage, pods) = stage(&newest()).await;
    let mut joining = Spawned::start(pods.launching(stage.command()));
    joining.event("step-started", "sync", SOON).await;
    joining.kill();
    stage.node.resume().finish(SOON).await.expect_code(0);
    stage.assert_joined().await;
    assert_eq!(pods.files(), ["etcd.yaml"]);
    // The same command again finds the member, and is content.
    done(pods.launching(stage.command()), 0).await;
}

#[tokio::test]
async fn a_kubelet_that_is_down_stops_neither_the_message_nor_the_undo() {
    let (stage, pods) = stage(&newest()).await;
    pods.kubelet.go_down();
    let mut command = pods.launching(stage.node.join_for_people(&stage.cluster.endpoints()));
    command.args(["--start-timeout", "3s"]);
    let failed = Spawned::start(command).finish(SOON).await;
    assert_ne!(failed.code(), Some(0));
    for words in ["the kubelet has started nothing from", "journalctl -u kubelet", "crictl pull"] {
        assert!(failed.stderr.contains(words), "{words}: {}", failed.stderr);
    }
    pods.assert_baseline(&stage).await;

    // It goes down while the member runs: the container lives on, and runner ends it itself.
    pods.kubelet.come_back();
    let mut joining = Spawned::start({
        let mut command = pods.launching(stage.command());
        command.args(["--stability", "10m"]);
        command
    });
    joining.event("step-started", "sync", SOON).await;
    pods.kubelet.go_down();
    joining.signal(Signal::INT);
    joining.finish(SOON).await;
    pods.assert_baseline(&stage).await;
}

#[tokio::test]
async fn what_is_in_the_way_is_refused_before_anything_is_changed() {
    let (stage, pods) = stage(&newest()).await;
    let refused = async |words: &str, change: &dyn Fn(&mut Command)| {
        let mut command = pods.launching(stage.node.join_for_people(&stage.cluster.endpoints()));
        change(&mut command);
        let failed = Spawned::start(command).finish(SOON).await;
        assert_ne!(failed.code(), Some(0));
        assert!(failed.stderr.contains(words), "{words}\n{}", failed.stderr);
        stage.assert_baseline().await;
    };
    let manifest = pods.kubelet.manifests.join("etcd.yaml");
    pods.kubelet.go_down();
    std::fs::write(&manifest, "apiVersion: v1\nkind: Pod\n").unwrap();
    refused("is a manifest that runner did not write", &|_| {}).await;
    std::fs::remove_file(&manifest).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &manifest).unwrap();
    refused("is a symbolic link", &|_| {}).await;
    std::fs::remove_file(&manifest).unwrap();
    pods.kubelet.come_back();
    refused("the kubelet looks for manifests in", &|command| {
        command.arg("--manifests-dir").arg(stage.cluster.scratch.path());
    })
    .await;
    refused("by its tag, and is said to be of 3.5.1", &|command| {
        command.args(["--etcd-version", "3.5.1"]);
    })
    .await;
    std::fs::create_dir_all(stage.node.data_dir.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(stage.cluster.scratch.path(), &stage.node.data_dir).unwrap();
    let failed = Spawned::start(pods.launching(stage.node.join_for_people(&stage.cluster.endpoints()))).finish(SOON).await;
    assert!(failed.stderr.contains("a symbolic link"), "{}", failed.stderr);
    assert_eq!(pods.files(), Vec::<String>::new());
}

/// A learner that nobody promotes, with the status of its metrics port's answers.
async fn answers_of_a_learner(etcd: &EtcdBinary) -> (RealCluster, RealMember) {
    let cluster = RealCluster::start(1, etcd, Tls::Off).await;
    let mut learner = RealMember::plan("n2", etcd, cluster.scratch.path(), Tls::Off, &[]);
    let options = etcd_client::MemberAddOptions::new().with_is_learner();
    cluster.client().await.member_add([learner.peer_url.clone()], Some(options)).await.expect("it is added");
    let mut list = cluster.initial_cluster();
    list.push((learner.name.clone(), learner.peer_url.clone()));
    learner.bootstrap(&list, "existing");
    learner.start();
    eventually("the learner's health", SOON, async || {
        ask(&learner, "/health").await.filter(|s| *s == 200).ok_or("no answer")
    })
    .await;
    (cluster, learner)
}

async fn ask(member: &RealMember, path: &str) -> Option<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = member.metrics_url.strip_prefix("http://")?;
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// The facts that the probes are made from, on a learner of every etcd at hand.
#[tokio::test]
async fn a_learner_answers_what_the_startup_probe_asks() {
    for etcd in etcd_versions() {
        let (mut cluster, learner) = answers_of_a_learner(&etcd).await;
        let (_, minor, patch) = etcd.number();
        let modern = minor >= 6 || (minor == 5 && patch >= 11) || (minor == 4 && patch >= 29);
        // kubeadm's startup probe: since this check is there, it fails on a learner.
        let refuses = minor >= 6 || (minor == 5 && patch >= 19);
        let version = &etcd.version;
        assert_eq!(ask(&learner, "/livez").await, Some(if modern { 200 } else { 404 }), "{version}");
        let ready = if !modern {
            404
        } else if refuses {
            503
        } else {
            200
        };
        assert_eq!(ask(&learner, "/readyz").await, Some(ready), "{version}");
        let serializable = "/health?exclude=NOSPACE&serializable=true";
        assert_eq!(ask(&learner, serializable).await, Some(200), "{version}");
        // Without a leader the serializable questions still pass; 3.4 knows none.
        cluster.pause(0);
        eventually("the learner to miss its leader", SOON, async || {
            match ask(&learner, "/health?serializable=false").await {
                Some(200) | None => Err("not yet"),
                Some(_) => Ok(()),
            }
        })
        .await;
        assert_eq!(ask(&learner, serializable).await, Some(if minor == 4 { 503 } else { 200 }), "{version}");
        if modern {
            assert_eq!(ask(&learner, "/livez").await, Some(200), "{version}");
        }
        cluster.resume(0);
    }
}

/// kubeadm's startup probe kills a learner that is not promoted in time; ours does not.
#[tokio::test]
async fn kubeadms_startup_probe_kills_a_learner_and_ours_does_not() {
    for ours in [true, false] {
        let stage = Stage::set(1, &newest(), Tls::On).await;
        let hurry = |options: &mut KubeletOptions| options.hurry = 100;
        let pods = Pods::with(&stage.cluster.scratch, &stage.node, hurry);
        let mut joining = Spawned::start({
            let mut command = pods.launching(stage.command());
            command.args(["--stability", "10m"]);
            command
        });
        joining.event("sync-progress", "", SOON).await;
        let manifest = pods.kubelet.manifests.join("etcd.yaml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        if !ours {
            // As kubeadm writes it. A new file, put in the old one's place like one.
            let theirs = text.rsplit_once("path: /livez").map(|(a, b)| format!("{a}path: /readyz{b}")).unwrap();
            let unfinished = pods.kubelet.manifests.join(".theirs");
            std::fs::write(&unfinished, theirs).unwrap();
            std::fs::rename(unfinished, &manifest).unwrap();
            eventually("the kubelet to kill it", SOON, async || match pods.kubelet.complaints().first() {
                Some(said) if said.contains("its startup probe /readyz failed 24 times") => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await;
        } else {
            // Three times what the probe allows at this speed: 24 times 10 s, a hundredth.
            tokio::time::sleep(Duration::from_millis(7200)).await;
            assert_eq!(pods.kubelet.complaints(), Vec::<String>::new());
            assert_eq!(processes_of(&stage.node.data_dir).len(), 1);
        }
        joining.signal(Signal::INT);
        joining.finish(SOON).await;
        pods.assert_baseline(&stage).await;
    }
}
