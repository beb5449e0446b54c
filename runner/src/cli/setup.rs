//! What the command builds a run from: kept in the journal, so that `resume` and `rollback` need no arguments.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::certificates;
use super::cluster_args::Trust;
use super::plugin_args::ChosenPlugin;
use crate::cluster::etcd::EtcdLock;
use crate::distribution::Distribution;
use crate::event::{Event, EventKind, EventSink};
use crate::kubernetes::{Settings, Side};
use crate::launch::{
    ExternalConfig, ExternalLauncher, MemberTls, ProcessConfig, ProcessLauncher, StaticPodConfig, StaticPodLauncher,
    SystemdConfig, SystemdLauncher,
};
use crate::pipeline::{Failure, Finding, JoinLock, JoinPlan, Launcher, Mode, Parts, Policy, Severity};
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
    /// What the run needs to know of Kubernetes; none where the API is not used.
    #[serde(default)]
    pub(super) kubernetes: Option<Settings>,
    /// What was found while the run was prepared; of no interest to one that goes on.
    #[serde(skip)]
    pub(super) notes: Vec<Finding>,
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
    /// Of a member that was started without a join: nobody is asked, and Kubernetes plays no part.
    pub(super) fn of(trust: Trust, launcher: ChosenLauncher) -> Self {
        Self {
            trust,
            launcher,
            plugins: Vec::new(),
            plugin_cache: None,
            policy: None,
            overrides: Vec::new(),
            kubeconfig: None,
            profile: None,
            lock_prefix: None,
            kubernetes: None,
            notes: Vec::new(),
        }
    }

    /// Kubernetes' side of this run, where the API is used. Asks nothing yet.
    pub(super) fn side(&self, plan: &JoinPlan, resumed: bool, sink: Arc<dyn EventSink>) -> Option<Side> {
        self.kubernetes.clone().map(|settings| Side::new(settings, &plan.run, resumed, sink))
    }

    /// Builds everything. Starts loading the plugins; connects to nothing yet.
    pub(super) fn parts(
        &self,
        plan: &JoinPlan,
        program: &Distribution,
        sink: Arc<dyn EventSink>,
        recorder: Option<Arc<dyn Recorder>>,
        side: Option<&Side>,
        announce: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Parts, Failure> {
        let cluster = self.trust.cluster()?;
        let lock = EtcdLock::new(Arc::clone(&cluster), plan.run.clone(), plan.name.clone());
        let lock: Arc<dyn JoinLock> = Arc::new(match &self.lock_prefix {
            Some(prefix) => lock.with_prefix(prefix.clone()),
            None => lock,
        });
        let lock = match side {
            Some(side) => side.locks(lock),
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
        let certificates = certificates::findings(&self.trust, self.launcher.tls(), &plan.name);
        self.notes.iter().chain(&certificates).for_each(|finding| tell(&*sink, finding));
        let launcher = self.launcher.build(announce);
        let platform = side.map(Side::platform);
        Ok(Parts { cluster, launcher, lock, policy, monitors, platform, sink })
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
            let (code, remedy) = (code.to_owned(), remedy.map(str::to_owned));
            tell(sink, &Finding { severity, code, message, remedy, member: None });
        };
        if let Some(profile) = &self.profile {
            finding(Severity::Info, "profile", format!("by the profile {profile}"), None);
        }
        if let Some(policy) = &self.policy {
            finding(Severity::Info, "policy", format!("judged by the policy {policy}"), None);
        }
        for text in &self.overrides {
            let remedy = Some("where that is to last, say so in the policy");
            finding(Severity::Warning, "policy-overridden", text.clone(), remedy);
        }
    }
}

fn tell(sink: &dyn EventSink, finding: &Finding) {
    let Finding { severity, code, message, remedy, member } = finding.clone();
    sink.emit(Event::now(EventKind::Finding {
        source: "runner".to_owned(),
        severity,
        code,
        message,
        remedy,
        member,
        waived: None,
        monitored: false,
    }));
}

impl ChosenLauncher {
    /// The certificates that the member will use, where they are known here.
    fn tls(&self) -> Option<&MemberTls> {
        match self {
            Self::Process(config) => config.member.tls.as_ref(),
            Self::StaticPod(config) => config.member.tls.as_ref(),
            Self::Systemd(config) => config.member.tls.as_ref(),
            Self::External(config) => config.tls.as_ref(),
        }
    }

    /// Where nobody said which image a static pod is to run, and all others run the same one: that.
    pub(super) fn run_as_the_others(&mut self, images: Vec<String>) {
        if let (Self::StaticPod(config), [image]) = (self, images.as_slice())
            && config.image.is_empty()
        {
            config.image.clone_from(image);
        }
    }

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
