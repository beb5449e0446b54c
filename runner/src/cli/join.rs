//! `runner join`

use super::cluster_args::{ClusterArgs, pki_failure};
use super::execution::execute_run;
use super::kubernetes_args::Found;
use super::limit_args::{LimitArgs, Rules};
use super::member_args::{MemberArgs, Planned};
use super::plugin_args::{Chosen, PluginArgs};
use super::setup::{ChosenLauncher, Setup, plugin_cache};
use super::state_dir::{MemberState, StateArgs};
use super::{Ended as CommandEnded, Frame};
use crate::launch::{Ended, ExternalConfig, ProcessLauncher};
use crate::pipeline::{Failure, JoinPlan, Operation, Outcome};

/// Arguments of `runner join` and `runner check`: what is to be joined, how, and by whose leave.
#[derive(Debug, clap::Args)]
pub(super) struct JoinArgs {
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    #[command(flatten)]
    pub(super) member: MemberArgs,
    #[command(flatten)]
    plugins: PluginArgs,
    #[command(flatten)]
    pub(super) state: StateArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Who starts the member's etcd
    #[arg(long, value_enum, default_value_t, help_heading = "Member")]
    launcher: LauncherKind,
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

/// Who starts the member's etcd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum LauncherKind {
    /// runner, as a process of its own that outlives it
    #[default]
    Process,
    /// Somebody else: runner prints the exact flags and waits for the member to appear
    External,
}

/// A join, checked as far as it can be without touching anything.
pub(super) struct Prepared {
    pub(super) plan: JoinPlan,
    pub(super) setup: Setup,
    pub(super) state: MemberState,
}

pub(super) async fn run(args: Args, frame: &Frame) -> CommandEnded {
    if args.supervise && args.join.launcher == LauncherKind::External {
        return Err(
            super::bad_input("--supervise needs a member that runner starts itself").hint("leave --launcher external away")
        );
    }
    warn_insecure(&args.join, frame);
    let Prepared { plan, setup, state } = args.join.prepare(true).await?;
    let journal = state.fresh_journal()?;
    let outcome = execute_run(Operation::Join, plan, &setup, journal, &state, frame).await?;
    if let (Outcome::Joined, true, ChosenLauncher::Process(config)) = (outcome, args.supervise, setup.launcher) {
        frame.printer.say("staying in the foreground until the member ends");
        let ended = ProcessLauncher::new(config).supervise().await?;
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
    pub(super) async fn prepare(&self, issue: bool) -> Result<Prepared, Failure> {
        let insecure = self.cluster.trust.insecure;
        let planned = self.member.planned(insecure)?;
        let kubernetes = self.cluster.kubernetes.settings(&planned.name, self.mark_control_plane)?;
        let Chosen { plugins, policy, mut overrides } = self.plugins.chosen()?;
        let spec = policy.as_ref().map(|file| &file.policy.spec);
        let rules = self.limits.rules(spec, self.launcher == LauncherKind::External, &mut overrides);
        let state = self.state.member(&planned.name)?;
        let pki = (!insecure).then(|| self.cluster.trust.pki());
        if let Some(pki) = pki.as_ref().filter(|_| issue && self.launcher == LauncherKind::Process) {
            pki.issue_node(&planned.node_names()).map_err(|e| pki_failure(&e))?;
        } else if let Some(pki) = pki.as_ref().filter(|pki| pki.ca_cert().exists()) {
            // Whoever starts the member: what is here must fit before the cluster is changed.
            pki.check(&planned.node_names()).map_err(|e| pki_failure(&e))?;
        }
        let trust = self.cluster.trust.trust();
        // Files that cannot be used are said before anything else is tried.
        trust.cluster()?;
        let Found { endpoints, notes } = self.cluster.found(kubernetes.as_ref()).await?;
        let launcher = match self.launcher {
            LauncherKind::Process => {
                ChosenLauncher::Process(self.member.process(&planned, pki.as_ref(), state.log_file())?)
            }
            LauncherKind::External => ChosenLauncher::External(self.member.external(pki.as_ref())?),
        };
        let policy = policy.map(|file| format!("{} ({})", file.policy.metadata.name.0, file.path.display()));
        let setup =
            Setup { trust, launcher, plugins, plugin_cache: plugin_cache(), policy, overrides, kubernetes, notes };
        Ok(Prepared { plan: plan(planned, endpoints, rules), setup, state })
    }

    /// Checks the arguments and files that are about the cluster: nothing of a member is needed.
    pub(super) async fn prepare_for_worker(&self) -> Result<Prepared, Failure> {
        let name = self.member.name()?;
        let kubernetes = self.cluster.kubernetes.settings(&name, false)?;
        let Chosen { plugins, policy, mut overrides } = self.plugins.chosen()?;
        let spec = policy.as_ref().map(|file| &file.policy.spec);
        let rules = self.limits.rules(spec, false, &mut overrides);
        let trust = self.cluster.trust.trust();
        trust.cluster()?;
        let Found { endpoints, notes } = self.cluster.found(kubernetes.as_ref()).await?;
        let state = self.state.member(&name)?;
        let policy = policy.map(|file| format!("{} ({})", file.policy.metadata.name.0, file.path.display()));
        // Nobody starts anything.
        let launcher = ChosenLauncher::External(ExternalConfig::default());
        let setup =
            Setup { trust, launcher, plugins, plugin_cache: plugin_cache(), policy, overrides, kubernetes, notes };
        let planned = Planned { name, peer_urls: Vec::new(), client_urls: Vec::new() };
        Ok(Prepared { plan: plan(planned, endpoints, rules), setup, state })
    }
}

fn plan(planned: Planned, endpoints: Vec<String>, rules: Rules) -> JoinPlan {
    let Rules { gate, timeouts, stale_learner, on_approval_timeout } = rules;
    JoinPlan {
        run: uuid::Uuid::now_v7().to_string(),
        name: planned.name,
        peer_urls: planned.peer_urls,
        client_urls: planned.client_urls,
        endpoints,
        gate,
        timeouts,
        stale_learner,
        on_approval_timeout,
    }
}
