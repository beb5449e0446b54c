//! What a profile makes of the defaults.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Defaults;
use crate::config::policy;
use crate::config::profile::{AbsolutePath, Floors, PkiName, PkiNames, ProfileFile, Program};
use crate::pipeline::{Gate, Timeouts};
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
        self.launcher = launcher.kind.unwrap_or(self.launcher);
        self.node.image = launcher.image.clone().or(self.node.image);
        self.unit_name = launcher.unit_name.as_ref().map_or(self.unit_name, |name| name.0.clone());
        let mut kubernetes = self.kubernetes;
        for (name, to) in [
            (&names.namespace, &mut kubernetes.namespace),
            (&names.lease, &mut kubernetes.lease),
            (&names.progress, &mut kubernetes.progress),
        ] {
            if let Some(name) = name {
                to.clone_from(&name.0);
            }
        }
        self.kubernetes = kubernetes;
        self.lock_prefix = names.lock.as_ref().map_or(self.lock_prefix, |prefix| prefix.0.clone());
        self.pki_layout = layout(self.pki_layout, &profile.pki);
        self.gate = gate(self.gate, &profile.gate, &profile.floors);
        self.timeouts = timeouts(self.timeouts, &profile.timeouts);
        self.start_elsewhere = profile.timeouts.start.map_or(self.start_elsewhere, |span| span.0);
        self.stale_learner = profile.stale_learner.map_or(self.stale_learner, |given| given.0);
        self.silent_learner = profile.silent_learner.map_or(self.silent_learner, |given| given.0);
        self.on_approval_timeout = profile.on_approval_timeout.map_or(self.on_approval_timeout, |given| given.0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::LauncherKind;

    fn on_top(name: &str, text: &str) -> Defaults {
        let file = ProfileFile::of_bytes(Path::new(name), text.as_bytes()).unwrap_or_else(|mistake| panic!("{mistake}"));
        Defaults::built_in().with_profile(Arc::new(file))
    }

    #[test]
    fn kubeadms_profile_is_what_is_built_in() {
        let kubeadm = on_top("kubeadm.toml", include_str!("../../../profiles/kubeadm.toml"));
        assert_eq!(Defaults { profile: None, ..kubeadm }, Defaults::built_in());
    }

    #[test]
    fn every_shipped_profile_can_be_used() {
        let k3s = on_top("k3s.toml", include_str!("../../../profiles/k3s.toml"));
        assert_eq!(k3s.launcher, LauncherKind::External);
        assert_eq!((k3s.pki_layout.peer_ca.as_deref(), k3s.pki_layout.apiserver), (Some("etcd/peer-ca"), None));
        let rke2 = on_top("rke2.toml", include_str!("../../../profiles/rke2.toml"));
        assert_eq!(rke2.launcher, LauncherKind::StaticPod);
        assert_eq!(rke2.manifests_dir, Some(PathBuf::from("/var/lib/rancher/rke2/agent/pod-manifests")));
        let vm = on_top("vm.toml", include_str!("../../../profiles/vm.toml"));
        assert_eq!((vm.launcher, vm.pki_layout.ca.as_str()), (LauncherKind::Systemd, "ca"));
    }

    const HEAD: &str = "apiVersion = \"runner.dev/v1alpha1\"\nname = \"acme\"\n";

    #[test]
    fn a_root_is_before_every_path_the_built_in_ones_too() {
        let below =
            on_top("p", &format!("{HEAD}root = \"/mnt/node\"\n[paths]\ndata = \"/srv/etcd\"\netcd = \"/bin/etcd\"\n"));
        let path = |text: &str| PathBuf::from(text);
        assert_eq!(
            (below.data_dir.clone(), below.pki_dir.clone()),
            (path("/mnt/node/srv/etcd"), path("/mnt/node/etc/kubernetes/pki"))
        );
        assert_eq!(
            (below.etcd.clone(), below.unit_dir.clone()),
            (path("/mnt/node/bin/etcd"), path("/mnt/node/etc/systemd/system"))
        );
        assert_eq!(below.state_dir().unwrap(), path("/mnt/node/var/lib/runner"));
        // A name is looked up on this machine's PATH.
        assert_eq!(on_top("p", &format!("{HEAD}root = \"/mnt/node\"\n")).etcd, path("etcd"));
    }

    #[test]
    fn a_floor_moves_a_default_that_is_looser() {
        let strict = on_top("p", &format!("{HEAD}[floors]\nmaxLag = 10\nstability = \"2s\"\n")).gate;
        assert_eq!((strict.max_lag, strict.stability), (10, Duration::from_secs(2)));
        let loose = on_top("p", &format!("{HEAD}[floors]\nmaxLag = 100\nstability = \"1ms\"\n")).gate;
        assert_eq!(loose, Gate::default());
    }
}
