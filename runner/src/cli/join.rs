//! `runner join`

use std::path::PathBuf;

use super::cluster_args::{ClusterArgs, Trust, pki_failure};
use super::defaults::Defaults;
use super::execution::execute_run;
use super::kubeadm_args::KubeadmArgs;
use super::kubernetes_args::Found;
use super::launcher_args::LauncherArgs;
use super::limit_args::{LimitArgs, Rules};
use super::member_args::{MemberArgs, Planned};
use super::plugin_args::{Chosen, PluginArgs};
use super::setup::{ChosenLauncher, Setup};
use super::state_dir::{MemberState, StateArgs};
use super::{Ended as CommandEnded, Frame, signals};
use crate::config::kubeadm::NodeKind;
use crate::config::policy::PolicyFile;
use crate::kubernetes::Settings;
use crate::launch::{Ended, ExternalConfig, ProcessLauncher};
use crate::pipeline::{Failure, JoinPlan, Operation, Outcome};
use crate::terms::LauncherKind;

/// Arguments of `runner join` and `runner check`: what is to be joined, how, and by whose leave.
#[derive(Debug, clap::Args)]
pub(super) struct JoinArgs {
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    #[command(flatten)]
    pub(super) kubeadm: KubeadmArgs,
    #[command(flatten)]
    pub(super) member: MemberArgs,
    #[command(flatten)]
    plugins: PluginArgs,
    #[command(flatten)]
    pub(super) state: StateArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    pub(super) launcher: LauncherArgs,
    /// Once the member is a verified voter, give this node the labels and the taint of a control-plane node, as kubeadm does
    #[arg(long, help_heading = "Kubernetes")]
    mark_control_plane: bool,
}

/// Arguments of `runner join`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    join: JoinArgs,
    /// Stay in the foreground as the member's parent after the join, and end with it; for a process supervisor
    #[arg(long, help_heading = "Member")]
    supervise: bool,
}

/// A join, checked as far as it can be without touching anything.
pub(super) struct Prepared {
    pub(super) plan: JoinPlan,
    pub(super) setup: Setup,
    pub(super) state: MemberState,
}

pub(super) async fn run(args: Args, frame: &Frame) -> CommandEnded {
    if args.supervise && args.join.launcher.kind(&frame.defaults) != LauncherKind::Process {
        return Err(super::bad_input("--supervise needs a member that runner starts as a process of its own")
            .hint("leave --launcher away: whoever else starts the member keeps it running"));
    }
    warn_insecure(&args.join, frame);
    let Prepared { plan, setup, state } = args.join.prepare(true, frame).await?;
    let journal = state.fresh_journal()?;
    let outcome = execute_run(Operation::Join, plan, &setup, journal, &state, frame).await?;
    if let (Outcome::Joined, true, ChosenLauncher::Process(config)) = (outcome, args.supervise, setup.launcher) {
        signals::hand_over();
        frame.printer.say("staying in the foreground until the member ends");
        let ended = ProcessLauncher::new(config).supervise().await.map_err(Failure::launch)?;
        frame.printer.say(match ended {
            Ended::Code(0) | Ended::Unknown => "the member has ended",
            Ended::Code(_) | Ended::Signal(_) => "the member has ended with an error or by a signal",
        });
    }
    Ok(outcome)
}

pub(super) fn warn_insecure(args: &JoinArgs, frame: &Frame) {
    if args.cluster.trust.insecure {
        frame
            .printer
            .print_warning("--insecure: no TLS; everybody on the network can read and write everything in this cluster");
    }
}

impl JoinArgs {
    /// Checks the arguments and files and makes this node's certificates where the CA's key is here (`issue`).
    pub(super) async fn prepare(&self, issue: bool, frame: &Frame) -> Result<Prepared, Failure> {
        let api = self.cluster.kubernetes.api(&frame.defaults)?;
        let defaults = &self.kubeadm.on_top_of(&frame.defaults, NodeKind::Join, api.as_ref(), frame).await?;
        let insecure = self.cluster.trust.insecure;
        let planned = self.member.planned(defaults, insecure)?;
        let kubernetes = self.cluster.kubernetes.settings(defaults, &planned.name, self.mark_control_plane)?;
        let external = self.launcher.external(defaults);
        let (chosen, rules) = self.ruled(defaults, external)?;
        let state = self.state.member(defaults, &planned.name)?;
        let pki = (!insecure).then(|| self.cluster.trust.pki(defaults));
        if let Some(pki) = pki.as_ref().filter(|_| issue && !external) {
            pki.issue_node(&planned.node_names()).map_err(|e| pki_failure(&e))?;
        } else if let Some(pki) = pki.as_ref().filter(|pki| pki.ca_cert().exists()) {
            // Whoever starts the member: what is here must fit before the cluster is changed.
            pki.check(&planned.node_names()).map_err(|e| pki_failure(&e))?;
        }
        let trust = self.cluster.trust.trust(defaults);
        // Files that cannot be used are said before anything else is tried.
        trust.cluster()?;
        let mut launcher = self.launcher.chosen(defaults, &self.member, &planned, pki.as_ref(), state.log_file())?;
        let Found { endpoints, notes, images } = self.cluster.found(kubernetes.as_ref()).await?;
        launcher.run_as_the_others(images);
        let setup = Setup { notes, ..setup(defaults, trust, launcher, chosen, kubernetes) };
        Ok(Prepared { plan: plan(planned, endpoints, rules), setup, state })
    }

    /// Checks the arguments and files that are about the cluster: nothing of a member is needed.
    pub(super) async fn prepare_for_worker(&self, defaults: &Defaults) -> Result<Prepared, Failure> {
        let name = self.member.name(defaults)?;
        let kubernetes = self.cluster.kubernetes.settings(defaults, &name, false)?;
        let (chosen, rules) = self.ruled(defaults, false)?;
        let trust = self.cluster.trust.trust(defaults);
        trust.cluster()?;
        let Found { endpoints, notes, .. } = self.cluster.found(kubernetes.as_ref()).await?;
        // Nobody starts anything.
        let launcher = ChosenLauncher::External(ExternalConfig::default());
        let setup = Setup { notes, ..setup(defaults, trust, launcher, chosen, kubernetes) };
        let state = self.state.member(defaults, &name)?;
        Ok(Prepared { plan: plan(Planned::nobody(name), endpoints, rules), setup, state })
    }

    /// The plugins and the policy, and the rules that come of them and of the command line.
    fn ruled(&self, defaults: &Defaults, external: bool) -> Result<(Chosen, Rules), Failure> {
        let mut chosen = self.plugins.chosen(defaults)?;
        self.limits.check_floors(defaults, chosen.policy.as_ref())?;
        let spec = chosen.policy.as_ref().map(|file| &file.policy.spec);
        let rules = self.limits.rules(defaults, spec, external, &mut chosen.overrides);
        Ok((chosen, rules))
    }
}

/// A run's outside world, without notes.
fn setup(
    defaults: &Defaults,
    trust: Trust,
    launcher: ChosenLauncher,
    chosen: Chosen,
    kubernetes: Option<Settings>,
) -> Setup {
    Setup {
        trust,
        launcher,
        plugins: chosen.plugins,
        plugin_cache: defaults.plugin_cache(),
        policy: policy_name(chosen.policy.as_ref()),
        overrides: chosen.overrides,
        kubeconfig: kubeconfig(kubernetes.as_ref(), defaults),
        kubernetes,
        notes: Vec::new(),
        profile: defaults.profile.as_ref().map(|profile| profile.title()),
        lock_prefix: Some(defaults.lock_prefix.clone()),
    }
}

/// The policy as it is called in reports.
fn policy_name(policy: Option<&PolicyFile>) -> Option<String> {
    policy.map(|file| format!("{} ({})", file.policy.metadata.name.0, file.path.display()))
}

/// The kubeconfig for plugins: the one that was chosen for the run itself, else the node's.
fn kubeconfig(kubernetes: Option<&Settings>, defaults: &Defaults) -> Option<PathBuf> {
    kubernetes.and_then(|settings| settings.kubeconfig.clone()).or_else(|| defaults.kubeconfig())
}

pub(super) fn plan(planned: Planned, endpoints: Vec<String>, rules: Rules) -> JoinPlan {
    let Rules { gate, timeouts, stale_learner, on_approval_timeout, silent_learner } = rules;
    JoinPlan {
        run: uuid::Uuid::now_v7().to_string(),
        name: planned.name,
        peer_urls: planned.peer_urls,
        client_urls: planned.client_urls,
        endpoints,
        gate,
        timeouts,
        stale_learner,
        silent_learner,
        on_approval_timeout,
    }
}
