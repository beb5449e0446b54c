//! Whether the kubelet has let go of etcd's pod once its manifest is gone.
//!
//! A kubelet that has not heard from its API server since it was started ends no pod and starts none in its place (1.36: `deletePod` in
//! pkg/kubelet/kubelet.go, "skipping delete because sources aren't ready yet"; `allowStaticPodStart` in pod_workers.go). One that kubeadm
//! has started on a joining node is in this state until etcd has joined, where it talks to its own node's API server (kubeadm's
//! ControlPlaneKubeletLocalMode: the default since 1.33, the only way since 1.35). It would start the old pod's etcd again and again, also on a
//! data directory that was emptied meanwhile, and never the next try's. A restart makes it forget.

use std::path::{Path, PathBuf};

use tokio::time::{Duration, Instant};

use super::launcher::{EVERY, StaticPodLauncher};
use crate::Problem;
use crate::launch::procs;
use crate::launch::refuse;
use crate::launch::systemd::systemctl;
use crate::pipeline::Identity;

/// Where the kubelet keeps what it has, pods among it, unless `--root-dir` says otherwise.
const ROOT: &str = "/var/lib/kubelet";

/// The program, and kubeadm's unit.
pub(super) const KUBELET: &str = "kubelet";

/// How long the kubelet may take to end the container: it looks at its folder every 20 s at the latest, and gives a pod 30 s.
const ENDS: Duration = Duration::from_secs(60);

/// A kubelet that has seen the manifest go removes an ended pod's folder within two seconds (`housekeepingPeriod`). It is told of the
/// removal; one that has to look by itself does so every 20 s, and is restarted for nothing, which does no harm.
const LETS_GO: Duration = Duration::from_secs(8);

/// After so long a person has to look.
const GIVES_UP: Duration = Duration::from_secs(150);

/// How long after the manifest's removal a container may still come up that the kubelet was just about to start, or to start once more: it
/// looks at its containers each second, and a removed member ends by itself.
const SETTLE: Duration = Duration::from_secs(3);

/// The kubelet's etcd pods.
pub(super) struct Pods {
    logs: PathBuf,
    pods: PathBuf,
    manifests: PathBuf,
}

impl Pods {
    /// Those with logs in the one folder and manifests in the other.
    pub(super) fn of(logs: PathBuf, manifests: &Path) -> Self {
        let root = procs::arguments(KUBELET).into_iter().find_map(|arguments| root_dir(&arguments));
        let pods = root.unwrap_or_else(|| PathBuf::from(ROOT)).join("pods");
        Self { logs, pods, manifests: manifests.to_owned() }
    }

    /// Whether the kubelet still has one. To be asked when the manifest is gone: a kubelet that was started later than that, so later than
    /// the manifests folder was last changed, knows none.
    pub(super) fn held(&self) -> bool {
        let changed = self.manifests.metadata().and_then(|folder| folder.modified());
        let kubelets = procs::started(KUBELET);
        let forgotten = changed.is_ok_and(|changed| !kubelets.is_empty() && kubelets.iter().all(|start| *start > changed));
        !forgotten && self.has_a_folder()
    }

    /// The logs name it, `kube-system_etcd-<node>_<uid>`, and stay longer than its folder.
    fn has_a_folder(&self) -> bool {
        let names = std::fs::read_dir(&self.logs).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.into_iter().any(|name| {
            let name = name.to_string_lossy();
            let uid = name.strip_prefix("kube-system_etcd-").and_then(|rest| rest.rsplit_once('_')).map(|(_, uid)| uid);
            // A static pod's is the hash of its manifest; one that was made through the API has a UUID.
            let hash = |uid: &&str| uid.len() == 32 && uid.bytes().all(|b| b.is_ascii_hexdigit());
            uid.filter(hash).is_some_and(|uid| self.is_etcds(&self.pods.join(uid)))
        })
    }

    /// Whether this is the folder of a pod with a container `etcd`, or with none yet: `etcd-events` and the like have others.
    fn is_etcds(&self, pod: &Path) -> bool {
        let containers = pod.join("containers");
        pod.is_dir() && (!containers.is_dir() || containers.join("etcd").is_dir())
    }
}

/// What the kubelet was told by `--root-dir`, which its configuration file cannot say.
fn root_dir(arguments: &[String]) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.trim_start_matches('-').split_once('=') {
            Some(("root-dir", path)) => return Some(PathBuf::from(path)),
            None if argument.trim_start_matches('-') == "root-dir" => return arguments.next().map(PathBuf::from),
            _ => {}
        }
    }
    None
}

impl StaticPodLauncher {
    /// Waits until no etcd uses the data directory and the kubelet will start none; the manifest is gone. The kubelet ends it. Where it does
    /// not, it is restarted, by systemd; where it is down, runner ends etcd itself, and nobody starts it again.
    ///
    /// Refuses where neither is so within two minutes and a half: then the data is not to be touched.
    pub(super) async fn let_go(&self, whose: &Identity, pods: &Pods) -> Result<(), Problem> {
        let began = Instant::now();
        let (mut had_a_folder, mut nobody_starts_it) = (false, false);
        // Since when nothing runs.
        let mut quiet: Option<Instant> = None;
        while began.elapsed() < GIVES_UP {
            let (runs, held) = (self.runs().await, pods.held());
            quiet = if runs { None } else { quiet.or(Some(Instant::now())) };
            match quiet {
                // Its folder is gone: the kubelet is done with it.
                Some(_) if had_a_folder && !pods.has_a_folder() => return Ok(()),
                Some(since) if (!held || nobody_starts_it) && since.elapsed() >= SETTLE => return Ok(()),
                _ => {}
            }
            had_a_folder |= held;
            let impatient = match quiet {
                Some(since) => since.elapsed() >= LETS_GO,
                None => began.elapsed() >= ENDS,
            };
            if held && !nobody_starts_it && impatient {
                nobody_starts_it = restarted().await?;
                // What the old one was just about to start may still come up.
                quiet = None;
                continue;
            }
            if runs && (nobody_starts_it || began.elapsed() >= ENDS) {
                tracing::warn!("the kubelet has not ended etcd: ending it");
                self.end(whose).await?;
            }
            tokio::time::sleep(EVERY).await;
        }
        Err(refuse(
            "etcd is started again and again although its manifest is gone",
            &[
                "find out who starts it (the kubelet, another service manager) and stop that; then run the same command again",
            ],
        ))
    }
}

/// Restarts the kubelet, where it runs. Whether it starts nothing of what it had before: it has forgotten that, or is known to be down.
async fn restarted() -> Result<bool, Problem> {
    match systemctl::show(KUBELET).await {
        Ok(unit) if ["active", "activating", "reloading"].contains(&&*unit.active) => {
            tracing::warn!(
                "the kubelet holds on to a pod whose manifest is gone, as one does that has not reached its API server: restarting it"
            );
            systemctl::restart(KUBELET).await.map(|()| true)
        }
        Ok(unit) if !unit.file.is_empty() && procs::started(KUBELET).is_empty() => Ok(true),
        _ => Err(refuse(
            "the kubelet holds on to etcd's pod, whose manifest is gone: it would start it again",
            &["restart the kubelet, or the service that it is part of; then run the same command again"],
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelets_root_is_where_it_was_told() {
        let told = |line: &str| root_dir(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(told("kubelet --root-dir=/a --v=2"), Some("/a".into()));
        assert_eq!(told("kubelet -root-dir /b"), Some("/b".into()));
        assert_eq!(told("kubelet --config=/root-dir"), None);
    }

    #[test]
    fn a_pod_is_held_while_it_has_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        let pods = Pods { logs: of("logs"), pods: of("pods"), manifests: of("manifests") };
        assert!(!pods.has_a_folder());
        let uid = |c: &str| c.repeat(32);
        let logs = |pod: &str, uid: &str| std::fs::create_dir_all(pods.logs.join(format!("{pod}_{uid}"))).unwrap();
        let pod = |path: &str| std::fs::create_dir_all(pods.pods.join(path)).unwrap();
        // Others: another program, one that the API made, one with another container.
        logs("kube-system_kube-apiserver-cp-1", &uid("a"));
        pod(&uid("a"));
        logs("kube-system_etcd-backup-28", "0f8b6e0c-5d0b-4c0a-8a51-6d1f3f1c2b3a");
        pod("0f8b6e0c-5d0b-4c0a-8a51-6d1f3f1c2b3a");
        logs("kube-system_etcd-events-cp-1", &uid("b"));
        pod(&format!("{}/containers/etcd-manager", uid("b")));
        logs("kube-system_etcd-cp-1", &uid("c"));
        assert!(!pods.has_a_folder());
        // Before its image is there, and after.
        pod(&uid("c"));
        assert!(pods.has_a_folder());
        pod(&format!("{}/containers/etcd", uid("c")));
        assert!(pods.has_a_folder());
    }
}
