//! etcd's own words, exactly: what the simulated members answer and what the simulated processes log.
//!
//! The errors are those of etcd's `api/v3rpc/rpctypes/error.go` (3.4 to 3.7), the log lines those of
//! `server/etcdserver/{bootstrap,server}.go`, `api/membership/cluster.go` and raft's `log.go`.

use std::time::Duration;

use runner_core::cluster::{ClusterError, Reason};

pub(super) const TOO_MANY_LEARNERS: &str = "etcdserver: too many learner members in cluster";
pub(super) const PEER_URL_EXISTS: &str = "etcdserver: Peer URLs already exists";
pub(super) const UNHEALTHY: &str = "etcdserver: unhealthy cluster";
pub(super) const NOT_ENOUGH_STARTED: &str = "etcdserver: re-configuration failed due to not enough started members";
pub(super) const LEARNER_NOT_READY: &str = "etcdserver: can only promote a learner member which is in sync with leader";
pub(super) const NOT_LEARNER: &str = "etcdserver: can only promote a learner member";
pub(super) const NOT_FOUND: &str = "etcdserver: member not found";
pub(super) const BAD_URLS: &str = "etcdserver: given member URLs are invalid";
pub(super) const NOT_FOR_LEARNER: &str = "etcdserver: rpc not supported for learner";
pub(super) const NO_LEADER: &str = "etcdserver: no leader";
pub(super) const NO_SPACE: &str = "etcdserver: mvcc: database space exceeded";
pub(super) const CORRUPT: &str = "etcdserver: corrupt cluster";
pub(super) const TIMED_OUT: &str = "etcdserver: request timed out";
pub(super) const TIMED_OUT_LEADER: &str = "etcdserver: request timed out, possibly due to previous leader failure";
pub(super) const TIMED_OUT_APPLY: &str = "etcdserver: request timed out, waiting for the applied index took too long";

pub(super) const LOG_COUNT_UNEQUAL: &str = "member count is unequal";
pub(super) const LOG_NO_CLUSTER: &str =
    "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs";
pub(super) const LOG_INCOMPATIBLE: &str = "incompatible with current running cluster";
/// In one line what is two in etcd's log.
pub(super) const LOG_UNDECIDED: &str = "failed to parse cluster version of remote member: not_decided is not in dotted-tri format; \
    incompatible with current running cluster";
pub(super) const LOG_REMOVED: &str = "the member has been permanently removed from the cluster";
pub(super) const LOG_TOO_MANY_LEARNERS: &str = "membership: too many learner members in cluster";

/// An answer in etcd's own words; the reason comes from the same table that the real adapter uses.
pub(super) fn etcd(message: &str, endpoint: &str) -> ClusterError {
    ClusterError::new(Reason::from_message(message).unwrap_or(Reason::Other), message, endpoint)
}

/// The caller's deadline passed.
pub(super) fn deadline(after: Duration, endpoint: &str) -> ClusterError {
    ClusterError::new(Reason::DeadlineExceeded, format!("no answer within {} ms", after.as_millis()), endpoint)
}

/// Nobody listens there.
pub(super) fn refused(endpoint: &str) -> ClusterError {
    ClusterError::new(Reason::Unreachable, "connection refused", endpoint)
}

/// The connection broke while the call was under way.
pub(super) fn broken(endpoint: &str) -> ClusterError {
    ClusterError::new(Reason::ConnectionLost, "connection reset by peer", endpoint)
}

/// An error of this reason as it would look, for faults that ask for it by reason.
pub(super) fn of(reason: Reason, endpoint: &str) -> ClusterError {
    ClusterError::new(reason, words(reason), endpoint)
}

/// etcd's words for a reason, or the transport's.
pub(super) fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::TooManyLearners => TOO_MANY_LEARNERS,
        Reason::PeerUrlExists => PEER_URL_EXISTS,
        Reason::MemberExists => "etcdserver: member ID already exist",
        Reason::UnhealthyCluster => UNHEALTHY,
        Reason::NotEnoughStarted => NOT_ENOUGH_STARTED,
        Reason::LearnerNotReady => LEARNER_NOT_READY,
        Reason::MemberNotLearner => NOT_LEARNER,
        Reason::MemberNotFound => NOT_FOUND,
        Reason::BadUrls => BAD_URLS,
        Reason::NotSupportedForLearner => NOT_FOR_LEARNER,
        Reason::NoLeader => NO_LEADER,
        Reason::LeaderChanged => "etcdserver: leader changed",
        Reason::NotLeader => "etcdserver: not leader",
        Reason::RequestTimedOut => TIMED_OUT,
        Reason::NoSpace => NO_SPACE,
        Reason::Corrupt => CORRUPT,
        Reason::ClusterIdMismatch => "etcdserver: cluster ID mismatch",
        Reason::PermissionDenied => "etcdserver: permission denied",
        Reason::Unauthenticated => "etcdserver: invalid auth token",
        Reason::TooManyRequests => "etcdserver: too many requests",
        Reason::Stopped => "etcdserver: server stopped",
        Reason::DeadlineExceeded => "context deadline exceeded",
        Reason::Cancelled => "context canceled",
        Reason::ConnectionLost => "connection reset by peer",
        Reason::Unreachable => "connection refused",
        Reason::Tls => "invalid peer certificate: UnknownIssuer",
        Reason::ProposalDropped => "raft proposal dropped",
        Reason::Unknown => "something went wrong on the way",
        Reason::Other => "something this runner has no name for",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runner_core::cluster::Class;

    #[test]
    fn every_string_is_in_the_table_and_keeps_its_reason() {
        for reason in [
            Reason::TooManyLearners,
            Reason::PeerUrlExists,
            Reason::MemberExists,
            Reason::UnhealthyCluster,
            Reason::NotEnoughStarted,
            Reason::LearnerNotReady,
            Reason::MemberNotLearner,
            Reason::MemberNotFound,
            Reason::BadUrls,
            Reason::NotSupportedForLearner,
            Reason::NoLeader,
            Reason::LeaderChanged,
            Reason::NotLeader,
            Reason::RequestTimedOut,
            Reason::NoSpace,
            Reason::Corrupt,
            Reason::ClusterIdMismatch,
            Reason::PermissionDenied,
            Reason::Unauthenticated,
            Reason::TooManyRequests,
            Reason::Stopped,
            Reason::ProposalDropped,
        ] {
            assert_eq!(Reason::from_message(&of(reason, "").message), Some(reason));
        }
        for text in [TIMED_OUT_LEADER, TIMED_OUT_APPLY] {
            assert_eq!(etcd(text, "e").reason, Reason::RequestTimedOut);
        }
    }

    #[test]
    fn what_never_was_sent_is_told_from_what_may_have_been_applied() {
        assert_eq!(refused("e").class(), Class::Retry);
        assert!(deadline(Duration::from_secs(5), "e").ambiguous());
        assert!(broken("e").ambiguous());
    }
}
