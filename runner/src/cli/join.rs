//! `runner join`

use std::time::Duration;

use super::cluster_args::{ClusterArgs, pki_failure};
use super::execution::execute_run;
use super::member_args::{MemberArgs, Planned};
use super::plugin_args::PluginArgs;
use super::setup::{ChosenLauncher, Setup, plugin_cache};
use super::state_dir::{MemberState, StateArgs};
use super::{Ended as CommandEnded, Frame};
use crate::launch::{Ended, ProcessLauncher};
use crate::pipeline::{Failure, Gate, JoinPlan, Operation, Outcome, StaleLearner, Timeouts};

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

/// How patient the run is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// The most raft entries that the learner may be behind to be promoted
    #[arg(long, value_name = "ENTRIES", default_value_t = Gate::default().max_lag)]
    max_lag: u64,
    /// How long it must have stayed that near, without a change of leader
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "500ms")]
    stability: Duration,
    /// Time to wait in the queue of joiners
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30m")]
    lock_timeout: Duration,
    /// What to do about somebody else's learner
    #[arg(long, value_enum, default_value = "wait")]
    stale_learner: StaleLearnerArg,
    /// Time to wait for somebody else's learner to become a voter or go
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5m")]
    learner_timeout: Duration,
    /// Time for the started member to show up in the member list [default: 2m, or 30m where somebody else starts it]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    start_timeout: Option<Duration>,
    /// Time without any progress after which the learner is given up
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1m")]
    stall_timeout: Duration,
    /// Time for the promotion plugins to approve, once the learner has caught up
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10m")]
    approval_timeout: Duration,
}

/// See [`StaleLearner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum StaleLearnerArg {
    /// Wait for it, up to --learner-timeout
    Wait,
    /// Refuse at once
    Fail,
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
    let Prepared { plan, setup, state } = args.join.prepare(true)?;
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
    pub(super) fn prepare(&self, issue: bool) -> Result<Prepared, Failure> {
        let insecure = self.cluster.trust.insecure;
        let endpoints = self.cluster.endpoints()?;
        let planned = self.member.planned(insecure)?;
        let chosen = self.plugins.chosen()?;
        let state = self.state.member(&planned.name)?;
        let pki = (!insecure).then(|| self.cluster.trust.pki());
        if let Some(pki) = pki.as_ref().filter(|_| issue && self.launcher == LauncherKind::Process) {
            pki.issue_node(&planned.node_names()).map_err(|e| pki_failure(&e))?;
        }
        let trust = self.cluster.trust.trust();
        // Files that cannot be used are said before anything else is tried.
        trust.cluster()?;
        let launcher = match self.launcher {
            LauncherKind::Process => {
                ChosenLauncher::Process(self.member.process(&planned, pki.as_ref(), state.log_file())?)
            }
            LauncherKind::External => ChosenLauncher::External(self.member.external(pki.as_ref())?),
        };
        let setup = Setup { trust, launcher, plugins: chosen, plugin_cache: plugin_cache() };
        Ok(Prepared { plan: self.plan(planned, endpoints), setup, state })
    }

    fn plan(&self, planned: Planned, endpoints: Vec<String>) -> JoinPlan {
        let limits = &self.limits;
        let start = match self.launcher {
            LauncherKind::Process => Timeouts::default().start,
            LauncherKind::External => Duration::from_secs(30 * 60),
        };
        JoinPlan {
            run: uuid::Uuid::now_v7().to_string(),
            name: planned.name,
            peer_urls: planned.peer_urls,
            client_urls: planned.client_urls,
            endpoints,
            gate: Gate { max_lag: limits.max_lag, stability: limits.stability, ..Gate::default() },
            timeouts: Timeouts {
                lock: limits.lock_timeout,
                learner_slot: limits.learner_timeout,
                start: limits.start_timeout.unwrap_or(start),
                stall: limits.stall_timeout,
                approval: limits.approval_timeout,
                ..Timeouts::default()
            },
            stale_learner: match limits.stale_learner {
                StaleLearnerArg::Wait => StaleLearner::Wait,
                StaleLearnerArg::Fail => StaleLearner::Fail,
            },
        }
    }
}
