//! From etcd-client's and tonic's errors to ours.

use std::error::Error as StdError;

use tonic::Code;

use super::connect::{Fault, Target};
use crate::cluster::{ClusterError, Reason};

/// What went wrong with a call to `endpoint`.
pub(super) fn classify(error: etcd_client::Error, target: &Target, endpoint: &str) -> ClusterError {
    match error {
        etcd_client::Error::GRpcStatus(status) => from_status(&status, target, endpoint),
        etcd_client::Error::TransportError(error) => from_transport(&error, target, endpoint),
        // The remaining ones are about arguments; nothing has been sent.
        other => ClusterError::new(Reason::Other, chain(&other), endpoint),
    }
}

/// Whether the connection is of no more use after this. After a deadline it may be half dead, and nothing else would tell.
pub(super) fn breaks_connection(reason: Reason) -> bool {
    use Reason::*;
    matches!(reason, Tls | Unreachable | ConnectionLost | DeadlineExceeded | Stopped)
}

fn from_status(status: &tonic::Status, target: &Target, endpoint: &str) -> ClusterError {
    // A status with a source was made on our side; the server's own have none.
    if let Some(source) = status.source() {
        return from_transport(source, target, endpoint);
    }
    let reason = Reason::from_message(status.message()).unwrap_or(match status.code() {
        Code::PermissionDenied => Reason::PermissionDenied,
        Code::Unauthenticated => Reason::Unauthenticated,
        Code::DeadlineExceeded => Reason::DeadlineExceeded,
        Code::Cancelled => Reason::Cancelled,
        // Sent by a gRPC server that is going away, or by something in between.
        Code::Unavailable => Reason::ConnectionLost,
        // What a proxy makes of its own troubles, and a future etcd of new ones: nothing that says "refused".
        Code::Unknown | Code::Internal | Code::Aborted | Code::ResourceExhausted => Reason::Unknown,
        _ => Reason::Other,
    });
    let message = match (status.message(), status.code()) {
        ("", code) => code.description(),
        (message, _) => message,
    };
    ClusterError::new(reason, message, endpoint)
}

/// Below gRPC: no connection, or one that broke.
fn from_transport(error: &(dyn StdError + 'static), target: &Target, endpoint: &str) -> ClusterError {
    if let Some(fault) = find::<Fault>(error) {
        // The same fault may also wait to end the next attempt; it has been reported now.
        target.take_fault();
        return ClusterError::new(fault.reason, fault.message.clone(), endpoint);
    }
    if let Some(fault) = target.take_fault() {
        return ClusterError::new(fault.reason, fault.message, endpoint);
    }
    ClusterError::new(Reason::ConnectionLost, format!("the connection was lost: {}", chain(error)), endpoint)
}

/// The first error of this type in the chain of sources.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    sources(error).find_map(|e| e.downcast_ref())
}

/// The chain of sources in one line; what an outer error repeats of an inner one is said once.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = String::new();
    for error in sources(error) {
        let text = error.to_string();
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |e: &&'a (dyn StdError + 'static)| (*e).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: tonic::Status) -> ClusterError {
        let target = Target::parse("http://127.0.0.1:1", None).unwrap();
        classify(etcd_client::Error::GRpcStatus(status), &target, "e")
    }

    #[test]
    fn the_whole_message_decides_and_then_the_code() {
        let cases = [
            (Code::Unavailable, "etcdserver: unhealthy cluster", Reason::UnhealthyCluster),
            (Code::Unavailable, "etcdserver: rpc not supported for learner", Reason::NotSupportedForLearner),
            (Code::FailedPrecondition, "etcdserver: rpc not supported for learner", Reason::NotSupportedForLearner),
            (
                Code::Unknown,
                "etcdserver: re-configuration failed due to not enough started members",
                Reason::NotEnoughStarted,
            ),
            (Code::PermissionDenied, "something new", Reason::PermissionDenied),
            (Code::Unavailable, "something new", Reason::ConnectionLost),
            (Code::Unknown, "raft proposal dropped", Reason::ProposalDropped),
            (Code::Unknown, "something new", Reason::Unknown),
            (Code::Internal, "something new", Reason::Unknown),
            (Code::InvalidArgument, "something new", Reason::Other),
            (Code::FailedPrecondition, "something new", Reason::Other),
        ];
        for (code, message, reason) in cases {
            let error = of(tonic::Status::new(code, message));
            assert_eq!((error.reason, error.message.as_str()), (reason, message));
        }
        assert!(!of(tonic::Status::new(Code::Unimplemented, "")).message.is_empty());
    }

    #[test]
    fn a_chain_is_one_line_and_says_nothing_twice() {
        let inner = std::io::Error::other("pipe broke");
        let outer = std::io::Error::other(Wrapped(inner));
        assert_eq!(chain(&outer), "send failed: pipe broke");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("send failed: {0}")]
    struct Wrapped(#[source] std::io::Error);
}
