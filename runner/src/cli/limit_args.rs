//! How strict and how patient a run is: by the command line, else by the policy, else by default.

use std::fmt::Display;
use std::time::Duration;

use super::defaults::Defaults;
use super::mandatory;
use super::word_args::word;
use crate::config::policy::{self, PolicyFile, Span};
use crate::pipeline::{Failure, Gate, OnApprovalTimeout, SilentLearner, StaleLearner, Timeouts};

/// How patient the run is.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Limits (each in the place of what a policy says, which is reported)")]
pub(super) struct LimitArgs {
    /// The most raft entries that the learner may be behind to be promoted [default: 50]
    #[arg(long, value_name = "ENTRIES")]
    max_lag: Option<u64>,
    /// How long it must have stayed that near, without a change of leader [default: 500ms]
    #[arg(long, value_name = "TIME", value_parser = time)]
    stability: Option<Duration>,
    /// Time to wait in the queue of joiners [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = time)]
    lock_timeout: Option<Duration>,
    /// What to do about somebody else's learner [default: wait]
    #[arg(long, value_parser = word::<StaleLearner>(&["Wait for it, up to --learner-timeout", "Refuse at once"]))]
    stale_learner: Option<StaleLearner>,
    /// What to do about this node's learner where it has all the data and does not serve for etcd's 7 s [default: restart]
    #[arg(long, value_parser = word::<SilentLearner>(&[
        "Restart it, once and before it has a vote, where the launcher can (a process, systemd)",
        "Wait with it",
    ]))]
    silent_learner: Option<SilentLearner>,
    /// Time to wait for somebody else's learner to become a voter or go [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = time)]
    learner_timeout: Option<Duration>,
    /// Time for the started member to show up in the member list [default: 2m, or 30m where somebody else starts it]
    #[arg(long, value_name = "TIME", value_parser = time)]
    start_timeout: Option<Duration>,
    /// Time without any progress after which the learner is given up [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = time)]
    stall_timeout: Option<Duration>,
    /// Time for the promotion plugins to approve, once the learner has caught up [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = time)]
    approval_timeout: Option<Duration>,
}

/// What a run goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rules {
    pub(super) gate: Gate,
    pub(super) timeouts: Timeouts,
    pub(super) stale_learner: StaleLearner,
    pub(super) on_approval_timeout: OnApprovalTimeout,
    pub(super) silent_learner: SilentLearner,
}

/// Takes a value where it is given, the flag's before the policy's, and notes where the two differ.
struct Merge<'a> {
    overrides: &'a mut Vec<String>,
}

impl LimitArgs {
    /// Refuses a gate that is looser than the floors of the profile in force.
    pub(super) fn check_floors(&self, defaults: &Defaults, policy: Option<&PolicyFile>) -> Result<(), Failure> {
        mandatory::check_floors(defaults, (self.max_lag, self.stability), policy)
    }

    /// Merges with what the policy says. A flag that says otherwise than the policy wins, and is noted in `overrides`: whoever
    /// reads the run's report sees that it was not judged by the policy alone. `external` is whether somebody else starts the member.
    pub(super) fn rules(
        &self,
        defaults: &Defaults,
        spec: Option<&policy::Spec>,
        external: bool,
        overrides: &mut Vec<String>,
    ) -> Rules {
        let nothing = policy::Spec::default();
        let spec = spec.unwrap_or(&nothing);
        let (usual, gate) = (defaults.timeouts, defaults.gate);
        let start = if external { defaults.start_elsewhere } else { usual.start };
        let given = &spec.timeouts;
        let mut m = Merge { overrides };
        let or = |span: Option<Span>, usual: Duration| span.map_or(usual, |span| span.0);
        Rules {
            gate: Gate {
                max_lag: m.value("--max-lag", self.max_lag, spec.gate.max_lag, gate.max_lag),
                stability: m.time("--stability", self.stability, spec.gate.stability, gate.stability),
                interval: or(spec.gate.interval, gate.interval),
            },
            timeouts: Timeouts {
                discover: or(given.discover, usual.discover),
                lock: m.time("--lock-timeout", self.lock_timeout, given.lock, usual.lock),
                learner_slot: m.time("--learner-timeout", self.learner_timeout, given.learner_slot, usual.learner_slot),
                add: or(given.add, usual.add),
                start: m.time("--start-timeout", self.start_timeout, given.start, start),
                stall: m.time("--stall-timeout", self.stall_timeout, given.stall, usual.stall),
                approval: m.time("--approval-timeout", self.approval_timeout, given.approval, usual.approval),
                promote: or(given.promote, usual.promote),
                verify: or(given.verify, usual.verify),
                announce: or(given.announce, usual.announce),
                undo: or(given.undo, usual.undo),
            },
            stale_learner: m.value(
                "--stale-learner",
                self.stale_learner,
                spec.stale_learner.map(|given| given.0),
                defaults.stale_learner,
            ),
            silent_learner: m.value(
                "--silent-learner",
                self.silent_learner,
                spec.silent_learner.map(|given| given.0),
                defaults.silent_learner,
            ),
            on_approval_timeout: spec.on_approval_timeout.map_or(defaults.on_approval_timeout, |given| given.0),
        }
    }
}

impl Merge<'_> {
    fn value<T: Copy + PartialEq + Display>(&mut self, name: &str, flag: Option<T>, policy: Option<T>, usual: T) -> T {
        self.note(name, flag, policy, |value| value.to_string());
        flag.or(policy).unwrap_or(usual)
    }

    fn time(&mut self, name: &str, flag: Option<Duration>, policy: Option<Span>, usual: Duration) -> Duration {
        let policy = policy.map(|span| span.0);
        self.note(name, flag, policy, |value| humantime::format_duration(value).to_string());
        flag.or(policy).unwrap_or(usual)
    }

    fn note<T: PartialEq>(&mut self, name: &str, flag: Option<T>, policy: Option<T>, show: impl Fn(T) -> String) {
        if let (Some(flag), Some(policy)) = (flag, policy)
            && flag != policy
        {
            self.overrides.push(format!("{name} is {}, and the policy says {}", show(flag), show(policy)));
        }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    text.parse::<Span>().map(|span| span.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> policy::Spec {
        let gate = policy::Gate { max_lag: Some(10), stability: "2s".parse().ok(), interval: None };
        let timeouts = policy::Timeouts { lock: "1m".parse().ok(), ..policy::Timeouts::default() };
        policy::Spec { gate, timeouts, ..policy::Spec::default() }
    }

    #[test]
    fn flags_beat_the_policy_and_never_in_silence() {
        let args = LimitArgs { max_lag: Some(500), stability: Some(Duration::from_secs(2)), ..LimitArgs::default() };
        let mut overrides = Vec::new();
        let rules = args.rules(&Defaults::built_in(), Some(&spec()), false, &mut overrides);
        assert_eq!((rules.gate.max_lag, rules.gate.stability), (500, Duration::from_secs(2)));
        assert_eq!(rules.timeouts.lock, Duration::from_secs(60));
        assert_eq!(rules.timeouts.stall, Timeouts::default().stall);
        assert_eq!(overrides, ["--max-lag is 500, and the policy says 10"]);
    }

    #[test]
    fn without_a_policy_nothing_is_overridden() {
        let args = LimitArgs { max_lag: Some(500), ..LimitArgs::default() };
        let mut overrides = Vec::new();
        let rules = args.rules(&Defaults::built_in(), None, true, &mut overrides);
        assert_eq!((rules.gate.max_lag, rules.timeouts.start), (500, Duration::from_secs(1800)));
        assert!(overrides.is_empty());
    }
}
