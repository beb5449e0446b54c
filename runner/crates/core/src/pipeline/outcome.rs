//! How a run can end, and why a step can fail.

use std::ops::{Deref, DerefMut};

use super::Fault;
use crate::Problem;
use crate::cluster::{Class, ClusterError};
use crate::terms::Outcome;

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
