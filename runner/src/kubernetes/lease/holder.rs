//! Who holds the Lease, for people who look.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use serde::Serialize;

use super::record::{queue, time_of};
use crate::kubernetes::time::ours;

/// The holder of the Lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The node that joins.
    pub node: String,
    /// The run.
    pub run: String,
    /// When it was renewed last, by the holder's clock.
    pub renewed: Option<Timestamp>,
    /// Whether it has not been renewed for its time, as far as that clock and ours agree: then its run has ended without giving it up,
    /// or does not reach the API, and the next join takes it over.
    pub expired: bool,
}

impl Holder {
    /// Of a Lease; none where nobody holds it.
    pub(in crate::kubernetes) fn of(lease: &Lease, now: Timestamp) -> Option<Self> {
        let spec = lease.spec.as_ref()?;
        spec.holder_identity.as_deref().filter(|holder| !holder.is_empty())?;
        let renewed = spec.renew_time.as_ref().map(|time| ours(time.0));
        let silent = |renewed: Timestamp| now.duration_since(renewed).max(SignedDuration::ZERO).unsigned_abs();
        let expired = renewed.map_or(Duration::MAX, silent) > time_of(spec);
        let queue = queue(spec, now);
        Some(Self { node: queue.node, run: queue.run, renewed, expired })
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Identity, cleared, made};
    use super::*;

    #[test]
    fn a_holder_that_is_silent_for_its_time_has_expired() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let us = Identity { run: "run-1".into(), node: "cp-2".into() };
        let lease = made("kube-system", "l", &us, at(0));
        let holder = Holder::of(&lease, at(15)).unwrap();
        assert_eq!((holder.node.as_str(), holder.run.as_str(), holder.expired), ("cp-2", "run-1", false));
        assert!(Holder::of(&lease, at(16)).unwrap().expired);
        // A clock that is ahead of ours does not make it older.
        assert!(!Holder::of(&lease, at(-3600)).unwrap().expired);
        assert_eq!(Holder::of(&cleared(lease, at(1)), at(2)), None);
    }
}
