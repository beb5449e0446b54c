//! What a profile makes of the defaults.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Defaults;
use crate::cli::launcher_args::LauncherKind;
use crate::config::policy;
use crate::config::profile::{self, AbsolutePath, Floors, PkiName, PkiNames, ProfileFile, Program};
use crate::pipeline::{Gate, OnApprovalTimeout, StaleLearner, Timeouts};
use crate::pki::Layout;

impl Defaults {
    /// With a profile on top.
    pub(in crate::cli) fn with_profile(mut self, file: Arc<ProfileFile>) -> Self {
        let profile = &file.profile;
        let (paths, ports, launcher, names) = (&profile.paths, &profile.ports, &profile.launcher, &profile.names);
        let set = |place: &mut PathBuf, path: &Option<AbsolutePath>| path.iter().for_each(|path| place.clone_from(&path.0));
        let set_some = |place: &mut Option<PathBuf>, path: &Option<AbsolutePath>| {
            path.iter().for_each(|path| *place = Some(path.0.clone()));
        };
        set(&mut self.pki_dir, &paths.pki);
        set(&mut self.data_dir, &paths.data);
        set(&mut self.kubeconfig, &paths.kubeconfig);
        set(&mut self.unit_dir, &launcher.unit_dir);
        set_some(&mut self.state_dir, &paths.state);
        set_some(&mut self.cache_dir, &paths.cache);
        set_some(&mut self.plugin_store, &paths.plugins);
        set_some(&mut self.manifests_dir, &paths.manifests);
        if let Some(Program(etcd)) = &paths.etcd {
            self.etcd.clone_from(etcd);
        }
        self.peer_port = ports.peer.unwrap_or(self.peer_port);
        self.client_port = ports.client.unwrap_or(self.client_port);
        if let Some(port) = ports.metrics {
            self.metrics_url = format!("http://127.0.0.1:{port}");
        }
        self.launcher = launcher.kind.map_or(self.launcher, |kind| match kind {
            profile::LauncherKind::Process => LauncherKind::Process,
            profile::LauncherKind::External => LauncherKind::External,
            profile::LauncherKind::StaticPod => LauncherKind::StaticPod,
            profile::LauncherKind::Systemd => LauncherKind::Systemd,
        });
        self.image = launcher.image.clone().unwrap_or(self.image);
        self.unit_name = launcher.unit_name.as_ref().map_or(self.unit_name, |name| name.0.clone());
        self.lock_prefix = names.lock.as_ref().map_or(self.lock_prefix, |prefix| prefix.0.clone());
        self.pki_layout = layout(self.pki_layout, &profile.pki);
        self.gate = gate(self.gate, &profile.gate, &profile.floors);
        self.timeouts = timeouts(self.timeouts, &profile.timeouts);
        self.start_elsewhere = profile.timeouts.start.map_or(self.start_elsewhere, |span| span.0);
        self.stale_learner = profile.stale_learner.map_or(self.stale_learner, |given| match given {
            policy::StaleLearner::Wait => StaleLearner::Wait,
            policy::StaleLearner::Fail => StaleLearner::Fail,
        });
        self.on_approval_timeout = profile.on_approval_timeout.map_or(self.on_approval_timeout, |given| match given {
            policy::OnApprovalTimeout::Undo => OnApprovalTimeout::Undo,
            policy::OnApprovalTimeout::Leave => OnApprovalTimeout::Leave,
        });
        if let Some(AbsolutePath(root)) = &profile.root {
            self.move_below(root);
        }
        Self { profile: Some(file), ..self }
    }

    /// Puts every path below this folder. What goes with the user otherwise is root's then.
    fn move_below(&mut self, root: &Path) {
        let below = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        for path in
            [&mut self.pki_dir, &mut self.data_dir, &mut self.kubeconfig, &mut self.kubelet_config, &mut self.unit_dir]
        {
            *path = below(path);
        }
        if self.etcd.is_absolute() {
            self.etcd = below(&self.etcd);
        }
        self.manifests_dir = self.manifests_dir.as_deref().map(below);
        for (path, usual) in [
            (&mut self.state_dir, "/var/lib/runner"),
            (&mut self.plugin_store, "/var/lib/runner/plugins"),
            (&mut self.cache_dir, "/var/cache/runner"),
        ] {
            *path = Some(below(path.as_deref().unwrap_or(Path::new(usual))));
        }
    }
}

/// The certificates' names, as far as the profile says others.
fn layout(usual: Layout, given: &PkiNames) -> Layout {
    let name = |given: &Option<PkiName>, usual: String| given.as_ref().map_or(usual, |name| name.0.clone());
    let ca = name(&given.ca, usual.ca);
    Layout {
        peer_ca: given.peer_ca.as_ref().map(|name| name.0.clone()).filter(|peer| *peer != ca && !peer.is_empty()),
        ca,
        server: name(&given.server, usual.server),
        peer: name(&given.peer, usual.peer),
        client: name(&given.client, usual.client),
        apiserver: Some(name(&given.apiserver, usual.apiserver.unwrap_or_default())).filter(|name| !name.is_empty()),
    }
}

/// The gate's numbers, as far as the profile says others; what it does not say is no looser than its floors.
fn gate(usual: Gate, given: &policy::Gate, floors: &Floors) -> Gate {
    Gate {
        max_lag: given.max_lag.unwrap_or(usual.max_lag.min(floors.max_lag.unwrap_or(u64::MAX))),
        stability: given.stability.map_or(usual.stability.max(floors.stability.map_or(Duration::ZERO, |s| s.0)), |s| s.0),
        interval: given.interval.map_or(usual.interval, |s| s.0),
    }
}

fn timeouts(usual: Timeouts, given: &policy::Timeouts) -> Timeouts {
    let or = |given: Option<policy::Span>, usual: Duration| given.map_or(usual, |span| span.0);
    Timeouts {
        discover: or(given.discover, usual.discover),
        lock: or(given.lock, usual.lock),
        learner_slot: or(given.learner_slot, usual.learner_slot),
        add: or(given.add, usual.add),
        start: or(given.start, usual.start),
        stall: or(given.stall, usual.stall),
        approval: or(given.approval, usual.approval),
        promote: or(given.promote, usual.promote),
        verify: or(given.verify, usual.verify),
        announce: or(given.announce, usual.announce),
        undo: or(given.undo, usual.undo),
    }
}
