//! etcd's errors, classified once, by whole message.
//!
//! One gRPC code covers many errors, and two codes differ between versions (`rpc not supported for learner` is `Unavailable`
//! until 3.5 and `FailedPrecondition` since 3.6; `not enough started members` reaches the client as `Unknown`). One message is
//! a prefix of another. So the message decides, compared whole; the code only for what carries no message of etcd's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The cluster has as many learners as it may have (one, by default).
    TooManyLearners,
    /// A member with one of these peer URLs is in the list already.
    PeerUrlExists,
    /// A member of this id is in the list already. etcd makes an id from the peer URLs and the second, and looks at it before the
    /// URLs: an add that is repeated within one second is refused with this instead of [`PeerUrlExists`](Self::PeerUrlExists).
    MemberExists,
    /// Strict reconfiguration check: not enough voters have been connected for 5 s.
    UnhealthyCluster,
    /// Strict reconfiguration check: too few members have started.
    NotEnoughStarted,
    /// The learner has not caught up (etcd's own 90 % rule).
    LearnerNotReady,
    /// The member is a voter: it was promoted already.
    MemberNotLearner,
    /// There is no member of this id, or it was removed.
    MemberNotFound,
    /// The peer URLs cannot be used.
    BadUrls,
    /// A learner does not serve this call.
    NotSupportedForLearner,
    /// The cluster has no leader now.
    NoLeader,
    /// The leader changed while the request was under way.
    LeaderChanged,
    /// The member asked is not the leader.
    NotLeader,
    /// etcd gave up waiting for its own proposal: it may or may not be applied.
    RequestTimedOut,
    /// The database has reached its quota.
    NoSpace,
    /// A member's data is corrupt.
    Corrupt,
    /// The request carried another cluster's id.
    ClusterIdMismatch,
    /// The user or certificate may not do this.
    PermissionDenied,
    /// The credentials were not accepted.
    Unauthenticated,
    /// Too many requests at once.
    TooManyRequests,
    /// The member is stopping.
    Stopped,
    /// Raft took no proposal, since leadership is being handed over (`move-leader`, and every graceful stop of a leader).
    ProposalDropped,
    /// Our deadline for the call passed: it may or may not be applied.
    DeadlineExceeded,
    /// The call was cancelled: it may or may not be applied.
    Cancelled,
    /// The connection broke while the call was under way: it may or may not be applied.
    ConnectionLost,
    /// No connection could be made: nothing was sent.
    Unreachable,
    /// The TLS handshake failed: wrong CA, wrong name, or a refused client certificate.
    Tls,
    /// The server, or something on the way to it, failed in a way that this runner has no name for: a change may have been applied.
    Unknown,
    /// A refusal that this runner has no name for.
    Other,
}

/// What is to be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing was changed and it heals by itself: try again soon.
    Retry,
    /// Nothing was changed; somebody else must finish first.
    WaitForOther,
    /// The change may have been applied: read the member list before anything else.
    Ambiguous,
    /// Trying again will not help.
    Fatal,
}

/// One failed call to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct ClusterError {
    /// Which error.
    pub reason: Reason,
    /// etcd's own message, or the transport's, on one line.
    pub message: String,
    /// The endpoint asked; empty where none could be chosen.
    pub endpoint: String,
}

/// A result of a call to the cluster.
pub type Result<T, E = ClusterError> = std::result::Result<T, E>;

/// The messages that name their error, as etcd 3.4 to 3.7 send them (api/v3rpc/rpctypes/error.go).
const MESSAGES: &[(&str, Reason)] = &[
    ("etcdserver: too many learner members in cluster", Reason::TooManyLearners),
    ("etcdserver: Peer URLs already exists", Reason::PeerUrlExists),
    ("etcdserver: member ID already exist", Reason::MemberExists),
    ("etcdserver: unhealthy cluster", Reason::UnhealthyCluster),
    ("etcdserver: re-configuration failed due to not enough started members", Reason::NotEnoughStarted),
    ("etcdserver: can only promote a learner member which is in sync with leader", Reason::LearnerNotReady),
    ("etcdserver: can only promote a learner member", Reason::MemberNotLearner),
    ("etcdserver: member not found", Reason::MemberNotFound),
    ("etcdserver: given member URLs are invalid", Reason::BadUrls),
    ("etcdserver: rpc not supported for learner", Reason::NotSupportedForLearner),
    ("etcdserver: no leader", Reason::NoLeader),
    ("etcdserver: leader changed", Reason::LeaderChanged),
    ("etcdserver: not leader", Reason::NotLeader),
    ("etcdserver: request timed out", Reason::RequestTimedOut),
    ("etcdserver: request timed out, possibly due to previous leader failure", Reason::RequestTimedOut),
    ("etcdserver: request timed out, possibly due to connection lost", Reason::RequestTimedOut),
    ("etcdserver: request timed out, waiting for the applied index took too long", Reason::RequestTimedOut),
    ("etcdserver: mvcc: database space exceeded", Reason::NoSpace),
    ("etcdserver: corrupt cluster", Reason::Corrupt),
    ("etcdserver: cluster ID mismatch", Reason::ClusterIdMismatch),
    ("etcdserver: permission denied", Reason::PermissionDenied),
    ("etcdserver: invalid auth token", Reason::Unauthenticated),
    ("etcdserver: user name is empty", Reason::Unauthenticated),
    ("etcdserver: authentication failed, invalid user ID or password", Reason::Unauthenticated),
    ("etcdserver: too many requests", Reason::TooManyRequests),
    ("etcdserver: server stopped", Reason::Stopped),
    // From raft itself (`ErrProposalDropped`): etcd has no entry for it and sends it on as it is.
    ("raft proposal dropped", Reason::ProposalDropped),
];

impl Reason {
    /// The reason that etcd's `message` names; none where it is not one of etcd's known messages.
    pub fn from_message(message: &str) -> Option<Self> {
        MESSAGES.iter().find(|(text, _)| *text == message).map(|(_, reason)| *reason)
    }

    /// What to do about it. For a read, `Ambiguous` simply means "try again".
    pub fn class(self) -> Class {
        use Reason::*;
        match self {
            TooManyLearners => Class::WaitForOther,
            UnhealthyCluster
            | NotEnoughStarted
            | LearnerNotReady
            | NotSupportedForLearner
            | NoLeader
            | NotLeader
            | TooManyRequests
            | ProposalDropped
            | Unreachable => Class::Retry,
            LeaderChanged | RequestTimedOut | DeadlineExceeded | Cancelled | ConnectionLost | Stopped | Unknown => {
                Class::Ambiguous
            }
            PeerUrlExists | MemberExists | MemberNotLearner | MemberNotFound | BadUrls | NoSpace | Corrupt
            | ClusterIdMismatch | PermissionDenied | Unauthenticated | Tls | Other => Class::Fatal,
        }
    }
}

/// What a person can do about an error; none where the message says it all.
pub fn advice(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::Unreachable | Reason::DeadlineExceeded | Reason::ConnectionLost => {
            "check that the endpoint is right, that etcd runs there and that no firewall is in between"
        }
        Reason::Tls => {
            "check --cacert, --cert and --key: the CA must be the one that signed the members' server certificates"
        }
        Reason::PermissionDenied | Reason::Unauthenticated => {
            "membership calls need root where etcd's authentication is on: use a client certificate whose name has the root role"
        }
        Reason::NoLeader | Reason::RequestTimedOut => {
            "the cluster may have lost its quorum: bring voters back first (`runner start` on their nodes); where a majority is lost for good, \
             see \"After a reboot, a power cut, a lost majority\" in runner/README.md"
        }
        Reason::NoSpace => "compact and defragment the database, then disarm the alarm: etcdctl alarm disarm",
        Reason::Corrupt => "a member's data differs: find it with etcdctl endpoint hashkv, remove it and add it anew",
        Reason::TooManyLearners => "another learner is in the list: etcdctl member list shows it; wait for it or remove it",
        Reason::UnhealthyCluster | Reason::NotEnoughStarted => {
            "etcd changes its membership only while its voters are connected: etcdctl endpoint status --cluster shows who is not"
        }
        Reason::ClusterIdMismatch => "give the endpoints of one cluster only, the one that is meant: --endpoints",
        _ => return None,
    })
}

impl ClusterError {
    /// An error of this reason with this text, seen at `endpoint`.
    pub fn new(reason: Reason, message: impl Into<String>, endpoint: impl Into<String>) -> Self {
        let message: String = message.into();
        Self { reason, message: message.split_whitespace().collect::<Vec<_>>().join(" "), endpoint: endpoint.into() }
    }

    /// What is to be done about it.
    pub fn class(&self) -> Class {
        self.reason.class()
    }

    /// Whether the change may have been applied although the call failed.
    pub fn ambiguous(&self) -> bool {
        self.class() == Class::Ambiguous
    }
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.endpoint.is_empty() {
            write!(f, " (at {})", self.endpoint)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_a_prefix_of_another_is_told_apart() {
        let not_learner = "etcdserver: can only promote a learner member";
        assert_eq!(Reason::from_message(not_learner), Some(Reason::MemberNotLearner));
        let not_ready = "etcdserver: can only promote a learner member which is in sync with leader";
        assert_eq!(Reason::from_message(not_ready), Some(Reason::LearnerNotReady));
        assert_eq!(Reason::from_message("etcdserver: can only promote"), None);
    }

    #[test]
    fn what_may_have_been_applied_is_ambiguous() {
        for text in ["etcdserver: request timed out", "etcdserver: request timed out, possibly due to connection lost"] {
            assert_eq!(Reason::from_message(text).unwrap().class(), Class::Ambiguous);
        }
        assert_eq!(Reason::UnhealthyCluster.class(), Class::Retry);
        assert_eq!(Reason::Unreachable.class(), Class::Retry);
    }
}
