//! The defaults in force as text for people.

use std::path::Path;
use std::time::Duration;

use super::Defaults;
use crate::cli::cluster_args::absolute;
use crate::pipeline::Failure;
use crate::terms::LauncherKind;

impl Defaults {
    /// Every value with its key in a profile, as text for people.
    ///
    /// # Errors
    ///
    /// The user has no home folder, where one is needed.
    pub(in crate::cli) fn values(&self) -> Result<Vec<(&'static str, String)>, Failure> {
        let path = |path: &Path| path.display().to_string();
        let time = |time: Duration| humantime::format_duration(time).to_string();
        let certificate = |name: &str| path(&absolute(self.pki_dir.join(format!("{name}.crt"))));
        let (pki, t) = (&self.pki_layout, &self.timeouts);
        let kubelet = || format!("staticPodPath of {}", self.kubelet_config.display());
        Ok(vec![
            ("paths.pki", path(&self.pki_dir)),
            ("paths.data", path(&self.data_dir)),
            ("paths.state", path(&self.state_dir()?)),
            ("paths.cache", self.plugin_cache().map_or_else(|| "none".to_owned(), |p| path(&p))),
            ("paths.plugins", path(&self.plugin_store()?)),
            ("paths.manifests", self.manifests_dir.as_deref().map_or_else(kubelet, path)),
            ("paths.kubeconfig", path(&self.kubeconfig)),
            ("paths.etcd", path(&self.etcd)),
            ("ports.peer", self.peer_port.to_string()),
            ("ports.client", self.client_port.to_string()),
            ("ports.metrics", self.metrics_url.clone()),
            ("launcher.kind", self.launcher.name().to_owned()),
            ("launcher.image", self.node.image.clone().unwrap_or_else(|| "none".to_owned())),
            ("launcher.unitName", self.unit_name.clone()),
            ("launcher.unitDir", path(&self.unit_dir)),
            ("pki.ca", certificate(&pki.ca)),
            ("pki.peerCa", certificate(pki.peer_ca.as_ref().unwrap_or(&pki.ca))),
            ("pki.server", certificate(&pki.server)),
            ("pki.peer", certificate(&pki.peer)),
            ("pki.client", certificate(&pki.client)),
            ("pki.apiserver", pki.apiserver.as_deref().map_or_else(|| "none".to_owned(), certificate)),
            ("gate.maxLag", self.gate.max_lag.to_string()),
            ("gate.stability", time(self.gate.stability)),
            ("gate.interval", time(self.gate.interval)),
            ("timeouts.discover", time(t.discover)),
            ("timeouts.lock", time(t.lock)),
            ("timeouts.learnerSlot", time(t.learner_slot)),
            ("timeouts.add", time(t.add)),
            ("timeouts.start", time(if self.launcher == LauncherKind::External { self.start_elsewhere } else { t.start })),
            ("timeouts.stall", time(t.stall)),
            ("timeouts.approval", time(t.approval)),
            ("timeouts.promote", time(t.promote)),
            ("timeouts.verify", time(t.verify)),
            ("timeouts.announce", time(t.announce)),
            ("timeouts.undo", time(t.undo)),
            ("staleLearner", format!("{:?}", self.stale_learner)),
            ("silentLearner", format!("{:?}", self.silent_learner)),
            ("onApprovalTimeout", format!("{:?}", self.on_approval_timeout)),
            ("names.namespace", self.kubernetes.namespace.clone()),
            ("names.lease", self.kubernetes.lease.clone()),
            ("names.progress", self.kubernetes.progress.clone()),
            ("names.lock", self.lock_prefix.clone()),
        ])
    }
}
