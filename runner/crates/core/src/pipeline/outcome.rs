//! How a run can end, and why a step can fail.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::Problem;
use crate::cluster::{Class, ClusterError};

/// How a run ended. Each has an exit status of its own, so that scripts need not read text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The member is a voter and serves reads.
    Joined,
    /// `rollback` was asked for and everything is undone.
    RolledBackOnRequest,
    /// The input cannot be used; nothing was changed.
    BadInput,
    /// A plugin's test failed, or what a run asked of it came out otherwise when it was asked again. No run ends so.
    Differs,
    /// A built-in check refused; the cluster is as it was.
    CheckRefused,
    /// A plugin refused; the cluster is as it was.
    PluginRefused,
    /// A plugin failed to answer and its failure policy is `fail`; the cluster is as it was.
    PluginFailed,
    /// The cluster could not be reached; it is as it was.
    Unreachable,
    /// Something took too long; everything is undone.
    TimedOut,
    /// Something failed; everything is undone.
    RolledBack,
    /// Neither promoted nor undone, or promoted and not verified: a person is needed.
    Stuck,
    /// The run's member is gone and the node belongs to another one by now: nothing was touched, and the run is closed.
    Overtaken,
    /// Interrupted; the message says whether it was undone or can be resumed.
    Interrupted,
}

/// Why a step gave up. Everything that can be undone is undone before it becomes the run's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the outcome will be if the undo succeeds.
    pub outcome: Outcome,
    /// What is wrong, and what to do about it.
    pub problem: Problem,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// How it ended.
    pub outcome: Outcome,
    /// How it ended in a sentence, and what to do next.
    pub problem: Problem,
}

impl Outcome {
    /// The command's exit status for this outcome.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Joined | Self::RolledBackOnRequest => 0,
            Self::BadInput => 2,
            Self::Differs => 3,
            Self::CheckRefused => 10,
            Self::PluginRefused => 11,
            Self::PluginFailed => 12,
            Self::Unreachable => 13,
            Self::TimedOut => 14,
            Self::RolledBack => 15,
            Self::Stuck => 16,
            Self::Overtaken => 17,
            Self::Interrupted => 130,
        }
    }

    /// Its name in kebab-case, as in events and run records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::RolledBackOnRequest => "rolled-back-on-request",
            Self::BadInput => "bad-input",
            Self::Differs => "differs",
            Self::CheckRefused => "check-refused",
            Self::PluginRefused => "plugin-refused",
            Self::PluginFailed => "plugin-failed",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::RolledBack => "rolled-back",
            Self::Stuck => "stuck",
            Self::Overtaken => "overtaken",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Failure {
    /// A failure without hints.
    pub fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Problem::new(message).ends(outcome)
    }

    /// The same with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.problem = self.problem.hint(hint);
        self
    }

    /// The run was interrupted (Ctrl-C or SIGTERM).
    pub fn interrupted() -> Self {
        Self::new(Outcome::Interrupted, "interrupted")
    }

    /// What was given cannot be used; nothing has been changed.
    pub fn bad_input(problem: Problem) -> Self {
        problem.ends(Outcome::BadInput)
    }

    /// The launcher could not do its part.
    pub fn launch(problem: Problem) -> Self {
        problem.ends(Outcome::RolledBack)
    }

    /// A call to the cluster failed while `doing`.
    pub fn cluster(doing: &str, error: &ClusterError) -> Self {
        let outcome = match error.reason.class() {
            Class::Fatal => Outcome::RolledBack,
            Class::Retry | Class::WaitForOther | Class::Ambiguous => Outcome::Unreachable,
        };
        let mut failure = Self::new(outcome, format!("{doing}: {error}"));
        failure.hints.extend(crate::cluster::advice(error.reason).map(str::to_owned));
        failure
    }

    /// A plugin did not answer.
    pub(super) fn plugin(plugin: &str, fault: &Fault) -> Self {
        let mut failure = Self::new(Outcome::PluginFailed, format!("{plugin}: {}", fault.message));
        failure.hints.extend(fault.log.iter().rev().take(5).rev().map(|line| format!("{plugin} logged: {line}")));
        failure
    }
}

impl Problem {
    /// What a step, or a command, fails with: this, and how it ends.
    pub fn ends(self, outcome: Outcome) -> Failure {
        Failure { outcome, problem: self }
    }
}

impl Deref for Failure {
    type Target = Problem;

    fn deref(&self) -> &Problem {
        &self.problem
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Problem {
        &mut self.problem
    }
}

impl Deref for Conclusion {
    type Target = Problem;

    fn deref(&self) -> &Problem {
        &self.problem
    }
}

impl DerefMut for Conclusion {
    fn deref_mut(&mut self) -> &mut Problem {
        &mut self.problem
    }
}
