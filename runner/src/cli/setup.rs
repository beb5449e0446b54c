//! What the command builds a run from: kept in the journal, so that `resume` and `rollback` need no arguments.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cluster_args::Trust;
use super::plugin_args::ChosenPlugin;
use crate::cluster::etcd::EtcdLock;
use crate::distribution::Distribution;
use crate::event::{Event, EventKind, EventSink};
use crate::launch::{
    ExternalConfig, ExternalLauncher, ProcessConfig, ProcessLauncher, StaticPodConfig, StaticPodLauncher, SystemdConfig,
    SystemdLauncher,
};
use crate::pipeline::{Failure, JoinPlan, Launcher, Mode, Parts, Policy};
use crate::plugins::{Plugins, Recorder};
use crate::report::Printer;
use crate::surroundings::{Live, Site};

/// A run's outside world, as paths and names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Setup {
    pub(super) trust: Trust,
    pub(super) launcher: ChosenLauncher,
    pub(super) plugins: Vec<ChosenPlugin>,
    /// Compiled plugins are kept here; none where there is no folder for it.
    pub(super) plugin_cache: Option<PathBuf>,
    /// The policy's name and file, for reports.
    #[serde(default)]
    pub(super) policy: Option<String>,
    /// What the command line said against the policy, for reports.
    #[serde(default)]
    pub(super) overrides: Vec<String>,
    /// The kubeconfig for plugins that may read Kubernetes objects; none for what `KUBECONFIG` names.
    #[serde(default)]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The profile's name and file, for reports.
    #[serde(default)]
    pub(super) profile: Option<String>,
    /// What the lock's keys begin with; none for the usual.
    #[serde(default)]
    pub(super) lock_prefix: Option<String>,
}

/// Who starts the member.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(super) enum ChosenLauncher {
    /// This command, as a process of its own.
    Process(ProcessConfig),
    /// The kubelet.
    StaticPod(StaticPodConfig),
    /// systemd.
    Systemd(SystemdConfig),
    /// Somebody else, who is told the flags.
    External(ExternalConfig),
}

impl Setup {
    /// Builds everything. Starts loading the plugins; connects to nothing yet.
    pub(super) fn parts(
        &self,
        plan: &JoinPlan,
        program: &Distribution,
        sink: Arc<dyn EventSink>,
        recorder: Option<Arc<dyn Recorder>>,
        announce: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Parts, Failure> {
        let cluster = self.trust.cluster()?;
        let lock = EtcdLock::new(Arc::clone(&cluster), plan.run.clone(), plan.name.clone());
        let lock = match &self.lock_prefix {
            Some(prefix) => lock.with_prefix(prefix.clone()),
            None => lock,
        };
        let plugins = self.plugins.iter().map(|plugin| plugin.config(program)).collect::<Result<_, _>>()?;
        let mut site = Site::new(Arc::clone(&cluster), plan.endpoints.clone(), self.trust.tls());
        site.kubeconfig = self.kubeconfig.clone();
        let (cache, live) = (self.plugin_cache.clone(), Arc::new(Live::new(site)));
        let all = Plugins::load_recorded(plugins, cache, live, Arc::clone(&sink), recorder);
        // Without a plugin whose word counts, nobody is asked: the built-in checks and the gate decide.
        let monitors = all.only(Mode::Monitor).map(|monitors| Arc::new(monitors) as Arc<dyn Policy>);
        let policy = Arc::new(all.only(Mode::Enforce).unwrap_or_else(|| all.nobody()));
        self.tell_policy(&*sink);
        let launcher = self.launcher.build(announce);
        Ok(Parts { cluster, launcher, lock: Arc::new(lock), policy, monitors, sink })
    }

    /// Without the plugins that were built into another program: an undo must not depend on them, they would only be told of it.
    pub(super) fn without_absent(mut self, program: &Distribution, printer: Printer) -> Self {
        self.plugins.retain(|plugin| match plugin.config(program) {
            Ok(_) => true,
            Err(failure) => {
                printer.print_warning(&format!("{}; it is not told of the undo", failure.message));
                false
            }
        });
        self
    }

    /// Tells which policy the run goes by, and where it does not.
    fn tell_policy(&self, sink: &dyn EventSink) {
        let finding = |severity, code: &str, message: String, remedy: Option<&str>| {
            sink.emit(Event::now(EventKind::Finding {
                source: "runner".to_owned(),
                severity,
                code: code.to_owned(),
                message,
                remedy: remedy.map(str::to_owned),
                member: None,
                waived: None,
                monitored: false,
            }));
        };
        if let Some(profile) = &self.profile {
            finding("info", "profile", format!("by the profile {profile}"), None);
        }
        if let Some(policy) = &self.policy {
            finding("info", "policy", format!("judged by the policy {policy}"), None);
        }
        for text in &self.overrides {
            finding("warning", "policy-overridden", text.clone(), Some("where that is to last, say so in the policy"));
        }
    }
}

impl ChosenLauncher {
    /// Builds it. Looks at nothing yet.
    pub(super) fn build(&self, announce: impl Fn(String) + Send + Sync + 'static) -> Arc<dyn Launcher> {
        match self {
            Self::Process(config) => {
                let launcher = Arc::new(ProcessLauncher::new(config.clone()));
                launcher.ask_version_early();
                launcher
            }
            Self::StaticPod(config) => Arc::new(StaticPodLauncher::new(config.clone())),
            Self::Systemd(config) => Arc::new(SystemdLauncher::new(config.clone())),
            Self::External(config) => Arc::new(ExternalLauncher::new(config.clone(), Box::new(announce))),
        }
    }
}
