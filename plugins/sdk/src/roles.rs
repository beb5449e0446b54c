//! What a plugin implements: [`Plugin`], and the trait of each role that it plays.

use serde::de::DeserializeOwned;

use crate::{Cluster, Event, Finding, Member, Newcomer, Problem, Result, Samples, Verdict};

/// Every plugin: its settings, which serde reads, and what else must hold of them.
///
/// Use `#[serde(default)]` so that the plugin works with `{}`, `deny_unknown_fields` so that a misspelt setting is refused, and
/// `rename_all = "camelCase"`, which the rest of runner uses.
pub trait Plugin: DeserializeOwned {
    /// What is wrong with settings that could be read: limits, fields that contradict each other. Empty accepts them.
    ///
    /// Asked once, before anything is changed in the cluster; *not* asked again before each call of a role.
    fn validate(&self) -> Vec<Problem> {
        Vec::new()
    }
}

/// Role: is the cluster healthy enough for this node to join?
pub trait HealthCheck: Plugin {
    /// Returns what is worth saying; nothing is a clean bill of health, one finding of [`Severity::Error`] refuses the join.
    ///
    /// [`Severity::Error`]: crate::Severity::Error
    ///
    /// # Errors
    /// An error says that the check itself could not be done; what becomes of the join is the plugin's failure policy.
    fn check(&self, cluster: &Cluster, newcomer: &Newcomer) -> Result<Vec<Finding>>;
}

/// Role: has the learner caught up enough to become a voter?
pub trait Promotion: Plugin {
    /// Judges the candidate by the window of samples, oldest first.
    ///
    /// Asked again and again, each time in a fresh instance: it must depend on its arguments, the settings and
    /// [`clock::now_ms`](crate::clock::now_ms) only, so that a recorded decision can be replayed.
    ///
    /// # Errors
    /// An error says that it cannot be judged; what becomes of the join is the plugin's failure policy.
    fn evaluate(&self, cluster: &Cluster, candidate: &Member, window: &Samples) -> Result<Verdict>;
}

/// Role: who is told what happened?
pub trait Notifier: Plugin {
    /// Tells somebody about these events, oldest first. Kinds it does not know are to be ignored.
    ///
    /// # Errors
    /// An error is shown to the operator; it changes nothing about the join.
    fn notify(&self, events: &[Event]) -> Result<()>;
}
