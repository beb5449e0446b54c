//! Who decides: the plugins, behind a trait that knows nothing of WebAssembly.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Waiver;
use crate::Problem;
use crate::cluster::{MemberId, View};
use crate::event::{Event, Usage};
use crate::terms::{FailurePolicy, FaultKind, Severity, VerdictKind};

/// The member that wants to join, as it is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Newcomer {
    /// The name it will have.
    pub name: String,
    /// Where the other members will reach it.
    pub peer_urls: Vec<String>,
    /// Where clients will reach it.
    pub client_urls: Vec<String>,
    /// The etcd version that it will run, where that is known.
    pub version: Option<String>,
}

/// How far the candidate was behind at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// The leader's committed raft index.
    pub leader_index: u64,
    /// The candidate's applied raft index.
    pub applied_index: u64,
    /// The leader.
    pub leader: Option<MemberId>,
    /// The raft term.
    pub term: u64,
    /// Whether the candidate answered its own status request.
    pub reachable: bool,
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// A short stable identifier in kebab-case.
    pub code: String,
    /// What is the case, in one sentence.
    pub message: String,
    /// What a person can do about it.
    pub remedy: Option<String>,
    /// The member that it is about.
    pub member: Option<String>,
}

/// A promotion plugin's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Verdict {
    /// It may vote.
    Approve,
    /// Not yet.
    Wait {
        /// What for.
        reason: String,
        /// When to ask again; none for "with the next sample".
        retry_after: Option<Duration>,
    },
    /// Never: undo the join.
    Reject {
        /// Why.
        reason: String,
    },
}

/// A plugin that did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// In which way.
    pub kind: FaultKind,
    /// What happened, in one sentence.
    pub message: String,
    /// The last lines that it logged, oldest first: guests lose the text of a trap.
    pub log: Vec<String>,
}

/// One plugin's answer, or its failure to give one.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// The plugin's name.
    pub plugin: String,
    /// What it answered.
    pub result: Result<T, Fault>,
    /// What is to become of the join if it did not.
    pub failure_policy: FailurePolicy,
    /// Findings of it that do not refuse the join.
    pub waivers: Arc<[Waiver]>,
    /// What the call used.
    pub usage: Usage,
}

/// The plugins, asked by role. Implementations report loading, logs and notes through their own event sink; verdicts are
/// reported by whoever asked.
#[async_trait]
pub trait Policy: Send + Sync {
    /// Waits until every plugin is loaded and has accepted its settings. May be called again; later calls are free.
    async fn ready(&self) -> Result<(), Problem>;

    /// Asks every health check, side by side.
    async fn check(&self, view: &Arc<View>, newcomer: &Newcomer) -> Vec<Answer<Vec<Finding>>>;

    /// Asks every promotion criterion, side by side. `window` is oldest first and never empty.
    async fn evaluate(&self, view: &Arc<View>, candidate: MemberId, window: &Arc<[Sample]>) -> Vec<Answer<Verdict>>;

    /// Tells every notifier, side by side.
    async fn notify(&self, events: &[Event]) -> Vec<Answer<()>>;
}

impl Verdict {
    /// The answer as one word, and its reason; empty where there is none.
    pub fn word(self) -> (VerdictKind, String) {
        match self {
            Self::Approve => (VerdictKind::Approve, String::new()),
            Self::Wait { reason, .. } => (VerdictKind::Wait, reason),
            Self::Reject { reason } => (VerdictKind::Reject, reason),
        }
    }
}

impl Sample {
    /// Entries behind, never below zero.
    pub fn lag(&self) -> u64 {
        self.leader_index.saturating_sub(self.applied_index)
    }
}
