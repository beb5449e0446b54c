//! What holds where the command line says nothing: every default of `join`, `init`, `check` and the rest, in one place.
//!
//! Arguments are options; whoever uses one asks here for the rest. Layers are put on top of each other from the weakest to the
//! strongest: built in, then a profile, then a kubeadm document; a policy and the command line come last, where they are used.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::bad_input;
use super::kubeadm_args::FromKubeadm;
use crate::cluster::etcd::LOCK_PREFIX;
use crate::config::profile::ProfileFile;
use crate::distribution::Distribution;
use crate::kubernetes::{Names, client};
use crate::launch::{KUBELET_CONFIG, UNIT_DIR};
use crate::pipeline::{Failure, Gate, OnApprovalTimeout, SilentLearner, StaleLearner, Timeouts};
use crate::pki::Layout;
use crate::terms::LauncherKind;

mod profile;
mod values;

/// The defaults in force.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Defaults {
    /// The folder with the certificates.
    pub(super) pki_dir: PathBuf,
    /// The member's data directory.
    pub(super) data_dir: PathBuf,
    /// The etcd program: a path, or a name without a slash that is looked up on the PATH.
    pub(super) etcd: PathBuf,
    /// The member's peer port.
    pub(super) peer_port: u16,
    /// The member's client port.
    pub(super) client_port: u16,
    /// Where the member shows its metrics.
    pub(super) metrics_url: String,
    /// Who starts the member.
    pub(super) launcher: LauncherKind,
    /// Where the kubelet looks for static pods; none for what its configuration says.
    pub(super) manifests_dir: Option<PathBuf>,
    /// The kubelet's configuration.
    pub(super) kubelet_config: PathBuf,
    /// The systemd unit, without `.service`.
    pub(super) unit_name: String,
    /// Where the systemd unit is written.
    pub(super) unit_dir: PathBuf,
    /// What the lock's keys in etcd begin with.
    pub(super) lock_prefix: String,
    /// What runner's objects in Kubernetes are called.
    pub(super) kubernetes: Names,
    /// What the files below the pki folder are called.
    pub(super) pki_layout: Layout,
    /// Where runs keep their journal; none for what goes with the user.
    pub(super) state_dir: Option<PathBuf>,
    /// Where accepted plugins are kept; none for what goes with the user.
    pub(super) plugin_store: Option<PathBuf>,
    /// The folder in which compiled plugins are kept; none for what goes with the user.
    pub(super) cache_dir: Option<PathBuf>,
    /// The kubeconfig that is used where this file is there and `KUBECONFIG` names no other.
    pub(super) kubeconfig: PathBuf,
    /// When the built-in gate opens.
    pub(super) gate: Gate,
    /// How patient the run is.
    pub(super) timeouts: Timeouts,
    /// [`Timeouts::start`], where somebody else starts the member.
    pub(super) start_elsewhere: Duration,
    /// What to do about somebody else's learner.
    pub(super) stale_learner: StaleLearner,
    /// What to do about our own learner that has all the data and does not serve.
    pub(super) silent_learner: SilentLearner,
    /// What becomes of a learner that is not approved in time.
    pub(super) on_approval_timeout: OnApprovalTimeout,
    /// What a kubeadm document says of this node.
    pub(super) node: FromKubeadm,
    /// The program, and what is built into it.
    pub(super) distribution: Distribution,
    /// The profile in force, which is in the values above already.
    pub(super) profile: Option<Arc<ProfileFile>>,
}

impl Defaults {
    /// Those that are built in: a node as kubeadm lays it out, with etcd as a process.
    pub(super) fn built_in() -> Self {
        Self {
            pki_dir: PathBuf::from("/etc/kubernetes/pki"),
            data_dir: PathBuf::from("/var/lib/etcd"),
            etcd: PathBuf::from("etcd"),
            peer_port: 2380,
            client_port: 2379,
            metrics_url: "http://127.0.0.1:2381".to_owned(),
            launcher: LauncherKind::Process,
            manifests_dir: None,
            kubelet_config: PathBuf::from(KUBELET_CONFIG),
            unit_name: "etcd".to_owned(),
            unit_dir: PathBuf::from(UNIT_DIR),
            lock_prefix: LOCK_PREFIX.to_owned(),
            kubernetes: Names::default(),
            pki_layout: Layout::kubeadm(),
            state_dir: None,
            plugin_store: None,
            cache_dir: None,
            kubeconfig: PathBuf::from(client::ADMIN),
            gate: Gate::default(),
            timeouts: Timeouts::default(),
            start_elsewhere: Duration::from_secs(30 * 60),
            stale_learner: StaleLearner::Wait,
            silent_learner: SilentLearner::Restart,
            on_approval_timeout: OnApprovalTimeout::Undo,
            node: FromKubeadm::default(),
            distribution: Distribution::runner(),
            profile: None,
        }
    }

    /// The state folder.
    ///
    /// # Errors
    ///
    /// Nothing names one, and the user has no home folder.
    pub(super) fn state_dir(&self) -> Result<PathBuf, Failure> {
        let of_user = || Some(of_user("/var/lib", "XDG_STATE_HOME", ".local/state")?.join("runner"));
        self.state_dir
            .clone()
            .or_else(of_user)
            .ok_or_else(|| bad_input("there is no home folder to keep state in").hint("give --state-dir"))
    }

    /// The plugin store's folder.
    ///
    /// # Errors
    ///
    /// Nothing names one, and the user has no home folder.
    pub(super) fn plugin_store(&self) -> Result<PathBuf, Failure> {
        let of_user = || Some(of_user("/var/lib", "XDG_DATA_HOME", ".local/share")?.join("runner/plugins"));
        self.plugin_store
            .clone()
            .or_else(of_user)
            .ok_or_else(|| bad_input("there is no home folder to keep plugins in").hint("give --store"))
    }

    /// Where compiled plugins are kept: in `RUNNER_CACHE_DIR`, or with other caches of the user; none where there is no folder
    /// for it.
    pub(super) fn plugin_cache(&self) -> Option<PathBuf> {
        let named = std::env::var_os("RUNNER_CACHE_DIR").map(PathBuf::from).filter(|p| p.is_absolute());
        let of_user = || Some(of_user("/var/cache", "XDG_CACHE_HOME", ".cache")?.join("runner"));
        Some(named.or_else(|| self.cache_dir.clone()).or_else(of_user)?.join("plugins"))
    }

    /// The kubeconfig of a control-plane node, where there is one and `KUBECONFIG` names no other; for plugins that may read
    /// Kubernetes objects.
    pub(super) fn kubeconfig(&self) -> Option<PathBuf> {
        (std::env::var_os("KUBECONFIG").is_none() && self.kubeconfig.exists()).then(|| self.kubeconfig.clone())
    }

    /// The etcd program.
    ///
    /// # Errors
    ///
    /// It is a name, and there is no such program on the PATH.
    pub(super) fn etcd(&self) -> Result<PathBuf, Failure> {
        if self.etcd.components().count() > 1 {
            return Ok(self.etcd.clone());
        }
        on_path(&self.etcd).ok_or_else(|| {
            bad_input(format!("there is no {} on the PATH", self.etcd.display()))
                .hint("give it with --etcd, or let somebody else start it: --launcher external")
        })
    }
}

/// A folder of the system for root, and of the user otherwise: the one that the variable names, or this one at home.
fn of_user(roots: &str, variable: &str, at_home: &str) -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from(roots));
    }
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(at_home));
    std::env::var_os(variable).map(PathBuf::from).filter(|p| p.is_absolute()).or_else(home)
}

/// The first file of this name on the PATH.
fn on_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| Path::is_file(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_is_looked_up_and_a_path_is_taken() {
        let with = |etcd: &str| Defaults { etcd: PathBuf::from(etcd), ..Defaults::built_in() }.etcd();
        assert_eq!(with("/opt/bin/etcd").unwrap(), PathBuf::from("/opt/bin/etcd"));
        assert!(with("sh").unwrap().is_absolute());
        insta::assert_snapshot!(with("no-such-program").unwrap_err().message, @"there is no no-such-program on the PATH");
    }

    #[test]
    fn a_folder_that_is_named_is_taken_as_it_is() {
        let named = Defaults { state_dir: Some("/s".into()), plugin_store: Some("/p".into()), ..Defaults::built_in() };
        assert_eq!(named.state_dir().unwrap(), PathBuf::from("/s"));
        assert_eq!(named.plugin_store().unwrap(), PathBuf::from("/p"));
        if rustix::process::geteuid().is_root() {
            assert_eq!(Defaults::built_in().state_dir().unwrap(), PathBuf::from("/var/lib/runner"));
            assert_eq!(Defaults::built_in().plugin_store().unwrap(), PathBuf::from("/var/lib/runner/plugins"));
        }
    }
}
