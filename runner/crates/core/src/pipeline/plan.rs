//! What a run is to do: everything that steps need to know, and nothing that they find out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Newcomer;
use crate::terms::{OnApprovalTimeout, SilentLearner, StaleLearner};

/// One join, as it was asked for. Kept in the journal, so that `resume` and `rollback` need no arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinPlan {
    /// The run's id.
    pub run: String,
    /// The member's name.
    pub name: String,
    /// Its peer URLs.
    pub peer_urls: Vec<String>,
    /// Its client URLs.
    pub client_urls: Vec<String>,
    /// The endpoints that were given to find the cluster.
    pub endpoints: Vec<String>,
    /// When the built-in gate lets a learner become a voter.
    pub gate: Gate,
    /// How long each wait may take.
    pub timeouts: Timeouts,
    /// What to do about somebody else's learner.
    pub stale_learner: StaleLearner,
    /// What becomes of a learner that the plugins do not approve in time.
    #[serde(default)]
    pub on_approval_timeout: OnApprovalTimeout,
    /// What to do about our own learner that has all the data and does not serve.
    #[serde(default)]
    pub silent_learner: SilentLearner,
}

/// The built-in promotion gate's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// The most entries that the learner may be behind the leader's commit index, in every sample of the window.
    pub max_lag: u64,
    /// How long it must have stayed within that lag, without a change of leader.
    pub stability: Duration,
    /// Time between two samples while the learner is near; longer while it is far.
    pub interval: Duration,
}

/// How long each wait may take. All are upper bounds: a wait ends with what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// For a first answer from the cluster.
    pub discover: Duration,
    /// In the queue of joiners.
    pub lock: Duration,
    /// For somebody else's learner to become a voter or go.
    pub learner_slot: Duration,
    /// For etcd to accept the new member, once nothing stands in the way.
    pub add: Duration,
    /// For the started member to show up in the member list.
    pub start: Duration,
    /// Without any sign of progress while the learner catches up.
    pub stall: Duration,
    /// For the promotion plugins, once the built-in gate is open.
    pub approval: Duration,
    /// For etcd to accept the promotion.
    pub promote: Duration,
    /// For every member to see the new voter, and the new voter to serve a read.
    pub verify: Duration,
    /// For the notifiers, all together.
    pub announce: Duration,
    /// For each undo.
    pub undo: Duration,
}

impl JoinPlan {
    /// The member as plugins are told of it.
    pub fn newcomer(&self, version: Option<String>) -> Newcomer {
        Newcomer {
            name: self.name.clone(),
            peer_urls: self.peer_urls.clone(),
            client_urls: self.client_urls.clone(),
            version,
        }
    }
}

impl Default for Gate {
    /// At most 50 entries behind over half a second, sampled every 50 ms. A busy cluster writes some thousand entries a second,
    /// so 50 entries are some ten milliseconds; half a second is a few heartbeats (100 ms each by default).
    fn default() -> Self {
        Self { max_lag: 50, stability: Duration::from_millis(500), interval: Duration::from_millis(50) }
    }
}

impl Default for Timeouts {
    /// Generous where waiting is normal (a queue, a large database), short where it is not.
    fn default() -> Self {
        Self {
            discover: Duration::from_secs(10),
            lock: Duration::from_secs(30 * 60),
            learner_slot: Duration::from_secs(5 * 60),
            add: Duration::from_secs(60),
            start: Duration::from_secs(2 * 60),
            stall: Duration::from_secs(60),
            approval: Duration::from_secs(10 * 60),
            promote: Duration::from_secs(60),
            verify: Duration::from_secs(60),
            announce: Duration::from_secs(15),
            undo: Duration::from_secs(60),
        }
    }
}
